"""What all reports share: the period they are about, the entry of the journal they are read at, a request as a line.

The one rule: a report is a pure function of what its stamp names, the journal up to a stated entry and what is beside
it, so the same give the same bytes whenever it is asked for; and nothing in it is of a person.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple, Self

from rights.request import Conclusion, Right
from rights.value import Value

_PERIOD: Final = re.compile(r"(?P<year>(19|20)\d\d)(-Q(?P<quarter>[1-4])|-(?P<month>0[1-9]|1[0-2]))?", re.ASCII)


class PeriodError(ValueError):
    """A period that cannot be read. One sentence, without what was typed."""


class Period(Value):
    """A year, a quarter or a month."""

    name: str
    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def months(self) -> tuple[str, ...]:
        """Its months: 2026-11."""
        return tuple(f"{self.first:%Y}-{month:02}" for month in range(self.first.month, self.last.month + 1))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read ``2026``, ``2026-Q4`` or ``2026-11``.

        Raises:
            PeriodError: it is none.
        """
        found = _PERIOD.fullmatch(text)
        if found is None:
            raise PeriodError("write a period as 2026, 2026-Q4 or 2026-11")
        year, begins, ends = int(found["year"]), 1, 12
        if found["quarter"]:
            begins = 3 * int(found["quarter"]) - 2
            ends = begins + 2
        elif found["month"]:
            begins = ends = int(found["month"])
        return cls(name=text, first=date(year, begins, 1), last=date(year, ends, monthrange(year, ends)[1]))


class Stamp(Value):
    """What a report was made from; with it the same report can be made again."""

    report: str
    period: Period
    head: int
    """The number of the newest entry that it was read from."""
    digest: str
    """That entry's hash, hex."""
    as_of: datetime | None
    """When that entry was written: ages and what is overdue are counted to it. None: nothing is journaled."""
    data_map: str
    """SHA-256 of the data map, hex."""
    register_digest: str
    """SHA-256 of the register of recipients, hex."""
    settings_digest: str
    """SHA-256 of what the settings add, hex: the controller as it stands in letters, and the time zone."""
    program: str
    """The version of Habeas that made it."""


class Case(NamedTuple):
    """A request as the journal had it; small, since a report reads all of them."""

    id: str
    right: Right
    regimes: tuple[str, ...]
    zone: str
    received: date
    due: datetime
    """By law; of several laws the earliest."""
    due_on: date
    still_since: date | None
    """Its clock stands still since this day."""
    conclusion: Conclusion | None
    """None while it is open."""
    answered: date | None
    """When the letter that answers went out; where none was to be written, when it was closed."""
    came_in: str
    """The channel; empty where none was entered."""
    extended: tuple[str, ...]
    """The coded grounds of extensions."""
    grounds: tuple[str, ...]
    """Of what was denied, in whole or in part."""


def nearest_rank(numbers: Sequence[int], percent: int) -> int | None:
    """The smallest number that so many percent of all do not exceed; None of none."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
