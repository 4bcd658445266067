"""What answered erasures have left: whether anything keeps it still, and the request that carries it out when not.

The one rule: it goes through a request of its own, with its fence, holds, looks and books, on the map of that day; and
what has come since the answer is not erased on the old word unless a person has looked at it.
"""

from datetime import timedelta

import structlog
from temporalio import activity

from activities.opening import Ask
from activities.tools import Tools
from ledger.deferrals import Deferred
from ledger.requestrow import RequestRow
from rights.datamap import DataMap
from rights.deadlines import start_clock
from rights.deferred import REVIEW_EVERY, more_than
from rights.journal import DEFERRED
from rights.plan import Operation
from rights.receipt import newest
from rights.regimes import regime
from rights.request import Right
from rights.value import Value


class Reviewed(Value):
    """Whether there is anything to wait for, and when it is looked next."""

    over: bool
    next_in_seconds: float = 0


class DeferringActivities:
    """The work of the `deferred` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="review_deferred", no_thread_cancel_exception=True)
    def review(self, ask: Ask) -> Reviewed:
        """Look whether anything keeps what a request has left; where nothing does, have it carried out."""
        ledger, at = self._tools.ledger, ask.as_of
        left = ledger.deferral(ask.request_id)
        if left is None or left.over_at is not None:
            return Reviewed(over=True)
        if left.due(at):
            made = self._open(left, ask)
            structlog.get_logger().info("deferred_carried_out", request_id=ask.request_id, by=made)
            return Reviewed(over=True)
        if left.asks(at) and ledger.ask_of_rest(ask.request_id, at=at):
            structlog.get_logger().info("rest_review_asked", request_id=ask.request_id)
        days = (day for day in (left.not_before, left.ask_at) if day and at < day < at + REVIEW_EVERY)
        pause = min(days, default=at + REVIEW_EVERY) - at
        ledger.note_review(ask.request_id, at + pause)
        return Reviewed(over=False, next_in_seconds=max(pause, timedelta(seconds=1)).total_seconds())

    def _open(self, left: Deferred, ask: Ask) -> str:
        """Open the request that carries it out; the same one if that was done before. Its id."""
        ledger, at = self._tools.ledger, ask.as_of
        row = ledger.request(left.request_id)
        zone, holidays = row.clock.zone, row.clock.holidays
        clock, *further = (start_clock(regime(law), at, zone, holidays, Right.ERASURE) for law in row.regimes)
        mark = f"deferred/{left.request_id}/{left.deferred_at.isoformat()}"
        return ledger.open_request(
            Right.ERASURE,
            clock.regime,
            ledger.deferred_people(left.request_id),
            clock,
            further=further,
            received_at=at,
            idempotency_key=mark,
            confirmed=True,
            # Its own wish: it is joined to no other request of the same person.
            details=mark.encode(),
            assurance=DEFERRED,
            ground=DEFERRED,
            second_factor=True,
            data_map=_map_for(left, self._tools.data_map),
            carries_on=ledger.deferred_rest(left.request_id),
        ).request_id


def _map_for(left: Deferred, today: DataMap) -> DataMap:
    """The systems in which something was left, as today's map has them; all of it where one is not there any more,
    since it may have another name now."""
    if not set(left.systems) <= today.systems.keys():
        return today
    return DataMap.of({name: one for name, one in today.systems.items() if name in left.systems})


def beyond_the_rest(tools: Tools, row: RequestRow) -> bool:
    """Of a request that carries out what an earlier one had to leave: whether it would take more along. Somebody who
    was erased may have come back since, or the map, or what the earlier one has left once more, has changed so that
    nobody can tell."""
    if row.right is not Right.ERASURE or tools.ledger.carried_on(row.id) != DEFERRED:
        return False
    left = tools.ledger.carries_out(row.id)
    if left is None or not set(left.systems) <= tools.pinned(row.map_digest).systems.keys():
        return True
    looks = newest(tools.ledger.receipts(row.id), Operation.LOCATE)
    return any(more_than(left.left.get(name, {}), look.tally) for name, look in looks.items())
