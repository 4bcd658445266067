"""Reading a PostgreSQL for a draft or a check.

The one rule: nothing is changed. SQLAlchemy's inspector reads whole schemas at once; what it does not tell is asked of
the catalogue.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Select, create_engine, inspect, text
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SQLAlchemyError

from connectors.sql.catalogue import Catalogue, read_catalogue
from connectors.sql.discovery.limits import LOCK_TIMEOUT, SAMPLE_TIMEOUT, STATEMENT_TIMEOUT
from connectors.sql.discovery.schema import ColumnFacts, Name, Progress, Reference, Schema, TableFacts, schema_of
from connectors.sql.statement import quoted
from rights.datamap import System

_OURS_NOT: Final = frozenset({"information_schema", "pg_catalog"})
_KINDS: Final[tuple[tuple[type[Any], str], ...]] = (
    (sqltypes.Enum, "enum"),
    (sqltypes.Uuid, "uuid"),
    (sqltypes.Boolean, "bool"),
    (sqltypes.Integer, "integer"),
    (sqltypes.Numeric, "numeric"),
    (sqltypes.DateTime, "timestamp"),
    (sqltypes.Date, "date"),
    (sqltypes.JSON, "json"),
    (sqltypes.LargeBinary, "bytes"),
    (postgresql.INET, "inet"),
    (postgresql.CIDR, "inet"),
    (sqltypes.String, "text"),
)


@contextmanager
def open_for_reading(url: URL) -> Iterator["Reading"]:
    """A read-only connection under time limits, on which nothing can be committed."""
    engine = create_engine(
        url, pool_size=1, max_overflow=0, connect_args={"application_name": "habeas", "connect_timeout": 5}
    )
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            limits = f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}s'; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'"
            connection.execute(text(limits))
            yield Reading(connection)
            connection.rollback()
    finally:
        engine.dispose()


class Reading:
    """One database, open for reading."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._default = ""

    def schema(self, progress: Progress) -> Schema:
        """Every table that the role can see; views, foreign tables and single partitions are left out."""
        found = _read_schema(self._connection, progress)
        self._default = found.default
        return found

    def values(self, query: Select[Any]) -> list[Any] | None:
        try:
            with self._connection.begin_nested():
                self._connection.execute(text(f"SET LOCAL statement_timeout = '{SAMPLE_TIMEOUT}s'"))
                rows = list(self._connection.execute(query).fetchall())
                self._connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}s'"))
                return rows
        except SQLAlchemyError:
            return None

    def catalogue(self, system: System) -> Catalogue:
        self._connection.execute(text("SET LOCAL search_path = " + quoted(self._default)))
        return read_catalogue(self._driver, system)

    def takes(self, table: TableFacts, column: str, value: object, checks: tuple[str, ...]) -> bool:
        """Types, domains and CHECKs speak: the value is put into a record that no table holds."""
        record = f"jsonb_populate_record(NULL::{quoted(*table.name)}, %s::jsonb)"
        conditions = " AND ".join(f"({check.replace('%', '%%')}) IS NOT FALSE" for check in checks) or "true"
        query = f"SELECT {conditions} FROM {record} AS t"  # noqa: S608 - names and CHECKs of the catalogue
        try:
            with self._driver.transaction():
                row = self._driver.execute(query.encode(), [json.dumps({column: value})]).fetchone()
        except psycopg.Error:
            return False
        return bool(row and row[0])


