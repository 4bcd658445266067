"""What people decide: confirmed, approved, withdrawn, ruled."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.decisions import Ruling
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.notes import note_text
from rights.codes import Code
from rights.plan import Operation
from rights.request import Phase, Right
from tests.ledger.builders import AT, a_step, close_one, enter, later, opened_id
from tests.ledger.conftest import Door

APPROVING = (Phase.LOCATING, Phase.APPROVING)


def test_a_decision_is_row_note_message_and_entry_in_one(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)

    assert ledger.confirm_identity(request_id, at=later(hours=1), note="called back on the known number")

    assert ledger.request(request_id).confirmed_at == later(hours=1)
    assert door("SELECT kind, body FROM outbox ORDER BY id")[1:] == [
        ("confirm_identity", {"rung": "attested", "level": 3, "needed": 3, "vouches": 2})
    ]
    event = ledger.standing(request_id).events[-1]
    assert (event.kind, event.at) == ("confirm_identity", later(hours=1))
    sealed = ledger.unseal(request_id, "file", event.body["note"])
    assert sealed is not None
    assert note_text(sealed) == "called back on the known number"


def test_a_decision_without_a_note_leaves_nothing_in_the_file(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)

    ledger.confirm_identity(request_id, at=AT)

    assert door("SELECT count(*) FROM vault WHERE purpose = 'file'") == [(0,)]
    assert not {"note", "note_digest"} & set(ledger.standing(request_id).events[-1].body)


def test_deciding_again_changes_nothing(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    ledger.confirm_identity(request_id, at=AT)
    for phase in APPROVING:
        ledger.move(request_id, phase, at=AT)
    ledger.approve(request_id, at=AT)
    ledger.withdraw(request_id, at=AT)
    before = door("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox)")

    ledger.withdraw(request_id, at=later(hours=1), note="again")

    assert ledger.request(request_id).withdrawn_at == AT
    assert door("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox)") == before


def test_confirming_and_approving_twice_says_so(ledger: Ledger) -> None:
    request_id = opened_id(ledger, *APPROVING)

    assert ledger.approve(request_id, at=AT)
    assert not ledger.approve(request_id, at=later(hours=1))
    assert ledger.request(request_id).approved_at == AT

    other = opened_id(ledger)
    assert ledger.confirm_identity(other, at=AT)
    assert not ledger.confirm_identity(other, at=later(hours=1))


def test_an_identity_is_confirmed_before_the_look_and_not_after(ledger: Ledger) -> None:
    ledger.confirm_identity(opened_id(ledger, Phase.CONFIRMING), at=AT)

    with pytest.raises(LedgerRefusal, match="is locating: its identity is no question now"):
        ledger.confirm_identity(opened_id(ledger, Phase.LOCATING), at=AT)


@pytest.mark.parametrize("phases", [(), (Phase.CONFIRMING,), (Phase.LOCATING,)])
def test_nothing_is_approved_before_there_is_a_preview(ledger: Ledger, phases: tuple[Phase, ...]) -> None:
    with pytest.raises(LedgerRefusal, match="nothing to approve before it is approving"):
        ledger.approve(opened_id(ledger, *phases), at=AT)


def test_only_what_destroys_is_approved(ledger: Ledger) -> None:
    with pytest.raises(LedgerRefusal, match="only what destroys data is approved"):
        ledger.approve(opened_id(ledger, *APPROVING, right=Right.ACCESS), at=AT)


def test_a_new_look_takes_the_approval_back(ledger: Ledger) -> None:
    request_id = opened_id(ledger, *APPROVING)
    ledger.approve(request_id, at=AT)
    ledger.move(request_id, Phase.FULFILLING, at=AT)
    assert ledger.request(request_id).approved

    ledger.move(request_id, Phase.LOCATING, at=AT)

    assert not ledger.request(request_id).approved
    ledger.move(request_id, Phase.APPROVING, at=AT)
    assert ledger.approve(request_id, at=later(hours=1))


def test_a_closed_or_withdrawn_request_is_not_decided_on(ledger: Ledger) -> None:
    closed, withdrawn = opened_id(ledger), opened_id(ledger)
    task = ledger.open_task(withdrawn, a_step(withdrawn).key, Code.MANUAL, "shop", at=AT)
    close_one(ledger, closed)
    ledger.withdraw(withdrawn, at=AT)

    for decide in (ledger.confirm_identity, ledger.approve, ledger.withdraw):
        with pytest.raises(LedgerRefusal, match="was closed on 2026-03-02"):
            decide(closed, at=AT)
    for decide in (ledger.confirm_identity, ledger.approve):
        with pytest.raises(LedgerRefusal, match="was withdrawn on 2026-03-02"):
            decide(withdrawn, at=AT)
    with pytest.raises(LedgerRefusal, match="was withdrawn on 2026-03-02"):
        ledger.rule(withdrawn, task, "retry", at=AT)


def test_a_look_at_what_was_done_before_a_withdrawal_is_ruled_on_until_it_is_closed(ledger: Ledger) -> None:
    request = opened_id(ledger)
    ledger.withdraw(request, at=AT)
    task = ledger.open_task(request, a_step(request, Operation.VERIFY).key, Code.MAP_CHANGED, "shop", at=AT)

    assert ledger.rule(request, task, "give_up", at=AT)

    close_one(ledger, request)
    with pytest.raises(LedgerRefusal, match="was closed on 2026-03-02"):
        ledger.rule(request, task, "retry", at=AT)


def test_withdrawing_tells_how_many_calls_may_still_run(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    enter(ledger, request_id, system="shop")
    enter(ledger, request_id, system="crm")
    enter(ledger, opened_id(ledger), system="shop")

    assert ledger.withdraw(request_id, at=AT) == 2


def test_the_same_task_lies_on_the_desk_once(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    key = a_step(request_id).key
    start = threading.Barrier(6)

    def ask(_: int) -> str:
        start.wait()
        return ledger.open_task(request_id, key, Code.BLOCKED, "orders", at=AT)

    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(ask, range(6)))

    assert len(ids) == 1
    assert ledger.open_task(request_id, key, Code.RIGHTS, "orders", at=later(hours=1)) not in ids
    assert [task.code for task in ledger.tasks()] == [Code.BLOCKED, Code.RIGHTS]
    assert door("SELECT count(*) FROM entries WHERE kind = 'task'") == [(2,)]


def test_a_ruling_waits_on_the_desk_until_it_is_carried_out(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    key = a_step(request_id, round=3).key
    task = ledger.open_task(request_id, key, Code.BLOCKED, "orders", at=AT)

    assert ledger.rule(request_id, task, "retry", at=AT, note="the link is in the map now")
    assert not ledger.rule(request_id, task, "retry", at=AT)

    assert ledger.rulings(request_id) == {key: "retry"}
    assert ledger.request(request_id).ruled
    assert door("SELECT kind, body FROM outbox ORDER BY id")[1:] == [
        ("rule", {"system": "shop", "operation": "erase", "round": 3, "word": "retry"})
    ]
    assert ledger.settle_tasks(request_id, key, at=later(hours=1)) == 1
    assert ledger.settle_tasks(request_id, key, at=later(hours=2)) == 0
    assert ledger.rulings(request_id) == {}
    assert not ledger.request(request_id).ruled
    assert ledger.tasks() == []
    (kept,) = ledger.tasks(open_only=False)
    assert (kept.id, kept.ruling, kept.settled_at) == (task, "retry", later(hours=1))
    assert ledger.open_task(request_id, key, Code.BLOCKED, "orders", at=AT) != task


SENSIBLE: list[tuple[Code, Ruling]] = [
    (Code.BLOCKED, "retry"),
    (Code.BLOCKED, "give_up"),
    (Code.MANUAL, "done"),
    (Code.UNSUPPORTED, "done"),
    (Code.SEVERAL_PEOPLE, "choose"),
    (Code.SEVERAL_PEOPLE, "give_up"),
    (Code.THIRD_PARTIES, "choose"),
    (Code.MENTIONS, "choose"),
    (Code.RESIDUE, "choose"),
    (Code.RESIDUE, "retry"),
    (Code.NOT_SEARCHED, "retry"),
    (Code.APPROVAL, "give_up"),
]
SENSELESS: list[tuple[Code, Ruling, str]] = [
    (Code.BLOCKED, "choose", "does not answer"),
    (Code.SEVERAL_PEOPLE, "retry", "rule 'choose' or 'give_up'"),
    (Code.SEVERAL_PEOPLE, "done", "rule 'choose' or 'give_up'"),
    (Code.LEFT_BEHIND, "done", "not done by saying so"),
    (Code.HOLD, "done", "not done by saying so"),
    (Code.MENTIONS, "done", "not done by saying so"),
    (Code.NOT_SEARCHED, "choose", "nothing is to be chosen"),
    (Code.APPROVAL, "retry", "approve the request instead"),
]


def test_rulings_that_answer_their_task_are_taken(ledger: Ledger) -> None:
    for code, word in SENSIBLE:
        request_id = opened_id(ledger)
        task = ledger.open_task(request_id, a_step(request_id).key, code, "shop", at=AT)
        chosen = b"{}" if word == "choose" else None

        assert ledger.rule(request_id, task, word, at=AT, chosen=chosen), (code, word)


def test_rulings_that_make_no_sense_are_refused_with_what_would(ledger: Ledger) -> None:
    for code, word, why in SENSELESS:
        request_id = opened_id(ledger)
        task = ledger.open_task(request_id, a_step(request_id).key, code, "shop", at=AT)

        with pytest.raises(LedgerRefusal, match=why):
            ledger.rule(request_id, task, word, at=AT, chosen=b"{}" if word == "choose" else None)
        assert ledger.rulings(request_id) == {}


def test_what_was_chosen_is_sealed_where_the_step_reads_it(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    task = ledger.open_task(request_id, a_step(request_id).key, Code.SEVERAL_PEOPLE, "shop", at=AT)

    with pytest.raises(LedgerRefusal, match="needs the rows"):
        ledger.rule(request_id, task, "choose", at=AT)
    with pytest.raises(LedgerRefusal, match="needs the rows"):
        ledger.rule(request_id, task, "give_up", at=AT, chosen=b"{}")
    ledger.rule(request_id, task, "choose", at=AT, chosen=b'{"mine": {"customers": [["4711"]]}}')

    assert ledger.unseal(request_id, "working", "rulings/shop") == b'{"mine": {"customers": [["4711"]]}}'
    assert "4711" not in str(ledger.standing(request_id).model_dump(mode="json")["events"])


def test_a_task_is_ruled_one_way(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    key = a_step(request_id).key
    task = ledger.open_task(request_id, key, Code.MANUAL, "shop", at=AT)
    ledger.rule(request_id, task, "retry", at=AT)

    with pytest.raises(LedgerRefusal, match="was ruled 'retry'"):
        ledger.rule(request_id, task, "done", at=AT)
    ledger.settle_tasks(request_id, key, at=AT)
    with pytest.raises(LedgerRefusal, match="nothing is left to rule on"):
        ledger.rule(request_id, task, "done", at=AT)
    with pytest.raises(LedgerRefusal, match="no task of this id"):
        ledger.rule(opened_id(ledger), task, "done", at=AT)


def test_two_agents_who_rule_differently_at_once_do_not_both_win(
    make_ledger: Callable[..., Ledger], ledger: Ledger, door: Door
) -> None:
    words: tuple[Ruling, ...] = ("retry", "done", "give_up")
    for _ in range(5):
        request_id = opened_id(ledger)
        task = ledger.open_task(request_id, a_step(request_id).key, Code.MANUAL, "shop", at=AT)
        start = threading.Barrier(len(words))

        def say(word: Ruling, request_id: str = request_id, task: str = task, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                return ledger.rule(request_id, task, word, at=AT)
            except LedgerRefusal:
                return False

        with ThreadPoolExecutor(len(words)) as pool:
            assert sorted(pool.map(say, words)) == [False, False, True]
        assert door("SELECT count(*) FROM outbox WHERE request_id = %s AND kind = 'rule'", request_id) == [(1,)]


def test_an_interim_answer_is_asked_for_once_and_sent_by_a_person(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING)
    assert not ledger.interim_asked(request_id)

    assert ledger.ask_for_interim(request_id, at=AT)
    assert not ledger.ask_for_interim(request_id, at=later(hours=1))

    (task,) = ledger.tasks(request_id=request_id)
    assert (task.code, ledger.interim_asked(request_id)) == (Code.INTERIM, True)
    with pytest.raises(LedgerRefusal, match="for a person to do"):
        ledger.rule(request_id, task.id, "retry", at=AT)
    messages = door("SELECT count(*) FROM outbox")
    assert ledger.rule(request_id, task.id, "done", at=later(hours=2), note="by letter")
    assert ledger.tasks(request_id=request_id) == []
    assert door("SELECT count(*) FROM outbox") == messages, "no run waits for it"
    assert [e.kind for e in ledger.standing(request_id).events][-3:] == ["interim", "task", "interim_sent"]
    assert ledger.request(request_id).phase.open, "the whole answer is still owed"
    assert not ledger.ask_for_interim(request_id, at=later(days=1))


def test_of_a_request_that_is_over_no_interim_answer_is_owed(ledger: Ledger) -> None:
    closed, withdrawn = opened_id(ledger, Phase.LOCATING), opened_id(ledger, Phase.LOCATING)
    close_one(ledger, closed)
    ledger.withdraw(withdrawn, at=AT)

    assert not ledger.ask_for_interim(closed, at=AT)
    assert not ledger.ask_for_interim(withdrawn, at=AT)
