"""Mentions in the reference connector, on SQLite and on MariaDB: the same texts are found, asked about and ruled on."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import Gate
from connectors.errors import NeedsHuman
from connectors.memory import build as memory
from connectors.protocol import Call, Connector, Erases, Exports, Pending, Rulings
from connectors.registry import SetupError, build
from rights.codes import Code
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.request import Right
from rights.subject import Identity
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_place import AS_OF, SESSION, counted, email
from tests.connectors.test_sql_mariadb import Shop as MariaDBShop
from tests.connectors.test_sql_sqlite import Shop as SQLiteShop

MAP = """
  customers:
    key: [id]
    fields: {id: {}, email: {identity: email}}
  messages:
    key: [id]
    fields: {id: {}, customer_id: {}, body: {category: free_text, search: true}}
    links: [{field: customer_id, to: customers.id}]
  notes:
    key: [shop, "no"]
    fields: {shop: {}, "no": {}, body: {category: free_text, search: true}}
"""
TABLES = """
CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(100));
CREATE TABLE messages (id bigint PRIMARY KEY, customer_id bigint, body text);
CREATE TABLE notes (shop varchar(10), no bigint, body text, PRIMARY KEY (shop, no))
"""
ANNA = email("anna@example.org")
ODD = "o'brien%_\\.*+?(x)[y]{2}^$|@example.org"
NOTES = [
    "anna@example.org", "ANNA@example.org.", '{"t": "Hi\\nanna@example.org"}', "?m=anna%40example.org",
    "joanna@example.org", "anna@example.organic", "anna_example.org", f"it was {ODD}",
]  # fmt: skip
NAMED = [1, 2, 3, 4]
"""The notes that name Anna."""
Put = Callable[[str, Sequence[tuple[object, ...]]], None]
Rows = Callable[[str], set[tuple[object, ...]]]


@dataclass
class Shop:
    """A shop on one engine: a connector, and a back door into it."""

    system: System
    connector: Connector
    put: Put
    rows: Rows

    def call(self, *identities: Identity, rulings: Rulings | None = None) -> Call:
        plan = make_plan(Right.ERASURE, DataMap.of({self.system.system: self.system}), AS_OF)
        return Call(
            "key", AS_OF, self.system, plan.of(self.system.system).works, identities, lambda: None, Gate(),
            rulings=rulings or Rulings(), environment="test", session=SESSION, pseudonym_key=b"key",
        )  # fmt: skip

    def asked(self, *identities: Identity, rulings: Rulings | None = None) -> list[tuple[str, ...]]:
        """The rows that a person is asked about once the erasure is done, each with its collection."""
        assert isinstance(self.connector, Erases)
        call = self.call(*identities, rulings=rulings)
        self.connector.erase(call)
        with pytest.raises(NeedsHuman) as caught:
            self.connector.verify(call)
        assert caught.value.code is Code.MENTIONS
        return [(one.collection, *one.key) for one in caught.value.candidates]


def fill(shop: Shop) -> Shop:
    shop.put("customers", [(1, "anna@example.org"), (2, "bob@example.org"), (3, ODD)])
    shop.put("messages", [(1, 1, "I am anna@example.org"), (2, 2, "ask Anna@Example.org"), (3, 2, None)])
    shop.put("notes", [("a", number, text) for number, text in enumerate(NOTES, start=1)])
    return shop


def in_memory() -> Shop:
    (system,) = read_map(
        {"m.yaml": f"system: shop\nowner: x\nconnector: memory\nbackups: none\ncollections:\n{MAP}"}
    ).systems.values()
    made = memory(system.model_copy(update={"options": {"environment": "test"}}), {})
    fields = {name: list(c.fields) for name, c in system.collections.items()}

    def put(name: str, rows: Sequence[tuple[object, ...]]) -> None:
        made.rows[name] += [dict(zip(fields[name], row, strict=True)) for row in rows]

    return Shop(system, made, put, lambda name: {tuple(row.values()) for row in made.rows[name]})


def on_sqlite(path: Path, **options: int) -> tuple[Shop, SQLiteShop]:
    mark = "CREATE TABLE habeas_environment (environment TEXT); INSERT INTO habeas_environment VALUES ('test');"
    made = SQLiteShop(path / "shop.db", mark + TABLES, MAP, **options)

    def put(name: str, rows: Sequence[tuple[object, ...]]) -> None:
        made.door.execute("BEGIN")
        made.door.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        made.door.execute("COMMIT")

    return Shop(made.system, made.connector, put, lambda name: set(made.rows(f"SELECT * FROM {name}"))), made


def on_mariadb(server: MariaDBServer, **options: int) -> tuple[Shop, MariaDBShop]:
    made = MariaDBShop(server, TABLES, MAP, **options)

    def put(name: str, rows: Sequence[tuple[object, ...]]) -> None:
        for row in rows:
            made.run(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", *row)

    return Shop(made.system, made.connector, put, lambda name: set(made.rows(f"SELECT * FROM {name}"))), made


@pytest.fixture(params=["memory", "sqlite", pytest.param("mariadb", marks=needs_mariadb)])
def shop(request: Any, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "memory":
        yield fill(in_memory())
    elif request.param == "sqlite":
        here, file = on_sqlite(tmp_path)
        yield fill(here)
        file.door.close()
    else:
        with MariaDBServer() as server:
            there, database = on_mariadb(server)
            yield fill(there)
            database.close()


def test_mentions_are_counted_and_asked_about_and_nothing_of_them_is_touched(shop: Shop) -> None:
    before = shop.rows("notes")
    look = shop.connector.locate(shop.call(ANNA))
    assert counted(look.tally, "found") == {"customers": 1, "messages": 1}
    assert counted(look.tally, "mentions") == {"messages": 1, "notes": 4}

    assert shop.asked(ANNA) == [("messages", "2"), *(("notes", "a", str(number)) for number in NAMED)]

    assert shop.rows("notes") == before
    assert {row[0] for row in shop.rows("messages")} == {2, 3}


def test_what_looks_like_an_expression_is_only_a_text(shop: Shop) -> None:
    assert shop.asked(email(ODD)) == [("notes", "a", "8")]


def test_a_ruling_makes_a_mention_the_person_s_or_leaves_it(shop: Shop) -> None:
    rulings = Rulings(
        mine={"notes": frozenset({("a", "1")}), "messages": frozenset({("2",)})},
        others={"notes": frozenset({("a", str(number)) for number in NAMED[1:]})},
    )
    call = shop.call(ANNA, rulings=rulings)
    assert isinstance(shop.connector, Exports)
    assert isinstance(shop.connector, Erases)
    exports = shop.connector.export(call)
    assert not isinstance(exports, Pending)
    files = [
        (file.collection, json.loads(line))
        for file in exports
        if file.media_type == "application/x-ndjson"
        for line in b"".join(file.pages).splitlines()
        if file.collection != "customers"
    ]
    given = sorted((name, str(row.get("id") or row["no"])) for name, row in files)
    assert given == [("messages", "1"), ("messages", "2"), ("notes", "1")]
    before = shop.rows("notes")

    shop.connector.erase(call)

    assert before - shop.rows("notes") == {("a", 1, NOTES[0])}
    assert {row[0] for row in shop.rows("messages")} == {3}
    look = shop.connector.verify(call)
    assert look.tally.left == 0


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("mariadb", marks=needs_mariadb)])
def test_a_search_that_takes_too_long_is_not_taken_for_a_clean_one(engine: str, tmp_path: Path) -> None:
    with ExitStack() as closing:
        if engine == "sqlite":
            shop, file = on_sqlite(tmp_path, statement_timeout=1)
            closing.callback(file.door.close)
        else:
            shop, database = on_mariadb(closing.enter_context(MariaDBServer()), statement_timeout=1)
            closing.callback(database.close)
        fill(shop)
        shop.put("notes", [("b", number, "anna@example.orgx " * 3_000) for number in range(600)])

        count = shop.connector.locate(shop.call(ANNA)).tally.of("notes")
        assert (count.found, count.mentions, count.searched) == (0, 0, False)
        assert isinstance(shop.connector, Erases)
        call = shop.call(ANNA, rulings=Rulings(others={"messages": frozenset({("2",)})}))
        shop.connector.erase(call)
        with pytest.raises(NeedsHuman) as caught:
            shop.connector.verify(call)
        assert (caught.value.code, caught.value.about) == (Code.NOT_SEARCHED, "notes")


def test_a_connector_that_searches_nothing_refuses_the_word() -> None:
    searched = MAP.replace("key: [", "instructions: look\n    key: [")
    text = f"system: shop\nowner: x\nconnector: manual\nbackups: none\ncollections:\n{searched}"
    (system,) = read_map({"m.yaml": text}).systems.values()

    with pytest.raises(SetupError, match=r"messages.fields.body.search: the connector manual searches no texts"):
        build(system)
