"""Whose a shared row is, as SQL.

The one rule is that of `connectors.sharing`, which says the same for rows in Python: a row is somebody else's too as
long as one of its links leads to a row that is not this person's alone.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    FromClause,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from connectors.sharing import anchor_name
from connectors.sql.comparing import Condition, known
from connectors.sql.dialects import Engine
from connectors.sql.reading import meets
from connectors.sql.rewriting import Sql, dirty
from connectors.sql.scope import Scope
from rights import sharing
from rights.datamap import Erase, Link, Strategy

if TYPE_CHECKING:
    from connectors.sql.stepping import Made, Stepping
    from connectors.sql.traversal import Traversal

MINE: Final = "=mine:"
"""Before the place of a link among `rights.sharing.owners`: whether it leads to this person."""
OTHERS: Final = "=others:"
"""Before the same: whether it leads to somebody else."""
RULED: Final = "=ruled"
"""Whether an agent has ruled that a row which is asked about is somebody else's."""
MAY: Final = "=may:"
"""Before a field's name: whether an erasure may rewrite it, as far as it goes by whose it is."""


class Sharing:
    """The shared rows of one statement."""

    def __init__(self, traversal: "Traversal") -> None:
        self._traversal, self._scope = traversal, traversal.scope

    def ways(self, name: str) -> list[tuple[Condition, bool]]:
        """What leads to a row: its links, and its key where an erasure may have cut one."""
        return [way for _, ways in self._by_link(name) for way in ways]

    def rows(self, name: str, only: int | None, *, lock: bool) -> Select[Any]:
        """A collection's rows, with whose they are as further columns."""
        collection, table = self._scope.system.collections[name], self._traversal.tables[name]
        ways = self.ways(name)
        indexed = all(served for _, served in ways)
        columns: list[Sql] = [table.c[field] for field in collection.fields]
        mine = dict(self._by_link(name))
        for number, link in enumerate(sharing.owners(collection)):
            # By a hash: what leads to a row is asked of it once more, and an array would be searched from end to end.
            leads = [way(False) for way, _ in mine.get(number, ())]
            columns.append(known(or_(false(), *leads)).label(f"{MINE}{number}"))
            columns.append(self._leads_elsewhere(name, link).label(f"{OTHERS}{number}"))
        if self._scope.asks(name):
            columns.append(known(self._traversal.lists.keyed(name, "x")(False)).label(RULED))
        inner = self._traversal.chosen(name, columns, [way(indexed) for way, _ in ways], only)
        if lock:
            inner = inner.with_for_update()
        elif self._scope.catalogue.engine is Engine.POSTGRESQL:
            # So that what is asked of each row is asked once, and not wherever the answer is used.
            inner = inner.offset(literal_column("0"))
        part = inner.subquery("part")
        labels = [column for column in part.c if column.name.startswith("=")]
        return select(*self._traversal.columns_of(name, part), *labels).select_from(part)

    def open(self, name: str, rows: FromClause) -> Sql:
        """Whether a row is to be asked about."""
        return and_(somebody_elses(self._scope, name, rows), not_(rows.c[RULED]))

    def _by_link(self, name: str) -> Iterator[tuple[int, list[tuple[Condition, bool]]]]:
        collection = self._scope.system.collections[name]
        for number, link in enumerate(sharing.owners(collection)):
            if not link.shared:
                continue
            reached, served = self._traversal.link(name, link)
            is_cut = self._is_cut(name, link)
            if is_cut is None:
                yield number, [(reached, served)]
                continue
            anchored = self._traversal.lists.keyed(name, "w", field=anchor_name(link))
            # What somebody has written there since would be theirs.
            yield number, [(_both(reached, not_(is_cut)), served), (_both(anchored, is_cut), True)]

    def _is_cut(self, name: str, link: Link) -> Sql | None:
        """Whether an erasure has rewritten what a link goes by; None: it never does."""
        bases, table = self._scope.system.collections[name].bases(link.field), self._traversal.tables[name]
        writes = [write for write in self._scope.works[name].writes if write.field in bases]
        if not writes:
            return None
        return or_(*(not_(dirty(self._scope.column(name, w.field), w, table.c[w.field])) for w in writes))

    def _leads_elsewhere(self, name: str, link: Link) -> Sql:
        """Whether a link leads to a row that is not the person's alone, and that is not nobody's."""
        parent, _ = link.target
        above = self._traversal.tables[parent].alias("=above")
        conditions = [meets(self._scope, name, self._traversal.tables[name], link, above)]
        conditions.append(not_(self._traversal.alone(parent, above)))
        if (nobody := self._nobody(parent, above)) is not None:
            conditions.append(not_(nobody))
        if (is_cut := self._is_cut(name, link)) is not None:
            conditions.append(not_(is_cut))
        if self._scope.asks(name):
            conditions.append(not_(known(self._traversal.lists.keyed(name, "m")(False))))
        elsewhere: Select[Any] = select(literal_column("1")).select_from(above).where(*conditions)
        return elsewhere.correlate(self._traversal.tables[name]).exists()

    def _nobody(self, name: str, rows: FromClause) -> Sql | None:
        """Whether an erasure has taken of a row of a subject collection who it was."""
        collection, work = self._scope.system.collections[name], self._scope.works[name]
        identities = [field for field, about in collection.identities.items() if about.sharing != "hint"]
        if not identities or work.erase is Erase.RETAIN or not all(collection.rewritten(field) for field in identities):
            return None
        return not_(or_(*(dirty(self._scope.column(name, w.field), w, rows.c[w.field]) for w in work.writes)))


