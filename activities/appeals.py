"""What an appeal's run needs of the ledger: where it stands, and a date that was reached.

The one rule: the ledger is the record; a run that was lost goes on from here.
"""

import structlog
from temporalio import activity

from activities.opening import Ask, Reached
from activities.tools import Tools
from rights.deadlines import Clock, Risk
from rights.value import Value


class AppealStanding(Value):
    """Where an appeal stands."""

    open: bool
    clock: Clock


class AppealActivities:
    """Reads and notes."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="read_appeal", no_thread_cancel_exception=True)
    def read(self, ask: Ask) -> AppealStanding | None:
        """The newest appeal against the answer to a request; None if there is none."""
        appeal = self._tools.ledger.appeal_of(ask.request_id)
        return AppealStanding(open=appeal.open, clock=appeal.clock) if appeal else None

    @activity.defn(name="appeal_deadline", no_thread_cancel_exception=True)
    def deadline(self, reached: Reached) -> None:
        """Note that the day has come near or passed, once; the log and the metrics raise the alarm."""
        request_id = reached.ask.request_id
        if self._tools.ledger.note_appeal(request_id, reached.risk, at=reached.ask.as_of):
            log = structlog.get_logger()
            level = log.error if reached.risk is Risk.OVERDUE else log.warning
            level("appeal_deadline", request_id=request_id, risk=str(reached.risk))
