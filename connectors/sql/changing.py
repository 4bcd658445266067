"""Changing rows: transactions on the primary, each behind a fence of its own.

The one rule: what is about to change is locked and looked at before the fence is entered, in the transaction that
changes it; and what a transaction did is told only once it has committed.
"""

import json
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.protocol import Call
from connectors.sql import erasure
from connectors.sql.asking import Asking
from connectors.sql.erasure import Batch
from connectors.sql.fates import telling
from connectors.sql.look import Sight
from connectors.sql.programme import LISTED, Programme
from connectors.sql.scope import Scope
from connectors.sql.server import Database, Mode, Session
from connectors.sql.steps import Steps
from connectors.sql.values import Leads, Listed
from connectors.sql.watching import foresee, watch
from rights.codes import Code
from rights.receipt import Tally

T = TypeVar("T")
Changes = list[tuple[Batch, tuple[int, int]]]
Problem = Callable[[Database, Exception], ConnectorError]
Begin = Callable[[], AbstractContextManager[Any]]


def admitted(session: Session, call: Call, *, end: bool = False) -> None:
    """Refuse a database that is not marked with the worker's environment, or in which another attempt is at work.

    Raises:
        NeedsHuman: ENVIRONMENT: it is not marked so.
        Retryable: BUSY: another attempt has not ended yet.
    """
    if not call.environment or session.environment != call.environment:
        raise NeedsHuman(Code.ENVIRONMENT, call.system.system)
    if not session.alone(call.session, end=end):
        raise Retryable(Code.BUSY, call.system.system)


