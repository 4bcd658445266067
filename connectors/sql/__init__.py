"""SQL databases: PostgreSQL, MariaDB and SQLite (docs/postgresql.md, docs/mariadb.md, docs/sqlite.md).

The one rule: sets, not rows: the database does the whole traversal, in one statement or collection by collection, and
no value of a person is ever part of such a statement's text. The scheme of an address says which server it is.
"""

from collections.abc import Mapping

from connectors.sql.connector import SqlConnector
from connectors.sql.dialects import Engine
from connectors.sql.limits import Limits
from connectors.sql.reaching import reach
from connectors.sql.restriction import METHOD
from connectors.unread import refuse_options
from rights.datamap import Erase, System
from rights.sharing import needs_its_target

__all__ = ["Limits", "SqlConnector", "build"]


def build(system: System, secrets: Mapping[str, str]) -> SqlConnector:
    """Build a connector, without connecting.

    Args:
        system: the system's part of the data map; `options` are the fields of `Limits`, and `restrict`.
        secrets: `reader`, and `writer` if anything is to be erased: addresses of the database with a role.

    Raises:
        ValueError: an option or a secret is unknown, missing or wrong; the text says what to write.
    """
    for name in secrets:
        if name not in {"reader", "writer"}:
            raise ValueError(f"connection: '{name}' is unknown: write reader and writer")
    if "reader" not in secrets:
        raise ValueError("connection: reader is missing: add reader: env:NAME or file:/path")
    refuse_options(system)
    _refuse_kept_circles(system)
    _refuse_shared_restrictions(system)
    options = dict(system.options)
    way = options.pop("restrict", None)
    limits = Limits.read(options)
    reader = reach(secrets["reader"], "reader", limits)
    writer = reach(secrets["writer"], "writer", limits) if secrets.get("writer") else None
    if writer is not None and writer.engine is not reader.engine:
        raise ValueError("connection: reader and writer have to lead to servers of one kind: correct one of them")
    if way is not None:
        if way != METHOD:
            raise ValueError(f"options: restrict is {METHOD}, or left out")
        if reader.engine is not Engine.POSTGRESQL:
            raise ValueError(f"options: restrict: {METHOD} is there on PostgreSQL alone: leave it out")
        if writer is None:
            raise ValueError("options: restrict needs a role that may write: add connection.writer, or leave it out")
    return SqlConnector(system, reader, writer, limits, restricts=way is not None)


def _refuse_kept_circles(system: System) -> None:
    """A row of a circle that stays would keep what it points to, round and round: which rows stay is then no question
    that a statement can answer from the children up.

    Raises:
        ValueError: there is such a circle.
    """
    collections = system.collections
    stays = {name for name, c in collections.items() if c.retention or c.erase is not Erase.DELETE or c.shares}
    while (
        more := {
            link.target[0]
            for name in stays
            for link in collections[name].links
            if needs_its_target(collections, name, link)
        }
        - stays
    ):
        stays |= more
    for group in system.groups:
        deleted = [name for name in group if system.collections[name].erase is Erase.DELETE]
        if system.circular(group[0]) and deleted and not stays.isdisjoint(group):
            raise ValueError(
                f"collections.{deleted[0]}: links lead back to it and some of its rows may stay: write erase: redact, "
                "or take out the link that leads back"
            )


def _refuse_shared_restrictions(system: System) -> None:
    """A policy denies whole rows, and would deny the other person theirs.

    Raises:
        ValueError: rows are shared, and may be restricted.
    """
    shared = next((name for name, collection in system.collections.items() if collection.shares), None)
    if shared and "restrict" in system.options:
        raise ValueError(
            f"options: restrict denies whole rows, and those of '{shared}' are somebody else's too: leave it out, or "
            "take out shared"
        )
