"""An erasure tried and taken back: constraints, cascades and triggers speak, and nothing is changed."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from connectors.conformance import Gate
from connectors.errors import NeedsHuman
from connectors.sql import build
from connectors.sql.session import Database as PostgreSQL
from connectors.trial import Tries
from tests.conftest import Database
from tests.connectors.sql_place import Place, email, place

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE, name text NOT NULL);
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, note text);
CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY, was jsonb);
CREATE TABLE baskets (id bigint PRIMARY KEY, customer bigint REFERENCES customers ON DELETE CASCADE);
CREATE TABLE basket_lines (id bigint PRIMARY KEY, basket bigint REFERENCES baskets ON DELETE CASCADE);
INSERT INTO customers SELECT n, 'person' || n || '@example.org', 'Person' FROM generate_series(1, 5) n;
INSERT INTO orders SELECT n, 1 + n % 5, 'a note' FROM generate_series(1, 20) n;
"""
MAP = """
  customers:
    key: [id]
    fields: {id: {}, email: {identity: email, category: contact}, name: {category: contact}}
  orders:
    key: [id]
    links: [{field: customer, to: customers.id}]
    fields: {id: {}, customer: {}, note: {category: notes}}
"""
WHO = email("person2@example.org")


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP) as made:
        yield made


def test_what_would_be_done_is_told_by_table_and_nothing_is_changed(shop: Place) -> None:
    before = shop.dump()
    gate = Gate()

    trial = shop.connector.attempt(shop.call(WHO, fence=gate))

    assert isinstance(shop.connector, Tries)
    assert {e.table: (e.inserted, e.updated, e.deleted) for e in trial.effects} == {
        "public.customers": (0, 0, 1),
        "public.orders": (0, 0, 4),
    }
    assert not any(effect.surprise for effect in trial.effects)
    assert (trial.refusal, trial.not_tried) == ("", "")
    assert trial.tally.of("orders").found == 4
    assert gate.passages == [], "a trial enters no fence"
    assert shop.dump() == before
    assert not any("person2" in text for text in trial.statements)
    assert any("DELETE FROM" in text for text in trial.statements)


def test_an_erasure_that_was_tried_can_still_be_carried_out(shop: Place) -> None:
    for _ in range(2):
        trial = shop.connector.attempt(shop.call(WHO))
        assert {e.table: e.deleted for e in trial.effects} == {"public.customers": 1, "public.orders": 4}

    shop.erase(WHO)

    assert shop.rows("SELECT count(*) FROM orders") == [(16,)]
    assert shop.connector.attempt(shop.call(WHO)).effects == ()


def test_a_surprising_cascade_is_counted_through_to_its_end(shop: Place) -> None:
    shop.door.execute(
        "INSERT INTO baskets SELECT n, 2 FROM generate_series(1, 3) n; INSERT INTO basket_lines SELECT n, 1 + n % 3 "
        "FROM generate_series(1, 7) n"
    )
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    surprises = {e.table: (e.deleted, e.surprise) for e in trial.effects if e.surprise}
    assert {table: rows for table, (rows, _) in surprises.items()} == {"public.baskets": 3, "public.basket_lines": 7}
    assert "is not in the map" in surprises["public.baskets"][1]
    assert shop.dump() == before


def test_what_a_trigger_copies_is_seen(shop: Place) -> None:
    shop.door.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO audit (was) VALUES (to_jsonb(OLD)); RETURN OLD; END$$; "
        "CREATE TRIGGER keep AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    (audit,) = [effect for effect in trial.effects if effect.table == "public.audit"]
    assert (audit.inserted, audit.collection) == (4, None)
    assert "gains rows" in audit.surprise
    assert shop.dump() == before

    with place(shop.database, "SELECT 1", MAP, side_effects=["audit"]) as accepting:
        trial = accepting.connector.attempt(accepting.call(WHO))
    assert {effect.table: effect.surprise for effect in trial.effects}["public.audit"] == "", "the map accepts it"


