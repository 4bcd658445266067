"""What an export gives: every value as the database has it, in two forms, of one moment, in flat memory."""

import csv
import io
import json
import time
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.protocol import Export
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import Place, place

WHO = Identity("person", "1")
JSON, CSV = "application/x-ndjson", "text/csv"

# Kind, how it is written, how JSON has it, how the table has it.
VALUES: list[tuple[str, str, Any, str]] = [
    ("bigint", "9007199254740993", 9007199254740993, "9007199254740993"),
    ("numeric", "12345678901234567890.123456789012345678", Decimal("12345678901234567890.123456789012345678"), "same"),
    ("numeric", "-1.50", Decimal("-1.50"), "-1.50"),
    ("numeric", "NaN", "NaN", "NaN"),
    ("float8", "0.1", Decimal("0.1"), "0.1"),
    ("float8", "-Infinity", "-Infinity", "-Infinity"),
    ("boolean", "t", True, "true"),
    ("text", "", "", ""),
    ("text", 'says "hi", and\r\nleaves\t', 'says "hi", and\r\nleaves\t', "same"),
    ("text", "Zoë 日本 𝄞 \u2028 \u0001 \\n \\", "Zoë 日本 𝄞 \u2028 \u0001 \\n \\", "same"),
    ("text", "=1+1", "=1+1", "'=1+1"),
    ("text", "+49 30", "+49 30", "'+49 30"),
    ("text", "-1", "-1", "'-1"),
    ("text", "@me", "@me", "'@me"),
    ("text", "\tx", "\tx", "'\tx"),
    ("text", "\rx", "\rx", "'\rx"),
    ("text", "\nx", "\nx", "'\nx"),
    ("text", "＝1+1", "＝1+1", "'＝1+1"),
    ("text", "＠me", "＠me", "'＠me"),
    ("varchar(9)", "=x", "=x", "'=x"),
    ("char(4)", "ab", "ab  ", "ab"),
    ("date", "2024-02-29", "2024-02-29", "2024-02-29"),
    ("timestamp", "2024-02-29 12:00:00.123456", "2024-02-29T12:00:00.123456", "2024-02-29 12:00:00.123456"),
    ("timestamptz", "2024-02-29 12:00:00+02", "2024-02-29T10:00:00+00:00", "2024-02-29 10:00:00+00"),
    ("interval", "-1 day", "-1 days", "-1 days"),
    ("bytea", "\\x00ff22", "\\x00ff22", "\\x00ff22"),
    ("uuid", "8f14e45f-ceea-467f-a8d4-000000000000", "8f14e45f-ceea-467f-a8d4-000000000000", "same"),
    ("inet", "192.0.2.1/24", "192.0.2.1/24", "192.0.2.1/24"),
    ("jsonb", '{"b": [1, {"c": "=x"}], "a": null}', {"a": None, "b": [1, {"c": "=x"}]}, "json"),
    ("json", '{\n "a" :\r\n 1.10, "a": "\\n" }', {"a": "\n"}, "json"),
    ("text[]", '{"a,b",NULL,"c\\"d"}', ["a,b", None, 'c"d'], '{"a,b",NULL,"c\\"d"}'),
    ("int[]", "{{1,2},{3,4}}", [[1, 2], [3, 4]], "{{1,2},{3,4}}"),
    ("mood", "=glad", "=glad", "'=glad"),
    ("whole", '(1,"=x")', {"a": 1, "b": "=x"}, "(1,=x)"),
]


@pytest.fixture
def values(database: Database) -> Iterator[Place]:
    columns = [f"c{number} {kind}" for number, (kind, *_) in enumerate(VALUES)]
    create = (
        "CREATE TYPE mood AS ENUM ('=glad', 'sad'); CREATE TYPE whole AS (a int, b text);"
        f"CREATE TABLE people (record text, person int PRIMARY KEY, secret text, {', '.join(columns)})"
    )
    fields = ["secret: {export: false}", "person: {identity: person}", "record: {}"]
    fields += [f"c{number}: {{category: x}}" for number in reversed(range(len(VALUES)))]
    text = "\n".join(f"      {field}" for field in fields)
    with place(database, create, f"  people:\n    key: [person]\n    fields:\n{text}\n") as made:
        made.door.execute(
            f"INSERT INTO people VALUES ('r', 1, 's', {', '.join(['%s'] * len(VALUES))})",
            [value for _, value, *_ in VALUES],
        )
        made.door.execute("INSERT INTO people VALUES ('r', 2, 's')")
        yield made


def test_every_value_comes_out_as_it_is(values: Place) -> None:
    files = values.export(WHO)

    (row,) = map(_exactly, files["people", JSON].splitlines())
    names = ["person", "record", *(f"c{number}" for number in reversed(range(len(VALUES))))]
    assert list(row) == names, "the map's columns in the map's order, without what is not to be exported"
    header, cells = csv.reader(io.StringIO(files["people", CSV].decode(), newline=""), strict=True)
    assert header == names
    table = dict(zip(header, cells, strict=True))
    for number, (kind, value, in_json, in_table) in enumerate(VALUES):
        name = f"c{number}"
        assert (kind, row[name]) == (kind, in_json)
        assert type(row[name]) is type(in_json)
        if in_table == "json":
            assert json.loads(table[name]) == in_json
        else:
            assert (kind, table[name]) == (kind, value if in_table == "same" else in_table)


