"""Connections to a MariaDB, and transactions on them that are limited before anything happens in them.

The one rule: a connection goes back to the pool only after a commit. One whose transaction ended in any other way is
closed, and the server undoes what it held.
"""

import json
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import pymysql
from pymysql.cursors import SSCursor
from sqlalchemy import create_engine
from sqlalchemy.engine import URL
from sqlalchemy.engine import Engine as Pool
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from connectors.errors import ConnectorError
from connectors.finding import Finding
from connectors.sql.catalogue import Catalogue
from connectors.sql.dialects import Engine
from connectors.sql.dialects.mariadb import COLLATION, SALT, variable
from connectors.sql.errors import Covers
from connectors.sql.limits import ENDING, POOL_TIMEOUT, Limits
from connectors.sql.mariadb import check
from connectors.sql.mariadb.catalogue import read_catalogue
from connectors.sql.mariadb.errors import explain, trouble
from connectors.sql.server import Database as AnyDatabase
from connectors.sql.server import Mode, Trouble
from connectors.sql.statement import Statement
from rights.datamap import System

_MARK: Final = re.compile(r"\bhabeas\.environment=([^\s;]+)")
_VARIABLE: Final = re.compile(r"@(habeas_[0-9a-f]{20})")
_CHUNK: Final = 64
"""Rows that are taken from the driver at a time while it streams."""
_PIECE: Final = 16 * 1024
"""Bytes of a list that go with others in one message."""
_LARGE: Final = 512 * 1024
"""Bytes of a list in a message of its own, twice that in hexadecimal: below any server's max_allowed_packet."""
_MARGIN: Final = 15
"""Seconds that the driver waits longer for an answer than the server may take for it."""

