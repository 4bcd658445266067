"""What SQLite says, as the four errors of the contract, by the names of its result codes.

The one rule: SQLite's own text goes no further, since it may quote a value.
"""

import re
import sqlite3
from typing import Final

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.sql.server import Trouble
from rights.codes import Code


class Overdue(Exception):
    """A transaction has taken longer than it may, and was rolled back."""


_NAMES: Final = {
    "SQLITE_BUSY": Code.BUSY,
    "SQLITE_LOCKED": Code.BUSY,
    "SQLITE_INTERRUPT": Code.BUSY,
    "SQLITE_PROTOCOL": Code.BUSY,
    "SQLITE_NOMEM": Code.BUSY,
    "SQLITE_FULL": Code.BUSY,
    "SQLITE_CANTOPEN": Code.UNREACHABLE,
    "SQLITE_IOERR": Code.UNREACHABLE,
}
_RIGHTS: Final = frozenset({"SQLITE_PERM", "SQLITE_READONLY", "SQLITE_AUTH"})
_VALUES: Final = frozenset({"SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG"})
_PRIMARY: Final = {getattr(sqlite3, name): name for name in (*_NAMES, *_RIGHTS, *_VALUES)}
_MISSING: Final = re.compile(r"no such (table|column|function)")


def name_of(error: BaseException) -> str:
    """The primary result code's name, such as SQLITE_BUSY. An extended one may be newer than Python's list of names
    (SQLITE_CONSTRAINT_DATATYPE, which a STRICT table raises); its low byte is the primary one all the same."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "unknown":
        name = _PRIMARY.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, name)
    return "_".join(name.split("_")[:2])


def trouble(error: BaseException) -> Trouble:
    if isinstance(error, Overdue) or name_of(error) == "SQLITE_INTERRUPT":
        return Trouble.TIME
    if name_of(error) in _VALUES:
        return Trouble.VALUE
    changed = name_of(error) in {"SQLITE_SCHEMA"} or _MISSING.match(str(error))
    return Trouble.SCHEMA if isinstance(error, sqlite3.Error) and changed else Trouble.OTHER


def explain(error: Exception, system: str) -> ConnectorError:
    """The contract's error for SQLite's."""
    name = name_of(error)
    if isinstance(error, Overdue):
        return Retryable(Code.BUSY, system)
    if name in _NAMES:
        return Retryable(_NAMES[name], system)
    if name in _RIGHTS:
        return NeedsHuman(Code.RIGHTS, system)
    if getattr(error, "sqlite_errorname", "") in {"SQLITE_CONSTRAINT_FOREIGNKEY", "SQLITE_CONSTRAINT_TRIGGER"}:
        return NeedsHuman(Code.BLOCKED, system)
    if name in _VALUES | {"SQLITE_SCHEMA"}:
        return NeedsHuman(Code.SCHEMA, _column(error) or system)
    if trouble(error) is Trouble.SCHEMA:
        return NeedsHuman(Code.SCHEMA, system)
    return NeedsHuman(Code.INTERNAL, name or type(error).__name__)


def _column(error: Exception) -> str:
    """The column that a constraint is about, which is all that these messages name."""
    match = re.fullmatch(r"(?:NOT NULL|UNIQUE) constraint failed: ([^,\s]+).*", str(error))
    return match[1] if match else ""
