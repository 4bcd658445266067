"""Deleting rows that point to one another, under foreign keys that are checked row by row.

The one rule: nothing is deleted by switching checks off. Where a server can check when the transaction commits, it
does; else what may be empty is emptied first, and the rest goes in an order that its foreign keys allow, or not at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import ClauseElement, Text, cast, column, literal, null, select, table, update
from sqlalchemy.sql.elements import quoted_name

from connectors.errors import NeedsHuman
from connectors.sql.catalogue import Reference
from connectors.sql.dialects.dialect import together
from connectors.sql.scope import Scope
from connectors.sql.stepping import BATCH, Made, Row, Rows, Stepping, picked, same_key, told_columns
from connectors.sql.traversal import Traversal
from rights.codes import Code
from rights.datamap import Erase

_TIES: Final = frozenset("arc")
"""What a foreign key does when its parent goes: refuse, or take the child along before its turn."""

Node = tuple[str, Row]
"""A collection, and the key of a row of it."""


class Tie(NamedTuple):
    """A foreign key between two collections of a circle, or of one with itself."""

    child: str
    parent: str
    reference: Reference


def emptied(scope: Scope) -> dict[str, tuple[str, ...]]:
    """By collection, the fields that are emptied before rows of a circle are deleted, where checks cannot wait."""
    fields: dict[str, list[str]] = defaultdict(list)
    for group in dict.fromkeys(scope.circles.values()):
        deleted = [n for n in group if n in scope.catalogue.tables and scope.works[n].erase is Erase.DELETE]
        for name, field in Untying(scope, Made(scope.catalogue.engine), deleted).nulled:
            fields[name].append(field)
    return {name: tuple(some) for name, some in fields.items()}


class Untying:
    """The order in which the rows of some collections go."""

    def __init__(self, scope: Scope, made: Made, names: Sequence[str]) -> None:
        self._scope, self._made, self._names = scope, made, names
        self.nulled: list[tuple[str, str]] = []
        """Fields that are emptied first, each with its collection; as few as it takes."""
        self._ties: list[Tie] = []
        """Those that stay, and that the order has to respect."""
        every = list(self._all())
        self.nulled_by_parents = [
            (t.child, f) for t in every if t.reference.on_delete == "n" and (f := self._nullable(t))
        ]
        """Fields that the database would empty by itself as parents go, uncounted."""
        tying = [tie for tie in every if tie.reference.on_delete in _TIES]
        for tie in sorted(tying, key=lambda tie: bool(self._nullable(tie))):  # those that cannot be emptied first
            field = self._nullable(tie)
            if field and tie.child in _reached(tie.parent, [*self._ties, tie]):
                self.nulled.append((tie.child, field))
            else:
                self._ties.append(tie)

    def nulling(self, name: str, field: str) -> ClauseElement:
        """What empties a field in the rows of a batch."""
        own = Traversal(self._scope, lambda *_: (), focus=name).tables[name]
        rows = picked(self._scope, name, self._scope.system.collections[name].key)
        return update(own).values({field: null()}).where(*same_key(self._scope, name, own, rows))

    def ordered(self, session: Stepping, rows: Mapping[str, Rows]) -> Iterator[tuple[str, Rows]]:
        """The rows by collection, children before parents.

        Raises:
            NeedsHuman: BLOCKED: rows point to one another round and round, by a foreign key that cannot be empty.
        """
        if (order := _sorted(self._names, self._ties)) is not None:
            yield from ((name, rows[name]) for name in order)
            return
        waiting: dict[Node, int] = {(name, self._key(name, row)): 0 for name in self._names for row in rows[name]}
        parents: dict[Node, list[tuple[Node, Tie]]] = defaultdict(list)
        for number, tie in enumerate(self._ties):
            making = partial(self._pairs, tie)
            size = len(self._scope.system.collections[tie.child].key)
            for pair in session.rows(self._made("pairs", (tuple(self._names), number), making)):
                child, parent = (tie.child, pair[:size]), (tie.parent, pair[size:])
                alone = child == parent and tie.reference.on_delete == "c"  # then it goes with itself
                if child in waiting and parent in waiting and not alone:
                    parents[child].append((parent, tie))
                    waiting[parent] += 1
        for free in _levels(waiting, parents):
            for name in self._names:
                if some := [key for owner, key in free if owner == name]:
                    yield name, some
        if waiting:
            tie = next(tie for node in waiting for parent, tie in parents[node] if parent in waiting)
            raise NeedsHuman(Code.BLOCKED, f"{tie.child} ({tie.reference.name})")

    def still_pointed_to(self, session: Stepping, rows: Mapping[str, Rows]) -> None:
        """Look for what would keep the transaction from committing, which would not say what it is.

        Raises:
            NeedsHuman: BLOCKED, with the table that points to a deleted row.
        """
        for name in self._names:
            own = self._scope.catalogue.tables[name]
            fields = told_columns(self._scope, name)
            known = {field.lower(): number for number, field in enumerate(fields)}
            for reference in self._scope.catalogue.references:
                targets = [known.get(target.lower()) for target in reference.to_columns]
                if reference.to != own.relation or reference.on_delete not in "ar" or not rows[name]:
                    continue
                places = [place for place in targets if place is not None]
                if len(places) < len(targets):
                    continue
                session.give(BATCH, [[row[place] for place in places] for row in rows[name]])
                asked = self._made("pointing", (name, reference.name), partial(self._pointing, reference))
                if session.rows(asked):
                    raise NeedsHuman(Code.BLOCKED, reference.table)

    def _all(self) -> Iterator[Tie]:
        tables = {name: self._scope.catalogue.tables[name] for name in self._names}
        for reference in self._scope.catalogue.references:
            for child, own in tables.items():
                for parent, theirs in tables.items():
                    if (own.relation, theirs.relation) == (reference.relation, reference.to):
                        yield Tie(child, parent, reference)

    def _nullable(self, tie: Tie) -> str | None:
        """A field of the map by which a foreign key can be emptied."""
        names = {name.lower() for name in tie.reference.columns}
        key = self._scope.system.collections[tie.child].key
        columns = self._scope.catalogue.tables[tie.child].columns
        for field, about in columns.items():
            if field.lower() in names and about.nullable and not about.generated and field not in key:
                return field
        return None

    def _key(self, name: str, row: Row) -> Row:
        return row[: len(self._scope.system.collections[name].key)]

    def _pairs(self, tie: Tie) -> ClauseElement:
        """The keys of rows that point to one another by a foreign key: the child's, and the parent's."""
        collections, reference = self._scope.system.collections, tie.reference
        traversal = Traversal(self._scope, lambda *_: (), focus=tie.child)
        below = traversal.listed(tie.child, "r").cte("below")
        child = self._table(tie.child, reference.columns).alias("child")
        parent = self._table(tie.parent, reference.to_columns).alias("parent")
        keys = [cast(child.c[field], Text) for field in collections[tie.child].key]
        keys += [cast(parent.c[field], Text) for field in collections[tie.parent].key]
        on = [
            child.c[own] == parent.c[other] for own, other in zip(reference.columns, reference.to_columns, strict=True)
        ]
        here = same_key(self._scope, tie.child, child, below)
        return select(*keys).select_from(below, child, parent).where(*here, *on)

    def _table(self, name: str, more: Iterable[str]) -> Any:
        """A collection's table with columns that need not be in the map."""
        about = self._scope.catalogue.tables[name]
        types = {field: about.columns[field].type for field in self._scope.system.collections[name].key}
        fields = dict.fromkeys((*types, *more))
        columns = [column(quoted_name(field, quote=True), types.get(field)) for field in fields]
        return table(quoted_name(about.name, quote=True), *columns, schema=quoted_name(about.schema, quote=True))

    def _pointing(self, reference: Reference) -> ClauseElement:
        columns: list[Any] = [column(quoted_name(name, quote=True)) for name in reference.columns]
        pointing = table(
            quoted_name(reference.table, quote=True), *columns, schema=quoted_name(reference.schema, quote=True)
        )
        deleted = self._scope.dialect.elements(BATCH, width=len(columns))
        return select(literal(1)).select_from(pointing).where(together(columns).in_(deleted)).limit(1)


def _reached(start: str, ties: Iterable[Tie]) -> set[str]:
    """The collections that one points to, directly or not, and itself."""
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        more = {tie.parent for tie in ties if tie.child == name} - seen
        seen |= more
        waiting += more
    return seen


def _levels(waiting: dict[Node, int], parents: Mapping[Node, Sequence[tuple[Node, Tie]]]) -> Iterator[list[Node]]:
    """Rows that no other points to, then those that no other points to once these are gone, and so on. What is left
    waiting points to one another."""
    free = [node for node, children in waiting.items() if not children]
    while free:
        yield free
        freed: list[Node] = []
        for node in free:
            del waiting[node]
            for parent, _ in parents.get(node, ()):
                waiting[parent] -= 1
                freed += [] if waiting[parent] else [parent]
        free = freed


def _sorted(names: Sequence[str], ties: Sequence[Tie]) -> list[str] | None:
    """The collections, children first; None if some point to one another in a circle."""
    order: list[str] = []
    waiting = list(names)
    while waiting:
        free = [name for name in waiting if not any(t.parent == name and t.child in waiting for t in ties)]
        if not free:
            return None
        order += free
        waiting = [name for name in waiting if name not in free]
    return order
