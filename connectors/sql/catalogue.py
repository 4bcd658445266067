"""What the database itself says of the tables in the data map: types, keys, indexes and references.

The one rule: types and keys are read from the system catalogue, never assumed, and a table whose key does not tell its
rows apart is refused, because deleting by such a key would take somebody else's rows along.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import NeedsHuman
from connectors.sql.dialects import DIALECTS, Dialect, Engine
from connectors.sql.families import Family, Named
from rights.codes import Code
from rights.datamap import Collection, System

_FAMILIES: Final[Mapping[str, Family]] = {
    "text": Family.TEXT,
    "varchar": Family.TEXT,
    "bpchar": Family.TEXT,
    "name": Family.TEXT,
    "citext": Family.CITEXT,
    "int2": Family.INTEGER,
    "int4": Family.INTEGER,
    "int8": Family.INTEGER,
    "numeric": Family.NUMERIC,
    "uuid": Family.UUID,
    "date": Family.DATE,
    "timestamp": Family.TIMESTAMP,
    "timestamptz": Family.TIMESTAMP,
    "bytea": Family.BYTES,
    "inet": Family.INET,
    "cidr": Family.INET,
    "bool": Family.BOOL,
    "json": Family.JSON,
    "jsonb": Family.JSON,
    "float4": Family.PLAIN,
    "float8": Family.PLAIN,
    "money": Family.PLAIN,
    "interval": Family.PLAIN,
    "time": Family.PLAIN,
    "timetz": Family.PLAIN,
    "oid": Family.PLAIN,
}
# Names under which a value is cast without losing anything: `character` and `bit` alone would cut it to one, and `cidr`
# takes no address within a network.
_CASTS: Final = {"varchar": "text", "bpchar": "bpchar", "name": "text", "cidr": "inet", "bit": "varbit"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A domain counts as the type beneath it."""

    name: str
    about: str
    """table.column, as it stands in the map: what an error names."""
    cast: str
    """The type that its values are cast to, without losing anything."""
    internal: str
    """The type's own name, such as int4."""
    family: Family
    limit: int | None
    """The most characters it takes; None: no limit."""
    nullable: bool
    generated: bool
    engine: Engine = Engine.POSTGRESQL

    @property
    def type(self) -> Named:
        return Named(self.cast, self.family)

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.engine]

    @property
    def several(self) -> bool:
        """Whether it may hold a list of values: an array, or JSON. The catalogue's names of arrays begin with _."""
        return self.family is Family.JSON or self.internal.startswith("_")


@dataclass(frozen=True, slots=True)
class Table:
    """One collection's table."""

    collection: str
    schema: str
    name: str
    relation: int
    """Its number in the catalogue (oid)."""
    columns: Mapping[str, Column]
    indexed: frozenset[str]
    """Columns, and expressions such as lower(email), with an index that begins with them."""
    keyed: bool
    """Whether the database sees to it that no two rows have the same key."""
    undoes: bool = True
    """Whether a change of the table is undone with its transaction; MyISAM's is not."""
    unwritten: str = ""
    """Why nothing is ever written to it: it is no table of this database. Empty if it is one."""
    remembers: bool = False
    """Whether the server keeps rows as they were before they are deleted or changed (MariaDB's system versioning)."""

    def serves(self, column: str, *, casefold: bool) -> bool:
        """Whether an index finds rows by this column."""
        if casefold and self.columns[column].family is Family.TEXT:
            return f"lower({column})" in self.indexed
        return column in self.indexed


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key onto a table of the map."""

    name: str
    schema: str
    table: str
    columns: tuple[str, ...]
    relation: int
    to: int
    to_columns: tuple[str, ...]
    on_delete: str
    """As PostgreSQL's catalogue has it: a no action, r restrict, c cascade, n set null, d set default."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The tables of one system."""

    tables: Mapping[str, Table]
    missing: tuple[str, ...]
    """Names of the map that the database does not know: table, or table.column."""
    references: tuple[Reference, ...]
    engine: Engine = Engine.POSTGRESQL

    def require(self, system: System) -> None:
        """Refuse a map that does not fit the database.

        Raises:
            NeedsHuman: SCHEMA, with the table or column it is about.
        """
        if self.missing:
            raise NeedsHuman(Code.SCHEMA, self.missing[0])
        for name, table in self.tables.items():
            if not table.keyed:
                raise NeedsHuman(Code.SCHEMA, f"{name}.{','.join(system.collections[name].key)}")

    def covers(self, system: System, schema: str, table: str, constraint: str) -> bool:
        """Whether a unique link of the map follows this foreign key, so that a look sees the rows behind it."""
        for reference in self.references:
            if (reference.schema, reference.table, reference.name) == (schema, table, constraint):
                return self.link_of(system, reference) is not None
        return False

    def link_of(self, system: System, reference: Reference) -> str | None:
        """The collection whose unique link follows a foreign key; None if there is none."""
        for name, collection in system.collections.items():
            for link in collection.links:
                target, column = link.target
                pairs = zip(collection.bases(link.field), system.collections[target].bases(column), strict=True)
                followed = set(zip(reference.columns, reference.to_columns, strict=True))
                derived = collection.derived.get(link.field)
                if (
                    link.kind == "unique"
                    and self.tables[name].relation == reference.relation
                    and self.tables[target].relation == reference.to
                    # One that is followed in some rows only does not see what the others point to.
                    and not (derived and (derived.when or derived.path))
                    and followed.issuperset(pairs)
                ):
                    return name
        return None


