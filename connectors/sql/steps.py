"""Looking and changing collection by collection, for servers that have no statement which does both.

The one rule: what a step has seen travels to the next in the document, and only that of it on which the next depends:
the fields that others link to, from the parents down, and what stays, from the children up. Rows themselves stay in
the database.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import Any

from sqlalchemy import ClauseElement, FromClause, Integer, Text, cast, false, func, not_, select, update

from connectors.errors import NeedsHuman
from connectors.protocol import Call
from connectors.sql import erasure, mentions, questions
from connectors.sql.catalogue import Catalogue
from connectors.sql.circles import Circles
from connectors.sql.dialects import Engine
from connectors.sql.erasure import Batch
from connectors.sql.export import DOUBT, Exporting
from connectors.sql.fates import (
    DIRTY,
    REASON,
    STAYS,
    Fates,
    reason_of,
    remembered,
    telling,
)
from connectors.sql.look import Sight
from connectors.sql.mariadb.effects import refuse_taken
from connectors.sql.rectification import Statements
from connectors.sql.scope import Scope, pointed
from connectors.sql.sharing import owned, somebody_elses
from connectors.sql.statement import Statement
from connectors.sql.stepping import (
    BATCH,
    Made,
    Rows,
    Stepping,
    deleting,
    keys_of,
    picked,
    same_key,
    told,
    told_columns,
    told_texts,
)
from connectors.sql.taken import Carried
from connectors.sql.telling import Told, telling_columns
from connectors.sql.traversal import DECIDED, MATCHED, OTHER, UNIQUE, Traversal
from connectors.sql.values import document, slot
from rights.codes import Code
from rights.datamap import System
from rights.plan import Work


class Steps:
    """All statements made from the same works on the same tables."""

    def __init__(self, system: System, works: Mapping[str, Work], catalogue: Catalogue, batch_rows: int) -> None:
        self.scope = Scope(system, works, catalogue)
        self._batch_rows = batch_rows
        self._made = Made(catalogue.engine)
        self._circles = Circles(self.scope, self._made, self._settle, batch_rows)

    def document(self, call: Call) -> dict[str, object]:
        """All values of a call, as the statements read them."""
        return document(call, self.scope) | {"key": call.pseudonym_key.hex()}

    @cached_property
    def parts(self) -> tuple[tuple[Batch, ...], ...]:
        return tuple(erasure.parts(self.scope))

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(batch for part in self.parts for batch in part)

    def see(self, session: Stepping, *, lock: bool = False) -> Sight:
        """Look; and, if so wished, hold what others hang on, so that nobody can add a child to it."""
        held = erasure.pointed_to(self.scope) if lock and self._locks else []
        seen: dict[str, dict[str, Any]] = {name: {} for name in self.scope.system.collections}
        mine: dict[str, Rows] = {}
        for group in self.scope.system.groups:
            if group[0] in self.scope.circles:
                found, _ = self._circles.follow(session, group, held)
                mine |= found
                for name in filter(partial(pointed, self.scope.system), group):
                    seen[name] |= self._remembered(name, found[name])
                    self._tell_apart(session, name, found[name])
                continue
            for name in group:
                if self.scope.subject(name):
                    mine[name], _ = self._settle(session, name, lock=name in held)
                elif name in held:
                    session.rows(self._made("lock", name, partial(self._lock, name)))
                if pointed(self.scope.system, name):
                    seen[name] |= self._parents(session, name)
                looking = partial(self._looking, name)
                seen[name] |= owned(self.scope, self._made, session, name, looking)
        for name in reversed(self.scope.system.parents_first):
            seen[name] |= self._fates(session, name)
            if not held and name in mine and seen[name]["found"] != len(mine[name]):
                raise NeedsHuman(Code.SCHEMA, name)  # a row that is not found again by its key would be passed over
        return Sight(self.scope, seen)

    def settle(self, session: Stepping, name: str) -> None:
        """Find out anew which rows of a subject collection, or of a circle, are the person's, and hold them."""
        if circle := self.scope.circles.get(name):
            self._circles.hold(session, circle, erasure.lockable(self.scope) if self._locks else [])
        elif self.scope.subject(name):
            self._settle(session, name, lock=self._locks)

    @cached_property
    def rectification(self) -> Statements:
        return Statements(self.scope, self._batch_rows)

    def carry_out(self, session: Stepping, batches: Sequence[Batch], rows: int | None) -> Carried:
        """Change what `batches` say, in their order; at most `rows` rows of each, if a number is given."""
        session.hurry()
        done: list[tuple[Batch, tuple[int, int]]] = []
        told = Told(self.scope)
        for circle, part in groupby(batches, key=lambda batch: self.scope.circles.get(batch.collection)):
            if circle:
                done += self._go_round(session, list(part), told)
            else:
                done += [(batch, self._change(session, batch, rows, told)) for batch in part]
        return Carried(done, told.seen)

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """What an erasure runs, in its order: for each kind of change, rows are picked, then changed by key."""
        made: list[Statement] = []
        for batch in self.batches:
            made += (self._made("pick", batch, partial(self._pick, batch, way), way) for way in self._ways(batch))
            made.append(self._made("change", batch, partial(self._changing, batch)))
        return tuple(statement.text.decode() for statement in made)

    @cached_property
    def exporting(self) -> Exporting:
        return Exporting(self.scope)

    def lines(self, session: Stepping) -> Iterator[tuple[int, bytes]]:
        """The lines of all files of an export."""
        yield from ((DOUBT, name.encode()) for name in self._find(session))
        for number, name in enumerate(self.exporting.collections):
            for part in (2 * number, 2 * number + 1):
                making = partial(self.exporting.part, name, table=bool(part % 2))
                for (line,) in session.stream(self._made("line", name, making, part)):
                    yield part, _line(line, name)

    def copied(self, session: Stepping, name: str, table: bool) -> Iterator[bytes]:
        """No file is copied: the server has no such statement, and streams them all."""
        raise RuntimeError("a stepwise export copies nothing")

    def mentions(self, session: Stepping, name: str) -> Rows:
        """The rows of a collection in which a text mentions the person: see `mentions.question`."""
        for _ in self._find(session):
            pass  # what is open is no mention either
        return session.rows(self._made("mentions", name, partial(mentions.question, self.scope, name)))

    def _find(self, session: Stepping) -> Iterator[str]:
        """Find all rows of the person, and the collections in which it is open of some."""
        for group in self.scope.system.groups:
            if group[0] in self.scope.circles:
                found, doubtful = self._circles.follow(session, group)
                for name in group:
                    self._tell_apart(session, name, found[name])
                yield from (name for name in group if doubtful[name])
                continue
            for name in group:
                if self.scope.subject(name):
                    self._settle(session, name)
                if self.scope.doubts(name) and self._several(session, name):
                    yield name
                if pointed(self.scope.system, name):
                    self._parents(session, name)

    @property
    def _locks(self) -> bool:
        """Whether rows can be locked one by one; else a writing transaction has the whole database to itself."""
        return self.scope.catalogue.engine is Engine.MARIADB

    def _settle(self, session: Stepping, name: str, *, lock: bool = False) -> tuple[Rows, Rows]:
        """Find out which rows of a subject collection are the person's, and of which it is open."""
        rows = session.rows(self._made("seen", name, partial(self._seen, name, lock=lock), lock))
        matching = sum(bool(matched) for *_, matched, _, _, _ in rows)
        mine: Rows = []
        doubtful: Rows = []
        for *key, matched, unique, decided, other in rows:
            if other:
                continue
            if decided or (unique and matching == 1):
                mine.append(tuple(key))
            elif matched:
                doubtful.append(tuple(key))
        for kind, keys in (("h", mine), ("d", doubtful)):
            session.give(slot(kind, name), keys_of(self.scope, name, keys))
        return mine, doubtful

    def _seen(self, name: str, *, lock: bool) -> ClauseElement:
        traversal = Traversal(self.scope, lambda *_: (), [name] if lock else (), name)
        seen = traversal.seen(name)
        key = [cast(part, Text) for part in traversal.key(name, seen)]
        return select(*key, *(seen.c[label] for label in (MATCHED, UNIQUE, DECIDED, OTHER)))

    def _lock(self, name: str) -> ClauseElement:
        return select(func.count()).select_from(Fates(self.scope, [name], name).traversal.located(name))

    def _parents(self, session: Stepping, name: str) -> dict[str, Any]:
        def make() -> ClauseElement:
            located = Fates(self.scope, (), name).traversal.located(name)
            shared = cast(somebody_elses(self.scope, name, located), Integer)
            return told_texts(self.scope, name, located).add_columns(shared)

        rows = session.rows(self._made("parents", name, make))
        session.give(slot("l", name), told(self.scope, name, rows))
        self._tell_apart(session, name, [row for row in rows if not row[-1]])
        return self._remembered(name, rows)

    def _looking(self, name: str) -> Traversal:
        return Fates(self.scope, (), name).traversal

    def _tell_apart(self, session: Stepping, name: str, alone: Rows) -> None:
        """Put the keys of rows that are the person's alone into the document, where shared rows link to them."""
        if name in self.scope.told_apart:
            session.give(slot("n", name), keys_of(self.scope, name, alone))

    def _remembered(self, name: str, rows: Rows) -> dict[str, Any]:
        """What is remembered of rows that links point to: their keys, and what the links compare with."""
        columns, size = told_columns(self.scope, name), len(self.scope.system.collections[name].key)
        seen: dict[str, Any] = {}
        if self.scope.targets[name]:
            seen["keys"] = [row[0] for row in rows] if size == 1 else [list(row[:size]) for row in rows]
        for field in self.scope.targets[name]:
            place = columns.index(field)
            seen[f"to:{field}"] = list(dict.fromkeys(row[place] for row in rows if row[place] is not None))
        return seen

    def _fates(self, session: Stepping, name: str) -> dict[str, Any]:
        collection = self.scope.system.collections[name]
        may_stay = Fates(self.scope).may_stay(name)
        seen: dict[str, Any] = {"settled": 0, "unclean": 0, "dirty": 0, "goes": 0}
        if may_stay:
            seen |= _grid(self._asked(session, questions.grid, name), self.scope.grounds)
            if collection.links:
                session.give(
                    slot("f", name),
                    self._asked(session, questions.staying, name),
                )
            if not self.scope.targets[name] and not collection.shares:
                keys = self._asked(session, questions.keys, name)
                seen["keys"] = [key[0] if len(key) == 1 else list(key) for key in keys]
        else:
            ((found,),) = self._asked(session, questions.count, name)
            seen |= {"found": found, "goes": found}
        if self.scope.doubts(name):
            several, size = self._several(session, name), len(collection.key)
            seen["doubtful"] = several[0][0] if several else 0
            seen["candidates"] = [[row[1 : size + 1], row[size + 1 :]] for row in several]
        return seen | self._links(session, name)

    def _links(self, session: Stepping, name: str) -> dict[str, Any]:
        """What the person's rows of a collection say that other systems know them by."""
        seen: dict[str, Any] = {}
        for field in telling(self.scope, name):
            values = self._asked(session, questions.link, name, field)
            seen[f"link:{field}"] = [value for (value,) in values]
        return seen

    def _asked(self, session: Stepping, question: Callable[..., ClauseElement], name: str, *about: str) -> Rows:
        """What a question about a collection is answered with."""
        making = partial(question, self.scope, name, *about)
        return session.rows(self._made(question.__name__, name, making, *about))

    def _several(self, session: Stepping, name: str) -> Rows:
        """Rows of which it is open whose they are, each with the number of all of them."""
        return self._asked(session, questions.doubt, name)

    def _go_round(self, session: Stepping, part: list[Batch], told: Told) -> list[tuple[Batch, tuple[int, int]]]:
        """Change the rows of a circle that the look has found."""
        held = erasure.lockable(self.scope) if self._locks else []
        if any(batch.deleting for batch in part):
            names = [batch.collection for batch in part]
            for name, rows in self._circles.hold(session, names, held).items():
                told.add(name, self._remembered(name, rows) | self._links(session, name))
            erased = self._circles.erase(session, part, held)
            return [(batch, (rows, 0)) for batch, rows in zip(part, erased, strict=True)]
        return [(batch, self._change(session, batch, None, told)) for batch in part]

    def _change(self, session: Stepping, batch: Batch, most: int | None, told: Told) -> tuple[int, int]:
        """Lock and look, then change by key: way by way, for a row that one way has led to is changed by then."""
        name = batch.collection
        size = len(self.scope.system.collections[name].key)
        deciding = size + len(self._deciding(name)) if batch.deleting is False else size
        self.settle(session, name)
        changed = kept = 0
        for way in self._ways(batch):
            while most is None or changed < most:
                picked = session.rows(self._made("pick", batch, partial(self._pick, batch, way), way))
                rows = picked if most is None else picked[: most - changed]
                if not rows:
                    break
                if any(part is None for row in rows for part in row[1 : size + 1]):
                    raise NeedsHuman(Code.SCHEMA, name)  # a key that is nothing finds no row
                told.add_rows(name, rows)
                session.give(BATCH, [row[1 : deciding + 1] for row in rows])
                if batch.deleting and most is not None:
                    refuse_taken(session, self.scope, name)
                done = session.execute(self._made("change", batch, partial(self._changing, batch)))
                if done != len(rows):
                    raise NeedsHuman(Code.SIDE_EFFECTS, f"{name} ({len(rows) - done:,} rows stayed: a trigger)")
                changed, kept = changed + done, kept + sum(bool(row[0]) for row in rows)
                if len(picked) < self._batch_rows:
                    break
        return changed, kept

    def _ways(self, batch: Batch) -> Sequence[int | None]:
        """Ways to the rows of a collection; those of a subject are settled together, and those of a circle known."""
        name = batch.collection
        known = self.scope.doubts(name) or name in self.scope.circles
        return [None] if known else range(Fates(self.scope, (), name).traversal.ways(name))

    def _pick(self, batch: Batch, way: int | None) -> ClauseElement:
        """Whether a row is kept on a ground, its key, what decides on its fields, and what it tells; of rows that are
        locked then."""
        name = batch.collection
        fates = Fates(self.scope, [name] if self._locks and self.scope.asks(name) else (), name)
        if way is None:
            source: FromClause = fates.traversal.located(name)
        else:
            source = fates.traversal.rows(name, way, lock=self._locks).cte("source")
        key = [cast(part, Text) for part in fates.traversal.key(name, source)]
        if not fates.may_stay(name):
            return select(false(), *key, *telling_columns(self.scope, name, source)).limit(self._batch_rows)
        fated = fates.over(name, source).cte("fated")
        key = [cast(part, Text) for part in fates.traversal.key(name, fated)]
        wanted = fated.c[DIRTY] if batch.deleting is False else not_(fated.c[STAYS])
        deciding = [fated.c[label] for label in self._deciding(name)]
        told = telling_columns(self.scope, name, fated)
        return select(fated.c[REASON].is_not(None), *key, *deciding, *told).where(wanted).limit(self._batch_rows)

    def _changing(self, batch: Batch) -> ClauseElement:
        name = batch.collection
        fates = Fates(self.scope, (), name)
        table, key = fates.traversal.tables[name], self.scope.system.collections[name].key
        if batch.deleting:
            return deleting(self.scope, name, table)
        rows = picked(self.scope, name, [*key, *self._deciding(name)])
        return update(table).values(fates.settings(name, rows, table)).where(*same_key(self.scope, name, table, rows))

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
