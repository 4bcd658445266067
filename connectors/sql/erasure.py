"""Erasing: statements that delete and rewrite, and the order in which they are carried out.

The one rule: children before parents, or all in one statement, so that whatever cuts an erasure short leaves a path to
what is left; and a row is changed only by a statement that has locked it and looked at it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, cast

from sqlalchemy import (
    CTE,
    JSON,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    delete,
    false,
    func,
    literal_column,
    null,
    select,
    true,
    update,
)
from sqlalchemy import cast as cast_text
from sqlalchemy.sql.elements import Label

from connectors.sql import taken
from connectors.sql.fates import DIRTY, REASON, STAYS, Fates, telling
from connectors.sql.restriction import entry, forget
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.traversal import Traversal
from rights import sharing
from rights.datamap import Erase, Strategy
from rights.plan import Work
from rights.receipt import Count, Tally

KEPT: Final = "=kept"
ENTRY: Final = "=entry"


@dataclass(frozen=True, slots=True)
class Batch:
    """One kind of change in one collection."""

    collection: str
    deleting: bool


Changes = Sequence[tuple[Batch, tuple[int, int]]]
"""What was changed: the rows, and how many of them are kept on a ground."""


def batches(scope: Scope) -> Iterator[Batch]:
    """All changes of a system, in the order in which they may be carried out one by one."""
    fates = Fates(scope)
    for name in reversed(scope.system.parents_first):
        if scope.works[name].erase is Erase.DELETE:
            yield Batch(name, deleting=True)
        if fates.may_stay(name) and _rewrites(scope.works[name]):
            yield Batch(name, deleting=False)


def lockable(scope: Scope) -> list[str]:
    """The collections an erasure may change; a role needs no right to change those that are retained."""
    return [name for name, work in scope.works.items() if work.erase is not Erase.RETAIN]


def unfit(scope: Scope) -> str:
    """The first table in which nothing can be erased for certain, and why; empty if there is none."""
    for name in lockable(scope):
        table = scope.catalogue.tables[name]
        if not table.undoes:
            return f"{name} (an engine without transactions)"
        if table.unwritten:
            return f"{name} ({table.unwritten})"
        if table.remembers:
            return f"{name} (system-versioned: what is erased stays in its history)"
    return ""


def pointed_to(scope: Scope) -> list[str]:
    """Of those, the collections that others hang on: while their rows are locked, no child can be added."""
    parents = {link.target[0] for c in scope.system.collections.values() for link in c.links}
    return [name for name in lockable(scope) if name in parents or scope.doubts(name)]


def parts(scope: Scope) -> Iterator[tuple[Batch, ...]]:
    """The changes that go together however many rows they are: no order of a circle's rows leaves a path to those that
    are not reached yet; and rows that are shared by a list of people have that list pointing to them."""
    order = list(batches(scope))
    places = {name: [n for n, batch in enumerate(order) if batch.collection == name] for name in scope.works}
    tied: list[tuple[str, ...]] = [*dict.fromkeys(scope.circles.values())]
    for name, collection in scope.system.collections.items():
        lists = (li.target[0] for li in collection.shares if sharing.to_many(scope.system.collections, li))
        tied += [(name, target) for target in lists]
    joined: set[int] = set()
    for group in tied:
        within = [place for name in group for place in places[name]]
        joined |= set(range(min(within, default=0), max(within, default=0)))
    part: list[Batch] = []
    for place, batch in enumerate(order):
        part.append(batch)
        if place not in joined:
            yield _in_turn(scope, part)
            part = []


def _in_turn(scope: Scope, part: Sequence[Batch]) -> tuple[Batch, ...]:
    """Changes that go together, each where no row of another points to what it takes."""
    before: dict[str, set[str]] = {batch.collection: set() for batch in part}
    for name in before:
        for link in scope.system.collections[name].links:
            if link.target[0] in before:
                lists = link.shared and sharing.to_many(scope.system.collections, link)
                first, then = (link.target[0], name) if lists else (name, link.target[0])
                before[then].add(first)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return tuple(part)
    return tuple(sorted(part, key=lambda batch: order.index(batch.collection)))


def change(scope: Scope, some: Sequence[Batch]) -> Select[Any]:
    """All of some changes at once: one row with, for each of them, the rows changed and what these told."""
    names = {batch.collection for batch in some}
    fates = Fates(scope, [name for name in lockable(scope) if name in names])
    changed: list[Sql] = []
    forgot: list[CTE] = []
    for number, batch in enumerate(some):
        fate = fates.of(batch.collection)
        if batch.deleting:
            done = _deleted(fates, batch.collection, fate.rows, ~fate.stays)
        else:
            done = _rewritten(fates, batch.collection, fate.rows, fate.dirty)
        rows = done.cte(f"changed_{number}")
        changed += counted(scope, batch, rows, number)
        forgot += forgotten(scope, batch, rows, number)
    return select(*changed).add_cte(*forgot)


def listed(scope: Scope, batch: Batch) -> bool:
    """Whether the rows of a kind of change can be listed by their keys, to be changed from there: if all go, whatever
    hangs on them."""
    name = batch.collection
    collection = scope.system.collections[name]
    key = collection.key
    lone = not scope.subject(name) and name not in scope.circles and not collection.shares and len(key) == 1
    # What a row says of the person is told before it goes: a list's rows are not looked at again.
    return (
        lone
        and not telling(scope, name)
        and batch.deleting
        and not Fates(scope).may_stay(name)
        and scope.served(name, key[0])
    )


def keys(scope: Scope, batch: Batch, most: int, rows: int) -> Select[Any]:
    """The keys of at most so many rows, as they lie in the table, in lists of `rows`, each a JSON text; with each key
    what the row's links hold."""
    name = batch.collection
    collection = scope.system.collections[name]
    source = Traversal(scope, lambda *_: ()).rows(name).limit(most).subquery("source")
    parts = [
        cast_text(source.c[field], Text) for field in (*collection.key, *(link.field for link in collection.links))
    ]
    number = (cast_text(func.row_number().over(), Integer) - 1) // literal_column(str(rows), Integer)
    numbered = select(func.json_build_array(*parts).label("=row"), number.label("=list")).subquery("numbered")
    lists = select(cast_text(func.json_agg(numbered.c["=row"]), Text)).group_by(numbered.c["=list"])
    return lists.order_by(numbered.c["=list"])


