"""Looking and changing collection by collection, for servers that have no statement which does both.

The one rule: what a step has seen travels to the next in the document, and only that of it on which the next depends:
the fields that others link to, from the parents down, and what stays, from the children up. Rows themselves stay in
the database.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Protocol

from sqlalchemy import ClauseElement, FromClause, Integer, Text, cast, delete, false, func, not_, select, tuple_, update

from connectors.errors import NeedsHuman
from connectors.links import MOST
from connectors.protocol import Call
from connectors.sql import erasure
from connectors.sql.catalogue import Catalogue
from connectors.sql.dialects import Engine
from connectors.sql.erasure import Batch
from connectors.sql.export import DOUBT, Exporting
from connectors.sql.fates import (
    DIRTY,
    LINK,
    REASON,
    STAYS,
    TRAIT,
    Fates,
    reason_of,
    remembered,
    telling,
    traits_of,
)
from connectors.sql.look import CANDIDATES, Sight
from connectors.sql.scope import Scope, pointed, told_of
from connectors.sql.statement import Statement, compiled
from connectors.sql.traversal import DECIDED, MATCHED, OTHER, UNIQUE, Traversal
from connectors.sql.values import document, slot
from rights.codes import Code
from rights.datamap import System
from rights.plan import Work

Rows = list[tuple[Any, ...]]
BATCH = slot("b", "")
"""The slot of the keys that one statement changes."""


class Stepping(Protocol):
    """One open transaction of a server that is asked step by step."""

    def rows(self, statement: Statement) -> Rows: ...

    def stream(self, statement: Statement) -> Iterator[tuple[Any, ...]]: ...

    def execute(self, statement: Statement) -> int:
        """The number of rows changed."""

    def hurry(self) -> None:
        """From here on all statements together get the time of one: what a fence has let through ends in time."""

    def give(self, name: str, rows: Sequence[object]) -> None:
        """Put a list into the document, for the statements that follow."""


class Steps:
    """All statements made from the same works on the same tables."""

    def __init__(self, system: System, works: Mapping[str, Work], catalogue: Catalogue, batch_rows: int) -> None:
        self.scope = Scope(system, works, catalogue)
        self._batch_rows = batch_rows
        self._kept: dict[tuple[object, ...], Statement] = {}

    def document(self, call: Call) -> dict[str, object]:
        """All values of a call, as the statements read them."""
        return document(call, self.scope) | {"key": call.pseudonym_key.hex()}

    @cached_property
    def parts(self) -> tuple[tuple[Batch, ...], ...]:
        return tuple(erasure.parts(self.scope))

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(erasure.batches(self.scope))

    def see(self, session: Stepping, *, lock: bool = False) -> Sight:
        """Look; and, if so wished, hold what others hang on, so that nobody can add a child to it."""
        names = self.scope.system.parents_first
        held = erasure.pointed_to(self.scope) if lock and self._locks else []
        seen: dict[str, dict[str, Any]] = {name: {} for name in names}
        for name in names:
            if self.scope.subject(name):
                self._settle(session, name, lock=name in held)
            elif name in held:
                session.rows(self._made("lock", name, partial(self._lock, name)))
            if pointed(self.scope.system, name):
                seen[name] |= self._parents(session, name)
        for name in reversed(names):
            seen[name] |= self._fates(session, name)
        return Sight(self.scope, {name: seen[name] for name in self.scope.system.collections})

    def carry_out(
        self, session: Stepping, batches: Sequence[Batch], rows: int | None
    ) -> list[tuple[Batch, tuple[int, int]]]:
        """Change what `batches` say, in their order; at most `rows` rows of each, if a number is given."""
        session.hurry()
        return [(batch, self._change(session, batch, rows)) for batch in batches]

    @cached_property
    def exporting(self) -> Exporting:
        return Exporting(self.scope)

    def lines(self, session: Stepping) -> Iterator[tuple[int, bytes]]:
        """The lines of all files of an export."""
        for name in self.scope.system.parents_first:
            if self.scope.subject(name) and self._settle(session, name):
                yield DOUBT, name.encode()
            if pointed(self.scope.system, name):
                self._parents(session, name)
        for number, name in enumerate(self.exporting.collections):
            for part in (2 * number, 2 * number + 1):
                making = partial(self.exporting.part, name, table=bool(part % 2))
                for (line,) in session.stream(self._made("line", name, making, part)):
                    yield part, _line(line, name)

    def copied(self, session: Stepping, name: str, table: bool) -> Iterator[bytes]:
        """No file is copied: the server has no such statement, and streams them all."""
        raise RuntimeError("a stepwise export copies nothing")

    @property
    def _locks(self) -> bool:
        """Whether rows can be locked one by one; else a writing transaction has the whole database to itself."""
        return self.scope.catalogue.engine is Engine.MARIADB

    def _made(self, kind: str, about: object, make: Callable[[], ClauseElement], part: object = None) -> Statement:
        key = (kind, about, part)
        if key not in self._kept:
            self._kept[key] = compiled(make(), self.scope.catalogue.engine)
        return self._kept[key]

    def _settle(self, session: Stepping, name: str, *, lock: bool = False) -> int:
        """Find out which rows of a subject collection are the person's, and of how many it is open."""
        rows = session.rows(self._made("seen", name, partial(self._seen, name, lock=lock), lock))
        matching = sum(bool(matched) for *_, matched, _, _, _ in rows)
        mine: list[tuple[Any, ...]] = []
        doubtful: list[tuple[Any, ...]] = []
        for *key, matched, unique, decided, other in rows:
            if other:
                continue
            if decided or (unique and matching == 1):
                mine.append(tuple(key))
            elif matched:
                doubtful.append(tuple(key))
        single = len(self.scope.system.collections[name].key) == 1
        for kind, keys in (("h", mine), ("d", doubtful)):
            session.give(slot(kind, name), [key[0] for key in keys] if single else keys)
        return len(doubtful)

    def _seen(self, name: str, *, lock: bool) -> ClauseElement:
        traversal = Traversal(self.scope, lambda *_: (), [name] if lock else (), name)
        seen = traversal.seen(name)
        key = [cast(part, Text) for part in traversal.key(name, seen)]
        return select(*key, *(seen.c[label] for label in (MATCHED, UNIQUE, DECIDED, OTHER)))

    def _lock(self, name: str) -> ClauseElement:
        return select(func.count()).select_from(Fates(self.scope, [name], name).traversal.located(name))

    def _parents(self, session: Stepping, name: str) -> dict[str, Any]:
        key = self.scope.system.collections[name].key
        fields = told_of(self.scope.system, name)
        columns = list(dict.fromkeys((*key, *fields)))

        def make() -> ClauseElement:
            located = Fates(self.scope, (), name).traversal.located(name)
            return select(*(cast(located.c[field], Text).label(field) for field in columns))

        rows = session.rows(self._made("parents", name, make))
        places = [columns.index(field) for field in fields]
        session.give(slot("l", name), list(dict.fromkeys(tuple(row[place] for place in places) for row in rows)))
        keys = [row[: len(key)] for row in rows]
        seen: dict[str, Any] = {}
        if self.scope.targets[name]:
            seen["keys"] = [part for (part,) in keys] if len(key) == 1 else [list(parts) for parts in keys]
        for field in self.scope.targets[name]:
            place = columns.index(field)
            seen[f"to:{field}"] = list(dict.fromkeys(row[place] for row in rows if row[place] is not None))
        return seen

    def _fates(self, session: Stepping, name: str) -> dict[str, Any]:
        collection = self.scope.system.collections[name]
        may_stay = Fates(self.scope).may_stay(name)
        seen: dict[str, Any] = {"settled": 0, "unclean": 0, "dirty": 0, "goes": 0}
        if may_stay:
            seen |= _grid(session.rows(self._made("grid", name, partial(self._grid, name))), self.scope.grounds)
            if collection.links:
                session.give(slot("f", name), session.rows(self._made("stay", name, partial(self._staying, name))))
            if not self.scope.targets[name]:
                keys = session.rows(self._made("keys", name, partial(self._keys, name)))
                seen["keys"] = [key[0] if len(key) == 1 else list(key) for key in keys]
        else:
            ((found,),) = session.rows(self._made("count", name, partial(self._count, name)))
            seen |= {"found": found, "goes": found}
        if self.scope.subject(name):
            several, size = session.rows(self._made("doubt", name, partial(self._doubt, name))), len(collection.key)
            seen["doubtful"] = several[0][0] if several else 0
            seen["candidates"] = [[row[1 : size + 1], row[size + 1 :]] for row in several]
        for field in telling(self.scope, name):
            values = session.rows(self._made("link", name, partial(self._link, name, field), field))
            seen[f"link:{field}"] = [value for (value,) in values]
        return seen

    def _change(self, session: Stepping, batch: Batch, most: int | None) -> tuple[int, int]:
        """Lock and look, then change by key: way by way, for a row that one way has led to is changed by then."""
        name = batch.collection
        subject, size = self.scope.subject(name), len(self.scope.system.collections[name].key)
        if subject:
            self._settle(session, name, lock=self._locks)
        ways = [None] if subject else range(Fates(self.scope, (), name).traversal.ways(name))
        changed = kept = 0
        for way in ways:
            while most is None or changed < most:
                picked = session.rows(self._made("pick", batch, partial(self._pick, batch, way), way))
                rows = picked if most is None else picked[: most - changed]
                if not rows:
                    break
                if any(part is None for row in rows for part in row[1 : size + 1]):
                    raise NeedsHuman(Code.SCHEMA, name)  # a key that is nothing finds no row
                session.give(BATCH, [row[1:] if batch.deleting is False else row[1 : size + 1] for row in rows])
                done = session.execute(self._made("change", batch, partial(self._changing, batch)))
                if done != len(rows):
                    raise RuntimeError("a locked row was not changed")
                changed, kept = changed + done, kept + sum(bool(row[0]) for row in rows)
                if len(picked) < self._batch_rows:
                    break
        return changed, kept

    def _grid(self, name: str) -> ClauseElement:
        fate = Fates(self.scope, (), name).of(name)
        columns = [fate.rows.c[label] for label in (STAYS, DIRTY, REASON)]
        return select(*columns, func.count()).group_by(*columns)

    def _staying(self, name: str) -> ClauseElement:
        fate = Fates(self.scope, (), name).of(name)
        columns = [
            (cast(fate.rows.c[label], Text) if not label.startswith("=") else fate.rows.c[label]).label(label)
            for label in remembered(self.scope, name)
        ]
        return select(*columns).where(fate.rows.c[STAYS]).distinct()

    def _keys(self, name: str) -> ClauseElement:
        fates = Fates(self.scope, (), name)
        rows = fates.of(name).rows
        return select(*(cast(part, Text) for part in fates.traversal.key(name, rows))).where(rows.c[STAYS])

    def _count(self, name: str) -> ClauseElement:
        return select(func.count()).select_from(Fates(self.scope, (), name).of(name).rows)

    def _doubt(self, name: str) -> ClauseElement:
        traversal = Fates(self.scope, (), name).traversal
        doubtful = traversal.doubtful(name).cte("doubtful")
        key = [cast(part, Text) for part in traversal.key(name, doubtful)]
        traits = [doubtful.c[f"{TRAIT}{field}"] for field in traits_of(self.scope, name)]
        count = select(func.count()).select_from(doubtful).scalar_subquery()
        return select(count, *key, *traits).select_from(doubtful).limit(CANDIDATES)

    def _link(self, name: str, field: str) -> ClauseElement:
        rows = Fates(self.scope, (), name).traversal.located(name)
        value = rows.c[f"{LINK}{field}"]
        return select(value).where(value.is_not(None), value != "").distinct().limit(MOST + 1)

    def _pick(self, batch: Batch, way: int | None) -> ClauseElement:
        """Whether a row is kept on a ground, its key, and what decides on its fields; of rows that are locked then."""
        name = batch.collection
        fates = Fates(self.scope, (), name)
        if way is None:
            source: FromClause = fates.traversal.located(name)
        else:
            rows = fates.traversal.rows(name, way)
            source = (rows.with_for_update() if self._locks else rows).cte("source")
        key = [cast(part, Text) for part in fates.traversal.key(name, source)]
        if not fates.may_stay(name):
            return select(false(), *key).select_from(source).limit(self._batch_rows)
        fated = fates.over(name, source).cte("fated")
        key = [cast(part, Text) for part in fates.traversal.key(name, fated)]
        wanted = fated.c[DIRTY] if batch.deleting is False else not_(fated.c[STAYS])
        deciding = [fated.c[label] for label in self._deciding(name)]
        return select(fated.c[REASON].is_not(None), *key, *deciding).where(wanted).limit(self._batch_rows)

    def _changing(self, batch: Batch) -> ClauseElement:
        name = batch.collection
        fates = Fates(self.scope, (), name)
        table, key = fates.traversal.tables[name], self.scope.system.collections[name].key
        mine = [table.c[field] for field in key]
        if not batch.deleting:
            picked = self._picked([*key, *self._deciding(name)], name)
            same = (one == picked.c[field] for one, field in zip(mine, key, strict=True))
            return update(table).values(fates.settings(name, picked, table)).where(*same)
        picked = self._picked(list(key), name)
        if self.scope.catalogue.engine is Engine.SQLITE:
            return delete(table).where(
                tuple_(*mine).in_(select(picked)) if len(key) > 1 else mine[0].in_(select(picked))
            )
        return delete(table).where(*(one == picked.c[field] for one, field in zip(mine, key, strict=True)))

    def _picked(self, fields: list[str], name: str) -> FromClause:
        given = self.scope.dialect.elements(BATCH, width=len(fields))
        columns = self.scope.catalogue.tables[name].columns
        types = [columns[field].type if field in columns else Integer() for field in fields]
        parts = zip(given.selected_columns, fields, types, strict=True)
        return given.with_only_columns(*(cast(part, type_).label(field) for part, field, type_ in parts)).subquery(
            "picked"
        )

    def _deciding(self, name: str) -> list[str]:
        """What a kept row's fields hang on: which duties are in force."""
        return [label for label in remembered(self.scope, name) if label.startswith("=") and label != STAYS]


def _line(line: str | None, name: str) -> bytes:
    if line is None:  # the server gives nothing rather than more than it may send at once
        raise NeedsHuman(Code.TOO_LARGE, name)
    return line.encode()


def _grid(rows: Rows, grounds: tuple[str, ...]) -> dict[str, Any]:
    """Counts, out of rows by fate; kept ones by ground and year of their last day, with the latest of those days."""
    counts: Counter[str] = Counter()
    kept: dict[tuple[str, int | None], tuple[int, int]] = {}
    for stays, dirty, why, number in rows:
        reason = None if why is None else int(why)
        counts["found"] += number
        counts["goes"] += 0 if stays else number
        counts["dirty"] += number if dirty else 0
        counts["settled"] += number if stays and reason is None and not dirty else 0
        counts["unclean"] += number if reason is not None and dirty else 0
        if reason is not None:
            ground, day = reason_of(reason, grounds)
            year = day.year if day else None
            latest, before = kept.get((ground, year), (0, 0))
            kept[ground, year] = (max(latest, reason), before + number)
    names = ("found", "goes", "dirty", "settled", "unclean")
    return {name: counts[name] for name in names} | {"kept": list(kept.values())}
