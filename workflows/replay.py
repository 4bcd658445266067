"""A replay: past requests carried out anew in one system, part by part, until the last of them is done.

The one rule: it counts and waits; how far it is, and what was opened, is in the ledger.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.replaying import Advanced, ReplayActivities, Replaying
    from workflows import policies


@workflow.defn(name="replay")
class ReplayRun:
    """Go on until it is over."""

    @workflow.run
    async def run(self, replay_id: str) -> str:
        """How it has ended: clean, unsure, or dry."""
        while True:
            try:
                advanced: Advanced = await workflow.execute_activity_method(
                    ReplayActivities.advance,
                    Replaying(replay_id=replay_id, as_of=workflow.now()),
                    summary="carry out anew what is next",
                    **policies.STEP,
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                # A system that is away for longer than an hour; the ledger says what the trouble is.
                await workflow.sleep(policies.TRY_AGAIN, summary="until it is tried again")
                continue
            workflow.set_current_details(f"**replay**, {advanced.state}")
            if advanced.over:
                return advanced.state
            if advanced.next_in_seconds:
                await workflow.sleep(timedelta(seconds=advanced.next_in_seconds), summary="until requests are done")
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(replay_id)
