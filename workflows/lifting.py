"""The lifting of one restriction: the person is told, the term runs, everything is put back and looked at, and who was
told of the restriction is told of its end.

The one rule: nothing is put back before the ledger says that the person was told and the term has run. It runs beside
the life of the request, and most often long after it: a restriction in force needs no run.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfil import FulfilActivities
    from activities.opening import Ask
    from activities.restricting import Lifting, RestrictingActivities
    from activities.telling import TellingActivities
    from rights.codes import Code
    from rights.plan import Step
    from rights.receipt import Receipt
    from workflows import policies
    from workflows.beside import attempt


@workflow.defn(name="restriction-lifting")
class RestrictionLifting:
    """Tell, wait, put back."""

    def __init__(self) -> None:
        self._heard = 0

    @workflow.signal
    async def refresh(self) -> None:
        """Something was decided or sent: look again."""
        self._heard += 1

    @workflow.run
    async def run(self, request_id: str) -> None:
        """Lift the restriction of a request, or end when it is kept after all."""
        looks = 0
        while True:
            heard = self._heard
            ask = Ask(request_id=request_id, as_of=workflow.now())
            lifting: Lifting = await workflow.execute_local_activity_method(
                RestrictingActivities.lifting, ask, **policies.LEDGER
            )
            if lifting.over:
                return
            if lifting.steps or (lifting.due and lifting.due <= ask.as_of):
                if all(await asyncio.gather(*(self._put_back(step) for step in lifting.steps))):
                    # Before it is noted: whom it is about is kept no longer than a while from there.
                    await workflow.execute_local_activity_method(
                        TellingActivities.tell_of_lifting, ask, **policies.LEDGER
                    )
                    await workflow.execute_local_activity_method(RestrictingActivities.lifted, ask, **policies.LEDGER)
                    return
                wait, why = policies.TRY_AGAIN, "until it is tried again"
            elif lifting.due:
                wait, why = max(lifting.due - workflow.now(), timedelta(seconds=1)), "until it may be lifted"
            else:
                # A letter by mail has gone out within seconds; one by post takes days.
                wait, why = min(policies.NOTICE_FIRST * 4**looks, policies.RECHECK), "until the person is told"
                looks = min(looks + 1, 10)
            await self._wait(heard, wait, why)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(request_id)

    async def _put_back(self, step: Step) -> bool:
        """Put back what is locked away in one system; False if a person is asked, or it is tried again later."""
        receipt: Receipt | None = await attempt(FulfilActivities.lift, step, f"lift {step.system}")
        return receipt is not None and (receipt.outcome.settled or receipt.code == Code.RULED_OUT)

    async def _wait(self, heard: int, at_most: timedelta, why: str) -> None:
        try:
            await workflow.wait_condition(lambda: self._heard > heard, timeout=at_most, timeout_summary=why)
        except TimeoutError:
            return
