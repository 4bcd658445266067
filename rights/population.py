"""Statistics of requests that may be published: how many by right, law, channel and month.

The one rule: a number so small that it may point at somebody is not told, nor can it be worked out from those that are:
where one could be subtracted, the next smallest goes as well.

Each table counts all requests once, so no two tables cross; a request under two laws counts under each. The number that
is small is below `SMALL`, as statistics offices have it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from rights.reports import Case, Stamp
from rights.request import Right
from rights.value import Value

SMALL: Final = 5
"""Numbers below this are not told."""
NOT_ENTERED: Final = "not entered"
"""The channel of a request of which nobody has entered one."""


class Table(Value):
    """Requests by one thing. None: too small to be told, or one that would give such a number away."""

    by: str
    counts: Mapping[str, int | None]


class Population(Value):
    """The report."""

    stamp: Stamp
    total: int | None
    tables: tuple[Table, ...]
    small: int = SMALL
    withheld: int
    """How many numbers are not told."""


def population(stamp: Stamp, cases: Iterable[Case]) -> Population:
    """Count the requests that came in in a period."""
    mine = [case for case in cases if case.received in stamp.period]
    total = len(mine)
    counted = {
        "right": {str(right): 0 for right in Right} | Counter(str(case.right) for case in mine),
        "law": dict(sorted(Counter(law for case in mine for law in case.regimes).items())),
        "channel": dict(sorted(Counter(case.came_in or NOT_ENTERED for case in mine).items())),
        "month": dict.fromkeys(stamp.period.months, 0) | Counter(f"{case.received:%Y-%m}" for case in mine),
    }
    published = {by: told(counts) for by, counts in counted.items()}
    if total < SMALL or any(one is None for one in published.values()):
        # By any of the tables the total would be known, and by that what another hides.
        published = {by: dict.fromkeys(counts) for by, counts in counted.items()}
        shown = None
    else:
        shown = total
    tables = tuple(Table(by=by, counts=counts or {}) for by, counts in published.items())
    return Population(
        stamp=stamp,
        total=shown,
        tables=tables,
        withheld=sum(count is None for table in tables for count in table.counts.values()),
    )


def told(counts: Mapping[str, int]) -> dict[str, int | None] | None:
    """The counts of a table, small ones as None. Zero is small: that there are none of some may tell of the others.

    Where what is left out could be worked out, by the total, the next smallest are left out as well, all that are the
    same: a choice among them would tell which was small. None: even with all of them left out it could.
    """
    hidden = {name for name, count in counts.items() if count < SMALL}
    while _can_be_worked_out([counts[name] for name in hidden]):
        shown = {name: count for name, count in counts.items() if name not in hidden}
        if not shown:
            return None
        hidden |= {name for name, count in shown.items() if count == min(shown.values())}
    return {name: None if name in hidden else count for name, count in counts.items()}


def _can_be_worked_out(hidden: list[int]) -> bool:
    """Whether the sum of numbers tells each of them, or of so few that it is itself too small; of nobody it may."""
    together = sum(hidden)
    if not together:
        return False
    return together < SMALL or len(hidden) == 1 or together == len(hidden) * (SMALL - 1)
