"""The end of a local day is that day's, where clocks are turned, where a day is left out, and on 29 February."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.clockwork import ClockEvent, Turn, turned
from rights.deadlines import BUCKETS, Risk, end_of_day, start_clock
from rights.reckoning import local_day
from rights.regimes import SHIPPED, regime
from rights.request import Right

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # turned by half an hour
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Kiritimati",  # had no 31 December 1994; 14 hours before UTC
    "Pacific/Pago_Pago",
    "America/Santiago",  # turned at midnight, so that a day begins at one
    "Africa/Cairo",
    "Asia/Kathmandu",
    "UTC",
)
ENABLED = sorted(name for name in SHIPPED if regime(name).enabled)


@pytest.mark.parametrize(
    ("day", "zone", "ends"),
    [
        (date(2026, 3, 28), "Europe/Berlin", "2026-03-28T22:59:59Z"),
        (date(2026, 3, 29), "Europe/Berlin", "2026-03-29T21:59:59Z"),  # 23 hours
        (date(2026, 10, 24), "Europe/Berlin", "2026-10-24T21:59:59Z"),
        (date(2026, 10, 25), "Europe/Berlin", "2026-10-25T22:59:59Z"),  # 25 hours
        (date(2026, 10, 3), "Australia/Lord_Howe", "2026-10-03T13:29:59Z"),
        (date(2026, 10, 4), "Australia/Lord_Howe", "2026-10-04T12:59:59Z"),  # 23 hours and a half
        (date(2026, 4, 5), "Australia/Lord_Howe", "2026-04-05T13:29:59Z"),  # 24 hours and a half
        (date(2011, 12, 29), "Pacific/Apia", "2011-12-30T09:59:59Z"),
        (date(2011, 12, 31), "Pacific/Apia", "2011-12-31T09:59:59Z"),  # the day after the 29th
        (date(2024, 4, 6), "America/Santiago", "2024-04-07T03:59:59Z"),  # its last hour comes twice
        (date(2026, 9, 5), "America/Santiago", "2026-09-06T03:59:59Z"),  # the next day begins at one
        (date(2028, 2, 29), "Pacific/Kiritimati", "2028-02-29T09:59:59Z"),
    ],
)
def test_a_day_ends_when_the_clocks_of_its_place_say_so(day: date, zone: str, ends: str) -> None:
    assert end_of_day(day, zone) == datetime.fromisoformat(ends)


@pytest.mark.parametrize(
    ("law", "received", "zone", "due"),
    [
        ("eu-gdpr", "2028-02-29T23:30:00+01:00", "Europe/Berlin", date(2028, 3, 29)),
        (
            "eu-gdpr",
            "2028-02-29T23:30:00+00:00",
            "Europe/Berlin",
            date(2028, 4, 3),
        ),  # 1 March there; 1 April a Saturday
        ("eu-gdpr", "2028-01-29T12:00:00+01:00", "Europe/Berlin", date(2028, 2, 29)),
        ("eu-gdpr", "2027-01-29T12:00:00+01:00", "Europe/Berlin", date(2027, 3, 1)),  # 28 February is a Sunday
        ("us-va", "2028-02-29T12:00:00-05:00", "America/New_York", date(2028, 4, 14)),
        ("us-va", "2028-01-15T12:00:00-05:00", "America/New_York", date(2028, 2, 29)),
        ("us-va", "2027-01-15T12:00:00-05:00", "America/New_York", date(2027, 3, 1)),
        # The same instant is another day elsewhere, and the term begins with it.
        ("us-va", "2026-03-01T10:30:00Z", "Pacific/Kiritimati", date(2026, 4, 16)),
        ("us-va", "2026-03-01T10:30:00Z", "Pacific/Pago_Pago", date(2026, 4, 14)),
        # Over the day that Samoa left out: a day of the calendar still.
        ("us-va", "2011-12-29T12:00:00-10:00", "Pacific/Apia", date(2012, 2, 12)),
        # Clocks are turned within the term, by an hour and by half of one.
        ("us-va", "2026-02-15T23:59:59-05:00", "America/New_York", date(2026, 4, 1)),
        ("us-va", "2026-09-01T00:00:00+10:30", "Australia/Lord_Howe", date(2026, 10, 16)),
    ],
)
def test_terms_count_the_days_of_the_place(law: str, received: str, zone: str, due: date) -> None:
    clock = start_clock(regime(law), datetime.fromisoformat(received), zone)

    assert clock.legal_due.astimezone(ZoneInfo(zone)).date() == due
    assert clock.legal_due == end_of_day(due, zone)


def test_a_leap_day_counts_where_the_clock_stood_still() -> None:
    """Eleven days of waiting for an identity, the first and the last and 29 February among them, are eleven."""
    zone, law = "Europe/Berlin", regime("eu-gdpr")
    received = datetime(2028, 2, 24, 9, tzinfo=UTC)
    later = datetime(2028, 12, 1, tzinfo=UTC)
    asked = ClockEvent(turn=Turn.IDENTITY_ASKED, day=date(2028, 2, 24))
    came = ClockEvent(turn=Turn.IDENTITY_RECEIVED, day=date(2028, 3, 5))

    clocks = (start_clock(law, received, zone),)
    assert local_day(clocks[0].legal_due, zone) == date(2028, 3, 24)
    still = turned(clocks, [law], [], asked, Right.ACCESS, later)
    going = turned(still, [law], [asked], came, Right.ACCESS, later)

    assert going[0].legal_due == end_of_day(
        date(2028, 4, 4), zone
    )  # 24 March and eleven days; the clocks are turned on the 26th
    assert going[0].legal_due.astimezone(ZoneInfo(zone)).time() == time(23, 59, 59)


@given(st.dates(date(2012, 1, 1), date(2040, 12, 31)), st.sampled_from(ZONES))
def test_the_second_after_the_end_of_a_day_is_the_next_day(day: date, zone: str) -> None:
    ends = end_of_day(day, zone)

    assert local_day(ends, zone) == day
    assert local_day(ends + timedelta(seconds=1), zone) == day + timedelta(days=1)


@given(
    st.integers(1_704_067_200, 2_240_611_199).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(ZONES),
    st.sampled_from(ENABLED),
)
def test_a_request_is_due_at_the_end_of_a_day_of_its_place_and_late_one_second_after(
    received: datetime, zone: str, law: str
) -> None:
    clock = start_clock(regime(law), received, zone)

    for due in filter(None, (clock.internal_due, clock.legal_due, clock.notice_by, clock.acknowledge_by)):
        assert due.astimezone(ZoneInfo(zone)).time() == time(23, 59, 59)
    assert clock.risk(clock.legal_due) is Risk.DUE_1D
    assert clock.risk(clock.legal_due + timedelta(seconds=1)) is Risk.OVERDUE
    # A bucket is of hours, whatever the clocks of the place do meanwhile.
    for days, risk in BUCKETS:
        assert clock.risk(clock.legal_due - timedelta(days=days)) is risk
    # Whoever received it earlier on the same day answers on the same day.
    day = local_day(received, zone)
    assert start_clock(regime(law), end_of_day(day, zone), zone).legal_due == clock.legal_due
