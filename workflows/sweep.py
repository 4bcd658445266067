"""The workflow that touches a system once for many people: one per system, while somebody waits.

The one rule: who joins while a sweep is under way is in the next one; nobody is left in the queue when it ends.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sweep import GATHER, SweepActivities, Sweeping, Swept
    from workflows import policies


@workflow.defn(name="sweep")
class Sweep:
    """Gather, erase, until nobody waits."""

    def __init__(self) -> None:
        self._called = False

    @workflow.signal
    async def more(self) -> None:
        """Somebody has joined."""
        self._called = True

    @workflow.run
    async def run(self, system: str) -> int:
        """Sweep a system's queue until it is empty; how many steps were swept in this run."""
        steps, wait = 0, GATHER
        while True:
            await workflow.sleep(wait, summary="gather")
            self._called = False
            swept: Swept = await workflow.execute_activity_method(
                SweepActivities.sweep, Sweeping(system=system), summary=f"erase in {system} for many", **policies.STEP
            )
            steps += swept.steps
            if not swept.left and not self._called:
                return steps
            wait = max(timedelta(seconds=swept.next_in_seconds), timedelta(seconds=0.1)) if swept.left else GATHER
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(system)
