"""One round of looks, long after: what came since is locked away, and what was corrected is looked at.

The one rule: it lives as long as a round takes. The day of the next is the ledger's, and upkeep begins it.
"""

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.following import Due, FollowingActivities, Seen
    from activities.opening import Ask
    from activities.using import UsingActivities
    from rights.plan import Step
    from workflows import policies
    from workflows.beside import attempt


@workflow.defn(name="follow-up")
class FollowUp:
    """Look again."""

    def __init__(self) -> None:
        self._heard = 0

    @workflow.signal
    async def refresh(self) -> None:
        """It is time, or somebody has ruled on what an earlier look has asked."""
        self._heard += 1

    @workflow.run
    async def run(self, request_id: str) -> None:
        """Look at all that is looked at again for a request; once more if something was said meanwhile."""
        heard = -1
        while self._heard > heard:
            heard = self._heard
            ask = Ask(request_id=request_id, as_of=workflow.now())
            due: Due = await workflow.execute_local_activity_method(FollowingActivities.due, ask, **policies.LEDGER)
            if not due.open:
                return
            corrected = await self._look(due.corrects)
            _, lasting = await asyncio.gather(self._look(due.locks), self._look(due.looks))
            for use in due.uses:
                await self._seal(use)
            seen = Seen(ask=ask, corrected=bool(due.corrects) and corrected, lasting=lasting)
            await workflow.execute_local_activity_method(FollowingActivities.looked, seen, **policies.LEDGER)

    async def _seal(self, use: str) -> None:
        """Make the copy of a use; what could not be made is tried again by a later round."""
        ask = Ask(request_id=use, as_of=workflow.now())
        try:
            await workflow.execute_activity_method(
                UsingActivities.seal, ask, summary="copy what may be used", **policies.STEP
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise

    async def _look(self, steps: Sequence[Step]) -> bool:
        """Look in several systems at once; whether all is as it should be."""
        return all(await asyncio.gather(*(self._look_into(step) for step in steps)))

    async def _look_into(self, step: Step) -> bool:
        return bool(await attempt(FollowingActivities.look, step, f"{step.operation} {step.system} again"))
