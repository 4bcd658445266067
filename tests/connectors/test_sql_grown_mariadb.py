"""Schemas as they have grown on MariaDB: partitions, columns that write themselves, databases side by side, views."""

import pytest

from connectors.errors import NeedsHuman
from connectors.sql import build
from rights.codes import Code
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_anywhere import Make, OnMariaDB
from tests.connectors.sql_place import counted
from tests.connectors.test_sql_grown import HANNAH, PEOPLE_MAP, peopled, taken

pytestmark = [needs_mariadb, pytest.mark.soak]

NOTES_MAP = """
  notes:
    key: [id]
    fields: {{id: {{}}, person: {{}}, body: {{category: free_text{strategy}}}{more}}}
    links: [{{field: person, to: people.id}}]
    {erase}
"""
REDACT = {"strategy": ', strategy: "null"', "erase": "erase: redact", "more": ""}


@pytest.mark.parametrize("batch", [10_000, 2])
def test_a_partitioned_table_is_one_table(on_mariadb: Make, batch: int) -> None:
    made = peopled(
        on_mariadb,
        "CREATE TABLE notes (id int, person int, body text, PRIMARY KEY (id, person), KEY (person))"
        " PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20),"
        " PARTITION c VALUES LESS THAN MAXVALUE)",
        NOTES_MAP.format(strategy="", erase="", more="").replace("key: [id]", "key: [id, person]"),
        batch_rows=batch,
    )
    made.insert("notes", *((n, 1 + n % 2, "x") for n in range(30)))

    taken(made, erased={"people": 1, "notes": 15})
    assert made.rows("SELECT count(*) FROM notes PARTITION (b)") == [(5,)]


def test_columns_that_the_server_writes_are_told_and_left_to_it(on_mariadb: Make) -> None:
    """Virtual and stored ones follow the column that they are made from, and the time of the change is the server's."""
    made = peopled(
        on_mariadb,
        "CREATE TABLE notes (id int PRIMARY KEY, person int, body varchar(20),"
        " loud varchar(20) AS (UPPER(body)) VIRTUAL, size int AS (LENGTH(body)) PERSISTENT,"
        " changed timestamp NOT NULL DEFAULT '2001-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP, KEY (size))",
        NOTES_MAP.format(**{**REDACT, "more": ", loud: {}, size: {}, changed: {}"}),
    )
    made.run("INSERT INTO notes (id, person, body) VALUES (1, 1, 'hello'), (2, 2, 'hello')")
    text = made.export(HANNAH)["notes", "application/x-ndjson"]
    assert '"loud": "HELLO", "size": 5' in text

    made.erase(HANNAH)

    assert made.rows("SELECT body, loud, size FROM notes") == [(None, None, None), ("hello", "HELLO", 5)]
    assert made.rows("SELECT id FROM notes WHERE changed > '2002-01-01'") == [(1,)]


@pytest.mark.parametrize("kind", ["VIRTUAL", "PERSISTENT"])
def test_a_generated_column_is_never_written(on_mariadb: Make, kind: str) -> None:
    made = peopled(
        on_mariadb,
        f"CREATE TABLE notes (id int PRIMARY KEY, person int, words varchar(20), body varchar(20) AS (words) {kind})",
        NOTES_MAP.format(**REDACT),
    )
    made.run("INSERT INTO notes (id, person, words) VALUES (1, 1, 'hello')")

    with pytest.raises(NeedsHuman) as caught:
        made.erase(HANNAH)

    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "notes.body (generated)")
    assert any("strategy null does not go with notes.body" in finding for finding in made.connector.check())


def test_a_link_and_an_identity_may_be_generated(on_mariadb: Make) -> None:
    made = on_mariadb(
        "CREATE TABLE people (id int PRIMARY KEY, doc json, email varchar(200) AS (JSON_VALUE(doc, '$.mail')) VIRTUAL,"
        " KEY (email)); CREATE TABLE notes (id int PRIMARY KEY, doc json,"
        " person int AS (JSON_VALUE(doc, '$.person')) PERSISTENT, body text, KEY (person))",
        PEOPLE_MAP.replace(", strategy: anonymise", "") + NOTES_MAP.format(strategy="", erase="", more=""),
    )
    made.run("""INSERT INTO people (id, doc) VALUES (1, '{"mail": "hannah@example.org"}'), (2, '{}')""")
    made.run("""INSERT INTO notes (id, doc) VALUES (1, '{"person": 1}'), (2, '{"person": 2}')""")

    taken(made, erased={"people": 1, "notes": 1})


