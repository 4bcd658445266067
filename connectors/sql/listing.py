"""Restricting and lifting: what is entered into the list of restricted rows, and what is taken off it.

The one rule: one transaction, behind the fence, and nothing is entered that no policy denies.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from connectors.errors import NeedsHuman, Unsupported
from connectors.protocol import Call, Restricted
from connectors.sql import restriction
from connectors.sql.changing import Changing
from connectors.sql.programme import Programme
from connectors.sql.server import Mode, Session, admitted
from connectors.sql.steps import Steps
from rights.codes import Code
from rights.receipt import Tally

T = TypeVar("T")


class Listing:
    """The list of one database."""

    def __init__(self, changing: Changing) -> None:
        self._changing, self._asking, self._writer = changing, changing.asking, changing.writer

    def restrict(self, call: Call) -> Restricted:
        """List the person's rows, so that the policies of their tables deny them to everybody but the engine."""
        return self._acted(call, self._list)

    def lift(self, call: Call) -> Tally:
        """Take what this request has listed off the list; what another has, stays on it."""
        return self._acted(call, self._unlist)

    def _acted(self, call: Call, act: Callable[[Call, Session, Programme], T]) -> T:
        """Do something about the list in one transaction."""

        def acted() -> T:
            call.beat()
            programme = self._asking.programme(self._writer, call)
            if isinstance(programme, Steps):
                raise Unsupported(Code.UNSUPPORTED, call.system.system)
            asked = restriction.asked(call, programme.scope)
            with self._writer.transaction(Mode.CHANGE, call.session, asked) as session:
                admitted(session, call, end=call.cut_short)
                return act(call, session, programme)

        return self._asking.explained(self._writer, acted)

    def _list(self, call: Call, session: Any, programme: Programme) -> Restricted:
        sight = programme.see(session, lock=True)
        if sight.doubtful:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
        # Only now: nobody can drop a policy of a table that this transaction has looked at.
        restriction.require(session.connection, call.system, programme.scope.catalogue)
        names = restriction.locked(programme.scope)
        tally = restriction.tally(call.system, {name: sight.seen[name]["found"] for name in names})
        due = restriction.due_of(programme.scope, session.row(programme.restriction.due))
        if any(due.values()):
            enter = partial(session.row, programme.restriction.enter)
            self._changing.passed(call, session, enter, due, tally, lambda _: tally)
        else:
            session.commit()
        return Restricted(tally, restriction.state_of(call))

    def _unlist(self, call: Call, session: Any, programme: Programme) -> Tally:
        (entries,) = session.row(programme.restriction.entered)
        due = restriction.by_collection(programme.scope, entries)
        tally = restriction.tally(call.system, due)
        if entries:
            take_out = partial(session.row, programme.restriction.take_out)
            self._changing.passed(call, session, take_out, due, tally, lambda _: tally)
        else:
            session.commit()
        return tally
