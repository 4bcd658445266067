"""How each system of a request stands, as a table: what was located, done, kept, and what a later look found.

The one rule: it counts what receipts and books say, and names nothing but collections and grounds.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from ledger.standing import Standing
from rights.course import COURSES
from rights.plan import Operation
from rights.receipt import Books, Count, Kept, Outcome, Receipt, most_open, newest
from rights.request import Right
from starter.show import Cell, Page, Text, Tone

OUTCOME_TONE: Final[dict[Outcome, Tone]] = {
    Outcome.DONE: "good",
    Outcome.NOTHING_HELD: "quiet",
    Outcome.PENDING: "warn",
    Outcome.RETAINED: "good",
    Outcome.HELD: "warn",
    Outcome.UNSUPPORTED: "warn",
    Outcome.NEEDS_HUMAN: "warn",
}
PSEUDONYMISED: Final = "pseudonymised"
COLUMNS: Final[dict[Right, tuple[str, ...]]] = {
    Right.ACCESS: ("located", "exported"),
    Right.ERASURE: ("located", "erased", "anonymised", PSEUDONYMISED, "kept", "left", "why kept"),
}
PAST: Final[Mapping[Operation, str]] = {
    Operation.EXPORT: "exported",
    Operation.ERASE: "erased",
    Operation.RESTRICT: "restricted",
    Operation.RECTIFY: "rectified",
    Operation.SUPPRESS: "suppressed",
}
NUMBERS: Final = (*PAST.values(), "located", "anonymised", PSEUDONYMISED, "kept", "left")


def systems_of(standing: Standing) -> list[str]:
    """The systems that a request has receipts of."""
    return sorted({receipt.step.system for receipt in standing.receipts})


def add_systems(page: Page, standing: Standing) -> None:
    """Per system, the table of its collections: what was located, done, kept, and what a later look found."""
    row = standing.request
    for name in systems_of(standing):
        last = {
            operation: newest(standing.receipts, operation).get(name)
            for operation in (Operation.LOCATE, _act(row.right), Operation.VERIFY)
        }
        page.heading(_how(name, last, row.right))
        books = {book.collection: book for book in standing.books.get(name, ())}
        rows = []
        for collection in _collections(last):
            found, acted, seen = (r.tally.of(collection) if r else None for r in last.values())
            if not any(count and count.found + count.changed for count in (found, acted, seen)):
                continue
            rows.append((collection, *_cells(row.right, found, acted, seen, books.get(collection))))
        if rows:
            columns = ("collection", *COLUMNS.get(row.right, ("located", PAST.get(_act(row.right), "looked at"))))
            if PSEUDONYMISED in columns and all(of[columns.index(PSEUDONYMISED)] in {"", "0"} for of in rows):
                # Few maps leave any: the column is shown where there are some.
                at = columns.index(PSEUDONYMISED)
                columns, rows = (*columns[:at], *columns[at + 1 :]), [(*of[:at], *of[at + 1 :]) for of in rows]
            page.grid(columns, rows, numbers=NUMBERS)


def _act(right: Right) -> Operation:
    """What is done in each system; where a person does it, nothing but a look could be there."""
    return COURSES[right].act or Operation.LOCATE


def _how(name: str, last: Mapping[Operation, Receipt | None], right: Right) -> Cell:
    """A system's heading: the last thing done there, and how it ended."""
    act = last[_act(right)]
    end = last[Operation.VERIFY] or act or last[Operation.LOCATE]
    if end is None:
        return Cell(name, "strong")
    # A look does not find what bears a pseudonym; the erasure knows that it is retained.
    outcome = most_open([act.outcome, end.outcome]) if act else end.outcome
    words = "located" if act is None and outcome is Outcome.DONE else str(outcome).replace("_", " ")
    sure = f", {end.certainty}" if act and end.certainty else ""
    why = f" ({end.code})" if end.code else ""
    return Cell(f"{name}: {words}{sure}{why}", OUTCOME_TONE[outcome])


def _collections(last: Mapping[Operation, Receipt | None]) -> list[str]:
    names = (count.collection for receipt in last.values() if receipt for count in receipt.tally.counts)
    return list(dict.fromkeys(names))


def _cells(
    right: Right,
    found: Count | None,
    acted: Count | None,
    seen: Count | None,
    book: Books | None,
) -> tuple[Text, ...]:
    located = f"{found.found:,}" if found else ""
    if right is not Right.ERASURE:
        done = acted.rectified if acted and right is Right.RECTIFICATION else (acted.found if acted else 0)
        return (located, f"{done:,}" if acted else "")
    erased = acted
    kept = (seen or erased or found or Count(collection="")).kept
    left: Text = "" if seen is None else Cell(f"{seen.left:,}", "bad" if seen.left else "good")
    anonymised = erased.anonymised if erased else 0
    keyed = book.pseudonymised if book else (erased.pseudonymised if erased else 0)
    gone = max(0, book.erased - anonymised) if book else (erased.erased if erased else None)
    return (
        located,
        "" if gone is None else f"{gone:,}",
        f"{anonymised:,}" if erased else "",
        f"{keyed:,}" if erased else "",
        f"{sum(k.rows for k in kept):,}",
        left,
        why_kept(kept),
    )


def why_kept(kept: Iterable[Kept]) -> str:
    """Grounds and dates of kept rows, in words; of several dates the first and the last."""
    days: dict[str, list[date]] = {}
    for one in kept:
        days.setdefault(one.ground, []).extend([one.until] if one.until else [])
    return "; ".join(f"{ground}{_until(of)}" for ground, of in days.items())


def _until(days: Sequence[date]) -> str:
    if not days:
        return ""
    return f" until {min(days)}" + (f" … {max(days)}" if len(set(days)) > 1 else "")
