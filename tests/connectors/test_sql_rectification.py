"""Rectifying in PostgreSQL: every type of column takes its value, what does not fit is refused, nothing else moves."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conformance import Gate
from connectors.conformance.correcting import Kept
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Call, Correction, Rulings
from rights.codes import Code
from rights.receipt import Tally
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import SESSION, Place, email, place
from tests.connectors.test_sql_faults import SHORT, Within

SHOP = """
CREATE TYPE mood AS ENUM ('calm', 'glad');
CREATE DOMAIN zip AS varchar(5) CHECK (VALUE ~ '^[0-9]+$');
CREATE EXTENSION citext;
CREATE TABLE customers (
  id bigint PRIMARY KEY, email text NOT NULL, name varchar(20) DEFAULT 'Canary', nick citext DEFAULT 'canary',
  born date DEFAULT '1984-07-15', phone text UNIQUE, score smallint DEFAULT 1 CHECK (score >= 0),
  mood mood DEFAULT 'calm', zip zip DEFAULT '1000', tags text[] DEFAULT '{a,b}', profile jsonb DEFAULT '{"a": 1}',
  photo bytea DEFAULT '\\x00ff', seen timestamptz DEFAULT '2020-01-01', address inet DEFAULT '192.0.2.7',
  ref uuid DEFAULT '0190a000-0000-7000-8000-000000000001', balance numeric(10,2) DEFAULT 1.5,
  active boolean DEFAULT true, bits bit(3) DEFAULT '101', code char(4) DEFAULT 'ab', weight real DEFAULT 70.1,
  during int4range DEFAULT '[1,3)', alarm time(0) DEFAULT '10:00', note text DEFAULT 'canary',
  shown text GENERATED ALWAYS AS (upper(name)) STORED,
  words tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(name, ''))) STORED,
  parent bigint REFERENCES customers, nation text DEFAULT 'FR', handle text UNIQUE);
CREATE TABLE nations (code text PRIMARY KEY);
INSERT INTO nations VALUES ('FR'), ('DE');
ALTER TABLE customers ADD FOREIGN KEY (nation) REFERENCES nations (code);
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, note text);
CREATE TABLE consents (id bigint PRIMARY KEY, email text, given text);
CREATE TABLE badges (id bigint PRIMARY KEY, handle text REFERENCES customers (handle) ON UPDATE CASCADE);
CREATE INDEX ON customers (lower(email));
CREATE INDEX ON orders (customer);
INSERT INTO customers (id, email, phone, handle)
  SELECT n, 'canary' || n || '@example.org', '+1 555 ' || n, 'canary' || n FROM generate_series(1, 3) n;
INSERT INTO orders SELECT c * 10 + k, c, 'canary ' || k FROM generate_series(1, 3) c, generate_series(1, 5) k;
INSERT INTO consents SELECT n, 'canary' || n || '@example.org', 'yes' FROM generate_series(1, 3) n;
INSERT INTO badges SELECT n, 'canary' || n FROM generate_series(1, 3) n;
"""
FIELDS = (
    "name", "nick", "born", "score", "mood", "zip", "tags", "profile", "photo", "seen", "address", "ref", "balance",
    "active", "bits", "code", "weight", "during", "alarm", "note", "shown", "nation", "handle",
)  # fmt: skip
MAP = f"""
  customers:
    key: [id]
    fields:
      id: {{}}
      email: {{category: contact, identity: email}}
      phone: {{category: contact, identity: phone, sharing: shared}}
      parent: {{}}
{"".join(f"      {field}: {{category: other}}" + chr(10) for field in FIELDS)}
    links: [{{field: parent, to: customers.id}}]
  orders:
    key: [id]
    fields: {{id: {{}}, customer: {{}}, note: {{category: free_text}}}}
    links: [{{field: customer, to: customers.id}}]
  consents:
    key: [id]
    fields: {{id: {{}}, email: {{category: contact, identity: email}}, given: {{category: consent}}}}
    erase: retain
    ground: proof of consent
