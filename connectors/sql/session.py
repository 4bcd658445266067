"""Connections to a database, and transactions on them that are limited before anything happens in them.

The one rule: a connection goes back to the pool only after a commit. One whose transaction ended in any other way is
closed, and the server undoes what it held.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from connectors.errors import ConnectorError
from connectors.finding import Finding
from connectors.sql import check
from connectors.sql.catalogue import Catalogue, read_catalogue
from connectors.sql.copying import pages
from connectors.sql.dialects import Engine
from connectors.sql.dialects.postgresql import SETTING
from connectors.sql.errors import RIGHTS, TIME, Covers, explain, schema_changed, sqlstate, value_refused
from connectors.sql.limits import ENDING, KEEPALIVE, POOL_TIMEOUT, WORK_MEMORY, Limits
from connectors.sql.server import Database as AnyDatabase
from connectors.sql.server import Mode, Trouble
from connectors.sql.statement import Statement
from rights.datamap import System

DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"})
_CHUNK: Final = 64
"""Rows that the driver takes from the server at a time while it streams."""

# Whatever the role or the database has set, a statement here means the same.
_MEANING: Final = (
    "SET LOCAL row_security = off; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; "
    "SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL standard_conforming_strings = on; SET LOCAL plan_cache_mode = force_generic_plan; "
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off"
)
# A commit that the server forgets in a crash would bring back what was reported as erased: it is never "off".
_INTRODUCE: Final = f"""
SELECT coalesce(current_setting('habeas.environment', true), ''),
  set_config('{SETTING}', $1, true) IS NULL, set_config('application_name', $2, true),
  set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true),
  CASE WHEN pg_size_bytes(current_setting('work_mem')) < {WORK_MEMORY * 2**20}
    THEN set_config('work_mem', '{WORK_MEMORY}MB', true) END
