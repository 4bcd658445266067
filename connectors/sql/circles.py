"""Circles of links on servers that are asked step by step: followed round by round, and erased together.

The one rule: a round asks only for what hangs on the rows that the last one has found, so a circle costs what its rows
cost; and it ends when a round finds nothing new.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ClauseElement, Select, func, select

from connectors.sql.erasure import Batch
from connectors.sql.scope import Scope
from connectors.sql.stepping import BATCH, Made, Row, Rows, Stepping, deleting, keys_of, told, told_texts
from connectors.sql.traversal import Traversal
from connectors.sql.untying import Untying
from connectors.sql.values import slot

Settle = Callable[..., tuple[Rows, Rows]]
"""Finds out which rows of a subject collection are the person's, and of which it is open."""


class Circles:
    """The circles of one system."""

    def __init__(self, scope: Scope, made: Made, settle: Settle, batch_rows: int) -> None:
        self._scope, self._made, self._settle, self._batch_rows = scope, made, settle, batch_rows

    def follow(
        self, session: Stepping, group: Sequence[str], lock: Collection[str] = ()
    ) -> tuple[Mapping[str, Rows], Mapping[str, int]]:
        """Find all rows of a circle; their keys then lie in the document, and of how many others it is open.

        A row is locked before it is asked what hangs on it, so that nothing can be added to it unseen.

        Returns:
            By collection, the rows (the key, and what links need to know, as texts), and the number of doubtful ones.
        """
        scope = self._scope
        found, doubtful = self._outside(session, group, lock)
        known: dict[str, dict[Row, Row]] = {name: {} for name in group}
        while True:
            fresh = {name: self._new(name, rows, known[name]) for name, rows in found.items()}
            if not any(fresh.values()):
                break
            for name, rows in fresh.items():
                session.give(slot("l", name), told(scope, name, rows))
            found = defaultdict(list)
            for name in group:
                for number, link in enumerate(scope.system.collections[name].links):
                    if link.kind == "unique" and fresh.get(link.target[0]):
                        making = partial(self._hop, name, number, locking=name in lock)
                        found[name] += session.rows(self._made("hop", (name, number), making, name in lock))
        open_: dict[str, int] = {}
        for name in group:
            rows = list(known[name].values())
            session.give(slot("l", name), told(scope, name, rows))
            session.give(slot("r", name), keys_of(scope, name, rows))
            left = [row for row in doubtful.get(name, ()) if row not in known[name]]
            session.give(slot("d", name), keys_of(scope, name, left))
            open_[name] = len(left)
        return {name: list(rows.values()) for name, rows in known.items()}, open_

    def hold(self, session: Stepping, names: Sequence[str], lock: Collection[str]) -> dict[str, Rows]:
        """Lock the rows that a look has found, and say which are still there. What hangs on them since is left to the
        next look, which finds it by their anchors: what hangs on it in turn has not been changed yet."""
        held: dict[str, Rows] = {}
        for name in names:
            making = partial(self._known, name, locking=name in lock)
            held[name] = session.rows(self._made("hold", name, making, name in lock))
        return held

    def erase(self, session: Stepping, part: Sequence[Batch], lock: Collection[str]) -> list[int]:
        """Delete the rows of a circle that a look has found, in one transaction; how many there were, for each part.

        Raises:
            NeedsHuman: BLOCKED: a foreign key lets no order of them be deleted.
        """
        names = [batch.collection for batch in part]
        rows = self.hold(session, names, lock)
        untying = Untying(self._scope, self._made, names)
        deferred = session.defer()
        for name, field in untying.nulled_by_parents if deferred else untying.nulled:
            making = partial(untying.nulling, name, field)
            for batch in self._batches(name, rows[name]):
                session.give(BATCH, batch)
                session.emptied += session.execute(self._made("untie", (name, field), making))
        if deferred:
            for name in names:
                self._delete(session, name, rows[name])
            untying.still_pointed_to(session, rows)
        else:
            for name, some in untying.ordered(session, rows):
                self._delete(session, name, some)
        for name in names:
            # Counted, because a cascade may have taken a row before its turn came.
            ((left,),) = session.rows(self._made("left", name, partial(self._left, name)))
            if left:
                raise RuntimeError("a locked row was not deleted")
        return [len(rows[name]) for name in names]

    def _outside(
        self, session: Stepping, group: Sequence[str], lock: Collection[str]
    ) -> tuple[dict[str, Rows], dict[str, Rows]]:
        """The rows that something from outside of the circle leads to, and those of which it is open."""
        found: dict[str, Rows] = {}
        doubtful: dict[str, Rows] = {}
        for name in group:
            if self._scope.subject(name):
                _, doubtful[name] = self._settle(session, name, lock=name in lock)
            making = partial(self._entrance, name, locking=name in lock)
            found[name] = session.rows(self._made("outside", name, making, name in lock))
        return found, doubtful

    def _entrance(self, name: str, *, locking: bool) -> ClauseElement:
        traversal = self._traversal(name)
        subject = self._scope.subject(name)  # whose rows are locked already
        rows = traversal.listed(name, "h") if subject else traversal.rows(name)
        return self._texts(name, rows.with_for_update() if locking and not subject else rows)

    def _known(self, name: str, *, locking: bool) -> ClauseElement:
        rows = self._traversal(name).listed(name, "r")
        return self._texts(name, rows.with_for_update() if locking else rows)

    def _hop(self, name: str, number: int, *, locking: bool) -> ClauseElement:
        link = self._scope.system.collections[name].links[number]
        rows = self._traversal(name).children(name, link)
        return self._texts(name, rows.with_for_update() if locking else rows)

    def _left(self, name: str) -> ClauseElement:
        return select(func.count()).select_from(self._traversal(name).listed(name, "r").subquery("left"))

    def _traversal(self, name: str) -> Traversal:
        return Traversal(self._scope, lambda *_: (), focus=name)

    def _texts(self, name: str, rows: Select[Any]) -> ClauseElement:
        return told_texts(self._scope, name, rows.cte("found"))

    def _new(self, name: str, rows: Rows, known: dict[Row, Row]) -> Rows:
        """Those rows that were not known; they are from now on."""
        size = len(self._scope.system.collections[name].key)
        new = {row[:size]: row for row in rows if row[:size] not in known}
        known.update(new)
        return list(new.values())

    def _delete(self, session: Stepping, name: str, rows: Rows) -> None:
        making = partial(deleting, self._scope, name, self._traversal(name).tables[name])
        for batch in self._batches(name, rows):
            session.give(BATCH, batch)
            session.execute(self._made("delete", name, making))

    def _batches(self, name: str, rows: Rows) -> Iterator[Rows]:
        size = len(self._scope.system.collections[name].key)
        for at in range(0, len(rows), self._batch_rows):
            yield [row[:size] for row in rows[at : at + self._batch_rows]]
