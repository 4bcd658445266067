"""Reading a SQLite file for a draft or a check.

The one rule: nothing is changed, and the file is held no longer than one question takes. What pragmas do not tell
stands in the text by which a table was made.
"""

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Select

from connectors.sql.catalogue import Catalogue
from connectors.sql.ddl import SQLITE, checks_of
from connectors.sql.dialects import Engine
from connectors.sql.discovery.limits import SAMPLE_TIMEOUT, STATEMENT_TIMEOUT
from connectors.sql.discovery.schema import ColumnFacts, Progress, Reference, Schema, TableFacts, schema_of
from connectors.sql.families import Family
from connectors.sql.sqlite.catalogue import family_of, read_catalogue, tables_of
from connectors.sql.sqlite.session import Database
from connectors.sql.statement import compiled, quoted
from rights.datamap import System

_MAIN: Final = "main"
_STEPS: Final = 20_000
"""Steps of SQLite's machine after which the clock is looked at: a few milliseconds."""
_KINDS: Final[Mapping[Family, str]] = {
    Family.TEXT: "text",
    Family.INTEGER: "integer",
    Family.BYTES: "bytes",
    Family.PLAIN: "numeric",
    Family.NUMERIC: "numeric",
    Family.DATE: "date",
    Family.TIMESTAMP: "timestamp",
}


@contextmanager
def open_for_reading(database: Database) -> Iterator["Reading"]:
    """A connection that cannot write."""
    with database.plain() as connection:
        yield Reading(connection)


