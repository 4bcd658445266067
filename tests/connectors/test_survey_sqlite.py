"""Drafting, checking and trying on SQLite: what its pragmas and its texts tell, and what they do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conformance import Gate
from connectors.errors import ConnectorError
from connectors.finding import Severity
from connectors.sql.discovery import discover, page
from connectors.sql.limits import Limits
from connectors.sql.sqlite import trying
from connectors.sql.sqlite.session import Database
from rights.datamap import Erase, Mode, Strategy, System
from rights.mapfile import read_map
from tests.connectors.engine_place import FilePlace
from tests.connectors.sql_place import email

SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT UNIQUE COLLATE NOCASE, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, note TEXT);
CREATE INDEX o ON orders (customer);
CREATE TABLE audit (id INTEGER PRIMARY KEY, was TEXT);
CREATE TABLE baskets (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers ON DELETE CASCADE);
CREATE TABLE basket_lines (id INTEGER PRIMARY KEY, basket INTEGER REFERENCES baskets ON DELETE SET NULL);
INSERT INTO customers VALUES (1, 'person1@example.org', 'One'), (2, 'person2@example.org', 'Two');
INSERT INTO orders VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 2, 'c'), (4, 2, NULL);
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
KEEP = "CREATE TRIGGER keep AFTER DELETE ON orders BEGIN INSERT INTO audit (was) VALUES (OLD.note); END"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[FilePlace]:
    made = FilePlace(tmp_path / "shop.db", SHOP).mapped(MAP)
    yield made
    made.close()


def drafted(place: FilePlace, **options: Any) -> tuple[System, str]:
    """The draft of a file, read back from its text."""
    draft = discover(place.url, system="shop", reader="env:SHOP", **options)
    text = page(draft)
    if draft.collections:
        (system,) = read_map({"shop.yaml": text}).systems.values()
        assert system == draft.read(), "the text says what was drafted"
    return draft.read(), text


def drafted_of(tmp_path: Path, create: str, *functions: str, **options: Any) -> tuple[System, str]:
    made = FilePlace(tmp_path / "shop.db", create, *functions)
    try:
        return drafted(made, **options)
    finally:
        made.close()


def said(place: FilePlace, code: str) -> list[tuple[str, str]]:
    found = [*place.connector.check(), *place.connector.survey()]
    return [(finding.severity, str(finding)) for finding in found if finding.code == code]


HOSTILE = """
CREATE TABLE "user" (
  "select" TEXT PRIMARY KEY NOT NULL, "E-Mail" TEXT NOT NULL UNIQUE CHECK ("E-Mail" LIKE '%@%'), vorname NOT NULL,
  nachname VARCHAR(6) NOT NULL, geburtsdatum DATE NOT NULL, -- CHECK (0)
  telefon TEXT NOT NULL CHECK (telefon <> ''), "group" TEXT REFERENCES [user], photo BLOB NOT NULL,
  ort TEXT NOT NULL CHECK (length(ort) < 5 AND ort <> ')'), strasse TEXT NOT NULL CHECK (only_here(strasse)),
  mobil TEXT GENERATED ALWAYS AS (upper(telefon)) STORED, newsletter_consent BOOLEAN NOT NULL,
  geschlecht TEXT NOT NULL CHECK (geschlecht IN ('m', 'w', 'x')));
CREATE TABLE Orders (Tenant INTEGER, No INTEGER, User_Id TEXT REFERENCES "USER" ("SELECT"), PRIMARY KEY (Tenant, No))
  WITHOUT ROWID;
