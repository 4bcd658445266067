"""The late look at one closed request: every system that was looked at again is looked at once more.

The one rule: it does not keep the request's own run open; when it is due is a date of the ledger, and what it finds
opens the request again.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.calls import Doing
    from activities.fulfil import FulfilActivities
    from activities.opening import Ask
    from activities.relooking import RelookActivities, Relooked, Relooking
    from rights.codes import Code
    from rights.plan import Step
    from rights.receipt import Certainty, Outcome, Receipt
    from workflows import policies


@workflow.defn(name="relook")
class RelookRun:
    """Look, and say what was found."""

    @workflow.run
    async def run(self, request_id: str) -> None:
        ask = Ask(request_id=request_id, as_of=workflow.now())
        due: Relooking = await workflow.execute_local_activity_method(RelookActivities.due, ask, **policies.LEDGER)
        if not due.steps:
            return
        codes = await asyncio.gather(*(self._look(step) for step in due.steps))
        found = {step.system: code for step, code in zip(due.steps, codes, strict=True) if code}
        looked = Relooked(ask=Ask(request_id=request_id, as_of=workflow.now()), found=found)
        await workflow.execute_local_activity_method(RelookActivities.settle, looked, **policies.LEDGER)

    async def _look(self, step: Step) -> Code | None:
        """Why a system is not clean; None if it is."""
        while True:
            doing = Doing(step=step, as_of=workflow.now())
            try:
                seen: Receipt = await workflow.execute_activity_method(
                    FulfilActivities.verify, doing, summary=f"look again in {step.system}", **policies.STEP
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                return Code.UNREACHABLE
            if not seen.check_after_seconds:
                break
            await workflow.sleep(timedelta(seconds=seen.check_after_seconds), summary=f"until {step.system} can tell")
        if seen.outcome is Outcome.PENDING:
            return Code.RETURNED
        if seen.outcome.settled and seen.certainty is Certainty.VERIFIED:
            return None
        return Code(seen.code) if seen.code else Code.LEFT_BEHIND
