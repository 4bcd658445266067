"""The list of all people of a collection, page by page: for what everybody is told, and for nothing about anybody.

The one rule: it is read in the order of its key, from where the last page ended, so that a page costs the same however
many went before it, and rows that come or go meanwhile move no others.
"""

from collections.abc import Sequence
from typing import Any, Final

import psycopg

from connectors.protocol import Key
from connectors.rolls import Roll, RollPage
from connectors.sql.dialects import Engine
from connectors.sql.session import Database as PostgreSQL
from connectors.sql.sqlite.session import Database as SQLite
from connectors.sql.statement import quoted

_TEXT: Final = {Engine.POSTGRESQL: "{}::text", Engine.SQLITE: "CAST({} AS TEXT)"}


def read_page(reader: PostgreSQL | SQLite, roll: Roll) -> RollPage:
    """One page.

    Raises:
        Exception: one of the reader's own errors.
    """
    collection = roll.system.collections[roll.collection]
    names = [*collection.key, *roll.fields]
    engine = reader.engine
    # By the row's own columns: a bare name behind ORDER BY would be the text that is shown, where 10 is before 9.
    column = {name: f"habeas_row.{quoted(name, engine=engine)}" for name in names}
    shown = ", ".join(_TEXT[engine].format(column[name]) for name in names)
    table = quoted(*(collection.name or roll.collection).split("."), engine=engine)
    keys = ", ".join(column[name] for name in collection.key)
    marks = [f"${n}" if engine is Engine.POSTGRESQL else f"?{n}" for n in range(1, len(collection.key) + 1)]
    behind = f" WHERE ({keys}) > ({', '.join(marks)})" if roll.after else ""
    # Names of the data map, in quotes, and no value: those go beside it.
    question = f"SELECT {shown} FROM {table} AS habeas_row{behind} ORDER BY {keys} LIMIT {int(roll.most)}"  # noqa: S608
    rows = _ask(reader, question, roll.after)
    width = len(collection.key)
    return RollPage(
        rows=tuple(dict(zip(roll.fields, row[width:], strict=True)) for row in rows),
        last=tuple(rows[-1][:width]) if rows else roll.after,
        over=len(rows) < roll.most,
    )


def _ask(reader: PostgreSQL | SQLite, question: str, after: Key) -> Sequence[Any]:
    if isinstance(reader, PostgreSQL):
        with reader.plain() as connection:
            return psycopg.RawCursor(connection).execute(question.encode(), list(after)).fetchall()
    with reader.plain() as file:
        return file.execute(question, list(after)).fetchall()
