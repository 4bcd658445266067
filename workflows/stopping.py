"""Objections, opt-outs, withdrawals of consent and reviews: what these rights do between receipt and answer.

The one rule: what is absolute is not weighed and waits for nobody; what is weighed is restricted meanwhile; and where
no system says that it does what is to stop, a person is asked instead of nobody.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.matters import Matters
    from activities.restricting import RestrictingActivities
    from activities.stopping import NOWHERE, OnDesk, StoppingActivities
    from rights.codes import Code
    from rights.plan import Operation
    from rights.request import Phase
    from rights.weighing import Matter, Outcome
    from workflows.deciding import Deciding
    from workflows.run import Run
    from workflows.steps import Steps


class Stopping:
    """What is to stop, or be looked at again, for one request."""

    def __init__(self, run: Run, steps: Steps, deciding: Deciding) -> None:
        self._run, self._steps, self._deciding = run, steps, deciding

    async def carry_out(self) -> None:
        """See it through; once this returns the request is answered."""
        run, matter = self._run, self._matters.matter
        if matter and not await self._weighed(matter):
            return
        while not (run.withdrawn or run.ended):
            run.look_again = False
            await run.do(StoppingActivities.remember, run.ask())
            await self._stop()
            if not run.look_again:
                return
            await run.read()

    @property
    def _matters(self) -> Matters:
        return self._run.facts.matters or Matters()

    async def _stop(self) -> None:
        """Have it stopped in every system that does it, and again in those that may know the person by what was learnt
        on the way; until nothing new is."""
        run, steps, names = self._run, self._steps, self._matters.systems
        if not names:
            await steps.by_hand(NOWHERE, Operation.SUPPRESS, Code.NOWHERE)
            return
        due = names
        while due and not run.stopped:
            receipts = await steps.together(Operation.SUPPRESS, due)
            again = {name for receipt in receipts if receipt for name in receipt.look_again}
            due = tuple(name for name in names if name in again)
            if due:
                await run.do(StoppingActivities.remember, run.ask())
                run.round += 1
        if self._matters.unstopped and not run.stopped:
            await steps.by_hand(NOWHERE, Operation.SUPPRESS, Code.NOWHERE)

    async def _weighed(self, matter: Matter) -> bool:
        """Have a person weigh it, restricted meanwhile if it is an objection; True when something is to stop."""
        run = self._run
        await run.do(StoppingActivities.put_on_desk, OnDesk(ask=run.ask(), matter=matter))
        run.enter(Phase.DECIDING)
        await run.read()
        # A run that is started anew once it was weighed restricts nothing more.
        open_ = matter is Matter.OBJECTION and self._matters.outcome is None
        locking = asyncio.create_task(self._restrict()) if open_ else None
        try:
            await self._on_the_desk(Code.WEIGH if matter is Matter.OBJECTION else Code.CONTESTED, locking)
        finally:
            if locking:
                await _ended(locking)
        if matter is Matter.DECISION or run.withdrawn:
            return False
        if self._matters.outcome is Outcome.UPHELD and not run.ended:
            return True
        # The person is told first, so it is lifted beside this life and after it (workflows/lifting.py).
        await run.do(RestrictingActivities.end_restriction, run.ask())
        return False

    async def _restrict(self) -> None:
        """Restrict in every system that can; the others go on using the data until it is weighed, which is said."""
        run = self._run
        while (names := self._matters.restrict) and not (run.withdrawn or run.ended):
            run.look_again = False
            await self._steps.together(Operation.RESTRICT, names)
            if not run.look_again:
                return
            await run.read()

    async def _on_the_desk(self, code: Code, locking: "asyncio.Task[None] | None") -> None:
        """Wait for the word, and note when its own day has passed."""
        run = self._run
        key = f"{run.opening.request_id}/weighing"

        def over() -> bool:
            return self._matters.outcome is not None or run.withdrawn or run.ended

        async def wait(at_most: timedelta | None = None) -> None:
            # A ruling on a restriction has all looked at anew, by what restricts; what is weighed stays the same.
            await workflow.wait_condition(
                lambda: not run.look_again or run.withdrawn or locking is None or locking.done()
            )
            run.look_again = False
            await run.wait(key, code, lambda: over() or self._deciding.closed, at_most)
            # Refused by a decision meanwhile, it is not weighed any more.
            await self._deciding.settled()

        due = self._matters.due_at
        while due and not over() and workflow.now() < due:
            await wait(due - workflow.now())
        if not over():
            await run.do(StoppingActivities.late_on_desk, run.ask())
        while not over():
            await wait()


async def _ended(task: "asyncio.Task[None]") -> None:
    """End a coroutine that nobody waits for any more."""
    task.cancel()
    with suppress(asyncio.CancelledError, ActivityError):
        await task
