"""Objections, opt-outs and reviews: entries of the suppression list, and what lies on a person's desk.

The one rule: our own list is told before any system is, and a system that cannot be told is a person's task.
"""

from temporalio import activity

from activities.opening import Ask
from activities.tools import Tools
from rights import weighing
from rights.objections import source_of, stop_of
from rights.request import Phase
from rights.value import Value
from rights.weighing import Matter

NOWHERE = "nowhere"
"""What stands for a system where no system of the map is concerned."""


class OnDesk(Value):
    """A matter for a person's desk."""

    ask: Ask
    matter: Matter


class StoppingActivities:
    """What these rights need of the ledger."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="remember", no_thread_cancel_exception=True)
    def remember(self, ask: Ask) -> int:
        """Put everything that the person is known by on the suppression list; how many entries are new."""
        ledger = self._tools.ledger
        row = ledger.request(ask.request_id)
        if row.phase in {Phase.RECEIVED, Phase.CONFIRMING}:
            ledger.move(ask.request_id, Phase.LOCATING, at=ask.as_of)
        details = ledger.details(row.id, row.right)
        if details is None:
            return 0
        stop = stop_of(details)
        return ledger.suppress(
            ask.request_id,
            ledger.identities(ask.request_id),
            stop.remembered,
            source=source_of(details),
            at=ask.as_of,
            purposes=stop.purposes if stop.consent else (),
        )

    @activity.defn(name="put_on_desk", no_thread_cancel_exception=True)
    def put_on_desk(self, on_desk: OnDesk) -> None:
        """Have a person weigh it, by a day of its own."""
        ledger, ask = self._tools.ledger, on_desk.ask
        row = ledger.request(ask.request_id)
        ledger.move(ask.request_id, Phase.DECIDING, at=ask.as_of)
        due_at = weighing.due(on_desk.matter, row.regimes, ask.as_of, row.clock.internal_due)
        ledger.open_weighing(ask.request_id, on_desk.matter, at=ask.as_of, due_at=due_at)

    @activity.defn(name="late_on_desk", no_thread_cancel_exception=True)
    def late_on_desk(self, ask: Ask) -> None:
        """Note that it is past its day."""
        self._tools.ledger.note_weighing_late(ask.request_id, at=ask.as_of)