def _read_schema(connection: Connection, progress: Progress) -> Schema:
    inspector = inspect(connection)
    default = inspector.default_schema_name or ""
    # Without a path every name is written with its schema: the inspector cannot take one for another.
    connection.execute(text("SET LOCAL search_path = ''"))
    left_out = _not_ordinary(connection)
    tables: list[TableFacts] = []
    for schema in sorted(inspector.get_schema_names()):
        if schema in _OURS_NOT or schema.startswith("pg_"):
            continue
        asked: dict[str, Any] = {"schema": schema, "kind": ObjectKind.TABLE}
        columns = inspector.get_multi_columns(**asked)
        if not columns:
            continue
        progress(f"schema {schema}: {len(columns):,} tables, reading keys")
        primary: Any = inspector.get_multi_pk_constraint(**asked)
        foreign = inspector.get_multi_foreign_keys(**asked)
        progress(f"schema {schema}: reading indexes and checks")
        indexes = inspector.get_multi_indexes(**asked)
        uniques = inspector.get_multi_unique_constraints(**asked)
        checks = inspector.get_multi_check_constraints(**asked)
        comments: Any = inspector.get_multi_table_comment(**asked)
        for at, found in columns.items():
            name = (schema, at[1])
            if name in left_out:
                continue
            key = tuple((primary.get(at) or {}).get("constrained_columns") or ())
            own = indexes.get(at, ())
            distinct = {
                *([key] if key else []),
                *(tuple(unique["column_names"]) for unique in uniques.get(at, ())),
                *(tuple(index["column_names"]) for index in own if index["unique"] and _whole(index)),
            }
            tables.append(
                TableFacts(
                    name=name,
                    columns={column["name"]: _column(column) for column in found},
                    primary=key,
                    references=tuple(_references(foreign.get(at, ()), schema)),
                    uniques=tuple(sorted(distinct)),
                    guarded=frozenset(_guarded(own, [c["name"] for c in found])) | {c for u in distinct for c in u},
                    one_null=frozenset(
                        c for index in (*own, *uniques.get(at, ())) if _one_null(index) for c in _over(index)
                    ),
                    checks=tuple(sorted(str(check["sqltext"]) for check in checks.get(at, ()))),
                    comment=str((comments.get(at) or {}).get("text") or ""),
                )
            )
    return schema_of(tables, default)


def _column(column: Any) -> ColumnFacts:
    kind, domain = column["type"], False
    while isinstance(kind, postgresql.DOMAIN):
        kind, domain = kind.data_type, True
    return ColumnFacts(
        name=column["name"],
        kind=next((word for cls, word in _KINDS if isinstance(kind, cls)), "other"),
        written=_written(kind),
        nullable=bool(column.get("nullable", True)),
        generated=bool(column.get("computed")) or bool((column.get("identity") or {}).get("always")),
        comment=column.get("comment") or "",
        labels=tuple(kind.enums) if isinstance(kind, sqltypes.Enum) else (),
        domain=domain,
    )


def _over(index: Any) -> Iterable[str]:
    return (column for column in index["column_names"] if column)


def _whole(index: Any) -> bool:
    """Whether an index is over plain columns of all rows."""
    options = index.get("dialect_options") or {}
    return all(index["column_names"]) and not any(name.endswith("_where") for name in options)


def _one_null(index: Any) -> bool:
    return bool((index.get("dialect_options") or {}).get("postgresql_nulls_not_distinct"))


def _guarded(indexes: Iterable[Any], columns: Iterable[str]) -> Iterable[str]:
    for index in indexes:
        if index["unique"]:
            yield from _over(index)
            spoken = " ".join(str(text) for text in index.get("expressions") or ())
            yield from (column for column in columns if re.search(rf"\b{re.escape(column)}\b", spoken))


def _written(kind: Any) -> str:
    try:
        return str(kind).lower()
    except Exception:  # noqa: BLE001 - a type that SQLAlchemy does not know cannot be written; it is only for people
        return "unknown"


def _references(found: Iterable[Any], schema: str) -> Iterable[Reference]:
    made = (
        Reference(
            name=key.get("name") or "",
            columns=tuple(key["constrained_columns"]),
            to=(key.get("referred_schema") or schema, key["referred_table"]),
            to_columns=tuple(key["referred_columns"]),
            on_delete=str((key.get("options") or {}).get("ondelete") or "").upper(),
        )
        for key in found
    )
    return sorted(made, key=lambda key: (key.columns, key.to, key.name))


def _not_ordinary(connection: Connection) -> frozenset[Name]:
    """Partitions and foreign tables, which the inspector gives among the others."""
    rows = connection.execute(
        text(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relispartition OR c.relkind = 'f'"
        )
    )
    return frozenset((schema, name) for schema, name in rows)
