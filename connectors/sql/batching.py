"""A person with more rows than one transaction changes: slices, lists of keys, or whatever a statement finds first.

The one rule: children before parents or in one transaction, so that whatever cuts an erasure short leaves a path to
what is left.
"""

import json
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from connectors.anchors import key_name
from connectors.protocol import Call
from connectors.sql import erasure
from connectors.sql.erasure import Batch
from connectors.sql.fates import Fates
from connectors.sql.look import Sight
from connectors.sql.programme import LISTED, Programme, written
from connectors.sql.server import Mode, Session, admitted
from connectors.sql.slices import Slice
from connectors.sql.steps import Steps
from connectors.sql.taken import AGAIN, Carried, Kept, News
from connectors.sql.values import Leads, Listed, narrowed, slot
from connectors.sql.watching import foresee
from rights.receipt import Tally

if TYPE_CHECKING:
    from connectors.sql.changing import Changing

Changes = list[tuple[Batch, tuple[int, int]]]

T = TypeVar("T")

WORTH: Final = 2
"""Rows that a slice has to begin with on the average; with fewer, what hangs on one of them is listed by its keys."""
ROOM: Final = 0.95
"""How full a slice is to be, so that hardly any has too many rows hanging on it, and is made anew."""


class Batching:
    """One erasure, after its look.

    Args:
        changing: the database.
        document: all values of the call, as the statements read them.
        sight, before: the look, and its counts.
        kept: what is kept of the rows that it has seen.
    """

    def __init__(
        self,
        changing: "Changing",
        call: Call,
        programme: Programme | Steps,
        document: Any,
        sight: Sight,
        before: Tally,
        kept: Kept,
    ) -> None:
        self._changing, self._call, self._programme, self._document = changing, call, programme, document
        self._sight, self._before, self._kept, self._most = sight, before, kept, changing.batch_rows

    def run(self) -> Iterator[Changes]:
        """Change what the look has seen, one transaction after the other; each is given once it has committed. What
        comes in meanwhile is found by verify."""
        programme = self._programme
        slices = dict(self._chosen(programme)) if isinstance(programme, Programme) else {}
        below = {name for slice_ in slices for name in slice_.below}
        heads = {slice_.head: slice_ for slice_ in slices}
        for part in programme.parts:
            self._call.beat()
            if len(part) > 1 or part[0].collection in programme.scope.circles:
                if planned := self._sight.planned_of(part):
                    yield self._again(partial(self._carry_out, part, planned, None, self._document))
                continue
            (batch,) = part
            if batch.collection in below:
                continue
            if (slice_ := heads.get(batch.collection)) is None or isinstance(programme, Steps):
                yield from self._one(batch, self._sight.due(batch))
                continue
            left = {one: self._sight.due(one) for one in slice_.batches}
            for changes in self._by_slices(programme, slice_, slices[slice_]):
                left |= {one: left[one] - rows for one, (rows, _) in changes}
                yield changes
            # What hangs on others, or on rows that no look before has kept the keys of; children first. Where more went
            # than was seen, some of it came in late, and it is not known how much of the rest is left.
            for one, rows in left.items():
                yield from self._one(one, rows if rows >= 0 else self._sight.due(one))

    def _chosen(self, programme: Programme) -> Iterator[tuple[Slice, Sequence[str]]]:
        """The slices that are worth it, each with the keys to begin with: of rows that are there, and of which an
        earlier look has kept the keys."""
        taken = set[str]()
        for slice_ in programme.slices:
            due = {batch.collection: self._sight.due(batch) for batch in slice_.batches}
            rows, head = sum(due.values()), slice_.head
            if rows <= self._most or not taken.isdisjoint(due) or rows * WORTH > due[head] * self._most:
                continue
            name = key_name(programme.scope.system.collections[head])
            known = frozenset(self._call.anchors.get(head, {}).get(name, ()))
            if keys := [key for key in self._sight.seen[head].get("keys") or () if key in known]:
                taken |= due.keys()
                yield slice_, keys

    def _by_slices(self, programme: Programme, slice_: Slice, keys: Sequence[str]) -> Iterator[Changes]:
        """Delete rows with all that hangs on them, so many that a transaction changes hardly fewer rows than it may."""
        due = sum(self._sight.due(batch) for batch in slice_.batches)
        at, size = 0, self._fitting(len(keys), due)
        while at < len(keys):
            self._call.beat()
            some = keys[at : at + size]
            rows, changes = self._again(partial(self._slice, programme, slice_, some))
            if changes is not None:
                yield changes
            # One row on which too many hang is left to be changed by lists.
            at += len(some) if changes is not None or len(some) == 1 else 0
            size = self._fitting(len(some), rows)

    def _fitting(self, heads: int, rows: int) -> int:
        """How many rows to begin with, where on so many so many hang."""
        return max(1, int(ROOM * self._most * heads / max(1, rows)))

    def _slice(self, programme: Programme, slice_: Slice, keys: Sequence[str]) -> tuple[int, Changes | None]:
        """Delete one slice; how many rows it has, and what was changed: nothing, if that is too many."""
        most = self._most
        document = written({slot("b", slice_.head): keys})
        with self._begin(document) as session:
            hanging = programme.hanging(session, slice_, most)
            rows = len(keys) + sum(hanging)
            if rows > most:
                session.commit()
                return rows, None
            planned = dict(zip(slice_.collections, (*hanging, len(keys)), strict=True))
            act = partial(programme.carry_out_slice, session, slice_)
            return rows, self._passed(session, act, planned)

    def _one(self, batch: Batch, left: int) -> Iterator[Changes]:
        """Change at most so many rows of one kind of change."""
        programme, most = self._programme, self._most
        if left > most and isinstance(programme, Programme) and programme.listed(batch):
            known = self._sight.known(self._call, batch.collection)
            for changes in self._by_lists(programme, batch, known):
                yield changes
                left -= changes[0][1][0]
            left = 0 if known is not None else left
        if left <= 0:
            return
        document = self._about(batch.collection)
        while left > 0:
            self._call.beat()
            planned = {batch.collection: min(left, most)}
            changes = self._again(partial(self._carry_out, (batch,), planned, most, document))
            yield changes
            ((_, (rows, _)),) = changes
            left = left - rows if rows else 0

    def _carry_out(self, part: tuple[Batch, ...], planned: dict[str, int], rows: int | None, document: Any) -> Changes:
        with self._begin(document) as session:
            foresee(session, self._programme.scope, self._changing.accepted, count=rows is None)
            return self._passed(session, partial(self._programme.carry_out, session, part, rows), planned)

    def _by_lists(self, programme: Programme, batch: Batch, known: Container[str | None] | None) -> Iterator[Changes]:
        """Change rows by lists of their keys, one transaction after the other: those of a list are found at once, while
        whatever leads to all leads past more and more that is gone. What a list does not find any more is left out.

        Of rows that others hang on only those go that are `known`: what hangs on one that came in since has not been
        looked for, and would be left without a path to it.
        """
        call = self._call
        leads = Leads(self._values, programme.scope.system, batch.collection)
        most = self._most

        def lists() -> list[str]:
            with self._changing.writer.transaction(Mode.LOOK, call.session, self._document) as session:
                found: list[str] = programme.keys(session, batch, most)
                session.commit()
            return found

        def change(rows: Listed) -> Changes:
            with self._begin(written(leads.document(rows))) as session:
                act = partial(programme.carry_out_list, session, batch)
                return self._passed(session, act, {batch.collection: len(rows)})

        more = True
        while more:
            call.beat()
            some, more = self._explained(lists), False
            for listed in some:
                rows: Listed = [row for row in json.loads(listed) if known is None or row[0] in known]
                if not rows:
                    continue
                call.beat()
                changes = self._explained(partial(change, rows))
                more = more or changes[0][1][0] > 0
                yield changes
            more = more and len(some) * most >= LISTED

    def _passed(self, session: Session, act: Callable[[], Carried], planned: dict[str, int]) -> Changes:
        """Change rows within the fence, keep what they told, and commit."""

        def kept() -> Changes:
            return self._changing.keeping(self._call, self._programme, self._kept, act())

        watched = partial(self._changing.watched, session, self._programme.scope, kept)
        tell = partial(erasure.tally, self._call.work)
        return self._changing.passed(self._call, session, watched, planned, self._before, tell)

    @contextmanager
    def _begin(self, document: Any) -> Iterator[Any]:
        call = self._call
        with self._changing.writer.transaction(Mode.CHANGE, call.session, document) as session:
            admitted(session, call)
            yield session

    def _explained(self, act: Callable[[], T]) -> T:
        return self._changing.asking.explained(self._changing.writer, act)

    def _again(self, act: Callable[[], T]) -> T:
        """Do something; anew, if the rows that it took told something new."""
        for _ in range(AGAIN):
            with suppress(News):
                return self._explained(act)
        return self._explained(act)

    def _about(self, name: str) -> Any:
        """The document, with only what decides on a collection's rows, where that can be told."""
        stays = isinstance(self._programme, Steps) or Fates(self._programme.scope).may_stay(name)
        return self._document if stays else written(narrowed(self._values, self._programme.scope.system, name))

    @cached_property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self._document)
        return values
