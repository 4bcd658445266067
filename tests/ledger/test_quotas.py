"""What a system allows is never passed, in any window, and turns are fair."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ledger.ledger import Ledger
from tests.ledger.conftest import Door

NONE = timedelta(0)
HOUR = timedelta(hours=1)
PATIENCE = timedelta(seconds=5)


def take(
    ledger: Ledger, key: str, cost: int = 1, *, limit: int = 3, window: timedelta = HOUR, block: int = 0
) -> timedelta:
    return ledger.take_turn("crm/calls", key, cost, block or cost, limit, window, PATIENCE)


def most_in_a_window(door: Door, window: timedelta) -> int:
    """The most units in any window, by the table itself; uses that were put off count at their time."""
    (most,) = door(
        "SELECT max((SELECT sum(b.cost) FROM quota_uses b WHERE b.name = a.name AND b.tenant = a.tenant "
        "AND b.at > a.at - %s AND b.at <= a.at)) FROM quota_uses a",
        window,
    )[0]
    return int(most)


def test_what_is_allowed_is_given_at_once_and_the_next_has_to_wait(ledger: Ledger) -> None:
    assert [take(ledger, f"step {n}") for n in range(3)] == [NONE] * 3
    assert timedelta(minutes=59) < take(ledger, "step 3") <= HOUR


def test_turns_come_in_the_order_in_which_they_were_asked_for(ledger: Ledger, door: Door) -> None:
    keys = [f"step {n}" for n in range(9)]
    waits = [take(ledger, key) for key in keys]

    assert [key for (key,) in door("SELECT key FROM quota_uses ORDER BY at, id")] == keys
    assert waits[6] > HOUR
    assert most_in_a_window(door, HOUR) == 3


def test_a_turn_that_is_kept_is_found_again_and_drawn_once(ledger: Ledger, door: Door) -> None:
    for number in range(3):
        take(ledger, f"step {number}")
    take(ledger, "late", block=2)
    assert take(ledger, "late") > NONE
    assert door("SELECT count(*) FROM quota_uses WHERE key = 'late'") == [(1,)]

    door("UPDATE quota_uses SET at = at - interval '2 hours'")

    assert [take(ledger, "late") for _ in range(2)] == [NONE, NONE]
    assert door("SELECT units_left FROM quota_uses WHERE key = 'late' AND cost = 2") == [(0,)]


@pytest.mark.parametrize(("limit", "costs"), [(1, [1] * 6), (5, [2, 3, 1, 5, 4, 2]), (14, [8, 1, 8, 1, 8, 1])])
def test_no_window_has_more_than_is_allowed(ledger: Ledger, door: Door, limit: int, costs: list[int]) -> None:
    for number, cost in enumerate(costs):
        take(ledger, f"step {number}", cost, limit=limit)

    assert most_in_a_window(door, HOUR) <= limit


def test_many_at_once_get_no_more_than_is_allowed(ledger: Ledger, door: Door) -> None:
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda n: take(ledger, f"step {n}", limit=5), range(24)))

    assert waits.count(NONE) == 5
    assert most_in_a_window(door, HOUR) == 5


def test_names_are_counted_apart_and_too_much_is_refused(ledger: Ledger) -> None:
    for number in range(3):
        take(ledger, f"step {number}")
    assert ledger.take_turn("crm/exports", "step", 1, 1, 3, HOUR, PATIENCE) == NONE
    with pytest.raises(ValueError, match="more than is ever allowed"):
        take(ledger, "step", 4)
