"""What an answered erasure has left, waited for as long as it takes: months or many years.

The one rule: it only waits; whether anything keeps it still, and what was opened to carry it out, the ledger says.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.deferring import DeferringActivities, Reviewed
    from activities.opening import Ask
    from workflows import policies


@workflow.defn(name="deferred")
class DeferredRun:
    """Look every month, and whenever a hold ends, until there is nothing to wait for."""

    def __init__(self) -> None:
        self._heard = 0

    @workflow.run
    async def run(self, request_id: str) -> None:
        for _ in range(policies.REVIEWS):
            heard = self._heard
            ask = Ask(request_id=request_id, as_of=workflow.now())
            reviewed: Reviewed = await workflow.execute_local_activity_method(
                DeferringActivities.review, ask, **policies.LEDGER
            )
            if reviewed.over:
                return
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda heard=heard: self._heard != heard,  # type: ignore[misc]
                    timeout=timedelta(seconds=reviewed.next_in_seconds),
                    timeout_summary="until the next review",
                )
        workflow.continue_as_new(request_id)

    @workflow.signal
    async def refresh(self) -> None:
        """A hold has ended: look at once."""
        self._heard += 1
