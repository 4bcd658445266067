"""Checking a map against a MariaDB: what is missing, what is not allowed, what would be slow or go too far.

The one rule: rights are asked for by having statements prepared, which the server refuses or not, and never by reading
grants: roles and patterns of databases make those hard to read right.
"""

from collections.abc import Iterator
from typing import Any, Final

import pymysql

from connectors.errors import ConnectorError, NeedsHuman
from connectors.finding import Finding, Severity
from connectors.sql.check import misfits, references, slow, unfit, works_of, written
from connectors.sql.dialects import Engine
from connectors.sql.mariadb.errors import trouble
from connectors.sql.scope import Scope
from connectors.sql.server import Database, Mode, Trouble
from connectors.sql.statement import quoted
from connectors.sql.untying import emptied
from rights.codes import Code
from rights.datamap import Erase, System
from rights.datamap import Mode as Allowed

OLDEST: Final = (10, 6)
"""The first with JSON_TABLE."""
_SERVER: Final = """
SELECT VERSION(), CURRENT_USER(), DATABASE(), @@global.innodb_flush_log_at_trx_commit, @@global.binlog_format,
  @@global.log_bin, @@global.read_only"""


def findings(system: System, reader: Database, writer: Database | None) -> Iterator[Finding]:
    """Everything that does not fit, worst first.

    Raises:
        pymysql.Error: the database cannot be asked.
    """
    works = works_of(system)
    # One that only reads may not even prepare a change. Nothing is changed.
    catalogue = reader.catalogue(system)
    with reader.transaction(Mode.CHANGE, "", {}) as session:
        version, role, *_ = session.ask(_SERVER)
        if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < OLDEST:
            yield Finding("server_old", "the server is older than MariaDB 10.6: upgrade it")
        yield from misfits(system, catalogue)
        yield from _refusals(session.cursor, Scope(system, works, catalogue), role, writing=False)
        session.commit()
    if writer is None and system.mode is not Allowed.OBSERVE:
        said = f"there is no connection.writer, so nothing can be erased: add one, or write mode: {Allowed.OBSERVE}"
        yield Finding("no_writer", said)
    if writer is not None:
        with writer.transaction(Mode.CHANGE, "", {}) as session:
            _, role, database, flushed, binlog, logging, read_only = session.ask(_SERVER)
            yield from _refusals(session.cursor, Scope(system, works, catalogue), role, writing=True)
            yield from _standing(database, session.environment, int(flushed), str(binlog), bool(logging))
            if read_only in {1, "ON"}:
                said = "connection.writer leads to a server that only reads: name the primary there"
                yield Finding("writer_reads", said)
            session.commit()
        for name, table in catalogue.tables.items():
            if not table.undoes and works[name].erase is not Erase.RETAIN:
                said = (
                    f"{name} is kept by an engine without transactions, so an erasure could not be undone half-way and "
                    f"is refused: ALTER TABLE {quoted(table.schema, table.name, engine=Engine.MARIADB)} ENGINE = InnoDB"
                )
                yield Finding("not_undone", said)
    yield from unfit(system, catalogue, works)
    yield from references(system, catalogue)
    yield from slow(system, catalogue)


def _standing(database: str, mark: str, flushed: int, binlog: str, logging: bool) -> Iterator[Finding]:
    if not mark:
        said = (
            f"the database '{database}' bears no environment mark, so nothing is erased in it: "
            f"ALTER DATABASE {quoted(database, engine=Engine.MARIADB)} COMMENT = 'habeas.environment=production' "
            "(or what it is)"
        )
        yield Finding("no_mark", said)
    if flushed != 1:
        said = (
            "the server may forget its last commits in a crash, and with them an erasure: "
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1"
        )
        yield Finding("not_durable", said, Severity.WARNING)
    if logging and binlog == "STATEMENT":
        said = (
            "the binary log is written by statement, which our changes do not allow: set binlog_format = MIXED or ROW"
        )
        yield Finding("binlog_statement", said)


def refused(system: System, cursor: Any) -> ConnectorError | None:
    """Which table a role was refused; None if none is any more."""
    from connectors.sql.mariadb.catalogue import read_catalogue

    catalogue = read_catalogue(cursor, system)
    if catalogue.missing:
        return NeedsHuman(Code.RIGHTS, catalogue.missing[0].partition(".")[0])
    scope = Scope(system, works_of(system), catalogue)
    for name in catalogue.tables:
        if _lacking(cursor, scope, name, writing=True):
            return NeedsHuman(Code.RIGHTS, name)
    return None


def _refusals(cursor: Any, scope: Scope, role: str, *, writing: bool) -> Iterator[Finding]:
    for name, table in scope.catalogue.tables.items():
        if lacking := _lacking(cursor, scope, name, writing=writing):
            place = quoted(table.schema, table.name, engine=Engine.MARIADB)
            grant = f"GRANT {', '.join(lacking)} ON {place} TO {_account(role)}"
            said = f"the role {role} may not {' and '.join(lacking)} in {name}: {grant}"
            yield Finding("rights", said)


def _lacking(cursor: Any, scope: Scope, name: str, *, writing: bool) -> list[str]:
    table, work = scope.catalogue.tables[name], scope.works[name]
    place = quoted(table.schema, table.name, engine=Engine.MARIADB)
    names = [quoted(column, engine=Engine.MARIADB) for column in table.columns]
    asked = {"SELECT": f"SELECT {', '.join(names)} FROM {place}"}  # noqa: S608 - names of the catalogue
    if writing and work.erase is not Erase.RETAIN:
        changed = dict.fromkeys((*written(work), *emptied(scope).get(name, ())))
        fields = [quoted(field, engine=Engine.MARIADB) for field in changed if field in table.columns]
        values = ", ".join(f"{field} = {field}" for field in fields)
        if fields:
            asked["UPDATE"] = f"UPDATE {place} SET {values}"  # noqa: S608
        if work.erase is Erase.DELETE:
            asked["DELETE"] = f"DELETE FROM {place}"  # noqa: S608
    return [right for right, statement in asked.items() if not _allowed(cursor, statement)]


def _allowed(cursor: Any, statement: str) -> bool:
    try:
        cursor.execute("PREPARE habeas_asked FROM %s", [statement])
        cursor.execute("DEALLOCATE PREPARE habeas_asked")
    except pymysql.Error as error:
        if trouble(error) is Trouble.RIGHTS:
            return False
        raise
    return True


def _account(role: str) -> str:
    user, _, host = role.rpartition("@")
    return f"'{user}'@'{host}'"