"""
ONE = email("Canary1@example.org")
TYPES = [
    ("name", 'Anna O\'Neil \\ "x"', "Canary"),
    ("name", "canary", "Canary"),
    ("name", "", "Canary"),
    ("name", None, "Canary"),
    ("nick", "CANARY", "canary"),
    ("born", "1985-01-31", "1984-07-15"),
    ("score", "0", "1"),
    ("mood", "glad", "calm"),
    ("zip", "20000", "1000"),
    ("tags", '{"a b",c}', "{a,b}"),
    ("profile", '{"b": [1, 2]}', '{"a": 1}'),
    ("photo", "\\x0102", "\\x00ff"),
    ("seen", "2021-02-03T04:05:06+02:00", "2020-01-01 00:00:00+00"),
    ("address", "2001:db8::1", "192.0.2.7/32"),
    ("ref", "0190A0000000700080000000000000ff", "0190a000-0000-7000-8000-000000000001"),
    ("balance", "-12.30", "1.50"),
    ("active", "false", "true"),
    ("bits", "011", "101"),
    ("code", "xyz", "ab"),
    ("weight", "70.2", "70.1"),
    ("during", "[5,9)", "[1,3)"),
    ("alarm", "23:59:59", "10:00:00"),
    ("nation", "DE", "FR"),
]
REFUSED = [
    ("name", "x" * 21, "customers.name (longer than 20)"),
    ("email", None, "customers.email (something must stand there)"),
    ("note", b"a\\0b".decode("unicode_escape"), "customers.note (not of type text)"),
    ("born", "2024-02-30", "customers.born (not of type date)"),
    ("score", "many", "customers.score (not of type integer)"),
    ("score", "70000", "customers.score"),
    ("score", "-1", "customers.score (customers.customers_score_check)"),
    ("mood", "sad", "customers.mood"),
    ("zip", "abc", "customers.zip"),
    ("zip", "1000000", "customers.zip (longer than 5)"),
    ("tags", "{a", "customers.tags"),
    ("profile", "{'a'}", "customers.profile"),
    ("active", "perhaps", "customers.active"),
    ("bits", "1", "customers.bits"),
    ("during", "[9,5)", "customers.during"),
    ("balance", "1.005", "customers.balance (the table makes something else of it)"),
    ("alarm", "23:59:59.6", "customers.alarm (the table makes something else of it)"),
    ("code", "ab ", "customers.code (the table makes something else of it)"),
    ("phone", "+1 555 2", "customers.phone (customers.customers_phone_key)"),
    ("nation", "XX", "customers.nation"),
]
LINES = "SELECT id, to_jsonb(c) - %s::text[] FROM customers c ORDER BY id"


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP) as made:
        yield made


@pytest.fixture
def impatient(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP, **SHORT) as made:
        yield made


def rectify(shop: Place, *corrections: Correction, who: Identity = ONE, **differs: Any) -> Tally:
    return shop.connector.rectify(shop.call(who, corrections=corrections, **differs))


def customers(**values: str | None) -> Correction:
    return Correction("customers", values)


def refused(shop: Place, code: Code, *corrections: Correction, **differs: Any) -> ConnectorError:
    """Try to rectify, and see that nothing was done and that neither a person nor a value is named."""
    before = shop.dump()
    with pytest.raises(ConnectorError) as caught:
        rectify(shop, *corrections, **differs)
    assert shop.dump() == before
    error = caught.value
    assert error.code is code
    said = repr(error) + str(error) + repr(vars(error))
    values = [value for one in corrections for value in one.values.values() if value and len(value) > 2]
    assert not any(value in said for value in ("anary", *values))
    assert (error.__cause__, error.__context__) == (None, None)
    return error


def test_a_field_of_any_type_is_rectified_and_nothing_else(shop: Place) -> None:
    for field, new, old in TYPES:
        kept = Kept()
        shop.door.execute(f"UPDATE customers SET {field} = DEFAULT WHERE id = 1")
        others = [field, *(("shown", "words") if field == "name" else ())]
        before, rest = shop.rows(LINES, others), _beside(shop)

        tally = rectify(shop, customers(**{field: new}), keep=kept)

        question = f"SELECT {field} IS NOT DISTINCT FROM %s::{_type(shop, field)}, {field}::text FROM customers"
        ((there, text),) = shop.rows(f"{question} WHERE id = 1", new)
        assert there, field
        assert field not in {"name", "nick"} or text == new, "to the letter"
        assert (tally.found, tally.rectified) == (1, 1), field
        assert kept.first == {("customers", ("1",)): {field: old}}
        assert (shop.rows(LINES, others), _beside(shop)) == (before, rest)
        assert rectify(shop, customers(**{field: new})).rectified == 0, f"{field}: it is seen to be so"


def _beside(shop: Place) -> dict[str, set[str]]:
    """Every other table."""
    return {name: rows for name, rows in shop.dump().items() if name != "public.customers"}


def _type(shop: Place, field: str) -> str:
    ((name,),) = shop.rows(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'customers'::regclass AND attname = %s",
        field,
    )
    return str(name)


def test_a_value_that_the_column_cannot_hold_is_a_task(shop: Place) -> None:
    for field, new, about in REFUSED:
        gate, note = Gate(), Correction("orders", {"note": "corrected"})

        error = refused(shop, Code.VALUE, note, customers(**{field: new}), fence=gate)

        assert error.about == about
        assert [passage.tally for passage in gate.passages] in ([], [Tally()]), "it is known that nothing was done"
    assert rectify(shop, customers(note="as it should be")).rectified == 1


def test_what_cannot_be_written_to_is_a_task(shop: Place) -> None:
    reasons = {
        "id": "key",
        "parent": "a link",
        "nothing": "not in the map",
        "shown": "generated",
        "handle": "badges points to it",
    }
    for field, why in reasons.items():
        kept = Kept()

        error = refused(shop, Code.NOT_RECTIFIABLE, customers(note="corrected", **{field: "9"}), keep=kept)

        assert error.about == f"customers.{field} ({why})"
        assert kept.first == {}


def test_two_corrections_that_contradict_each_other_are_a_task(shop: Place) -> None:
    twice = [customers(note="a"), Correction("customers", {"note": "b"}, ("1",))]

    assert refused(shop, Code.NOT_RECTIFIABLE, *twice).about == "customers.note (said twice)"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=40), min_size=2, max_size=2))
def test_whatever_a_text_is_it_is_written_to_the_letter(shop: Place, texts: list[str]) -> None:
    for text in texts:
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            continue
        rectify(shop, customers(note=text))

        assert shop.rows("SELECT note FROM customers ORDER BY id") == [(text,), ("canary",), ("canary",)]


def test_several_fields_and_rows_go_together_and_each_row_counts_once(shop: Place) -> None:
    kept = Kept()
    corrections = [customers(name="Anna", born="1985-01-31"), Correction("customers", {"note": "one"}, ("1",))]
    orders = [Correction("orders", {"note": "this"}, ("12",)), Correction("orders", {"note": "that"}, ("13",))]
    gate = Gate()

    tally = rectify(shop, *corrections, *orders, keep=kept, fence=gate)

    assert [(c.collection, c.found, c.rectified) for c in tally.counts if c.found] == [
        ("customers", 1, 1),
        ("orders", 2, 2),
    ]
    assert [passage.planned for passage in gate.passages] == [{"customers": 1, "orders": 2}], "in one transaction"
    assert shop.rows("SELECT name, born::text, note FROM customers WHERE id = 1") == [("Anna", "1985-01-31", "one")]
    assert shop.rows("SELECT note FROM orders WHERE customer = 1 ORDER BY id") == [
        ("canary 1",), ("this",), ("that",), ("canary 4",), ("canary 5",),
    ]  # fmt: skip
    assert kept.first["customers", ("1",)] == {"name": "Canary", "born": "1984-07-15", "note": "canary"}


def test_what_is_right_already_is_nobodys_old_value(shop: Place) -> None:
    kept = Kept()

    rectify(shop, customers(name="Canary", note="new"), keep=kept)

    assert kept.first == {("customers", ("1",)): {"note": "canary"}}


def test_a_changed_address_is_learnt_before_and_finds_the_person_after(shop: Place) -> None:
    told: list[Identity] = []
    new = email("anna@example.org")
    before = shop.locate(ONE).tally

    def learn(links: tuple[Identity, ...]) -> None:
        assert shop.rows("SELECT count(*) FROM customers WHERE email = 'anna@example.org'") == [(0,)]
        told.extend(links)

    rectify(shop, customers(email=new.value), learn=learn)

    assert told == [new]
    assert shop.locate(ONE, new).tally == before
    assert shop.locate(ONE).tally.of("customers").found == 0


def test_an_address_that_is_somebody_elses_is_a_question_and_is_not_learnt(shop: Place) -> None:
    told: list[Identity] = []

    error = refused(shop, Code.SEVERAL_PEOPLE, customers(email="canary2@example.org"), learn=told.extend)

    assert (error.about, told) == ("customers", [])


def test_an_identity_is_not_taken_from_whom_nothing_else_finds(shop: Place) -> None:
    error = refused(shop, Code.NOT_RECTIFIABLE, customers(email=""))

    assert error.about == "customers.email (nobody would be found)"


def test_rulings_decide_whose_row_is_rectified(shop: Place) -> None:
    shop.door.execute("UPDATE customers SET email = 'canary1@example.org' WHERE id = 2")
    mine = Rulings(mine={"customers": frozenset({("1",)})}, others={"customers": frozenset({("2",)})})
    both = Rulings(mine={"customers": frozenset({("1",), ("2",)})})

    refused(shop, Code.SEVERAL_PEOPLE, customers(note="x"))
    rectify(shop, customers(note="one"), rulings=mine)
    assert shop.rows("SELECT note FROM customers ORDER BY id") == [("one",), ("canary",), ("canary",)]
    rectify(shop, customers(note="two"), rulings=both)
    assert shop.rows("SELECT note FROM customers ORDER BY id") == [("two",), ("two",), ("canary",)]


def test_a_retained_collection_that_nobody_may_write_to_is_a_task(shop: Place) -> None:
    url = shop.role(
        "clerk",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT UPDATE ON customers, orders TO {role}",
    )
    shop.connector.close()
    shop.connector = shop.connect(url)

    assert refused(shop, Code.RIGHTS, Correction("consents", {"given": "no"})).about == "consents"
    assert rectify(shop, customers(note="x"), Correction("orders", {"note": "y"})).rectified == 6

    shop.door.execute(f"GRANT UPDATE ON consents TO clerk_{shop.database.name}")
    assert rectify(shop, Correction("consents", {"given": "no"})).rectified == 1
    shop.connector.close()
    shop.drop_role("clerk")


TRIGGER = """
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
CREATE {kind} TRIGGER meddle {when} UPDATE ON customers {how} FOR EACH ROW EXECUTE FUNCTION meddle();
"""


def test_a_trigger_that_refuses_is_a_task(shop: Place) -> None:
    body = "RAISE EXCEPTION 'not %', NEW.note;"
    shop.door.execute(TRIGGER.format(body=body, kind="", when="BEFORE", how=""))

    assert refused(shop, Code.VALUE, customers(note="corrected")).about == "customers.note"


def test_a_trigger_that_changes_it_back_at_the_commit_is_seen_and_undone(shop: Place) -> None:
    body = "UPDATE customers SET note = OLD.note WHERE id = NEW.id AND NEW.note = 'corrected';"
    deferred = "DEFERRABLE INITIALLY DEFERRED"
    shop.door.execute(TRIGGER.format(body=body, kind="CONSTRAINT", when="AFTER", how=deferred))

    with pytest.raises(NeedsHuman) as caught:
        rectify(shop, customers(note="corrected"))

    assert caught.value.code is Code.SIDE_EFFECTS
    assert "customers" in caught.value.about
    assert shop.rows("SELECT count(*) FROM customers WHERE note = 'corrected'") == [(0,)]


def test_a_trigger_that_writes_into_somebody_elses_row_undoes_the_correction(shop: Place) -> None:
    body = "IF pg_trigger_depth() = 1 THEN UPDATE customers SET note = NEW.note WHERE id <> NEW.id; END IF;"
    shop.door.execute(TRIGGER.format(body=body, kind="", when="AFTER", how=""))
    before = shop.dump()

    assert refused(shop, Code.SIDE_EFFECTS, customers(note="corrected"))
    assert shop.dump() == before


def test_a_constraint_that_speaks_at_the_commit_undoes_it_all(shop: Place) -> None:
    shop.door.execute(
        "ALTER TABLE customers DROP CONSTRAINT customers_phone_key, "
        "ADD CONSTRAINT one_phone UNIQUE (phone) DEFERRABLE INITIALLY DEFERRED"
    )
    gate = Gate()

    error = refused(shop, Code.VALUE, customers(phone="+1 555 2"), fence=gate)

    assert error.about == "customers.one_phone"
    assert [passage.tally for passage in gate.passages] == [Tally()]


def test_many_rows_go_in_batches_and_a_hold_binds_from_the_next(database: Database) -> None:
    with place(database, SHOP, MAP, batch_rows=2) as shop:
        kept, gate = Kept(), Gate(refuse=Held(Code.HOLD), refuse_at=3)
        note = Correction("orders", {"note": "corrected"})

        with pytest.raises(Held) as caught:
            rectify(shop, note, keep=kept, fence=gate)

        assert caught.value.tally.of("orders").rectified == 4
        done = shop.rows("SELECT count(*) FROM orders WHERE note = 'corrected'")
        assert done == [(4,)]
        assert rectify(shop, note, keep=kept, cut_short=True).of("orders").model_dump(
            include={"found", "rectified"}
        ) == {
            "found": 5,
            "rectified": 1,
        }
        assert {key[1][0]: row["note"] for key, row in kept.first.items()} == {
            f"1{n}": f"canary {n}" for n in range(1, 6)
        }
        assert shop.rows("SELECT count(*) FROM orders WHERE note LIKE 'canary%'") == [(10,)]


@pytest.mark.soak
def test_what_somebody_writes_meanwhile_is_what_is_kept(impatient: Place) -> None:
    kept = Kept()
    with psycopg.connect(impatient.database.conninfo) as user:
        user.execute("UPDATE customers SET note = 'written meanwhile' WHERE id = 1")
        with pytest.raises(Retryable) as caught:
            rectify(impatient, customers(note="corrected"), keep=kept)
        assert (caught.value.code, kept.first) == (Code.BUSY, {})
        user.commit()

    rectify(impatient, customers(note="corrected"), keep=kept)

    assert kept.first == {("customers", ("1",)): {"note": "written meanwhile"}}


def test_a_row_is_held_from_its_keeping_to_its_commit(shop: Place) -> None:
    with psycopg.connect(shop.database.conninfo, autocommit=True) as user:
        user.execute("SET lock_timeout = '100ms'")

        def write(old: Mapping[str, object]) -> None:
            for row in ("customers SET note = 'too late' WHERE id = 1", "orders SET note = 'too late' WHERE id = 12"):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    user.execute(f"UPDATE {row}".encode())

        corrections = [customers(note="corrected"), Correction("orders", {"note": "corrected"})]
        assert rectify(shop, *corrections, keep=write).rectified == 6


@pytest.mark.soak
def test_a_worker_frozen_between_fence_and_write_has_lost_its_transaction(database: Database) -> None:
    with place(database, SHOP, MAP, idle_timeout=2) as made:
        error = refused(made, Code.BUSY, customers(note="corrected"), fence=Within(lambda: time.sleep(2.6)))

    assert isinstance(error, Retryable)


@pytest.mark.soak
def test_a_write_that_takes_too_long_waits(impatient: Place) -> None:
    impatient.door.execute(TRIGGER.format(body="PERFORM pg_sleep(9);", kind="", when="BEFORE", how=""))
    gate = Gate()

    assert isinstance(refused(impatient, Code.BUSY, customers(note="corrected"), fence=gate), Retryable)

    assert [passage.tally for passage in gate.passages] == [Tally()]


def test_the_session_of_an_attempt_that_was_cut_short_is_ended_first(shop: Place) -> None:
    with psycopg.connect(shop.database.conninfo, application_name=SESSION) as earlier:
        earlier.execute("UPDATE customers SET note = 'half done' WHERE id = 1")

        assert rectify(shop, customers(note="corrected"), cut_short=True).rectified == 1

        with suppress(psycopg.OperationalError):
            earlier.rollback()
    assert shop.rows("SELECT note FROM customers WHERE id = 1") == [("corrected",)]


def test_a_row_that_is_reached_in_a_circle_is_rectified(shop: Place) -> None:
    shop.door.execute("UPDATE customers SET parent = 1, email = 'x' || id WHERE id > 1")

    rectify(shop, customers(note="corrected"))

    assert shop.rows("SELECT DISTINCT note FROM customers") == [("corrected",)]


def test_a_call_shows_nobody_and_no_value(shop: Place) -> None:
    call: Call = shop.call(ONE, corrections=[customers(note="Anna Qwartz")])

    assert "Qwartz" not in repr(call)
    assert "Qwartz" not in repr(call.corrections)