def test_an_enum_and_a_set_take_what_they_know_and_nothing_else(on_mariadb: Make) -> None:
    create = (
        "CREATE TABLE notes (id int PRIMARY KEY, person int, body enum('happy','sad','erased'),"
        " tags set('a','b') NOT NULL)"
    )
    constant = {**REDACT, "strategy": ", strategy: constant, value: erased", "more": ", tags: {}"}
    made = peopled(on_mariadb, create, NOTES_MAP.format(**constant))
    made.insert("notes", (1, 1, "sad", "a,b"), (2, 2, "sad", ""))

    made.erase(HANNAH)
    assert made.rows("SELECT body, tags FROM notes") == [("erased", "a,b"), ("sad", "")]
    made.connector.close()

    made = peopled(
        on_mariadb, create, NOTES_MAP.format(**{**constant, "strategy": ", strategy: constant, value: gone"})
    )
    made.insert("notes", (1, 1, "sad", "a"))
    before = made.dump()
    with pytest.raises(NeedsHuman) as caught:
        made.erase(HANNAH)
    assert caught.value.code is Code.SCHEMA
    assert made.dump() == before, "no other value is put there instead"


def test_a_view_is_looked_at_and_never_written(on_mariadb: Make) -> None:
    made = peopled(
        on_mariadb,
        "CREATE TABLE all_notes (id int PRIMARY KEY, person int, body varchar(20), hidden int);"
        "CREATE VIEW notes AS SELECT id, person, body FROM all_notes WHERE hidden = 0",
        NOTES_MAP.format(strategy="", erase="", more=""),
    )
    made.insert("all_notes", (1, 1, "x", 0), (2, 1, "y", 1), (3, 2, "z", 0))
    before = made.dump()
    assert counted(made.locate(HANNAH).tally, "found") == {"people": 1, "notes": 1}

    with pytest.raises(NeedsHuman) as caught:
        made.erase(HANNAH)

    assert (caught.value.code, made.dump()) == (Code.SCHEMA, before)


def test_tables_of_another_database_are_named_with_it(on_mariadb: Make, mariadb_server: MariaDBServer) -> None:
    mariadb_server.create_database("archive")
    made = peopled(
        on_mariadb,
        "CREATE TABLE archive.notes (id int PRIMARY KEY, person int, body text)",
        NOTES_MAP.format(strategy="", erase="", more="").replace("key: [id]", "name: archive.notes\n    key: [id]"),
    )
    made.insert("archive.notes", (1, 1, "x"), (2, 2, "y"))

    assert counted(made.erase(HANNAH), "erased") == {"people": 1, "notes": 1}

    assert made.rows("SELECT id FROM archive.notes") == [(2,)]
    mariadb_server.drop_database("archive")


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("", "reference_blocks"),
        ("ON DELETE CASCADE ON UPDATE CASCADE", "reference_cascades"),
        ("ON DELETE SET NULL", "reference_empties"),
    ],
)
def test_a_role_with_few_rights_is_told_of_foreign_keys(
    on_mariadb: Make, mariadb_server: MariaDBServer, action: str, code: str
) -> None:
    """information_schema keeps them from whoever owns nothing; the table's own statement does not."""
    made = peopled(
        on_mariadb,
        "CREATE TABLE notes (id int PRIMARY KEY, person int, body text,"
        f" FOREIGN KEY (person) REFERENCES people (id) {action})",
        "  notes:\n    key: [id]\n    fields: {id: {}, body: {category: contact, identity: email}}\n",
    )
    assert isinstance(made, OnMariaDB)
    clerk = f"clerk_{made.name}"
    made.run(f"CREATE USER '{clerk}'@'%' IDENTIFIED BY 'secret'")
    for table in ("people", "notes"):
        made.run(f"GRANT SELECT, DELETE ON {table} TO '{clerk}'@'%'")
    url = f"mariadb://{clerk}:secret@127.0.0.1:{mariadb_server.port}/{made.name}"
    connector = build(made.system, {"reader": url, "writer": url})

    found = {finding.code for finding in connector.check() if hasattr(finding, "code")}

    assert code in found
    connector.close()
    made.run(f"DROP USER '{clerk}'@'%'")
