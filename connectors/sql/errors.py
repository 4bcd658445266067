"""What the driver and the server say, as the four errors of the contract: the one place that reads SQLSTATEs.

The one rule: a driver's own text goes no further, since it may quote a value. What goes on is a code, and a name from
the catalogue.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from rights.codes import Code

Covers = Callable[[str, str, str], bool]
"""Whether a unique link of the map follows the foreign key of this schema, table and name."""

RIGHTS: Final = "42501"
"""Missing rights and row security have the same SQLSTATE; the catalogue tells which it is."""
TIME: Final = "57014"
"""A statement that was cancelled: by its own limit, and by nobody else that we know of."""
_SCHEMA: Final = frozenset({"42P01", "42703", "3F000", "42704", "42804", "42883", "42846", "0A000", "428C9"})
_REFUSED_VALUES: Final = frozenset({"22", "23"})
"""Classes: a rewritten value that a type or a constraint of the table does not take."""
_RAISED: Final = "P0001"
"""RAISE EXCEPTION in PL/pgSQL: how triggers refuse a row."""
_RETRYABLE: Final[Mapping[str, Code]] = {
    # Shutting down, starting up, or a server that only reads because another has taken over.
    **dict.fromkeys(("57P01", "57P02", "57P03", "25006"), Code.UNREACHABLE),
    # Locks, deadlocks, and the limits that we have set ourselves.
    **dict.fromkeys(("40001", "40P01", "55P03", "55006", "57014", "25P02", "25P03", "25P04", "57P05"), Code.BUSY),
}
_RETRYABLE_CLASSES: Final[Mapping[str, Code]] = {
    "08": Code.UNREACHABLE,  # the connection
    "53": Code.BUSY,  # memory, disk, connections
    "58": Code.UNREACHABLE,  # the machine under the server
}
_CREDENTIALS: Final = frozenset({"28000", "28P01", "3D000"})
_REFERENCED: Final = frozenset({"23503", "23001"})

# A connection that is not let in has no SQLSTATE in libpq, only the server's words.
_NOT_LET_IN: Final = re.compile(
    r"authentication failed|no password supplied|password retrieved|pg_hba\.conf|does not exist"
    r"|not permitted to log in|not currently accepting connections|permission denied for database"
    r"|certificate|does not support SSL",
    re.IGNORECASE,
)
# A server speaks its own language; libpq, for which Python sets none, says in English what it saw of the wire.
_WIRE: Final = re.compile(
    r"server closed the connection|could not (receive|send|connect)|timeout|timed out|SSL SYSCALL|SSL error"
    r"|reset by peer|refused|unreachable|broken pipe|EOF|translate host name",
    re.IGNORECASE,
)
_FULL: Final = re.compile(r"too many (clients|connections)|remaining connection slots", re.IGNORECASE)


class Renumbered(Retryable):
    """A table has another number in the catalogue than the one that was looked up, as after a restore: what was counted
    under the old one says nothing."""


def schema_changed(error: BaseException) -> bool:
    """Whether the server says that a table, column or type is not what the statement took it for."""
    return sqlstate(error) in _SCHEMA


def value_refused(error: BaseException) -> bool:
    """Whether the server says that a type, a constraint, or a trigger with words of its own does not take a value."""
    state = sqlstate(error)
    return state[:2] in _REFUSED_VALUES or state == _RAISED


def sqlstate(error: BaseException) -> str:
    """The server's code; empty if there is none."""
    if isinstance(error, DBAPIError):
        return sqlstate(error.orig) if error.orig is not None else ""
    return (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""


def explain(error: Exception, system: str, covers: Covers) -> ConnectorError:
    """The contract's error for a driver's.

    Args:
        error: what was raised.
        system: the system's name in the map.
        covers: tells a writer who was quicker from a table that the map does not know.
    """
    if isinstance(error, PoolTimeoutError):
        return Retryable(Code.BUSY, system)
    if isinstance(error, DBAPIError) and isinstance(error.orig, psycopg.Error):
        error = error.orig
    if not isinstance(error, psycopg.Error):
        return NeedsHuman(Code.INTERNAL, type(error).__name__)
    return _explain(error, system, covers)


def _explain(error: psycopg.Error, system: str, covers: Covers) -> ConnectorError:
    state = error.sqlstate or ""
    if not state:
        return _without_state(error, system)
    if state in _REFERENCED:
        return _referenced(error.diag, system, covers)
    if state in _RETRYABLE:
        return Retryable(_RETRYABLE[state], system)
    if state[:2] in _RETRYABLE_CLASSES:
        return Retryable(_RETRYABLE_CLASSES[state[:2]], system)
    if state in _CREDENTIALS:
        return NeedsHuman(Code.CREDENTIALS, system)
    if state in _SCHEMA or state[:2] in _REFUSED_VALUES:
        return NeedsHuman(Code.SCHEMA, _place(error.diag) or system)
    if state == RIGHTS:
        return NeedsHuman(Code.RIGHTS, system)
    return NeedsHuman(Code.INTERNAL, state)


def _without_state(error: psycopg.Error, system: str) -> ConnectorError:
    if not isinstance(error, psycopg.OperationalError):
        return NeedsHuman(Code.INTERNAL, type(error).__name__)
    if _FULL.search(str(error)):
        return Retryable(Code.BUSY, system)
    if _NOT_LET_IN.search(str(error)) or _refused_after_password(error):
        return NeedsHuman(Code.CREDENTIALS, system)
    return Retryable(Code.UNREACHABLE, system)


def _refused_after_password(error: psycopg.OperationalError) -> bool:
    """Whether a server that had asked for the password ended the attempt itself, in whatever language."""
    attempt = error.pgconn
    return attempt is not None and attempt.used_password and not _WIRE.search(str(error))


def _referenced(diagnosis: Any, system: str, covers: Covers) -> ConnectorError:
    schema, table = diagnosis.schema_name or "", diagnosis.table_name or ""
    if covers(schema, table, diagnosis.constraint_name or ""):
        return Retryable(Code.BUSY, table)  # a row that came in while we looked
    return NeedsHuman(Code.BLOCKED, table or system)


def _place(diagnosis: Any) -> str:
    names = (diagnosis.table_name, diagnosis.column_name or diagnosis.constraint_name)
    return ".".join(name for name in names if name)
