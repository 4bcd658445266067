"""What a MariaDB says of the tables in the data map, from information_schema."""

import re
from collections import defaultdict
from typing import Any, Final

from connectors.sql.catalogue import Catalogue, Column, Reference, Table
from connectors.sql.ddl import MARIADB, checks_of, delete_rules
from connectors.sql.dialects import Engine
from connectors.sql.families import Family
from connectors.sql.statement import quoted
from rights.datamap import System

FAMILIES: Final = {
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Family.TEXT),
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), Family.INTEGER),
    "decimal": Family.NUMERIC,
    "uuid": Family.UUID,
    "date": Family.DATE,
    **dict.fromkeys(("datetime", "timestamp"), Family.TIMESTAMP),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), Family.BYTES),
    **dict.fromkeys(("inet4", "inet6"), Family.INET),
    **dict.fromkeys(("float", "double", "bit", "time", "year"), Family.PLAIN),
}
UNDOES: Final = frozenset({"InnoDB", "ROCKSDB"})
"""Engines whose changes are undone with their transaction."""
_ACTIONS: Final = {"CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d", "RESTRICT": "r", "NO ACTION": "a"}

_TABLES: Final = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, '') FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(%s, DATABASE()) AND TABLE_NAME = %s"""
_COLUMNS: Final = """
SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE = 'YES', CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION,
  NUMERIC_SCALE, CHARACTER_SET_NAME, COLLATION_NAME, COALESCE(IS_GENERATED, 'NEVER') <> 'NEVER'
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"""
_VALID: Final = re.compile(r"json_valid\(`((?:[^`]|``)+)`\)", re.IGNORECASE)
_INDEXES: Final = """
SELECT INDEX_NAME, NON_UNIQUE = 0, COLUMN_NAME, SEQ_IN_INDEX, SUB_PART IS NOT NULL
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY INDEX_NAME, SEQ_IN_INDEX"""
_REFERENCES: Final = """
SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE
FROM information_schema.KEY_COLUMN_USAGE k LEFT JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.REFERENCED_TABLE_SCHEMA = %s AND k.REFERENCED_TABLE_NAME = %s
ORDER BY k.CONSTRAINT_NAME, k.ORDINAL_POSITION"""


def read_catalogue(cursor: Any, system: System) -> Catalogue:
    """Look the tables of a system up, over a driver's cursor.

    Raises:
        pymysql.Error: the database cannot be asked.
    """
    missing: list[str] = []
    found: dict[str, Table] = {}
    relations: dict[tuple[str, str], int] = {}
    for name, collection in system.collections.items():
        schema, _, table = (collection.name or name).rpartition(".")
        cursor.execute(_TABLES, [schema or None, table])
        row = cursor.fetchone()
        if row is None:
            missing.append(collection.name or name)
            continue
        schema, table, kind, engine = row
        cursor.execute(_COLUMNS, [schema, table])
        known = {column[0].lower(): column for column in cursor.fetchall()}
        documents = frozenset() if kind == "VIEW" else _documents(cursor, schema, table)
        absent = [field for field in collection.fields if field.lower() not in known]
        missing += [f"{name}.{field}" for field in absent]
        columns = {
            field: _column(name, field, known[field.lower()], holds=documents)
            for field in collection.fields
            if field not in absent
        }
        indexed, keyed = _indexes(cursor, schema, table, columns, collection.key)
        relation = relations.setdefault((schema, table), len(relations) + 1)
        found[name] = Table(
            collection=name,
            schema=schema,
            name=table,
            relation=relation,
            columns=columns,
            indexed=indexed,
            keyed=keyed or kind != "BASE TABLE",
            undoes=engine in UNDOES or kind == "VIEW",
            unwritten="a view" if kind == "VIEW" else "",
            remembers=kind == "SYSTEM VERSIONED",
        )
    references = tuple(_references(cursor, relations))
    return Catalogue(tables=found, missing=tuple(missing), references=references, engine=Engine.MARIADB)


def _indexes(
    cursor: Any, schema: str, table: str, columns: dict[str, Column], key: tuple[str, ...]
) -> tuple[frozenset[str], bool]:
    cursor.execute(_INDEXES, [schema, table])
    names = {field.lower(): field for field in columns}
    indexes: dict[str, list[tuple[bool, str, bool]]] = defaultdict(list)
    for index, unique, column, _, partial in cursor.fetchall():
        indexes[index].append((bool(unique), names.get((column or "").lower(), column or ""), bool(partial)))
    indexed: set[str] = set()
    for parts in indexes.values():
        first = parts[0][1]
        indexed.add(first)
        # A collation that ignores case serves where case is ignored, and tells the rest apart afterwards.
        if first in columns and columns[first].internal.endswith("_ci"):
            indexed.add(f"lower({first})")
    strict = not any(columns[field].nullable for field in key if field in columns)
    keyed = any(
        all(unique and not partial for unique, _, partial in parts) and {name for _, name, _ in parts} <= set(key)
        for parts in indexes.values()
    )
    return frozenset(indexed), strict and keyed


def _documents(cursor: Any, schema: str, table: str) -> frozenset[str]:
    """The columns that hold JSON documents, in small letters: JSON is a text with a check, and nothing else says so."""
    cursor.execute(f"SHOW CREATE TABLE {quoted(schema, table, engine=Engine.MARIADB)}")
    checks = (_VALID.fullmatch(check) for check in checks_of(str(cursor.fetchone()[1]), MARIADB))
    return frozenset(check[1].replace("``", "`").lower() for check in checks if check)


def _column(collection: str, field: str, row: tuple[Any, ...], *, holds: frozenset[str]) -> Column:
    own, kind, written, nullable, length, precision, scale, charset, collation, generated = row
    family = FAMILIES.get(kind, Family.OTHER)
    if family is Family.TEXT and own.lower() in holds:
        family = Family.JSON
    return Column(
        name=field,
        about=f"{collection}.{field}",
        cast=cast_of(kind, written, family, (precision, scale), (charset, collation)),
        internal=f"{kind} {collation}" if collation else kind,
        family=family,
        limit=length if family is Family.TEXT else None,
        nullable=bool(nullable),
        generated=bool(generated),
        engine=Engine.MARIADB,
    )


def cast_of(
    kind: str, written: str, family: Family, size: tuple[int | None, int | None], words: tuple[str | None, str | None]
) -> str:
    """What a value of a column is cast to without losing anything."""
    charset, collation = words
    if family is Family.INTEGER:
        return "UNSIGNED" if "unsigned" in written else "SIGNED"
    if family is Family.NUMERIC:
        return f"DECIMAL({size[0]},{size[1]})"
    if charset and collation:
        return f"CHAR CHARACTER SET {charset} COLLATE {collation}"
    return {
        "date": "DATE",
        "datetime": "DATETIME(6)",
        "timestamp": "DATETIME(6)",
        "time": "TIME(6)",
        "uuid": "UUID",
        "inet4": "INET4",
        "inet6": "INET6",
        "bit": "BIT",
        "float": "FLOAT",
        "double": "DOUBLE",
    }.get(kind, "CHAR")


def _references(cursor: Any, relations: dict[tuple[str, str], int]) -> list[Reference]:
    references: list[Reference] = []
    for (schema, table), relation in list(relations.items()):
        cursor.execute(_REFERENCES, [schema, table])
        parts: dict[tuple[str, str, str], list[tuple[str, str, str]]] = defaultdict(list)
        for name, own_schema, own_table, column, target, rule in cursor.fetchall():
            parts[name, own_schema, own_table].append((column, target, rule))
        for (name, own_schema, own_table), columns in parts.items():
            rule = columns[0][2] or _rule(cursor, own_schema, own_table, name)
            references.append(
                Reference(
                    name=name,
                    schema=own_schema,
                    table=own_table,
                    columns=tuple(column for column, _, _ in columns),
                    relation=relations.get((own_schema, own_table), -len(references) - 1),
                    to=relation,
                    to_columns=tuple(target for _, target, _ in columns),
                    on_delete=_ACTIONS.get(rule, "a"),
                )
            )
    return references


def _rule(cursor: Any, schema: str, table: str, key: str) -> str:
    """What ON DELETE says. A role that may only SELECT is shown the key in information_schema, and not this."""
    cursor.execute(f"SHOW CREATE TABLE {quoted(schema, table, engine=Engine.MARIADB)}")
    return delete_rules(str(cursor.fetchone()[1]), MARIADB).get(key, "")
