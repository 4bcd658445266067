"""Keeping roles out of a PostgreSQL while a restored backup is set right, and letting them in again.

The one rule: a role that cannot log in is kept out of all databases of the server, and what it has open here is ended;
the engine's own role is never shut out, and what could not log in before cannot afterwards.
"""

from typing import Any, Final, Literal

import psycopg
from psycopg import sql

from connectors.errors import NeedsHuman
from connectors.sql.asking import Asking
from connectors.sql.server import Mode
from connectors.sql.session import Database
from rights.codes import Code
from rights.datamap import System

_MARK: Final = "habeas: kept out, could log in"
"""The first line of the comment on a role whose login the engine has taken away; what was said of the role follows.

It is set and taken off in the transaction that takes the login away or gives it back, with the rights that this needs
anyway, so no crash comes between; and a restore of the roles brings both or neither.
"""
_IN: Final = b"""
SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles
WHERE rolname = ANY($1) AND rolname <> current_user AND rolcanlogin
"""
_MARKED: Final = b"""
SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles
WHERE rolname = ANY($1) AND split_part(shobj_description(oid, 'pg_authid'), chr(10), 1) = $2
"""
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
        self._asking.explained(self._writer, self._keep_out)
        self._asking.explained(self._writer, self._refuse_if_one_is_in)

    def admit(self) -> None:
        """Give their login back to the roles that `shut` took it from, and to no other."""
        self._asking.explained(self._writer, self._let_in)

    def _refuse_if_one_is_in(self) -> None:
        with self._writer.plain(Mode.CHANGE) as connection:
            out = {name for (name,) in psycopg.RawCursor(connection).execute(_OUT, [self._roles]).fetchall()}
        if missing := sorted(set(self._roles) - out):
            raise NeedsHuman(Code.SCHEMA, missing[0])

    def _keep_out(self) -> None:
        with self._writer.plain(Mode.CHANGE) as connection:
            cursor = psycopg.RawCursor(connection)
            for role, said in cursor.execute(_IN, [self._roles]).fetchall():
                # Somebody may have given its login back by hand: the mark is there already.
                marked = said if said and said.split("\n")[0] == _MARK else f"{_MARK}\n{said or ''}"
                _set(connection, role, "NOLOGIN", marked)
        with self._writer.plain(Mode.CHANGE) as connection:
            psycopg.RawCursor(connection).execute(_END, [self._roles])

    def _let_in(self) -> None:
        with self._writer.plain(Mode.CHANGE) as connection:
            for role, said in psycopg.RawCursor(connection).execute(_MARKED, [self._roles, _MARK]).fetchall():
                _set(connection, role, "LOGIN", said.partition("\n")[2] or None)


def _set(connection: psycopg.Connection[Any], role: str, login: Literal["LOGIN", "NOLOGIN"], said: str | None) -> None:
    name = sql.Identifier(role)
    connection.execute(sql.SQL("ALTER ROLE {} {}").format(name, sql.SQL(login)))
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(name, sql.Literal(said)))