# Whatever the server or the role has set, a statement here means the same. What a column holds that it should not (a
# date of zeroes) does not keep its row from being changed, but nothing new is cut to fit.
_MEANING: Final = (
    f"SET NAMES utf8mb4 COLLATE {COLLATION}, "
    "sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION', "
    "time_zone = '+00:00', foreign_key_checks = 1, unique_checks = 1, sql_select_limit = DEFAULT, "
    "sql_quote_show_create = 1, sql_safe_updates = 0, sql_auto_is_null = 0, completion_type = 0, autocommit = 1, "
    "default_regex_flags = ''"
)
_BEGIN: Final = {
    # All statements see one moment.
    Mode.LOOK: ("REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
    Mode.EXPORT: ("REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
    # Each statement sees what was committed before it, and locks no gaps, in which others are writing.
    Mode.CHANGE: ("READ COMMITTED", "START TRANSACTION READ WRITE"),
}


class Database:
    """One database, reached with one credential."""

    engine = Engine.MARIADB
    errors: tuple[type[Exception], ...] = (pymysql.Error, SQLAlchemyError)

    def __init__(self, url: URL, limits: Limits) -> None:
        self.limits, self.url = limits, url
        self._pool = _pool(url, limits, limits.statement_timeout)
        self._exports = _pool(url, limits, limits.export_timeout)

    @contextmanager
    def transaction(self, mode: Mode, name: str, document: dict[str, object]) -> Iterator["Session"]:
        """Run a transaction that the server knows by a name (that of a lock it holds). It must commit; else it is
        undone.

        Raises:
            pymysql.Error: as the driver says it; `explain` has to see to it that nobody else hears of it.
            SQLAlchemyError: no connection can be had.
        """
        raw = self.open(mode)
        session = None
        try:
            session = Session(raw, self, document)
            session.introduce()
            yield session
            if not session.committed:
                raise RuntimeError("a transaction was left without a commit")
            session.tidy()
        except BaseException:
            if session is not None:
                session.abandon()
            raw.invalidate()
            raise
        raw.close()

    @contextmanager
    def plain(self, mode: Mode = Mode.LOOK) -> Iterator[Any]:
        """Give the driver's cursor, in a transaction, to ask the server about itself."""
        raw = self.open(mode)
        try:
            with _driver(raw).cursor() as cursor:
                yield cursor
                cursor.execute("COMMIT")
        except BaseException:
            raw.invalidate()
            raise
        raw.close()

    def catalogue(self, system: System) -> Catalogue:
        with self.plain() as cursor:
            return read_catalogue(cursor, system)

    def explain(self, error: Exception, system: str, covers: Covers) -> ConnectorError:
        return explain(error, system, covers)

    def trouble(self, error: Exception) -> Trouble:
        return trouble(error)

    def refused(self, system: System) -> ConnectorError | None:
        with self.plain(Mode.CHANGE) as cursor:  # one that only reads may not even prepare a change
            return check.refused(system, cursor)

    def findings(self, system: System, writer: AnyDatabase | None) -> Iterator[Finding]:
        return check.findings(system, self, writer)

    def mark(self) -> str:
        with self.plain() as cursor:
            return _mark(cursor)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.dispose()
        self._exports.dispose()

    def open(self, mode: Mode, begin: tuple[str, ...] = (), *, again: bool = True) -> PoolProxiedConnection:
        """Take a connection and begin, with statements of one's own if any are given. Those connections that a restart
        of the server has left dead are thrown away first."""
        pool = self._exports if mode is Mode.EXPORT else self._pool
        raw = pool.raw_connection()
        try:
            with _driver(raw).cursor() as cursor:
                for statement in begin or self._begin(mode):
                    cursor.execute(statement)
        except BaseException as error:
            raw.invalidate()
            if not (again and isinstance(error, pymysql.Error) and trouble(error) is Trouble.OTHER and _lost(error)):
                raise
        else:
            return raw
        pool.dispose()
        return self.open(mode, begin, again=False)

    def _begin(self, mode: Mode) -> tuple[str, ...]:
        longest = self.limits.export_timeout if mode is Mode.EXPORT else self.limits.statement_timeout
        return beginning(self.limits, longest, _BEGIN[mode])


class Session:
    """One open transaction."""

    def __init__(
        self,
        raw: PoolProxiedConnection,
        database: Database,
        document: dict[str, object],
        limits: Limits | None = None,
    ) -> None:
        self._connection, self.database = _driver(raw), database
        self._limits = limits or database.limits
        self._cursor = self._connection.cursor()
        self._stream: SSCursor | None = None
        # The document is shared by all transactions of a call: what one step has seen, the next ones need.
        self._document = document
        self._document.setdefault(SALT, None)
        self._sent: set[str] = set()
        self._committing = False
        self._until: float | None = None
        self._alone = False
        self.emptied = 0
        self.committed = False
        self.environment = ""

    @property
    def undone(self) -> bool:
        """Whether it is certain that nothing of this transaction stays."""
        if not self._committing:
            return True
        return not self.committed and self._connection.open

    def introduce(self) -> None:
        """Read the database's mark."""
        self.environment = _mark(self._cursor)

    def alone(self, name: str, *, end: bool) -> bool:
        """Take the lock by which attempts know of each other. A session that has lost it has undone its transaction;
        one that an earlier attempt has left is ended first."""
        if not end:
            return self._take(name, self.database.limits.lock_timeout)
        self._cursor.execute("SELECT IS_USED_LOCK(%s), CONNECTION_ID()", [name])
        holder, own = self._cursor.fetchone() or (None, None)
        if holder is not None and holder != own:
            with suppress(pymysql.Error):  # it may have ended by itself meanwhile
                self._cursor.execute(f"KILL HARD CONNECTION {int(holder)}")
        return self._take(name, int(ENDING.total_seconds()))

    def give(self, name: str, rows: Sequence[object] | None) -> None:
        self._document[name] = rows
        self._sent.discard(variable(name))

    def hurry(self) -> None:
        """From here on all statements together get the time of one."""
        self._until = time.monotonic() + self._limits.statement_timeout

    def defer(self) -> bool:
        """Have foreign keys checked when the transaction commits, if the server can."""
        return False

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        self._cursor.execute(self._ready(statement))
        return list(self._cursor.fetchall())

    def execute(self, statement: Statement) -> int:
        return int(self._cursor.execute(self._ready(statement)))

    def stream(self, statement: Statement) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement, as the server makes them, without keeping any."""
        text = self._ready(statement)
        self._stream = SSCursor(self._connection)
        self._stream.execute(text)
        while rows := self._stream.fetchmany(_CHUNK):
            yield from rows
        self._stream.close()
        self._stream = None

    def commit(self) -> None:
        """Commit.

        Raises:
            pymysql.Error: `undone` then says whether anything can have stayed.
        """
        self._committing = True
        self._cursor.execute("COMMIT")
        self.committed = True

    def ask(self, statement: str) -> tuple[Any, ...]:
        """One row of a statement of our own, about the server."""
        self._cursor.execute(statement)
        row: tuple[Any, ...] = self._cursor.fetchone() or ()
        return row

    @property
    def cursor(self) -> Any:
        return self._cursor

    def tidy(self) -> None:
        """Leave nothing of this call on a connection that goes on."""
        if self._alone:
            self._cursor.execute("DO RELEASE_ALL_LOCKS()")
        if self._sent:
            self._cursor.execute("SET " + ", ".join(f"@{name} = NULL" for name in sorted(self._sent)))
        self._cursor.close()

    def abandon(self) -> None:
        """Forget a stream that nobody reads to its end: its cursor would read on, on a connection that is closed."""
        if self._stream is not None:
            self._stream.connection = None  # type: ignore[assignment]

    def _take(self, name: str, seconds: int) -> bool:
        self._cursor.execute("SELECT GET_LOCK(%s, %s)", [name, seconds])
        row = self._cursor.fetchone()
        self._alone = bool(row and row[0])
        return self._alone

    def _ready(self, statement: Statement) -> str:
        """See to it that every list that a statement reads lies on the server."""
        text = statement.text.decode()
        slots = {variable(name): value for name, value in self._document.items()}
        wanted = dict.fromkeys(name for name in _VARIABLE.findall(text) if name not in self._sent)
        if wanted:
            self._send({name: _content(name, slots.get(name)) for name in wanted})
        if self._until is None:
            return text
        left = self._until - time.monotonic()
        if left <= 0:
            raise pymysql.err.OperationalError(1969, "no time is left")
        return f"SET STATEMENT max_statement_time = {left:.3f} FOR {text}"

    def _send(self, values: dict[str, bytes | None]) -> None:
        """Put values on the server, in hexadecimal: no text of a person is ever part of a statement's."""
        self._sent |= values.keys()
        small = {name: content or b"" for name, content in values.items() if len(content or b"") <= _PIECE}
        if small:
            texts = {n: "NULL" if values[n] is None else _text(f"X'{c.hex()}'") for n, c in small.items()}
            self._cursor.execute("SET " + ", ".join(f"@{name} = {text}" for name, text in texts.items()))
        for name in values.keys() - small.keys():
            self._send_large(name, values[name] or b"")

    def _send_large(self, name: str, content: bytes) -> None:
        self._cursor.execute(f"SET @{name} = ''")
        for at in range(0, len(content), _LARGE):
            self._cursor.execute(f"SET @{name} = CONCAT(@{name}, X'{content[at : at + _LARGE].hex()}')")
        self._cursor.execute(f"SET @{name} = {_text('@' + name)}")
        # More than max_allowed_packet becomes NULL here, and NULL would be an empty list.
        if self.ask(f"SELECT COALESCE(LENGTH(@{name}), -1)")[0] != len(content):
            raise pymysql.err.OperationalError(1153, "a list is larger than max_allowed_packet")


def beginning(limits: Limits, longest: int, begin: tuple[str, str]) -> tuple[str, ...]:
    """The statements by which a transaction begins, given its isolation level and the last of them."""
    level, start = begin
    return (
        f"{_MEANING}, max_statement_time = {longest}, innodb_lock_wait_timeout = {limits.lock_timeout}, "
        f"lock_wait_timeout = {limits.lock_timeout}, idle_transaction_timeout = {limits.idle_timeout}, "
        f"idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0, "
        f"net_write_timeout = {longest}",
        f"SET SESSION TRANSACTION ISOLATION LEVEL {level}",
        start,
    )


def _mark(cursor: Any) -> str:
    """The mark in the database's comment."""
    cursor.execute("SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()")
    row = cursor.fetchone()
    found = _MARK.search(row[0] or "") if row else None
    return found[1] if found else ""


def _text(bytes_: str) -> str:
    return f"CONVERT({bytes_} USING utf8mb4)"


def _content(name: str, value: object) -> bytes | None:
    """A value of the document as it lies on the server."""
    if value is None:
        return secrets.token_hex(32).encode() if name == variable(SALT) else None
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()


def _pool(url: URL, limits: Limits, longest: int) -> Pool:
    return create_engine(
        url,
        pool_size=limits.pool_size,
        max_overflow=limits.pool_size,
        pool_timeout=POOL_TIMEOUT,
        connect_args={
            "autocommit": True,  # so that the transaction is ours
            "charset": "utf8mb4",
            "connect_timeout": limits.connect_timeout,
            "read_timeout": longest + _MARGIN,
            "write_timeout": limits.statement_timeout + _MARGIN,
            "program_name": "habeas",
            "local_infile": False,
        },
    )


def _lost(error: pymysql.Error) -> bool:
    return bool(error.args) and error.args[0] in {0, 2006, 2013, 4031, 1927}


def _driver(raw: PoolProxiedConnection) -> Any:
    connection = raw.driver_connection
    if connection is None:
        raise RuntimeError("the pool gave no connection")
    return connection
