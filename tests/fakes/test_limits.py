"""An allowance is never overspent, and the wait that is named is enough and not too long."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starter.stack.vendors.clock import Clock, Limits, whole_seconds


def frozen() -> Clock:
    clock = Clock()
    clock.freeze(True)
    return clock


@given(
    limit=st.integers(1, 5),
    per_s=st.sampled_from([1, 2, 60]),
    steps=st.lists(st.integers(0, 3_000), max_size=60),
    cost=st.integers(1, 3),
)
def test_no_window_has_more_than_the_limit(limit: int, per_s: int, steps: list[int], cost: int) -> None:
    clock = frozen()
    limits = Limits(clock, {})
    admitted: list[float] = []
    for step in steps:
        clock.advance(f"PT{step / 1000}S")
        if limits.wait("calls", limit, per_s, cost) == 0:
            admitted.append(clock.now().timestamp())
    for end in admitted:
        assert sum(cost for at in admitted if end - per_s < at <= end) <= limit


@given(limit=st.integers(2, 6), steps=st.lists(st.integers(0, 900), min_size=1, max_size=30), cost=st.integers(1, 2))
def test_after_the_wait_it_works(limit: int, steps: list[int], cost: int) -> None:
    clock = frozen()
    limits = Limits(clock, {})
    for step in steps:
        clock.advance(f"PT{step / 1000}S")
        if limits.wait("calls", limit, 60, cost):
            break
    wait = limits.wait("calls", limit, 60, cost)
    if wait:
        assert wait <= 60
        clock.advance(f"PT{whole_seconds(wait)}S")
        assert limits.wait("calls", limit, 60, cost) == 0


@pytest.mark.parametrize("hour", ["00:30", "12:00", "23:30"])
def test_a_daily_allowance_begins_anew_at_midnight_there(hour: str) -> None:
    zone = "America/Los_Angeles"
    clock = frozen()
    local = clock.now().astimezone(ZoneInfo(zone))
    target = datetime.fromisoformat(f"{local.date() + timedelta(days=1)}T{hour}").replace(tzinfo=ZoneInfo(zone))
    clock.advance(f"PT{(target - clock.now()).total_seconds()}S")
    limits = Limits(clock, {})
    assert [limits.wait_for_day("calls", 2, zone) for _ in range(2)] == [0, 0]
    wait = limits.wait_for_day("calls", 2, zone)
    assert 0 < wait <= 25 * 3600
    clock.advance(f"PT{wait - 1}S")
    assert limits.wait_for_day("calls", 2, zone) > 0
    clock.advance("PT1S")
    assert limits.wait_for_day("calls", 2, zone) == 0
