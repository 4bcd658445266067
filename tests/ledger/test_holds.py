"""Holds take two people, bind what they cover at once, and ask for what they need."""

from datetime import timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.codes import Code
from rights.holds import CONFIRM_WITHIN, ESCALATE_EVERY, Desk, Disclosure, Scope, Terms
from rights.plan import Operation
from rights.request import Right
from tests.ledger.builders import ANNA, AT, OTTO, a_step, close_one, later, opened_id, release
from tests.ledger.conftest import Door
from tests.ledger.test_fence import refused

SECRET = Terms(disclosure=Disclosure.COUNSEL_TEXT)


def desk(ledger: Ledger) -> list[tuple[str, int]]:
    return [(str(task.code), task.level) for task in ledger.hold_tasks()]


def test_a_second_person_confirms(ledger: Ledger) -> None:
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-1")
    assert desk(ledger) == [("confirm", 0)]

    for same in ("s-1", " S-1 ", " "):
        with pytest.raises(LedgerRefusal, match="second person"):
            ledger.confirm_hold(hold.id, by=same, at=AT)
    stands = ledger.confirm_hold(hold.id, by="s-2", at=later(hours=1))

    assert (stands.confirmed_by, stands.confirmed_at, stands.in_force) == ("s-2", later(hours=1), True)
    assert ledger.confirm_hold(hold.id, by="s-3", at=later(hours=2)) == stands, "the first word stands"
    assert desk(ledger) == []
    assert ledger.ask_about_holds(at=later(days=30)) == 0


