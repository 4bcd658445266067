"""How near a due date is, is noted once of each due date, whoever says it again."""

from datetime import datetime, timedelta

from ledger.ledger import Ledger
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.deadlines import Risk
from rights.reckoning import local_day
from rights.webhooks import KINDS
from tests.ledger.builders import AT, close_one, later, opened_id
from tests.ledger.conftest import Door


def turn(ledger: Ledger, request_id: str, turn: Turn, at: datetime, **more: str) -> None:
    ledger.turn_clock(
        request_id, ClockEvent.model_validate({"turn": turn, "day": local_day(at, "Europe/Berlin"), **more}), at=at
    )


def noted(ledger: Ledger, request_id: str) -> list[str]:
    return [e.body["risk"] for e in ledger.standing(request_id).events if e.kind == "deadline"]


def test_a_risk_is_noted_once_of_each_due_date_and_told(ledger: Ledger) -> None:
    ledger.untold("crm", KINDS, 1)
    request_id = opened_id(ledger)
    assert ledger.note_risk(request_id, Risk.DUE_14D, at=later(days=18))
    assert not ledger.note_risk(request_id, Risk.DUE_14D, at=later(days=19))
    assert ledger.note_risk(request_id, Risk.DUE_7D, at=later(days=25))
    assert not ledger.note_risk(request_id, Risk.DUE_14D, at=later(days=25))

    turn(ledger, request_id, Turn.ACKNOWLEDGED, later(days=26))
    assert not ledger.note_risk(request_id, Risk.DUE_7D, at=later(days=26)), "the due date is the same"
    turn(ledger, request_id, Turn.EXTENDED, later(days=26), ground="complexity")
    assert ledger.note_risk(request_id, Risk.DUE_14D, at=later(days=80)), "and now it is another"

    assert noted(ledger, request_id) == ["due_14d", "due_7d", "due_14d"]
    told = [one.event for one in ledger.untold("crm", KINDS, 100) if one.event.type == "request.due"]
    assert [event.says for event in told] == [{"risk": risk} for risk in noted(ledger, request_id)]


def test_what_an_older_version_has_noted_of_the_present_due_date_is_not_noted_again(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.note(request_id, "deadline", {"risk": "due_14d"}, at=later(days=18))
    assert not ledger.note_risk(request_id, Risk.DUE_14D, at=later(days=19))

    turn(ledger, request_id, Turn.EXTENDED, later(days=20), ground="complexity")
    assert ledger.note_risk(request_id, Risk.DUE_14D, at=later(days=80))


def test_a_person_is_asked_once_and_not_again_after_their_word(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.note_risk(request_id, Risk.OVERDUE, ask=True, at=AT + timedelta(days=40))
    (task,) = ledger.tasks(request_id=request_id)
    assert task.code == Code.DEADLINE
    assert ledger.rule(request_id, task.id, "done", at=later(days=40))

    assert not ledger.note_risk(request_id, Risk.OVERDUE, ask=True, at=later(days=41))
    assert ledger.tasks(request_id=request_id) == []


def test_of_a_request_that_is_over_nothing_comes_near(ledger: Ledger, door: Door) -> None:
    closed, withdrawn = opened_id(ledger), opened_id(ledger)
    close_one(ledger, closed)
    ledger.withdraw(withdrawn, at=AT)

    assert not ledger.note_risk(closed, Risk.OVERDUE, ask=True, at=later(days=40))
    assert not ledger.note_risk(withdrawn, Risk.OVERDUE, ask=True, at=later(days=40))
    assert door("SELECT count(*) FROM entries WHERE kind IN ('deadline', 'task')") == [(0,)]
