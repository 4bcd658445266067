"""What is copied because it is much: byte for byte what a few rows are given as, and of the same moment."""

import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError, Retryable
from connectors.sql.export import FEW
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import Place, place
from tests.connectors.test_sql_export import CSV, JSON, VALUES

WHO = Identity("person", "1")
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
LAST = b',"the end"\r\n'
"""The last cell and the end of each row: what a text of another cell cannot hold without its quotes being doubled."""


def _notes(columns: dict[str, str]) -> tuple[str, str]:
    """Tables and map of a person with notes of these columns."""
    listed = "".join(f', "{name}" {kind}' for name, kind in columns.items())
    create = (
        "CREATE TYPE mood AS ENUM ('=glad', 'sad'); CREATE TYPE whole AS (a int, b text);"
        "CREATE TABLE people (person int PRIMARY KEY); INSERT INTO people VALUES (1);"
        f"CREATE TABLE notes (id int PRIMARY KEY, person int{listed}, last text DEFAULT 'the end')"
    )
    fields = "".join(f"      {name}: {{category: x}}\n" for name in columns)
    return create, (
        "  people:\n    key: [person]\n    fields: {person: {identity: person}}\n"
        f"  notes:\n    key: [id]\n    fields:\n      id: {{}}\n      person: {{}}\n{fields}      last: {{}}\n"
        "    links: [{field: person, to: people.person}]\n"
    )


def _said(made: Place) -> tuple[list[bytes], list[bytes]]:
    """The notes' lines and records, in the order of their bytes, after each table's header."""
    files = made.export(WHO)
    header, _, records = files["notes", CSV].partition(b"\r\n")
    assert header.startswith(b'"id","person"')
    lines = files["notes", JSON]
    assert lines.endswith(b"\n")
    assert records.endswith(LAST)
    return sorted(lines.removesuffix(b"\n").split(b"\n")), sorted(records.removesuffix(LAST).split(LAST))


def _copied_and_not(made: Place) -> int:
    """Export more than a few notes and then, of the same, a few: they must be the same. Gives how many those were."""
    copied_lines, copied_records = _said(made)
    assert len(copied_lines) == len(copied_records) > FEW
    left = made.rows(f"WITH gone AS (DELETE FROM notes WHERE id > {FEW} RETURNING 1) SELECT count(*) FROM gone")
    lines, records = _said(made)
    assert len(lines) == len(records) == len(copied_lines) - left[0][0] <= FEW
    assert set(lines) <= set(copied_lines)
    assert set(records) <= set(copied_records)
    return len(lines)


def test_every_value_is_copied_as_a_few_are_given(database: Database) -> None:
    create, collections = _notes({f"c{number}": kind for number, (kind, *_) in enumerate(VALUES)})
    with place(database, create, collections) as made:
        values = [value for _, value, *_ in VALUES]
        into = (
            f"INSERT INTO notes SELECT n, 1, {', '.join(['%s'] * len(VALUES))} FROM generate_series(%s::int, %s::int) n"
        )
        made.door.execute(into, [*values, 1, FEW - 10])
        made.door.execute(into, [*values, FEW + 1, FEW + 30])
        made.door.execute("INSERT INTO notes SELECT n, 1 FROM generate_series(%s::int, %s::int) n", [FEW - 9, FEW])

        assert _copied_and_not(made) == FEW


def test_any_text_is_copied_as_a_few_are_given(database: Database) -> None:
    create, collections = _notes({"words": "text", "more": "varchar(80)", "data": "json"})
    with place(database, create, collections) as made:

        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=20))
        def through(texts: list[tuple[str, str, str]]) -> None:
            made.door.execute("TRUNCATE notes")
            rows: list[Any] = [json.dumps([one, two, json.dumps({"\t": three}, indent=1)]) for one, two, three in texts]
            made.door.execute(
                "INSERT INTO notes SELECT n, 1, row ->> 0, row ->> 1, (row ->> 2)::json FROM "
                "(SELECT n, (%s::text[])[1 + n %% %s]::json AS row FROM generate_series(1, %s) n) rows",
                [rows, len(rows), FEW + 20],
            )

            assert _copied_and_not(made) == FEW

        through()


def test_some_collections_are_copied_and_others_are_not(database: Database) -> None:
    create, collections = _notes({"words": "text"})
    with place(database, create, collections) as made:
        made.door.execute("INSERT INTO notes SELECT n, 1, 'x' FROM generate_series(1, %s) n", [FEW + 1])

        files = made.export(WHO)

        assert files["people", JSON] == b'{"person":1}\n'
        assert files["notes", JSON].count(b"\n") == FEW + 1


@pytest.mark.parametrize("at", [JSON, CSV])
def test_a_copy_that_is_cut_is_no_end(database: Database, at: str) -> None:
    create, collections = _notes({"words": "text"})
    with place(database, create, collections) as made:
        made.door.execute("INSERT INTO notes SELECT n, 1, repeat('canary', 200) FROM generate_series(1, 40000) n")
        ended: list[str] = []

        def read() -> None:
            for file in made.connector.export(made.call(WHO)):
                if (file.collection, file.media_type) == ("notes", at):
                    next(iter(file.pages))
                    made.door.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                        "AND pid <> pg_backend_pid()"
                    )
                for _ in file.pages:
                    pass
                ended.append(file.media_type)

        with pytest.raises(ConnectorError) as caught:
            read()

        assert isinstance(caught.value, Retryable)
        assert "canary" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"
        assert at not in ended[2:]
        assert made.export(WHO)["notes", JSON].count(b"\n") == 40000


def test_what_fails_in_the_midst_of_a_copy_is_said_without_a_value(database: Database) -> None:
    create, collections = _notes({"words": "text"})
    with place(database, create, collections, export_timeout=1) as made:
        made.door.execute("INSERT INTO notes SELECT n, 1, repeat('canary', 400) FROM generate_series(1, 20000) n")

        def read() -> None:
            for file in made.connector.export(made.call(WHO)):
                for number, _ in enumerate(file.pages):
                    if file.collection == "notes" and number == 0:
                        # A slow reader: the server's own limit ends the copy between two of its rows.
                        made.rows("SELECT pg_sleep(1.5)")

        with pytest.raises(ConnectorError) as caught:
            read()

        assert not isinstance(caught.value.__context__, psycopg.Error)
        assert "canary" not in repr(caught.value)
