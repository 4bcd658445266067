"""Schemas as they have grown in SQLite: tables without row numbers, strict ones, generated columns, views, affinity."""

import pytest

from connectors.errors import NeedsHuman
from rights.codes import Code
from rights.subject import Identity
from tests.connectors.sql_anywhere import Make
from tests.connectors.sql_place import counted, email
from tests.connectors.test_sql_grown import HANNAH, PEOPLE_MAP, peopled, taken

NOTES_MAP = """
  notes:
    key: [id]
    fields: {{id: {{}}, person: {{}}, body: {{category: free_text{more}}}}}
    links: [{{field: person, to: people.id}}]
"""


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER, body TEXT)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, person, body)",
        "CREATE TABLE notes (id INT PRIMARY KEY, person INT, body ANY)",
        "CREATE TABLE notes (id TEXT PRIMARY KEY, person TEXT, body TEXT) WITHOUT ROWID",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER, body TEXT) STRICT",
        "CREATE TABLE notes (id ANY PRIMARY KEY, person ANY, body ANY) STRICT, WITHOUT ROWID",
        "CREATE TABLE notes (id BLOB PRIMARY KEY, person NUMERIC, body REAL)",
        "CREATE TABLE notes (id PRIMARY KEY, person VARCHAR(10), body JSON)",
    ],
)
@pytest.mark.parametrize("batch", [10_000, 1])
def test_a_table_may_be_of_any_kind(on_sqlite: Make, create: str, batch: int) -> None:
    """A row number under another name, none at all, types that are kept to, and those that are only leant to."""
    made = peopled(on_sqlite, create, NOTES_MAP.format(more=""), batch_rows=batch)
    made.insert(
        "notes",
        *((n, 1 + n % 2, f"n{n}") if "INTEGER, body TEXT) STRICT" in create else (n, 1 + n % 2, n) for n in range(6)),
    )

    taken(made, erased={"people": 1, "notes": 3})


def test_values_are_stored_as_they_came_whatever_their_column_says(on_sqlite: Make) -> None:
    """7 and '7' are one in a column of numbers, and two in one without a type."""
    made = on_sqlite(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, leaning INTEGER, free, words TEXT)",
        "  people:\n    key: [id]\n"
        "    fields: {id: {}, leaning: {identity: a}, free: {identity: b}, words: {identity: c}}\n",
    )
    made.insert("people", (1, "7", "7", 7), (2, 7, 7, "7"), (3, 7.5, 7.5, 7.5), (4, "x", b"x", b"x"))

    assert made.rows("SELECT typeof(leaning), typeof(free), typeof(words) FROM people") == [
        ("integer", "text", "text"),
        ("integer", "integer", "text"),
        ("real", "real", "text"),
        ("text", "blob", "blob"),
    ]
    found = {kind: made.locate(Identity(kind, "7")).tally.found for kind in "abc"}
    assert found == {"a": 2, "b": 2, "c": 2}
    assert {kind: made.locate(Identity(kind, "7.5")).tally.found for kind in "abc"} == {"a": 1, "b": 1, "c": 1}
    assert {kind: made.locate(Identity(kind, "x")).tally.found for kind in "abc"} == {"a": 1, "b": 0, "c": 0}


@pytest.mark.parametrize("kind", ["VIRTUAL", "STORED"])
def test_generated_columns_lead_on_and_are_never_written(on_sqlite: Make, kind: str) -> None:
    create = (
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, doc TEXT,"
        f" person INTEGER GENERATED ALWAYS AS (json_extract(doc, '$.person')) {kind},"
        f" body TEXT GENERATED ALWAYS AS (json_extract(doc, '$.body')) {kind})"
    )
    made = peopled(on_sqlite, create, NOTES_MAP.format(more=""))
    made.run("""INSERT INTO notes (id, doc) VALUES (1, '{"person": 1, "body": "x"}'), (2, '{"person": 2}')""")
    taken(made, erased={"people": 1, "notes": 1})

    made = peopled(on_sqlite, create, NOTES_MAP.format(more=', strategy: "null"') + "    erase: redact\n")
    made.run("""INSERT INTO notes (id, doc) VALUES (1, '{"person": 1, "body": "x"}')""")
    with pytest.raises(NeedsHuman) as caught:
        made.erase(HANNAH)
    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "notes.body (generated)")


@pytest.mark.parametrize("trigger", ["", "CREATE TRIGGER t INSTEAD OF DELETE ON notes BEGIN SELECT 1; END"])
def test_a_view_is_looked_at_and_never_written(on_sqlite: Make, trigger: str) -> None:
    """Nor is one whose triggers would do it, or say that they did."""
    made = peopled(
        on_sqlite,
        "CREATE TABLE all_notes (id INTEGER PRIMARY KEY, person INTEGER, body TEXT);"
        "CREATE VIEW notes AS SELECT * FROM all_notes",
        NOTES_MAP.format(more=""),
    )
    if trigger:
        made.run(trigger)
    made.insert("all_notes", (1, 1, "x"), (2, 2, "y"))
    before = made.dump()
    assert counted(made.locate(HANNAH).tally, "found") == {"people": 1, "notes": 1}

    with pytest.raises(NeedsHuman):
        made.erase(HANNAH)

    assert made.dump() == before


def test_a_row_whose_key_is_nothing_is_never_passed_over(on_sqlite: Make) -> None:
    """SQLite lets a primary key be empty; by such a key no row is found again, and it would be missing in the count."""
    made = on_sqlite("CREATE TABLE people (id TEXT PRIMARY KEY, email TEXT)", PEOPLE_MAP)
    made.insert("people", (None, "hannah@example.org"), (None, "ida@example.org"), ("3", "ute@example.org"))

    with pytest.raises(NeedsHuman) as caught:
        made.locate(HANNAH)

    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "people")
    assert made.locate(email("ute@example.org")).tally.found == 1


def test_a_table_of_another_file_is_none_of_this_one(on_sqlite: Make) -> None:
    """Even where one of that name is here."""
    text = NOTES_MAP.format(more="").replace("key: [id]", "name: {}.notes\n    key: [id]")
    create = "CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER, body TEXT)"
    with pytest.raises(NeedsHuman) as caught:
        peopled(on_sqlite, create, text.replace("{}.notes", "archive.notes")).locate(HANNAH)
    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "archive.notes")

    made = peopled(on_sqlite, create, text.replace("{}.notes", "main.notes"))
    made.insert("notes", (1, 1, "x"), (2, 2, "y"))
    taken(made, erased={"people": 1, "notes": 1})
