"""What a replay cannot be sure of is counted, and keeps it from being called clean."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.corrections import seal_corrections
from activities.replaying import ReplayActivities, Replaying
from activities.store import FileStore
from activities.tools import Tools
from connectors.protocol import Call, Correction, Look
from connectors.registry import build
from connectors.rolls import Roll, RollPage
from ledger.ledger import Ledger
from ledger.remembering import Remembered
from ledger.replays import Replay
from ledger.requests import Ending
from rights.codes import Code
from rights.datamap import DataMap, Mode
from rights.mapfile import read_map
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
from rights.rectification import RectificationDetails, Wanted
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity
from rights.suppression import Scope, Source
from starter.stack import free_port
from starter.systemchecks import closed
from tests.ledger.builders import ANNA, AT, OTTO, a_receipt, a_step, close_one, later, opened_id
from tests.ledger.conftest import Door

MAP = """
system: shop
owner: commerce
connector: sql
backups: none
collections:
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
"""


def answered(ledger: Ledger) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    close(ledger, request_id, Conclusion.ANSWERED, 1)
    return request_id


def close(ledger: Ledger, request_id: str, conclusion: Conclusion, days: float) -> None:
    ledger.close(
        request_id,
        conclusion,
        books={},
        at=later(days=days),
        working_until=later(days=30),
        file_until=later(days=1000),
        parcel_until=AT,
        disputed_until=AT,
        ending=Ending(erased=ANNA, relook_at=later(days=days + 7)),
    )


def carried_out(ledger: Ledger, folder: Path, replay: str = "", days: float = 9) -> Replay:
    """A replay of the shop, which cannot say by itself whom it has, up to where it waits for its requests; or on from
    there."""
    data_map = DataMap.of(read_map({"shop.yaml": MAP}).systems)
    work = ReplayActivities(Tools(ledger, {}, data_map, FileStore(folder), environment="test"))
    replay = replay or ledger.begin_replay("shop", AT, dry=False, by="operations", at=later(days=days))
    while True:
        told = ActivityEnvironment().run(work.advance, Replaying(replay_id=replay, as_of=later(days=days)))
        if told.state not in {"quarantining", "applying"}:
            break
    return ledger.replay(replay)


def test_an_answered_erasure_is_opened_again(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)

    replay = carried_out(ledger, tmp_path)

    assert ledger.reopenings(request_id) == {"shop": Code.RESTORED}
    assert (replay.report["opened_again"], replay.report["indeterminate"]) == (1, {})


def test_one_of_which_a_person_is_asked_already_is_not_passed_over(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)
    ledger.settle_relook(request_id, {"shop": Code.RETURNED}, clean=False, at=later(days=8))

    replay = carried_out(ledger, tmp_path)

    assert ledger.reopenings(request_id) == {"shop": Code.RETURNED}
    assert replay.report["indeterminate"] == {"open_already": 1}


def test_what_was_given_up_is_not_kept_in_part(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)
    before = a_receipt(a_step(request_id, Operation.VERIFY), at=later(days=1))
    ledger.keep_receipt(a_receipt(a_step(request_id), at=later(days=1)))
    ledger.keep_receipt(before.model_copy(update={"certainty": Certainty.VERIFIED}))
    replay = carried_out(ledger, tmp_path)
    step = a_step(request_id, round=1)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.NEEDS_HUMAN, code=Code.RULED_OUT, at=later(days=9, hours=1)))
    close(ledger, request_id, Conclusion.IN_PART, 9.5)

    ended = carried_out(ledger, tmp_path, replay.id, 10)

    assert (ended.state, ended.report["ended"]) == ("unsure", {"not_done": 1})


def test_what_is_done_twice_is_opened_once(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=later(days=9))

    replay = carried_out(ledger, tmp_path)

    assert (replay.report["opened_again"], replay.report["indeterminate"]) == (1, {})
    assert [child.request_id for child in ledger.replay_children(replay.id)] == [request_id]


def acted(
    ledger: Ledger,
    right: Right,
    act: Operation,
    details: bytes,
    conclusion: Conclusion,
    people: tuple[Identity, ...] = (),
) -> str:
    """A request of another right that has done something in the shop and is over."""
    request_id = opened_id(
        ledger, Phase.LOCATING, right=right, details=details, confirmed=True, identities=people or ANNA
    )
    ledger.keep_receipt(a_receipt(a_step(request_id, act), at=later(days=1)))
    ending = Ending(act=Remembered(people=people, details=details.decode())) if people else None
    close_one(ledger, request_id, conclusion, at=later(days=2), ending=ending)
    if people:
        ledger.suppress(request_id, people, [Scope.SALE], source=Source.PERSON, at=AT)
    return request_id


def test_an_objection_that_was_refused_is_not_carried_out_after_a_restore(ledger: Ledger, tmp_path: Path) -> None:
    """It had restricted while it was weighed, and that is lifted."""
    objection = b'{"scope": "legitimate_interest"}'
    request_id = acted(ledger, Right.OBJECTION, Operation.RESTRICT, objection, Conclusion.REFUSED)

    replay = carried_out(ledger, tmp_path)

    assert (replay.report["opened_again"], replay.report["indeterminate"]) == (0, {})
    assert ledger.reopenings(request_id) == {}


def test_what_a_consent_has_ended_since_is_not_stopped_once_more(ledger: Ledger, tmp_path: Path) -> None:
    objection = b'{"scope": "marketing"}'
    request_id = acted(ledger, Right.OBJECTION, Operation.SUPPRESS, objection, Conclusion.ANSWERED)
    ledger.suppress(request_id, ANNA, [Scope.MARKETING, Scope.MARKETING_PROFILING], source=Source.PERSON, at=AT)
    preview = ledger.begin_replay("shop", AT, dry=True, by="operations", at=later(days=3))
    assert carried_out(ledger, tmp_path, preview, 3).report["opened_again"] == 1

    ledger.clear_suppression(ANNA, at=later(days=5), by="support")

    assert carried_out(ledger, tmp_path).report["opened_again"] == 0
    assert ledger.reopenings(request_id) == {}


def corrected(ledger: Ledger, hours: int, *corrections: Correction, people: tuple[Identity, ...] = ANNA) -> str:
    """A correction of the shop, made so many hours after, that is over."""
    wanted = tuple(
        Wanted(system="shop", collection=c.collection, values=dict(c.values), key=c.key) for c in corrections
    )
    details = RectificationDetails(corrections=wanted).model_dump_json().encode()
    request_id = opened_id(
        ledger, Phase.LOCATING, right=Right.RECTIFICATION, details=details, confirmed=True, identities=people
    )
    seal_corrections(ledger, request_id, "shop", corrections, at=later(hours=hours))
    ledger.keep_receipt(a_receipt(a_step(request_id, Operation.RECTIFY), at=later(hours=hours)))
    close_one(ledger, request_id, at=later(days=2))
    return request_id


def test_what_was_corrected_twice_is_put_back_to_what_it_was_last(ledger: Ledger, tmp_path: Path) -> None:
    phone = Correction("customers", {"phone": "1", "full_name": "Anna"}), Correction("customers", {"phone": "2"})
    first, last = (corrected(ledger, hours, one) for hours, one in enumerate(phone, 1))
    overtaken = corrected(ledger, 3, Correction("customers", {"note": "a"}, ("1",)))
    note = corrected(ledger, 4, Correction("customers", {"note": "b"}, ("1",)))
    others = corrected(ledger, 5, phone[1], people=OTTO)

    replay = carried_out(ledger, tmp_path)

    assert replay.report["indeterminate"] == {}
    again = {one: ledger.reopenings(one) for one in (first, last, overtaken, note, others)}
    assert {one for one, systems in again.items() if systems} == {last, note, others}
    assert ledger.opened_anew(replay.id, overtaken) is None
    anew = ledger.opened_anew(replay.id, first)
    assert anew is not None
    asked = ledger.details(anew, Right.RECTIFICATION)
    assert isinstance(asked, RectificationDetails)
    assert [dict(one.values) for one in asked.corrections] == [{"full_name": "Anna"}], "the rest, and no old value"


def test_of_all_rows_and_one_of_them_since_a_person_says_what_the_others_say(
    ledger: Ledger, tmp_path: Path, door: Door
) -> None:
    request_id = corrected(ledger, 1, Correction("customers", {"phone": "1"}))
    corrected(ledger, 2, Correction("customers", {"phone": "2"}, ("1",)))

    replay = carried_out(ledger, tmp_path)

    assert replay.report["indeterminate"] == {"overtaken_in_part": 1}
    tasks = door("SELECT request_id, code FROM tasks WHERE settled_at IS NULL")
    assert (request_id, Code.UNDONE.value) in tasks


def test_what_was_shredded_and_is_not_remembered_is_a_persons_task_once(
    ledger: Ledger, tmp_path: Path, door: Door
) -> None:
    """Closed by a version that kept no tokens of it: counted, and asked about, and never passed over."""
    request_id = acted(ledger, Right.OPT_OUT, Operation.SUPPRESS, b'{"of": ["sale"]}', Conclusion.ANSWERED)
    ledger.shred(request_id, ["working", "file", "history"], as_of=later(days=8))

    replay = carried_out(ledger, tmp_path)
    ended = carried_out(ledger, tmp_path, replay.id, 10)

    assert (ended.state, ended.report["indeterminate"]) == ("unsure", {"shredded_opt-out": 1})
    ((task, code),) = door("SELECT id, code FROM tasks WHERE settled_at IS NULL")
    assert code == Code.UNDONE
    assert ledger.rule(request_id, task, "done", at=later(days=11))
    assert door("SELECT count(*) FROM tasks WHERE settled_at IS NULL") == [(0,)]


class Listed:
    """A system that can say whom it has."""

    def __init__(self, *customers: str) -> None:
        self._customers = customers

    def roll(self, roll: Roll) -> RollPage:
        rows = tuple({"customer_id": one} for one in self._customers)
        return RollPage(rows=rows, last=(), over=True)

    def locate(self, call: Call) -> Look:
        raise AssertionError("requests are opened here, and carried out by nobody")


@pytest.mark.parametrize(("there", "clear"), [(("aB7", "x"), True), (("aB7", "Ab7"), False)])
def test_whom_a_token_does_not_tell_from_another_nobody_erases(
    ledger: Ledger, tmp_path: Path, there: tuple[str, ...], clear: bool
) -> None:
    """Tokens make no difference of case, and customer numbers do."""
    people = (Identity("customer_id", "aB7"),)
    request_id = opened_id(ledger, Phase.LOCATING, confirmed=True, identities=people)
    close_one(ledger, request_id, at=later(days=1), ending=Ending(erased=people))
    optout = acted(ledger, Right.OPT_OUT, Operation.SUPPRESS, b'{"of": ["sale"]}', Conclusion.ANSWERED, people)
    for one in (request_id, optout):
        ledger.shred(one, ["working", "file", "history"], as_of=later(days=40))
    data_map = DataMap.of(
        read_map({"shop.yaml": MAP.replace("email: {c", "customer_id: {identity: customer_id}, email: {c")}).systems
    )
    tools = Tools(ledger, {"shop": Listed(*there)}, data_map, FileStore(tmp_path), environment="test")
    replay = ledger.begin_replay("shop", AT, dry=False, by="operations", at=later(days=41))
    for _ in range(2):
        ActivityEnvironment().run(ReplayActivities(tools).advance, Replaying(replay_id=replay, as_of=later(days=41)))

    report = ledger.replay(replay).report
    assert (report["opened_anew"], report["indeterminate"]) == ((2, {}) if clear else (0, {"several_match": 2}))


def test_a_database_that_cannot_list_its_people_is_said_and_not_tried_for_ever(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB: whoever a shredded erasure was about cannot be looked for there."""
    monkeypatch.setenv("TEST_MARIA", f"mariadb://nobody:none@127.0.0.1:{free_port()}/shop")
    ledger.shred(answered(ledger), ["working", "file", "history"], as_of=later(days=8))
    text = MAP.replace("backups: none\n", 'backups: none\nconnection: {reader: "env:TEST_MARIA"}\n')
    data_map = DataMap.of(read_map({"shop.yaml": text}).systems)
    connector = build(data_map.systems["shop"])
    with closed(connector):
        work = ReplayActivities(Tools(ledger, {"shop": connector}, data_map, FileStore(tmp_path), environment="test"))
        replay = ledger.begin_replay("shop", AT, dry=True, by="operations", at=later(days=9))
        for _ in range(2):
            ActivityEnvironment().run(work.advance, Replaying(replay_id=replay, as_of=later(days=9)))

    found = ledger.replay(replay)
    assert (found.state, found.report["indeterminate"]) == ("dry", {"cannot_be_listed": 1})