def owned(
    scope: Scope, made: "Made", session: "Stepping", name: str, looking: "Callable[[], Traversal]"
) -> dict[str, list[object]]:
    """The keys of shared rows that are the person's by a link which an erasure may cut, where each collection is looked
    at by itself."""

    def make(number: int) -> Select[Any]:
        traversal = looking()
        rows = traversal.located(name)
        key: list[Sql] = [cast(part, Text) for part in traversal.key(name, rows)]
        return select(*key).where(rows.c[f"{MINE}{number}"])

    collection, seen = scope.system.collections[name], dict[str, list[object]]()
    for number, link in enumerate(sharing.owners(collection)):
        if link.shared and sharing.cut(collection, link):
            rows = session.rows(made("owned", name, partial(make, number), number))
            seen[anchor_name(link)] = [row[0] if len(row) == 1 else list(row) for row in rows]
    return seen


def somebody_elses(scope: Scope, name: str, rows: FromClause) -> Sql:
    """Whether a row is somebody else's too."""
    if not scope.system.collections[name].shares:
        return false()
    return or_(*(rows.c[f"{OTHERS}{number}"] for number in range(len(sharing.owners(scope.system.collections[name])))))


def given(scope: Scope, name: str, rows: FromClause, field: str) -> Sql:
    """A field as it is handed over: nothing, where it is not the person's."""
    collection = scope.system.collections[name]
    if not collection.shares:
        return rows.c[field]
    if named := sharing.named(collection, field):
        return case((_any(rows, MINE, named), rows.c[field]))
    if sharing.open_to_all(collection, field):
        return rows.c[field]
    return case((not_(somebody_elses(scope, name, rows)), rows.c[field]))


def may(scope: Scope, name: str, rows: FromClause, field: str) -> Sql:
    """Whether an erasure may rewrite a field, as far as it goes by whose it is."""
    return or_(not_(somebody_elses(scope, name, rows)), _rewritten(scope, name, rows, field))


def left(scope: Scope, name: str, rows: FromClause) -> tuple[Sql, list[tuple[str, Sql]]]:
    """Why a row that is somebody else's too is kept: whether for that very reason; else, by ground, whether a field of
    the person's is."""
    collection, works = scope.system.collections[name], scope.works[name]
    written = {write.field for write in works.writes}
    takes: list[Sql] = []
    stays: list[Sql] = []
    grounds: list[tuple[str, Sql]] = []
    for field, about in collection.fields.items():
        if not (named := sharing.named(collection, field)):
            continue
        there = and_(_any(rows, MINE, named), func.coalesce(cast(rows.c[field], Text), "") != "")
        rewritten = _rewritten(scope, name, rows, field) if field in written else false()
        takes.append(rewritten)
        if about.strategy is Strategy.RETAIN:
            grounds.append((about.ground, there))
        elif about.category or about.identity:
            stays.append(and_(there, not_(rewritten)))
    return or_(not_(or_(false(), *takes)), *stays), sorted(grounds, key=lambda ground: ground[0])


def _rewritten(scope: Scope, name: str, rows: FromClause, field: str) -> Sql:
    collection = scope.system.collections[name]
    named = sharing.named(collection, field)
    if not named or sharing.treatment(collection) != "redact":
        return false()
    return and_(_any(rows, MINE, named), not_(_any(rows, OTHERS, named)))


def _any(rows: FromClause, label: str, numbers: Iterable[int]) -> Sql:
    return or_(*(rows.c[f"{label}{number}"] for number in numbers))


def _both(way: Condition, more: Sql) -> Condition:
    return lambda indexed: and_(way(indexed), more)
