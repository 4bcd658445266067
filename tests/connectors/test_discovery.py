"""Drafting a map of hostile and odd schemas: what is proposed, what is asked, and that it always validates."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.finding import Severity
from connectors.sql import build
from connectors.sql.discovery import Draft, discover, page
from connectors.sql.discovery.categories import categorise
from connectors.sql.discovery.words import noun, words
from rights.advice import advice
from rights.datamap import DataMap, Erase, Strategy, System
from rights.mapfile import read_map
from tests.conftest import Database

Drafted = Callable[..., tuple[System, str]]


def drafted(database: Database, create: str, **options: Any) -> tuple[System, str]:
    """The draft of a schema, read back from its text."""
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute(create.encode())
    draft: Draft = discover(database.url, system="shop", reader="env:SHOP", **options)
    text = page(draft)
    if not draft.collections:
        return draft.read(), text
    (system,) = read_map({"shop.yaml": text}).systems.values()
    assert system == draft.read(), "the text says what was drafted"
    return system, text


def errors(database: Database, system: System) -> list[str]:
    """What `map check --live` holds to be an error in a draft."""
    connector = build(system, {"reader": database.url})
    try:
        found = [*connector.check(), *connector.survey()]
    finally:
        connector.close()
    return [finding for finding in found if finding.severity is Severity.ERROR]


def links(system: System, collection: str) -> set[tuple[str, str, str]]:
    return {(link.field, link.to, link.kind) for link in system.collections[collection].links}


HOSTILE = """
CREATE SCHEMA "Sales Dept"; CREATE SCHEMA crm;
CREATE TABLE "user" (
  "select" uuid PRIMARY KEY, "E-Mail" text NOT NULL UNIQUE CHECK ("E-Mail" LIKE '%@%'), "Vorname" text NOT NULL,
  "Nachname" varchar(6) NOT NULL, "Straße" text, geburtsdatum date NOT NULL,
  telefon text NOT NULL CHECK (telefon <> ''),
  "group" uuid REFERENCES "user", lang char(2) NOT NULL DEFAULT 'de', photo bytea NOT NULL,
  suche tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce("Straße", ''))) STORED,
  geschlecht text NOT NULL CHECK (geschlecht IN ('m', 'w', 'x')));
CREATE TYPE crm.mood AS ENUM ('happy', 'unknown');
CREATE DOMAIN crm.plz AS text CHECK (VALUE ~ '^[0-9]{5}$');
CREATE TABLE crm.profile (
  owner uuid PRIMARY KEY REFERENCES "user", plz crm.plz NOT NULL, tags text[] NOT NULL,
  settings jsonb NOT NULL,
  mood crm.mood);
CREATE TABLE crm.left_side (id int PRIMARY KEY, user_id uuid REFERENCES "user", right_id int);
CREATE TABLE crm.right_side (id int PRIMARY KEY, user_id uuid REFERENCES "user", left_id int REFERENCES crm.left_side);
ALTER TABLE crm.left_side ADD FOREIGN KEY (right_id) REFERENCES crm.right_side;
CREATE TABLE "Sales Dept".deals (id int PRIMARY KEY, user_id uuid REFERENCES "user", phone text);
CREATE TABLE crm.nokey (user_id uuid REFERENCES "user", email text);
CREATE TABLE orders (
  tenant int, no int, user_id uuid NOT NULL REFERENCES "user", ordered_at timestamptz, PRIMARY KEY (tenant, no));
CREATE TABLE order_lines (
  tenant int, no int, line int, note text, PRIMARY KEY (tenant, no, line), FOREIGN KEY (tenant, no) REFERENCES orders);
