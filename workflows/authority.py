"""An authority's demand: it waits for people, for the end of a gag and for the day that the authority has set.

The one rule: what was said of it is in the ledger; this waits, and has done what is due.
"""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.authorities import AuthorityActivities, Carried
    from activities.opening import Ask
    from rights.authorities import Waits
    from workflows import policies


@workflow.defn(name="authority-request")
class AuthorityRequest:
    """Carry a demand on until it is over."""

    def __init__(self) -> None:
        self._turned = False

    @workflow.signal
    async def turned(self) -> None:
        """Somebody has said something of it."""
        self._turned = True

    @workflow.run
    async def run(self, demand_id: str) -> None:
        """Wait, and carry on; there is nothing to return that the ledger does not have."""
        while True:
            self._turned = False
            wait = policies.TRY_AGAIN
            try:
                carried: Carried = await workflow.execute_activity_method(
                    AuthorityActivities.carry_on,
                    Ask(request_id=demand_id, as_of=workflow.now()),
                    summary="do what is due",
                    **policies.STEP,
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                # A system that is away for longer than an hour; the ledger says what the trouble is.
            else:
                workflow.set_current_details(f"**demand**, waiting on `{carried.state}`")
                if carried.over:
                    return
                # What a person has to put right is tried again by itself.
                wait = policies.TRY_AGAIN if carried.state == Waits.SEAL else policies.REREAD
                if carried.next_in_seconds is not None:
                    wait = min(wait, timedelta(seconds=max(carried.next_in_seconds, 1)))
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._turned, timeout=wait, timeout_summary="until a word, a day or the end of a gag"
                )
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(demand_id)