class Changing:
    """The one database that is written to."""

    def __init__(self, asking: Asking, writer: Database, batch_rows: int, accepted: Collection[str] = ()) -> None:
        self.asking, self.writer, self._batch_rows, self._accepted = asking, writer, batch_rows, accepted

    def erase(self, call: Call) -> Tally:
        """Delete and rewrite: up to `batch_rows` rows in one transaction, more in several, children before parents."""
        call.beat()
        if erasure.keyed(call.work) and not call.pseudonym_key:
            raise ValueError("a pseudonym needs a key")
        programme = self.asking.programme(self.writer, call)
        if unfit := erasure.unfit(programme.scope):
            raise NeedsHuman(Code.SCHEMA, unfit)
        document = programme.document(call)
        begin = partial(self.writer.transaction, Mode.CHANGE, call.session, document)
        done: Changes = []
        # What is known to be large is not held while it is looked at: it goes in transactions of its own anyway.
        large = isinstance(programme, Programme) and self._large(programme, call)
        with begin() as session:
            admitted(session, call, end=call.cut_short)
            sight = programme.see(session, lock=not large)
            if sight.doubtful:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
            call.learn(sight.links(call))
            before, planned = sight.tally(call.work), sight.planned
            whole = sum(planned.values()) <= self._batch_rows and not large
            if planned:
                call.remember(sight.anchors())
                foresee(session, programme.scope, self._accepted)
            if planned and whole:
                act = partial(self._carried_out, session, programme, sight)
                change = partial(self.watched, session, programme.scope, act)
                done = self.passed(call, session, change, planned, before, partial(erasure.tally, call.work))
            else:
                session.commit()
        if planned and not whole:
            self._in_batches(begin, document, call, programme, sight, before, done)
        return erasure.tally(call.work, done, before)

    def _carried_out(self, session: Any, programme: Programme | Steps, sight: Sight) -> Changes:
        """Change all in one transaction. One statement sees all of one moment; step by step, a row may come in after
        what hangs on it has had its turn.

        Raises:
            Retryable: BUSY: one has; nothing is changed, and the next attempt finds it.
        """
        changes: Changes = programme.carry_out(session, programme.batches, None)
        scope = programme.scope
        for batch, (rows, _) in changes if isinstance(programme, Steps) else ():
            tells = scope.targets[batch.collection] or telling(scope, batch.collection)
            if tells and rows > sight.due(batch):
                raise Retryable(Code.BUSY, self.asking.system.system)
        return changes

    def passed(
        self,
        call: Call,
        session: Session,
        change: Callable[[], T],
        planned: dict[str, int],
        before: Tally,
        tell: Callable[[T], Tally],
        problem: Problem | None = None,
    ) -> T:
        """Change rows inside the fence, and commit; `tell` says what a change has done, and `problem` what the driver's
        error means where that is more than usual."""
        database = session.database
        trouble: Exception
        with call.fence(planned, before) as intent:
            try:
                changes = change()
                session.commit()
            except database.errors as error:
                trouble = error
            except ConnectorError as error:
                trouble = error
            else:
                intent.done(tell(changes))
                return changes
            if session.undone:
                intent.done(Tally())
            if isinstance(trouble, ConnectorError):
                raise trouble
            raise (problem or self.asking.problem)(database, trouble)

    def watched(self, session: Any, scope: Scope, act: Callable[[], Changes]) -> Changes:
        """Change rows, and see that nothing else has changed with them. Whatever changes the system's own rows passes
        here, within the fence."""
        watching = watch(session, scope, self._accepted)
        changes = act()
        watching.judge(changes)
        return changes

    def _in_batches(
        self,
        begin: Begin,
        document: Any,
        call: Call,
        programme: Programme | Steps,
        sight: Sight,
        before: Tally,
        done: Changes,
    ) -> None:
        """Change what a look has seen, one transaction after the other; what comes in meanwhile is found by verify."""

        def carry_out(part: tuple[Batch, ...], planned: dict[str, int], rows: int | None) -> Changes:
            with begin() as session:
                admitted(session, call)
                foresee(session, programme.scope, self._accepted, count=rows is None)
                act = partial(programme.carry_out, session, part, rows)
                change = partial(self.watched, session, programme.scope, act)
                return self.passed(call, session, change, planned, before, partial(erasure.tally, call.work))

        most = self._batch_rows
        try:
            for part in programme.parts:
                call.beat()
                if len(part) > 1 or part[0].collection in programme.scope.circles:
                    planned = sight.planned_of(part)
                    if planned:
                        self._remember(document, call, programme, part)
                        done += self.asking.explained(self.writer, partial(carry_out, part, planned, None))
                    continue
                (batch,) = part
                left = sight.due(batch)
                if left > most and isinstance(programme, Programme) and programme.listed(batch):
                    known = sight.known(call, batch.collection)
                    for changes in self._by_lists(document, call, programme, batch, before, known):
                        done += changes
                        left -= changes[0][1][0]
                    left = 0 if known is not None else left
                while left > 0:
                    call.beat()
                    self._remember(document, call, programme, part)
                    planned = {batch.collection: min(left, most)}
                    changes = self.asking.explained(self.writer, partial(carry_out, part, planned, most))
                    done += changes
                    ((_, (rows, _)),) = changes
                    left = left - rows if rows else 0
        except ConnectorError as error:
            error.tally = erasure.tally(call.work, done, before)
            raise

    def _remember(self, document: Any, call: Call, programme: Programme | Steps, part: Sequence[Batch]) -> None:
        """Look again before rows change that others hang on, or that say more of the person: what hung on those that
        were seen at first is gone by now, but some may have come in since, with what hangs on them. A row that is
        rewritten may lose its own path as well as one that goes."""
        scope = programme.scope
        if not any(scope.targets[batch.collection] or telling(scope, batch.collection) for batch in part):
            return

        def look() -> Sight:
            with self.writer.transaction(Mode.LOOK, call.session, document) as session:
                sight = programme.see(session)
                session.commit()
            return sight

        sight = self.asking.explained(self.writer, look)
        call.learn(sight.links(call))
        call.remember(sight.anchors())

    def _by_lists(
        self,
        document: str,
        call: Call,
        programme: Programme,
        batch: Batch,
        before: Tally,
        known: Container[str | None] | None,
    ) -> Iterator[Changes]:
        """Change rows by lists of their keys, one transaction after the other: those of a list are found at once, while
        whatever leads to all leads past more and more that is gone. What a list does not find any more is left out.

        Of rows that others hang on only those go that are `known`: what hangs on one that came in since has not been
        looked for, and would be left without a path to it.
        """
        leads = Leads(json.loads(document), programme.scope.system, batch.collection)

        def lists() -> list[str]:
            with self.writer.transaction(Mode.LOOK, call.session, document) as session:
                found = programme.keys(session, batch, self._batch_rows)
                session.commit()
            return found

        def change(rows: Listed) -> Changes:
            values = json.dumps(leads.document(rows), ensure_ascii=False)
            with self.writer.transaction(Mode.CHANGE, call.session, values) as session:
                admitted(session, call)
                foresee(session, programme.scope, self._accepted, count=False)
                act = partial(programme.carry_out_list, session, batch)
                watched = partial(self.watched, session, programme.scope, act)
                planned = {batch.collection: len(rows)}
                return self.passed(call, session, watched, planned, before, partial(erasure.tally, call.work))

        more = True
        while more:
            call.beat()
            some, more = self.asking.explained(self.writer, lists), False
            for listed in some:
                rows: Listed = [row for row in json.loads(listed) if known is None or row[0] in known]
                if not rows:
                    continue
                call.beat()
                changes = self.asking.explained(self.writer, partial(change, rows))
                more = more or changes[0][1][0] > 0
                yield changes
            more = more and len(some) * self._batch_rows >= LISTED

    def _large(self, programme: Programme, call: Call) -> bool:
        """Whether an earlier look has found more rows on which others hang than one transaction changes."""
        found = (
            len(keys) for name in erasure.pointed_to(programme.scope) for keys in call.anchors.get(name, {}).values()
        )
        return max(found, default=0) > self._batch_rows
