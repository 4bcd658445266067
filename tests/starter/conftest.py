"""A deployment as `habeas init` leaves it, with a ledger of its own, and the command run in it.

The rule kept: commands are given as a person types them, and what they did is read over a connection of the test's own.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from ledger import schema
from starter.cli import app
from starter.shop import map_text
from starter.stack import Postgres, free_port
from tests.conftest import Database

_numbers = itertools.count(1)
PERSON = "canary.quill@example.org"
"""An identity unlike any other text, so that a search for it finds every echo."""


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Deployment:
    """A directory with settings, keys and a data map, and its ledger."""

    home: Path
    database: Database

    def __call__(self, *arguments: str, given: str | bytes | None = None) -> Answer:
        """Run `habeas` in it, with `given` on standard input."""
        done = CliRunner().invoke(app, list(arguments), input=given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Answer(done.exit_code, done.stdout, done.stderr)

    def setting(self, name: str, value: object) -> None:
        """Change a line of habeas.toml, or take it out (None)."""
        file = self.home / "habeas.toml"
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name} =")]
        kept += [] if value is None else [f"{name} = {json.dumps(value)}"]
        file.write_text("\n".join(kept) + "\n")

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Ask the ledger's database directly."""
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            done = connection.execute(query.encode(), parameters)
            return done.fetchall() if done.description else []

    def everything(self) -> str:
        """All rows of all tables of the ledger, as one text."""
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            texts = []
            for (table,) in tables:
                query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
                texts += [str(row) for (row,) in connection.execute(query)]
        return "\n".join(texts)

    def open(self, *arguments: str, right: str = "erasure", email: str = PERSON) -> str:
        """Open a request; its id."""
        answer = self("request", "open", right, "--identities", "-", "--json", *arguments, given=f"email={email}")
        assert answer.code == 0, answer.err
        opened: str = answer.json["id"]
        return opened


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """A database with the ledger's tables, to be copied: a copy is made faster than tables are."""
    name = "starter_ledger"
    postgres.create_database(name)
    schema.upgrade(postgres.dsn(name))
    return name


@pytest.fixture
def ledger_database(postgres: Postgres, migrated: str) -> Iterator[Database]:
    """A ledger of the test's own, with tables and nothing in them."""
    name = f"starter_{next(_numbers)}"
    postgres.create_database(name, template=migrated)
    yield Database(name, postgres.dsn(name), postgres.conninfo(name))
    postgres.drop_database(name)


@pytest.fixture
def deployment(tmp_path: Path, ledger_database: Database, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A fresh deployment whose ledger is migrated; no Temporal answers, and no worker runs."""
    for name in os.environ:
        if name.startswith("HABEAS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Deployment(tmp_path, ledger_database)
    assert made("init").code == 0
    (tmp_path / "ledger-url").write_text(ledger_database.url)
    made.setting("ledger", "file:ledger-url")
    made.setting("temporal_address", f"127.0.0.1:{free_port()}")
    (tmp_path / "maps" / "example.yaml").unlink()
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for role in ("shop_reader", "shop_writer"):
        (secrets / role).write_text(ledger_database.url)
    (tmp_path / "maps" / "shop.yaml").write_text(map_text("observe"))
    return made


def one_sentence(text: str) -> bool:
    """Whether standard error is one line that a person can read: no traceback, no box."""
    return re.fullmatch(r"habeas: [^\n]{10,400}\n", text) is not None
