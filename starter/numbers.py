"""The record of requests and the numbers of a year as pages, JSON and CSV."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from io import StringIO
from typing import Any, Final

from rights.metrics import Fate, Line, Numbers
from starter.show import Page, plural


def _unit(working: bool) -> str:
    return "working days" if working else "days"


def _tenths(number: Fraction | None) -> float | None:
    """To two places; the exact mean is the sum of days by the number of responses."""
    return None if number is None else float(round(number, 2))


def _text(number: Fraction | None) -> str:
    return "" if number is None else f"{_tenths(number):g}"


def numbers_document(year: int, requests: int, numbers: Sequence[Numbers]) -> dict[str, Any]:
    """The numbers as JSON."""
    return {
        "year": year,
        "requests": requests,
        "counts": [
            {
                "regime": one.regime,
                "right": one.right,
                "received": one.received,
                **{fate.value: one.fates[fate] for fate in Fate},
                "grounds": dict(one.grounds),
                "responses": one.responses,
                "days": one.days,
                "days_mean": _tenths(one.mean),
                "days_median": _tenths(one.median),
                "days_are": _unit(one.working_days),
            }
            for one in numbers
        ],
    }


def numbers_page(year: int, requests: int, numbers: Sequence[Numbers]) -> Page:
    """The numbers as a page."""
    page = Page().line(f"{plural(requests, 'request')} came in in {year}")
    fates = [fate.replace("_", " ") for fate in Fate]
    columns = ("law", "right", "received", *fates, "mean", "median", "of")
    page.grid(
        columns,
        (
            (
                one.regime,
                one.right,
                *(str(n) for n in (one.received, *(one.fates[fate] for fate in Fate))),
                _text(one.mean),
                _text(one.median),
                _unit(one.working_days),
            )
            for one in numbers
        ),
        numbers=columns[2:-1],
    )
    if any(one.grounds for one in numbers):
        page.heading("Denied, in whole or in part")
        page.grid(
            ("law", "right", "ground", "requests"),
            ((one.regime, one.right, ground, str(count)) for one in numbers for ground, count in one.grounds.items()),
            numbers=("requests",),
        )
    return page


def numbers_csv(numbers: Sequence[Numbers]) -> str:
    """The numbers as CSV; grounds as `CODE=NUMBER CODE=NUMBER`."""
    names = ["regime", "right", "received", *Fate, "grounds", "responses", "days", "days_mean", "days_median",
             "days_are"]  # fmt: skip
    return _csv(
        names,
        (
            [
                one.regime,
                one.right,
                one.received,
                *(one.fates[fate] for fate in Fate),
                " ".join(f"{ground}={count}" for ground, count in one.grounds.items()),
                one.responses,
                one.days,
                _text(one.mean),
                _text(one.median),
                _unit(one.working_days),
            ]
            for one in numbers
        ),
    )


def lines_document(since: date, lines: Sequence[Line]) -> dict[str, Any]:
    """The record as JSON."""
    return {
        "since": since,
        "lines": [
            {
                **line.model_dump(mode="json", exclude={"working_days", "due", "extended"}),
                "came_in": line.came_in or None,
                "days_are": _unit(line.working_days),
            }
            for line in lines
        ],
    }


LINE_COLUMNS: Final = ("request", "law", "right", "came in", "by", "answered", "how", "ground", "days")


def line_cells(line: Line) -> tuple[str, ...]:
    """A line of the record under these."""
    return (
        line.request_id,
        line.regime,
        line.right,
        str(line.received),
        line.came_in,
        str(line.answered or ""),
        line.fate,
        ", ".join(line.grounds),
        "" if line.days is None else f"{line.days}{' working' if line.working_days else ''}",
    )


def lines_page(since: date, lines: Sequence[Line]) -> Page:
    """The record as a page."""
    page = Page().line(f"{plural(len(lines), 'line')} since {since}")
    return page.grid(LINE_COLUMNS, map(line_cells, lines), numbers=("days",))


def lines_csv(lines: Sequence[Line]) -> str:
    """The record as CSV; several grounds stand beside one another, separated by spaces."""
    names = ["request", "regime", "right", "received", "came_in", "answered", "fate", "grounds", "days", "days_are"]
    return _csv(
        names,
        (
            [
                line.request_id,
                line.regime,
                line.right,
                line.received,
                line.came_in,
                line.answered or "",
                line.fate,
                " ".join(line.grounds),
                "" if line.days is None else line.days,
                _unit(line.working_days),
            ]
            for line in lines
        ),
    )


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()
