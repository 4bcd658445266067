"""What PostgreSQL does by itself when rows are deleted or rewritten: triggers and rules; and what it keeps of them.

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
from connectors.sql.statement import quoted
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
# A materialized view keeps what its query, or a view that it uses, once read.
_COPIES: Final = """
WITH RECURSIVE over AS (
  SELECT unnest(%s::bigint[])::oid AS oid, unnest(%s::text[]) AS name
  UNION SELECT r.ev_class, over.name FROM over JOIN pg_depend d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = over.oid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> over.oid)
SELECT n.nspname, c.relname, string_agg(DISTINCT over.name, ', ' ORDER BY over.name)
FROM over JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' GROUP BY 1, 2 ORDER BY 1, 2"""
_HEIRS: Final = """
WITH RECURSIVE heir AS (
  SELECT unnest(%s::bigint[])::oid AS oid, unnest(%s::text[]) AS name, unnest(%s::bigint[])::oid AS of
  UNION SELECT i.inhrelid, heir.name, heir.of FROM heir JOIN pg_inherits i ON i.inhparent = heir.oid)
SELECT n.nspname, c.relname, heir.name, string_agg(a.attname, ', ' ORDER BY a.attnum)
FROM heir JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE NOT EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = heir.of AND o.attname = a.attname AND o.attnum > 0)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""

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
        names = [table.collection for table in by_relation.values()]
        copies = connection.execute(_COPIES, [list(by_relation), names]).fetchall()
        heirs = connection.execute(_HEIRS, [list(by_relation), names, list(by_relation)]).fetchall()
    for relation, *trigger in triggers:
        work = works[by_relation[relation].collection]
        yield from findings(system, work, _read(*trigger), partial(_collection, catalogue))
    for relation, name, event in rules:
        table = by_relation[relation]
        what = "deleting" if event == "4" else "updating"
        if concerned(works[table.collection], deletes=event == "4", updates=event == "2"):
            said = f"the rule {name} of {table.collection} says what {what} does: see that nothing is copied or left"
            yield Finding("rule", said, Severity.WARNING)
    for schema, name, origin in copies:
        view = quoted(schema, name)
        said = (
            f"the materialized view {schema}.{name} holds a copy of rows of {origin}, in which what is erased lives on "
            f"until it is made anew: after erasures, or by the clock, run REFRESH MATERIALIZED VIEW {view}"
        )
        yield Finding("materialized", said, Severity.WARNING)
    for schema, name, origin, columns in heirs:
        said = (
            f"the table {schema}.{name} inherits from {origin}, so its rows are rows of {origin}: they are found and "
            f"erased, but {columns} stand in {name} alone, and are neither exported nor rewritten: see to them"
        )
        yield Finding("inherits", said, Severity.WARNING)


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
