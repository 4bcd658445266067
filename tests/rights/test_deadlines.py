"""A month is a month of the calendar, a term that ends on a holiday ends later, and the clock rings at each change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.deadlines import Clock, Risk, start_clock
from rights.regimes import regime

GDPR = regime("eu-gdpr")
MOMENTS = st.integers(1_577_836_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ZONES = st.sampled_from(["Europe/Berlin", "Europe/Dublin", "Atlantic/Azores", "America/Los_Angeles", "UTC"])


def _local(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-03-03T10:00:00+01:00", date(2026, 4, 3)),  # a Friday
        ("2026-01-30T10:00:00+01:00", date(2026, 3, 2)),  # 28 February is a Saturday
        ("2026-01-31T23:30:00+01:00", date(2026, 3, 2)),
        ("2026-01-31T23:30:00+00:00", date(2026, 3, 2)),  # in Berlin it is 1 February, and 1 March a Sunday
        ("2028-01-31T10:00:00+01:00", date(2028, 2, 29)),  # a Tuesday
    ],
)
def test_a_month_ends_on_the_same_day_or_the_last_or_the_next_working_day(received: str, due: date) -> None:
    clock = start_clock(GDPR, datetime.fromisoformat(received), "Europe/Berlin")

    assert _local(clock.legal_due, "Europe/Berlin").date() == due


def test_holidays_move_the_end() -> None:
    received = datetime(2026, 3, 3, 9, tzinfo=UTC)
    easter = [date(2026, 4, 3), date(2026, 4, 6)]

    clock = start_clock(GDPR, received, "Europe/Berlin", easter)

    assert _local(clock.legal_due, "Europe/Berlin").date() == date(2026, 4, 7)
    assert _local(clock.internal_due, "Europe/Berlin").date() == date(2026, 4, 2)


@given(MOMENTS, ZONES, st.sets(st.dates(date(2020, 1, 1), date(2040, 12, 31)), max_size=20))
def test_dates_are_working_days_and_end_with_the_local_day(received: datetime, zone: str, holidays: set[date]) -> None:
    clock = start_clock(GDPR, received, zone, holidays)

    for due in (clock.internal_due, clock.legal_due):
        local = _local(due, zone)
        assert local.weekday() < 5
        assert local.date() not in holidays
        assert (local.hour, local.minute, local.second) == (23, 59, 59)
    assert clock.internal_due <= clock.legal_due
    assert clock.legal_due > received


@given(MOMENTS, ZONES, st.timedeltas(timedelta(days=-1), timedelta(days=60)))
def test_the_next_change_is_the_very_next(received: datetime, zone: str, later: timedelta) -> None:
    clock = start_clock(GDPR, received, zone)
    now = received + later

    change = clock.next_change(now)

    if change is None:
        assert clock.risk(now) is Risk.OVERDUE
    else:
        assert change > now
        assert clock.risk(change) is not clock.risk(now)
        assert clock.risk(change - timedelta(seconds=1, microseconds=1)) is clock.risk(now) or change - now < timedelta(
            seconds=2
        )


@pytest.mark.parametrize(
    ("before", "risk"),
    [
        (timedelta(days=14, seconds=1), Risk.ON_TRACK),
        (timedelta(days=14), Risk.DUE_14D),
        (timedelta(days=7), Risk.DUE_7D),
        (timedelta(days=3), Risk.DUE_3D),
        (timedelta(days=1), Risk.DUE_1D),
        (timedelta(0), Risk.DUE_1D),
        (timedelta(microseconds=-1), Risk.OVERDUE),
    ],
)
def test_the_risk_is_how_near_the_legal_date_is(before: timedelta, risk: Risk) -> None:
    clock = start_clock(GDPR, datetime(2026, 3, 3, 9, tzinfo=UTC), "UTC")

    assert clock.risk(clock.legal_due - before) is risk


def test_once_overdue_nothing_changes_any_more() -> None:
    clock = start_clock(GDPR, datetime(2026, 3, 3, 9, tzinfo=UTC), "UTC")

    assert clock.next_change(clock.legal_due + timedelta(microseconds=1)) is None


@given(MOMENTS, ZONES)
def test_a_clock_is_written_down_whole(received: datetime, zone: str) -> None:
    clock = start_clock(GDPR, received, zone, [date(2026, 4, 3)])

    assert Clock.model_validate_json(clock.model_dump_json()) == clock


def test_a_clock_names_the_rules_it_was_computed_from() -> None:
    clock = start_clock(GDPR, datetime(2026, 3, 3, tzinfo=UTC), "UTC")

    assert (clock.regime, clock.ruleset) == ("eu-gdpr", GDPR.digest)
    assert len(GDPR.digest) == 64


def test_a_regime_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        regime("martian")
