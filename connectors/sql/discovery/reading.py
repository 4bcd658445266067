"""A database that is open for reading alone: what a draft and a check ask of it, whichever it is.

The one rule: nothing can be changed over it, and it ends within its limits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Select

from connectors.sql.catalogue import Catalogue
from connectors.sql.discovery import mariadb, postgresql, sqlite
from connectors.sql.discovery.schema import Progress, Schema, TableFacts
from connectors.sql.mariadb.session import Database as MariaDB
from connectors.sql.server import Database
from connectors.sql.session import Database as PostgreSQL
from connectors.sql.sqlite.session import Database as SQLite
from rights.datamap import System


class Reading(Protocol):
    """One database, open for reading."""

    def schema(self, progress: Progress) -> Schema:
        """Every table that the role can see.

        Raises:
            Exception: one of the database's own errors: it cannot be asked.
        """

    def values(self, query: Select[Any]) -> list[Any] | None:
        """The rows of a look at values; None if it takes too long or is not allowed."""

    def catalogue(self, system: System) -> Catalogue:
        """The connector's own view of a draft's tables; `schema` comes first."""

    def takes(self, table: TableFacts, column: str, value: object, checks: tuple[str, ...]) -> bool | None:
        """Whether a column's type and these CHECKs take a value, the other columns being NULL; None: it cannot be
        told without writing it."""


@contextmanager
def reading(database: Database) -> Iterator[Reading]:
    """Open a database for reading.

    Raises:
        Exception: one of the database's own errors: it cannot be reached.
    """
    match database:
        case PostgreSQL():
            with postgresql.open_for_reading(database.url) as opened:
                yield opened
        case MariaDB():
            with mariadb.open_for_reading(database.url) as opened:
                yield opened
        case SQLite():
            with sqlite.open_for_reading(database) as opened:
                yield opened
        case _:
            raise TypeError("a kind of server that nobody has taught to be read")
