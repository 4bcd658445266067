"""A ledger per test, and a back door into its tables."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger import schema
from ledger.checkpoints import Checkpoints, new_signing_key
from ledger.keys import FileKeys, KeyProvider
from ledger.ledger import Ledger, connect
from starter.stack import Postgres
from tests.conftest import Database
from tests.ledger.builders import BACKUPS

_numbers = itertools.count(1)

Door = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement on a connection that is not the ledger's; the rows."""


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A database with the ledger's tables, to be copied."""
    name = "ledger_template"
    postgres.create_database(name)
    schema.upgrade(postgres.dsn(name))
    return name


@pytest.fixture
def tables(postgres: Postgres, template: str) -> Iterator[Database]:
    """A fresh database with the ledger's tables."""
    name = f"ledger_{next(_numbers)}"
    postgres.create_database(name, template=template)
    yield Database(name, postgres.dsn(name), postgres.conninfo(name))
    postgres.drop_database(name)


@pytest.fixture
def door(tables: Database) -> Iterator[Door]:
    """The back door."""
    with psycopg.connect(tables.conninfo, autocommit=True) as connection:

        def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def keys(tmp_path: Path) -> FileKeys:
    """Key-encryption keys in files."""
    return FileKeys(tmp_path / "keys")


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    """A file of signed checkpoints."""
    return Checkpoints.open(tmp_path / "checkpoints.jsonl", new_signing_key())


@pytest.fixture
def make_ledger(keys: KeyProvider, checkpoints: Checkpoints) -> Iterator[Callable[..., Ledger]]:
    """Builds ledgers, as further processes would have them, and closes their connections."""
    made: list[Ledger] = []

    def make(url: str, *, tenant: str = "main", keys: KeyProvider = keys, pool_size: int = 8) -> Ledger:
        engine = connect(url, pool_size=pool_size)
        made.append(Ledger(engine, tenant, keys, backup_max_age=BACKUPS, checkpoints=checkpoints))
        return made[-1]

    yield make
    for ledger in made:
        ledger.close_connections()


@pytest.fixture
def ledger(make_ledger: Callable[..., Ledger], tables: Database) -> Ledger:
    """A ledger on fresh tables."""
    return make_ledger(tables.url)
