"""The workflow of one campaign: people are listed, and it lasts until everybody was written to.

The one rule: it counts and waits; how far the list was read, and who was written to, is in the ledger.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.campaign import CampaignActivities, Carried
    from activities.opening import Ask
    from workflows import policies


@workflow.defn(name="campaign")
class CampaignRun:
    """Carry on until it is over."""

    @workflow.run
    async def run(self, campaign_id: str) -> int:
        """How many people were listed."""
        while True:
            carried: Carried = await workflow.execute_activity_method(
                CampaignActivities.carry_on,
                Ask(request_id=campaign_id, as_of=workflow.now()),
                summary="list people, count letters",
                **policies.CAMPAIGN,
            )
            if carried.over:
                return carried.listed
            if carried.next_in_seconds:
                await workflow.sleep(timedelta(seconds=carried.next_in_seconds), summary="until letters are sent")
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(campaign_id)
