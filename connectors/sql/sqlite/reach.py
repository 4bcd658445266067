"""How far an erasure reaches in a SQLite file.

The one rule: everything in the file is undone with its transaction, so all there is to find out is what to count. Every
word of a trigger that is a table's name counts as one.
"""

import re
import sqlite3
from collections.abc import Iterable
from typing import Final

from connectors.sql.ddl import SQLITE, tokens
from connectors.sql.reach import Emptied, Place, Reach
from connectors.sql.sqlite.catalogue import tables_of
from connectors.sql.sqlite.hazards import triggers_of
from connectors.sql.sqlite.session import Database

_MAIN: Final = "main"
_DEFERRED: Final = re.compile(r"\binitially\s+deferred\b", re.IGNORECASE)
_TAKES: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


def reached(database: Database, places: Iterable[Place]) -> Reach:
    """Follow cascades and triggers.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    with database.plain() as connection:
        return _followed(connection, {table.lower() for _, table in places})


def _followed(connection: sqlite3.Connection, touched: set[str]) -> Reach:
    tables = tables_of(connection)
    names = {name.lower(): name for name in (*tables.ordinary, *tables.virtual)}
    keys = [
        (child.lower(), str(parent).lower(), str(rule), str(column))
        for child in tables.ordinary
        for parent, rule, column in connection.execute(
            'SELECT "table", on_delete, "from" FROM pragma_foreign_key_list(?) ORDER BY id, seq', [child]
        ).fetchall()
    ]
    triggered: set[str] = set()
    before = -1
    while len(touched) != before:
        before = len(touched)
        for _, trigger in triggers_of(connection, tables, touched):
            triggered |= {part.name.lower() for part in tokens(trigger.text, SQLITE)} & names.keys()
        touched |= triggered | {child for child, parent, rule, _ in keys if parent in touched and rule in _TAKES}
    pointing = [key for key in keys if key[1] in touched]
    emptied: dict[str, list[str]] = {}
    for child, _, rule, column in pointing:
        if rule == "SET NULL":
            emptied.setdefault(child, []).append(column)
    return Reach(
        places=tuple((_MAIN, names[name]) for name in sorted(touched & names.keys()) if names[name] in tables.ordinary),
        triggered=frozenset((_MAIN, names[name]) for name in triggered if names[name] in tables.ordinary),
        indexes=tuple(sorted(names[name] for name in touched & names.keys() if names[name] in tables.virtual)),
        cascaded=frozenset((_MAIN, names[child]) for child, _, rule, _ in pointing if rule == "CASCADE"),
        emptied=tuple(Emptied((_MAIN, names[child]), tuple(dict.fromkeys(c))) for child, c in emptied.items()),
        deferred=tuple(
            (_MAIN, names[child])
            for child in dict.fromkeys(child for child, *_ in pointing)
            if _DEFERRED.search(" ".join(part.text for part in tokens(tables.ordinary[names[child]], SQLITE)))
        ),
    )
