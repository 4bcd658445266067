"""Fixtures for tests that hold on every kind of database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_anywhere import Make, OnMariaDB, OnPostgreSQL, OnSQLite


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture
def on_postgresql(database: Database) -> Iterator[Make]:
    with closing(Make(OnPostgreSQL, database)) as make:
        yield make


@pytest.fixture
def on_mariadb(mariadb_server: MariaDBServer) -> Iterator[Make]:
    with closing(Make(OnMariaDB, mariadb_server)) as make:
        yield make


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Make]:
    with closing(Make(OnSQLite, tmp_path)) as make:
        yield make


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=[needs_mariadb, pytest.mark.soak]), "sqlite"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes databases of one kind."""
    made: Make = request.getfixturevalue(f"on_{request.param}")
    return made
