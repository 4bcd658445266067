"""A report as CSV, for a spreadsheet.

The one rule: no cell starts a formula, and every line names the report and all that it was made from.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain
from typing import Final

from connectors.spreadsheets import harmless
from rights.board import Board
from rights.metrics import Line
from rights.population import Population
from rights.reports import Stamp
from rights.ropa import Ropa
from rights.yearly import Annual
from starter.reporting import Recorded, Report

_STAMP: Final = ("report", "period", "head", "digest", "as_of", "data_map", "register_digest", "settings_digest",
                 "program")  # fmt: skip
"""What every line ends with: what `habeas report REPORT --period PERIOD --head HEAD` makes it again from."""
_BOARD: Final = ("part", "of", "what", "value", "right", "laws", "received", "due", "system")
_OVERDUE: Final = _BOARD[4:]
"""Columns that are filled in where the part is `overdue`: one line a request."""
Row = Sequence[object]


def csv_of(report: Report) -> str:
    """The report, with a line of names first; lists in a cell are separated by blanks, or by ``; `` where they have
    blanks."""
    names, rows = _of(report)
    return "".join(_written(names, rows, report.stamp))


def csv_pieces(stamp: Stamp, lines: Iterable[Line]) -> Iterator[str]:
    """The register, byte for byte as `csv_of` has it, piece by piece."""
    return _written(_LINE, _lines(lines), stamp)


def _of(report: Report) -> tuple[Sequence[str], Iterator[Row]]:
    match report:
        case Board():
            return _BOARD, _board(report)
        case Recorded():
            return _LINE, _lines(report.lines)
        case Annual():
            return _KIND, _kinds(report)
        case Ropa():
            return (*_ACTIVITY, *_WHO), _activities(report)
        case Population():
            return ("by", "of", "requests"), _tables(report)


def _stamp(stamp: Stamp) -> Row:
    return (stamp.report, stamp.period.name, stamp.head, stamp.digest,
            stamp.as_of.isoformat() if stamp.as_of else "", stamp.data_map, stamp.register_digest,
            stamp.settings_digest, stamp.program)  # fmt: skip


def _board(report: Board) -> Iterator[Row]:
    yield from ((*row, *[""] * len(_OVERDUE)) for row in _numbers(report))
    yield from (
        ("overdue", one.request_id, one.cause, one.days_over, one.right, " ".join(one.regimes), one.received, one.due,
         one.system)
        for one in report.overdue
    )  # fmt: skip


def _numbers(report: Board) -> Iterator[Row]:
    for pace in report.paces:
        yield from (("pace", pace.right or "all", *said) for said in pace.model_dump(exclude={"right"}).items())
    yield "waiting", "", "requests", report.waiting
    for name, counts in _counts(report).items():
        yield from ((name, "", *count) for count in counts.items())
    for age in report.ages:
        yield from (("ages", age.days, *count) for count in age.risks.items())
    yield from _unknown(report)


def _unknown(report: Board) -> Iterator[Row]:
    for proof in report.proofs:
        said = proof.model_dump(exclude={"recipient"})
        yield from (("proofs", proof.recipient, *one) for one in said.items())
    if report.matched:
        yield "map_check", "", "at", report.matched.at.isoformat()
        for system, codes in report.matched.unmapped.items():
            yield from (("unmapped", system, *count) for count in codes.items())
    yield from (("unreached", recipient, "", "") for recipient in report.unreached)


def _counts(report: Board) -> Mapping[str, Mapping[str, int]]:
    secret = {"secret_holds": report.secret_holds} if report.secret_holds is not None else {}
    return {
        "causes": report.causes,
        "late_in": report.late_in,
        "extensions": {"requests": report.extended, **report.extensions},
        "refusals": {"requests": report.refused, **report.refusals},
        "holds": report.holds,
        **secret,
    }


_LINE: Final = ("request", "regime", "right", "received", "came_in", "due", "extended", "answered", "fate", "grounds",
                "days", "days_are")  # fmt: skip


def _lines(lines: Iterable[Line]) -> Iterator[Row]:
    for one in lines:
        yield (
            one.request_id, one.regime, one.right, one.received, one.came_in, one.due, "yes" if one.extended else "no",
            one.answered, one.fate, " ".join(one.grounds), one.days, "working days" if one.working_days else "days",
        )  # fmt: skip


_KIND: Final = ("kind", "received", "complied", "in_part", "denied", "nothing_held", "other", "open", "grounds",
                "days_mean", "days_median", "days_are")  # fmt: skip


def _kinds(report: Annual) -> Iterator[Row]:
    for one in report.kinds:
        said = one.model_dump()
        said["grounds"] = " ".join(f"{ground}={count}" for ground, count in one.grounds.items())
        yield tuple(said[name] for name in _KIND)


_ACTIVITY: Final = ("system", "collection", "owner", "region", "purpose", "lawful_basis", "people", "categories",
                    "recipients", "transfers", "retention", "measures", "missing")  # fmt: skip
_WHO: Final = ("controller", "address", "dpo")


def _activities(report: Ropa) -> Iterator[Row]:
    who = (report.controller.name, "; ".join(report.controller.address), report.controller.dpo)
    for one in report.activities:
        said = one.model_dump(include=set(_ACTIVITY) - {"recipients"})
        named = [f"{g.name} ({g.country}, {g.role}, {g.mechanism})" for g in one.recipients]
        said["recipients"] = (*named, *one.named_recipients)
        yield (*("; ".join(said[n]) if isinstance(said[n], tuple) else said[n] for n in _ACTIVITY), *who)


def _tables(report: Population) -> Iterator[Row]:
    small = f"under {report.small}, or withheld for one that is"
    yield "all", "", small if report.total is None else report.total
    for table in report.tables:
        for name, count in table.counts.items():
            yield table.by, name, small if count is None else count


def _written(names: Sequence[str], rows: Iterable[Row], stamp: Stamp) -> Iterator[str]:
    """The table, line by line."""
    ends = [_cell(value) for value in _stamp(stamp)]
    first: list[object] = [*names, *_STAMP]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for cells in chain([first], ([*map(_cell, row), *ends] for row in rows)):
        writer.writerow(cells)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula has an apostrophe before it, which it does not show."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    return harmless(str(value))
