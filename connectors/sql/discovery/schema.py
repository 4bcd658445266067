"""What a database says of all its tables, as far as a draft map needs it.

The one rule: nothing is changed, and no row is read here. SQLAlchemy's inspector reads whole schemas at once, on every
database it knows; what it does not tell is asked of the catalogue.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SAWarning

Progress = Callable[[str], None]
"""Told, in a few words, what is being read."""

_OURS_NOT: Final = frozenset({"information_schema", "pg_catalog", "mysql", "performance_schema", "sys"})
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

Name = tuple[str, str]
"""Schema and table."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key, from the table that has it."""

    name: str
    columns: tuple[str, ...]
    to: Name
    to_columns: tuple[str, ...]
    on_delete: str = ""
    """CASCADE, SET NULL, SET DEFAULT, RESTRICT, or nothing."""


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column."""

    name: str
    kind: str
    """text, enum, integer, numeric, date, timestamp, bool, uuid, bytes, json, inet or other."""
    written: str
    """The type as the database writes it."""
    nullable: bool
    generated: bool
    comment: str
    labels: tuple[str, ...] = ()
    """An enum's words, in their order."""
    domain: bool = False
    """Whether its type has conditions of its own."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table."""

    name: Name
    columns: Mapping[str, ColumnFacts]
    primary: tuple[str, ...]
    references: tuple[Reference, ...]
    uniques: tuple[tuple[str, ...], ...]
    """The columns of each unique constraint and index, the primary key among them; not those over expressions, or over
    some rows only."""
    checks: tuple[str, ...]
    """The text of each CHECK."""
    comment: str
    guarded: frozenset[str] = frozenset()
    """Columns that some unique index, of whatever form, is over."""
    one_null: frozenset[str] = frozenset()
    """Columns of unique indexes that take NULL once only."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart for certain; empty if nothing does."""
        if self.primary:
            return self.primary
        fit = (
            columns
            for columns in self.uniques
            if columns and all(c in self.columns and not self.columns[c].nullable for c in columns)
        )
        return min(fit, key=lambda columns: (len(columns), columns), default=())

    def unique(self, column: str) -> bool:
        """Whether the database takes no value of this column twice."""
        return (column,) in self.uniques

    def in_unique(self, column: str) -> bool:
        """Whether a value that is written there may collide."""
        return column in self.guarded


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables of a database."""

    tables: Mapping[Name, TableFacts]
    default: str
    """The schema whose tables need no prefix."""
    pointing: Mapping[Name, tuple[tuple[Name, Reference], ...]] = field(repr=False)
    """By table, the foreign keys onto it, with the table that has them."""

    def said(self, name: Name) -> str:
        """A table's name as the map writes it."""
        return name[1] if name[0] == self.default else f"{name[0]}.{name[1]}"


def schema_of(tables: Iterable[TableFacts], default: str) -> Schema:
    """Put tables together, in the order of their names."""
    known = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    pointing: dict[Name, list[tuple[Name, Reference]]] = {name: [] for name in known}
    for name, table in known.items():
        for reference in table.references:
            if reference.to in pointing:
                pointing[reference.to].append((name, reference))
    return Schema(known, default, {name: tuple(found) for name, found in pointing.items()})


def read_schema(connection: Connection, progress: Progress = lambda _: None) -> Schema:
    """Read every table that the role can see; views, foreign tables and single partitions are left out.

    Raises:
        SQLAlchemyError: the database cannot be asked.
    """
    inspector = inspect(connection)
    default = inspector.default_schema_name or ""
    if connection.dialect.name == "postgresql":
        # Without a path every name is written with its schema: the inspector cannot take one for another.
        connection.execute(text("SET LOCAL search_path = ''"))
    left_out = _not_ordinary(connection)
    tables: list[TableFacts] = []
    for schema in sorted(inspector.get_schema_names()):
        if schema in _OURS_NOT or schema.startswith("pg_"):
            continue
        asked: dict[str, Any] = {"schema": schema, "kind": ObjectKind.TABLE}
        with warnings.catch_warnings():
            # Of a type that SQLAlchemy does not know, such as a composite one, nothing more is needed than its name.
            warnings.filterwarnings("ignore", "Did not recognize type", SAWarning)
            columns = inspector.get_multi_columns(**asked)
        if not columns:
            continue
        progress(f"schema {schema}: {len(columns):,} tables, reading keys")
        primary: Mapping[Any, Any] = inspector.get_multi_pk_constraint(**asked)
        foreign = inspector.get_multi_foreign_keys(**asked)
        progress(f"schema {schema}: reading indexes and checks")
        indexes = inspector.get_multi_indexes(**asked)
        uniques = inspector.get_multi_unique_constraints(**asked)
        checks = inspector.get_multi_check_constraints(**asked)
        comments: Mapping[Any, Any] = inspector.get_multi_table_comment(**asked)
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
    if connection.dialect.name != "postgresql":
        return frozenset()
    rows = connection.execute(
        text(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relispartition OR c.relkind = 'f'"
        )
    )
    return frozenset((schema, name) for schema, name in rows)
