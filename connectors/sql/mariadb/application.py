"""The application's own role on MariaDB: what it can get at.

The one rule: nothing is changed; what it may change without reading counts as much as what it sees, since this server
has no policies that would hide a row from a change.
"""

from collections.abc import Sequence
from typing import Any, Final

import pymysql
from sqlalchemy import Column as SqlColumn
from sqlalchemy import MetaData, and_, func, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.sql.elements import quoted_name

from connectors.protocol import Key
from connectors.sql.dialects import Engine
from connectors.sql.flags import Flagged, picked
from connectors.sql.mariadb.errors import number_of
from connectors.sql.mariadb.session import Database
from connectors.sql.scope import Scope
from connectors.sql.server import Database as AnyDatabase
from connectors.sql.server import Mode
from connectors.sql.statement import compiled, quoted
from connectors.sql.stepping import BATCH

_DENIED: Final = frozenset({1142, 1143, 1044})
"""No right to a table, a column, a database."""


class Application:
    """The application's role."""

    def __init__(self, database: Database) -> None:
        self.database: AnyDatabase = database
        self._database = database

    def reaches(self, scope: Scope, of: Flagged, keys: Sequence[Key]) -> bool:
        """Whether it can read any of these rows, or change rows of their table without reading."""
        about = scope.catalogue.tables[of.collection]
        place = quoted(about.schema, about.name, engine=Engine.MARIADB)
        columns = [quoted(name, engine=Engine.MARIADB) for name in (*of.plain, of.flag.column)]
        changes = [f"DELETE FROM {place} WHERE FALSE"]  # noqa: S608 - names of the catalogue
        changes += [f"UPDATE {place} SET {column} = NULL WHERE FALSE" for column in columns]  # noqa: S608
        relations = [(about.schema, about.name)]
        if of.flag.seen_in:
            schema, _, view = of.flag.seen_in.rpartition(".")
            relations.append((schema or about.schema, view))
        with self._database.transaction(Mode.CHANGE, "habeas", {BATCH: [list(key) for key in keys]}) as session:
            reached = any(_allowed(session.cursor, change) for change in changes) or any(
                self._sees(session, scope, of, schema, name) for schema, name in relations
            )
            session.commit()
        return reached

    def _sees(self, session: Any, scope: Scope, of: Flagged, schema: str, name: str) -> bool:
        fields = scope.system.collections[of.collection].key
        columns = (SqlColumn(quoted_name(field, True), scope.column(of.collection, field).type) for field in fields)
        seen = SqlTable(quoted_name(name, True), MetaData(), *columns, schema=quoted_name(schema, True))
        given = picked(scope, of.collection)
        match = and_(*(seen.c[field] == given.c[field] for field in fields))
        try:
            ((rows,),) = session.rows(
                compiled(select(func.count()).select_from(seen.join(given, match)), Engine.MARIADB)
            )
        except pymysql.Error as error:
            if number_of(error) in _DENIED:
                return False
            raise
        return bool(rows)


def _allowed(cursor: Any, change: str) -> bool:
    """Whether a change of no row is let through."""
    try:
        cursor.execute(change)
    except pymysql.Error as error:
        if number_of(error) in _DENIED:
            return False
        raise
    return True
