"""The books are exact where every count is known, and never say erased while something is left."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.plan import Operation, Step
from rights.receipt import OPENNESS, Certainty, Count, Kept, Outcome, Receipt, Tally, keep_books, most_open

ROWS = st.integers(0, 50)


def _tally(**found: int) -> Tally:
    return Tally(counts=tuple(Count(collection=name, found=rows) for name, rows in found.items()))


def _after(found: int, kept: int = 0, unclean: int = 0) -> Tally:
    duty = (Kept(ground="tax law", until=date(2036, 12, 31), rows=kept),) if kept else ()
    return Tally(counts=(Count(collection="orders", found=found, kept=duty, unclean=unclean),))


@given(before=ROWS, arrived=ROWS, erased=ROWS, kept=ROWS)
def test_books_are_exact_where_every_count_is_known(before: int, arrived: int, erased: int, kept: int) -> None:
    """Rows are there, more arrive, some are erased: what the books say of it is what happened."""
    after = before + arrived - erased
    if after < 0 or erased < arrived:
        return  # arrivals are those that were deleted or left beyond what was there: fewer cannot be told
    (books,) = keep_books(_tally(orders=before), {"orders": erased}, _after(after, min(kept, after)))

    assert books.erased == erased
    assert books.arrived == max(0, erased + after - before) == arrived


@given(before=ROWS, deleted=st.one_of(st.none(), ROWS), found=ROWS, kept=ROWS, unclean=ROWS)
def test_books_balance_and_close_only_on_what_is_kept_and_clean(
    before: int, deleted: int | None, found: int, kept: int, unclean: int
) -> None:
    kept = min(kept, found)
    unclean = min(unclean, kept)

    (books,) = keep_books(_tally(orders=before), {"orders": deleted}, _after(found, kept, unclean))

    assert books.before + books.arrived == books.erased + books.after
    assert books.erased >= (deleted or 0)
    assert books.closed == (found == kept and unclean == 0)
    assert books.derived == (deleted is None)


def test_an_unknown_count_is_derived_by_looking() -> None:
    (books,) = keep_books(_tally(orders=7), {"orders": None}, _after(2, kept=2))

    assert (books.erased, books.arrived, books.derived, books.closed) == (5, 0, True, True)


def test_a_collection_seen_in_one_look_only_is_in_the_books() -> None:
    books = keep_books(_tally(orders=1), {"orders": 1}, _tally(notes=2))

    assert [(part.collection, part.before, part.after, part.closed) for part in books] == [
        ("orders", 1, 0, True),
        ("notes", 0, 2, False),
    ]


@given(st.lists(st.sampled_from(Outcome)))
def test_a_step_is_as_open_as_its_most_open_collection(outcomes: list[Outcome]) -> None:
    outcome = most_open(outcomes)

    assert outcome is Outcome.NOTHING_HELD if not outcomes else outcome in outcomes
    assert all(OPENNESS.index(outcome) <= OPENNESS.index(other) for other in outcomes)
    assert outcome.settled == all(other.settled for other in outcomes)


def test_every_outcome_has_its_place() -> None:
    assert sorted(OPENNESS) == sorted(Outcome)


@pytest.mark.parametrize(
    ("look", "left", "outcome"),
    [
        (_after(0), 0, Outcome.DONE),
        (_after(2, kept=2), 0, Outcome.RETAINED),
        (_after(3, kept=2), 1, Outcome.PENDING),
        (_after(2, kept=2, unclean=1), 1, Outcome.PENDING),
    ],
)
def test_what_a_look_finds_says_how_the_erasure_stands(look: Tally, left: int, outcome: Outcome) -> None:
    (count,) = look.counts

    assert (count.left, look.left) == (left, left)
    assert count.outcome is outcome


def test_a_tally_adds_up_its_collections() -> None:
    tally = Tally(
        counts=(
            Count(collection="orders", found=5, erased=2, anonymised=1, kept=(Kept(ground="tax law", rows=2),)),
            Count(collection="notes", found=3, pseudonymised=3),
        )
    )

    assert (tally.found, tally.changed, tally.kept_rows) == (8, 6, 2)
    assert tally.of("notes").pseudonymised == 3
    assert tally.of("missing") == Count(collection="missing")


@given(st.sampled_from(Outcome), st.one_of(st.none(), st.sampled_from(Certainty)), ROWS)
def test_a_receipt_is_written_down_whole(outcome: Outcome, certainty: Certainty | None, rows: int) -> None:
    receipt = Receipt(
        step=Step(request_id="01", system="shop", operation=Operation.ERASE),
        outcome=outcome,
        certainty=certainty,
        tally=_after(rows),
        at=datetime(2026, 6, 1, tzinfo=UTC),
    )

    assert Receipt.model_validate_json(receipt.model_dump_json()) == receipt


def test_an_old_worker_reads_a_newer_workers_receipt() -> None:
    assert Count.model_validate({"collection": "orders", "found": 1, "a_field_of_tomorrow": 2}).found == 1


@given(before=ROWS, gone=ROWS, keyed=st.one_of(st.none(), ROWS))
def test_a_row_with_a_pseudonym_is_never_counted_as_erased(before: int, gone: int, keyed: int | None) -> None:
    gone = min(before, gone)
    (books,) = keep_books(_tally(orders=before), {"orders": gone}, _after(before - gone), {"orders": keyed})

    assert books.erased + books.pseudonymised == gone
    assert books.pseudonymised == (gone if keyed is None else min(keyed, gone))
