"""What the driver and the server say, as the four errors of the contract, by MariaDB's error numbers.

The one rule: a driver's own text goes no further, since it may quote a value. What goes on is a code, and a name from
the catalogue.
"""

import re
from collections.abc import Mapping
from typing import Final

import pymysql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from connectors.sql.errors import Covers
from connectors.sql.server import Trouble
from rights.codes import Code

_RIGHTS: Final = frozenset({1142, 1143, 1227, 1370, 1044})
_SCHEMA: Final = frozenset({1146, 1054, 1109, 1356, 1051, 1049, 1143, 1305, 1267, 1270})
_RETRYABLE: Final[Mapping[int, Code]] = {
    # The connection, a server that starts or shuts down, or one that only reads.
    **dict.fromkeys(
        (0, 2002, 2003, 2005, 2006, 2013, 2014, 2055, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184),
        Code.UNREACHABLE,
    ),
    **dict.fromkeys((1290, 1836, 1792), Code.UNREACHABLE),
    # Locks, deadlocks, our own limits, sessions that were ended, and what is full.
    **dict.fromkeys((1205, 1213, 1969, 3024, 1317, 1927, 4031, 1099, 1020, 1412, 1615), Code.BUSY),
    **dict.fromkeys((1021, 1037, 1038, 1040, 1041, 1114, 1203, 1226, 1135, 126, 28), Code.BUSY),
}
_CREDENTIALS: Final = frozenset({1045, 1049, 1044, 1130, 1251, 1275, 1524, 1698, 1820, 1862, 1873, 2026, 2059, 4151})
_VALUES: Final = frozenset({1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1411, 1690, 3819, 4025, 1906, 1761, 1762})
"""A rewritten value that a type or a constraint of the table does not take."""
_REFERENCED: Final = frozenset({1451, 1217})
_REFUSED: Final = frozenset({1452, 1216, 1644})
"""A value that a foreign key does not find, or that a trigger refuses (SIGNAL)."""
_UNKNOWN_SETTING: Final = frozenset({1193, 1273, 1115})
_PLACE: Final = re.compile(r"CONSTRAINT `([^`]+)`|column '([^']+)'|`([^`]+)`\.`([^`]+)`")


def number_of(error: BaseException) -> int | None:
    """The server's number, or the driver's."""
    if isinstance(error, DBAPIError):
        return number_of(error.orig) if error.orig is not None else None
    if isinstance(error, pymysql.Error) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None


def trouble(error: BaseException) -> Trouble:
    number = number_of(error)
    if number in _RIGHTS:
        return Trouble.RIGHTS
    if number in _VALUES | _REFERENCED | _REFUSED:
        return Trouble.VALUE
    return Trouble.SCHEMA if number in _SCHEMA else Trouble.OTHER


def explain(error: Exception, system: str, covers: Covers) -> ConnectorError:
    """The contract's error for a driver's."""
    if isinstance(error, PoolTimeoutError):
        return Retryable(Code.BUSY, system)
    if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        error = error.orig
    number = number_of(error)
    if number is None:
        lost = isinstance(error, pymysql.err.InterfaceError | pymysql.err.OperationalError)
        return Retryable(Code.UNREACHABLE, system) if lost else NeedsHuman(Code.INTERNAL, type(error).__name__)
    if number in _REFERENCED:
        return _referenced(str(error.args[1]) if len(error.args) > 1 else "", system, covers)
    return _numbered(number, error, system)


def _numbered(number: int, error: Exception, system: str) -> ConnectorError:
    if number in _RETRYABLE:
        return Retryable(_RETRYABLE[number], system)
    if number in _CREDENTIALS:
        return NeedsHuman(Code.CREDENTIALS, system)
    if number in _RIGHTS:
        return NeedsHuman(Code.RIGHTS, system)
    if number in {1153, 1301}:
        return NeedsHuman(Code.TOO_LARGE, system)
    if number in _UNKNOWN_SETTING:
        return Unsupported(Code.UNSUPPORTED, system)
    if number in _SCHEMA or number in _VALUES:
        return NeedsHuman(Code.SCHEMA, _about(number, error) or system)
    return NeedsHuman(Code.INTERNAL, str(number))


def _about(number: int, error: Exception) -> str:
    """A name of the catalogue, out of those messages that quote no value beside it."""
    text = str(error.args[1]) if len(error.args) > 1 else ""
    if number in {1048, 1264, 1265, 1406, 1364}:
        match = re.search(r"[Cc]olumn '([^']+)'|Field '([^']+)'", text)
        return next((part for part in match.groups() if part), "") if match else ""
    if number == 4025:
        match = re.match(r"CONSTRAINT `([^`]+)` failed for `[^`]+`\.`([^`]+)`", text)
        return f"{match[2]}.{match[1]}" if match else ""
    return ""


def _referenced(text: str, system: str, covers: Covers) -> ConnectorError:
    match = re.search(r"\(`([^`]+)`\.`([^`]+)`, CONSTRAINT `([^`]+)`", text)
    schema, table, constraint = match.groups() if match else ("", "", "")
    if covers(schema, table, constraint):
        return Retryable(Code.BUSY, table)  # a row that came in while we looked
    return NeedsHuman(Code.BLOCKED, table or system)
