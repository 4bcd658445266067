"""The application's own role on PostgreSQL: what it can get at.

The one rule: nothing is changed, and the question is asked as the application asks: policies hide what they hide.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from sqlalchemy import NullPool, create_engine

from connectors.protocol import Key
from connectors.sql.flags import Flagged
from connectors.sql.scope import Scope
from connectors.sql.server import Database as AnyDatabase
from connectors.sql.session import Database
from connectors.sql.statement import quoted

_RIGHTS: Final = """
SELECT has_any_column_privilege(%(table)s::oid, 'SELECT'),
  has_any_column_privilege(%(table)s::oid, 'UPDATE') OR has_table_privilege(%(table)s::oid, 'DELETE')"""
# A change without a condition reads no column, so the policies for reading do not count there: then one that restricts
# everything has to look at the flag, or each of those that let a change through.
_LOOKS: Final = """EXISTS (SELECT FROM pg_depend d JOIN pg_attribute a
  ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = c.oid AND a.attname = %(flag)s)"""
_BLIND: Final = f"""
SELECT NOT row_security_active(c.oid) OR (
  NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = '*'
    AND p.polroles = '{{0}}' AND {_LOOKS})
  AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', 'w', 'd')
    AND NOT {_LOOKS}))
FROM pg_class c WHERE c.oid = %(table)s::oid"""  # noqa: S608 - a condition of ours


class Reaches(Protocol):
    """An application's role on one kind of server."""

    database: AnyDatabase

    def reaches(self, scope: Scope, of: Flagged, keys: Sequence[Key]) -> bool:
        """Whether it can get at any of these rows.

        Raises:
            Exception: of the driver: it cannot be asked.
        """


class Application:
    """The application's role on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self.database: AnyDatabase = database
        self._limits = database.limits
        self._engine = create_engine(
            database.url, poolclass=NullPool, connect_args={"connect_timeout": database.limits.connect_timeout}
        )

    def reaches(self, scope: Scope, of: Flagged, keys: Sequence[Key]) -> bool:
        """Whether it can read any of these rows, or change them without reading."""
        about = scope.catalogue.tables[of.collection]
        named = {"table": about.relation, "flag": of.flag.column}
        with self._asking() as connection:
            may_read, may_change = connection.execute(_RIGHTS, named).fetchone()
            if may_change and (not may_read or connection.execute(_BLIND, named).fetchone()[0]):
                return True
            places = [quoted(about.schema, about.name)] if may_read else []
            if of.flag.seen_in:
                places.append(quoted(*of.flag.seen_in.split(".")))
            return any(_sees(connection, scope, of, place, keys) for place in places)

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        raw = self._engine.raw_connection()
        try:
            driver: Any = raw.driver_connection
            driver.execute(f"SET statement_timeout = '{self._limits.statement_timeout}s'")
            yield driver
        finally:
            raw.invalidate()


def _sees(connection: Any, scope: Scope, of: Flagged, place: str, keys: Sequence[Key]) -> bool:
    columns = [scope.column(of.collection, field) for field in scope.system.collections[of.collection].key]
    given = ", ".join("%s::text[]" for _ in columns)
    names = ", ".join(f"k{number}" for number, _ in enumerate(columns))
    match = " AND ".join(f"seen.{quoted(c.name)} = given.k{number}::{c.cast}" for number, c in enumerate(columns))
    query = f"SELECT count(*) FROM {place} AS seen JOIN unnest({given}) AS given({names}) ON {match}"  # noqa: S608
    found = connection.execute(query.encode(), [list(part) for part in zip(*keys, strict=True)]).fetchone()
    return bool(found[0])
