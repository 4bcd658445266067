"""What a SQLite file says of the tables in the data map, from its pragmas."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.sql.catalogue import Catalogue, Column, Reference, Table, plain_expression
from connectors.sql.ddl import SQLITE, checks_of
from connectors.sql.dialects import Engine
from connectors.sql.families import Family
from rights.datamap import System

_VIRTUAL: Final = re.compile(r"\s*CREATE\s+VIRTUAL\b", re.IGNORECASE)
_LIMIT: Final = re.compile(r"\((\d+)\)")
_VALID: Final = re.compile(r"""\bjson_valid\s*\(\s*["`\[]?(\w+)["`\]]?\s*[,)]""", re.IGNORECASE)
"""A check by which a column holds JSON documents; the types of a strict table do not say so."""
_SHADOWS: Final = (
    "content",
    "segments",
    "segdir",
    "docsize",
    "stat",
    "data",
    "idx",
    "config",
    "node",
    "rowid",
    "parent",
)
"""What the tables are called, behind its own name, in which a virtual table of SQLite's modules keeps what it holds."""
MARK: Final = "habeas_environment"
"""The table that says which environment a file belongs to."""
_ACTIONS: Final = {"CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d", "RESTRICT": "r", "NO ACTION": "a"}


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a file, with the statements that made them, in the order of their names."""

    ordinary: Mapping[str, str]
    virtual: Mapping[str, str]


def tables_of(connection: sqlite3.Connection) -> Tables:
    """Tell ordinary tables from virtual ones; SQLite's own, those behind virtual ones, and the mark are left out.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    created = {str(name): str(sql or "") for name, sql in rows}
    virtual = {name: sql for name, sql in created.items() if _VIRTUAL.match(sql)}
    behind = {f"{name}_{part}".lower() for name in virtual for part in _SHADOWS} | {MARK}
    ordinary = {
        name: sql
        for name, sql in created.items()
        if name not in virtual and name.lower() not in behind and not name.lower().startswith("sqlite_")
    }
    return Tables(ordinary, virtual)


def read_catalogue(connection: sqlite3.Connection, system: System) -> Catalogue:
    """Look the tables of a system up.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    missing: list[str] = []
    found: dict[str, Table] = {}
    listed = "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view')"
    everything = [(str(name), str(kind), str(sql)) for name, kind, sql in connection.execute(listed)]
    tables = {name.lower(): (name, kind) for name, kind, _ in everything}
    checked = {name.lower(): _documents(sql) for name, _, sql in everything}
    relations = {name: number for number, name in enumerate(tables, 1)}
    for name, collection in system.collections.items():
        schema, _, wanted = (collection.name or name).rpartition(".")
        if wanted.lower() not in tables or schema not in {"", "main"}:  # nothing else is attached
            missing.append(collection.name or name)
            continue
        table, kind = tables[wanted.lower()]
        rows = connection.execute("SELECT * FROM pragma_table_xinfo(?)", [table]).fetchall()
        known = {row[1].lower(): row for row in rows}
        absent = [field for field in collection.fields if field.lower() not in known]
        missing += [f"{name}.{field}" for field in absent]
        indexed, unique = _indexes(connection, table, list(collection.fields))
        primary = [row[1].lower() for row in rows if row[5]]
        if len(primary) == 1 and "INT" in str(known[primary[0]][2]).upper():
            indexed |= {field for field in collection.fields if field.lower() == primary[0]}
        key = {field.lower() for field in collection.key}
        found[name] = Table(
            collection=name,
            schema="main",
            name=table,
            relation=relations[wanted.lower()],
            columns={
                field: _column(
                    name,
                    field,
                    known[field.lower()],
                    nocase=f"nocase({field})" in indexed,
                    documents=field.lower() in checked[wanted.lower()],
                )
                for field in collection.fields
                if field not in absent
            },
            indexed=frozenset(indexed),
            unwritten="a view" if kind == "view" else "",
            keyed=kind == "view" or any(set(one) and set(one) <= key for one in (primary, *unique)),
        )
    return Catalogue(
        tables=found,
        missing=tuple(missing),
        references=tuple(_references(connection, tables, relations, found)),
        engine=Engine.SQLITE,
    )


def _indexes(connection: sqlite3.Connection, table: str, fields: list[str]) -> tuple[set[str], list[list[str]]]:
    """Columns and expressions that an index begins with, and the columns of each unique index."""
    names = {field.lower(): field for field in fields}
    indexed: set[str] = set()
    uniques: list[list[str]] = []
    for _, index, unique, _, partial in connection.execute("SELECT * FROM pragma_index_list(?)", [table]).fetchall():
        if partial:
            continue
        parts = connection.execute("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", [index]).fetchall()
        first, collation = parts[0]
        if first is None:
            sql = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", [index]).fetchone()
            inner = re.search(r"\((lower\([^)]*\))", (sql[0] if sql else "") or "", re.IGNORECASE)
            indexed |= {plain_expression(inner[1].lower().replace("`", '"'))} if inner else set()
        else:
            own = names.get(first.lower(), first)
            indexed |= {own, f"lower({own})", f"nocase({own})"} if collation.upper() == "NOCASE" else {own}
        if unique and all(name is not None for name, _ in parts):
            uniques.append([name.lower() for name, _ in parts])
    return {_as_in_map(expression, names) for expression in indexed}, uniques


def _documents(create: str) -> frozenset[str]:
    """The columns that a table's checks let hold JSON documents alone, in small letters."""
    return frozenset(column.lower() for check in checks_of(create, SQLITE) for column in _VALID.findall(check))


def _as_in_map(expression: str, names: dict[str, str]) -> str:
    match = re.fullmatch(r"lower\((.*)\)", expression)
    return f"lower({names.get(match[1].lower(), match[1])})" if match else expression


def _column(collection: str, field: str, row: tuple[Any, ...], *, nocase: bool, documents: bool) -> Column:
    _, _, declared, strict, _, _, hidden = row
    limit = _LIMIT.search(declared or "")
    family = Family.JSON if documents else family_of(str(declared or ""))
    return Column(
        name=field,
        about=f"{collection}.{field}",
        cast="",
        internal=f"{declared} NOCASE" if nocase else str(declared or "any"),
        family=family,
        # SQLite does not keep to a length, but whoever reads the column may.
        limit=int(limit[1]) if limit and family is Family.TEXT else None,
        nullable=not strict,
        generated=hidden in {2, 3},
        engine=Engine.SQLITE,
    )


def family_of(declared: str) -> Family:
    """By the rules for what a column's values lean to (datatype3.html), and by names of types that people write."""
    declared = declared.upper()
    if "INT" in declared or declared.startswith("BOOL"):
        return Family.INTEGER
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return Family.TEXT
    if declared.startswith("JSON"):
        return Family.JSON
    if "BLOB" in declared:
        return Family.BYTES
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return Family.PLAIN
    if declared.startswith(("DATETIME", "TIMESTAMP")):
        return Family.TIMESTAMP
    if declared.startswith("DATE"):
        return Family.DATE
    if declared.startswith(("DEC", "NUM")):
        return Family.NUMERIC
    return Family.OTHER


def _references(
    connection: sqlite3.Connection,
    tables: dict[str, tuple[str, str]],
    relations: dict[str, int],
    found: dict[str, Table],
) -> list[Reference]:
    mapped = {table.relation for table in found.values()}
    references = []
    for lower, (table, kind) in tables.items():
        if kind != "table":
            continue
        rows = connection.execute("SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq", [table]).fetchall()
        for number in dict.fromkeys(row[0] for row in rows):
            parts = [row for row in rows if row[0] == number]
            to = relations.get(parts[0][2].lower())
            if to not in mapped or to is None:
                continue
            primary = _primary(connection, parts[0][2])
            targets = [row[4] or (primary[place] if place < len(primary) else "") for place, row in enumerate(parts)]
            references.append(
                Reference(
                    name=f"{table}.{number}",
                    schema="main",
                    table=table,
                    columns=tuple(row[3] for row in parts),
                    relation=relations[lower],
                    to=to,
                    to_columns=tuple(targets),
                    on_delete=_ACTIONS.get(parts[0][6], "a"),
                )
            )
    return references


def _primary(connection: sqlite3.Connection, table: str) -> list[str]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", [table])
    return [name for (name,) in rows.fetchall()]
