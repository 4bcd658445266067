"""What else a MariaDB changes when rows are deleted or rewritten.

The one rule: what triggers did is told by the session's own counts of rows; what foreign keys take along is counted
nowhere, so the rows that would go are counted before anything is deleted.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import FromClause, Select, and_, column, func, not_, select, table, tuple_
from sqlalchemy.sql.elements import quoted_name

from connectors.sql.catalogue import Reference, Table
from connectors.sql.dialects import Engine
from connectors.sql.effects import Watch, stop
from connectors.sql.erasure import Changes
from connectors.sql.fates import Fates
from connectors.sql.hazards import without_comments
from connectors.sql.mariadb.catalogue import references_to
from connectors.sql.scope import Scope
from connectors.sql.statement import compiled
from connectors.sql.stepping import picked
from connectors.sql.triggers import DELETES, INSERTS, UPDATES, name_parts
from rights.datamap import Erase

_COUNTS: Final = (
    "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_delete', 'Handler_update', 'Handler_write')"  # not of tmp
)
_TRIGGERS: Final = """
SELECT TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s ORDER BY TRIGGER_NAME"""
_PARTS: Final = """
SELECT COUNT(*) FROM information_schema.PARTITIONS
WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND PARTITION_NAME IS NOT NULL"""
_MORE: Final = re.compile(
    r"\b(?:call|execute|load\s+data|(?:insert|replace)\s+(?![^;]*?\binto\b)|delete\s+(?![^;]*?\bfrom\b)|"
    r"update\s+(?!(?:\w+\s+)*?[\w$.`]+\s+(?:as\s+)?(?:\w+\s+)?set\b))",
    re.IGNORECASE,
)
"""What else a trigger may write with, where its text does not say plainly to which table."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """A foreign key that takes rows along, or empties columns of theirs."""

    reference: Reference
    name: str
    """The collection that it points to."""
    parent: Table
    child: str | None
    """The collection that it points from; None: the map does not know it."""


Goes = Callable[[Scope, str, Any], Any]
_DONE: Final = {"Handler_write": "added", "Handler_update": "changed", "Handler_delete": "deleted"}


def foresee(session: Any, scope: Scope, accepted: Collection[str], *, count: bool) -> None:
    """Learn which foreign keys would take rows along, and, if so wished, count those of all rows that go. Before the
    fence: how long this takes is nobody's limit.

    Raises:
        NeedsHuman: SIDE_EFFECTS: there are such rows, and they are not planned.
    """
    session.cascades = list(_cascades(session, scope, accepted))
    if count:
        stop([one for cascade in session.cascades if (one := _taken(session, scope, cascade, _goes))])


def refuse_taken(session: Any, scope: Scope, name: str) -> None:
    """Stop before the batch that the document holds is deleted if foreign keys would take other rows along.

    Raises:
        NeedsHuman: SIDE_EFFECTS.
    """
    keys = picked(scope, name, _key(scope, name))

    def goes(scope: Scope, other: str, rows: Any) -> Any:
        return among(scope, rows, name, keys) if other == name else _goes(scope, other, rows)

    found = (_taken(session, scope, one, goes) for one in getattr(session, "cascades", ()) if one.name == name)
    stop([one for one in found if one])


def watch(session: Any, scope: Scope, accepted: Collection[str]) -> Watch:
    """Begin to watch a transaction that has changed nothing yet."""
    return _Counted(session, scope, accepted)


class _Counted:
    def __init__(self, session: Any, scope: Scope, accepted: Collection[str]) -> None:
        self._session, self._scope, self._accepted = session, scope, accepted
        self._before = self._counts()

    def judge(self, changes: Changes) -> None:
        more = self._counts()
        more.subtract(self._before)
        more["Handler_update"] -= self._session.emptied  # rewritten only so that they can be deleted
        for batch, (rows, _) in changes:
            more["Handler_delete" if batch.deleting else "Handler_update"] -= rows
        if any(rows > 0 for rows in more.values()):
            for batch, (rows, _) in changes:
                if rows and self._parted(self._scope.catalogue.tables[batch.collection]):
                    more["Handler_delete" if batch.deleting else "Handler_update"] -= rows
        done = [f"{rows:,} rows {_DONE[name]}" for name, rows in sorted(more.items()) if rows > 0]
        if not done:
            return
        changed = dict.fromkeys(batch.collection for batch, (rows, _) in changes if rows)
        targets = {target for name in changed for target in self._targets(self._scope.catalogue.tables[name])}
        if targets and targets <= set(self._accepted):
            return
        stop([f"{' or '.join(sorted(targets) or list(changed)[:3])} ({', '.join(done)} by a trigger)"])

    def _counts(self) -> Counter[str]:
        self._session.cursor.execute(_COUNTS)
        return Counter({name: int(value) for name, value in self._session.cursor.fetchall()})

    def _parted(self, about: Table) -> bool:
        """Whether a table has partitions: each of its rows is then counted twice, for the table and for the part."""
        self._session.cursor.execute(_PARTS, [about.schema, about.name])
        return bool(self._session.cursor.fetchone()[0])

    def _targets(self, about: Table) -> set[str]:
        """The tables that triggers of a table write to, as their texts say. Where one does not say it, or may not be
        read, it is itself named, which is no table that a map could accept."""
        self._session.cursor.execute(_TRIGGERS, [about.schema, about.name])
        targets: set[str] = set()
        for name, text in self._session.cursor.fetchall():
            body = without_comments(text or "")
            found = {hit for pattern in (INSERTS, DELETES, UPDATES) for hit in pattern.findall(body)}
            targets |= {".".join(name_parts(hit)) for hit in found}
            if not found or _MORE.search(body):
                why = "" if text else ", which takes the right TRIGGER to read"
                targets.add(f"whatever the trigger {name} writes to{why}")
        return targets


def _cascades(session: Any, scope: Scope, accepted: Collection[str]) -> Iterator[Cascade]:
    """The foreign keys that would change rows along with those that go. They are asked for again, since one may have
    come since the worker began; after a look that locks, none can come to its tables."""
    tables = {found.relation: (name, found) for name, found in scope.catalogue.tables.items()}
    relations = {(found.schema, found.name): at for at, (_, found) in tables.items()}
    goes = [(found.schema, found.name) for name, found in tables.values() if scope.works[name].erase is Erase.DELETE]
    for reference in references_to(session.cursor, goes, relations):
        child, _ = tables.get(reference.relation, (None, None))
        names = {reference.table, f"{reference.schema}.{reference.table}", child}
        followed = scope.catalogue.link_of(scope.system, reference) is not None
        if reference.on_delete in "cnd" and not followed and names.isdisjoint(accepted):
            yield Cascade(reference, *tables[reference.to], child)


def _taken(session: Any, scope: Scope, cascade: Cascade, goes: Goes) -> str:
    """What a foreign key would do to rows of others; empty if there are none."""
    ((rows,),) = session.rows(compiled(_pointing(scope, cascade, goes), Engine.MARIADB))
    done = "deleted" if cascade.reference.on_delete == "c" else "changed"
    place = f"{cascade.reference.schema}.{cascade.reference.table}"
    return f"{place} ({rows:,} {'row' if rows == 1 else 'rows'} {done} by a foreign key)" if rows else ""


def _pointing(scope: Scope, cascade: Cascade, goes: Goes) -> Select[Any]:
    """How many rows that stay point to rows that go."""
    quote = partial(quoted_name, quote=True)
    reference, parent, child = cascade.reference, cascade.parent, cascade.child
    theirs = dict.fromkeys((*reference.to_columns, *_key(scope, cascade.name)))
    above = table(quote(parent.name), *(column(quote(one)) for one in theirs), schema=parent.schema)
    own = dict.fromkeys((*reference.columns, *(_key(scope, child) if child else ())))
    columns: list[Any] = [column(quote(one)) for one in own]
    below = table(quote(reference.table), *columns, schema=reference.schema).alias("=below")
    pairs = zip(reference.columns, reference.to_columns, strict=True)
    joined = above.join(below, and_(*(below.c[mine] == above.c[other] for mine, other in pairs)))
    wanted = [goes(scope, cascade.name, above)]
    if child:
        wanted.append(not_(goes(scope, child, below)))
    return select(func.count()).select_from(joined).where(*wanted)


def _key(scope: Scope, name: str) -> tuple[str, ...]:
    return scope.system.collections[name].key


def _goes(scope: Scope, name: str, rows: Any) -> Any:
    """Whether a row is one that the erasure deletes."""
    fates = Fates(scope, (), name)
    fate = fates.of(name)
    return among(scope, rows, name, select(*fates.traversal.key(name, fate.rows)).where(~fate.stays).subquery())


def among(scope: Scope, rows: Any, name: str, keys: FromClause) -> Any:
    """Whether a row's key is among keys."""
    mine = [rows.c[field] for field in _key(scope, name)]
    listed = select(*(keys.c[field] for field in _key(scope, name)))
    return tuple_(*mine).in_(listed) if len(mine) > 1 else mine[0].in_(listed)
