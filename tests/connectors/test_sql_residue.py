"""What is left of a person where no map leads: found in every text of the mapped schemas, and named to a person."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from connectors.errors import NeedsHuman, Retryable
from connectors.finding import code_of
from connectors.protocol import Rulings
from connectors.sql import build
from rights.codes import Code
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import SESSION, Place, email, place

SHOP = """
CREATE SCHEMA shop; CREATE SCHEMA odd; CREATE SCHEMA elsewhere;
CREATE TABLE shop.customers (id bigint PRIMARY KEY, email text, name text, internal_remark text);
CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint, ship_to text, note text, placed date, raw text);
CREATE TABLE odd."Order" (id serial PRIMARY KEY, "Mail" varchar(200));
CREATE INDEX ON shop.customers (lower(email)); CREATE INDEX ON shop.orders (customer_id);
CREATE TABLE shop.audit_log (id serial, at timestamptz DEFAULT now(), payload jsonb, old_row json, who text);
CREATE TYPE shop.pair AS (k text, v text);
CREATE DOMAIN shop.address AS text; CREATE DOMAIN shop.addresses AS text[];
CREATE TABLE shop.odd (tags text[], "Quoted "" name" shop.address,
  pair shop.pair, pairs shop.pair[], many shop.addresses,
  fixed char(40), number numeric, bin bytea, ref uuid);
CREATE TABLE shop.parted (id int, body text) PARTITION BY LIST (id);
CREATE TABLE shop.parted_1 PARTITION OF shop.parted FOR VALUES IN (1);
CREATE TABLE shop.base (body text); CREATE TABLE shop.heir () INHERITS (shop.base);
CREATE TABLE elsewhere.notes (body text);
CREATE VIEW shop.seen AS SELECT * FROM shop.audit_log;
INSERT INTO shop.customers VALUES (1, 'anna@example.org', 'Anna'), (2, 'bob@example.org', 'Bob');
"""
SHOP_MAP = """
  customers:
    name: shop.customers
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: "null"}
      name: {category: contact, strategy: "null"}
  orders:
    name: shop.orders
    key: [id]
    links: [{field: customer_id, to: customers.id}]
    retention: [{ground: tax law, after: placed, period: P10Y, minimise: [note]}]
    fields:
      id: {}
      customer_id: {}
      ship_to: {category: contact, strategy: "null"}
      note: {category: free_text, strategy: "null"}
      placed: {}
  odd_orders:
    name: odd.Order
    key: [id]
    fields: {id: {}, Mail: {category: contact, identity: email}}
