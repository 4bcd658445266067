"""Keeping roles out of a PostgreSQL while a restored backup is set right, and letting them in again.

The one rule: a role that cannot log in is kept out of all databases of the server, and what it has open here is ended;
the engine's own role is never shut out.
"""

from typing import Final

import psycopg

from connectors.errors import NeedsHuman
from connectors.sql.asking import Asking
from connectors.sql.server import Mode
from connectors.sql.session import Database
from connectors.sql.statement import quoted
from rights.codes import Code
from rights.datamap import System

_THERE: Final = b"SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND rolname <> current_user AND rolcanlogin = $2"
_OUT: Final = b"SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND NOT rolcanlogin"
_END: Final = b"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = ANY($1) AND usename <> current_user
"""


class Gate:
    """The login of the roles that a map names."""

    def __init__(self, system: System, writer: Database, asking: Asking) -> None:
        self._roles, self._writer, self._asking = list(system.quarantine), writer, asking

    def shut(self) -> None:
        """Take the roles' login away, then end their sessions: in this order none comes back.

        Raises:
            NeedsHuman: one of them is not there, or is the engine's own: whoever it was meant for is not kept out.
        """
        self._asking.explained(self._writer, lambda: self._set("NOLOGIN", login=True, end=True))
        self._asking.explained(self._writer, self._refuse_if_one_is_in)

    def admit(self) -> None:
        """Give the roles their login back."""
        self._asking.explained(self._writer, lambda: self._set("LOGIN", login=False, end=False))

    def _refuse_if_one_is_in(self) -> None:
        with self._writer.plain(Mode.CHANGE) as connection:
            out = {name for (name,) in psycopg.RawCursor(connection).execute(_OUT, [self._roles]).fetchall()}
        if missing := sorted(set(self._roles) - out):
            raise NeedsHuman(Code.SCHEMA, missing[0])

    def _set(self, word: str, *, login: bool, end: bool) -> None:
        with self._writer.plain(Mode.CHANGE) as connection:
            cursor = psycopg.RawCursor(connection)
            there = [name for (name,) in cursor.execute(_THERE, [self._roles, login]).fetchall()]
            for role in there:
                cursor.execute(f"ALTER ROLE {quoted(role)} {word}".encode())
        if end:
            with self._writer.plain(Mode.CHANGE) as connection:
                psycopg.RawCursor(connection).execute(_END, [self._roles])
