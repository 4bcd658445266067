"""When an answer is due: pure calendar arithmetic over a `Clock` that is resolved once, when a request opens.

The one rule: nothing computes a date from today's settings again; a running request keeps the clock it was given.
"""

from collections.abc import Collection as AnyOf
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from rights.reckoning import Events, local_day, reckon
from rights.regimes import Regime
from rights.terms import Calendar
from rights.value import Value


class Risk(StrEnum):
    """How near the legal due date is. List filters of the Temporal UI know no relative dates, so the clock moves it."""

    ON_TRACK = "on_track"
    DUE_14D = "due_14d"
    DUE_7D = "due_7d"
    DUE_3D = "due_3d"
    DUE_1D = "due_1d"
    OVERDUE = "overdue"


INTERIM_DAYS: Final = 3
"""Working days before the internal due date on which an interim answer is due, if there is no whole one: time to read
it, to send it, and to be asked something back."""

BUCKETS = ((1, Risk.DUE_1D), (3, Risk.DUE_3D), (7, Risk.DUE_7D), (14, Risk.DUE_14D))


class Clock(Value):
    """The dates of one request, with everything they were computed from."""

    regime: str
    ruleset: str
    """SHA-256 of the regime's text, hex."""
    zone: str
    holidays: tuple[date, ...] = ()
    received_at: datetime
    internal_due: datetime
    """What the engine works towards: the last working day on or before the earliest defensible reading."""
    legal_due: datetime
    """The latest defensible reading; past it the request is overdue."""

    @property
    def interim_due(self) -> datetime:
        """When a request that is not answered yet owes the person word of how it stands: the beginning of that day."""
        tz = ZoneInfo(self.zone)
        day = self.internal_due.astimezone(tz).date()
        day = Calendar(self.holidays).nth(day, -INTERIM_DAYS)
        return datetime.combine(day, time(0), tz).astimezone(UTC)

    def risk(self, now: datetime) -> Risk:
        """The bucket of a moment."""
        if now > self.legal_due:
            return Risk.OVERDUE
        for days, risk in BUCKETS:
            if self.legal_due - now <= timedelta(days=days):
                return risk
        return Risk.ON_TRACK

    def next_change(self, now: datetime) -> datetime | None:
        """The next moment at which `risk` changes; None once overdue."""
        if now > self.legal_due:
            return None
        moments = [self.legal_due - timedelta(days=days) for days, _ in BUCKETS]
        moments.append(self.legal_due + timedelta(seconds=1))
        return min((moment for moment in moments if moment > now), default=None)


def start_clock(regime: Regime, received_at: datetime, zone: str, holidays: AnyOf[date] = ()) -> Clock:
    """Resolve the dates of a request received at an instant (`rights.reckoning` has the arithmetic).

    Raises:
        ValueError: the regime counts in hours, from which no day follows; none that is enabled does.
    """
    tz = ZoneInfo(zone)
    dates = reckon(regime, Events(local_day(received_at, zone)), holidays)
    if dates.legal_due is None or dates.internal_due is None:
        raise ValueError("a request that was just received has a due date")
    return Clock(
        regime=regime.regime,
        ruleset=regime.digest,
        zone=zone,
        holidays=tuple(sorted(holidays)),
        received_at=received_at.astimezone(UTC),
        internal_due=_end_of(dates.internal_due, tz),
        legal_due=_end_of(dates.legal_due, tz),
    )


def _end_of(day: date, tz: ZoneInfo) -> datetime:
    """23:59:59 of a local day, as UTC."""
    return datetime.combine(day, time(23, 59, 59), tz).astimezone(UTC)
