"""A list held against what people have had stopped and who was erased: an import, a campaign, before it is used.

The one rule: no key and no token leaves the ledger's side. Values come in as a stream, a thousand at a time, and what
goes out is a verdict; a campaign's own database gets back its own values, in a table to join against.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TextIO

import psycopg
from psycopg import sql

from ledger.erasures import Screened
from ledger.ledger import Ledger
from rights.subject import Identity, IdentityError, parse_identity
from rights.suppression import bars

IMPORT: Final = "import"
"""The use of a list that is brought in: whoever was erased must not come back by it, nor a child of whom a parent has
refused further collection. Whoever else has had something stopped may come in: it goes on to bind them."""
DELETION: Final = "deletion"
"""The use of a list by a job that deletes: whoever has asked for a copy, or may still complain of one, stays."""
BATCH: Final = 1_000
"""Values asked about in two statements."""
LONGEST_ROW: Final = 1 << 20
"""Characters of a row, over all of its lines: where a quote is not closed, everything behind it is one row."""
ERASED: Final = "erased"
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of one value."""

    why: tuple[str, ...]
    """Scopes that were stopped, `erased`, what keeps it (`ledger.preserving`), or `unreadable`; nothing: it may be
    used."""
    since: datetime | None = None

    @property
    def barred(self) -> bool:
        return bool(self.why)


@dataclass(slots=True)
class Tallied:
    """How many values were asked about, and what came of it."""

    rows: int = 0
    barred: int = 0
    why: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.rows += 1
        self.barred += verdict.barred
        self.why.update(verdict.why)


def screened(ledger: Ledger, kind: str, values: Iterable[str | None], use: str, *, at: datetime) -> Iterator[Verdict]:
    """Whether each value may be used, in their order. Memory stays flat, however many there are.

    Args:
        use: `import`, `deletion`, or the scope that they are to be used for (`marketing`, `sale`, ...).
    """
    for batch in _batched(values):
        people = [_identity(kind, value) for value in batch]
        known = iter(_verdicts(ledger, [one for one in people if one], use, at))
        for one in people:
            yield next(known) if one else Verdict((UNREADABLE,))


def _verdicts(ledger: Ledger, people: Sequence[Identity], use: str, at: datetime) -> Iterator[Verdict]:
    if use == DELETION:
        yield from (Verdict(one.why, one.since) for one in ledger.preserved(people, at=at))
    else:
        yield from (_verdict(found, use) for found in ledger.screen(people, at=at))


def _batched(values: Iterable[str | None]) -> Iterator[Sequence[str | None]]:
    rest = iter(values)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def _identity(kind: str, value: str | None) -> Identity | None:
    try:
        return parse_identity(kind, value or "")
    except IdentityError:
        return None


def _verdict(found: Screened, use: str) -> Verdict:
    days = {str(one.scope): one.since for one in found.stops if bars(one.scope, use)}
    if found.erased_at:
        days[ERASED] = found.erased_at
    return Verdict(tuple(days), min(days.values(), default=None))


class Missing(ValueError):
    """A CSV lacks the column that is asked for."""


class NotRead(ValueError):
    """A CSV cannot be read; the text is the sentence for whoever sent it."""


def lines_of(source: TextIO) -> Iterator[str]:
    """The lines of a text, no more of them in memory than one row may have."""
    while line := source.readline(LONGEST_ROW + 1):
        yield line


def screen_csv(
    ledger: Ledger, lines: Iterable[str], column: str, kind: str, use: str, *, at: datetime
) -> Iterator[tuple[int, list[str], Verdict]]:
    """Each row of a CSV by its number, from 1 on, as it stands, with its verdict; the heading first, as row 0.

    Raises:
        Missing: there is no such column.
        NotRead: it is no CSV, no UTF-8, or a row has no end.
    """
    rows = _rows(_unmarked(lines))
    heading, _ = next(rows, ([], 0))
    if column not in heading:
        raise Missing
    yield 0, heading, Verdict(())
    place, number = heading.index(column), 0
    for batch in _together(rows):
        values = [row[place] if place < len(row) else None for row in batch]
        for row, verdict in zip(batch, screened(ledger, kind, values, use, at=at), strict=True):
            number += 1
            yield number, row, verdict


def _unmarked(lines: Iterable[str]) -> Iterator[str]:
    """The lines without the mark that spreadsheets put before the first one, which is no part of a column's name."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")


def _rows(lines: Iterable[str]) -> Iterator[tuple[list[str], int]]:
    """Each row, and how long it is as it is written."""
    length = 0

    def measured() -> Iterator[str]:
        nonlocal length
        for line in lines:
            length += len(line)
            if length > LONGEST_ROW:
                raise NotRead(
                    f"a row of the list is longer than {LONGEST_ROW:,} characters: see whether a quote is not closed"
                )
            yield line

    try:
        for row in csv.reader(measured()):
            yield row, length
            length = 0
    except (UnicodeDecodeError, csv.Error):
        raise NotRead("the list cannot be read: write it as CSV in UTF-8") from None


def _together(rows: Iterable[tuple[list[str], int]]) -> Iterator[list[list[str]]]:
    """Rows by the thousand; fewer where they are long, so that a thousand long ones are not in memory at once."""
    batch: list[list[str]] = []
    length = 0
    for row, its in rows:
        batch.append(row)
        length += its
        if len(batch) == BATCH or length > LONGEST_ROW:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


_MADE: Final = """
CREATE TABLE IF NOT EXISTS {} (value text PRIMARY KEY, why text NOT NULL, since timestamptz)
"""


_JOIN: Final = sql.SQL("SELECT t.* FROM {} AS t\nWHERE NOT EXISTS (SELECT FROM {} AS s WHERE s.value = t.{}::text);")


def screen_table(
    ledger: Ledger, conninfo: str, table: str, column: str, into: str, kind: str, use: str, *, at: datetime
) -> Tallied:
    """Hold a column of a PostgreSQL table against the list, and fill a table beside it with the values that may not be
    used. Readers of that table see the list before, or the whole new one.

    Raises:
        psycopg.Error: the database cannot be asked; its text may quote a value.
    """
    tallied = Tallied()
    there, here = _named(table), _named(into)
    with psycopg.connect(conninfo) as reading, psycopg.connect(conninfo) as writing:
        writing.execute(sql.SQL(_MADE).format(here))
        writing.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(here))
        writing.execute(sql.SQL("DELETE FROM {}").format(here))
        query = sql.SQL("SELECT DISTINCT {0}::text FROM {1} WHERE {0} IS NOT NULL").format(
            sql.Identifier(column), there
        )
        with reading.cursor("habeas_screen") as cursor, writing.cursor() as writer:
            cursor.itersize = BATCH
            cursor.execute(query)
            asked, mine = itertools.tee(value for (value,) in cursor)
            target = sql.SQL("COPY {} (value, why, since) FROM STDIN").format(here)
            with writer.copy(target) as copy:
                for value, verdict in zip(mine, screened(ledger, kind, asked, use, at=at), strict=True):
                    tallied.add(verdict)
                    if verdict.barred:
                        copy.write_row((value, " ".join(verdict.why), verdict.since))
        writing.commit()
    return tallied


def join_sql(table: str, column: str, into: str) -> str:
    """The statement by which a campaign reads the rows that it may use."""
    return _JOIN.format(_named(table), _named(into), sql.Identifier(column)).as_string(None)


def _named(table: str) -> sql.Identifier:
    """A table as somebody names it: schema.table or table."""
    return sql.Identifier(*table.split("."))
