"""The answer at the end says how long backups still hold what was erased, and of a hold no more than may be told."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rights.audience import PSEUDONYM, Answered, Lingering, State, answer
from rights.backups import Backups
from rights.codes import Code
from rights.holds import GROUND
from rights.plan import Operation
from rights.receipt import Books, Certainty, Count, Kept, Outcome, Receipt, Tally
from rights.request import Right
from tests.rights.test_interim import AT, ERASED, LOOK, RECEIPTS, TAX, receipt

MONTH = Backups(max_age="P35D", beyond_use="a restored copy is erased again")
SEEN = receipt(Operation.VERIFY, Outcome.RETAINED, certainty=Certainty.VERIFIED, found=3, kept=(TAX,))
WENT = ERASED.model_copy(update={"tally": Tally(counts=(Count(collection="orders", found=18, erased=15),))})


def told(
    *receipts: Receipt,
    books: tuple[Books, ...] = (),
    backups: Backups | None = MONTH,
    right: Right = Right.ERASURE,
    zone: str = "UTC",
) -> Answered:
    (one,) = answer(right, ["shop"], receipts, {"shop": books} if books else {}, {"shop": backups}, zone)
    return one


def test_what_was_erased_is_counted_and_out_of_backups_by_a_day() -> None:
    one = told(LOOK, WENT, SEEN)

    assert (one.state, one.certainty, one.erased, one.kept) == (State.DONE, Certainty.VERIFIED, 15, (TAX,))
    assert one.backups == Lingering(until=date(2026, 4, 24), beyond_use="a restored copy is erased again")


def test_the_books_know_what_a_cut_call_has_erased() -> None:
    books = (Books(collection="orders", before=18, arrived=1, kept=3, after=3, derived=True),)

    one = told(LOOK, ERASED, SEEN, books=books)

    assert one.erased == 16
    assert one.backups is not None


def test_what_a_cut_call_has_erased_that_never_told_of_itself_is_in_backups_too() -> None:
    books = (Books(collection="orders", before=18, kept=3, after=3, derived=True),)

    one = told(LOOK, SEEN, books=books)

    assert one.erased == 15
    assert one.backups is not None
    assert one.backups.until is not None


@pytest.mark.parametrize("backups", [None, Backups(max_age="unknown")])
def test_a_day_that_nobody_knows_is_said_to_be_unknown(backups: Backups | None) -> None:
    one = told(LOOK, WENT, backups=backups)

    assert one.backups == Lingering(until=None)


def test_nothing_lingers_without_backups_or_without_an_erasure() -> None:
    none = Backups(max_age="none")
    unsure = receipt(Operation.ERASE, Outcome.NEEDS_HUMAN, found=18)

    assert told(LOOK, WENT, backups=none).backups is None
    assert told(LOOK).backups is None
    assert told(LOOK, unsure).backups is None
    assert told(LOOK, receipt(Operation.EXPORT), right=Right.ACCESS).backups is None


def test_a_pseudonym_leaves_what_it_replaced_in_backups() -> None:
    count = Count(collection="orders", found=2, pseudonymised=2)
    keyed = ERASED.model_copy(update={"outcome": Outcome.RETAINED, "tally": Tally(counts=(count,))})

    one = told(LOOK, keyed)

    assert (one.state, one.erased) == (State.OUTSTANDING, 0)
    assert one.backups is not None


def test_a_pseudonym_that_only_the_books_know_of_is_no_erasure_either() -> None:
    """A call was cut behind its fence: the attempt after it found nothing left to change, and so did the look."""
    books = (Books(collection="orders", before=18, kept=3, after=3, pseudonymised=15, derived=True),)

    one = told(LOOK, ERASED, SEEN, books=books)

    assert (one.state, one.certainty, one.erased) == (State.OUTSTANDING, None, 0)
    assert one.kept == (TAX, Kept(ground=PSEUDONYM, rows=15))


def test_what_a_person_has_erased_by_hand_is_in_backups_too() -> None:
    by_hand = receipt(Operation.ERASE, certainty=Certainty.ATTESTED)

    assert told(LOOK, by_hand).backups is not None


def test_the_day_is_the_askers_and_of_the_last_erasure() -> None:
    late = WENT.model_copy(update={"at": datetime(2026, 3, 25, 23, 30, tzinfo=UTC)})

    assert told(LOOK, late, WENT, zone="Europe/Berlin").backups == MONTH_AFTER
    assert told(LOOK, WENT, late, zone="Europe/Berlin").backups == MONTH_AFTER


MONTH_AFTER = Lingering(until=date(2026, 4, 30), beyond_use="a restored copy is erased again")


@example([receipt(Operation.ERASE, Outcome.HELD, code=Code.HOLD)], Right.ERASURE)
@example([receipt(Operation.ERASE, Outcome.HELD, code=Code.DEFERRED)], Right.ERASURE)
@given(RECEIPTS, st.sampled_from([Right.ERASURE, Right.ACCESS]))
def test_a_hold_changes_nothing_of_the_answer_but_the_ground_of_one_that_may_be_told(
    receipts: list[Receipt], right: Right
) -> None:
    other = [
        r.model_copy(update={"outcome": Outcome.NEEDS_HUMAN if r.outcome is Outcome.HELD else r.outcome, "code": ""})
        for r in receipts
    ]

    said, plain = told(*receipts, right=right), told(*other, right=right)
    may_be_told = any(r.outcome is Outcome.HELD and r.code == Code.HOLD for r in receipts)
    assert said.held in ({"", GROUND} if may_be_told else {""})
    assert said.model_copy(update={"held": ""}) == plain


@given(RECEIPTS, st.integers(0, 400))
def test_no_day_that_is_told_comes_before_the_last_backup_is_gone(receipts: list[Receipt], days: int) -> None:
    one = told(*receipts, WENT, backups=Backups(max_age=f"P{days}D"))

    assert one.backups
    assert one.backups.until
    assert (one.backups.until - AT.date()).days >= days