def test_nothing_is_told_from_an_empty_text(values: Place) -> None:
    files = values.export(Identity("person", "2"))

    (row,) = map(_exactly, files["people", JSON].splitlines())
    assert all(row[f"c{number}"] is None for number in range(len(VALUES)))
    _, line = files["people", CSV].decode().splitlines()
    assert line == '2,"r"' + "," * len(VALUES)
    assert files["people", CSV].endswith(b"\r\n")
    one = values.export(WHO)["people", CSV].decode()
    assert ',"",' in one


def test_a_stranger_gets_files_without_rows(values: Place) -> None:
    files = values.export(Identity("person", "3"))

    assert files["people", JSON] == b""
    assert files["people", CSV].count(b"\r\n") == 1


def test_any_text_comes_through(database: Database) -> None:
    texts = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
    create = "CREATE TABLE people (person int PRIMARY KEY, words text, data json)"
    fields = "{person: {identity: person}, words: {category: x}, data: {category: x}}"
    with place(database, create, f"  people:\n    key: [person]\n    fields: {fields}\n") as made:
        made.door.execute("INSERT INTO people VALUES (1, '', '{}')")

        @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(texts, texts)
        def through(words: str, inside: str) -> None:
            data = json.dumps({"a": inside}, indent=2)
            made.door.execute("UPDATE people SET words = %s, data = %s", [words, data])

            files = made.export(WHO)

            (line,) = files["people", JSON].decode().removesuffix("\n").split("\n")
            assert json.loads(line) == {"person": 1, "words": words, "data": {"a": inside}}
            (_, record) = csv.reader(io.StringIO(files["people", CSV].decode(), newline=""), strict=True)
            assert record[1] == ("'" if words[:1] in set("=+-@\t\r\n＝＋－＠") and words else "") + words

        through()


MANY = """
CREATE TABLE people (person int PRIMARY KEY);
CREATE TABLE visits (id bigint PRIMARY KEY, person int, page text);
CREATE INDEX ON visits (person);
INSERT INTO people VALUES (1), (2);
INSERT INTO visits SELECT n, 1 + n % 2, repeat('x', 500) FROM generate_series(1, 60000) n;
"""
MANY_MAP = """
  people:
    key: [person]
    fields: {person: {identity: person}}
  visits:
    key: [id]
    fields: {id: {}, person: {}, page: {category: behaviour}}
    links: [{field: person, to: people.person}]
"""


def test_memory_stays_flat_and_pages_are_even(database: Database) -> None:
    with place(database, MANY, MANY_MAP) as made:
        made.locate(WHO)
        beats, sizes = [0], []

        def beat() -> None:
            beats[0] += 1

        tracemalloc.start()
        for file in made.connector.export(made.call(WHO, beat=beat)):
            sizes += [len(page) for page in file.pages]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert sum(sizes) > 30_000_000
        assert peak < 4_000_000
        assert max(sizes) < 256 * 1024
        assert beats[0] >= len(sizes)


def test_an_export_is_of_one_moment(database: Database) -> None:
    with place(database, MANY, MANY_MAP) as made:
        seen: list[tuple[str, int]] = []
        for file in made.connector.export(made.call(WHO)):
            body = b"".join(file.pages)
            seen.append((file.collection, body.count(b"\n") - (file.media_type == CSV)))
            made.door.execute("DELETE FROM visits WHERE person = 1")

        assert seen == [("people", 1), ("people", 1), ("visits", 30000), ("visits", 30000)]


def test_a_file_that_nobody_reads_does_not_get_in_the_way(database: Database) -> None:
    with place(database, MANY, MANY_MAP) as made:
        files: list[Export] = []
        last = b""
        for file in made.connector.export(made.call(WHO)):
            files.append(file)
            last = next(file.pages, b"")

        assert [(file.collection, file.media_type) for file in files] == [
            (name, kind) for name in ("people", "visits") for kind in (JSON, CSV)
        ]
        assert last.startswith(b'"id","person","page"\r\n')


def test_an_export_given_up_half_way_leaves_nothing_open(database: Database) -> None:
    with place(database, MANY, MANY_MAP, pool_size=1) as made:
        for _ in range(3):
            files = made.connector.export(made.call(WHO))
            for file in files:
                next(file.pages, b"")
                break
            files.close()  # type: ignore[attr-defined]

        sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
        for _ in range(600):
            if made.rows(sessions) == [(1,)]:
                break
            time.sleep(0.05)
        assert made.rows(sessions) == [(1,)], "the back door's own"
        assert made.locate(WHO).tally.found == 30001


def _exactly(line: str | bytes) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line, parse_float=Decimal)
    return row
