"""Slices of a large erasure: some rows of a collection and all that hangs on them, deleted in one statement.

The one rule: a slice is of rows that an earlier look has kept the keys of, so that what hangs on them is the person's
whatever else leads there; and all collections of a slice are deleted from as a whole, so nothing decides on their rows
but what they hang on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import FromClause, Select, Text, and_, cast, func, literal, or_, select

from connectors.sql import erasure
from connectors.sql.comparing import Arm, bridge, comparable
from connectors.sql.dialects.postgresql import NATIVE
from connectors.sql.erasure import Batch
from connectors.sql.families import TEXTS
from connectors.sql.fates import Fates
from connectors.sql.reading import table_of
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.values import slot
from rights.datamap import Link


@dataclass(frozen=True, slots=True)
class Slice:
    """The collections of a slice."""

    head: str
    """Whose rows are given by their keys."""
    below: tuple[str, ...]
    """Those that hang on it, children before parents."""

    @property
    def collections(self) -> tuple[str, ...]:
        return (*self.below, self.head)

    @property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(Batch(name, deleting=True) for name in self.collections)


def slices(scope: Scope) -> list[Slice]:
    """All slices that a system allows, the ones nearest to the person first."""
    order = [batch.collection for batch in erasure.batches(scope)]
    single = [name for part in erasure.parts(scope) if len(part) == 1 for name in (part[0].collection,)]
    found = []
    for head in reversed(order):
        (first, *_) = scope.system.collections[head].key
        native = scope.column(head, first).family in NATIVE
        if head in single and native and scope.targets[head] and erasure.listed(scope, Batch(head, deleting=True)):
            found.append(Slice(head, _below(scope, head, order, single)))
    return found


def _below(scope: Scope, head: str, order: Sequence[str], single: Sequence[str]) -> tuple[str, ...]:
    """What goes with a collection's rows. A collection that has another parent goes before that one, and what hangs on
    it has gone, or goes with it: so it may wait until it is the turn of the head."""
    members: list[str] = [head]
    place = order.index(head)
    for name in reversed(order[:place]):  # parents before children
        if order.count(name) > 1 or name not in single or not _whole(scope, name):
            continue
        links = scope.system.collections[name].links
        later = all(link.target[0] in members or link.target[0] not in order[:place] for link in links)
        if later and _ways(scope, name, members):
            members.append(name)
    return tuple(name for name in order if name in members and name != head)


def _whole(scope: Scope, name: str) -> bool:
    """Whether rows of a collection go whenever they are the person's, which nobody is ever asked."""
    collection = scope.system.collections[name]
    lone = not scope.subject(name) and name not in scope.circles and not collection.shares
    return lone and not collection.searched and not Fates(scope).may_stay(name)


def _ways(scope: Scope, name: str, members: Sequence[str]) -> list[Link]:
    """The links by which rows hang on those of a slice; none if one of them is not found by an index."""
    links = [
        link for link in scope.system.collections[name].links if link.target[0] in members and link.kind == "unique"
    ]
    return links if all(_served(scope, name, link) for link in links) else []


def _served(scope: Scope, name: str, link: Link) -> bool:
    parent, target = link.target
    derived = {**scope.system.collections[name].derived, **scope.system.collections[parent].derived}
    if target in derived or link.field in derived or not scope.served(name, link.field):
        return False
    mine, theirs = scope.column(name, link.field), scope.column(parent, target)
    return bridge(mine, literal(None), theirs)[2] and mine.family is theirs.family


class _Hanging:
    """Conditions of one statement: which rows hang on the slice whose keys are in the document."""

    def __init__(self, scope: Scope, slice_: Slice) -> None:
        self._scope, self._slice = scope, slice_

    def condition(self, name: str, table: FromClause) -> Sql:
        if name == self._slice.head:
            (field,) = self._scope.system.collections[name].key
            left, _ = comparable(self._scope.column(name, field), table.c[field])
            return Arm(left, self._keys(), True).condition(indexed=True)
        members = self._slice.collections
        ways = [self._way(name, link, table) for link in _ways(self._scope, name, members)]
        return or_(*ways)

    def _way(self, name: str, link: Link, table: FromClause) -> Sql:
        scope = self._scope
        parent, target = link.target
        theirs = scope.column(parent, target)
        left, convert, _ = bridge(scope.column(name, link.field), table.c[link.field], theirs)
        # An empty text is nothing, and links to nobody.
        if parent == self._slice.head and (target,) == scope.system.collections[parent].key:
            keys = self._keys()
            if theirs.family in TEXTS:
                keys = keys.where(cast(keys.selected_columns[0], Text) != "")
            right = keys.with_only_columns(convert(keys.selected_columns[0]))
        else:
            above = table_of(scope, parent).alias(f"above_{list(scope.system.collections).index(parent)}")
            there = [self.condition(parent, above)]
            if theirs.family in TEXTS:
                there.append(cast(above.c[target], Text) != "")
            right = select(convert(above.c[target])).where(and_(*there))
        return Arm(left, right, True).condition(indexed=True)

    def _keys(self) -> Select[tuple[object]]:
        head = self._slice.head
        (field,) = self._scope.system.collections[head].key
        _, type_ = comparable(self._scope.column(head, field), literal(None))
        given = self._scope.dialect.elements(slot("b", head))
        return given.with_only_columns(cast(given.selected_columns[0], type_))


def hanging(scope: Scope, slice_: Slice, most: int) -> Select[tuple[int, ...]]:
    """How many rows hang on a slice, collection by collection, each counted to one more than `most`."""
    counts = []
    for name in slice_.below:
        table = table_of(scope, name)
        rows = select(literal(1)).select_from(table).where(_Hanging(scope, slice_).condition(name, table))
        counts.append(select(func.count()).select_from(rows.limit(most + 1).subquery()).scalar_subquery())
    return select(*counts)


def change(scope: Scope, slice_: Slice) -> Select[tuple[object, ...]]:
    """Delete a slice: one row with, for each collection, the rows deleted and what these told. Those of the head tell
    nothing if all that links compare with is their keys, which are kept."""
    silent = slice_.head if scope.targets[slice_.head] == scope.system.collections[slice_.head].key else None
    fates = Fates(scope)
    columns: list[Sql] = []
    forgotten = []
    for number, batch in enumerate(slice_.batches):
        name = batch.collection
        table = fates.traversal.tables[name]
        told = None if name == silent else {c.name: c for c in fates.traversal.columns_of(name, table)}
        gone = erasure.deleted(fates, name, told, _Hanging(scope, slice_).condition(name, table))
        changed = gone.cte(f"changed_{number}")
        columns += erasure.counted(None if name == silent else scope, batch, changed, number)
        forgotten += erasure.forgotten(scope, batch, changed, number)
    return select(*columns).add_cte(*forgotten)
