"""Promises about giving a person their data: all of it, nobody else's, at any size.

The one rule: what an export gives is judged by what the system holds, not by what locate counted.
"""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given

from connectors.conformance.bench import Arrives, Person, Shares, needs
from connectors.conformance.locating import WORDS, odd
from connectors.conformance.suite import Promises, Trial, asked, renamed
from connectors.errors import NeedsHuman
from connectors.protocol import Exports
from connectors.spreadsheets import FORMULA
from rights.codes import Code
from rights.plan import Operation

NDJSON = "application/x-ndjson"
CSV = "text/csv"
LARGE = 4_000
"""Rows of the person in promises about size, a kilobyte and more each."""
MEBIBYTE = 1 << 20


class Exporting(Promises):
    """What `export` promises."""

    @needs(Operation.EXPORT)
    def test_export_gives_exactly_the_rows_of_this_person(self, trial: Trial) -> None:
        anna, ben = trial.seeded(), trial.seeded()

        files = trial.export(trial.call(anna))

        held = trial.held(anna)
        for name in trial.system.collections:
            rows = _objects(files.get((name, NDJSON), b""))
            assert len(rows) == held.get(name, 0), f"a line for each row of {name}"
        everything = b"".join(files.values()).decode()
        assert anna.text in everything
        assert ben.text not in everything
        assert not any(identity.value in everything for identity in ben.identities)

    @needs(Operation.EXPORT)
    def test_export_gives_the_fields_of_the_map_and_no_others(self, trial: Trial) -> None:
        anna = trial.seeded()

        files = trial.export(trial.call(anna))

        for work in trial.works:
            for row in _objects(files.get((work.collection, NDJSON), b"")):
                assert set(row) == set(work.export)

    @needs(Operation.EXPORT)
    def test_a_stranger_gets_nothing_and_no_error(self, trial: Trial) -> None:
        trial.seeded()

        files = trial.export(trial.call(trial.person()))

        assert not any(_objects(body) for (_, media), body in files.items() if media == NDJSON)

    @needs(Operation.EXPORT)
    def test_export_changes_nothing(self, trial: Trial) -> None:
        anna = trial.seeded()
        before = trial.bench.everything()

        trial.export(trial.call(anna))

        assert trial.bench.everything() == before

    @needs(Operation.EXPORT)
    def test_pages_parse_whatever_the_values_are(self, trial: Trial) -> None:
        @odd
        @example('"quoted", \\ and\r\nbroken')
        @given(WORDS)
        def parsed(words: str) -> None:
            anna = trial.seeded(3, words)
            files = trial.export(trial.call(anna))
            texts = [
                value
                for name in trial.system.collections
                for row in _objects(files[name, NDJSON])
                for value in row.values()
            ]
            assert words in texts, "a text comes out as it went in"
            for (name, media), body in files.items():
                if media == CSV:
                    assert len(_records(body)) == 1 + len(_objects(files[name, NDJSON]))

        parsed()

    @needs(Operation.EXPORT)
    def test_a_formula_does_not_run_from_a_spreadsheet(self, trial: Trial) -> None:
        for sign in ("=", "＝"):
            anna = trial.seeded(words=f'{sign}HYPERLINK("https://example.org")')

            tables = [body for (_, media), body in trial.export(trial.call(anna)).items() if media == CSV]

            if not tables:
                pytest.skip("the connector exports no CSV")
            for body in tables:
                for record in _records(body):
                    assert not any(cell[:1] in FORMULA - {"+", "-"} for cell in record)

    @needs(Operation.EXPORT)
    def test_export_streams_in_flat_memory_and_beats(self, trial: Trial) -> None:
        assert isinstance(trial.connector, Exports)
        anna = trial.seeded(LARGE, words="x" * 1000)
        if sum(trial.held(anna).values()) < LARGE:
            pytest.skip("nothing hangs on a person's row, so nobody has many rows")
        streams(trial, anna, LARGE * 1000)

    @needs(Operation.EXPORT, Arrives)
    def test_an_export_is_of_one_moment(self, trial: Trial) -> None:
        assert isinstance(trial.connector, Exports)
        assert isinstance(trial.bench, Arrives)
        anna = trial.seeded()
        held = sum(trial.held(anna).values())
        rows = 0

        for number, part in enumerate(trial.exports(trial.call(anna))):
            if number == 0:
                trial.bench.arrive(anna)
            body = b"".join(part.pages)
            rows += len(_objects(body)) if part.media_type == NDJSON else 0

        assert rows == held

    @needs(Operation.EXPORT, Shares)
    def test_nothing_is_disclosed_while_it_is_open_whose_it_is(self, trial: Trial) -> None:
        assert isinstance(trial.connector, Exports)
        assert isinstance(trial.bench, Shares)
        kind = trial.bench.shares
        anna = trial.seeded()
        trial.bench.seed(renamed(trial.person(), kind, anna.of(kind)), 12)

        with pytest.raises(NeedsHuman) as caught:
            next(trial.exports(trial.call(asked(anna, kind))))

        assert caught.value.code is Code.SEVERAL_PEOPLE


def _objects(body: bytes) -> list[dict[str, Any]]:
    rows = [json.loads(line, parse_constant=_no_constant) for line in body.splitlines()]
    assert all(isinstance(row, dict) for row in rows)
    return rows


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def _records(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))


def streams(trial: Trial, person: Person, least: int) -> None:
    """An export of so many bytes at least holds a quarter of them at a time at most, and says that it lives."""
    since = size = largest = 0
    silent: list[int] = []

    def beat() -> None:
        nonlocal since
        silent.append(since)
        since = 0

    tracemalloc.start()
    try:
        exports = trial.exports(trial.call(person, beat=beat))
        assert isinstance(exports, Iterator)
        for part in exports:
            assert isinstance(part.pages, Iterator)
            for page in part.pages:
                size, since, largest = size + len(page), since + len(page), max(largest, len(page))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size > least, "the bench has seeded what was asked for"
    assert peak < size / 4, "memory does not grow with the export"
    assert max(silent, default=size) < MEBIBYTE + largest, "not a mebibyte without a beat"