"""
ANNA = email("anna@example.org")
Left = dict[str, object]


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, SHOP_MAP, residue=True) as made:
        yield made


def left(made: Place, *identities: Identity, rulings: Rulings | None = None) -> Left:
    """What a search finds after the erasure, by place."""
    anchors = made.locate(*identities, rulings=rulings).anchors
    made.erase(*identities, rulings=rulings)
    asked: NeedsHuman | None = None
    try:
        made.verify(*identities, anchors=anchors, rulings=rulings)
    except NeedsHuman as error:
        asked = error
    if asked is None:
        return {}
    assert (asked.code, asked.about) == (Code.RESIDUE, asked.candidates[0].collection)
    return {one.collection: one.shown["rows"] for one in asked.candidates}


def test_nothing_left_is_nothing_to_ask(shop: Place) -> None:
    shop.door.execute("INSERT INTO elsewhere.notes VALUES ('anna@example.org, of a schema that is not in the map')")
    shop.door.execute("INSERT INTO shop.audit_log (who) VALUES ('joanna@example.org'), ('bob@example.org')")

    assert left(shop, ANNA) == {}


def test_a_table_that_is_not_in_the_map_is_named_with_its_columns(shop: Place) -> None:
    row = {"op": "UPDATE", "new": {"mail": 'say "hi"\nANNA@example.org'}}
    for _ in range(3):
        shop.door.execute("INSERT INTO shop.audit_log (payload) VALUES (%s)", [Jsonb(row)])
    old = json.dumps({"m": "anna@example.org"})
    shop.door.execute("INSERT INTO shop.audit_log (old_row, who) VALUES (%s, 'x')", [old])

    assert left(shop, ANNA) == {"shop.audit_log.payload": 3, "shop.audit_log.old_row": 1}
    assert shop.rows("SELECT count(*) FROM shop.customers WHERE id = 1") == [(0,)]


def test_every_kind_of_text_is_searched_once(shop: Place) -> None:
    shop.door.execute(
        """INSERT INTO shop.odd VALUES (ARRAY['a', 'anna@example.org'], 'anna@example.org', ('k', 'anna@example.org'),
          ARRAY[('k', 'anna@example.org')::shop.pair], ARRAY['anna@example.org'], 'anna@example.org')"""
    )
    shop.door.execute("INSERT INTO shop.parted VALUES (1, 'anna@example.org')")
    shop.door.execute("INSERT INTO shop.heir VALUES ('anna@example.org')")
    shop.door.execute("CREATE MATERIALIZED VIEW shop.copy AS SELECT body FROM shop.heir")
    shop.door.execute("INSERT INTO shop.audit_log (who) VALUES ('anna@example.org')")

    assert left(shop, ANNA) == {
        **{f"shop.odd.{column}": 1 for column in ("tags", 'Quoted " name', "pair", "pairs", "many", "fixed")},
        "shop.parted.body": 1,
        "shop.heir.body": 1,
        "shop.copy.body": 1,
        "shop.audit_log.who": 1,
    }  # fmt: skip


def test_a_column_that_the_map_forgot_is_found_in_a_row_that_stays(shop: Place) -> None:
    """The customer stays as a shell, since an order is kept. What the duty keeps is no residue, all else is."""
    shop.door.execute(
        """UPDATE shop.customers SET internal_remark = 'anna@example.org phoned' WHERE id = 1;
        INSERT INTO shop.orders VALUES
          (10, 1, 'Anna, anna@example.org', 'for anna@example.org', '2025-01-01', 'raw: anna@example.org'),
          (11, 1, 'Anna, anna@example.org', 'for anna@example.org', '2001-01-01', 'raw: anna@example.org')"""
    )

    assert left(shop, ANNA) == {"shop.customers.internal_remark": 1, "shop.orders.raw": 1}
    assert shop.rows("SELECT ship_to, note FROM shop.orders") == [("Anna, anna@example.org", None)]


def test_a_retained_field_is_no_residue_and_the_rest_of_its_row_is(database: Database) -> None:
    text = SHOP_MAP.replace(
        'email: {category: contact, identity: email, strategy: "null"}',
        "email: {category: contact, identity: email, strategy: retain, ground: a dispute}",
    ).replace("    name: shop.customers\n", "    name: shop.customers\n    erase: redact\n")
    with place(database, SHOP, text, residue=True) as made:
        made.door.execute("UPDATE shop.customers SET internal_remark = email WHERE id = 1")

        assert left(made, ANNA) == {"shop.customers.internal_remark": 1}


def test_a_row_of_somebody_else_that_mentions_the_person_is_found(shop: Place) -> None:
    shop.door.execute("INSERT INTO shop.orders VALUES (20, 2, 'to anna@example.org', NULL, '2025-01-01')")

    assert left(shop, ANNA) == {"shop.orders.ship_to": 1}


def test_a_mention_that_was_ruled_on_is_not_asked_about_again(database: Database) -> None:
    text = SHOP_MAP.replace(
        'ship_to: {category: contact, strategy: "null"}', "ship_to: {category: contact, search: true}"
    )
    with place(database, SHOP, text, residue=True) as made:
        made.door.execute("INSERT INTO shop.orders VALUES (20, 2, 'to anna@example.org', NULL, '2001-01-01')")

        assert left(made, ANNA, rulings=Rulings(others={"orders": frozenset({("20",)})})) == {}


def test_what_the_map_knows_of_a_row_that_was_ruled_to_be_another_s_is_no_residue(shop: Place) -> None:
    """A family shares an address, and an agent has told who is who."""
    shop.door.execute("UPDATE shop.customers SET email = 'anna@example.org', internal_remark = 'anna@example.org'")
    rulings = Rulings(mine={"customers": frozenset({("1",)})}, others={"customers": frozenset({("2",)})})

    assert left(shop, ANNA, rulings=rulings) == {"shop.customers.internal_remark": 1}
    assert shop.rows("SELECT id, email FROM shop.customers") == [(2, "anna@example.org")]


def test_what_a_person_has_ruled_may_stay_is_said_to_be_kept_and_asked_about_again_only_if_it_grows(
    shop: Place,
) -> None:
    shop.door.execute("INSERT INTO shop.audit_log (who) SELECT 'anna@example.org' FROM generate_series(1, 3)")
    rulings = Rulings(others={"shop.audit_log.who": frozenset({("3",)})})
    shop.erase(ANNA)

    count = shop.verify(ANNA, rulings=rulings).tally.of("shop.audit_log.who")

    assert (count.found, count.kept_rows, count.left) == (3, 3, 0)
    shop.door.execute("INSERT INTO shop.audit_log (who) VALUES ('anna@example.org')")
    assert left(shop, ANNA, rulings=rulings) == {"shop.audit_log.who": 4}
    shop.door.execute("DELETE FROM shop.audit_log WHERE id > 2")
    assert left(shop, ANNA, rulings=rulings) == {}


def test_a_table_that_cannot_be_searched_in_time_is_named_and_the_others_are_searched(database: Database) -> None:
    with place(database, SHOP, SHOP_MAP, residue=True, statement_timeout=1, lock_timeout=1) as made:
        made.door.execute(
            "INSERT INTO shop.odd (tags) SELECT ARRAY[repeat('anna@example.orgx ', 2000)] FROM generate_series(1, 400)"
        )
        made.door.execute("INSERT INTO shop.audit_log (who) VALUES ('anna@example.org')")
        with psycopg.connect(database.conninfo) as other:
            other.execute("LOCK shop.parted")
            found = left(made, ANNA)
        assert found == {"shop.odd.*": "not searched", "shop.parted.*": "not searched", "shop.audit_log.who": 1}

        # Somebody has looked into the table that is too large by other means.
        rulings = Rulings(
            others={"shop.odd.*": frozenset({("not searched",)}), "shop.audit_log.who": frozenset({("1",)})}
        )
        tally = made.verify(ANNA, rulings=rulings).tally

    assert (tally.of("shop.odd.*").searched, tally.left) == (False, 0)


def test_a_session_that_is_ended_is_an_attempt_that_comes_again_and_no_unsearched_table(database: Database) -> None:
    with place(database, SHOP, SHOP_MAP, residue=True, statement_timeout=20) as made:
        large = "ARRAY[repeat('anna@example.orgx ', 2000)]"
        made.door.execute(f"INSERT INTO shop.odd (tags) SELECT {large} FROM generate_series(1, 4000)".encode())
        made.erase(ANNA)
        # The one statement that takes long.
        searching = "FROM pg_stat_activity WHERE application_name = %s AND state = 'active' AND query LIKE 'WITH who%%'"

        def end() -> None:
            deadline = time.monotonic() + 60
            while not made.rows(
                f"SELECT pg_terminate_backend(pid) {searching} AND now() - query_start > '0.3s'", SESSION
            ):
                assert time.monotonic() < deadline
                time.sleep(0.02)

        with ThreadPoolExecutor(1) as other:
            ended = other.submit(end)
            with pytest.raises(Retryable) as caught:
                made.verify(ANNA)
            ended.result()

    assert caught.value.code is Code.UNREACHABLE


def test_what_the_reader_may_not_read_is_no_clean_table_and_neither_is_one_with_row_security(shop: Place) -> None:
    shop.door.execute("INSERT INTO shop.audit_log (who) VALUES ('anna@example.org')")
    shop.door.execute("INSERT INTO shop.base VALUES ('anna@example.org')")
    shop.door.execute("ALTER TABLE shop.base ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON shop.base USING (false)")
    role = shop.role(
        "reader",
        "GRANT USAGE ON SCHEMA shop, odd TO {role}",
        'GRANT SELECT ON shop.customers, shop.orders, shop.base, odd."Order" TO {role}',
        "GRANT SELECT (payload) ON shop.audit_log TO {role}",
    )
    made = build(shop.system, {"reader": role, "writer": shop.database.url})
    shop.erase(ANNA)

    with pytest.raises(NeedsHuman) as caught:
        made.verify(shop.call(ANNA))

    unread = {"shop.audit_log.*", "shop.heir.*", "shop.odd.*", "shop.parted.*"}
    assert {c.collection for c in caught.value.candidates} == {"shop.base.*"} | unread
    assert {c.shown["rows"] for c in caught.value.candidates} == {"not searched"}
    (said,) = [said for said in made.check() if code_of(said) == "residue_unread"]
    assert "shop.audit_log, shop.heir, shop.odd, shop.parted, so a residue there is not found" in said
    made.close()
    shop.drop_role("reader")


ODD = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\x00"), min_size=6, max_size=20)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(number="00000À")
@given(number=ODD.filter(lambda text: text.strip() == text))
def test_any_identifier_is_found_where_it_stands_and_not_inside_a_longer_one(
    database_of_numbers: Place, number: str
) -> None:
    made = database_of_numbers
    made.door.execute("TRUNCATE planted, longer")
    row: list[Any] = [number, Jsonb({"n": [f"x\n{number}"]}), json.dumps({"n": number}), [number, "x"]]
    made.door.execute("INSERT INTO planted VALUES (%s, %s, %s, %s)", row)
    if number[0].isalnum() and number[-1].isalnum():
        made.door.execute("INSERT INTO longer VALUES (%s), (%s)", [f"{number}1", f"1{number}"])

    found = left(made, Identity("number", number))

    assert found == {f"public.planted.{column}": 1 for column in ("plain", "doc", "written", "list")}


@pytest.fixture
def database_of_numbers(database: Database) -> Iterator[Place]:
    create = """CREATE TABLE people (id bigint PRIMARY KEY, number text); CREATE INDEX ON people (number);
    CREATE TABLE planted (plain text, doc jsonb, written json, list text[]); CREATE TABLE longer (plain text);"""
    text = "  people:\n    key: [id]\n    fields: {id: {}, number: {identity: number}}\n"
    with place(database, create, text, residue=True) as made:
        yield made
