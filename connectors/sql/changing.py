"""Changing rows: transactions on the primary, each behind a fence of its own.

The one rule: what is about to change is locked and looked at before the fence is entered, in the transaction that
changes it; what its rows tell is kept before it commits; and what it did is told only once it has.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.protocol import Call
from connectors.sql import erasure
from connectors.sql.asking import Asking
from connectors.sql.batching import Batching, Changes
from connectors.sql.look import Sight
from connectors.sql.programme import Programme
from connectors.sql.scope import Scope
from connectors.sql.server import Database, Mode, Session, admitted
from connectors.sql.steps import Steps
from connectors.sql.taken import Carried, Kept, tells
from connectors.sql.watching import foresee, watch
from rights.codes import Code
from rights.receipt import Tally

T = TypeVar("T")
Problem = Callable[[Database, Exception], ConnectorError]
Begin = Callable[[], AbstractContextManager[Any]]


class Changing:
    """The one database that is written to."""

    def __init__(self, asking: Asking, writer: Database, batch_rows: int, accepted: Collection[str] = ()) -> None:
        self.asking, self.writer, self.batch_rows, self.accepted = asking, writer, batch_rows, accepted

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
            whole = sum(planned.values()) <= self.batch_rows and not large
            kept = Kept(call, sight.anchors() if planned else {}, sight.links(call))
            if planned:
                call.remember(sight.anchors())
                foresee(session, programme.scope, self.accepted)
            if planned and whole:
                act = partial(self._carried_out, call, session, programme, sight, kept)
                change = partial(self.watched, session, programme.scope, act)
                done = self.passed(call, session, change, planned, before, partial(erasure.tally, call.work))
            else:
                session.commit()
        if planned and not whole:
            try:
                for changes in Batching(self, call, programme, document, sight, before, kept).run():
                    done += changes
            except ConnectorError as error:
                error.tally = erasure.tally(call.work, done, before)
                raise
        return erasure.tally(call.work, done, before)

    def _carried_out(self, call: Call, session: Any, programme: Programme | Steps, sight: Sight, kept: Kept) -> Changes:
        """Change all in one transaction. One statement sees all of one moment; step by step, a row may come in after
        what hangs on it has had its turn.

        Raises:
            Retryable: BUSY: one has, or a row that came in told something new; nothing is changed, and the next attempt
                finds it.
        """
        carried = programme.carry_out(session, programme.batches, None)
        scope = programme.scope
        for batch, (rows, _) in carried.changes if isinstance(programme, Steps) else ():
            if tells(scope, batch.collection) and rows > sight.due(batch):
                raise Retryable(Code.BUSY, self.asking.system.system)
        return self.keeping(call, programme, kept, carried)

    def keeping(self, call: Call, programme: Programme | Steps, kept: Kept, carried: Carried) -> Changes:
        """What was changed, once what these rows told is kept: some may have come in since the look."""
        if carried.told:
            told = Sight.of(programme.scope, carried.told)
            kept.keep(told.anchors(), told.links(call))
        return carried.changes

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
        watching = watch(session, scope, self.accepted)
        changes = act()
        watching.judge(changes)
        return changes

    def _large(self, programme: Programme, call: Call) -> bool:
        """Whether an earlier look has found more rows on which others hang than one transaction changes."""
        found = (
            len(keys) for name in erasure.pointed_to(programme.scope) for keys in call.anchors.get(name, {}).values()
        )
        return max(found, default=0) > self.batch_rows
