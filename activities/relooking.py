"""The look days after the answer: in which systems, and what follows from it.

The one rule: only a look that was made and found nothing is clean; everything else opens the request again.
"""

from datetime import timedelta
from typing import Final

import structlog
from pydantic import Field
from temporalio import activity

from activities.closing import relooked
from activities.opening import Ask
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from rights.codes import Code
from rights.plan import Operation, Step
from rights.value import Value

AGAIN: Final = timedelta(days=1)
"""When it is looked once more at a system in which something that was left is being erased."""


class Relooking(Value):
    """The looks that are to be made; none if nothing is to be looked at any more."""

    steps: tuple[Step, ...] = ()


class Relooked(Value):
    """What came of them."""

    ask: Ask
    found: dict[str, Code] = Field(default_factory=dict)
    """By system, why it is not clean."""


class RelookActivities:
    """What the `relook` workflow asks the ledger; the looks themselves are those of every request."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="relook_due", no_thread_cancel_exception=True)
    def due(self, ask: Ask) -> Relooking:
        """The systems to look at: those of which it was said that they were looked at again."""
        ledger = self._tools.ledger
        planned, row = ledger.relook(ask.request_id), ledger.request(ask.request_id)
        if planned is None or planned.looked_at or row.phase.open:
            return Relooking()
        # By what was said when it was closed: a run that was lost may have looked since, and found something.
        closed_at = row.closed_at or ask.as_of
        systems = relooked([r for r in ledger.receipts(ask.request_id) if r.at <= closed_at])
        if not systems:
            # It was opened again meanwhile, and a person has taken over what was looked at.
            ledger.settle_relook(ask.request_id, {}, clean=False, at=ask.as_of)
            return Relooking()
        # A round of its own: a person may have ruled on the look of an earlier one.
        number = ledger.newest_round(ask.request_id) + 1
        return Relooking(
            steps=tuple(
                Step(request_id=ask.request_id, system=name, operation=Operation.VERIFY, round=number)
                for name in systems
            )
        )

    @activity.defn(name="relook_settle", no_thread_cancel_exception=True)
    def settle(self, relooked: Relooked) -> None:
        """Note what was found, and open the request again where it is not clean."""
        ledger, ask = self._tools.ledger, relooked.ask
        log = structlog.get_logger()
        expected = self._coming_back(ask)
        found = {
            name: code for name, code in relooked.found.items() if code is not Code.RETURNED or name not in expected
        }
        if relooked.found and not found:
            # What is there has not returned: it had been left, and is being come back to.
            ledger.postpone_relook(ask.request_id, ask.as_of + AGAIN)
            return
        try:
            if ledger.settle_relook(ask.request_id, found, clean=not found, at=ask.as_of) and found:
                log.error("reopened", request_id=ask.request_id, systems=len(found))
        except LedgerRefusal:
            # Nothing that could be looked by is left; the ledger keeps that it is not known.
            ledger.settle_relook(ask.request_id, {}, clean=False, at=ask.as_of)
            log.error("not_reopened", request_id=ask.request_id, systems=len(found))

    def _coming_back(self, ask: Ask) -> frozenset[str]:
        """The systems in which what the request had to leave is erased just now: what kept it has ended, and the
        request that carries it out is open, or about to be."""
        ledger = self._tools.ledger
        left = ledger.deferral(ask.request_id)
        if left is None:
            return frozenset()
        by = left.by_request
        comes = left.due(ask.as_of) if left.over_at is None else by is not None and ledger.request(by).phase.open
        return frozenset(left.systems if comes else ())
