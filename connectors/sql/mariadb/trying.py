"""A transaction on a MariaDB that is only tried, and what it did, counted.

The one rule: it has no commit, it ends in a rollback, and its connection is closed. What it did is counted within its
own snapshot, so that it makes no difference what others commit meanwhile.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pymysql

from connectors.sql.dialects import Engine
from connectors.sql.limits import Limits
from connectors.sql.mariadb.errors import trouble
from connectors.sql.mariadb.session import Database, Session, beginning
from connectors.sql.reach import Changes, Place
from connectors.sql.server import Mode, Trouble
from connectors.sql.statement import quoted

_BEGIN: Final = ("REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE")
_STAYED: Final = 1196
"""The warning that a rollback did not undo everything."""


@contextmanager
def trial(database: Database, document: dict[str, object], limits: Limits) -> Iterator["Trying"]:
    """Run a transaction that cannot commit: whatever happens in it is taken back, and its connection is closed.

    Raises:
        pymysql.Error: as the driver says it.
        SQLAlchemyError: no connection can be had.
    """
    raw = database.open(Mode.CHANGE, beginning(limits, limits.statement_timeout, _BEGIN))
    try:
        session = Trying(raw, database, document, limits)
        session.introduce()
        yield session
        session.take_back()
    finally:
        raw.invalidate()


class Trying(Session):
    """A transaction that is only tried."""

    stayed = False
    """Whether the server says that something of it could not be taken back."""

    def commit(self) -> None:
        """Not here.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a trial cannot commit")

    def take_back(self) -> None:
        """Undo everything."""
        self.cursor.execute("ROLLBACK")
        self.cursor.execute("SHOW WARNINGS")
        self.stayed = any(number == _STAYED for _, number, _ in self.cursor.fetchall())

    def rows_in(self, place: Place, columns: Sequence[str], most: int) -> tuple[int, ...] | None:
        """How many rows a table has, and in how many of them each column is NULL; None if there are too many, or if
        the role may not look."""
        schema, table = place
        self.cursor.execute(
            "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            [schema, table],
        )
        estimate = self.cursor.fetchone()
        if estimate is None or (estimate[0] or 0) > most:
            return None
        empty = (f", COALESCE(SUM({quoted(column, engine=Engine.MARIADB)} IS NULL), 0)" for column in columns)
        try:
            table = quoted(*place, engine=Engine.MARIADB)
            self.cursor.execute(f"SELECT COUNT(*){''.join(empty)} FROM {table}")  # noqa: S608 - names of the catalogue
        except pymysql.Error as error:
            if trouble(error) is Trouble.RIGHTS:
                return None
            raise
        return tuple(int(number) for number in self.cursor.fetchone() or ())

    def changes(self) -> Changes:
        """What statements and triggers have done so far, in rows; foreign keys do theirs unseen."""
        self.cursor.execute(
            "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')"
        )
        done = {name: int(number) for name, number in self.cursor.fetchall()}
        return Changes(done["Handler_write"], done["Handler_update"], done["Handler_delete"])

    def unmatched(self, place: Place) -> int:
        """Foreign keys are looked at at once here."""
        return 0