def of_list(scope: Scope, batch: Batch) -> Select[Any]:
    """The rows of one kind of change whose keys are in the document: one row with how many were changed.

    Nothing else decides on these rows than what leads to them, so they are not looked at before: the statement that
    deletes a row locks it, and asks again of one that has changed meanwhile.
    """
    name = batch.collection
    fates = Fates(scope, batch=name)
    reached = fates.traversal.rows(name).whereclause
    if reached is None:
        raise RuntimeError("nothing leads to a collection")
    changed = deleted(fates, name, None, reached).cte("changed")
    return select(*counted(None, batch, changed, 0)).add_cte(*forgotten(scope, batch, changed, 0))


def some(scope: Scope, batch: Batch, rows: int) -> Select[Any]:
    """At most so many rows of one kind of change: one row with how many were changed, and what they told."""
    name = batch.collection
    subject = scope.doubts(name)
    fates = Fates(scope, [name] if subject else [])
    # A large collection is not read to its end for each batch, so the limit has to reach its table.
    source: FromClause = fates.traversal.located(name) if subject else fates.traversal.rows(name).subquery("source")
    if fates.may_stay(name):
        chosen = fates.over(name, source)
        wanted = cast(Label[bool], chosen.selected_columns[STAYS if batch.deleting else DIRTY]).element
        chosen = chosen.where(~wanted if batch.deleting else wanted)
    else:
        chosen = select(source)
    chosen = chosen.limit(rows)
    picked = (chosen if subject else chosen.with_for_update(of=source)).cte("picked")
    make = _deleted if batch.deleting else _rewritten
    changed = make(fates, name, picked, true()).cte("changed")
    return select(*counted(scope, batch, changed, 0)).add_cte(*forgotten(scope, batch, changed, 0))