def test_nobody_confirms_and_it_stays_in_force_and_goes_up(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-1")
    late = AT + CONFIRM_WITHIN

    assert ledger.ask_about_holds(at=late - timedelta(seconds=1)) == 0
    assert ledger.ask_about_holds(at=late) == 1
    assert ledger.ask_about_holds(at=late) == 0
    assert desk(ledger) == [("confirm", 0), ("unconfirmed", 1)]
    assert ledger.ask_about_holds(at=late + 3 * ESCALATE_EVERY) == 1
    assert desk(ledger) == [("confirm", 0), ("unconfirmed", 4)]
    assert refused(ledger, request_id, at=late) is Code.HOLD
    assert ledger.hold_standing(hold.id).in_force

    ledger.confirm_hold(hold.id, by="s-9", at=late)
    assert desk(ledger) == []


def test_it_takes_two_to_release(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-1")

    with pytest.raises(LedgerRefusal, match="second person"):
        ledger.release_hold(hold.id, by="", at=AT, file_until=AT)
    assert not ledger.release_hold(hold.id, by="s-1", at=AT, file_until=AT)
    for same in ("S-1", " "):
        with pytest.raises(LedgerRefusal, match="second person"):
            ledger.release_hold(hold.id, by=same, at=AT, file_until=AT)
    assert refused(ledger, request_id) is Code.HOLD
    assert ledger.hold_standing(hold.id).release_by == "s-1"

    # Somebody looks at it meanwhile, and finds that it is needed: the word of the first is taken back.
    ledger.review_hold(hold.id, by="s-3", review_on=later(days=60).date(), at=AT)
    assert not ledger.release_hold(hold.id, by="s-2", at=AT, file_until=AT)
    assert ledger.release_hold(hold.id, by="s-3", at=AT, file_until=AT)

    assert refused(ledger, request_id) is None
    assert desk(ledger) == []
    with pytest.raises(LedgerRefusal, match="released"):
        ledger.confirm_hold(hold.id, by="s-2", at=AT)


def test_a_release_wakes_the_requests_that_it_stopped(ledger: Ledger, door: Door) -> None:
    mine, other = opened_id(ledger), opened_id(ledger, identities=OTTO)
    hold = ledger.place_hold(ANNA[:1], "a court case", at=AT, by="s-1")
    assert ledger.claim(10)

    release(ledger, hold.id)

    woken = [row[0] for row in door("SELECT request_id FROM outbox WHERE kind = 'wake'")]
    assert woken == [mine]
    assert other not in woken


def test_its_review_is_asked_for_on_its_day(ledger: Ledger) -> None:
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-1", terms=Terms(review_on=later(days=10).date()))
    ledger.confirm_hold(hold.id, by="s-2", at=AT)

    assert ledger.ask_about_holds(at=later(days=9)) == 0
    assert ledger.ask_about_holds(at=later(days=10)) == 1
    assert desk(ledger) == [("review", 0)]
    with pytest.raises(LedgerRefusal, match="future"):
        ledger.review_hold(hold.id, by="s-2", review_on=later(days=10).date(), at=later(days=10))
    ledger.review_hold(hold.id, by="s-2", review_on=later(days=40).date(), at=later(days=10))
    assert desk(ledger) == []
    assert ledger.ask_about_holds(at=later(days=39)) == 0


def test_a_hold_on_one_system_leaves_others_alone(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold(ANNA, "a case", at=AT, by="s-1", terms=Terms(scope=Scope(collections=("shop.orders",))))

    assert refused(ledger, request_id, system="shop") is Code.HOLD
    assert refused(ledger, request_id, system="crm") is None


def test_a_call_that_spares_one_hold_does_not_pass_another(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    first = ledger.place_hold(ANNA, "a case", at=AT, by="s-1", terms=Terms(scope=Scope(collections=("shop.orders",))))

    seen = ledger.at_step(a_step(request_id, Operation.ERASE))
    assert {one: terms.scope.collections for one, terms in seen.held.items()} == {first.id: ("shop.orders",)}
    assert refused(ledger, request_id, spared=list(seen.held)) is None

    # Another is placed while the call is on its way, and covers something else.
    second = ledger.place_hold(
        ANNA[1:], "another", at=AT, by="s-1", terms=Terms(scope=Scope(collections=("shop.items",)))
    )
    assert refused(ledger, request_id, spared=list(seen.held)) is Code.HOLD
    assert refused(ledger, request_id, spared=[first.id, second.id]) is None


def test_a_hold_on_what_is_learned_later_touches_from_then_on(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    hold = ledger.place_hold(OTTO, "a case", at=AT, by="s-1")
    step = a_step(request_id, Operation.ERASE)
    assert not ledger.at_step(step).held

    ledger.learn(request_id, OTTO, at=AT)

    assert set(ledger.at_step(step).held) == {hold.id}


def test_a_secret_hold_closes_the_fence_like_a_queue_and_is_on_nobodys_page(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    before = ledger.standing(request_id)
    hold = ledger.place_hold(ANNA, "a dawn raid", at=AT, by="s-1", terms=SECRET)

    assert refused(ledger, request_id) is Code.QUEUED
    assert ledger.standing(request_id) == before, "not a byte of what an agent sees is another"
    assert ledger.tasks() == []

    told = ledger.place_hold(ANNA, "a claim", at=AT, by="s-1")
    assert refused(ledger, request_id) is Code.HOLD
    release(ledger, told.id)
    assert refused(ledger, request_id) is Code.QUEUED
    release(ledger, hold.id)
    assert refused(ledger, request_id) is None


def test_a_hold_may_be_told_from_its_day_on(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    terms = Terms(disclosure=Disclosure.AFTER, tell_from=later(days=5).date())
    ledger.place_hold(ANNA, "a dawn raid", at=AT, by="s-1", terms=terms)

    assert refused(ledger, request_id, at=later(days=4)) is Code.QUEUED
    assert refused(ledger, request_id, at=later(days=5)) is Code.HOLD


def test_the_answer_becomes_counsels_task(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold(ANNA, "a dawn raid", at=AT, by="s-1", terms=SECRET)
    due = ledger.request(request_id).clock.internal_due

    assert ledger.ask_about_holds(at=later(days=2)) == 0
    ledger.ask_about_holds(at=due - timedelta(days=7))
    (task,) = [one for one in ledger.hold_tasks() if one.code is Desk.ANSWER]
    assert (task.about, task.due_at) == (request_id, due)
    assert ledger.tasks() == [], "an agent sees nothing of it"

    assert not ledger.answered_by_counsel(request_id)
    before = ledger.standing(request_id)
    assert ledger.answer_for(request_id, by="s-7", text="We write to you as counsel.", at=due)
    assert not ledger.answer_for(request_id, by="s-7", text="Once more.", at=due)
    assert ledger.answered_by_counsel(request_id)
    assert ledger.standing(request_id) == before, "nor that counsel has written"
    assert refused(ledger, request_id) is Code.DEFERRED
    assert [one for one in ledger.hold_tasks() if one.code is Desk.ANSWER] == []
    with pytest.raises(LedgerRefusal, match="no request"):
        ledger.answer_for(opened_id(ledger, identities=OTTO), by="s-7", text="x", at=due)


@pytest.mark.parametrize(
    ("right", "operation"),
    [(Right.RECTIFICATION, Operation.RECTIFY), (Right.RESTRICTION, Operation.RESTRICT)],
)
def test_whatever_a_secret_hold_stops_is_answered_by_counsel(
    ledger: Ledger, right: Right, operation: Operation
) -> None:
    request_id = opened_id(ledger, right=right)
    ledger.place_hold(ANNA, "a dawn raid", at=AT, by="s-1", terms=SECRET)
    due = ledger.request(request_id).clock.internal_due
    assert refused(ledger, request_id, operation=operation) is Code.QUEUED

    ledger.ask_about_holds(at=due - timedelta(days=7))
    assert [one.about for one in ledger.hold_tasks() if one.code is Desk.ANSWER] == [request_id]

    assert ledger.answer_for(request_id, by="s-7", text="We write to you as counsel.", at=due)
    assert refused(ledger, request_id, operation=operation) is Code.DEFERRED, "so that it comes to its end"


@pytest.mark.parametrize("ends", ["closed", "withdrawn"])
def test_counsel_is_not_asked_about_what_has_ended_by_itself(ledger: Ledger, ends: str) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold(ANNA, "a dawn raid", at=AT, by="s-1", terms=SECRET)
    ledger.ask_about_holds(at=ledger.request(request_id).clock.internal_due)
    assert Desk.ANSWER in {one.code for one in ledger.hold_tasks()}

    if ends == "closed":
        close_one(ledger, request_id)
    else:
        ledger.withdraw(request_id, at=AT)

    assert Desk.ANSWER not in {one.code for one in ledger.hold_tasks()}


@pytest.mark.parametrize(("systems", "kept"), [((), True), (("habeas",), True), (("shop",), False)])
def test_our_own_file_of_a_request_is_not_shredded_under_a_hold(
    ledger: Ledger, systems: tuple[str, ...], kept: bool
) -> None:
    request_id, other = opened_id(ledger), opened_id(ledger, identities=OTTO)
    for one in (request_id, other):
        ledger.seal(one, "file", "letter", b"dear", at=AT)
        close_one(ledger, one)
    hold = ledger.place_hold(ANNA, "a case", at=AT, by="s-1", terms=Terms(scope=Scope(systems=systems)))

    gone = {one.case_id for one in ledger.shred_due(later(days=2000))}

    assert gone == ({other} if kept else {request_id, other})
    assert (ledger.unseal(request_id, "file", "letter") is not None) is kept
    if kept:
        with pytest.raises(LedgerRefusal, match="hold"):
            ledger.shred(request_id, ["file"], as_of=AT)
        release(ledger, hold.id, file_until=later(days=9000))
        assert {one.case_id for one in ledger.shred_due(later(days=2000))} == {request_id}


def test_holds_of_two_matters_end_one_by_one_and_one_may_come_again(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    one = ledger.place_hold(ANNA[:1], "a claim", at=AT, by="s-1")
    other = ledger.place_hold(ANNA[1:], "another", at=AT, by="s-2")

    release(ledger, one.id)
    assert refused(ledger, request_id) is Code.HOLD
    again = ledger.place_hold(ANNA[:1], "a claim, once more", at=AT, by="s-1")
    release(ledger, other.id)
    assert refused(ledger, request_id) is Code.HOLD
    release(ledger, again.id)
    assert refused(ledger, request_id) is None
