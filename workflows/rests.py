"""What an erasure has to leave: put out of use, system by system, as soon as all else there is gone.

The one rule: the request goes on whatever becomes of it; only what was locked away before, and is not to stay so, is
waited for, since nobody would open it again later.
"""

from datetime import timedelta

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
    from workflows import policies
    from workflows.deciding import Deciding
    from workflows.run import Run
    from workflows.steps import Steps


class Rests:
    """The rests of one erasure."""

    def __init__(self, run: Run, steps: Steps, deciding: Deciding) -> None:
        self._run, self._steps, self._deciding = run, steps, deciding
        self._locked: set[str] = set()
        """Where this run has locked something away."""
        self._begun: set[str] = set()
        """Where it has begun to: whatever became of that, something may be locked away there."""

    async def see_to(self, system: str) -> None:
        """Lock away what stays in a system that is worked through, or open what was locked and stays no longer."""
        run, resting = self._run, self._run.facts.resting
        act, seen = (run.receipts.get((system, one)) for one in (Operation.ERASE, Operation.VERIFY))
        stays = not resting.opened and rest_of(act, seen, resting.grounds.get(system, {})).anything
        stays = stays and system in resting.able
        if run.stopped or _goes_on(act) or _goes_on(seen) or not (stays or system in self._all_locked | self._begun):
            return
        await self._see_through(system, opens=not stays)

    async def lock_held(self, system: str) -> None:
        """Lock away what a hold keeps while its end is waited for, unless that is done; or open it, where two people
        have said so: once, since the hold is waited for all the same, and it is tried again after that."""
        run, act = self._run, self._run.receipts.get((system, Operation.ERASE))
        opened, locked = run.facts.resting.opened, system in self._all_locked
        if rest_of(act, None).whole and system in run.facts.resting.able and opened is locked:
            await self._done(system, opens=False)

    async def open_what_is_over(self) -> None:
        """Before the end: open what is locked away and not waited for, since the request was taken back, or nothing of
        the person was found there any more. A request that is open again sees to no more than it was opened for."""
        for system in () if self._run.facts.reopened else sorted(self._all_locked | self._begun):
            act = self._run.receipts.get((system, Operation.ERASE))
            if self._run.withdrawn or act is None:
                await self._see_through(system, opens=True)

    @property
    def _all_locked(self) -> set[str]:
        return self._locked.union(self._run.facts.resting.locked)

    async def _see_through(self, system: str, *, opens: bool) -> None:
        """Attempts, until it is done, given up by a person, or to be looked at anew."""
        while not await self._done(system, opens=opens) and not self._run.stopped:
            pass

    async def _done(self, system: str, *, opens: bool) -> bool:
        """One attempt, with Temporal's; False if another is to be made, since a person asks for it, or what stood in
        the way may be over. `opens`: what is locked away is opened now, or nobody comes back to it."""
        run = self._run
        step = Step(request_id=run.opening.request_id, system=system, operation=Operation.RESTRICT, round=run.round)
        doing = Doing(step=step, as_of=workflow.now())
        self._begun.add(system)
        try:
            receipt: Receipt | None = await run.touch(RestingActivities.see_to, doing, f"what stays in {system}")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if self._run.facts.resting.opened and not opens:
                return True
            if opens:
                return not await self._steps.out_of_attempts(system, error, Operation.LIFT)
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
        if receipt.outcome.settled or receipt.code == Code.RULED_OUT:
            self._locked.discard(system)
            return True
        # Where two people have opened it while a hold is waited for, it is tried again once that is over.
        later = run.facts.resting.opened and not opens
        return later or await self._not_opened(system, receipt)

    async def _not_opened(self, system: str, receipt: Receipt) -> bool:
        """Wait for a person, or for the end of the hold that forbids to open; False if it is to be tried again. Whoever
        is owed an answer does not wait for a hold."""
        if receipt.outcome in {Outcome.NEEDS_HUMAN, Outcome.UNSUPPORTED}:
            return not await self._steps.ask_a_person(system, Code(receipt.code), Operation.LIFT)
        if not self._run.withdrawn:
            return True
        if receipt.outcome is Outcome.HELD:
            code, daily = Code(receipt.code), policies.LOOK_AT_HOLD
            return not await self._steps.ask_a_person(system, code, Operation.LIFT, at_most=daily)
        # A hold that must stay secret: a system that takes its time.
        after = receipt.check_after_seconds
        await self._run.pause(timedelta(seconds=after) if after else policies.LOOK_AT_HOLD, f"lift {system}")
        return False


def _goes_on(receipt: Receipt | None) -> bool:
    """Whether a system is at work, or is waited for: what is locked away there stays so."""
    return receipt is not None and receipt.outcome is Outcome.PENDING
