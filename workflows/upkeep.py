"""The entity workflow that keeps the house: one per tenant, for ever.

The one rule: a round that fails is tried again; the next round is due all the same.
"""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.upkeep import Round, UpkeepActivities
    from workflows import policies

EVERY: Final = timedelta(minutes=1)
"""How often lost runs are looked for: a request whose run was terminated waits at most this long."""
HOURLY: Final = 60
"""Every so many rounds keys are destroyed and the chain's head is signed: an hour."""
ROUNDS: Final = 240
"""Rounds before the history starts anew: 4 hours, about 2,500 events."""


@workflow.defn(name="upkeep")
class Upkeep:
    """Reconcile, destroy, sign."""

    @workflow.run
    async def run(self, first: int) -> None:
        for number in range(first, first + ROUNDS):
            at = Round(as_of=workflow.now())
            if number % HOURLY == 0:
                await workflow.execute_activity_method(
                    UpkeepActivities.destroy, at, summary="destroy what is due", **policies.HOUSE
                )
                await workflow.execute_activity_method(
                    UpkeepActivities.sign, at, summary="sign the chain", **policies.HOUSE
                )
            await workflow.execute_activity_method(
                UpkeepActivities.reconcile, at, summary="look for lost runs", **policies.HOUSE
            )
            await workflow.sleep(EVERY, summary="until the next round")
        workflow.continue_as_new(first + ROUNDS)
