"""What goes before the work: a decision that is weighed, cooling-off, an earlier request, a copy that goes first.

The one rule: the gate is the ledger's; an activity moves it on and reports how it stands.
"""

from temporalio import activity

from activities.opening import Ask
from activities.tools import Tools
from rights.cooling import cooling_until
from rights.gate import Gate
from rights.request import Phase


class DecidingActivities:
    """Steps of the way to the work."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="wait_for_decision", no_thread_cancel_exception=True)
    def wait_for_decision(self, ask: Ask) -> Gate:
        """Note that a decision is being weighed; and that the data protection officer has not answered, once the time
        for it is over."""
        ledger = self._tools.ledger
        ledger.lapse_consultation(ask.request_id, at=ask.as_of)
        gate = ledger.gate(ask.request_id)
        if gate.weighing or gate.refused or gate.lead:
            ledger.move(ask.request_id, Phase.DECIDING, at=ask.as_of)
        return gate

    @activity.defn(name="follow", no_thread_cancel_exception=True)
    def follow(self, ask: Ask) -> Gate:
        """Go one's own way again, since the earlier request has ended without an answer for both; or ask for a
        decision, where that one was refused."""
        return self._tools.ledger.unlink(ask.request_id, at=ask.as_of)

    @activity.defn(name="cool", no_thread_cancel_exception=True)
    def cool(self, ask: Ask) -> Gate:
        """Begin the cooling-off of an erasure, or end it when its time has come."""
        tools, ledger = self._tools, self._tools.ledger
        row = ledger.request(ask.request_id)
        until = cooling_until(ask.as_of, tools.cooling_hours, row.clock.internal_due)
        gate = ledger.cool(ask.request_id, until, at=ask.as_of, sms=tools.sms, mail=tools.mail is not None)
        if gate.cooling in {"running", "frozen"}:
            ledger.move(ask.request_id, Phase.COOLING, at=ask.as_of)
        return gate
