"""Terms and working days: how long a law gives, and which days count.

The one rule: a month is a month of the calendar, the day of the event is not counted, and whoever computes with
holidays is handed them; nothing here knows what day it is.
"""

import re
from calendar import monthrange
from collections.abc import Collection as AnyOf
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

from pydantic import field_validator, model_validator

from rights.value import Value

LONGEST: Final = {"months": 24, "days": 730, "working_days": 500, "hours": 24 * 60}
"""No law gives longer to answer, so more than this is a slip."""
_SPAN: Final = re.compile(r"(\d\d)-(\d\d)/(\d\d)-(\d\d)\Z")


def keep_until(start: date, months: int, days: int, *, end_of_year: bool) -> date:
    """The last day a duty of so many months and days covers, counted from `start` or from the end of its year.

    A month later is the same day of that month, else its last day (Reg. 1182/71 Art. 3(2)(c)). What would lie beyond
    the calendar is its last day: systems write 9999-12-31 for "never".
    """
    if end_of_year:
        start = date(start.year, 12, 31)
    total = start.year * 12 + start.month - 1 + months
    year, month = divmod(total, 12)
    month += 1
    if year > date.max.year:
        return date.max
    day = date(year, month, min(start.day, monthrange(year, month)[1]))
    return date.max if (date.max - day).days < days else day + timedelta(days=days)


class Term(Value):
    """A length of time in one unit."""

    months: int = 0
    days: int = 0
    working_days: int = 0
    hours: int = 0

    @field_validator("months", "days", "working_days", "hours")
    @classmethod
    def _long(cls, number: int) -> int:
        if number < 0:
            raise ValueError("write a number above 0")
        return number

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = {unit: number for unit, number in self if number}
        if len(given) != 1:
            raise ValueError("write one of: months, days, working_days, hours, with a number above 0")
        ((unit, number),) = given.items()
        if number > LONGEST[unit]:
            raise ValueError(f"no law gives more than {LONGEST[unit]} {unit.replace('_', ' ')}: correct the number")
        return self

    def __str__(self) -> str:
        ((unit, number),) = ((unit, number) for unit, number in self if number)
        word = unit.replace("_", " ")
        return f"{number} {word if number > 1 else word[:-1]}"

    def after(self, day: date, calendar: "Calendar") -> date:
        """The last day of the term that an event of `day` begins; hours are rounded up to whole days.

        A month later is the same day of that month, else its last day (Reg. 1182/71 Art. 3(2)(c)).
        """
        if self.working_days:
            return calendar.nth(day, self.working_days)
        return keep_until(day, self.months, self.days + -(-self.hours // 24), end_of_year=False)


@dataclass(frozen=True)
class Calendar:
    """Which days are working days: no Saturday, no Sunday, no holiday, and nothing within the spans of a year that a
    law closes (`12-25/01-15`)."""

    holidays: AnyOf[date] = ()
    closed: tuple[str, ...] = ()

    def works(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays and not any(_within(day, span) for span in self.closed)

    def forward(self, day: date) -> date:
        """The day itself if it is a working day, else the next that is."""
        while not self.works(day):
            day += timedelta(days=1)
        return day

    def back(self, day: date) -> date:
        """The day itself if it is a working day, else the last that was."""
        while not self.works(day):
            day -= timedelta(days=1)
        return day

    def nth(self, day: date, number: int) -> date:
        """The so-manieth working day after a day; before it, if the number is below 0."""
        step = timedelta(days=1 if number > 0 else -1)
        for _ in range(abs(number)):
            day = self.forward(day + step) if number > 0 else self.back(day + step)
        return day

    def between(self, first: date, last: date) -> int:
        """How many working days lie after the first day, up to the last."""
        return sum(self.works(first + timedelta(days=number + 1)) for number in range((last - first).days))


def check_span(span: str) -> str:
    """A span of a year as `MM-DD/MM-DD`.

    Raises:
        ValueError: it is none.
    """
    found = _SPAN.match(span)
    try:
        if found is None:
            raise ValueError
        for month, day in ((found[1], found[2]), (found[3], found[4])):
            date(2024, int(month), int(day))
    except ValueError:
        raise ValueError(f"'{span[:20]}' is no span of a year: write MM-DD/MM-DD, such as 12-25/01-15") from None
    return span


def _within(day: date, span: str) -> bool:
    first, last = span.split("/")
    here = f"{day:%m-%d}"
    return first <= here <= last if first <= last else here >= first or here <= last