""".encode()
# The server keeps counts of earlier transactions of a session beside those of the open one, until it finds time.
_EARLIER: Final = b""", (SELECT coalesce(json_object_agg(oid::bigint, json_build_array(i, u, d)), '{}') FROM (
  SELECT oid, pg_stat_get_xact_tuples_inserted(oid) i, pg_stat_get_xact_tuples_updated(oid) u,
    pg_stat_get_xact_tuples_deleted(oid) d FROM pg_class WHERE relkind IN ('r', 'p') OFFSET 0) t WHERE i + u + d > 0)"""
_SET: Final = f"current_setting('{SETTING}')".encode()
_GIVEN: Final = b"$1"
"""Where a statement takes its document from, and where instead if it is asked about many."""
_GIVE: Final = f"""
SELECT set_config('{SETTING}', (current_setting('{SETTING}')::jsonb || $1::jsonb)::text, true) IS NULL""".encode()
_LIMIT: Final = b"SELECT set_config('statement_timeout', $1, true)"
_END: Final = b"""SELECT coalesce(bool_and(pg_terminate_backend(pid, $2)), true) FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()
  AND state IS DISTINCT FROM 'idle'"""


_LEVELS: Final = {
    # All statements see one moment.
    Mode.LOOK: "REPEATABLE READ READ ONLY",
    Mode.EXPORT: "REPEATABLE READ READ ONLY",
    # Each statement sees what was committed before it, and locks what it is to change as it reads it: so it decides on
    # what the rows are now, and a writer who is quicker costs no second attempt.
    Mode.CHANGE: "READ COMMITTED READ WRITE",
}


class Database:
    """One database, reached with one credential."""

    engine = Engine.POSTGRESQL
    errors: tuple[type[Exception], ...] = (psycopg.Error, SQLAlchemyError)

    def __init__(self, url: URL, limits: Limits) -> None:
        self.limits, self.url = limits, url
        self.server: Final = (url.host, url.port, url.query.get("host"), url.query.get("port"))
        """Where it is reached; two that are reached in the same way are one server."""
        self._begin = {mode: _begin(mode, limits) for mode in Mode}
        self._engine = create_engine(
            url,
            pool_size=limits.pool_size,
            max_overflow=limits.pool_size,
            pool_timeout=POOL_TIMEOUT,
            use_native_hstore=False,
            connect_args={
                **{name: value for name, value in KEEPALIVE.items() if name not in url.query},
                "application_name": "habeas",
                "autocommit": True,  # so that BEGIN is ours, with all limits in the same message
                "client_encoding": "utf8",
                "connect_timeout": limits.connect_timeout,
                "prepare_threshold": 0 if limits.prepare else None,
            },
        )

    @contextmanager
    def transaction(self, mode: Mode, name: str, document: str) -> Iterator["Session"]:
        """Run a transaction that the server knows by a name (application_name). It must commit; else it is undone.

        Raises:
            psycopg.Error: as the driver says it; `errors.explain` has to see to it that nobody else hears of it.
            SQLAlchemyError: no connection can be had.
        """
        raw = self._open(self._begin[mode])
        try:
            session = Session(raw, self)
            session.introduce(name, document, counted=mode is Mode.CHANGE)
            yield session
            if not session.committed:
                raise RuntimeError("a transaction was left without a commit")
        except BaseException:
            raw.invalidate()
            raise
        raw.close()

    @contextmanager
    def trial(self, name: str, document: str, limits: Limits) -> Iterator["Session"]:
        """Run a transaction that cannot commit: whatever happens in it is taken back, and its connection is closed.

        Raises:
            psycopg.Error: as the driver says it.
            SQLAlchemyError: no connection can be had.
        """
        raw = self._open(_begin(Mode.CHANGE, limits))
        try:
            session = Trying(raw, self)
            session.introduce(name, document, counted=True)
            yield session
        finally:
            driver = _driver(raw)
            try:
                if not driver.broken:
                    driver.execute("ROLLBACK", prepare=False)
            finally:
                raw.invalidate()

    @contextmanager
    def plain(self, mode: Mode = Mode.LOOK) -> Iterator[Any]:
        """Give the driver's own connection, in a read-only transaction unless another mode is named, to ask the server
        about itself."""
        raw = self._open(self._begin[mode])
        try:
            yield raw.driver_connection
            _driver(raw).execute("COMMIT", prepare=False)
        except BaseException:
            raw.invalidate()
            raise
        raw.close()

    def catalogue(self, system: System) -> Catalogue:
        with self.plain() as connection:
            return read_catalogue(connection, system)

    def explain(self, error: Exception, system: str, covers: Covers) -> ConnectorError:
        return explain(error, system, covers)

    def trouble(self, error: Exception) -> Trouble:
        if sqlstate(error) == RIGHTS:
            return Trouble.RIGHTS
        if sqlstate(error) == TIME:
            return Trouble.TIME
        if value_refused(error):
            return Trouble.VALUE
        return Trouble.SCHEMA if schema_changed(error) else Trouble.OTHER

    def refused(self, system: System) -> ConnectorError | None:
        with self.plain() as connection:
            return check.refused(system, connection)

    def findings(self, system: System, writer: AnyDatabase | None) -> Iterator[Finding]:
        return check.findings(system, self, writer)

    def mark(self) -> str:
        with self.plain() as connection:
            (mark,) = connection.execute("SELECT coalesce(current_setting('habeas.environment', true), '')").fetchone()
            return str(mark)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._engine.dispose()

    def _open(self, begin: str, *, again: bool = True) -> PoolProxiedConnection:
        """Take a connection and begin. Those that a restart of the server has left dead are thrown away first."""
        raw = self._engine.raw_connection()
        try:
            _driver(raw).execute(begin, prepare=False)
        except BaseException:
            dead = _driver(raw).broken
            raw.invalidate()
            if not (dead and again):
                raise
        else:
            return raw
        self._engine.dispose()
        return self._open(begin, again=False)


class Session:
    """One open transaction."""

    def __init__(self, raw: PoolProxiedConnection, database: Database) -> None:
        self._raw, self.database = raw, database
        self._connection = _driver(raw)
        self._cursor = psycopg.RawCursor(self._connection)
        self._committing = False
        self._until: float | None = None
        self.committed = False
        self.environment = ""
        """The mark that the database bears; empty if nobody has marked it."""
        self.earlier: Mapping[int, Sequence[int]] = {}
        """By relation, the rows that earlier transactions of the session inserted, updated and deleted, where the
        server still counts them with those of this one. Only of a transaction that changes something."""

    @property
    def undone(self) -> bool:
        """Whether it is certain that nothing of this transaction stays."""
        if not self._committing:
            return True
        return not self.committed and not self._connection.broken

    def introduce(self, name: str, document: str, *, counted: bool = False) -> None:
        """Tell the server whose transaction this is and what it is about, and read the database's mark."""
        row = self._cursor.execute(_INTRODUCE + (_EARLIER if counted else b""), [document, name]).fetchone()
        self.environment = row[0] if row else ""
        if row and counted:
            self.earlier = {int(relation): numbers for relation, numbers in row[-1].items()}

    def alone(self, name: str, *, end: bool) -> bool:
        """End the transactions that earlier attempts may have left under a name; whether all of them are gone."""
        if not end:
            return True
        milliseconds = int(ENDING.total_seconds() * 1000)
        row = self._cursor.execute(_END, [name, milliseconds]).fetchone()
        return bool(row and row[0])

    def row(self, statement: Statement) -> tuple[Any, ...]:
        """The one row that a statement gives."""
        row: tuple[Any, ...] | None = self._cursor.execute(statement.text).fetchone()
        if row is None:
            raise RuntimeError("a statement gave no row")
        return row

    def each(self, statement: Statement, documents: Sequence[str]) -> list[tuple[Any, ...]]:
        """The one row that a statement gives about each document, which takes the place of the transaction's own. All
        are sent before any is waited for."""
        cursor = psycopg.RawCursor(self._connection)
        cursor.executemany(statement.text.replace(_SET, _GIVEN), [[one] for one in documents], returning=True)
        rows: list[tuple[Any, ...] | None] = [cursor.fetchone()]
        while cursor.nextset():
            rows.append(cursor.fetchone())
        whole = [row for row in rows if row is not None]
        if len(whole) != len(documents):
            raise RuntimeError("a statement gave no row")
        return whole

    def give(self, name: str, rows: Sequence[object] | None) -> None:
        """Put a list into the document, for the statements that follow."""
        self._cursor.execute(_GIVE, [json.dumps({name: rows}, ensure_ascii=False)])

    def hurry(self) -> None:
        """From here on all statements together get the time of one: what a fence has let through ends in time."""
        self._until = time.monotonic() + self.database.limits.statement_timeout

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        self._limit()
        return self._cursor.execute(statement.text).fetchall()

    def execute(self, statement: Statement) -> int:
        """The number of rows changed."""
        self._limit()
        return self._cursor.execute(statement.text).rowcount

    def _limit(self) -> None:
        if self._until is None:
            return
        left = self._until - time.monotonic()
        if left <= 0:
            raise psycopg.errors.QueryCanceled("no time is left")
        self._cursor.execute(_LIMIT, [f"{int(left * 1000) + 1}ms"])

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """The rows that answer a question of ours, which holds no values; none, if it has no answer."""
        cursor = self._connection.execute(question.encode(), prepare=False)
        return cursor.fetchall() if cursor.description else []

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The driver's own connection, to ask the catalogue within this transaction."""
        return self._connection

    def stream(self, statement: Statement) -> Iterator[tuple[int, bytes]]:
        """The rows of a statement, as the server makes them, without keeping any."""
        query: bytes = statement.text
        if self.database.limits.prepare:
            # The driver cannot stream a statement that it has prepared, so the server is told to by name.
            name = statement.name.encode()
            prepared: set[bytes] = self._raw.info.setdefault("habeas", set())
            if name not in prepared:
                self._cursor.execute(b"PREPARE " + name + b" AS " + query, prepare=False)
                prepared.add(name)
            query = b"EXECUTE " + name
        return self._cursor.stream(query, binary=True, size=_CHUNK)

    def copy(self, statement: Statement, ending: bytes) -> Iterator[bytes]:
        """The rows that a COPY gives, in pages, each row with `ending` for its line end."""
        return pages(self._connection, statement.text, ending)

    def commit(self) -> None:
        """Commit.

        Raises:
            psycopg.Error: `undone` then says whether anything can have stayed.
        """
        self._committing = True
        done = self._cursor.execute(b"COMMIT", prepare=False)
        if done.statusmessage != "COMMIT":
            raise psycopg.errors.InFailedSqlTransaction("the server rolled back")
        self.committed = True


class Trying(Session):
    """A transaction that is only tried."""

    def commit(self) -> None:
        """Not here.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a trial cannot commit")


def _driver(raw: PoolProxiedConnection) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] | None = raw.driver_connection
    if connection is None:
        raise RuntimeError("the pool gave no connection")
    return connection


def _begin(mode: Mode, limits: Limits) -> str:
    longest = limits.export_timeout if mode is Mode.EXPORT else limits.statement_timeout
    return (
        f"BEGIN ISOLATION LEVEL {_LEVELS[mode]}; SET LOCAL statement_timeout = '{longest}s'; "
        f"SET LOCAL lock_timeout = '{limits.lock_timeout}s'; "
        f"SET LOCAL idle_in_transaction_session_timeout = '{limits.idle_timeout}s'; {_MEANING}"
    )
