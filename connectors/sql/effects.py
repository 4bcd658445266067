"""What an erasure has really done, before it may commit: whatever goes beyond the plan stops it for a person to rule.

The one rule: a difference is never explained away. Rows of others and tables beside the map that change along, by a
cascade, a trigger or a rule, are undone with everything else, unless the map names the table (`side_effects`).
"""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.errors import NeedsHuman
from connectors.sql.erasure import Changes
from connectors.sql.errors import Renumbered
from connectors.sql.restriction import LISTED
from connectors.sql.scope import Scope
from connectors.sql.session import Session
from connectors.sql.touched import Touched, touched
from connectors.trial import Effect
from rights.codes import Code

_NAMED: Final = 3
"""Tables that one task names; whoever looks at the first finds the others."""

_TRIGGERS: Final = """
SELECT t.tgrelid::bigint, t.tgname FROM pg_trigger t
WHERE t.tgrelid = ANY(%s::bigint[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 24 > 0"""
_UNCOUNTED: Final = "the server counts no changes (track_counts is off)"


class Watch(Protocol):
    """Compares what a transaction does from here on with what it is meant to do."""

    def judge(self, changes: Changes) -> None:
        """Called after the last change and before the commit, with what the statements said they did.

        Raises:
            NeedsHuman: SIDE_EFFECTS, with the tables and what happened there: more, or other, than that was done.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """What was done to a table and all its parts, and whether the map accepts what goes beyond the plan."""

    effect: Effect
    names: frozenset[str]
    """All names under which the map may accept it."""
    fewer: bool = False
    """Less was done than the statements said: nobody can accept that."""

    def accepted(self, names: Collection[str]) -> bool:
        return not self.fewer and not self.names.isdisjoint(names)


def stop(said: Sequence[str]) -> None:
    """Stop if there is anything to say.

    Raises:
        NeedsHuman: SIDE_EFFECTS.
    """
    if said:
        more = f" and {len(said) - _NAMED:,} more" if len(said) > _NAMED else ""
        raise NeedsHuman(Code.SIDE_EFFECTS, ", ".join(said[:_NAMED]) + more)


class Counted:
    """PostgreSQL, which counts."""

    def __init__(self, session: Session, scope: Scope, accepted: Collection[str]) -> None:
        self._session, self._scope, self._accepted = session, scope, accepted
        self._until = time.monotonic() + session.database.limits.statement_timeout

    def judge(self, changes: Changes) -> None:
        # What has waited for the commit gets what the change has left of its time: together they are one call.
        left = self._until - time.monotonic()
        found = found_in(self._session, self._scope, changes, max(1, int(left * 1000)))
        stop([_said(one.effect) for one in found if one.effect.surprise and not one.accepted(self._accepted)])


def found_in(session: Session, scope: Scope, changes: Changes, milliseconds: int) -> list[Found]:
    """What a transaction has done, by table; whatever waits for the commit is carried out now, in the time given.

    Raises:
        psycopg.Error: a constraint that had waited refuses, or the server cannot be asked.
        Renumbered: the tables are others than those that were looked up.
    """
    tables = touched(session, milliseconds)
    _require_known(scope, tables)
    if all(one.counted for one in tables):
        return list(_compared(scope, changes, tables))
    return list(_judged(session, scope, tables))


def _require_known(scope: Scope, tables: Sequence[Touched]) -> None:
    """Refuse to compare with the numbers of tables that were replaced since, under the same name. A table that has come
    in beside them is judged as any other."""
    now = {one.table: one.relation for one in tables} | {one.root_table: one.root for one in tables}
    for table in scope.catalogue.tables.values():
        name = f"{table.schema}.{table.name}"
        if now.get(name, table.relation) != table.relation:
            raise Renumbered(Code.BUSY, name)


def _said(effect: Effect) -> str:
    counts = (("added", effect.inserted), ("changed", effect.updated), ("deleted", effect.deleted))
    parts = [f"{number:,} {'row' if number == 1 else 'rows'} {done}" for done, number in counts if number]
    return f"{effect.table} ({', '.join(parts) or effect.surprise})"


def _compared(scope: Scope, changes: Changes, tables: Sequence[Touched]) -> Iterator[Found]:
    groups: dict[int, list[Touched]] = {}
    for one in tables:
        if not (scope.restricts and one.table == LISTED):
            groups.setdefault(one.root, []).append(one)
    known = {table.relation: name for name, table in scope.catalogue.tables.items()}
    roots = {one.relation: one.root for one in tables}
    told: Counter[tuple[int, bool]] = Counter()
    for batch, (rows, _) in changes:
        table = scope.catalogue.tables[batch.collection]
        if rows and table.relation not in roots:
            said = "nothing of it was changed, though the server said so: a rule"
            yield Found(Effect(f"{table.schema}.{table.name}", batch.collection, 0, 0, 0, said), frozenset(), True)
        else:
            told[roots.get(table.relation, table.relation), batch.deleting] += rows
    for root, members in groups.items():
        if found := _group(members, known, told[root, False], told[root, True]):
            yield found


def _group(members: Sequence[Touched], known: dict[int, str], updates: int, deletes: int) -> Found | None:
    inserted, updated, deleted = (sum(getattr(one, n) for one in members) for n in ("inserted", "updated", "deleted"))
    collection = next((known[one.relation] for one in members if one.relation in known), None)
    mapped = next((one for one in members if one.relation in known), None)
    fewer = updated < updates or deleted < deletes
    surprise = _surprise(members, mapped, inserted, updated - updates, deleted - deletes)
    if not (inserted or updated or deleted or surprise):
        return None
    effect = Effect(
        (mapped.table if mapped else members[0].root_table), collection, inserted, updated, deleted, surprise
    )
    return Found(effect, _names(members, collection), fewer)


def _surprise(members: Sequence[Touched], mapped: Touched | None, inserted: int, updated: int, deleted: int) -> str:
    """Why a table's changes are more than the plan's own. Numbers of rows that go beyond it."""
    if any(one.whole for one in members):
        return "it is emptied or redefined: a trigger"
    if any(one.kind == "f" for one in members):
        return "it is a foreign table and was opened for writing: a trigger"
    if mapped is None:
        done = "gains rows" if inserted else "loses rows" if deleted else "is changed" if updated else ""
        return f"it {done} and is not in the map: a cascade or a trigger" if done else ""
    if inserted:
        return "it gains rows: a trigger"
    if deleted > 0 or updated > 0:
        what = f"{deleted:,} more rows go" if deleted > 0 else f"{updated:,} more rows are changed"
        return f"{what} than the plan says: a cascade or a trigger"
    if deleted < 0 or updated < 0:
        return f"{-min(deleted, updated):,} rows stayed as they were, though the server said otherwise: a rule"
    return ""


def _names(members: Sequence[Touched], collection: str | None) -> frozenset[str]:
    names = {name for one in members for name in (one.table, one.root_table, one.short)}
    return frozenset(filter(None, {*names, collection}))


def _judged(session: Session, scope: Scope, tables: Sequence[Touched]) -> Iterator[Found]:
    """Where nothing is counted: what may have gone beyond the plan is taken to have done so."""
    known = {table.relation: name for name, table in scope.catalogue.tables.items()}
    mapped = {one.relation: one for one in tables if one.relation in known}
    for one in tables:
        if one.root not in {m.root for m in mapped.values()} and not (scope.restricts and one.table == LISTED):
            said = f"it was opened for writing, and {_UNCOUNTED}"
            yield Found(Effect(one.root_table, None, 0, 0, 0, said), _names([one], None))
    for relation, trigger in session.connection.execute(_TRIGGERS, [list(mapped)], prepare=False).fetchall():
        at = mapped[relation]
        said = f"it has the trigger {trigger}, and {_UNCOUNTED}"
        yield Found(Effect(at.table, known[relation], 0, 0, 0, said), _names([at], known[relation]))
    for reference in scope.catalogue.references:
        child = mapped.get(reference.relation)
        if child and reference.on_delete in "cnd" and scope.catalogue.link_of(scope.system, reference) is None:
            said = f"the foreign key {reference.name} may have changed it, and {_UNCOUNTED}"
            name = known[reference.relation]
            yield Found(Effect(child.table, name, 0, 0, 0, said), _names([child], name))
