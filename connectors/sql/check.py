"""Checking a map against the database: what is missing, what is not allowed, what would be slow or go too far.

The one rule: a finding is a sentence: what is the matter, a colon, what to do about it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import column as sql_column

from connectors.errors import ConnectorError, NeedsHuman
from connectors.finding import Finding, Severity
from connectors.sql.catalogue import Catalogue, Column, Reference, Table, read_catalogue
from connectors.sql.dialects import Engine
from connectors.sql.families import Family
from connectors.sql.fates import day_of
from connectors.sql.rewriting import dirty
from connectors.sql.statement import quoted
from rights.codes import Code
from rights.datamap import DataMap, Erase, Mode, Strategy, System
from rights.plan import Work, Write, make_plan
from rights.request import Right

OLDEST: Final = 140000
"""PostgreSQL 14, the first that can wait until a session has ended; erasing after a crash needs it."""

_ACTIONS: Final = {
    "a": "so deleting is refused while such rows are there",
    "r": "so deleting is refused while such rows are there",
    "c": "so deleting takes such rows along, uncounted",
    "n": "so deleting empties the column of such rows, uncounted",
    "d": "so deleting resets the column of such rows, uncounted",
}
_CODES: Final = {"a": "blocks", "r": "blocks", "c": "cascades", "n": "empties", "d": "empties"}
# Locking a row takes the right to update some column of it.
_RIGHTS: Final = """
SELECT row_security_active(%(table)s::oid),
  (SELECT coalesce(bool_and(has_column_privilege(%(table)s::oid, name, 'SELECT')), true)
     FROM unnest(%(read)s::text[]) name),
  (SELECT coalesce(bool_and(has_column_privilege(%(table)s::oid, name, 'UPDATE')), true)
     FROM unnest(%(written)s::text[]) name) AND has_any_column_privilege(%(table)s::oid, 'UPDATE'),
  has_table_privilege(%(table)s::oid, 'DELETE')"""
_SERVER: Final = """
SELECT current_setting('server_version_num')::int, current_user::text, current_database()::text,
  coalesce(current_setting('habeas.environment', true), ''), pg_is_in_recovery()"""


def findings(system: System, reader: Any, writer: Any) -> Iterator[Finding]:
    """Everything that does not fit, worst first.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    works = works_of(system)
    with reader.plain() as connection:
        catalogue = read_catalogue(connection, system)
        version, role, *_ = connection.execute(_SERVER).fetchone()
        if version < OLDEST:
            yield Finding("server_old", "the server is older than PostgreSQL 14: upgrade it")
        yield from misfits(system, catalogue)
        yield from _refusals(connection, catalogue, works, role, writing=False)
    if writer is None and system.mode is not Mode.OBSERVE:
        said = f"there is no connection.writer, so nothing can be erased: add one, or write mode: {Mode.OBSERVE}"
        yield Finding("no_writer", said)
    if writer is not None:
        with writer.plain() as connection:
            _, role, database, mark, replica = connection.execute(_SERVER).fetchone()
            yield from _refusals(connection, catalogue, works, role, writing=True)
            if replica:
                said = "connection.writer leads to a server that only reads: name the primary there"
                yield Finding("replica", said)
            if not mark:
                said = (
                    f"the database '{database}' bears no environment mark, so nothing is erased in it: "
                    f"ALTER DATABASE {quoted(database)} SET habeas.environment = 'production' (or what it is)"
                )
                yield Finding("no_mark", said)
    yield from unfit(system, catalogue, works)
    yield from references(system, catalogue)
    yield from slow(system, catalogue)


def refused(system: System, connection: Any) -> ConnectorError | None:
    """Why a role was refused: a right that it lacks, or row security; None if neither shows any more."""
    catalogue = read_catalogue(connection, system)
    for name, table in catalogue.tables.items():
        hidden, readable, *_ = _rights(connection, table, ())
        if not readable:
            return NeedsHuman(Code.RIGHTS, name)
        if hidden:
            return NeedsHuman(Code.ROW_SECURITY, name)
    for name, work in works_of(system).items():
        if name in catalogue.tables and work.erase is not Erase.RETAIN:
            *_, writable, deletable = _rights(connection, catalogue.tables[name], written(work))
            if not writable or (work.erase is Erase.DELETE and not deletable):
                return NeedsHuman(Code.RIGHTS, name)
    return None


def works_of(system: System) -> dict[str, Work]:
    """What an erasure would do, by collection; on which day makes no difference here."""
    some_day = datetime(2000, 1, 1, tzinfo=UTC)
    plan = make_plan(Right.ERASURE, DataMap.of({system.system: system}), some_day)
    works = plan.of(system.system).works
    return {work.collection: work for work in works}


def misfits(system: System, catalogue: Catalogue) -> Iterator[Finding]:
    for name in catalogue.missing:
        kind = "column" if "." in name and name.rpartition(".")[0] in system.collections else "table"
        said = f"there is no {kind} {name} in the database, or the role may not use its schema: correct the map"
        yield Finding(f"missing_{kind}", said)
    for name, table in catalogue.tables.items():
        if not table.keyed:
            key = ", ".join(system.collections[name].key)
            said = (
                f"the database does not see to it that the key ({key}) of {name} is unique and never null: "
                "name the primary key, or add a unique index and NOT NULL"
            )
            yield Finding("no_key", said)


