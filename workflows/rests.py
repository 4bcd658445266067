"""What an erasure has to leave: put out of use, system by system, as soon as all else there is gone.

The one rule: the request goes on whatever becomes of it; only what was locked away before, and is not to stay so, is
waited for, since nobody would open it again later.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.calls import BEFORE_THE_WORK, Doing
    from activities.planning import PlanningActivities, Stuck
    from activities.resting import RestingActivities
    from rights.codes import Code
    from rights.plan import Operation, Step
    from rights.receipt import Outcome, Receipt
    from rights.rests import rest_of
    from workflows.deciding import Deciding
    from workflows.run import Run
    from workflows.steps import Steps


class Rests:
    """The rests of one erasure."""

    def __init__(self, run: Run, steps: Steps, deciding: Deciding) -> None:
        self._run, self._steps, self._deciding = run, steps, deciding
        self._locked: set[str] = set()
        """Where this run has locked something away."""

    async def see_to(self, system: str) -> None:
        """Lock away what stays in a system that is worked through, or open what was locked and stays no longer."""
        run, resting = self._run, self._run.facts.resting
        act, seen = (run.receipts.get((system, one)) for one in (Operation.ERASE, Operation.VERIFY))
        stays = rest_of(act, seen).anything and system in resting.able
        if run.stopped or _goes_on(act) or _goes_on(seen) or not (stays or system in self._all_locked):
            return
        while await self._done(system) is False and not run.stopped:
            pass

    async def lock_held(self, system: str) -> None:
        """Lock away what a hold keeps while its end is waited for, unless that is done."""
        run, act = self._run, self._run.receipts.get((system, Operation.ERASE))
        if rest_of(act, None).whole and system in run.facts.resting.able and system not in self._all_locked:
            await self._done(system)

    async def open_what_is_over(self) -> None:
        """Before the end: open what is locked away and not waited for, since the request was taken back, or nothing of
        the person was found there any more. A request that is open again sees to no more than it was opened for."""
        for system in () if self._run.facts.reopened else sorted(self._all_locked):
            act = self._run.receipts.get((system, Operation.ERASE))
            if self._run.withdrawn or act is None:
                await self._done(system)

    @property
    def _all_locked(self) -> set[str]:
        return self._locked.union(self._run.facts.resting.locked)

    async def _done(self, system: str) -> bool:
        """One attempt, with Temporal's; False if another is to be made, since a person asks for it, or what stood in
        the way is over."""
        run = self._run
        step = Step(request_id=run.opening.request_id, system=system, operation=Operation.RESTRICT, round=run.round)
        doing = Doing(step=step, as_of=workflow.now())
        try:
            receipt: Receipt | None = await run.touch(RestingActivities.see_to, doing, f"what stays in {system}")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            stuck = Stuck(ask=run.ask(), step=step, code=Code.REST_IN_USE)
            await run.do(PlanningActivities.stuck, stuck)
            return True
        if receipt is None:
            return True
        if receipt.code in BEFORE_THE_WORK:
            await self._deciding.wait_out()
            return False
        if receipt.step.operation is Operation.RESTRICT:
            if receipt.outcome is Outcome.DONE:
                self._locked.add(system)
            return True
        if receipt.outcome.settled:
            self._locked.discard(system)
            return True
        asked = receipt.outcome in {Outcome.NEEDS_HUMAN, Outcome.UNSUPPORTED}
        return not (asked and await self._steps.ask_a_person(system, Code(receipt.code), Operation.LIFT))


def _goes_on(receipt: Receipt | None) -> bool:
    """Whether a system is at work, or is waited for: what is locked away there stays so."""
    return receipt is not None and receipt.outcome is Outcome.PENDING