CREATE TABLE orders_log (id int PRIMARY KEY, user_id uuid, ip inet) PARTITION BY RANGE (id);
CREATE TABLE orders_log_1 PARTITION OF orders_log FOR VALUES FROM (0) TO (1000);
CREATE VIEW everybody AS SELECT * FROM "user";
COMMENT ON COLUMN order_lines.note IS 'pii: user.content.private';
"""


def test_a_hostile_schema_gives_a_draft_without_an_error(database: Database) -> None:
    system, text = drafted(database, HOSTILE)

    assert errors(database, system) == []
    assert set(system.collections) == {"user", "crm.profile", "crm.left_side", "crm.right_side", "orders", "orders_log"}
    assert links(system, "crm.profile") == {("owner", "user.select", "unique")}
    assert links(system, "orders_log") == {("user_id", "user.select", "unique")}, "no foreign key says so"
    assert "no foreign key says so" in text
    assert "closes" in text or "close a circle" in text
    assert "'group' points" in text or "group points back to user itself" in text
    assert '"Sales Dept".deals' in text or "Sales Dept.deals: its name" in text
    assert re.search(r"#   crm\.nokey \(email\).*no key tells its rows apart", text)
    assert "by several columns together" in text


def test_strategies_respect_not_null_unique_check_domain_and_length(database: Database) -> None:
    system, text = drafted(database, HOSTILE)
    user = system.collections["user"].fields

    assert system.collections["user"].erase is Erase.REDACT, "rows of nokey would block a deletion"
    assert (user["E-Mail"].identity, user["E-Mail"].category) == ("email", "user.contact.email")
    assert user["E-Mail"].strategy is Strategy.RETAIN, "its CHECK wants an @, which not every anonymous value has"
    assert user["Vorname"].value == "erased"
    assert (user["Nachname"].strategy, user["Nachname"].value) == (Strategy.CONSTANT, "erased")
    assert (user["geburtsdatum"].strategy, user["geburtsdatum"].to) == (Strategy.GENERALISE, "decade")
    assert user["telefon"].value == "erased"
    assert (user["Straße"].category, user["Straße"].strategy) == ("user.contact.address.street", Strategy.NULL)
    assert user["photo"].value == ""
    assert user["suche"].category is None, "a generated column is not written"
    assert user["geschlecht"].strategy is Strategy.RETAIN, "no value fits its CHECK"
    assert text.count("LOOK: no strategy fits its type and constraints") == 2


def test_what_a_strategy_would_write_is_taken_by_the_database(database: Database) -> None:
    system, _ = drafted(database, HOSTILE)
    profile = system.collections["crm.profile"].fields

    assert profile["plz"].category == "user.contact.address.postal_code"
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute(
            """INSERT INTO "user" VALUES (gen_random_uuid(), 'a@b.de', 'A', 'B', 'C', '1980-02-03', '1', NULL, 'de',
               '\\x01', DEFAULT, 'm')"""
        )
        for name, field in system.collections["user"].fields.items():
            if field.strategy is Strategy.CONSTANT:
                door.execute(f'UPDATE "user" SET "{name}" = %s'.encode(), [field.value])


def test_a_draft_says_nothing_of_the_rows(database: Database) -> None:
    create = """
    CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, field_7 text, field_8 text, field_9 text);
    INSERT INTO customers SELECT n, 'quill' || n || '@canary.example', 'DE89370400440532013000',
      'canary.quill@mail.example', 'likes canaries' FROM generate_series(1, 40) n;
    """

    without, plain = drafted(database, create)
    system, text = drafted(database, "SELECT 1", sampling=True)

    fields = system.collections["customers"].fields
    assert without.collections["customers"].fields["field_7"].category is None
    assert fields["field_7"].category == "user.financial.bank_account"
    assert fields["field_8"].category == "user.contact.email"
    assert fields["field_9"].category is None
    assert "its values look like IBANs" in text
    assert "canary" not in (plain + text).lower()
    assert "DE89" not in text


def test_a_table_that_cannot_be_sampled_in_time_is_passed_over(database: Database) -> None:
    create = "CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, other text)"
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute(create.encode())
    with psycopg.connect(database.conninfo) as holder:
        holder.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")

        system, _ = drafted(database, "SELECT 1", sampling=True)

        assert set(system.collections) == {"customers"}
        holder.rollback()


def test_rows_that_others_have_dealt_with_or_added_are_not_followed(database: Database) -> None:
    system, text = drafted(
        database,
        """
        CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, password_hash text);
        CREATE TABLE posts (
          id int PRIMARY KEY, author_id int REFERENCES users, approved_by int REFERENCES users, body text);
        CREATE TABLE comments (
          id int PRIMARY KEY, post_id int REFERENCES posts, user_id int REFERENCES users, body text);
        CREATE TABLE transfers (id int PRIMARY KEY, from_user int REFERENCES users, to_user int REFERENCES users);
        CREATE TABLE staff (no int PRIMARY KEY, email text UNIQUE, first_name text, last_name text);
        CREATE TABLE tickets (id int PRIMARY KEY, no int, staff_no int, user_id int REFERENCES users, body text);
        """,
    )

    assert links(system, "posts") == {("author_id", "users.id", "unique"), ("approved_by", "users.id", "shared")}
    assert links(system, "comments") == {("user_id", "users.id", "unique"), ("post_id", "posts.id", "shared")}
    assert links(system, "transfers") == {("from_user", "users.id", "unique"), ("to_user", "users.id", "shared")}
    assert links(system, "tickets") == {("user_id", "users.id", "unique"), ("staff_no", "staff.no", "shared")}
    assert system.collections["posts"].erase is Erase.REDACT, "others have commented on it"
    assert "says who has dealt with the row, not whose it is" in text
    assert errors(database, system) == []


def test_a_database_without_people_gives_a_question(database: Database) -> None:
    system, text = drafted(database, "CREATE TABLE parts (id int PRIMARY KEY, name text)")

    assert system.collections == {}
    assert "# QUESTION: no table looks like people" in text


def test_names_are_taken_apart() -> None:
    assert words("CustomerEMailID") == ("customer", "e", "mail", "id")
    assert words("Straße_2") == ("strasse",)
    assert [noun(name) for name in ("Addresses", "categories", "order_items", "Kunden", "status", "people")] == [
        "address", "category", "order_item", "kunde", "status", "person",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column", "kind", "category"),
    [
        ("t", "email_address", "text", "user.contact.email"),
        ("t", "E-Mail", "text", "user.contact.email"),
        ("t", "email_verified_at", "timestamp", None),
        ("t", "has_phone", "bool", None),
        ("t", "Geburtsdatum", "date", "user.demographic.date_of_birth"),
        ("t", "date_de_naissance", "date", "user.demographic.date_of_birth"),
        ("t", "Postleitzahl", "text", "user.contact.address.postal_code"),
        ("t", "numero_securite_sociale", "text", "user.government_id.national_identification_number"),
        ("t", "kontonummer", "text", "user.financial.bank_account"),
        ("t", "password_hash", "text", "user.authorization.password"),
        ("t", "last_seen", "inet", "user.device.ip_address"),
        ("t", "city_id", "integer", None),
        ("t", "tax_region", "text", None),
        ("t", "ip_count", "integer", None),
        ("t", "name", "text", None),
    ],
)
def test_categories_by_name(table: str, column: str, kind: str, category: str | None) -> None:
    guess = categorise(table, column, kind)

    assert (guess.category if guess else None) == category


_TYPES = [
    "text", "varchar(4)", "int", "date NOT NULL", "timestamptz", "jsonb NOT NULL", "bytea NOT NULL", "bool NOT NULL",
    "inet NOT NULL", "uuid NOT NULL", "text NOT NULL UNIQUE", "int NOT NULL UNIQUE", "numeric NOT NULL",
    "text[] NOT NULL", "varchar(10) NOT NULL", "int4range NOT NULL", "interval NOT NULL", "char(3) NOT NULL",
]  # fmt: skip
_COLUMNS = [
    "email", "first_name", "phone", "birth_date", "street", "note", "ip", "iban", "photo", "salary", "secret", "gender",
]  # fmt: skip
_TABLES = ["customers", "staff", "orders", "order_items", "comments", "logs", "addresses", "things"]


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """DDL of some tables that point to each other in whatever way."""
    names = draw(st.lists(st.sampled_from(_TABLES), min_size=1, max_size=5, unique=True))
    made, later = [], []
    for name in names:
        columns = draw(st.lists(st.sampled_from(_COLUMNS), max_size=5, unique=True))
        typed = [f"{column} {draw(st.sampled_from(_TYPES))}" for column in columns]
        keyed = draw(st.sampled_from(["id int PRIMARY KEY", "id int PRIMARY KEY", "id int", "id int UNIQUE NOT NULL"]))
        made.append(f"CREATE TABLE {name} ({', '.join([keyed, *typed])})")
        for number, other in enumerate(draw(st.lists(st.sampled_from(names), max_size=3))):
            action = draw(st.sampled_from(["", " ON DELETE CASCADE", " ON DELETE SET NULL"]))
            null = draw(st.sampled_from(["", "", " NOT NULL"]))
            later.append(
                f"DO $$BEGIN ALTER TABLE {name} ADD ref_{number} int{null} REFERENCES {other} (id){action}; "
                "EXCEPTION WHEN invalid_foreign_key THEN NULL; END$$"
            )
    return "; ".join(made + later)


@pytest.mark.soak
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(create=schemas())
def test_whatever_the_schema_the_draft_validates_and_has_no_error(database: Database, create: str) -> None:
    system, text = drafted(database, f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {create}")

    assert errors(database, system) == []
    assert page(discover(database.url, system="shop", reader="env:SHOP")) == text


def test_a_row_of_two_people_is_not_drafted_as_one_persons_twice(database: Database) -> None:
    """However the two columns are called: the second link is written down, and not followed until somebody says how."""
    create = """
    CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, first_name text, last_name text);
    CREATE TABLE calls (id int PRIMARY KEY, caller_id int REFERENCES customers, callee_id int REFERENCES customers);
    """
    system, text = drafted(database, create)

    assert sorted(kind for _, _, kind in links(system, "calls")) == ["shared", "unique"]
    assert "a second link to customers: a row of two of them" in text
    assert not [one.code for one in advice(DataMap.of({"shop": system})) if one.code == "two_people"]
