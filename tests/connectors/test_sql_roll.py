"""The list of everybody in a collection: whole, in whatever order keys come as text, and each row once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from connectors.protocol import Key
from connectors.rolls import Roll, Rolls
from connectors.sql import build
from rights.datamap import System
from rights.mapfile import read_map
from tests.conftest import Database

MAP = """
system: shop
owner: shop team
connector: sql
backups: none
mode: observe
connection: {reader: env:X}
collections:
  people:
    key: KEY
    fields: {id: {}, part: {}, email: {identity: email, category: contact}}
"""
ROWS = 137
"""Keys of one, two and three digits, of which 10 comes before 9 as a text."""
FILL = [(n, f"part {n % 3}", f"p{n}@example.org") for n in range(1, ROWS + 1)]


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with that many people."""
    table = "CREATE TABLE people (id integer, part text, email text, PRIMARY KEY (part, id))"
    if request.param == "sqlite":
        with closing(sqlite3.connect(tmp_path / "shop.db")) as file:
            file.execute(table)
            file.executemany("INSERT INTO people VALUES (?, ?, ?)", FILL)
            file.commit()
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    database: Database = request.getfixturevalue("database")
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute(table.encode())
        door.cursor().executemany("INSERT INTO people VALUES (%s, %s, %s)", FILL)
    yield database.url


@pytest.mark.parametrize("key", ["[id]", "[part, id]"])
@pytest.mark.parametrize("most", [1, 10, 137, 500])
def test_everybody_is_on_the_list_once(url: str, key: str, most: int) -> None:
    system = read_map({"shop.yaml": MAP.replace("KEY", key)}).systems["shop"]
    connector = build(system, {"reader": url})
    assert isinstance(connector, Rolls)
    with closing(connector.reader):
        found = everybody(connector, system, most)

    assert len(found) == ROWS
    assert set(found) == {email for _, _, email in FILL}


def everybody(connector: Rolls, system: System, most: int) -> list[str | None]:
    """The list, read to its end."""
    after: Key = ()
    found: list[str | None] = []
    over = False
    while not over:
        page = connector.roll(Roll(system, "people", ("email",), most, after))
        assert len(page.rows) <= most
        found += [row["email"] for row in page.rows]
        after, over = page.last, page.over
    return found