def _refusals(
    connection: Any, catalogue: Catalogue, works: dict[str, Work], role: str, *, writing: bool
) -> Iterator[Finding]:
    for name, table in catalogue.tables.items():
        work = works[name]
        hidden, readable, writable, deletable = _rights(connection, table, written(work))
        lacking = [] if readable else ["SELECT"]
        if writing and work.erase is not Erase.RETAIN:
            lacking += [] if writable else ["UPDATE"]
            lacking += [] if deletable or work.erase is not Erase.DELETE else ["DELETE"]
        if lacking:
            grant = f"GRANT {', '.join(lacking)} ON {quoted(table.schema, table.name)} TO {quoted(role)}"
            yield Finding("rights", f"the role {role} may not {' and '.join(lacking)} in {name}: {grant}")
        if hidden:
            said = f"row security hides rows of {name} from the role {role}: ALTER ROLE {quoted(role)} BYPASSRLS"
            yield Finding("row_security", said)


def unfit(system: System, catalogue: Catalogue, works: dict[str, Work]) -> Iterator[Finding]:
    for name, table in catalogue.tables.items():
        work = works[name]
        for write in dict.fromkeys((*work.writes, *(w for keep in work.keeps for w in keep.writes))):
            if about := table.columns.get(write.field):
                try:
                    dirty(about, write, sql_column(write.field, about.type))
                except NeedsHuman:
                    said = (
                        f"strategy {_said(write)} does not go with {about.about}, a column of type {about.internal}: "
                        "choose null, constant or another"
                    )
                    yield Finding("strategy", said)
                if write.strategy is Strategy.NULL and not about.nullable:
                    said = f"strategy null does not go with {about.about}, which is NOT NULL: choose another"
                    yield Finding("strategy", said)
        yield from _no_documents(system, table)
        for keep in work.keeps:
            if about := table.columns.get(keep.column):
                try:
                    day_of(about, sql_column(keep.column, about.type), keep)
                except NeedsHuman:
                    said = f"retention counts from {about.about}, which holds no dates: name a column that does"
                    yield Finding("no_date", said)


def _no_documents(system: System, table: Table) -> Iterator[Finding]:
    for derived in system.collections[table.collection].derived.values():
        about = table.columns.get(derived.of[0])
        if derived.path and about and about.dialect.inside(about, sql_column(about.name), derived.steps) is None:
            said = f"path leads into {about.about}, a column of type {about.internal}, which holds no documents"
            yield Finding("no_document", f"{said}: correct it, or name a column that does")


def references(system: System, catalogue: Catalogue) -> Iterator[Finding]:
    mapped = {table.relation: name for name, table in catalogue.tables.items()}
    for reference in catalogue.references:
        to, columns = mapped[reference.to], ", ".join(reference.columns)
        action = _ACTIONS[reference.on_delete]
        # Where rows are only rewritten, or left, nothing is refused and nothing goes along.
        deleted = system.collections[to].erase is Erase.DELETE
        if reference.relation not in mapped:
            said = (
                f"{reference.schema}.{reference.table} points to {to} ({columns}) and is not in the map, "
                f"{action}: add it as a collection"
            )
            yield Finding(f"reference_{_CODES[reference.on_delete]}", said, _severity(reference, deleted=deleted))
        elif catalogue.link_of(system, reference) is None:
            said = (
                f"the foreign key {reference.name} from {mapped[reference.relation]} ({columns}) to {to} is no unique "
                f"link of the map, {action}: add the link"
            )
            yield Finding(f"reference_{_CODES[reference.on_delete]}", said, _severity(reference, deleted=deleted))


def _severity(reference: Reference, *, deleted: bool) -> Severity:
    if not deleted:
        return Severity.NOTE
    return Severity.WARNING if reference.on_delete in "nd" else Severity.ERROR


def slow(system: System, catalogue: Catalogue) -> Iterator[Finding]:
    for name, table in catalogue.tables.items():
        collection = system.collections[name]
        named = {link.field: False for link in collection.links if link.kind == "unique"}
        named.update({field: f.casefold for field, f in collection.identities.items() if f.sharing != "hint"})
        # An index over a document's inside is not looked for: which form of it would serve, the map cannot say.
        paths = {field for field, derived in collection.derived.items() if derived.path}
        wanted = {collection.bases(field)[0]: casefold for field, casefold in named.items() if field not in paths}
        wanted.setdefault(collection.key[0], False)
        for field, casefold in wanted.items():
            if field in table.columns and not table.serves(field, casefold=casefold):
                advice = _index(table, table.columns[field], casefold=casefold)
                said = f"no index serves {name}.{field}, so every look reads the whole table: {advice}"
                yield Finding("no_index", said, Severity.WARNING)


def _index(table: Table, column: Column, *, casefold: bool) -> str:
    name = quoted(column.name, engine=column.engine)
    if column.engine is Engine.MARIADB:
        if casefold and column.family is Family.TEXT and not column.internal.endswith("_ci"):
            return "give the column a collation that ignores case, or write match: exact"
        place = quoted(table.schema, table.name, engine=column.engine)
        return f"CREATE INDEX {quoted(f'{table.name}_{column.name}', engine=column.engine)} ON {place} ({name})"
    over = f"lower({name})" if casefold else name
    if column.engine is Engine.SQLITE:
        return f"CREATE INDEX {quoted(f'{table.name}_{column.name}')} ON {quoted(table.name)} ({over})"
    return f"CREATE INDEX ON {quoted(table.schema, table.name)} ({over})"


def _rights(connection: Any, table: Table, written: tuple[str, ...]) -> tuple[bool, bool, bool, bool]:
    asked = {"table": table.relation, "read": list(table.columns), "written": list(written)}
    row: tuple[bool, bool, bool, bool] = connection.execute(_RIGHTS, asked).fetchone()
    return row


def written(work: Work) -> tuple[str, ...]:
    writes = (*work.writes, *(write for keep in work.keeps for write in keep.writes))
    return tuple(dict.fromkeys(write.field for write in writes))


def _said(write: Write) -> str:
    return f"{write.strategy} to {write.value}" if write.strategy is Strategy.GENERALISE else str(write.strategy)
