"""kill -9 of a worker at every boundary of an erasure and inside every fence, then a new worker."""

import pytest

from tests.world import ROWS, World, dump

QUICK = ("begin", "locate", "erase", "verify", "close")
PLACES = [
    *(f"{when}:{name}" for name in QUICK for when in ("before", "after")),
    "fence:enter",
    "fence:inside",
    "fence:done",
    "fence:left",
]

# The shortest wait that shows the most: the target is committed, the ledger does not know it.
IN_MAKE_TEST = {"fence:done"}


@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=() if p in IN_MAKE_TEST else pytest.mark.soak) for p in PLACES]
)
def test_killed_there_the_request_finishes_with_exact_books(world: World, place: str) -> None:
    before = dump(world.shop)
    doomed = world.start_worker(trip=place)
    request = world.open("erasure", [("email", "c7@shop.example")])
    assert doomed.wait(180) == -9, world.log
    world.start_worker()
    world.wait_closed(request, 90)

    after = dump(world.shop)
    assert sum(map(len, before.values())) - sum(map(len, after.values())) == ROWS
    assert all(after[table] <= before[table] for table in before)
    settled = world.query("SELECT key FROM entries WHERE request_id = %s AND kind = 'settled'", request)
    assert len(settled) == len(set(settled)) == 1
    books = world.books(request)["shop"]
    assert sum(b.before for b in books) == ROWS
    assert sum(b.erased for b in books) == ROWS
    assert sum(b.arrived for b in books) == sum(b.after for b in books) == 0
    assert world.conclusion(request) == "answered"
    # Only a call whose own count was lost may have been counted by looking.
    assert any(b.derived for b in books) == (place in {"fence:inside", "fence:done"})


@pytest.mark.soak
@pytest.mark.parametrize("place", ["before:export", "after:export", "before:package", "after:package"])
def test_killed_there_an_access_still_delivers_everything(world: World, place: str) -> None:
    doomed = world.start_worker(trip=place)
    request = world.open("access", [("email", "c7@shop.example")])
    assert doomed.wait(180) == -9, world.log
    world.start_worker()
    world.wait_closed(request, 90)

    assert world.conclusion(request) == "answered"
    assert world.parcel_rows(request)["shop/items.jsonl"] == 8