CREATE TABLE logins (id INTEGER PRIMARY KEY, user_id TEXT, ip TEXT);
CREATE TABLE nokey (user_id TEXT REFERENCES "user", email TEXT);
CREATE TABLE dead (id INTEGER PRIMARY KEY, gone INTEGER REFERENCES never_made);
CREATE VIRTUAL TABLE letters USING fts5 (body);
CREATE VIEW everybody AS SELECT * FROM "user";
"""


def test_a_hostile_file_gives_a_draft_without_an_error(tmp_path: Path) -> None:
    made = FilePlace(tmp_path / "shop.db", HOSTILE, "only_here")
    system, text = drafted(made)

    assert set(system.collections) == {"user", "Orders", "logins"}
    assert [(link.field, link.to, link.kind) for link in system.collections["Orders"].links] == [
        ("User_Id", "user.select", "unique")
    ], "names are the same in whatever case"
    assert system.collections["Orders"].key == ("Tenant", "No")
    assert "no foreign key says so" in text
    assert "points back to user itself" in text
    assert "no key tells its rows apart" in text
    assert "letters: a virtual table" in text
    assert "docs/sqlite.md" in text
    assert "letters_" not in text
    assert "habeas_environment" not in text
    made.mapped(text.partition("\ncollections:\n")[2])
    found = [*made.connector.check(), *made.connector.survey()]
    assert [finding for finding in found if finding.severity is Severity.ERROR] == []
    made.close()


def test_strategies_respect_not_null_unique_check_and_length(tmp_path: Path) -> None:
    system, text = drafted_of(tmp_path, HOSTILE, "only_here")
    user = system.collections["user"].fields

    assert system.collections["user"].erase is Erase.REDACT, "rows of nokey would block a deletion"
    assert user["E-Mail"].strategy is Strategy.RETAIN, "its CHECK wants an @, which not every anonymous value has"
    assert user["vorname"].value == "erased", "a column without a type"
    assert user["nachname"].value == "erased"
    assert (user["geburtsdatum"].strategy, user["geburtsdatum"].to) == (Strategy.GENERALISE, "decade")
    assert user["telefon"].value == "erased"
    assert user["ort"].value == "", "the plainest word is too long for its CHECK"
    assert user["photo"].value == ""
    assert user["mobil"].category is None, "a generated column is not written"
    assert user["geschlecht"].strategy is Strategy.RETAIN, "no value fits its CHECK"
    assert user["strasse"].value == "erased"
    assert "LOOK: its CHECK cannot be tried here" in text


def test_a_draft_says_nothing_of_the_rows(tmp_path: Path) -> None:
    create = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT UNIQUE, field_7 TEXT, field_8);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
    INSERT INTO customers SELECT i, 'quill' || i || '@canary.example', 'DE89370400440532013000', 7 FROM n;
    """

    system, text = drafted_of(tmp_path, create, sampling=True)

    assert system.collections["customers"].fields["field_7"].category == "user.financial.bank_account"
    assert system.collections["customers"].fields["field_8"].category is None
    assert "canary" not in text.lower()
    assert "DE89" not in text


_TYPES = ["TEXT", "VARCHAR(4)", "INT", "DATE NOT NULL", "", "BLOB NOT NULL", "NUMERIC NOT NULL", "BOOLEAN NOT NULL",
          "TEXT NOT NULL UNIQUE", "INT NOT NULL UNIQUE", "REAL NOT NULL", "VARCHAR(10) NOT NULL", "JSON NOT NULL",
          "TEXT NOT NULL CHECK (length({0}) < 3)", "TEXT NOT NULL COLLATE NOCASE", "DATETIME NOT NULL"]  # fmt: skip
_COLUMNS = ["email", "first_name", "phone", "birth_date", "street", "note", "ip", "photo", "salary", "secret", "gender"]
_TABLES = ["customers", "staff", "orders", "order_items", "comments", "logs", "addresses", "things"]


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """DDL of some tables that point to each other in whatever way."""
    names = draw(st.lists(st.sampled_from(_TABLES), min_size=1, max_size=5, unique=True))
    made = []
    for name in names:
        columns = draw(st.lists(st.sampled_from(_COLUMNS), max_size=5, unique=True))
        parts = [draw(st.sampled_from(["id INTEGER PRIMARY KEY", "id TEXT PRIMARY KEY", "id INT", "id INT UNIQUE"]))]
        parts += [f"{column} {draw(st.sampled_from(_TYPES)).format(column)}" for column in columns]
        for number, other in enumerate(draw(st.lists(st.sampled_from(names), max_size=3))):
            action = draw(st.sampled_from(["", " ON DELETE CASCADE", " ON DELETE SET NULL"]))
            null = draw(st.sampled_from(["", "", " NOT NULL"]))
            parts.append(f"ref_{number} INT{null} REFERENCES {other} (id){action}")
        made.append(f"CREATE TABLE {name} ({', '.join(parts)})")
    return ";\n".join(made)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(create=schemas())
