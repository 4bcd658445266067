"""The statements by which rows are flagged, on PostgreSQL and on MariaDB.

The one rule: rows are locked and read before their flag changes, by key, in the transaction that changes it; a key
travels in the document and never in a statement's text.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import ClauseElement, Text, and_, cast, select, update

from connectors.protocol import Call, Key
from connectors.sql import flags
from connectors.sql.dialects import Engine
from connectors.sql.fates import Fates
from connectors.sql.flags import Flagged
from connectors.sql.mariadb.session import Database as MariaDB
from connectors.sql.programme import Programme
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.server import Database, Mode
from connectors.sql.session import Database as PostgreSQL
from connectors.sql.statement import compiled
from connectors.sql.stepping import BATCH
from connectors.sql.steps import Steps
from connectors.sql.values import document

Rows = Mapping[Key, tuple[bool, str]]
"""By key, whether a row bears the request's name, and a digest of all else that it holds."""


@contextmanager
def asking(writer: Database) -> Iterator[Any]:
    """A cursor to ask the catalogue by."""
    if isinstance(writer, PostgreSQL):
        with writer.plain() as connection:
            yield connection.cursor()
    elif isinstance(writer, MariaDB):
        with writer.plain() as cursor:
            yield cursor
    else:
        raise RuntimeError("there are no flags here")


@contextmanager
def working(writer: Database, call: Call, programme: Programme | Steps) -> Iterator["Work"]:
    """A transaction in which flags are read and changed. It must commit; else it is undone."""
    values = document(call, programme.scope) | {flags.MARKER: flags.marker_of(call)}
    if isinstance(programme, Steps):
        with writer.transaction(Mode.CHANGE, call.session, values) as session:
            yield _OnMariaDB(session, programme.scope)
        return
    with writer.transaction(Mode.CHANGE, call.session, json.dumps(values, ensure_ascii=False)) as session:
        yield _OnPostgreSQL(session, programme.scope, values, call.session)


class Work(ABC):
    """One transaction."""

    raw: Any
    """What the catalogue is asked by."""

    def __init__(self, session: Any, scope: Scope) -> None:
        self.session, self.scope = session, scope

    def located(self, name: str) -> list[Key]:
        """The keys of the person's rows, once a look was taken in this transaction."""
        focus = name if self.scope.dialect.stepwise else None
        rows = Fates(self.scope, (), focus).traversal.located(name)
        key = self.scope.system.collections[name].key
        return [tuple(row) for row in self._rows(select(*(cast(rows.c[field], Text) for field in key)))]

    def bearing(self, of: Flagged) -> list[Key]:
        """The keys of the rows that bear the request's name."""
        key = self.scope.system.collections[of.collection].key
        wanted = and_(of.table.c[of.flag.column].is_not(None), flags.marked(self.scope, of, of.table))
        return [tuple(row) for row in self._rows(select(*(cast(of.table.c[f], Text) for f in key)).where(wanted))]

    def rows(self, of: Flagged, keys: Sequence[Key]) -> Rows:
        """Lock rows, and read them."""
        if not keys:
            return {}
        self._give(keys)
        kept, given = of.table.alias("kept"), flags.picked(self.scope, of.collection)
        key = self.scope.system.collections[of.collection].key
        asked = (
            select(
                *(cast(kept.c[field], Text) for field in key),
                flags.marked(self.scope, of, kept),
                flags.digest(self.scope, of, kept),
            )
            .select_from(kept.join(given, and_(*(kept.c[field] == given.c[field] for field in key))))
            .with_for_update(of=kept if self.scope.catalogue.engine is Engine.POSTGRESQL else None)
        )
        return {tuple(row[:-2]): (bool(row[-2]), row[-1]) for row in self._rows(asked)}

    def change(self, of: Flagged, keys: Sequence[Key], becomes: Sql) -> None:
        """Change the flag of rows; columns that the server would stamp are written as they are."""
        if not keys:
            return
        self._give(keys)
        given = flags.picked(self.scope, of.collection)
        key = self.scope.system.collections[of.collection].key
        values = {of.flag.column: becomes, **{name: of.table.c[name] for name in of.stamped}}
        changed = self._execute(
            update(of.table).values(values).where(*(of.table.c[field] == given.c[field] for field in key))
        )
        if changed != len(keys):
            raise RuntimeError("a locked row was not changed")

    @abstractmethod
    def hurry(self) -> None:
        """From here on all statements together get the time of one: what a fence has let through ends in time."""

    @abstractmethod
    def _give(self, keys: Sequence[Key]) -> None: ...

    @abstractmethod
    def _rows(self, asked: ClauseElement) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def _execute(self, change: ClauseElement) -> int: ...


class _OnMariaDB(Work):
    def __init__(self, session: Any, scope: Scope) -> None:
        super().__init__(session, scope)
        self.raw = session.cursor

    def hurry(self) -> None:
        self.session.hurry()

    def _give(self, keys: Sequence[Key]) -> None:
        self.session.give(BATCH, [list(key) for key in keys])

    def _rows(self, asked: ClauseElement) -> list[tuple[Any, ...]]:
        return list(self.session.rows(compiled(asked, Engine.MARIADB)))

    def _execute(self, change: ClauseElement) -> int:
        return int(self.session.execute(compiled(change, Engine.MARIADB)))


class _OnPostgreSQL(Work):
    def __init__(self, session: Any, scope: Scope, values: Mapping[str, object], name: str) -> None:
        super().__init__(session, scope)
        self._values, self._name = values, name
        self._until: float | None = None
        self.raw = session.connection.cursor()

    def hurry(self) -> None:
        self._until = time.monotonic() + self.session.database.limits.statement_timeout

    def _give(self, keys: Sequence[Key]) -> None:
        values = {**self._values, BATCH: [list(key) for key in keys]}
        self.session.introduce(self._name, json.dumps(values, ensure_ascii=False))

    def _rows(self, asked: ClauseElement) -> list[tuple[Any, ...]]:
        return self._run(asked).fetchall()

    def _execute(self, change: ClauseElement) -> int:
        return self._run(change).rowcount

    def _run(self, statement: ClauseElement) -> psycopg.RawCursor[Any]:
        connection = self.session.connection
        if self._until is not None:
            left = max(1, int(1000 * (self._until - time.monotonic())))
            connection.execute(f"SET LOCAL statement_timeout = {left}", prepare=False)
        return psycopg.RawCursor(connection).execute(compiled(statement).text, prepare=False)
