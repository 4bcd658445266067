"""What MariaDB does by itself when rows are deleted or rewritten: triggers, and tables that keep a history.

The one rule: a trigger is read by its text (`connectors.sql.triggers`); where triggers may be hidden from the role,
that is said. What a foreign key does is told by the check; it fires no triggers here.
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

from connectors.finding import Finding, Severity
from connectors.sql.catalogue import Catalogue
from connectors.sql.check import works_of
from connectors.sql.ddl import MARIADB, calls, plain, tokens
from connectors.sql.dialects import Engine
from connectors.sql.mariadb.catalogue import read_catalogue
from connectors.sql.mariadb.session import Database
from connectors.sql.mariadb.sight import unseen
from connectors.sql.statement import quoted
from connectors.sql.triggers import Trigger, findings, name_parts
from rights.datamap import Erase, Mode, System

Place = tuple[str, str]
"""Database and table."""

_TRIGGERS: Final = """
SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_STATEMENT
FROM information_schema.TRIGGERS ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME"""
_VERSIONED: Final = """
SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'SYSTEM VERSIONED'"""
_KNOWN: Final = """
SELECT LOWER(`FUNCTION`) FROM information_schema.SQL_FUNCTIONS UNION SELECT LOWER(WORD) FROM information_schema.KEYWORDS
UNION SELECT LOWER(TABLE_NAME) FROM information_schema.TABLES"""
_NO_INTO: Final = re.compile(
    r"\b(?:insert|replace)\s+(?>(?:(?:ignore|low_priority|high_priority|delayed)\s+)*)(?!into\b|\()", re.IGNORECASE
)
_OUT: Final = re.compile(r"\binto\s+(?:outfile|dumpfile)\b", re.IGNORECASE)


def hazards(system: System, reader: Database) -> Iterator[Finding]:
    """What triggers of the map's tables would do to an erasure, and what would outlive it.

    Raises:
        pymysql.Error: the database cannot be asked.
    """
    works = works_of(system)
    with reader.plain() as cursor:
        catalogue = read_catalogue(cursor, system)
        places = {(table.schema, table.name): name for name, table in catalogue.tables.items()}
        triggers = triggers_of(cursor, places)
        lacking = unseen(cursor)
        cursor.execute(_VERSIONED)
        versioned = [(schema, table) for schema, table in cursor.fetchall() if (schema, table) in places]
        cursor.execute("SELECT DATABASE(), CURRENT_USER()")
        database, role = cursor.fetchone()
    if lacking:
        on, user = quoted(database, engine=Engine.MARIADB), "'@'".join(role.rpartition("@")[::2])
        said = (
            f"the role {role} is not shown everything in '{database}', so tables beside the map, what hangs on it, and "
            f"triggers may be missing here: check with a role that has GRANT {lacking} ON {on}.* TO '{user}'"
        )
        yield Finding("limited_sight", said, Severity.WARNING)
    for place, trigger in triggers:
        yield from findings(system, works[places[place]], trigger, partial(_collection, catalogue, place[0]))
    for place in versioned:
        name = places[place]
        if works[name].erase is not Erase.RETAIN:
            bad = Severity.WARNING if system.mode is Mode.OBSERVE else Severity.ERROR
            table = quoted(*place, engine=Engine.MARIADB)
            said = (
                f"{name} is system-versioned, so the server would keep rows as they were before they are deleted or "
                f"changed, and an erasure is refused: ALTER TABLE {table} DROP SYSTEM VERSIONING, or erase: retain"
            )
            yield Finding("keeps_history", said, bad)


def triggers_of(cursor: Any, places: Iterable[Place]) -> list[tuple[Place, Trigger]]:
    """The triggers of some tables that deleting or changing a row fires, as far as the role is shown them."""
    wanted = set(places)
    cursor.execute(_TRIGGERS)
    rows = [row for row in cursor.fetchall() if (row[0], row[1]) in wanted]
    cursor.execute(_KNOWN)
    known = {name for (name,) in cursor.fetchall()}
    return [((schema, table), _read(known, *trigger)) for schema, table, *trigger in rows]


def _read(known: set[str], name: str, event: str, source: str | None) -> Trigger:
    if source is None:  # a role that may change the table, and no more, is only told that there is a trigger
        return Trigger(name, event == "DELETE", event == "UPDATE", "", "does what this role is not shown")
    parts = tokens(source, MARIADB)
    text = _NO_INTO.sub(r"\g<0>into ", plain(source, MARIADB))
    called = [function for function in calls(parts) if function not in known]
    hidden = ""
    if any(part.says("call") for part in parts):
        hidden = "calls a procedure, which its text does not show"
    elif called:
        hidden = f"calls {called[0]}, which its text does not show"
    elif "/*!" in source or "/*M!" in source:
        hidden = "has commands in comments"
    elif _OUT.search(text):
        hidden = "writes into a file"
    return Trigger(name, event == "DELETE", event == "UPDATE", text, hidden)


def _collection(catalogue: Catalogue, schema: str, target: str) -> str | None:
    """The collection of a table that a trigger names."""
    *where, wanted = name_parts(target)
    for name, table in catalogue.tables.items():
        if table.name == wanted and table.schema == (where[0] if where else schema):
            return name
    return None