def test_a_constraint_that_refuses_speaks(shop: Place) -> None:
    shop.door.execute("CREATE TABLE claims (customer bigint REFERENCES customers); INSERT INTO claims VALUES (2)")
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    assert (trial.refusal, trial.refused_at) == ("blocked", "claims")
    assert trial.tally.of("orders").found == 4, "counts are told all the same"
    assert shop.dump() == before


def test_a_deferred_constraint_speaks_too(shop: Place) -> None:
    shop.door.execute(
        "CREATE TABLE claims (customer bigint REFERENCES customers DEFERRABLE INITIALLY DEFERRED); "
        "INSERT INTO claims VALUES (2)"
    )

    assert shop.connector.attempt(shop.call(WHO)).refusal == "blocked"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN EXECUTE 'SELECT 1'; RETURN OLD; END$$; "
            "CREATE TRIGGER t BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION t()",
            "runs statements that the text of t does not show",
        ),
        (
            "CREATE FUNCTION helper() RETURNS int LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM dblink_exec('x'); RETURN 1; END$$; "
            "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM helper(); RETURN OLD; END$$; "
            "CREATE TRIGGER t AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION t()",
            "calls dblink_exec, which acts outside of the transaction",
        ),
        (
            "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO elsewhere VALUES (OLD.id); RETURN OLD; END$$; "
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; "
            "CREATE FOREIGN TABLE elsewhere (id bigint) SERVER s; "
            "CREATE TRIGGER t AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION t()",
            "elsewhere is a foreign table",
        ),
        (
            "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN EXECUTE 'SELECT 1'; RETURN OLD; END$$; "
            "CREATE TRIGGER t AFTER DELETE ON basket_lines FOR EACH ROW EXECUTE FUNCTION t()",
            "the trigger t of basket_lines",
        ),
        ("CREATE RULE r AS ON DELETE TO orders DO ALSO NOTHING", "a rule says what changing orders does"),
        ("ALTER DATABASE {name} RESET habeas.environment", "environment mark"),
    ],
    ids=["dynamic", "dblink", "foreign", "behind a cascade", "rule", "unmarked"],
)
def test_where_a_rollback_might_not_undo_it_nothing_is_tried(shop: Place, spoil: str, reason: str) -> None:
    shop.door.execute(spoil.replace("{name}", shop.database.name).encode())
    shop.connector.close()
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    assert reason in trial.not_tried
    assert trial.effects == ()
    assert trial.tally.of("orders").found == 4
    assert shop.dump() == before


def test_rows_that_somebody_else_holds_are_waited_for_briefly_and_the_trial_is_left_out(shop: Place) -> None:
    with psycopg.connect(shop.database.conninfo) as other:
        other.execute("UPDATE customers SET name = 'Busy' WHERE id = 2")

        trial = shop.connector.attempt(shop.call(WHO))

        assert trial.refusal == "busy"
        other.rollback()


def test_a_person_with_more_rows_than_a_transaction_takes_is_counted_only(database: Database) -> None:
    with place(database, SHOP, MAP, batch_rows=3) as made:
        trial = made.connector.attempt(made.call(WHO))

        assert "batch_rows" in trial.not_tried
        assert trial.tally.of("orders").found == 4


def test_without_a_writer_nothing_can_be_tried(shop: Place) -> None:
    connector = build(shop.system, {"reader": shop.database.url})

    with pytest.raises(NeedsHuman, match="no_writer"):
        connector.attempt(shop.call(WHO))
    connector.close()


def test_a_trial_has_no_commit(shop: Place) -> None:
    writer = shop.connector.writer
    assert isinstance(writer, PostgreSQL)
    with writer.trial("habeas-trial", "{}", replace(writer.limits, lock_timeout=1)) as session:
        session.ask("DELETE FROM orders")
        with pytest.raises(RuntimeError, match="a trial cannot commit"):
            session.commit()

    assert shop.rows("SELECT count(*) FROM orders") == [(20,)]
