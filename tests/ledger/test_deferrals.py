"""What a closed request has left waits for its last hold and its last date, with an entry of its own in the vault."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.codes import Code
from rights.deferred import REVIEW_EVERY, Deferral
from rights.holds import Scope, Terms
from rights.journal import DEFERRED
from rights.plan import Operation
from rights.request import Conclusion, Phase, Right
from tests.ledger.builders import ANNA, AT, OTTO, a_clock, a_step, close_one, later, opened_id, release
from tests.ledger.conftest import Door

LEFT = {"shop": {"orders": 3}}


def left_behind(ledger: Ledger, *, not_before: datetime | None = None, request_id: str = "", **more: Any) -> str:
    """An erasure that was answered, and has left three orders."""
    request_id = request_id or opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    ledger.seal(request_id, "working", "anchors/shop", b'{"orders":{"id":["1"]}}', at=AT)
    ledger.seal(request_id, "working", "channel", b'["email","anna@example.org",""]', at=AT)
    rest = Deferral(left=LEFT, not_before=not_before, **more)
    close_one(ledger, request_id, Conclusion.IN_PART, ending=Ending(erased=ANNA, deferred=rest))
    return request_id


def is_due(ledger: Ledger, request_id: str, at: datetime) -> bool:
    left = ledger.deferral(request_id)
    assert left
    return left.due(at)


def calls(door: Door) -> list[str]:
    return [row[0] for row in door("SELECT request_id FROM outbox WHERE kind = 'deferred' ORDER BY id")]


def carry_out(ledger: Ledger, request_id: str, at: datetime = AT) -> str:
    return ledger.open_request(
        Right.ERASURE,
        "eu-gdpr",
        ledger.deferred_people(request_id),
        a_clock(at),
        received_at=at,
        confirmed=True,
        assurance=DEFERRED,
        ground=DEFERRED,
        idempotency_key=f"deferred/{request_id}",
        carries_on=ledger.deferred_rest(request_id),
    ).request_id


def test_HLD_04_it_waits_for_the_last_of_several_holds_and_the_end_of_each_is_heard(ledger: Ledger, door: Door) -> None:
    first = ledger.place_hold(ANNA[:1], "a court case", at=AT, by="s-9")
    request_id = left_behind(ledger)
    # By another of the person's names, for another matter.
    second = ledger.place_hold(ANNA[1:], "an audit", at=later(days=1), by="s-9")
    elsewhere = ledger.place_hold(ANNA, "mail", at=AT, by="s-9", terms=Terms(scope=Scope(systems=("mail",))))
    ledger.place_hold(OTTO, "somebody else", at=AT, by="s-9")
    assert calls(door) == [request_id]

    release(ledger, first.id)
    assert not is_due(ledger, request_id, later(days=3000))
    release(ledger, elsewhere.id)
    release(ledger, second.id)

    assert is_due(ledger, request_id, AT)
    assert calls(door) == [request_id] * 4
    ledger.place_hold(ANNA, "the same case, taken up again", at=AT, by="s-9")
    assert not is_due(ledger, request_id, later(days=3000)), "one that is placed anew"


def test_a_hold_and_a_date_have_both_to_end(ledger: Ledger) -> None:
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    request_id = left_behind(ledger, not_before=later(days=100))

    assert not is_due(ledger, request_id, later(days=101))
    release(ledger, hold.id)
    assert [is_due(ledger, request_id, later(days=days)) for days in (99, 100)] == [False, True]


def test_whom_it_is_about_survives_the_request_and_goes_when_it_is_carried_out(ledger: Ledger, door: Door) -> None:
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-9", terms=Terms(scope=Scope(systems=("shop",))))
    request_id = left_behind(ledger)
    ledger.shred_due(later(days=2000))
    alive = "SELECT purpose FROM case_keys WHERE case_id = %s AND wrapped IS NOT NULL AND purpose <> 'history'"
    assert door(alive, request_id) == [("deferred",)]
    assert not is_due(ledger, request_id, later(days=2000)), "the hold is found by digests of its own"
    release(ledger, hold.id)

    made = carry_out(ledger, request_id, later(days=2000))

    assert set(ledger.identities(made)) == set(ANNA)
    assert ledger.unseal(made, "working", "anchors/shop") == b'{"orders":{"id":["1"]}}'
    assert ledger.unseal(made, "working", "channel"), "so that they hear that the rest is gone"
    carried = ledger.carries_out(made)
    assert carried
    assert (carried.request_id, carried.left) == (request_id, LEFT)
    assert carry_out(ledger, request_id, later(days=2000)) == made, "once"
    assert {one.purpose for one in ledger.shred_due(later(days=2000))} >= {"deferred"}
    assert door("SELECT count(*) FROM deferral_subjects WHERE request_id = %s", request_id) == [(0,)]
    assert ledger.deferrals() == []
    assert ledger.verify().sound


def test_what_stays_in_use_lies_on_the_desk_while_it_stays(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    for system in ("shop", "crm"):
        key = a_step(request_id, Operation.RESTRICT, system=system).key
        ledger.open_task(request_id, key, Code.REST_IN_USE, system, at=AT)

    def desk() -> list[str]:
        return [task.about for task in ledger.tasks(request_id=request_id)]

    left_behind(ledger, request_id=request_id)
    assert desk() == ["shop"], "in the other one all has gone meanwhile"

    carry_out(ledger, request_id)
    assert desk() == [], "the request that carries it out sees to it"


def test_its_key_lies_under_a_key_of_its_own_month(ledger: Ledger, door: Door) -> None:
    request_id = left_behind(ledger)
    (kek,) = door("SELECT kek FROM case_keys WHERE case_id = %s AND purpose = 'deferred'", request_id)
    assert kek[0].endswith("-deferred")
    carry_out(ledger, request_id)
    ledger.shred_due(later(days=1))
    assert kek[0] in {one.id for one in ledger.retire_keks(later(days=1))}


def test_the_person_hears_of_the_rest_by_the_day_on_which_they_had_asked(ledger: Ledger) -> None:
    first = left_behind(ledger)
    second = carry_out(ledger, first, later(days=900))
    for phase in (Phase.LOCATING, Phase.FULFILLING):
        ledger.move(second, phase, at=later(days=901))
    rest = Ending(erased=ANNA, deferred=Deferral(left=LEFT, not_before=later(days=2000)))
    close_one(ledger, second, Conclusion.IN_PART, at=later(days=901), letter="answer_erasure", ending=rest)
    last = carry_out(ledger, second, later(days=2000))
    for phase in (Phase.LOCATING, Phase.FULFILLING):
        ledger.move(last, phase, at=later(days=2001))
    close_one(ledger, last, at=later(days=2001), letter="answer_erasure")

    for made in (second, last):
        assert [(one.kind, one.state) for one in ledger.letters(made)] == [("answer_erasure", "queued")]
        opened = next(event for event in ledger.standing(made).events if event.kind == "opened")
        assert opened.body["asked_at"] == AT.isoformat()


def test_whom_counsel_has_told_hears_nothing_of_the_rest(ledger: Ledger) -> None:
    request_id = left_behind(ledger, told=False)
    assert set(ledger.deferred_rest(request_id).known) == {"anchors/shop"}


def test_nothing_of_it_stands_among_what_a_requests_agents_read(ledger: Ledger) -> None:
    ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    request_id = left_behind(ledger)
    assert "deferred" not in {event.kind for event in ledger.standing(request_id).events}


def test_what_somebody_else_keeps_is_tried_again_in_a_month_and_not_at_once_for_ever(ledger: Ledger) -> None:
    first = left_behind(ledger)
    assert is_due(ledger, first, AT)
    second = carry_out(ledger, first)
    for phase in (Phase.LOCATING, Phase.FULFILLING):
        ledger.move(second, phase, at=AT)

    left_behind(ledger, request_id=second)

    assert not is_due(ledger, second, AT + REVIEW_EVERY - timedelta(seconds=1))
    assert is_due(ledger, second, AT + REVIEW_EVERY)


def test_a_request_that_is_open_again_sees_to_the_rest_itself(ledger: Ledger) -> None:
    request_id = left_behind(ledger)
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=AT)
    assert not is_due(ledger, request_id, later(days=1))

    left_behind(ledger, request_id=request_id)
    assert is_due(ledger, request_id, later(days=1)), "it has left something once more"
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=AT)
    close_one(ledger, request_id, Conclusion.ANSWERED, ending=Ending(erased=ANNA, again=True))
    assert not is_due(ledger, request_id, later(days=1))
    assert ledger.deferrals() == []


def test_nothing_is_opened_for_what_was_seen_to_meanwhile(ledger: Ledger) -> None:
    request_id = left_behind(ledger)
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=AT)
    close_one(ledger, request_id, Conclusion.ANSWERED, ending=Ending(erased=ANNA, again=True))

    with pytest.raises(LedgerRefusal, match="seen to meanwhile"):
        carry_out(ledger, request_id, later(days=1))
    assert ledger.open_requests() == []


def test_a_look_that_nobody_has_made_is_asked_for_again(ledger: Ledger, door: Door) -> None:
    ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    request_id = left_behind(ledger)
    ledger.note_review(request_id, later(days=30))
    assert [ledger.call_deferrals(at=later(days=days)) for days in (29, 30.2, 30.3, 30.4, 30.6)] == [0, 0, 1, 0, 1]
    assert calls(door) == [request_id] * 3
