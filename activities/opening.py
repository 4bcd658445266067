"""The first thing a run does, and does again whenever it is unsure: read from the ledger where the request stands.

The one rule: the ledger is the record. A run that was lost, reset or restored to another hour goes on from here.
"""

from datetime import datetime

import structlog
from pydantic import Field
from temporalio import activity

from activities.tools import Tools
from rights.deadlines import Clock, Risk
from rights.plan import Operation
from rights.request import Phase
from rights.value import Value


class Ask(Value):
    """A request and the workflow's time: the argument of most activities."""

    request_id: str
    as_of: datetime


class Facts(Value):
    """Where a request stands, as the ledger has it."""

    phase: Phase
    clock: Clock
    confirmed: bool
    approved: bool
    withdrawn: bool
    round: int
    """The newest round that anything was done in."""
    systems: tuple[str, ...]
    """The systems of the map the request is pinned to."""
    begun: tuple[str, ...] = ()
    """Systems in which an earlier look found something. A run that was started anew finds less, or nothing, where the
    lost one had erased already; it has to see these through all the same."""
    rulings: dict[str, str] = Field(default_factory=dict)
    """The words agents have given, by step key; an update lost with Temporal's database comes back this way."""


class Reached(Value):
    """A date that the clock has reached."""

    ask: Ask
    risk: Risk


class OpeningActivities:
    """Reads, and moves a new request to its first phase."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="open", no_thread_cancel_exception=True)
    def open(self, ask: Ask) -> Facts:
        """Pin the map of today if none is pinned, note the first phase, and report."""
        tools, ledger = self._tools, self._tools.ledger
        row = ledger.request(ask.request_id)
        if row.phase.open:
            if row.map_digest is None:
                ledger.pin_map(ask.request_id, tools.data_map, at=ask.as_of)
            if row.phase is Phase.RECEIVED:
                here = Phase.LOCATING if row.confirmed else Phase.CONFIRMING
                ledger.move(ask.request_id, here, at=ask.as_of)
        return self._facts(ask.request_id)

    @activity.defn(name="deadline", no_thread_cancel_exception=True)
    def deadline(self, reached: Reached) -> None:
        """Note in the ledger that a date has come near or passed; the log and the metrics raise the alarm."""
        self._tools.ledger.note(reached.ask.request_id, "deadline", {"risk": reached.risk}, at=reached.ask.as_of)
        log = structlog.get_logger()
        level = log.error if reached.risk is Risk.OVERDUE else log.warning
        level("deadline", request_id=reached.ask.request_id, risk=str(reached.risk))

    def _facts(self, request_id: str) -> Facts:
        ledger = self._tools.ledger
        row = ledger.request(request_id)
        return Facts(
            phase=row.phase,
            clock=row.clock,
            confirmed=row.confirmed,
            approved=row.approved,
            withdrawn=row.withdrawn,
            round=ledger.newest_round(request_id),
            systems=tuple(self._tools.pinned(row.map_digest).systems),
            begun=tuple(
                dict.fromkeys(
                    r.step.system
                    for r in ledger.receipts(request_id)
                    if r.step.operation is Operation.LOCATE and r.tally.found
                )
            ),
            rulings=ledger.rulings(request_id),
        )
