"""What SQLite does by itself when rows are deleted or rewritten: triggers, search indexes, and what others have left.

The one rule: a trigger is read by its text (`connectors.sql.triggers`). Foreign keys hold on our connections whatever
the application's do; what it has left behind without them shows as rows that point nowhere.
"""

import sqlite3
import time
from collections.abc import Container, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Final

from connectors.finding import Finding, Severity
from connectors.sql.catalogue import Catalogue
from connectors.sql.check import works_of
from connectors.sql.ddl import SQLITE, Token, calls, plain, tokens
from connectors.sql.discovery.limits import STATEMENT_TIMEOUT
from connectors.sql.sqlite.catalogue import Tables, read_catalogue, tables_of
from connectors.sql.sqlite.session import Database
from connectors.sql.triggers import Trigger, findings, name_parts
from rights.datamap import System

_STEPS: Final = 20_000
"""Steps of SQLite's machine after which the clock is looked at: a few milliseconds."""
_WORDS: Final = frozenset(
    {
        "and", "as", "between", "by", "case", "cast", "else", "end", "exists", "filter", "from", "glob", "in", "is",
        "like", "match", "not", "on", "or", "over", "raise", "regexp", "select", "set", "then", "using", "values",
        "when", "where",
    }
)  # fmt: skip
"""Words of SQL that may stand before a parenthesis."""


def hazards(system: System, reader: Database) -> Iterator[Finding]:
    """What triggers of the map's tables would do to an erasure, and what would outlive it.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    works = works_of(system)
    until = time.monotonic() + STATEMENT_TIMEOUT
    with reader.plain() as connection:
        catalogue = read_catalogue(connection, system)
        tables = tables_of(connection)
        collections = {table.name.lower(): name for name, table in catalogue.tables.items()}
        triggers = triggers_of(connection, tables, collections)
        if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
            said = (
                "this SQLite knows no foreign keys, so rows that hang on erased ones would be left: use one that is "
                "built with them"
            )
            yield Finding("no_foreign_keys", said)
        connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
        yield from _orphans(connection, catalogue)
    spoken = " ".join(trigger.text.lower() for _, trigger in triggers)
    for table, trigger in triggers:
        yield from findings(system, works[collections[table]], trigger, partial(_collection, collections))
    for name in tables.virtual:
        if name.lower() not in spoken:
            said = (
                f"the virtual table {name} may hold texts of the person, and no trigger of the map's tables keeps it "
                "up: see that what is erased goes there too"
            )
            yield Finding("search_index", said, Severity.WARNING)


def triggers_of(connection: sqlite3.Connection, tables: Tables, wanted: Container[str]) -> list[tuple[str, Trigger]]:
    """The triggers of some tables, whose names are in small letters."""
    rows = connection.execute("SELECT name, lower(tbl_name), sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY 1")
    functions = connection.execute("SELECT DISTINCT lower(name) FROM pragma_function_list").fetchall()
    known = {name for (name,) in functions} | _WORDS | {n.lower() for n in (*tables.ordinary, *tables.virtual)}
    virtual = {name.lower() for name in tables.virtual}
    return [(table, _read(known, virtual, name, sql)) for name, table, sql in rows if table in wanted]


def _read(known: set[str], virtual: set[str], name: str, create: str) -> Trigger:
    parts = tokens(create, SQLITE)
    begin = next((at for at, part in enumerate(parts) if part.says("begin")), len(parts))
    head, body = parts[:begin], parts[begin + 1 :]
    # Its name and its table's may be words like these: the event is the one before ON or OF.
    events = [
        part.text.lower()
        for part, following in pairwise(head)
        if part.kind == "word" and (following.says("on") or following.says("of"))
    ]
    text = plain(create[body[0].start :] if body else "", SQLITE)
    unknown = [function for function in calls(body) if function not in known]
    return Trigger(
        name,
        deletes="delete" in events,
        updates="update" in events,
        text=text,
        hidden=f"calls {unknown[0]}, a function that only the application has, so it fails here" if unknown else "",
        skips="RAISE(IGNORE)" if "raise ( ignore )" in text.lower() else "",
        writes=tuple(_unindexed(body, virtual)),
    )


def _unindexed(body: Sequence[Token], virtual: set[str]) -> Iterator[tuple[str, str]]:
    """Full-text tables out of which words are taken: INSERT INTO t (t, ...) VALUES ('delete', ...)."""
    for at, part in enumerate(body[:-3]):
        table = body[at + 1]
        if not (part.says("into") and table.name.lower() in virtual and body[at + 2].text == "("):
            continue
        values = next((n for n in range(at, len(body) - 2) if body[n].says("values")), None)
        if body[at + 3].name.lower() == table.name.lower() and values and body[values + 2].text.lower() == "'delete'":
            yield "takes words out of the search index", table.text


def _orphans(connection: sqlite3.Connection, catalogue: Catalogue) -> Iterator[Finding]:
    """Rows that point to rows of the map that are not there."""
    parents = {table.relation: table for table in catalogue.tables.values()}
    for child, parent in dict.fromkeys((r.table, parents[r.to].name) for r in catalogue.references):
        try:
            ((lost,),) = connection.execute(
                "SELECT count(*) FROM pragma_foreign_key_check(?) WHERE lower(parent) = lower(?)", [child, parent]
            ).fetchall()
        except sqlite3.OperationalError:
            said = f"whether rows of {child} point to rows of {parent} that are not there took too long to see: look"
            yield Finding("orphans", said, Severity.NOTE)
            continue
        if lost:
            said = (
                f"{lost:,} rows of {child} point to rows of {parent} that are not there, as they are left where PRAGMA "
                "foreign_keys is off, and no path leads to them: look whose they are, and turn it on in the application"
            )
            yield Finding("orphans", said, Severity.WARNING)


def _collection(collections: dict[str, str], target: str) -> str | None:
    """The collection of a table that a trigger names."""
    return collections.get(name_parts(target)[-1].lower())
