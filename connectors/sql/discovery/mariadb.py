"""Reading a MariaDB for a draft or a check.

The one rule: nothing is changed. What information_schema shows to a role that may only SELECT is read there; CHECKs and
ON DELETE, which it hides from such a role, are read in SHOW CREATE TABLE.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pymysql
from sqlalchemy import NullPool, Select, create_engine
from sqlalchemy.engine import URL

from connectors.sql.catalogue import Catalogue
from connectors.sql.ddl import MARIADB, checks_of, delete_rules, tokens
from connectors.sql.dialects import Engine
from connectors.sql.discovery.limits import LOCK_TIMEOUT, SAMPLE_TIMEOUT, STATEMENT_TIMEOUT
from connectors.sql.discovery.schema import ColumnFacts, Name, Progress, Reference, Schema, TableFacts, schema_of
from connectors.sql.families import Family
from connectors.sql.mariadb.catalogue import FAMILIES, cast_of, read_catalogue
from connectors.sql.statement import compiled, quoted
from rights.datamap import System

_KINDS: Final[Mapping[str, str]] = {
    **{name: "text" for name, family in FAMILIES.items() if family is Family.TEXT},
    **{name: "integer" for name, family in FAMILIES.items() if family is Family.INTEGER},
    **dict.fromkeys(("decimal", "float", "double"), "numeric"),
    **dict.fromkeys(("datetime", "timestamp"), "timestamp"),
    **dict.fromkeys(("inet4", "inet6"), "inet"),
    # Not binary(n), which fills up with zeroes whatever is written.
    **dict.fromkeys(("varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "bytes"),
    **{name: name for name in ("enum", "uuid", "date", "json")},
}

# Texts of CHECKs are printed, and read again, with backslashes as escapes.
_SESSION: Final = (
    "SET NAMES utf8mb4, sql_mode = 'STRICT_ALL_TABLES', sql_quote_show_create = 1, time_zone = '+00:00', "
    f"max_statement_time = {STATEMENT_TIMEOUT}, lock_wait_timeout = {LOCK_TIMEOUT}",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_TABLES: Final = """
SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME"""
_COLUMNS: Final = """
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE = 'YES', COALESCE(IS_GENERATED, 'NEVER') <> 'NEVER',
  COLUMN_COMMENT, NUMERIC_PRECISION, NUMERIC_SCALE, CHARACTER_SET_NAME, COLLATION_NAME
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION"""
_UNIQUE: Final = """
SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART IS NOT NULL FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"""
_REFERENCES: Final = """
SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"""


@contextmanager
def open_for_reading(url: URL) -> Iterator["Reading"]:
    """A read-only connection under time limits, on which nothing can be committed."""
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"charset": "utf8mb4", "connect_timeout": 5, "local_infile": False}
    )
    raw = engine.raw_connection()
    try:
        driver: Any = raw.driver_connection
        with driver.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
            yield Reading(cursor)
    finally:
        raw.invalidate()
        engine.dispose()


class Reading:
    """One database, open for reading."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._casts: dict[tuple[Name, str], str] = {}

    def schema(self, progress: Progress) -> Schema:
        """Every table of the address's own database; views are left out."""
        default = str(self._rows("SELECT DATABASE()")[0][0])
        comments = {table: str(comment) for table, comment in self._rows(_TABLES)}
        progress(f"{len(comments):,} tables, reading columns and keys")
        columns = self._grouped(_COLUMNS)
        unique, references = self._grouped(_UNIQUE), self._grouped(_REFERENCES)
        tables = []
        for number, (table, comment) in enumerate(comments.items()):
            if number % 100 == 0:
                progress(f"table {number:,} of {len(comments):,}")
            create = self._created(table)
            checks = checks_of(create, MARIADB)
            name = (default, table)
            own = {row[0]: self._column(name, row, checks) for row in columns[table]}
            # A system-versioned table has the end of a row's time in each of its keys; for what is there now it is one.
            lasting = [row for row in unique[table] if row[1] in own and not own[row[1]].generated]
            whole, guarded = _uniques(lasting)
            tables.append(
                TableFacts(
                    name=name,
                    columns=own,
                    primary=tuple(row[1] for row in lasting if row[0] == "PRIMARY"),
                    references=tuple(_references(references[table], delete_rules(create, MARIADB))),
                    uniques=tuple(sorted(whole)),
                    checks=tuple(sorted(checks)),
                    comment=comment,
                    guarded=guarded,
                )
            )
        return schema_of(tables, default)

    def values(self, query: Select[Any]) -> list[Any] | None:
        text = compiled(query, Engine.MARIADB).text.decode()
        try:
            return self._rows(f"SET STATEMENT max_statement_time = {SAMPLE_TIMEOUT} FOR {text}")
        except pymysql.Error:
            return None

    def catalogue(self, system: System) -> Catalogue:
        return read_catalogue(self._cursor, system)

    def takes(self, table: TableFacts, column: str, value: object, checks: tuple[str, ...]) -> bool | None:
        """The CHECKs are asked over a row that no table holds; types are known by then."""
        kind, _, collation = self._casts[table.name, column].partition(" COLLATE ")
        collate = f" COLLATE {collation}" if collation and value is not None else ""
        own, names = f"CAST(%s AS {kind}){collate}", {name: _name(name).replace("%", "%%") for name in table.columns}
        parts = ", ".join(f"{own if name == column else 'NULL'} AS {said}" for name, said in names.items())
        conditions = " AND ".join(f"({check.replace('%', '%%')}) IS NOT FALSE" for check in checks) or "TRUE"
        query = f"SELECT {conditions} FROM (SELECT {parts}) AS given"  # noqa: S608 - names and CHECKs of the catalogue
        try:
            ((fits,),) = self._rows(query, int(value) if isinstance(value, bool) else value)
        except pymysql.Error:
            return None
        return bool(fits)

    def _rows(self, query: str, *values: object) -> list[Any]:
        self._cursor.execute(query, values or None)
        return list(self._cursor.fetchall())

    def _grouped(self, query: str) -> Mapping[str, list[Any]]:
        """Rows by their first column, without it."""
        found: dict[str, list[Any]] = defaultdict(list)
        for table, *row in self._rows(query):
            found[table].append(row)
        return found

    def _created(self, table: str) -> str:
        return str(self._rows(f"SHOW CREATE TABLE {_name(table)}")[0][1])

    def _column(self, table: Name, row: Any, checks: Iterable[str]) -> ColumnFacts:
        name, kind, written, nullable, generated, comment, precision, scale, charset, collation = row
        family = FAMILIES.get(kind, Family.OTHER)
        self._casts[table, name] = cast_of(kind, written, family, (precision, scale), (charset, collation))
        said = _KINDS.get(kind, "other")
        if written == "tinyint(1)":  # what BOOLEAN is here
            said = "bool"
        elif any(_plainly(check) == f"json_valid({name})".lower() for check in checks):  # what JSON is here
            said = "json"
        return ColumnFacts(
            name=name,
            kind=said,
            written=written,
            nullable=bool(nullable),
            generated=bool(generated),
            comment=str(comment or ""),
            labels=tuple(_labels(written)) if kind == "enum" else (),
        )


def _name(name: str) -> str:
    return quoted(name, engine=Engine.MARIADB)


def _plainly(check: str) -> str:
    return check.replace("`", "").replace(" ", "").lower()


def _labels(written: str) -> Iterator[str]:
    for part in tokens(written, MARIADB):
        if part.kind == "string":
            yield part.text[1:-1].replace("''", "'")


def _uniques(rows: Iterable[Any]) -> tuple[set[tuple[str, ...]], frozenset[str]]:
    """The columns of each unique index over whole values, and those of every one."""
    indexes: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for index, column, partly in rows:
        indexes[index].append((column, bool(partly)))
    whole = {tuple(name for name, _ in parts) for parts in indexes.values() if not any(partly for _, partly in parts)}
    return whole, frozenset(name for parts in indexes.values() for name, _ in parts)


def _references(rows: Iterable[Any], rules: Mapping[str, str]) -> list[Reference]:
    keys: dict[str, list[Any]] = defaultdict(list)
    for name, *row in rows:
        keys[name].append(row)
    made = (
        Reference(
            name=name,
            columns=tuple(row[0] for row in parts),
            to=(parts[0][1], parts[0][2]),
            to_columns=tuple(row[3] for row in parts),
            on_delete=rules.get(name, ""),
        )
        for name, parts in keys.items()
    )
    return sorted(made, key=lambda key: (key.columns, key.to, key.name))
