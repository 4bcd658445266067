"""Restriction by a flag: a column of each mapped table that holds the names of the requests that restrict its row.

The one rule: a row's flag says whose it is. A request adds its name and takes its own name away again; whatever else
stands there, a request's or the application's own, stays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Column as SqlColumn
from sqlalchemy import FromClause, MetaData, Text, case, cast, func, literal, literal_column
from sqlalchemy import Table as SqlTable
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.sql.selectable import NamedFromClause
from sqlalchemy.types import TypeEngine

from connectors.protocol import Call
from connectors.sql.catalogue import Catalogue, Table
from connectors.sql.dialects import Engine
from connectors.sql.families import Family, Named
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.stepping import BATCH
from rights.datamap import System

METHOD: Final = "flag"
"""What `options.restrict` says, and the state of what was restricted."""
MARKER: Final = "flag"
"""The slot of the document that holds the request's name."""
OPTIONS: Final = ("flag", "seen_in")
_TEXTS: Final = frozenset({"text", "character varying", "varchar", "tinytext", "mediumtext", "longtext"})

_POSTGRESQL: Final = """
SELECT a.attname::text, format_type(a.atttypid, NULL), NOT a.attnotnull, a.attgenerated <> '', false
FROM pg_attribute a WHERE a.attrelid = %s::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_MARIADB: Final = """
SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE = 'YES', COALESCE(IS_GENERATED, 'NEVER') <> 'NEVER',
  EXTRA LIKE '%%on update%%'
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION"""


@dataclass(frozen=True, slots=True)
class Flag:
    """What the map says of one collection."""

    column: str
    seen_in: str = ""
    """The relation in which the application sees the rows, beside their own table."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """One collection's table with all its columns."""

    collection: str
    flag: Flag
    table: SqlTable
    plain: tuple[str, ...]
    """Columns that are neither generated nor the flag: what must stay as it is."""
    stamped: tuple[str, ...]
    """Columns that the server would set to the time of any change, unless they are written as they are."""


def read_flags(system: System) -> Mapping[str, Flag]:
    """What the map says, by collection.

    Raises:
        ValueError: a collection has no flag, or an option that nobody reads.
    """
    flags = {}
    for name, collection in system.collections.items():
        place = f"collections.{name}.options"
        for option, value in collection.options.items():
            if option not in OPTIONS or not isinstance(value, str) or not value:
                raise ValueError(f"{place}: '{option}' is unknown or no text: write flag: COLUMN, seen_in: VIEW")
        if "flag" not in collection.options:
            raise ValueError(f"{place}: flag is missing: name the column that marks a row as restricted")
        if collection.options["flag"] in collection.fields:
            raise ValueError(f"{place}: flag names a field of the map: give it a column of its own")
        flags[name] = Flag(str(collection.options["flag"]), str(collection.options.get("seen_in", "")))
    return flags


class _Column(NamedTuple):
    """What the catalogue says of a column, in the map's spelling."""

    name: str
    kind: str
    nullable: bool
    generated: bool
    stamped: bool


def _columns(cursor: Any, catalogue: Catalogue, table: Table) -> list[_Column]:
    """All columns of a table. MariaDB does not mind their case, so the map's spelling counts."""
    if catalogue.engine is Engine.POSTGRESQL:
        cursor.execute(_POSTGRESQL, [table.relation])
        return [_Column(*row) for row in cursor.fetchall()]
    cursor.execute(_MARIADB, [table.schema, table.name])
    spelt = {column.lower(): column for column in table.columns}
    return [_Column(spelt.get(name.lower(), name), *rest) for name, *rest in cursor.fetchall()]


def gaps(cursor: Any, catalogue: Catalogue, flags: Mapping[str, Flag]) -> Iterator[tuple[str, str]]:
    """Columns that cannot be a flag: collection.column, and the sentence."""
    for name, table in catalogue.tables.items():
        flag = flags[name].column
        if not any(
            column.name == flag and column.kind in _TEXTS and column.nullable and not column.generated
            for column in _columns(cursor, catalogue, table)
        ):
            yield (
                f"{name}.{flag}",
                f"{name}.{flag} cannot mark rows as restricted: add a column that is a text and may be empty, "
                "such as varchar(200) NULL",
            )


def flagged(cursor: Any, scope: Scope, name: str, flag: Flag) -> Flagged:
    """A collection's table as it is changed."""
    about = scope.catalogue.tables[name]
    found = _columns(cursor, scope.catalogue, about)
    columns = (SqlColumn(quoted_name(c.name, True), _type(about, c.name, flag)) for c in found)
    table = SqlTable(quoted_name(about.name, True), MetaData(), *columns, schema=quoted_name(about.schema, True))
    plain = tuple(c.name for c in found if not c.generated and c.name != flag.column)
    return Flagged(name, flag, table, plain, tuple(c.name for c in found if c.stamped))


def _type(table: Table, column: str, flag: Flag) -> TypeEngine[Any]:
    if column in table.columns:
        return table.columns[column].type
    return Text() if column == flag.column else Named("text", Family.OTHER)


def state_of(call: Call) -> dict[str, str]:
    """How the person's rows are restricted."""
    return {"method": METHOD, "request": call.session}


def marker_of(call: Call) -> str:
    """The name of the request that restricts, or has restricted."""
    return call.restricted.get("request") or call.session


def picked(scope: Scope, name: str) -> FromClause:
    """The keys that were put into the document, as rows."""
    key = scope.system.collections[name].key
    given = scope.dialect.elements(BATCH, width=len(key))
    parts = zip(given.selected_columns, key, strict=True)
    return given.with_only_columns(
        *(cast(part, scope.column(name, field).type).label(field) for part, field in parts)
    ).subquery("picked")


def marked(scope: Scope, of: Flagged, rows: FromClause) -> Sql:
    """Whether a row bears the request's name; never NULL."""
    names = literal(" ", Text) + func.coalesce(cast(rows.c[of.flag.column], Text), "") + literal(" ", Text)
    name = literal(" ", Text) + scope.dialect.given(MARKER, Text()) + literal(" ", Text)
    if scope.catalogue.engine is Engine.POSTGRESQL:
        return func.strpos(names, name) > 0
    return func.locate(name, names) > 0


def with_mark(scope: Scope, of: Flagged) -> Sql:
    """The flag with the request's name."""
    column, name = cast(of.table.c[of.flag.column], Text), scope.dialect.given(MARKER, Text())
    empty = func.coalesce(column, "") == ""
    return case((empty, name), else_=column + literal(" ", Text) + name)


def without_mark(scope: Scope, of: Flagged) -> Sql:
    """The flag without the request's name; nothing, if no other is left."""
    space = literal(" ", Text)
    names = space + cast(of.table.c[of.flag.column], Text) + space
    name = space + scope.dialect.given(MARKER, Text()) + space
    return func.nullif(func.trim(func.replace(names, name, " ")), "")


def digest(scope: Scope, of: Flagged, rows: NamedFromClause) -> Sql:
    """All that a row holds beside its flag, and what is generated from it, as a short text."""
    if scope.catalogue.engine is Engine.POSTGRESQL:
        left_out = ", ".join("'" + c.name.replace("'", "''") + "'" for c in of.table.c if c.name not in of.plain)
        return literal_column(f"md5((to_jsonb({rows.name}) - ARRAY[{left_out}])::text)", Text())
    parts = (func.coalesce(func.hex(func.concat("", rows.c[column])), "-") for column in of.plain)
    return func.md5(func.concat_ws(",", *parts))