def _written(collection: str, about: Collection) -> str:
    """A collection's table as it is written in a statement."""
    return ".".join(f'"{part}"' for part in (about.name or collection).split("."))


_TABLES: Final = """
SELECT w.collection, c.oid::bigint, n.nspname, c.relname, c.relkind::text
FROM unnest(%s::text[], %s::text[]) AS w(collection, name)
LEFT JOIN pg_class c ON c.oid = to_regclass(w.name)
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace"""

_COLUMNS: Final = """
WITH RECURSIVE base AS (
  SELECT attrelid, attname, attnotnull, attgenerated <> '' AS generated, atttypid AS type, atttypmod AS modifier
  FROM pg_attribute WHERE attrelid = ANY(%s::bigint[]) AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT b.attrelid, b.attname, b.attnotnull OR t.typnotnull, b.generated, t.typbasetype,
         CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE b.modifier END
  FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd')
SELECT b.attrelid::bigint, b.attname, t.typname, format_type(t.oid, NULL), b.modifier, NOT b.attnotnull, b.generated
FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'"""

# An index over an expression has no column there; its text says what it is over.
_INDEXES: Final = """
SELECT i.indrelid::bigint, i.indisunique AND 0 <> ALL(i.indkey::int2[]),
       coalesce(first.attname, pg_get_indexdef(i.indexrelid, 1, true)),
       ARRAY(SELECT a.attname::text FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k(number)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
FROM pg_index i LEFT JOIN pg_attribute first ON first.attrelid = i.indrelid AND first.attnum = i.indkey[0]
WHERE i.indrelid = ANY(%s::bigint[]) AND i.indisvalid AND i.indpred IS NULL"""

_REFERENCES: Final = """
SELECT c.conname, n.nspname, r.relname, c.conrelid::bigint, c.confrelid::bigint, c.confdeltype::text,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place)
FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.confrelid = ANY(%s::bigint[]) AND c.conparentid = 0"""

_TABLE_KINDS: Final = frozenset("rp")
"""Ordinary and partitioned tables. A view has no keys that the catalogue knows of: there the map is believed."""


def read_catalogue(connection: Any, system: System) -> Catalogue:
    """Look the tables of a system up, over a psycopg connection.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    names = list(system.collections)
    written = [_written(name, collection) for name, collection in system.collections.items()]
    tables = connection.execute(_TABLES, [names, written]).fetchall()
    relations = [oid for _, oid, *_ in tables if oid is not None]
    columns: dict[int, list[tuple[Any, ...]]] = {oid: [] for oid in relations}
    for oid, *column in connection.execute(_COLUMNS, [relations]).fetchall():
        columns[oid].append(tuple(column))
    indexed: dict[int, set[str]] = {oid: set() for oid in relations}
    unique: dict[int, list[frozenset[str]]] = {oid: [] for oid in relations}
    for oid, is_unique, first, over in connection.execute(_INDEXES, [relations]).fetchall():
        indexed[oid].add(plain_expression(first))
        if is_unique:
            unique[oid].append(frozenset(over))
    missing: list[str] = []
    found: dict[str, Table] = {}
    for name, oid, schema, table, kind in tables:
        collection = system.collections[name]
        if oid is None:
            missing.append(collection.name or name)
            continue
        known = {column[0]: _column(name, *column) for column in columns[oid]}
        missing += [f"{name}.{field}" for field in collection.fields if field not in known]
        key = frozenset(collection.key)
        strict = not any(known[field].nullable for field in key if field in known)
        found[name] = Table(
            collection=name,
            schema=schema,
            name=table,
            relation=oid,
            columns={field: known[field] for field in collection.fields if field in known},
            indexed=frozenset(indexed[oid]),
            keyed=kind not in _TABLE_KINDS or (strict and any(own <= key for own in unique[oid])),
        )
    references = tuple(
        Reference(conname, schema, table, tuple(own), relation, to, tuple(theirs), action)
        for conname, schema, table, relation, to, action, own, theirs in connection.execute(
            _REFERENCES, [relations]
        ).fetchall()
    )
    return Catalogue(tables=found, missing=tuple(missing), references=references)


def _column(
    collection: str,
    name: str,
    internal: str,
    cast: str,
    modifier: int,
    nullable: bool,
    generated: bool,
) -> Column:
    # varchar(n) and char(n) carry n + 4.
    limited = internal in {"varchar", "bpchar"} and modifier >= 4
    return Column(
        name=name,
        about=f"{collection}.{name}",
        cast=_CASTS.get(internal, cast),
        internal=internal,
        family=_FAMILIES.get(internal, Family.OTHER),
        limit=modifier - 4 if limited else None,
        nullable=nullable,
        generated=generated,
    )


def plain_expression(text: str) -> str:
    """lower("Email"::text) -> lower(Email): what `Table.serves` asks for."""
    match = re.fullmatch(r'lower\(\(?"?([^"():]+)"?\)?(?:::[a-z ]+)?\)', text)
    return f"lower({match[1]})" if match else text