def test_whatever_the_schema_the_draft_validates_and_has_no_error(tmp_path: Path, create: str) -> None:
    for left in tmp_path.iterdir():
        left.unlink()
    made = FilePlace(tmp_path / "shop.db", create)
    try:
        system, text = drafted(made)
        assert drafted(made)[1] == text
        if system.collections:
            made.mapped(text.partition("\ncollections:\n")[2])
            found = [*made.connector.check(), *made.connector.survey()]
            assert [finding for finding in found if finding.severity is Severity.ERROR] == []
    finally:
        made.close()


def test_a_file_that_fits_has_nothing_said_of_it(shop: FilePlace) -> None:
    shop.run("DROP TABLE basket_lines", "DROP TABLE baskets", "DROP TABLE audit")

    assert [*shop.connector.check(), *shop.connector.survey()] == []


@pytest.mark.parametrize(
    ("spoil", "code", "severity", "part"),
    [
        (KEEP, "trigger_copies", "warning", "into audit, which is not in the map"),
        (KEEP.replace("OLD.note", "'x'"), "trigger_writes", "warning", "adds rows to audit"),
        (
            "CREATE TRIGGER t BEFORE DELETE ON customers BEGIN UPDATE OR IGNORE baskets SET customer = 1; END",
            "trigger_writes",
            "warning",
            "changes baskets",
        ),
        (
            "CREATE TRIGGER t AFTER DELETE ON customers BEGIN DELETE FROM [baskets] WHERE id = 9; END",
            "trigger_writes",
            "warning",
            "deletes from [baskets]",
        ),
        (
            "CREATE TRIGGER t BEFORE DELETE ON orders BEGIN SELECT RAISE(IGNORE) WHERE OLD.note = 'x'; END",
            "trigger_skips",
            "warning",
            "RAISE(IGNORE)",
        ),
        (
            "CREATE TRIGGER t AFTER DELETE ON orders BEGIN SELECT tell_the_world(OLD.id); END",
            "trigger_unknown",
            "warning",
            "calls tell_the_world",
        ),
        ("SELECT 1", "reference_cascades", "error", "main.baskets points to customers"),
        ("CREATE TABLE people (id INTEGER, passport_number TEXT)", "unreached", "warning", "passport_number"),
        ("ALTER TABLE customers ADD phone TEXT", "unmapped_personal_column", "warning", "customers.phone"),
        ("CREATE VIRTUAL TABLE letters USING fts5 (body)", "search_index", "warning", "letters"),
        ("DROP INDEX o", "no_index", "warning", "CREATE INDEX orders_customer ON orders (customer)"),
    ],
)
def test_what_would_outlive_or_surprise_an_erasure_is_said(
    shop: FilePlace, spoil: str, code: str, severity: str, part: str
) -> None:
    shop.run(spoil)

    assert [worst for worst, text in said(shop, code) if part in text] == [severity]


def test_a_copy_that_nobody_looks_for_is_an_error_where_rows_are_destroyed(shop: FilePlace) -> None:
    shop.run(KEEP)
    shop.system = shop.system.model_copy(update={"mode": Mode.AUTO})
    shop.connector = shop.connect()

    assert [severity for severity, _ in said(shop, "trigger_copies")] == ["error"]


@pytest.mark.parametrize(
    "harmless",
    [
        "CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO audit (was) VALUES ('old'); END",
        "CREATE TRIGGER t AFTER UPDATE OF name ON customers BEGIN INSERT INTO audit (was) VALUES (OLD.name); END",
        "CREATE TRIGGER t AFTER DELETE ON orders BEGIN SELECT 1 -- INSERT INTO audit SELECT OLD.note\n; END",
        "CREATE TRIGGER t AFTER DELETE ON orders BEGIN SELECT 'INSERT INTO audit VALUES (OLD.note)'; END",
        "CREATE TRIGGER t AFTER DELETE ON baskets BEGIN INSERT INTO audit (was) VALUES (OLD.id); END",
    ],
    ids=["inserting", "updating where nothing is rewritten", "in a comment", "in a string", "of another table"],
)
def test_what_an_erasure_does_not_set_off_is_not_held_against_it(shop: FilePlace, harmless: str) -> None:
    shop.run(harmless)

    assert [finding for finding in shop.connector.survey() if finding.code.startswith("trigger")] == []


