"""SQL databases: PostgreSQL, MariaDB and SQLite (docs/postgresql.md, docs/mariadb.md, docs/sqlite.md).

The one rule: sets, not rows: the database does the whole traversal, in one statement or collection by collection, and
no value of a person is ever part of such a statement's text. The scheme of an address says which server it is.
"""

from collections.abc import Mapping

from connectors.options import words
from connectors.sql.connector import SqlConnector
from connectors.sql.dialects import Engine
from connectors.sql.limits import Limits
from connectors.sql.reaching import reach
from connectors.sql.restriction import METHOD
from connectors.sql.session import Database as PostgreSQL
from connectors.unread import refuse_options
from rights.datamap import Erase, System

__all__ = ["Limits", "SqlConnector", "build"]


def build(system: System, secrets: Mapping[str, str]) -> SqlConnector:
    """Build a connector, without connecting.

    Args:
        system: the system's part of the data map; `options` are the fields of `Limits`, `restrict`, and
            `side_effects`.
        secrets: `reader`, `writer` if anything is to be erased, and `replica` if an erasure is to be looked at in a
            copy as well: addresses of the database with a role.

    Raises:
        ValueError: an option or a secret is unknown, missing or wrong; the text says what to write.
    """
    for name in secrets:
        if name not in {"reader", "writer", "replica"}:
            raise ValueError(f"connection: '{name}' is unknown: write reader, writer and replica")
    if "reader" not in secrets:
        raise ValueError("connection: reader is missing: add reader: env:NAME or file:/path")
    refuse_options(system)
    _refuse_kept_circles(system)
    options = dict(system.options)
    way = options.pop("restrict", None)
    accepted = words(options, "side_effects")
    options.pop("side_effects", None)
    limits = Limits.read(options)
    reader = reach(secrets["reader"], "reader", limits)
    writer = reach(secrets["writer"], "writer", limits) if secrets.get("writer") else None
    if writer is not None and writer.engine is not reader.engine:
        raise ValueError("connection: reader and writer have to lead to servers of one kind: correct one of them")
    replica = reach(secrets["replica"], "replica", limits) if secrets.get("replica") else None
    if replica is not None and not (isinstance(replica, PostgreSQL) and isinstance(writer, PostgreSQL)):
        raise ValueError(
            "connection: replica is a streaming copy of a PostgreSQL that writer leads to: leave it out here"
        )
    if way is not None:
        if way != METHOD:
            raise ValueError(f"options: restrict is {METHOD}, or left out")
        if reader.engine is not Engine.POSTGRESQL:
            raise ValueError(f"options: restrict: {METHOD} is there on PostgreSQL alone: leave it out")
        if writer is None:
            raise ValueError("options: restrict needs a role that may write: add connection.writer, or leave it out")
    return SqlConnector(system, reader, writer, limits, restricts=way is not None, accepted=accepted, replica=replica)


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
