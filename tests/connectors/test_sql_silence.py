"""What can be seen of a person from beside a PostgreSQL: in its log, its statistics, its sessions.

Shown to look in the right places with the same values sent the careless way.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connectors.conformance import Dump, Gate
from connectors.protocol import Correction, Rulings
from connectors.sql.session import Database as PostgreSQL
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.sql_place import SESSION, Place, email, place

CANARY = "canary-7f3a@example.org"
KEYS = ("7001001", "7001002")
SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text, name text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint REFERENCES customers, note text, placed date);
INSERT INTO customers VALUES (7001001, 'canary-7f3a@example.org', 'Secret Canary');
INSERT INTO orders SELECT 7001000 + k, 7001001, 'Secret Canary', '2025-01-01'::date - k * 999
  FROM generate_series(1, 30) k;
"""
MAP = """
  customers:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: pseudonym}
      name: {category: name, strategy: anonymise}
  orders:
    key: [id]
    fields: {id: {}, customer: {}, note: {category: free_text, strategy: "null"}, placed: {}}
    links: [{field: customer, to: customers.id}]
    retention: [{ground: law, after: placed, period: P5Y, minimise: [note]}]
"""


@pytest.fixture(scope="module")
def talkative() -> Iterator[Postgres]:
    """A server that writes down every statement, as operators make them; values apart (docs/postgresql.md)."""
    settings = {
        "log_statement": "all",
        "log_min_duration_statement": "0",
        "log_parameter_max_length": "0",
        "log_min_messages": "notice",
        "log_min_error_statement": "error",
        "log_error_verbosity": "verbose",
        "track_activity_query_size": "64kB",
    }
    with Postgres(durable=False, settings=settings) as server:
        yield server


@pytest.fixture
def shop(talkative: Postgres) -> Iterator[Place]:
    talkative.create_database("talk")
    database = Database("talk", talkative.dsn("talk"), talkative.conninfo("talk"))
    # The seed is the test's own doing, and no part of what is listened to.
    with place(database, "SET log_statement = 'none'; SET log_min_duration_statement = -1;" + SHOP, MAP) as made:
        yield made
    talkative.drop_database("talk")


def everything(shop: Place, **differs: Any) -> None:
    """All that a connector does for one person."""
    who = email(CANARY)
    anchors = shop.locate(who).anchors
    shop.export(who, anchors=anchors)
    rulings = Rulings(mine={"customers": frozenset({("7001001",)})}, others={"customers": frozenset({("7001002",)})})
    corrections = (Correction("customers", {"name": "Secret Canary II"}), Correction("orders", {"note": CANARY}))
    shop.connector.rectify(shop.call(who, rulings=rulings, corrections=corrections, **differs))
    shop.erase(who, anchors=anchors, rulings=rulings, **differs)
    shop.verify(who, anchors=anchors, rulings=rulings)


def heard(log: Path, start: int) -> str:
    return log.read_bytes()[start:].decode()


def test_the_servers_log_names_nobody(shop: Place, talkative: Postgres) -> None:
    start = talkative.log.stat().st_size

    everything(shop)

    said = heard(talkative.log, start)
    assert "located_0" in said, "the log has the statements"
    assert "DELETE FROM" in said
    assert [word for word in (CANARY, "canary", "Canary", *KEYS) if word in said] == []


def test_the_log_would_have_told(shop: Place, talkative: Postgres) -> None:
    start = talkative.log.stat().st_size

    with psycopg.connect(shop.database.conninfo) as careless:
        careless.execute(f"SELECT * FROM customers WHERE email = '{CANARY}'")

    assert CANARY in heard(talkative.log, start)


def test_sessions_and_prepared_statements_name_nobody(shop: Place) -> None:
    seen: list[str] = []

    def listen() -> None:
        for view in ("pg_stat_activity", "pg_prepared_statements"):
            seen.extend(row for (row,) in shop.rows(f"SELECT v::text FROM {view} v"))

    def watch() -> Dump:
        listen()
        return {}

    gate = Gate(watch)
    over = threading.Event()

    def listen_on() -> None:
        with psycopg.connect(shop.database.conninfo, autocommit=True) as door:
            while not over.is_set():
                query = b"SELECT v::text FROM pg_stat_activity v WHERE application_name <> ''"
                seen.extend(row for (row,) in door.execute(query))

    thread = threading.Thread(target=listen_on)
    thread.start()
    everything(shop, fence=gate)
    over.set()
    thread.join()

    assert any("located_0" in row for row in seen), "our sessions were seen at work"
    assert any(SESSION in row for row in seen), "by the name they were given"
    assert [row for row in seen if any(word in row for word in (CANARY, "Canary", *KEYS))] == []


def test_our_prepared_statements_hold_no_value(shop: Place) -> None:
    everything(shop)

    assert isinstance(shop.connector.reader, PostgreSQL)
    with shop.connector.reader.plain() as connection:
        texts = [row for (row,) in connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()]

    assert any("located_0" in text for text in texts)
    assert not any(word in text for text in texts for word in (CANARY, "Canary", *KEYS))