def tally(works: Sequence[Work], changes: Changes, before: Tally | None = None) -> Tally:
    """The counts of changes, beside those of the look before them if one is given.

    A row counts once; a kept row counts as kept even if a field of it went, so it is not counted here.
    """
    numbers: Counter[tuple[str, str]] = Counter()
    pseudonyms = {work.collection for work in works if any(w.strategy is Strategy.PSEUDONYM for w in work.writes)}
    for batch, (rows, kept) in changes:
        rewriting = "pseudonymised" if batch.collection in pseudonyms else "anonymised"
        numbers[batch.collection, "erased" if batch.deleting else rewriting] += rows - kept
    counts = []
    for name in (work.collection for work in works):
        seen = before.of(name) if before else Count(collection=name)
        counts.append(
            Count(
                collection=name,
                found=seen.found,
                kept=seen.kept,
                erased=numbers[name, "erased"],
                anonymised=numbers[name, "anonymised"],
                pseudonymised=numbers[name, "pseudonymised"],
            )
        )
    return Tally(counts=tuple(counts))


def keyed(works: Iterable[Work]) -> bool:
    """Whether any field becomes a pseudonym."""
    return any(
        write.strategy is Strategy.PSEUDONYM
        for work in works
        for write in (*work.writes, *(write for keep in work.keeps for write in keep.writes))
    )


def _deleted(fates: Fates, name: str, rows: FromClause, condition: Sql) -> Any:
    return deleted(fates, name, rows.c, _same_key(fates, name, rows), condition)


def deleted(fates: Fates, name: str, told: Any, *conditions: Sql) -> Any:
    """Delete rows, each of which tells what `told` has of it, by name; None: nothing."""
    table = fates.traversal.tables[name]
    columns: list[Sql] = [false().label(KEPT)]
    if fates.scope.restricts:
        columns.append(entry(fates.scope, name, table).label(ENTRY))
    if told is not None:
        columns += taken.columns(fates.scope, name, told)
    return delete(table).where(*conditions).returning(*columns)


def forgotten(scope: Scope, batch: Batch, changed: CTE, number: int) -> list[CTE]:
    """What takes the entries of deleted rows out of the list of what is restricted."""
    if not (scope.restricts and batch.deleting):
        return []
    return [forget(scope, batch.collection, changed, ENTRY).cte(f"forgotten_{number}")]


def _rewritten(fates: Fates, name: str, rows: FromClause, condition: Sql) -> Any:
    table = fates.traversal.tables[name]
    kept = rows.c[REASON].is_not(None).label(KEPT)
    values = fates.settings(name, rows, table)
    told = taken.columns(fates.scope, name, rows.c)
    return update(table).values(values).where(_same_key(fates, name, rows), condition).returning(kept, *told)


def _same_key(fates: Fates, name: str, rows: FromClause) -> Sql:
    table = fates.traversal.tables[name]
    keys = zip(fates.traversal.key(name, table), fates.traversal.key(name, rows), strict=True)
    return and_(*(mine == theirs for mine, theirs in keys))


def counted(scope: Scope | None, batch: Batch, changed: CTE, number: int) -> list[Sql]:
    """How many rows were changed, how many of them are kept, and, within a scope, what they told."""
    kept = changed.c[KEPT]
    told = cast_text(null(), JSON) if scope is None else taken.said(scope, batch.collection, changed)
    return [
        select(func.count()).select_from(changed).scalar_subquery().label(f"rows_{number}"),
        select(func.count()).select_from(changed).where(kept).scalar_subquery().label(f"kept_{number}"),
        told.label(f"told_{number}"),
    ]


def _rewrites(work: Work) -> bool:
    return bool(work.writes or any(keep.writes for keep in work.keeps))
