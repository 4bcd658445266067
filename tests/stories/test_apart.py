"""A system that cannot be looked into waits by itself: an erasure goes on in the others, and nothing is forgotten."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from starter.stack import Postgres, Temporal
from tests.world import ROWS, SHOP, World, dump, shop_map

ASKED = [("email", "c7@shop.example")]


class Branch:
    """A second shop, in a database of its own that its role may be shut out of."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self.name, self.conninfo, self.dsn = name, postgres.conninfo(name), postgres.dsn(name)
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(SHOP.format(people=20))
            connection.execute(f"ALTER DATABASE {name} SET habeas.environment = 'test'")
        self.shut()

    def run(self, statement: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement)

    def shut(self) -> None:
        self.run("ALTER TABLE messages RENAME TO mail")

    def open(self) -> None:
        self.run("ALTER TABLE mail RENAME TO messages")

    def left(self) -> int:
        return sum(map(len, dump(self.conninfo).values()))


@pytest.fixture
def branch(postgres: Postgres) -> Iterator[Branch]:
    postgres.create_database("branch_apart")
    try:
        yield Branch(postgres, "branch_apart")
    finally:
        postgres.drop_database("branch_apart")


@pytest.fixture
def apart(home: Path, postgres: Postgres, temporal_server: Temporal, branch: Branch) -> Iterator[World]:
    """A shop, and a branch whose map does not fit it at first."""
    maps = {"shop": shop_map(), "branch": shop_map(system="branch", env="TEST_BRANCH")}
    with World(home, postgres, temporal_server, maps=maps) as world:
        yield world


@pytest.mark.soak
def test_the_others_are_erased_and_the_one_follows_when_it_can(apart: World, branch: Branch) -> None:
    before, there = dump(apart.shop), branch.left()
    apart.start_worker(TEST_BRANCH=branch.dsn)
    request = apart.open("erasure", ASKED)
    task = apart.wait_task(request, "schema")
    apart.wait(lambda: _gone(apart, before) == ROWS, 30, "the shop to be erased")
    assert branch.left() == there
    assert apart.phase(request) != "closed", "it is not over while one is open"

    branch.open()
    apart.rule(request, task, "retry")
    apart.wait_closed(request)
    assert apart.conclusion(request) == "answered"
    assert there - branch.left() == ROWS
    assert _gone(apart, before) == ROWS


@pytest.mark.soak
def test_a_copy_is_not_erased_before_what_fills_it_was_looked_into(apart: World, branch: Branch) -> None:
    apart.write_maps(
        {"shop": shop_map(), "branch": shop_map(system="branch", env="TEST_BRANCH", extra="feeds: [shop]")}
    )
    before = dump(apart.shop)
    apart.start_worker(TEST_BRANCH=branch.dsn)
    request = apart.open("erasure", ASKED)
    task = apart.wait_task(request, "schema")
    apart.wait(lambda: len(apart.query("SELECT 1 FROM plans WHERE request_id = %s", request)) > 0, 30, "a plan")
    time.sleep(2)  # more than an erasure that is free to go takes
    assert _gone(apart, before) == 0

    branch.open()
    apart.rule(request, task, "retry")
    apart.wait_closed(request)
    assert _gone(apart, before) == ROWS


@pytest.mark.soak
def test_giving_one_up_lets_the_copy_go(apart: World, branch: Branch) -> None:
    apart.write_maps(
        {"shop": shop_map(), "branch": shop_map(system="branch", env="TEST_BRANCH", extra="feeds: [shop]")}
    )
    before = dump(apart.shop)
    apart.start_worker(TEST_BRANCH=branch.dsn)
    request = apart.open("erasure", ASKED)
    apart.rule(request, apart.wait_task(request, "schema"), "give_up")
    apart.wait_closed(request)
    assert _gone(apart, before) == ROWS
    assert apart.conclusion(request) != "answered", "what was not looked into is not called empty"


@pytest.mark.soak
def test_a_lost_run_goes_on_without_the_one_again(apart: World, branch: Branch) -> None:
    before = dump(apart.shop)
    apart.start_worker(TEST_BRANCH=branch.dsn)
    request = apart.open("erasure", ASKED)
    task = apart.wait_task(request, "schema")
    apart.wait(lambda: _gone(apart, before) == ROWS, 30, "the shop to be erased")
    apart.workers[0].kill()
    apart.workers[0].wait()
    apart.start_worker(TEST_BRANCH=branch.dsn)
    branch.open()
    apart.rule(request, task, "retry")
    apart.wait_closed(request)
    assert apart.conclusion(request) == "answered"


@pytest.mark.soak
def test_a_withdrawal_ends_what_was_late(apart: World, branch: Branch) -> None:
    apart.start_worker(TEST_BRANCH=branch.dsn)
    request = apart.open("erasure", ASKED)
    apart.wait_task(request, "schema")
    apart.ledger.withdraw(request, at=apart.now())
    apart.wait_closed(request)
    assert apart.conclusion(request) == "withdrawn"


def _gone(world: World, before: dict[str, set[str]]) -> int:
    return sum(map(len, before.values())) - sum(map(len, dump(world.shop).values()))