@pytest.mark.parametrize("how", ["ruled", "signed_up", "nothing"])
def test_whoever_is_known_to_have_come_back_is_not_erased_with_a_backup_unasked(
    ledger: Ledger, tmp_path: Path, how: str
) -> None:
    request_id = answered(ledger)
    if how == "ruled":
        # This closes the erasure once more, after the backup: by its day alone it would be one that the backup lacks.
        step = a_step(request_id, Operation.VERIFY, round=1)
        ledger.settle_relook(request_id, {"shop": Code.RETURNED}, clean=False, at=later(days=8))
        task = ledger.open_task(request_id, step.key, Code.RETURNED, "shop", at=later(days=8))
        ledger.rule(request_id, task, "done", at=later(days=8), note="a new account")
        ledger.settle_tasks(request_id, step.key, at=later(days=8))
        close(ledger, request_id, Conclusion.ANSWERED, 8)
    elif how == "signed_up":
        assert ledger.clear_suppression(ANNA[:1], at=later(days=5), by="sign-up form") == 0
    elsewhere = carried_out(ledger, tmp_path, days=9)

    expected = Code.RESTORED if how == "nothing" else Code.RETURNED
    assert ledger.reopenings(request_id) == {"shop": expected}
    assert (elsewhere.report["opened_again"], elsewhere.report["indeterminate"]) == (1, {})


