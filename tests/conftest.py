"""What every test may ask for: real servers, and a database of its own.

The rule kept: tests share servers, never data. A server is started once per process, and only
when a test asks for it.
"""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from starter.stack import Postgres, Temporal
from tests.fakes.watched import Watched, differences

# As a deployment registers them; a missing one makes a workflow fail its first task for ever.
SEARCH_ATTRIBUTES: Final = {
    "HabeasRight": "Keyword",
    "HabeasRegime": "KeywordList",
    "HabeasPhase": "Keyword",
    "HabeasWaitingOn": "Keyword",
    "HabeasTenant": "Keyword",
    "HabeasDueAt": "Datetime",
    "HabeasLegalDueAt": "Datetime",
    "HabeasRisk": "Keyword",
}

# How fast a machine is is no promise of ours: a busy one fails no property. In CI what is tried is the same each time,
# so that a change is judged by what it changes; everywhere else it is new each time.
settings.register_profile(
    "habeas", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("habeas")

collect_ignore = ["stranger"]
"""A package of its own, with its own tests: test_stranger.py installs it and runs them."""

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How large the storm of tests/faults is, which pictures are made, and from which release is upgraded."""
    group = parser.getgroup("storm", "random faults over a mixed load (tests/faults/test_storm.py)")
    group.addoption("--storm-requests", type=int, default=40, help="requests of the load [%(default)s]")
    group.addoption("--storm-faults", type=int, default=150, help="faults [%(default)s]")
    group.addoption(
        "--storm-seed", type=int, default=0, help="the seed that a storm printed; 0: a new one, in CI the same one"
    )

    pages = parser.getgroup("pages", "the Temporal Web UI in a browser (tests/stories/test_temporal_ui.py)")
    pages.addoption("--screenshots", action="store_true", help="write docs/screenshots anew")

    upgrades = parser.getgroup("upgrade", "an upgrade under living requests (tests/deploy/test_topology.py)")
    upgrades.addoption(
        "--previous-release",
        type=Path,
        metavar="DIR",
        help="a checkout of the release to upgrade from, run by its own .venv if it has one, else with our packages "
        "[this release under another build id]",
    )
    upgrades.addoption(
        "--and-back",
        action="store_true",
        help="try to go back to that release, too, with what the new one has received and begun",
    )


def pytest_collection_finish() -> None:
    """Ten thousand tests stay until the end: they are not gone through again whenever garbage is looked for, which took
    a quarter of the time of tests without servers."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Database:
    """An empty database: `url` is for SQLAlchemy, `conninfo` for psycopg."""

    name: str
    url: str
    conninfo: str


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session; take `database` unless the server itself is meant.

    It is shared: a test that stops or kills a server starts its own.
    """
    with Postgres(durable=False) as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A fresh, empty database, dropped afterwards with whatever sessions are left in it."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name)
    yield Database(name, postgres.dsn(name), postgres.conninfo(name))
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[Temporal]:
    """A Temporal server in memory for the session; ids and task queues must be the test's own."""
    with Temporal(search_attributes=SEARCH_ATTRIBUTES) as server:
        yield server


@pytest.fixture(scope="session")
def vendors_process() -> Iterator[Watched]:
    """The vendors' fake for the session; take `vendors`."""
    with Watched() as running:
        yield running


@pytest.fixture
def vendors(vendors_process: Watched) -> Iterator[Watched]:
    """The vendors' fake, begun anew. Afterwards all that our connectors asked of it, and it answered, is compared
    with the vendors' documents."""
    vendors_process.reset()
    yield vendors_process
    vendors_process.clear_faults()
    assert differences(vendors_process.judged()) == []
