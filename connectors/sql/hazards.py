"""What the database does by itself when rows are deleted or rewritten: triggers and rules; and what it keeps of them.

The one rule: a trigger is read as a person would read it, by its text; what the text does not show is said to be
unknown, never taken to be harmless.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.finding import Finding, Severity
from connectors.sql.catalogue import Catalogue, Table, read_catalogue
from connectors.sql.check import accepts, works_of
from connectors.sql.session import Database
from connectors.sql.statement import quoted
from rights.datamap import Erase, Mode, System
from rights.plan import Work

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

_NAME: Final = r'((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)'
INSERTS: Final = re.compile(rf"\binsert\s+into\s+(?:only\s+)?{_NAME}", re.IGNORECASE)
DELETES: Final = re.compile(rf"\bdelete\s+from\s+(?:only\s+)?{_NAME}", re.IGNORECASE)
UPDATES: Final = re.compile(rf"\bupdate\s+(?:only\s+)?{_NAME}\s+(?:as\s+\w+\s+)?set\b", re.IGNORECASE)
_OLD: Final = re.compile(r"\bold\b", re.IGNORECASE)
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
        table = by_relation[relation]
        yield from _trigger(system, catalogue, table, works[table.collection], *trigger)
    for relation, name, event in rules:
        table = by_relation[relation]
        what = "deleting" if event == "4" else "updating"
        if _concerned(works[table.collection], deletes=event == "4", updates=event == "2"):
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


def _concerned(work: Work, *, deletes: bool, updates: bool) -> bool:
    rewrites = bool(work.writes or any(keep.writes for keep in work.keeps))
    return (deletes and work.erase is Erase.DELETE) or (updates and work.erase is not Erase.RETAIN and rewrites)


def _trigger(
    system: System,
    catalogue: Catalogue,
    table: Table,
    work: Work,
    name: str,
    deletes: bool,
    updates: bool,
    before: bool,
    language: str,
    source: str,
    function: str,
) -> Iterator[Finding]:
    if not _concerned(work, deletes=deletes, updates=updates):
        return
    who = f"the trigger {name} of {table.collection}"
    if language not in {"plpgsql", "sql"}:
        said = f"{who} runs {function}, written in {language}, and it cannot be told what it does: read it"
        yield Finding("trigger_unknown", said, Severity.WARNING)
        return
    text = without_comments(source)
    copies = _OLD.search(text) is not None
    for target in dict.fromkeys(INSERTS.findall(text)):
        yield _added(system, who, target, mapped=_collection(system, catalogue, target), copies=copies)
    for verb, pattern in (("deletes from", DELETES), ("changes", UPDATES)):
        for target in dict.fromkeys(pattern.findall(text)):
            if not accepts(system, target.replace('"', ""), _collection(system, catalogue, target)):
                said = f"{who} {verb} {target}: see that the map says what becomes of {target}, and {_accept(target)}"
                yield Finding("trigger_writes", said, Severity.WARNING)
    if _DYNAMIC.search(text):
        said = f"{who} runs statements that its text does not show, in {function}: read it"
        yield Finding("trigger_unknown", said, Severity.WARNING)
    if before and deletes and work.erase is Erase.DELETE and _SKIPS.search(text):
        said = f"{who} can keep rows from being deleted, without an error (RETURN NULL): see that it lets them go"
        yield Finding("trigger_skips", said, Severity.WARNING)


def _added(system: System, who: str, target: str, *, mapped: str | None, copies: bool) -> Finding:
    """What is to be said of rows that a trigger adds."""
    accepted = accepts(system, target.replace('"', ""), mapped)
    if not copies:
        said = f"{who} adds rows to {target}: see that they hold nothing of the person"
        return Finding("trigger_writes", said if accepted else f"{said}, and {_accept(target)}", Severity.WARNING)
    if mapped is not None:
        said = (
            f"{who} copies deleted or changed rows into {mapped} while they are erased: see that the map deletes "
            f"{mapped} after {{}}, or drop the trigger"
        ).format(who.rpartition(" of ")[2])
        return Finding("trigger_copies", said, Severity.WARNING)
    said = f"{who} copies deleted or changed rows into {target}, which is not in the map, so "
    if accepted:
        said += f"what is erased lives on in {target}, as options.side_effects accepts: see to it there by other means"
        return Finding("trigger_copies", said, Severity.WARNING)
    said += (
        f"an erasure is stopped: add {target} to the map, drop the trigger, or name {target} under options: "
        "side_effects if the copy may stay, which still holds the person's data"
    )
    # Nothing is destroyed in mode observe.
    return Finding("trigger_copies", said, Severity.WARNING if system.mode is Mode.OBSERVE else Severity.ERROR)


def _accept(target: str) -> str:
    return f"name {target} under options: side_effects, else an erasure that does this is stopped"


def _collection(system: System, catalogue: Catalogue, target: str) -> str | None:
    """The collection of a table that a trigger names."""
    parts = [part.strip('"') if part.startswith('"') else part.lower() for part in re.findall(r'"[^"]+"|[^.]+', target)]
    known: Mapping[str, Any] = catalogue.tables
    for name, table in known.items():
        if table.name == parts[-1] and (len(parts) == 1 or table.schema == parts[0]):
            return name
    return None
