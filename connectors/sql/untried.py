"""Why an erasure cannot be tried and taken back: whatever it touches that a rollback would not undo.

The one rule: everything that may be touched is followed, through cascades, partitions and triggers, to what they touch
in turn; what cannot be followed is taken to be irreversible.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors.sql.hazards import without_comments
from connectors.sql.triggers import DELETES, INSERTS, UPDATES

_ROUNDS: Final = 50
"""Tables that triggers lead to, one after the other; a chain as long as this is a circle that was missed."""

_NEXT: Final = """
SELECT conrelid::bigint FROM pg_constraint
WHERE contype = 'f' AND confrelid = ANY(%(at)s::bigint[]) AND confdeltype IN ('c', 'n', 'd')
UNION SELECT inhrelid::bigint FROM pg_inherits WHERE inhparent = ANY(%(at)s::bigint[])
UNION SELECT to_regclass(name)::oid::bigint FROM unnest(%(names)s::text[]) name WHERE to_regclass(name) IS NOT NULL"""
_LOST: Final = "SELECT name FROM unnest(%s::text[]) name WHERE to_regclass(name) IS NULL ORDER BY 1 LIMIT 1"
_TRIGGERS: Final = """
SELECT t.tgname, c.relname, t.tgfoid::bigint FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgrelid = ANY(%s::bigint[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 2, 1"""
_FUNCTIONS: Final = """
SELECT p.oid::bigint, p.proname, l.lanname, l.lanpltrusted, p.prosrc, n.nspname
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') OR p.oid = ANY(%s::bigint[])"""
_ODD: Final = """
SELECT c.relname, c.relkind::text,
  EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3', '4') AND r.ev_enabled <> 'D')
FROM pg_class c WHERE c.oid = ANY(%s::bigint[]) ORDER BY 1"""

_EXECUTES: Final = re.compile(r"\bexecute\b", re.IGNORECASE)
_OUTSIDE: Final = re.compile(
    r"\b(?:dblink\w*|pg_background\w*|lo_export|lo_import|pg_file_\w+|copy\s[^;]*\bprogram\b|http_\w+|pg_terminate_backend"
    r"|pg_cancel_backend)\b",
    re.IGNORECASE,
)
_CALLED: Final = re.compile(r'"?([A-Za-z_][\w$]*)"?\s*\(')


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    language: str
    trusted: bool
    text: str
    system: bool


def irreversible(connection: Any, relations: list[int]) -> str:
    """Why deleting and rewriting in these tables might not be undone by a rollback; empty if it surely is.

    Raises:
        psycopg.Error: the database cannot be asked.
    """
    touched = set(relations)
    known: dict[int, _Function] = {}
    for _ in range(_ROUNDS):
        triggers = connection.execute(_TRIGGERS, [list(touched)]).fetchall()
        if missing := {oid for *_, oid in triggers} - known.keys():
            rows = connection.execute(_FUNCTIONS, [list(missing)]).fetchall()
            known |= {row[0]: _Function(row[1], row[2], row[3], row[4], row[5] == "pg_catalog") for row in rows}
        names: set[str] = set()
        for trigger, table, oid in triggers:
            for function in _reached(known, oid):
                if reason := _outside(function):
                    return f"the trigger {trigger} of {table} {reason}"
                text = without_comments(function.text)
                names |= {name for pattern in (INSERTS, DELETES, UPDATES) for name in pattern.findall(text)}
        if lost := connection.execute(_LOST, [sorted(names)]).fetchone():
            return f"a trigger writes to {lost[0]}, which cannot be found"
        found = connection.execute(_NEXT, {"at": list(touched), "names": sorted(names)}).fetchall()
        fresh = {oid for (oid,) in found} - touched
        if not fresh:
            return _odd(connection, touched)
        touched |= fresh
    return "its triggers lead to more tables than can be followed"


def _reached(known: dict[int, _Function], start: int) -> Iterator[_Function]:
    """A trigger's function, and whatever functions of the database its text calls."""
    by_name: dict[str, list[int]] = {}
    for oid, function in known.items():
        by_name.setdefault(function.name, []).append(oid)
    seen, waiting = set[int](), [start]
    while waiting:
        oid = waiting.pop()
        if oid in seen or oid not in known:
            continue
        seen.add(oid)
        yield known[oid]
        if known[oid].language in {"plpgsql", "sql"}:
            called = _CALLED.findall(without_comments(known[oid].text))
            waiting += [other for name in called for other in by_name.get(name, by_name.get(name.lower(), ()))]


def _outside(function: _Function) -> str:
    if function.language == "internal" and function.system:
        return ""
    if function.language not in {"plpgsql", "sql"}:
        kind = "" if function.trusted else "untrusted language "
        return f"runs {function.name}, written in {kind}{function.language}"
    text = without_comments(function.text)
    if _EXECUTES.search(text):
        return f"runs statements that the text of {function.name} does not show"
    if found := _OUTSIDE.search(text):
        return f"calls {found[0].split()[0].lower()}, which acts outside of the transaction"
    return ""


def _odd(connection: Any, touched: set[int]) -> str:
    for name, kind, ruled in connection.execute(_ODD, [list(touched)]).fetchall():
        if kind == "f":
            return f"{name} is a foreign table, on a server of its own"
        if kind not in {"r", "p"}:
            return f"{name} is no table"
        if ruled:
            return f"a rule says what changing {name} does"
    return ""
