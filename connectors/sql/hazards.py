"""What PostgreSQL does by itself when rows are deleted or rewritten: triggers and rules.

The one rule: a trigger is read by the text of its function (`connectors.sql.triggers`); what that calls is not followed
here.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from connectors.finding import Finding, Severity
from connectors.sql.catalogue import Catalogue, read_catalogue
from connectors.sql.check import works_of
from connectors.sql.session import Database
from connectors.sql.triggers import Trigger, concerned, findings, name_parts
from rights.datamap import System

# tgtype: 2 before, 8 delete, 16 update, 32 truncate. Constraints' own triggers are internal.
_TRIGGERS: Final = """
SELECT t.tgrelid::bigint, t.tgname, t.tgtype & 8 > 0, t.tgtype & 16 > 0, t.tgtype & 2 > 0, l.lanname, p.prosrc,
  n.nspname || '.' || p.proname
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE t.tgrelid = ANY(%s::bigint[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
ORDER BY t.tgrelid, t.tgname"""
_RULES: Final = """
SELECT ev_class::bigint, rulename, ev_type::text FROM pg_rewrite
WHERE ev_class = ANY(%s::bigint[]) AND ev_type IN ('2', '4') AND ev_enabled <> 'D' ORDER BY ev_class, rulename"""

_DYNAMIC: Final = re.compile(r"\bexecute\b(?!\s+(?:function|procedure)\b)|\bperform\b|\bdblink", re.IGNORECASE)
_SKIPS: Final = re.compile(r"\breturn\s+null\b", re.IGNORECASE)
_COMMENTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def hazards(system: System, reader: Database) -> Iterator[Finding]:
    """What triggers and rules of the map's tables would do to an erasure.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    works = works_of(system)
    with reader.plain() as connection:
        catalogue = read_catalogue(connection, system)
        by_relation = {table.relation: table for table in catalogue.tables.values()}
        triggers = connection.execute(_TRIGGERS, [list(by_relation)]).fetchall()
        rules = connection.execute(_RULES, [list(by_relation)]).fetchall()
    for relation, *trigger in triggers:
        work = works[by_relation[relation].collection]
        yield from findings(system, work, _read(*trigger), partial(_collection, catalogue))
    for relation, name, event in rules:
        table = by_relation[relation]
        what = "deleting" if event == "4" else "updating"
        if concerned(works[table.collection], deletes=event == "4", updates=event == "2"):
            said = f"the rule {name} of {table.collection} says what {what} does: see that nothing is copied or left"
            yield Finding("rule", said, Severity.WARNING)


def without_comments(source: str) -> str:
    """A function's text as it runs."""
    return _COMMENTS.sub(" ", source)


def _read(name: str, deletes: bool, updates: bool, before: bool, language: str, source: str, function: str) -> Trigger:
    if language not in {"plpgsql", "sql"}:
        hidden = f"runs {function}, written in {language}, and it cannot be told what it does"
        return Trigger(name, deletes, updates, "", hidden)
    text = without_comments(source)
    hidden = f"runs statements that its text does not show, in {function}" if _DYNAMIC.search(text) else ""
    return Trigger(name, deletes, updates, text, hidden, "RETURN NULL" if before and _SKIPS.search(text) else "")


def _collection(catalogue: Catalogue, target: str) -> str | None:
    """The collection of a table that a trigger names."""
    parts = [part if f'"{part}"' in target else part.lower() for part in name_parts(target)]
    for name, table in catalogue.tables.items():
        if table.name == parts[-1] and (len(parts) == 1 or table.schema == parts[0]):
            return name
    return None
