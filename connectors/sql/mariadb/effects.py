"""What else a MariaDB changes when rows are deleted or rewritten.

The one rule: what triggers did is told by the session's own counts of rows; what foreign keys take along is counted
nowhere, so the rows that would go are counted before anything is deleted.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, Final

from sqlalchemy import Select, and_, column, func, not_, select, table, tuple_
from sqlalchemy.sql.elements import quoted_name

from connectors.sql.catalogue import Reference, Table
from connectors.sql.dialects import Engine
from connectors.sql.effects import Watch, stop
from connectors.sql.erasure import Changes
from connectors.sql.fates import Fates
from connectors.sql.hazards import DELETES, INSERTS, UPDATES, without_comments
from connectors.sql.mariadb.catalogue import references_to
from connectors.sql.scope import Scope
from connectors.sql.statement import compiled
from rights.datamap import Erase

_COUNTS: Final = (
    "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_delete', 'Handler_update', 'Handler_write')"  # not of tmp
)
_TRIGGERS: Final = """
SELECT TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s ORDER BY TRIGGER_NAME"""
_MORE: Final = re.compile(
    r"\b(?:call|replace\s+into|execute|insert\s+(?!into)|delete\s+(?!from)|update\s+(?![\w$\".]+\s+(?:as\s+\w+\s+)?set\b))",
    re.IGNORECASE,
)
"""What else a trigger may write with, where its text does not say plainly to which table."""
_DONE: Final = {"Handler_write": "added", "Handler_update": "changed", "Handler_delete": "deleted"}


def watch(session: Any, scope: Scope, accepted: Collection[str]) -> Watch:
    """Begin to watch a transaction that has changed nothing yet.

    Raises:
        NeedsHuman: SIDE_EFFECTS: foreign keys would take rows along, or empty columns of rows, that are not planned.
    """
    stop(list(_cascading(session, scope, accepted)))
    return _Counted(session, scope, accepted)


class _Counted:
    def __init__(self, session: Any, scope: Scope, accepted: Collection[str]) -> None:
        self._session, self._scope, self._accepted = session, scope, accepted
        self._before = self._counts()

    def judge(self, changes: Changes) -> None:
        more = self._counts() - self._before
        for batch, (rows, _) in changes:
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

    def _targets(self, about: Table) -> set[str]:
        """The tables that triggers of a table write to, as their texts say. Where one does not say it, or may not be
        read, it is itself named, which is no table that a map could accept."""
        self._session.cursor.execute(_TRIGGERS, [about.schema, about.name])
        targets: set[str] = set()
        for name, text in self._session.cursor.fetchall():
            body = without_comments((text or "").replace("`", '"'))
            found = {hit for pattern in (INSERTS, DELETES, UPDATES) for hit in pattern.findall(body)}
            targets |= {hit.replace('"', "") for hit in found}
            if not found or _MORE.search(body):
                why = "" if text else ", which takes the right TRIGGER to read"
                targets.add(f"whatever the trigger {name} writes to{why}")
        return targets


def _cascading(session: Any, scope: Scope, accepted: Collection[str]) -> Iterator[str]:
    """The rows that foreign keys would change along with those that go."""
    tables = {found.relation: (name, found) for name, found in scope.catalogue.tables.items()}
    relations = {(found.schema, found.name): at for at, (_, found) in tables.items()}
    goes = [(found.schema, found.name) for name, found in tables.values() if scope.works[name].erase is Erase.DELETE]
    # Asked again: a foreign key that has come since the worker began counts as well, and none can come after the look.
    for reference in references_to(session.cursor, goes, relations):
        name, parent = tables[reference.to]
        child, _ = tables.get(reference.relation, (None, None))
        if (
            reference.on_delete not in "cnd"
            or scope.catalogue.link_of(scope.system, reference) is not None
            or not {reference.table, f"{reference.schema}.{reference.table}", child}.isdisjoint(accepted)
        ):
            continue
        ((rows,),) = session.rows(compiled(_pointing(scope, reference, name, parent, child), Engine.MARIADB))
        if rows:
            done = "deleted" if reference.on_delete == "c" else "changed"
            yield f"{reference.schema}.{reference.table} ({rows:,} rows {done} by a foreign key)"


def _pointing(scope: Scope, reference: Reference, name: str, parent: Table, child: str | None) -> Select[Any]:
    """How many rows of others point to rows that go."""
    quote = partial(quoted_name, quote=True)
    above = table(
        quote(parent.name),
        *(column(quote(c)) for c in {*reference.to_columns, *_key(scope, name)}),
        schema=parent.schema,
    )
    columns = {*reference.columns, *(_key(scope, child) if child else ())}
    below = table(quote(reference.table), *(column(quote(c)) for c in columns), schema=reference.schema).alias("=below")
    pairs = zip(reference.columns, reference.to_columns, strict=True)
    joined = above.join(below, and_(*(below.c[own] == above.c[other] for own, other in pairs)))
    wanted = [_goes(scope, name, above)]
    if child:
        wanted.append(not_(_goes(scope, child, below)))
    return select(func.count()).select_from(joined).where(*wanted)


def _key(scope: Scope, name: str) -> tuple[str, ...]:
    return scope.system.collections[name].key


def _goes(scope: Scope, name: str, rows: Any) -> Any:
    """Whether a row is one that the erasure deletes."""
    fates = Fates(scope, (), name)
    fate = fates.of(name)
    mine = [rows.c[field] for field in _key(scope, name)]
    keys = select(*fates.traversal.key(name, fate.rows)).where(~fate.stays)
    return tuple_(*mine).in_(keys) if len(mine) > 1 else mine[0].in_(keys)