@pytest.mark.parametrize(("came_back", "mode"), [(True, Mode.APPROVE), (False, Mode.AUTO)])
def test_who_has_come_back_and_is_known_by_token_alone_is_shown_to_a_person_first(
    ledger: Ledger, tmp_path: Path, came_back: bool, mode: Mode
) -> None:
    people = (Identity("customer_id", "a7"),)
    request_id = opened_id(ledger, Phase.LOCATING, confirmed=True, identities=people)
    close_one(ledger, request_id, at=later(days=1), ending=Ending(erased=people))
    ledger.shred(request_id, ["working", "file", "history"], as_of=later(days=40))
    if came_back:
        ledger.clear_suppression(people, at=later(days=20), by="sign-up form")
    text = MAP.replace("email: {c", "customer_id: {identity: customer_id}, email: {c").replace(
        "owner:", "mode: auto\nowner:"
    )
    tools = Tools(
        ledger,
        {"shop": Listed("a7")},
        DataMap.of(read_map({"shop.yaml": text}).systems),
        FileStore(tmp_path),
        environment="test",
    )
    replay = ledger.begin_replay("shop", AT, dry=False, by="operations", at=later(days=41))
    for _ in range(2):
        ActivityEnvironment().run(ReplayActivities(tools).advance, Replaying(replay_id=replay, as_of=later(days=41)))

    anew = ledger.opened_anew(replay, request_id)
    assert anew is not None
    pinned = tools.pinned(ledger.request(anew).map_digest)
    assert pinned.systems["shop"].mode is mode


@pytest.mark.parametrize(("renamed", "counted"), [(True, {"in_a_system_that_is_gone": 1}), (False, {})])
def test_what_was_stopped_in_a_system_under_its_old_name_is_not_passed_over(
    ledger: Ledger, tmp_path: Path, renamed: bool, counted: dict[str, int]
) -> None:
    ledger.know_systems(["shop", "store"], at=AT)
    request_id = opened_id(
        ledger, Phase.LOCATING, right=Right.OPT_OUT, details=b'{"of": ["sale"]}', confirmed=True, identities=ANNA
    )
    step = a_step(request_id, Operation.SUPPRESS).model_copy(update={"system": "store" if renamed else "by-hand"})
    ledger.keep_receipt(a_receipt(step, at=later(days=1)))
    close_one(ledger, request_id, at=later(days=2))

    replay = carried_out(ledger, tmp_path)

    assert replay.report["indeterminate"] == counted
    assert carried_out(ledger, tmp_path, replay.id, 10).state == ("unsure" if renamed else "clean")
