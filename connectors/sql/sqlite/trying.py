"""A transaction on a SQLite file that is only tried, and what it did, counted.

The one rule: it has no commit, and its connection is closed, which undoes it. While it is open nobody else writes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from connectors.sql.dialects import Engine
from connectors.sql.limits import Limits
from connectors.sql.reach import Changes, Place
from connectors.sql.sqlite.session import Database, Session
from connectors.sql.statement import quoted


@contextmanager
def trial(database: Database, document: dict[str, object], limits: Limits) -> Iterator["Trying"]:
    """Run a transaction that cannot commit: whatever happens in it is taken back.

    Raises:
        sqlite3.Error: as the driver says it.
    """
    connection = database.open(writing=True, patience=limits.lock_timeout)
    try:
        session = Trying(connection, database, document, limits.statement_timeout)
        session.begin("BEGIN IMMEDIATE")
        yield session
    finally:
        connection.close()  # which rolls back what is open


class Trying(Session):
    """A transaction that is only tried."""

    stayed = False

    def hurry(self) -> None:
        """A trial has one limit for all that it does."""

    def commit(self) -> None:
        """Not here.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a trial cannot commit")

    def rows_in(self, place: Place, columns: Sequence[str], most: int) -> tuple[int, ...] | None:
        """How many rows a table has, and in how many of them each column is NULL; None if there are too many."""
        table = quoted(place[1], engine=Engine.SQLITE)
        empty = "".join(f", {quoted(column, engine=Engine.SQLITE)} IS NULL AS c{n}" for n, column in enumerate(columns))
        sums = "".join(f", coalesce(sum(c{number}), 0)" for number in range(len(columns)))
        inner = f"SELECT 1{empty} FROM {table} LIMIT {most + 1}"  # noqa: S608 - names of the catalogue
        row = self.ask(f"SELECT count(*){sums} FROM ({inner})")  # noqa: S608
        return None if row[0] > most else tuple(row)

    def changes(self) -> Changes:
        """All changes so far, those of triggers and foreign keys among them."""
        return Changes(any=int(self.ask("SELECT total_changes()")[0]))

    def unmatched(self, place: Place) -> int:
        """Rows of a table whose foreign keys point nowhere; some are only looked at when a transaction commits."""
        row = self.connection.execute("SELECT count(*) FROM pragma_foreign_key_check(?)", [place[1]]).fetchone()
        return int(row[0])
