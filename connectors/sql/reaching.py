"""From a credential to the database it leads to.

The one rule: a credential is never quoted, not even when it is wrong.
"""

from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from connectors.sql import session as postgresql
from connectors.sql.limits import Limits
from connectors.sql.mariadb import session as mariadb
from connectors.sql.server import Database
from connectors.sql.sqlite import session as sqlite

_MARIADB: Final = frozenset({"mariadb", "mysql", "mariadb+pymysql", "mysql+pymysql"})


def reach(secret: str, name: str, limits: Limits) -> Database:
    """The database that a credential leads to; nothing is connected yet.

    Raises:
        ValueError: it is no address of a database; the text does not quote it.
    """
    try:
        url = make_url(secret.strip())
    except (ArgumentError, ValueError):
        raise ValueError(_advice(name)) from None
    if not url.database:
        raise ValueError(_advice(name))
    return _database(url, name, limits)


def _database(url: URL, name: str, limits: Limits) -> Database:
    if url.drivername in postgresql.DRIVERS:
        return postgresql.Database(url.set(drivername="postgresql+psycopg"), limits)
    if url.drivername in _MARIADB:
        return mariadb.Database(url.set(drivername="mysql+pymysql"), limits)
    if url.drivername == "sqlite" and url.database and not url.query:
        return sqlite.Database(Path(url.database), limits, writes=name == "writer")
    raise ValueError(_advice(name))


def _advice(name: str) -> str:
    return (
        f"connection.{name}: write the secret as postgresql://user:password@host:5432/database, "
        "mariadb://user:password@host:3306/database or sqlite:////path/to/file"
    )