class Reading:
    """One file, open for reading."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._until = 0.0
        connection.set_progress_handler(lambda: int(time.monotonic() > self._until), _STEPS)

    def schema(self, progress: Progress) -> Schema:
        """Every table of the file but those of virtual tables; views are left out."""
        self._within(STATEMENT_TIMEOUT)
        found = tables_of(self._connection)
        names = {name.lower(): name for name in found.ordinary}
        columns = {name: self._columns(name) for name in found.ordinary}
        progress(f"{len(names):,} tables, reading keys")
        tables = []
        for number, (table, create) in enumerate(found.ordinary.items()):
            if number % 100 == 0:
                progress(f"table {number:,} of {len(names):,}")
            self._within(STATEMENT_TIMEOUT)
            whole, guarded = self._uniques(table, columns[table])
            primary = self._primary(table)
            tables.append(
                TableFacts(
                    name=(_MAIN, table),
                    columns=columns[table],
                    primary=primary,
                    references=tuple(self._references(table, names, columns)),
                    uniques=tuple(sorted({*whole, *([primary] if primary else [])})),
                    checks=tuple(sorted(checks_of(create, SQLITE))),
                    comment="",
                    guarded=guarded | set(primary),
                )
            )
        return schema_of(tables, _MAIN, left_out=tuple(map(_virtual, found.virtual)))

    def values(self, query: Select[Any]) -> list[Any] | None:
        self._within(SAMPLE_TIMEOUT)
        try:
            return self._connection.execute(compiled(query, Engine.SQLITE).text.decode()).fetchall()
        except sqlite3.Error:
            return None

    def catalogue(self, system: System) -> Catalogue:
        self._within(STATEMENT_TIMEOUT)
        return read_catalogue(self._connection, system)

    def takes(self, table: TableFacts, column: str, value: object, checks: tuple[str, ...]) -> bool | None:
        """The CHECKs are asked over a row that no table holds. Functions that only the application has are not known
        here."""
        self._within(SAMPLE_TIMEOUT)
        own = _leaning("?", table.columns[column], value)
        parts = [(own if name == column else "NULL") + f" AS {_name(name)}" for name in table.columns]
        conditions = " AND ".join(f"(({check}) IS NOT FALSE)" for check in checks) or "TRUE"
        query = f"SELECT {conditions} FROM (SELECT {', '.join(parts)}) AS {_name(table.name[1])}"  # noqa: S608
        try:
            row = self._connection.execute(query, [value]).fetchone()
        except sqlite3.Error:
            return None
        return bool(row[0])

    def _within(self, seconds: int) -> None:
        self._until = time.monotonic() + seconds

    def _ask(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _columns(self, table: str) -> dict[str, ColumnFacts]:
        rows = self._ask('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', table)
        sole = sum(bool(row[3]) for row in rows) == 1
        return {
            name: ColumnFacts(
                name=name,
                kind=_kind(declared),
                written=declared.lower() or "any",
                # The one column of type INTEGER that is the primary key is the row's own number.
                nullable=not (strict or (sole and pk and declared.upper() == "INTEGER")),
                generated=hidden in {2, 3},
                comment="",
            )
            for name, declared, strict, pk, hidden in rows
            if hidden != 1
        }

    def _primary(self, table: str) -> tuple[str, ...]:
        rows = self._ask("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", table)
        return tuple(name for (name,) in rows)

    def _uniques(self, table: str, columns: Mapping[str, ColumnFacts]) -> tuple[set[tuple[str, ...]], frozenset[str]]:
        """The columns of each unique index over whole values of all rows, and those that any unique index is over."""
        whole: set[tuple[str, ...]] = set()
        guarded: set[str] = set()
        for index, partial in self._ask('SELECT name, partial FROM pragma_index_list(?) WHERE "unique"', table):
            names = [name for (name,) in self._ask("SELECT name FROM pragma_index_xinfo(?) WHERE key", index)]
            guarded.update(filter(None, names))
            if None in names:
                ((text,),) = self._ask("SELECT sql FROM sqlite_schema WHERE name = ?", index)
                guarded.update(c for c in columns if re.search(rf"\b{re.escape(c)}\b", text or "", re.IGNORECASE))
            elif not partial:
                whole.add(tuple(names))
        return whole, frozenset(guarded)

    def _references(
        self, table: str, names: Mapping[str, str], columns: Mapping[str, Mapping[str, ColumnFacts]]
    ) -> list[Reference]:
        keys: dict[int, list[Any]] = {}
        query = 'SELECT id, "table", "from", "to", on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq'
        for number, *row in self._ask(query, table):
            keys.setdefault(number, []).append(row)
        made = []
        for parts in keys.values():
            if (to := names.get(parts[0][0].lower())) is None:
                continue
            primary, known = self._primary(to), {name.lower(): name for name in columns[to]}
            own = {name.lower(): name for name in columns[table]}
            targets = [row[2] or (primary[at] if at < len(primary) else "") for at, row in enumerate(parts)]
            made.append(
                Reference(
                    name="",
                    columns=tuple(own.get(row[1].lower(), row[1]) for row in parts),
                    to=(_MAIN, to),
                    to_columns=tuple(known.get(target.lower(), target) for target in targets),
                    on_delete=str(parts[0][3]).replace("NO ACTION", ""),
                )
            )
        return sorted(made, key=lambda key: (key.columns, key.to, key.on_delete))


def _virtual(name: str) -> str:
    return f"{name}: a virtual table, which SQLite keeps by a module; what it holds of other tables is not looked at"


def _kind(declared: str) -> str:
    """What a column holds, as far as its type says; one without a type holds anything, mostly texts."""
    plain = declared.upper().split("(")[0].strip()
    if plain.startswith("BOOL"):
        return "bool"
    if plain in {"JSON", "JSONB", "UUID", "GUID"}:
        return "json" if plain.startswith("JSON") else "uuid"
    if plain in {"", "ANY"}:
        return "text"
    return _KINDS.get(family_of(declared), "other")


def _leaning(given: str, column: ColumnFacts, value: object) -> str:
    """A value with the affinity of its column, which decides what it is compared as."""
    if isinstance(value, int):
        return f"CAST({given} AS {'REAL' if column.kind == 'numeric' else 'INTEGER'})"
    return f"CAST({given} AS TEXT)" if value is not None and column.kind == "text" else given


def _name(name: str) -> str:
    return quoted(name, engine=Engine.SQLITE)
