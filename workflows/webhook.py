"""The workflow that tells a webhook what happened: one per webhook, while there is something to tell.

The one rule: the journal is the queue; this run only goes on until nothing is left, and Temporal retries meanwhile.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.hooking import HookActivities, Hooked
    from workflows import policies


@workflow.defn(name="webhook")
class WebhookRun:
    """Tell, until nothing is left."""

    @workflow.run
    async def run(self, name: str) -> None:
        while await workflow.execute_activity_method(
            HookActivities.tell, Hooked(webhook=name), summary=f"tell {name}", **policies.WEBHOOK
        ):
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(name)
