"""An erasure is taken back while it is under way: it stops at the next fence, and the answer tells what was gone."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from starter.stack import Postgres, Temporal
from tests.stories.test_answer import habeas as habeas
from tests.stories.test_answer import typed
from tests.stories.test_apart import Branch
from tests.world import ROWS, World, dump, shop_map

SHOPS = ("branch", "store")


@pytest.fixture
def shops(postgres: Postgres) -> Iterator[dict[str, Branch]]:
    """Two further shops, each in a database of its own."""
    names = {name: f"taken_back_{name}" for name in SHOPS}
    for database in names.values():
        postgres.create_database(database)
    try:
        made = {name: Branch(postgres, database) for name, database in names.items()}
        for shop in made.values():
            shop.open()
        yield made
    finally:
        for database in names.values():
            postgres.drop_database(database)


@pytest.fixture
def world(home: Path, postgres: Postgres, temporal_server: Temporal, shops: dict[str, Branch]) -> Iterator[World]:
    """Three shops, of which each feeds the next, so that they are erased one after the other."""
    maps = {
        "shop": shop_map(extra="feeds: [branch]"),
        "branch": shop_map(system="branch", env="TEST_BRANCH", extra="feeds: [store]"),
        "store": shop_map(system="store", env="TEST_STORE"),
    }
    with World(home, postgres, temporal_server, maps=maps) as world:
        world.environment |= {f"TEST_{name.upper()}": shop.dsn for name, shop in shops.items()}
        yield world


@pytest.mark.soak
@pytest.mark.parametrize("goes", [True, False], ids=["the call under way ends", "the call under way is kept out"])
def test_what_is_taken_back_stops_at_the_next_fence_and_the_answer_says_what_was_gone(
    world: World, shops: dict[str, Branch], habeas: CliRunner, goes: bool
) -> None:
    held = {"shop": len_of(world.shop), **{name: shop.left() for name, shop in shops.items()}}
    world.start_worker()
    with psycopg.connect(shops["branch"].conninfo) as lock:
        # Somebody's transaction on the branch keeps the erasure there waiting, behind its fence.
        lock.execute("SELECT 1 FROM messages WHERE customer_id = 7 FOR UPDATE")
        request = world.open("erasure", [("email", "c7@shop.example")])
        world.wait(lambda: waiting(shops["branch"]), 60, "the erasure to wait for the lock")

        taken = typed(habeas, "withdraw", request)
        fences = fenced(world, request)
        if goes:
            lock.rollback()
        world.wait_closed(request)

    assert "1 call still in flight" in taken.stdout
    assert fences == {"shop", "branch"} == fenced(world, request)
    assert not world.query(
        "SELECT 1 FROM intents JOIN requests r ON r.id = request_id WHERE r.id = %s AND opened_at > withdrawn_at",
        request,
    )
    left = {"shop": len_of(world.shop), **{name: shop.left() for name, shop in shops.items()}}
    gone = {name: held[name] - left[name] for name in held}
    assert gone == {"shop": ROWS, "branch": ROWS if goes else 0, "store": 0}

    assert world.conclusion(request) == "withdrawn"
    said = json.loads(typed(habeas, "answer", request, "--json").stdout)
    assert said["text"][1] == "You have taken it back; below is what had been done by then."
    assert {one["system"]: one["erased"] for one in said["systems"]} == gone
    lines = {line.split(":")[0].removeprefix("- "): line for line in said["text"] if line.startswith("- ")}
    for name, rows in gone.items():
        assert (f"{rows} records" in lines[name] and "erased" in lines[name]) == bool(rows), lines
        assert rows or "not done (18 records found)" in lines[name], lines


def waiting(shop: Branch) -> bool:
    """Whether a session waits for a lock in a shop, by the server's own word."""
    with psycopg.connect(shop.conninfo, autocommit=True) as door:
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return door.execute(query).fetchone() is not None


def fenced(world: World, request: str) -> set[str]:
    """The systems in which a destructive call was let through, by the back door."""
    return {name for (name,) in world.query("SELECT system FROM intents WHERE request_id = %s", request)}


def len_of(conninfo: str) -> int:
    """All rows of a shop."""
    return sum(map(len, dump(conninfo).values()))