def test_a_search_index_that_is_kept_up_is_no_copy(shop: FilePlace) -> None:
    shop.run(
        "CREATE VIRTUAL TABLE found USING fts5 (note, content = 'orders', content_rowid = 'id')",
        "INSERT INTO found (found) VALUES ('rebuild')",
        "CREATE TRIGGER f AFTER DELETE ON orders BEGIN "
        "INSERT INTO found (found, rowid, note) VALUES ('delete', OLD.id, OLD.note); END",
    )

    assert said(shop, "trigger_copies") == []
    assert said(shop, "search_index") == []
    assert "takes words out of the search index" in said(shop, "trigger_writes")[0][1]
    trial = shop.connector.attempt(shop.call(WHO))
    assert {effect.table: effect.surprise for effect in trial.effects} == {"main.customers": "", "main.orders": ""}
    assert [text.partition(" (")[0] for text in trial.not_counted] == ["found"]


def test_rows_that_an_application_has_left_behind_are_said(shop: FilePlace) -> None:
    shop.run("PRAGMA foreign_keys = OFF", "DELETE FROM customers WHERE id = 2")

    ((severity, text),) = said(shop, "orphans")
    assert severity == "warning"
    assert text.startswith("3 rows of orders point to rows of customers that are not there")


def test_what_would_be_done_is_told_by_table_and_nothing_is_changed(shop: FilePlace) -> None:
    before, gate = shop.dump(), Gate()

    trial = shop.connector.attempt(shop.call(WHO, fence=gate))

    told = {e.table: (e.collection, e.inserted, e.updated, e.deleted, e.surprise) for e in trial.effects}
    assert told == {"main.customers": ("customers", 0, 0, 1, ""), "main.orders": ("orders", 0, 0, 3, "")}
    assert (trial.refusal, trial.not_tried, trial.not_counted) == ("", "", ())
    assert trial.tally.of("orders").found == 3
    assert gate.passages == [], "a trial enters no fence"
    assert shop.dump() == before
    assert [text.partition(" WHERE")[0] for text in trial.statements if text.startswith("DELETE")] == [
        'DELETE FROM "main"."orders"',
        'DELETE FROM "main"."customers"',
    ], "children first"
    assert "person2" not in "".join(trial.statements)


def test_an_erasure_that_was_tried_can_still_be_carried_out(shop: FilePlace) -> None:
    shop.connector.attempt(shop.call(WHO))

    shop.erase(WHO)

    assert shop.rows("SELECT count(*) FROM orders") == [(1,)]
    assert shop.connector.attempt(shop.call(WHO)).effects == ()


def test_cascades_and_triggers_are_counted_through_to_their_end(shop: FilePlace) -> None:
    shop.run(
        KEEP,
        "CREATE TRIGGER again AFTER INSERT ON audit BEGIN UPDATE customers SET name = name WHERE id = 1; END",
        "INSERT INTO baskets VALUES (1, 2), (2, 2), (3, 1)",
        "INSERT INTO basket_lines VALUES (1, 1), (2, 1), (3, 2), (4, 3)",
    )
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    told = {e.table: (e.inserted, e.updated, e.deleted) for e in trial.effects if e.surprise}
    assert told == {
        "main.audit": (3, 0, 0),
        "main.baskets": (0, 0, 2),
        "main.basket_lines": (0, 3, 0),
        "main.audit, main.customers": (0, 3, 0),
    }, "and changes that could have been in two tables are not put into one of them"
    assert shop.dump() == before


@pytest.mark.parametrize("late", ["", " DEFERRABLE INITIALLY DEFERRED"])
def test_a_foreign_key_that_refuses_speaks(shop: FilePlace, late: str) -> None:
    shop.run(f"CREATE TABLE claims (customer INTEGER REFERENCES customers{late})", "INSERT INTO claims VALUES (2)")
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    assert trial.refusal == "blocked"
    assert trial.tally.of("orders").found == 3, "counts are told all the same"
    assert shop.dump() == before


