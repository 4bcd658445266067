"""What stands in a database beside the map, whichever server it is: drift, triggers, what outlives an erasure."""

from collections.abc import Iterator

from connectors.finding import Finding
from connectors.sql import hazards as postgresql
from connectors.sql.drift import drift
from connectors.sql.mariadb import hazards as mariadb
from connectors.sql.mariadb.session import Database as MariaDB
from connectors.sql.server import Database
from connectors.sql.session import Database as PostgreSQL
from connectors.sql.sqlite import hazards as sqlite
from connectors.sql.sqlite.session import Database as SQLite
from rights.datamap import System


def survey(system: System, reader: Database) -> Iterator[Finding]:
    """Everything that the map does not show.

    Raises:
        Exception: one of the reader's own errors: the database cannot be asked.
    """
    match reader:
        case PostgreSQL():
            yield from postgresql.hazards(system, reader)
        case MariaDB():
            yield from mariadb.hazards(system, reader)
        case SQLite():
            yield from sqlite.hazards(system, reader)
    yield from drift(system, reader)
