"""An appeal: a person's decision waited for, with a clock of its own.

The one rule: the decision is the ledger's; this waits for it, and tells how near its day is.
"""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.appeals import AppealActivities, AppealStanding
    from activities.opening import Ask, Reached
    from rights.codes import Code
    from rights.deadlines import Risk
    from workflows import policies, visibility


@workflow.defn(name="appeal")
class AppealRun:
    """Wait until an appeal is decided."""

    def __init__(self) -> None:
        self._turned = True

    @workflow.signal
    async def turned(self) -> None:
        """The appeal was extended or decided."""
        self._turned = True

    @workflow.run
    async def run(self, request_id: str) -> None:
        """Wait; `request_id` is of the request whose answer is appealed against."""
        standing: AppealStanding | None = None
        shown = None
        while True:
            if self._turned or standing is None:
                self._turned = False
                standing = await self._read(request_id)
                if standing is None or not standing.open:
                    return
                shown = standing.clock.risk(workflow.now())
                workflow.upsert_search_attributes(visibility.at_clock(standing.clock, shown))
                due, waits = standing.clock.legal_due, f"waiting on `{Code.APPEAL}`"
                workflow.set_current_details(f"**appeal**, {waits}\n\ndue by law {due:%Y-%m-%d}")
                # One that came in late: no timer leads to it.
                if shown is not Risk.ON_TRACK and workflow.patched("a risk without a timer is noted"):
                    await self._note(request_id, shown)
            risk = standing.clock.risk(workflow.now())
            if risk is not shown:
                shown = risk
                workflow.upsert_search_attributes(visibility.at_risk(risk))
                await self._note(request_id, risk)
            date = standing.clock.next_change(workflow.now())
            left = min(date - workflow.now() if date else policies.REREAD, policies.REREAD)
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._turned, timeout=max(left, timedelta(seconds=1)), timeout_summary="appeal clock"
                )
                continue
            standing = await self._read(request_id)
            if standing is None or not standing.open:
                return

    async def _note(self, request_id: str, risk: Risk) -> None:
        reached = Reached(ask=self._ask(request_id), risk=risk)
        await workflow.execute_local_activity_method(AppealActivities.deadline, reached, **policies.LEDGER)

    def _ask(self, request_id: str) -> Ask:
        return Ask(request_id=request_id, as_of=workflow.now())

    async def _read(self, request_id: str) -> AppealStanding | None:
        standing: AppealStanding | None = await workflow.execute_local_activity_method(
            AppealActivities.read, self._ask(request_id), **policies.LEDGER
        )
        return standing