_ACTIONS = ["", " ON DELETE CASCADE", " ON DELETE SET NULL", " DEFERRABLE INITIALLY DEFERRED"]
_EVENTS = ["AFTER DELETE ON orders", "BEFORE DELETE ON customers", "AFTER DELETE ON one", "AFTER INSERT ON two"]
_DOINGS = [
    "INSERT INTO two (ref) SELECT max(id) FROM three", "DELETE FROM three WHERE id = 1", "UPDATE one SET ref = NULL",
    "DELETE FROM two WHERE ref = 2", "INSERT INTO audit (was) VALUES (1)", "UPDATE customers SET name = name || '!'",
]  # fmt: skip


@pytest.mark.soak
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_a_trial_tells_is_what_an_erasure_then_does(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever cascades and triggers there are: the same rows gone and come, or the same refusal."""
    for left in tmp_path.iterdir():
        left.unlink()
    made = FilePlace(tmp_path / "shop.db", SHOP).mapped(MAP)
    parents = {"one": "customers", "two": "orders", "three": data.draw(st.sampled_from(["one", "two", "orders"]))}
    for table, parent in parents.items():
        action = data.draw(st.sampled_from(_ACTIONS), label=table)
        made.run(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, ref INTEGER REFERENCES {parent} (id){action})")
        for row in range(data.draw(st.integers(0, 3))):
            made.rows(f"INSERT INTO {table} VALUES (?, ?)", row + 1, data.draw(st.integers(1, 3)))
    chosen = st.lists(st.tuples(st.sampled_from(_EVENTS), st.sampled_from(_DOINGS)), max_size=2)
    for number, (event, doing) in enumerate(data.draw(chosen)):
        made.run(f"CREATE TRIGGER t{number} {event} BEGIN {doing}; END")
    before = {table: made.rows(f"SELECT count(*) FROM {table}")[0][0] for table in made.tables()}
    rows = made.dump()

    trial = made.connector.attempt(made.call(WHO))
    assert made.dump() == rows
    assert trial.not_tried == ""
    refusal = ""
    try:
        made.erase(WHO)
    except ConnectorError as error:
        refusal = error.code
    after = {table: made.rows(f"SELECT count(*) FROM {table}")[0][0] for table in made.tables()}
    made.close()

    surprising = any(effect.surprise for effect in trial.effects)
    # What goes beyond the plan stops an erasure before the commit that a foreign key would refuse.
    assert refusal in {trial.refusal, "side_effects" if surprising or trial.refusal else trial.refusal}
    told = {effect.table.removeprefix("main."): effect.inserted - effect.deleted for effect in trial.effects}
    assert {table: after[table] - before[table] for table in after if after[table] != before[table]} == {
        table: net for table, net in told.items() if net and not refusal
    }


def test_a_trigger_that_calls_what_only_the_application_knows_refuses(shop: FilePlace) -> None:
    shop.run("CREATE TRIGGER t AFTER DELETE ON orders BEGIN SELECT tell_the_world(OLD.id); END")

    assert shop.connector.attempt(shop.call(WHO)).refusal == "schema"


def test_nothing_is_tried_in_a_file_of_another_environment(shop: FilePlace) -> None:
    trial = shop.connector.attempt(shop.call(WHO, environment="production"))

    assert "environment mark" in trial.not_tried
    assert (trial.effects, trial.tally.of("orders").found) == ((), 3)


def test_a_writer_is_waited_for_briefly_and_the_trial_is_left_out(shop: FilePlace) -> None:
    shop.run("BEGIN IMMEDIATE")

    trial = shop.connector.attempt(shop.call(WHO))

    assert trial.refusal == "busy"
    shop.run("ROLLBACK")


def test_a_table_too_large_to_count_is_named(shop: FilePlace) -> None:
    shop.run("INSERT INTO baskets VALUES (1, 2), (2, 2)")
    with trying.trial(Database(shop.path, Limits(), writes=True), {}, Limits()) as session:
        assert session.rows_in(("main", "baskets"), ("customer",), 2) == (2, 0)
        assert session.rows_in(("main", "baskets"), ("customer",), 1) is None


def test_a_trial_has_no_commit(shop: FilePlace) -> None:
    with trying.trial(Database(shop.path, Limits(), writes=True), {}, Limits()) as session:
        session.ask("DELETE FROM basket_lines")
        session.ask("DELETE FROM orders")
        with pytest.raises(RuntimeError, match="a trial cannot commit"):
            session.commit()

    assert shop.rows("SELECT count(*) FROM orders") == [(4,)]
