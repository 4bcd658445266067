"""A range of days that a demand is about, and which rows fall into it.

The one rule: a row of which nothing says its day is not of the range. What goes to an authority by mistake does not
come back, so in doubt a row stays here.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rights.collection import Collection


class Days(BaseModel):
    """From a day, until a day, or both; both are in it. Written `from` and `until` in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    since: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.since is None and self.until is None:
            raise ValueError("dates needs from, until or both")
        if self.since and self.until and self.until < self.since:
            raise ValueError("dates: until is before from")
        return self

    def has(self, day: date) -> bool:
        """Whether a day is in it."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    def inside(self, other: Self) -> bool:
        """Whether all of its days are days of another."""
        begins = other.since is None or (self.since is not None and other.since <= self.since)
        return begins and (other.until is None or (self.until is not None and self.until <= other.until))


def dated_by(collection: Collection, given: Iterable[str]) -> str | None:
    """The field that says of which day a row is, if it is among those that are given; as holds have it, the one that
    terms are counted from. None where the map names none, or several."""
    columns = {rule.after for rule in collection.retention}
    return next(iter(columns)) if len(columns) == 1 and columns <= set(given) else None


def falls_in(days: Days, value: object, zone: ZoneInfo) -> bool | None:
    """Whether a value of such a field is in a range; None where it names no day.

    A time without a zone may be the wall clock's or UTC: it is in only if it is by both.
    """
    if not isinstance(value, str):
        return None
    try:
        if len(value) == len("2026-03-01"):
            return days.has(date.fromisoformat(value))
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return days.has(moment.astimezone(zone).date())
        return days.has(moment.date()) and days.has(moment.replace(tzinfo=UTC).astimezone(zone).date())
    except (ValueError, OverflowError):
        return None
