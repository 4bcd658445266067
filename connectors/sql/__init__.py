"""SQL databases: PostgreSQL, MariaDB and SQLite (docs/postgresql.md, docs/mariadb.md, docs/sqlite.md).

The one rule: sets, not rows: the database does the whole traversal, in one statement or collection by collection, and
no value of a person is ever part of such a statement's text. The scheme of an address says which server it is.
"""

from collections.abc import Mapping

from connectors.sql.connector import SqlConnector
from connectors.sql.limits import Limits
from connectors.sql.reaching import reach
from connectors.unread import refuse_unread
from rights.datamap import System

__all__ = ["Limits", "SqlConnector", "build"]


def build(system: System, secrets: Mapping[str, str]) -> SqlConnector:
    """Build a connector, without connecting.

    Args:
        system: the system's part of the data map; `options` are the fields of `Limits`.
        secrets: `reader`, and `writer` if anything is to be erased: addresses of the database with a role.

    Raises:
        ValueError: an option or a secret is unknown, missing or wrong; the text says what to write.
    """
    for name in secrets:
        if name not in {"reader", "writer"}:
            raise ValueError(f"connection: '{name}' is unknown: write reader and writer")
    if "reader" not in secrets:
        raise ValueError("connection: reader is missing: add reader: env:NAME or file:/path")
    refuse_unread(system)
    limits = Limits.read(system.options)
    reader = reach(secrets["reader"], "reader", limits)
    writer = secrets.get("writer")
    return SqlConnector(system, reader, reach(writer, "writer", limits) if writer else None, limits)
