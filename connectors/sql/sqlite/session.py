"""Transactions on a SQLite file, each on a connection of its own.

The one rule: while one of ours that writes is open nobody else writes, and none of it stays unless it commits within
its time. SQLite runs in this very process, so no server could cut off a worker that is frozen: it looks at the clock
itself before it commits.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from connectors.errors import ConnectorError
from connectors.finding import Finding
from connectors.sql.catalogue import Catalogue
from connectors.sql.dialects import Engine
from connectors.sql.errors import Covers
from connectors.sql.limits import Limits
from connectors.sql.server import Database as AnyDatabase
from connectors.sql.server import Mode, Trouble
from connectors.sql.sqlite import check
from connectors.sql.sqlite.catalogue import MARK, read_catalogue
from connectors.sql.sqlite.errors import Overdue, explain, trouble
from connectors.sql.sqlite.functions import register
from connectors.sql.statement import Statement
from rights.datamap import System

KEY: Final = "key"
"""The slot of the document in which the pseudonym key lies, in hexadecimal. It never leaves this process."""
_STEPS: Final = 20_000
"""Steps of SQLite's machine after which it asks whether to go on: a few milliseconds."""
_CHUNK: Final = 64


class Database:
    """One file."""

    engine = Engine.SQLITE
    errors: tuple[type[Exception], ...] = (sqlite3.Error, Overdue)

    def __init__(self, path: Path, limits: Limits, *, writes: bool) -> None:
        self.limits, self.path, self._writes = limits, path, writes

    @contextmanager
    def transaction(self, mode: Mode, name: str, document: dict[str, object]) -> Iterator["Session"]:
        """Run a transaction. It must commit; else it is undone.

        Raises:
            sqlite3.Error: as the driver says it; `explain` has to see to it that nobody else hears of it.
        """
        longest = self.limits.export_timeout if mode is Mode.EXPORT else self.limits.statement_timeout
        connection = self.open(writing=mode is Mode.CHANGE)
        try:
            session = Session(connection, self, document, longest)
            session.begin("BEGIN IMMEDIATE" if mode is Mode.CHANGE else "BEGIN")
            yield session
            if not session.committed:
                raise RuntimeError("a transaction was left without a commit")
        finally:
            connection.close()

    @contextmanager
    def plain(self) -> Iterator[sqlite3.Connection]:
        """Give the driver's own connection, which cannot write, to ask the file about itself."""
        connection = self.open(writing=False)
        try:
            yield connection
        finally:
            connection.close()

    def catalogue(self, system: System) -> Catalogue:
        with self.plain() as connection:
            return read_catalogue(connection, system)

    def explain(self, error: Exception, system: str, covers: Covers) -> ConnectorError:
        return explain(error, system)

    def trouble(self, error: Exception) -> Trouble:
        return trouble(error)

    def refused(self, system: System) -> ConnectorError | None:
        return None

    def findings(self, system: System, writer: AnyDatabase | None) -> Iterator[Finding]:
        return check.findings(system, self, writer)

    def mark(self) -> str:
        with self.plain() as connection:
            return _mark(connection)

    def close(self) -> None:
        """Nothing is kept open."""

    def open(self, *, writing: bool, patience: int | None = None) -> sqlite3.Connection:
        """A connection on which this connector's settings hold; `patience` is how long it waits for a lock."""
        uri = f"{self.path.absolute().as_uri()}?mode={'rw' if self._writes or writing else 'ro'}"
        connection = sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=patience or self.limits.lock_timeout,
        )
        try:
            for pragma in (
                "foreign_keys = ON",
                "secure_delete = ON",  # what is deleted is written over, not only forgotten
                "synchronous = FULL",  # a commit that a crash of the machine undoes would bring back what was erased
                "temp_store = MEMORY",
                f"query_only = {'OFF' if writing else 'ON'}",
            ):
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection


class Session:
    """One open transaction."""

    def __init__(
        self, connection: sqlite3.Connection, database: Database, document: dict[str, object], longest: int
    ) -> None:
        self._connection, self.database, self._longest = connection, database, longest
        self._document = document
        self._until = time.monotonic() + longest
        self._undone = True
        self.emptied = 0
        self.committed = False
        self.environment = ""
        register(connection, document, bytes.fromhex(str(document.get(KEY, ""))), self._overdue)
        connection.set_progress_handler(lambda: int(self._overdue()), _STEPS)

    @property
    def connection(self) -> sqlite3.Connection:
        """The driver's own connection, to watch what this transaction changes."""
        return self._connection

    @property
    def undone(self) -> bool:
        """Whether it is certain that nothing of this transaction stays."""
        return self._undone

    def _overdue(self) -> bool:
        return time.monotonic() > self._until

    def begin(self, begin: str) -> None:
        """Begin, and read the file's mark; with that reading a look's moment is fixed."""
        self._connection.execute(begin)
        self.environment = _mark(self._connection)

    def alone(self, name: str, *, end: bool) -> bool:
        """A transaction that writes has begun, so none of an earlier attempt is open any more."""
        return True

    def give(self, name: str, rows: Sequence[object] | None) -> None:
        self._document[name] = rows

    def hurry(self) -> None:
        """From here on everything together gets the time of one statement."""
        self._until = time.monotonic() + self.database.limits.statement_timeout

    def defer(self) -> bool:
        """Have foreign keys checked when the transaction commits, if the server can."""
        self._connection.execute("PRAGMA defer_foreign_keys = ON")
        return True

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.text.decode()).fetchall()

    def execute(self, statement: Statement) -> int:
        return self._connection.execute(statement.text.decode()).rowcount

    def stream(self, statement: Statement) -> Iterator[tuple[Any, ...]]:
        cursor = self._connection.execute(statement.text.decode())
        while rows := cursor.fetchmany(_CHUNK):
            # However slowly they are stored: what is limited is the work between two pages.
            self._until = time.monotonic() + self._longest
            yield from rows

    def ask(self, statement: str) -> tuple[Any, ...]:
        """One row of a statement of our own, about the file."""
        row: tuple[Any, ...] = self._connection.execute(statement).fetchone() or ()
        return row

    def commit(self) -> None:
        """Commit; a transaction that has taken too long, be it because the worker was frozen, is rolled back instead.

        Raises:
            sqlite3.Error, Overdue: `undone` then says whether anything can have stayed.
        """
        if time.monotonic() > self._until:
            self._connection.rollback()
            raise Overdue
        self._undone = False
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:  # SQLite has not begun to write, or has put back what it had
                with suppress(sqlite3.Error):
                    self._connection.rollback()
                    self._undone = True
            raise
        self.committed = True


_MARKED: Final = "SELECT environment FROM habeas_environment"
"""Of the table that `catalogue.MARK` names."""


def _mark(connection: sqlite3.Connection) -> str:
    """The mark in the file's own table for it."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [MARK]).fetchone():
        return ""
    row = connection.execute(_MARKED).fetchone()
    return str(row[0]) if row else ""
