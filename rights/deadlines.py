"""When an answer is due: pure calendar arithmetic over a `Clock` that is resolved when a request opens.

The one rule: nothing computes a date from today's settings again; a running request keeps the clock it was given, and
moves it only by events that are written down (`rights.clockwork`).
"""

from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from rights.reckoning import Dates, Events, local_day, reckon
from rights.regimes import Regime
from rights.request import Right
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

ACKNOWLEDGE_DAYS: Final = 2
"""Working days before the day by which the law wants the receipt acknowledged, on which a person is asked to."""

BUCKETS = ((1, Risk.DUE_1D), (3, Risk.DUE_3D), (7, Risk.DUE_7D), (14, Risk.DUE_14D))


class Clock(Value):
    """The dates of one request under one law, with everything they were computed from."""

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
    notice_by: datetime | None = None
    """Until when the person can be told of an extension; None where the law knows none, or it was extended."""
    acknowledge_by: datetime | None = None
    """Until when the law wants the receipt acknowledged; None where it does not, or it was."""
    extended: bool = False
    still_since: date | None = None
    """The clock stands still since this day, for an answer of the person; both due dates are what they were then."""
    within: timedelta | None = None
    """A shorter term of the engine's own that it works towards, from the receipt on; the law's stays as it is."""

    def hurried(self, within: timedelta) -> "Clock":
        """The same clock, with a shorter term to work towards."""
        return self.model_copy(
            update={"within": within, "internal_due": min(self.internal_due, self.received_at + within)}
        )

    @property
    def interim_due(self) -> datetime:
        """When a request that is not answered yet owes the person word of how it stands: the beginning of that day."""
        return self._days_before(self.internal_due, INTERIM_DAYS)

    @property
    def acknowledge_due(self) -> datetime | None:
        """When a person is asked to acknowledge the receipt: the beginning of that day."""
        return self._days_before(self.acknowledge_by, ACKNOWLEDGE_DAYS) if self.acknowledge_by else None

    @property
    def notice_day(self) -> date | None:
        """The local day until which a notice of an extension can be sent."""
        return local_day(self.notice_by, self.zone) if self.notice_by else None

    def _days_before(self, due: datetime, number: int) -> datetime:
        tz = ZoneInfo(self.zone)
        day = Calendar(self.holidays).nth(due.astimezone(tz).date(), -number)
        return datetime.combine(day, time(0), tz).astimezone(UTC)

    def risk(self, now: datetime) -> Risk:
        """The bucket of a moment. While the clock stands still it is that of the day on which it stopped."""
        return risk_at(self.legal_due, self.still_since, self.zone, now)

    def next_change(self, now: datetime) -> datetime | None:
        """The next moment at which `risk` changes; None once overdue, and while the clock stands still."""
        if now > self.legal_due or self.still_since:
            return None
        moments = [self.legal_due - timedelta(days=days) for days, _ in BUCKETS]
        moments.append(self.legal_due + timedelta(seconds=1))
        return min((moment for moment in moments if moment > now), default=None)


def risk_at(legal_due: datetime, still_since: date | None, zone: str, now: datetime) -> Risk:
    """How near a legal due date is, of a clock that stands still since a day (None: it runs)."""
    if still_since:
        now = min(now, end_of_day(still_since, zone))
    if now > legal_due:
        return Risk.OVERDUE
    for days, risk in BUCKETS:
        if legal_due - now <= timedelta(days=days):
            return risk
    return Risk.ON_TRACK


def acting(clocks: Sequence[Clock]) -> Clock:
    """One clock for a request under several laws: each date is the earliest of all, so whoever keeps it keeps them all.

    It stands still only while all do.
    """
    if len(clocks) == 1:
        return clocks[0]
    running = [clock for clock in clocks if clock.still_since is None]
    by_law = min(running or clocks, key=lambda clock: clock.legal_due)
    acknowledge = [clock.acknowledge_by for clock in clocks if clock.acknowledge_by]
    notices = [clock.notice_by for clock in clocks if clock.notice_by]
    return by_law.model_copy(
        update={
            "internal_due": min(clock.internal_due for clock in clocks),
            "acknowledge_by": min(acknowledge, default=None),
            "notice_by": min(notices, default=None),
            "extended": any(clock.extended for clock in clocks),
        }
    )


def start_clock(
    regime: Regime, received_at: datetime, zone: str, holidays: AnyOf[date] = (), right: Right | None = None
) -> Clock:
    """Resolve the dates of a request received at an instant (`rights.reckoning` has the arithmetic).

    Raises:
        ValueError: the regime counts in hours, from which no day follows; none that is enabled does.
    """
    dates = reckon(regime, Events(local_day(received_at, zone)), holidays, right)
    if dates.legal_due is None or dates.internal_due is None:
        raise ValueError("a request that was just received has a due date")
    blank = Clock(
        regime=regime.regime,
        ruleset=regime.digest,
        zone=zone,
        holidays=tuple(sorted(holidays)),
        received_at=received_at.astimezone(UTC),
        internal_due=end_of_day(dates.internal_due, zone),
        legal_due=end_of_day(dates.legal_due, zone),
    )
    return resolve(blank, dates)


def resolve(
    clock: Clock,
    dates: Dates,
    *,
    acknowledged: bool = False,
    extended: bool = False,
    until: datetime | None = None,
    asked: date | None = None,
) -> Clock:
    """A clock with the dates that were reckoned; where there are none, since it stands still from the day `asked`,
    those it had. `until` is the day that a notice of extension has named."""
    zone = clock.zone
    legal, internal = dates.legal_due, dates.internal_due
    if extended:
        legal, internal = dates.extended_legal_due or legal, dates.extended_internal_due or internal
    notice = dates.extension_notice_by
    internally = until or (end_of_day(internal, zone) if internal else clock.internal_due)
    return clock.model_copy(
        update={
            "legal_due": until or (end_of_day(legal, zone) if legal else clock.legal_due),
            "internal_due": min(internally, clock.received_at + clock.within) if clock.within else internally,
            "notice_by": end_of_day(notice, zone) if notice and not extended else None,
            "acknowledge_by": end_of_day(dates.acknowledge_by, zone)
            if dates.acknowledge_by and not acknowledged
            else None,
            "extended": extended,
            "still_since": None if legal else asked,
        }
    )


def end_of_day(day: date, zone: str) -> datetime:
    """23:59:59 of a local day, as UTC; the second one, where clocks are put back at midnight."""
    ends = (datetime.combine(day, time(23, 59, 59, fold=fold), ZoneInfo(zone)) for fold in (0, 1))
    return max(one.astimezone(UTC) for one in ends)
