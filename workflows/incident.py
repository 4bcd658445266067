"""An incident: it waits for people, and reminds them while the hours to tell the authority run.

The one rule: what was said of it is in the ledger; this waits, and shows how near the end is. The timers are plain
hours from the awareness, whatever day it is (GDPR Art. 33(1)).
"""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.incidents import Followed, IncidentActivities
    from activities.opening import Ask
    from rights.deadlines import Risk
    from rights.incidents import Waits
    from workflows import policies, visibility


@workflow.defn(name="incident")
class IncidentRun:
    """Follow an incident until it is closed."""

    def __init__(self) -> None:
        self._turned = False

    @workflow.signal
    async def turned(self) -> None:
        """Somebody has said something of it."""
        self._turned = True

    @workflow.run
    async def run(self, incident_id: str) -> None:
        """Wait, and remind; there is nothing to return that the ledger does not have."""
        shown: tuple[Waits, Risk] | None = None
        while True:
            self._turned = False
            followed: Followed = await workflow.execute_local_activity_method(
                IncidentActivities.follow, Ask(request_id=incident_id, as_of=workflow.now()), **policies.LEDGER
            )
            if not followed.waits_for:
                return
            first = followed.waits_for[0]
            if (first, followed.risk) != shown:
                shown = first, followed.risk
                workflow.upsert_search_attributes(visibility.at_incident(str(first), followed.risk))
                due = f", the authority by {followed.due_at:%Y-%m-%d %H:%M} UTC" if followed.due_at else ""
                left = ", ".join(f"`{one}`" for one in followed.waits_for)
                workflow.set_current_details(f"**incident**, waiting on {left}{due}")
            wait = policies.REREAD
            if followed.next_in_seconds is not None:
                wait = min(wait, timedelta(seconds=max(followed.next_in_seconds, 1)))
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._turned, timeout=wait, timeout_summary="until a word, or the next reminder"
                )
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(incident_id)
