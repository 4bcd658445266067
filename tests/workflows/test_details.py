"""What the page of a request says, at a glance."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product

import pytest

from rights.codes import Code
from rights.course import COURSES
from rights.deadlines import Risk
from rights.plan import Operation
from rights.receipt import Certainty, Outcome
from rights.request import Phase, Right
from workflows.details import details, is_done, who
from workflows.messages import Standing, StepStanding, Wait

DUE = datetime(2026, 12, 25, 22, 59, 59, tzinfo=UTC)
BY_LAW = datetime(2026, 12, 28, 22, 59, 59, tzinfo=UTC)


def standing(**more: object) -> Standing:
    known = {"right": Right.ERASURE, "phase": Phase.FULFILLING, "systems": ("crm", "shop"), "zone": "Europe/Berlin"}
    return Standing.model_validate(known | {"internal_due": DUE, "legal_due": BY_LAW, "risk": Risk.DUE_7D} | more)


def step(operation: Operation, outcome: Outcome, certainty: Certainty | None = None, rows: int = 0) -> StepStanding:
    return StepStanding(system="shop", operation=operation, outcome=outcome, certainty=certainty, rows=rows)


LOOKED = step(Operation.LOCATE, Outcome.DONE, Certainty.COMPLETED, 18)
ERASED = step(Operation.ERASE, Outcome.DONE, Certainty.COMPLETED)
GONE = step(Operation.VERIFY, Outcome.DONE, Certainty.VERIFIED)


def test_it_says_who_waits_on_what_and_where_with_the_hold_first() -> None:
    waits = (Wait(code="manual", system="archive"), Wait(code="hold", system="shop"), Wait(code="manual", system="crm"))

    said = details(standing(waits=waits, waiting_on="hold"))

    assert "**Waits on** the end of a hold (shop): `hold`." in said
    assert "**Waits on** an agent (archive, crm): `manual`." in said
    assert said.index("`hold`") < said.index("`manual`")


@pytest.mark.parametrize("code", Code)
def test_every_code_has_somebody_to_wait_for_and_something_to_do(code: Code) -> None:
    said = details(standing(waits=(Wait(code=code),), waiting_on=code))

    assert f"**Waits on** {who(code)}: `{code}`. " in said


def test_dates_are_days_of_the_controller() -> None:
    midnight = datetime(2026, 12, 28, 7, 59, 59, tzinfo=UTC)  # the end of the 27th in California

    said = details(standing(legal_due=midnight, zone="America/Los_Angeles"))

    assert "by law 2026-12-27 (due within 7 days)" in said


def test_while_the_clock_stands_still_nothing_is_due() -> None:
    said = details(standing(still_since=date(2026, 11, 27)))

    assert "**The clock stands still** since 2026-11-27" in said
    assert "2026-12" not in said


def test_nothing_is_called_done_that_was_not_looked_at_again() -> None:
    assert not is_done(standing(), [LOOKED])
    assert not is_done(standing(), [LOOKED, ERASED])
    assert is_done(standing(), [LOOKED, ERASED, GONE])
    assert is_done(standing(), [step(Operation.LOCATE, Outcome.NOTHING_HELD)])
    assert is_done(standing(), [LOOKED, step(Operation.ERASE, Outcome.DONE, Certainty.ATTESTED)])
    assert "**Systems done:** 1 of 2" in details(standing(steps=(LOOKED, ERASED, GONE)))


@pytest.mark.parametrize(("right", "outcome"), list(product(Right, [o for o in Outcome if not o.settled])))
def test_what_is_not_settled_is_done_nowhere(right: Right, outcome: Outcome) -> None:
    act = COURSES[right].act
    steps = [step(act, outcome)] if act else [step(Operation.LOCATE, outcome)]

    assert not is_done(standing(right=right), steps)


@pytest.mark.parametrize(("operation", "outcome"), list(product(Operation, Outcome)))
def test_every_step_can_be_said(operation: Operation, outcome: Outcome) -> None:
    """In a table's cell: one line, without what would end the cell."""
    said = details(standing(steps=(step(operation, outcome, Certainty.ACCEPTED),)))

    assert [line for line in said.splitlines() if line.startswith("| shop") and line.count("|") != 4] == []


@pytest.mark.parametrize("outcome", [o for o in Outcome if o not in {Outcome.DONE, Outcome.RETAINED}])
def test_nothing_that_was_not_done_is_said_to_be(outcome: Outcome) -> None:
    said = details(standing(steps=(LOOKED, step(Operation.ERASE, outcome, Certainty.ACCEPTED))))

    assert "erased" not in said


def test_a_closed_request_waits_on_nobody() -> None:
    said = details(standing(phase=Phase.CLOSED))

    assert "Waits" not in said
    assert "2026" not in said
