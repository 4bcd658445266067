"""Restricting, lifting and rectifying in one system, each looked at again before it is called done.

The one rule: the second look is the act itself behind a fence that lets nothing through: what it still wants to change
is not as it should be, and what no longer denies anybody is found out in the same way as before the first.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from activities.calls import wall_clock
from activities.tools import Tools
from connectors.errors import Held, NeedsHuman, Unsupported
from connectors.protocol import Call, Connector, Fence, Intent, Look, Rectifies, Restricted, Restricts, unkept
from rights.codes import Code
from rights.minors import minors_law
from rights.plan import Step
from rights.receipt import Count, Tally
from rights.request import Right
from rights.restriction import Extent, Ground, RestrictionDetails, locked_by

AGAIN = 3
"""How often what came in between an act and the look after it is acted on before a person is asked."""

_GROUNDS = {Right.RECTIFICATION: Ground.ACCURACY, Right.OBJECTION: Ground.OBJECTION}
"""Why data is restricted while another right is decided on."""

_NOTHING: Mapping[str, int] = {}


class _Due(Held):
    """The fence was asked for something, where everything was to be done."""

    def __init__(self, planned: Mapping[str, int]) -> None:
        super().__init__(Code.NOT_LOCKED)
        self.planned = dict(planned)


def _shut(planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
    raise _Due(planned)


class Acting:
    """Acts that lock away, put back and correct."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def restrict(self, connector: Connector, call: Call, step: Step) -> Look:
        """Lock the person's data away, having written down that it is, and see that none is left open.

        Raises:
            Unsupported: the system has no way to, or none for some collections: what it could is locked away by then.
            NeedsHuman: NOT_LOCKED, what came in meanwhile keeps coming.
        """
        able = _able(connector, step)
        call = replace(call, fence=self._beginning(call, step))
        restricted, open_ = self._locked(able, call, step), _NOTHING
        # Where nothing was to be locked away: what comes later is.
        self._begin(step, call.as_of)
        for _ in range(AGAIN):
            call = replace(call, restricted=restricted.state)
            if not (open_ := left(able.restrict, call)):
                if restricted.without:
                    raise Unsupported(Code.UNSUPPORTED, ", ".join(restricted.without), tally=restricted.tally)
                return Look(restricted.tally)
            restricted = self._locked(able, call, step)
        raise NeedsHuman(Code.NOT_LOCKED, ", ".join(sorted(open_)), tally=restricted.tally)

    def lift(self, connector: Connector, call: Call, step: Step) -> Look:
        """Put back what was locked away, and see that nothing is locked away any more.

        Raises:
            Unsupported: the system has no way to.
            NeedsHuman: STILL_LOCKED, it comes back; or as the connector says, where something new stands in the place.
        """
        able = _able(connector, step)
        tally, locked = able.lift(call), _NOTHING
        for _ in range(AGAIN):
            if not (locked := left(able.lift, call)):
                # Only now: an attempt that was cut has to know what is left to put back.
                self._seal(step, {})
                return Look(tally)
            able.lift(call)
        raise NeedsHuman(Code.STILL_LOCKED, ", ".join(sorted(locked)), tally=tally)

    def rectify(self, connector: Connector, call: Call, step: Step) -> Tally:
        """Write the corrections.

        Raises:
            Unsupported: the system has no way to.
        """
        if not isinstance(connector, Rectifies):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        return connector.rectify(call)

    def still_says(self, connector: Connector, call: Call, step: Step) -> Look:
        """See that what was corrected still says so; the tally finds the rows that do not, and those that stay as they
        were on a ground of their own.

        Raises:
            Unsupported: the system has no way to.
            NeedsHuman: as `rectify` does.
        """
        if not isinstance(connector, Rectifies):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        call.beat()
        try:
            tally = connector.rectify(replace(call, fence=_shut, keep=unkept))
        except _Due as due:
            return Look(Tally(counts=tuple(Count(collection=name, found=rows) for name, rows in due.planned.items())))
        staying = tuple(Count(collection=c.collection, found=c.kept_rows, kept=c.kept) for c in tally.counts if c.kept)
        return Look(Tally(counts=staying))

    def _locked(self, able: Restricts, call: Call, step: Step) -> Restricted:
        restricted = able.restrict(call)
        if restricted.state != call.restricted:
            self._seal(step, restricted.state)
        return restricted

    def _beginning(self, call: Call, step: Step) -> Fence:
        """The fence, behind which the restriction is written down before anything is locked away; a call that it stops
        has restricted nobody."""

        @contextmanager
        def begun(planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
            with call.fence(planned, look) as intent:
                try:
                    self._begin(step, call.as_of)
                except BaseException:
                    # Nothing is changed, so nothing is left to be looked for.
                    intent.done(Tally())
                    raise
                yield intent

        return begun

    def _begin(self, step: Step, as_of: datetime) -> None:
        """Write the restriction down; no effect if it is."""
        ledger = self._tools.ledger
        if ledger.restriction(step.request_id):
            return
        right = ledger.request(step.request_id).right
        if right is Right.ERASURE:
            # Nobody has asked for it: what had to stay is put out of use, and goes (ledger/rests.py).
            ledger.lock_rest(step.request_id, step.system, at=as_of)
            return
        extent = Extent()
        ground, review_on = _GROUNDS.get(right, Ground.ACCURACY), as_of + self._tools.terms.review
        if right is Right.RESTRICTION:
            details = ledger.details(step.request_id, right)
            assert isinstance(details, RestrictionDetails)  # noqa: S101 - the model of this right
            ground, extent = details.ground, details.extent
            if details.review_on:
                review_on = datetime.combine(details.review_on, as_of.timetz())
            elif ground is Ground.MINOR:
                review_on = as_of + timedelta(days=minors_law().lane.review_days)
        systems = self._tools.map_of(ledger.request(step.request_id)).systems.values()
        ledger.begin_restriction(
            step.request_id,
            ground,
            at=as_of,
            review_on=review_on,
            locked=locked_by(extent, systems),
            look_on=as_of + self._tools.terms.look,
        )

    def _seal(self, step: Step, state: Mapping[str, str]) -> None:
        body = json.dumps(dict(state)).encode()
        self._tools.ledger.seal(step.request_id, "working", f"restricted/{step.system}", body, at=wall_clock())


def _able(connector: Connector, step: Step) -> Restricts:
    if not isinstance(connector, Restricts):
        raise Unsupported(Code.UNSUPPORTED, step.system)
    return connector


def left(act: Callable[[Call], object], call: Call) -> Mapping[str, int]:
    """How many rows of which collections an act still finds something to do in, which it then does not."""
    call.beat()
    try:
        act(replace(call, fence=_shut))
    except _Due as due:
        return due.planned
    return {}
