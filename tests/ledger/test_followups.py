"""What is looked at again: asked for on its day, again if it is lost, and with all that it needs."""

from datetime import timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.followups import What
from ledger.ledger import Ledger
from rights.codes import Code
from rights.plan import Operation
from rights.request import Phase, Right
from rights.restriction import Ended, Ground
from tests.ledger.builders import AT, a_step, a_tally, close_one, enter, later, open_one
from tests.ledger.conftest import Door


def restricted(ledger: Ledger) -> str:
    request_id = open_one(ledger, right=Right.RESTRICTION).request_id
    ledger.begin_restriction(request_id, Ground.CLAIMS, at=AT, review_on=later(days=90), look_on=later(days=1))
    return request_id


def corrected(ledger: Ledger, *, working: int = 0) -> str:
    """A rectification that was closed, and whose identities are kept for so many days."""
    request_id = open_one(ledger, right=Right.RECTIFICATION).request_id
    ledger.move(request_id, Phase.LOCATING, at=AT)
    close_one(ledger, request_id, days=working, look_on=later(days=7))
    return request_id


def asked(door: Door) -> list[str]:
    return [row[0] for row in door("SELECT request_id FROM outbox WHERE kind = 'look' ORDER BY id")]


def test_a_restriction_is_looked_at_on_its_day_and_once_more_if_that_is_lost(ledger: Ledger, door: Door) -> None:
    request_id = restricted(ledger)

    assert ledger.ask_for_looks(at=later(hours=23)) == 0
    assert ledger.ask_for_looks(at=later(days=1)) == 1
    assert ledger.ask_for_looks(at=later(days=1, minutes=1)) == 0, "it is at work"
    assert ledger.ask_for_looks(at=later(days=1, hours=1)) == 1, "it was lost"
    ledger.looked(request_id, What.RESTRICTION, at=later(days=1, hours=2), next_on=later(days=2))
    assert ledger.ask_for_looks(at=later(days=1, hours=23)) == 0
    assert ledger.ask_for_looks(at=later(days=2)) == 1

    assert asked(door) == [request_id] * 3


def test_it_ends_with_the_restriction(ledger: Ledger) -> None:
    request_id = restricted(ledger)
    ledger.ask_to_lift(request_id, Ended.NOT_NEEDED, at=AT, notice=timedelta(0))
    ledger.told_of_lifting(request_id, at=AT)
    assert [one.what for one in ledger.follow_ups(request_id)] == [What.RESTRICTION], "it is in force still"

    assert ledger.begin_lifting(request_id, at=AT)

    assert ledger.follow_ups(request_id) == []
    assert ledger.ask_for_looks(at=later(days=9)) == 0


def locks(ledger: Ledger, request_id: str) -> str:
    return enter(ledger, request_id, operation=Operation.RESTRICT, max_people_per_hour=1)


def test_what_comes_later_is_locked_after_the_closing_and_not_once_it_is_lifted(ledger: Ledger) -> None:
    request_id = restricted(ledger)
    close_one(ledger, request_id)
    with pytest.raises(LedgerRefusal, match="is closed"):
        enter(ledger, request_id)

    ledger.exit_fence(locks(ledger, request_id), a_tally(), at=AT)

    ledger.ask_to_lift(request_id, Ended.NOT_NEEDED, at=AT, notice=timedelta(0))
    ledger.told_of_lifting(request_id, at=AT)
    ledger.exit_fence(locks(ledger, request_id), a_tally(), at=AT)
    assert ledger.begin_lifting(request_id, at=AT)
    with pytest.raises(FenceRefused) as refusal:
        locks(ledger, request_id)
    assert refusal.value.code is Code.WITHDRAWN


def test_nothing_is_lifted_while_something_is_being_locked_away(ledger: Ledger) -> None:
    request_id = restricted(ledger)
    ledger.ask_to_lift(request_id, Ended.NOT_NEEDED, at=AT, notice=timedelta(0))
    ledger.told_of_lifting(request_id, at=AT)
    intent = locks(ledger, request_id)

    assert not ledger.begin_lifting(request_id, at=AT)
    ledger.exit_fence(intent, a_tally(), at=AT)
    assert ledger.begin_lifting(request_id, at=AT)


def test_what_a_look_needs_is_kept_for_it(ledger: Ledger, door: Door) -> None:
    """Also where the settings would have it destroyed at once."""
    request_id = corrected(ledger)

    assert "working" not in {shred.purpose for shred in ledger.shred_due(later(days=8))}
    assert ledger.identities(request_id)
    ledger.looked(request_id, What.RECTIFICATION, at=later(days=8), next_on=later(days=9))
    assert "working" not in {shred.purpose for shred in ledger.shred_due(later(days=10))}
    ledger.looked(request_id, What.RECTIFICATION, at=later(days=10), next_on=None)
    assert "working" in {shred.purpose for shred in ledger.shred_due(later(days=12))}


def test_a_correction_is_made_again_only_while_it_is_looked_at(ledger: Ledger) -> None:
    request_id = corrected(ledger)

    intent = enter(ledger, request_id, operation=Operation.RECTIFY)
    ledger.exit_fence(intent, a_tally(), at=AT)
    ledger.looked(request_id, What.RECTIFICATION, at=AT, next_on=None)

    with pytest.raises(LedgerRefusal, match="is closed"):
        enter(ledger, request_id, operation=Operation.RECTIFY)


def test_what_a_look_asks_is_ruled_on_after_the_closing_and_nothing_else(ledger: Ledger, door: Door) -> None:
    request_id = corrected(ledger)
    step = a_step(request_id, operation=Operation.VERIFY)
    task = ledger.open_task(request_id, step.key, Code.CHANGED_BACK, "shop", at=later(days=7))
    other = ledger.open_task(request_id, a_step(request_id).key, Code.BUSY, "shop", at=later(days=7))

    assert ledger.rule(request_id, task, "retry", at=later(days=7))
    with pytest.raises(LedgerRefusal, match="was closed"):
        ledger.rule(request_id, other, "retry", at=later(days=7))

    assert door("SELECT body->>'operation' FROM outbox WHERE kind = 'rule'") == [("verify",)]
