"""How far an erasure reaches in a MariaDB, and whether a rollback would undo all of it.

The one rule: a table in an engine without transactions stays changed whatever is rolled back. So every table is looked
at that cascades and triggers may touch, and every word of a trigger that is a table's name counts as one.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from connectors.sql.ddl import MARIADB, tokens
from connectors.sql.mariadb.catalogue import UNDOES
from connectors.sql.mariadb.hazards import triggers_of
from connectors.sql.mariadb.session import Database
from connectors.sql.mariadb.sight import unseen
from connectors.sql.reach import Emptied, Place, Reach

_ROUNDS: Final = 50
"""Tables that triggers lead to, one after the other; a chain as long as this is a circle that was missed."""
_TABLES: Final = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, '') FROM information_schema.TABLES
WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'sys')"""
_KEYS: Final = """
SELECT k.TABLE_SCHEMA, k.TABLE_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, r.DELETE_RULE, k.COLUMN_NAME,
  k.CONSTRAINT_NAME
FROM information_schema.KEY_COLUMN_USAGE k LEFT JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION"""


def reached(database: Database, places: Iterable[Place]) -> Reach:
    """Follow cascades and triggers.

    Raises:
        pymysql.Error: the database cannot be asked.
    """
    with database.plain() as cursor:
        if lacking := unseen(cursor):
            why = f"the reader is not shown all tables and triggers ({lacking}), so what would go along is unknown"
            return Reach(why_not=why)
        return _followed(cursor, set(places))


def _followed(cursor: Any, touched: set[Place]) -> Reach:
    cursor.execute(_TABLES)
    known = {(schema, table): (kind, engine) for schema, table, kind, engine in cursor.fetchall()}
    cursor.execute(_KEYS)
    keys: dict[tuple[Place, Place, str, str], list[str]] = defaultdict(list)
    for schema, table, to_schema, to_table, rule, column, name in cursor.fetchall():
        keys[(schema, table), (to_schema, to_table), rule or "CASCADE", name].append(column)
    reach = Reach()
    for _ in range(_ROUNDS):
        before = len(touched)
        for place, trigger in triggers_of(cursor, touched):
            if trigger.hidden:
                return Reach(why_not=f"the trigger {trigger.name} of {place[1]} {trigger.hidden}")
            words = [part.name for part in tokens(trigger.text, MARIADB)]
            # A name alone is of the trigger's own database; one behind a dot has its own before it.
            named = {(place[0], word) for word in words} | {
                (words[at - 2], word) for at, word in enumerate(words) if at > 1
            }
            reach = replace(reach, triggered=reach.triggered | (named & known.keys()))
        touched |= reach.triggered
        for (child, parent, rule, _), columns in keys.items():
            if parent in touched and rule == "CASCADE":
                reach = replace(reach, cascaded=reach.cascaded | {child})
            elif parent in touched and rule == "SET NULL":
                emptied = Emptied(child, tuple(columns))
                reach = replace(reach, emptied=tuple(dict.fromkeys((*reach.emptied, emptied))))
        touched |= reach.cascaded | {emptied.place for emptied in reach.emptied}
        if len(touched) == before:
            return replace(reach, places=tuple(sorted(touched)), why_not=_odd(known, touched))
    return Reach(why_not="its triggers lead to more tables than can be followed")


def _odd(known: dict[Place, tuple[str, str]], touched: set[Place]) -> str:
    for place in sorted(touched):
        kind, engine = known.get(place, ("", ""))
        if kind not in {"BASE TABLE", "SYSTEM VERSIONED"}:
            return f"{place[1]} is no table, or cannot be seen"
        if engine not in UNDOES:
            return f"{place[1]} is kept by {engine or 'an unknown engine'}, which undoes nothing"
    return ""
