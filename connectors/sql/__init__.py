"""SQL databases: PostgreSQL, MariaDB and SQLite (docs/postgresql.md, docs/mariadb.md, docs/sqlite.md).

The one rule: sets, not rows: the database does the whole traversal, in one statement or collection by collection, and
no value of a person is ever part of such a statement's text. The scheme of an address says which server it is.
"""

from collections.abc import Mapping

from connectors.sql.application import Application, Reaches
from connectors.sql.connector import SqlConnector
from connectors.sql.dialects import Engine
from connectors.sql.flags import METHOD as FLAG
from connectors.sql.flags import read_flags
from connectors.sql.limits import Limits
from connectors.sql.mariadb.application import Application as MariaDBApplication
from connectors.sql.mariadb.session import Database as MariaDB
from connectors.sql.reaching import reach
from connectors.sql.restriction import METHOD
from connectors.sql.server import Database
from connectors.sql.session import Database as PostgreSQL
from connectors.unread import refuse_options
from rights.datamap import Erase, System

__all__ = ["Limits", "SqlConnector", "build"]


def build(system: System, secrets: Mapping[str, str]) -> SqlConnector:
    """Build a connector, without connecting.

    Args:
        system: the system's part of the data map; `options` are the fields of `Limits`, and `restrict`.
        secrets: `reader`, and `writer` if anything is to be erased: addresses of the database with a role.

    Raises:
        ValueError: an option or a secret is unknown, missing or wrong; the text says what to write.
    """
    options = dict(system.options)
    way = options.pop("restrict", None)
    known = ("reader", "writer", "application") if way == FLAG else ("reader", "writer")
    for name in secrets:
        if name not in known:
            raise ValueError(f"connection: '{name}' is unknown: write {' and '.join(known)}")
    if "reader" not in secrets:
        raise ValueError("connection: reader is missing: add reader: env:NAME or file:/path")
    flags = read_flags(system) if way == FLAG else {}
    if not flags:
        refuse_options(system)
    _refuse_kept_circles(system)
    limits = Limits.read(options)
    reader = reach(secrets["reader"], "reader", limits)
    writer = reach(secrets["writer"], "writer", limits) if secrets.get("writer") else None
    if writer is not None and writer.engine is not reader.engine:
        raise ValueError("connection: reader and writer have to lead to servers of one kind: correct one of them")
    _refuse_way(way, reader, writer)
    if way != FLAG:
        return SqlConnector(system, reader, writer, limits, restricts=way is not None)
    return SqlConnector(system, reader, writer, limits, flagged=(flags, _application(secrets, reader, limits)))


def _refuse_way(way: object, reader: Database, writer: Database | None) -> None:
    """Whether rows can be restricted in the way that the map says.

    Raises:
        ValueError: they cannot.
    """
    if way is None:
        return
    if way not in {METHOD, FLAG}:
        raise ValueError(f"options: restrict is {METHOD} or {FLAG}, or left out")
    if way == METHOD and reader.engine is not Engine.POSTGRESQL:
        raise ValueError(f"options: restrict: {METHOD} is there on PostgreSQL alone: write {FLAG}, or leave it out")
    if writer is None:
        raise ValueError("options: restrict needs a role that may write: add connection.writer, or leave it out")


def _application(secrets: Mapping[str, str], reader: Database, limits: Limits) -> Reaches:
    """The application's own role, as which a restriction is tried.

    Raises:
        ValueError: it is missing, leads to another kind of server, or to one that knows no roles.
    """
    if not secrets.get("application"):
        raise ValueError(
            "connection: application is missing: restrict: flag is proved by looking as the application's own role"
        )
    database = reach(secrets["application"], "application", limits)
    if database.engine is not reader.engine:
        raise ValueError("connection: reader and application have to lead to servers of one kind: correct one of them")
    if isinstance(database, PostgreSQL):
        return Application(database)
    if isinstance(database, MariaDB):
        return MariaDBApplication(database)
    raise ValueError("options: restrict: flag needs a server with roles: leave it out here")


def _refuse_kept_circles(system: System) -> None:
    """A row of a circle that stays would keep what it points to, round and round: which rows stay is then no question
    that a statement can answer from the children up.

    Raises:
        ValueError: there is such a circle.
    """
    stays = {name for name, c in system.collections.items() if c.retention or c.erase is not Erase.DELETE}
    while more := {li.target[0] for name in stays for li in system.collections[name].links} - stays:
        stays |= more
    for group in system.groups:
        deleted = [name for name in group if system.collections[name].erase is Erase.DELETE]
        if system.circular(group[0]) and deleted and not stays.isdisjoint(group):
            raise ValueError(
                f"collections.{deleted[0]}: links lead back to it and some of its rows may stay: write erase: redact, "
                "or take out the link that leads back"
            )
