"""What else a SQLite file changes when rows are deleted or rewritten.

The one rule: SQLite counts every row that anything has changed, whoever did it, and says while it reads a statement
into which tables its triggers and foreign keys may write; the first tells that something happened, the second where.
"""

import sqlite3
from collections.abc import Collection
from typing import Any, Final

from connectors.sql.effects import Watch, stop
from connectors.sql.erasure import Changes
from connectors.sql.scope import Scope

_WRITES: Final = {sqlite3.SQLITE_DELETE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE}


def watch(session: Any, scope: Scope, accepted: Collection[str]) -> Watch:
    """Begin to watch a transaction that has changed nothing yet."""
    return _Watched(session, scope, accepted)


class _Watched:
    def __init__(self, session: Any, scope: Scope, accepted: Collection[str]) -> None:
        self._session, self._scope, self._accepted = session, scope, {name.lower() for name in accepted}
        self._connection: sqlite3.Connection = session.connection
        self._before = self._connection.total_changes
        self._writes: set[tuple[str, bool]] = set()
        self._connection.set_authorizer(self._note)

    def judge(self, changes: Changes) -> None:
        self._connection.set_authorizer(None)
        planned = sum(rows for _, (rows, _) in changes) + self._session.emptied
        more = self._connection.total_changes - self._before - planned
        if not more:
            return
        tables = self._scope.catalogue.tables
        own = {tables[batch.collection].name.lower(): batch.collection for batch, (rows, _) in changes if rows}
        other = {table for table, triggered in self._writes if triggered or table.lower() not in own}
        names = {name.lower(): own.get(name.lower(), name) for name in other}
        if more > 0 and names and all({name, said} & self._accepted for name, said in names.items()):
            return
        where = sorted(names.values()) or sorted(own.values())
        stop([f"{' or '.join(where[:3])} ({abs(more):,} {'more' if more > 0 else 'fewer'} rows changed than planned)"])

    def _note(self, action: int, table: str | None, _: str | None, __: str | None, trigger: str | None) -> int:
        if action in _WRITES and table and not table.startswith("sqlite_"):
            self._writes.add((table, trigger is not None))
        return sqlite3.SQLITE_OK
