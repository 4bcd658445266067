"""What of an erasure is come back to, by its receipts alone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.codes import Code
from rights.deferred import deferred, more_than
from rights.holdlaw import ground_of
from rights.holds import GROUND, Reason
from rights.plan import Operation, Step
from rights.receipt import Certainty, Count, Kept, Outcome, Receipt, Tally

AT = datetime(2026, 3, 2, tzinfo=UTC)


def receipt(operation: Operation, outcome: Outcome = Outcome.DONE, *counts: Count, code: str = "") -> Receipt:
    step = Step(request_id="r", system="shop", operation=operation, round=0)
    return Receipt(
        step=step, outcome=outcome, certainty=Certainty.VERIFIED, tally=Tally(counts=counts), code=code, at=AT
    )


def looked(*kept: Kept, found: int = 4) -> list[Receipt]:
    """An erasure of ten orders that has left some."""
    return [
        receipt(Operation.LOCATE, Outcome.DONE, Count(collection="orders", found=10)),
        receipt(Operation.ERASE, Outcome.RETAINED, Count(collection="orders", found=10, erased=6, kept=kept)),
        receipt(Operation.VERIFY, Outcome.RETAINED, Count(collection="orders", found=found, kept=kept)),
    ]


@pytest.mark.parametrize("ground", [GROUND, ground_of([Reason.CLAIM], ["eu-gdpr"])])
def test_what_a_hold_keeps_is_come_back_to_without_a_date(ground: str) -> None:
    left = deferred(looked(Kept(ground=ground, rows=4)), AT)
    assert left is not None
    assert (left.left, left.not_before) == ({"shop": {"orders": 4}}, None)


def test_the_end_of_the_calendar_is_no_date() -> None:
    never = Kept(ground="tax law", until=date.max, rows=1)
    assert deferred(looked(never, found=1), AT) is None

    # As a system says it that keeps what is held from a day on.
    left = deferred(looked(Kept(ground=GROUND, until=date.max, rows=4), never), AT)
    assert left is not None
    assert left.not_before is None


def test_the_last_of_several_dates_counts_and_its_day_is_over_in_every_zone() -> None:
    dates = [Kept(ground="tax law", until=date(year, 12, 31), rows=1) for year in (2027, 2034, 2030)]
    left = deferred(looked(*dates, Kept(ground=GROUND, rows=1)), AT)
    assert left is not None
    assert left.not_before == datetime(2035, 1, 2, tzinfo=UTC)


def test_a_date_that_has_brought_nothing_is_tried_again_on_the_next_day() -> None:
    left = deferred(looked(Kept(ground="tax law", until=date(2020, 1, 1), rows=1)), AT)
    assert left is not None
    assert left.not_before == AT + timedelta(days=1)


def test_what_is_kept_without_an_end_or_was_given_up_does_not_come_back() -> None:
    assert deferred(looked(Kept(ground="the map says so", rows=4)), AT) is None
    assert deferred(looked(found=0), AT) is None
    given_up = receipt(Operation.ERASE, Outcome.HELD, code=Code.RULED_OUT)
    assert deferred([given_up], AT) is None


def test_a_step_that_a_hold_has_stopped_as_a_whole_comes_back_also_where_nobody_may_know_why() -> None:
    look = receipt(Operation.LOCATE, Outcome.DONE, Count(collection="orders", found=10))
    for outcome, code in ((Outcome.HELD, Code.HOLD), (Outcome.PENDING, Code.DEFERRED)):
        left = deferred([look, receipt(Operation.ERASE, outcome, code=code)], AT)
        assert left is not None
        assert left.left == {"shop": {"orders": 10}}


@given(found=st.integers(0, 20), erased=st.integers(0, 20), seen=st.integers(0, 20), now=st.integers(0, 30))
def test_more_is_found_only_beyond_all_that_can_have_been_left(found: int, erased: int, seen: int, now: int) -> None:
    receipts = [
        receipt(Operation.LOCATE, Outcome.DONE, Count(collection="orders", found=found)),
        receipt(Operation.ERASE, Outcome.RETAINED, Count(collection="orders", erased=erased)),
        receipt(
            Operation.VERIFY,
            Outcome.RETAINED,
            Count(collection="orders", found=seen, kept=(Kept(ground=GROUND, rows=seen),)),
        ),
    ]
    left = deferred(receipts, AT)
    assert left is not None
    beyond = more_than(left.left["shop"], Tally(counts=(Count(collection="orders", found=now),)))
    assert beyond is (now > max(seen, found - erased))
    assert more_than(left.left["shop"], Tally(counts=(Count(collection="new", found=1),)))
