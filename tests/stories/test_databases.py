"""A person's data lies in a MariaDB, or in a file of SQLite: the whole engine, and the same answer."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.world import ROWS, World, shop_map

PEOPLE = 12
TABLES = {
    "customers": "id bigint PRIMARY KEY, email varchar(200), full_name text, phone text",
    "addresses": "id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers (id), street text",
    "orders": (
        "id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers (id), note text, created_at date"
    ),
    "items": "id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders (id), gift text",
    "messages": "id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers (id), body text",
}
Run = Callable[[str], list[tuple[Any, ...]]]


def fill(run: Run) -> None:
    """The shop of `tests.world`, by hand."""
    for name, columns in TABLES.items():
        run(f"CREATE TABLE {name} ({columns})")
    for c in range(1, PEOPLE + 1):
        run(f"INSERT INTO customers VALUES ({c}, 'C{c}@shop.example', 'Person {c}', '+49{c}')")
        for k in range(1, 4):
            run(f"INSERT INTO addresses VALUES ({(c - 1) * 3 + k}, {c}, 'Street {c}')")
        for k in range(1, 5):
            order = (c - 1) * 4 + k
            run(f"INSERT INTO orders VALUES ({order}, {c}, 'note {c}', '2020-01-01')")
            for g in range(1, 3):
                run(f"INSERT INTO items VALUES ({(order - 1) * 2 + g}, {order}, 'For {c}')")
        for k in range(1, 3):
            run(f"INSERT INTO messages VALUES ({(c - 1) * 2 + k}, {c}, 'I am C{c}@shop.example')")


@pytest.fixture(params=[pytest.param("mariadb", marks=needs_mariadb), "sqlite"])
def place(request: pytest.FixtureRequest, home: Path) -> Iterator[tuple[str, Run]]:
    """The address of a filled shop, and a back door into it."""
    if request.param == "mariadb":
        with MariaDBServer() as server:
            server.create_database("shop")
            door = server.door("shop")

            def ask(statement: str) -> list[tuple[Any, ...]]:
                with door.cursor() as cursor:
                    cursor.execute(statement)
                    return list(cursor.fetchall())

            fill(ask)
            ask("ALTER DATABASE shop COMMENT = 'habeas.environment=test'")
            yield f"mariadb://root:@127.0.0.1:{server.port}/shop", ask
            door.close()
    else:
        path = home / "shop.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as file:

            def read(statement: str) -> list[tuple[Any, ...]]:
                with closing(file.execute(statement)) as cursor:
                    return cursor.fetchall()

            read("PRAGMA journal_mode = WAL")
            fill(read)
            read("CREATE TABLE habeas_environment (environment TEXT)")
            read("INSERT INTO habeas_environment VALUES ('test')")
            yield f"sqlite:///{path}", read


@pytest.mark.soak
def test_this_person_goes_and_nobody_else(world: World, place: tuple[str, Run]) -> None:
    url, run = place
    world.environment["TEST_OTHER"] = os.environ["TEST_OTHER"] = url
    world.write_maps({"shop": shop_map(env="TEST_OTHER")})
    before = {name: set(run(f"SELECT * FROM {name}")) for name in TABLES}
    world.start_worker()

    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_closed(request)

    after = {name: set(run(f"SELECT * FROM {name}")) for name in TABLES}
    assert sum(len(before[name] - after[name]) for name in TABLES) == ROWS
    assert all(after[name] <= before[name] for name in TABLES)
    assert not any("7" in str(row[1]) and "C7@" in str(row) for rows in after.values() for row in rows)
    assert run("SELECT count(*) FROM orders WHERE customer_id = 7") == [(0,)]
    assert world.conclusion(request) == "answered"
    assert all(books.closed and not books.derived for books in world.books(request)["shop"])
