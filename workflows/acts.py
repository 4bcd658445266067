"""Restricting and rectifying: what these rights do in the systems between the look and the answer.

The one rule: what is disputed is restricted before anybody decides on it, if that was asked for, and is not lifted
before it is corrected and looked at again.
"""

import asyncio
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.planning import Planned
    from activities.restricting import STATEMENT, Asked, RestrictingActivities, accuracy_key
    from rights.codes import Code
    from rights.plan import Operation
    from rights.request import Phase
    from workflows import policies
    from workflows.deciding import Deciding
    from workflows.run import Run
    from workflows.steps import Steps


class Acts:
    """The acts of one request."""

    def __init__(self, run: Run, steps: Steps, deciding: Deciding) -> None:
        self._run, self._steps, self._deciding = run, steps, deciding

    async def restrict(self, planned: Planned) -> None:
        """Lock the person's data away in every system that the request is about; what is put off is waited for."""
        run, steps = self._run, self._steps
        asked = await self._asked()
        await self._lock(planned, asked.systems)
        tried = [(name, receipt) for (name, act), receipt in run.receipts.items() if act is Operation.RESTRICT]
        await asyncio.gather(*(steps.await_system(name, Operation.RESTRICT, receipt) for name, receipt in tried))

    async def rectify(self, planned: Planned) -> None:
        """Have somebody decide on the accuracy, restricted meanwhile if asked; correct, look again, have it lifted."""
        run, steps = self._run, self._steps
        asked = await self._asked()
        if asked.restrict:
            await self._lock(planned, None)
        if asked.decide and not run.stopped:
            asked = await self._decided()
        wanted = asked.systems or ()
        waves = [tuple(name for name in wave if name in wanted) for wave in planned.waves]
        for names in waves:
            if names and not run.stopped:
                await steps.together(Operation.RECTIFY, names)
        await asyncio.gather(*(steps.look_until_gone(name, Operation.RECTIFY) for names in waves for name in names))
        if asked.statement and not run.stopped:
            await steps.by_hand(STATEMENT, Operation.RECTIFY, Code.STATEMENT)
        if asked.restrict and not run.stopped:
            await run.do(RestrictingActivities.end_restriction, run.ask())

    async def _asked(self) -> Asked:
        asked: Asked = await self._run.do(RestrictingActivities.asked, self._run.ask())
        return asked

    async def _lock(self, planned: Planned, about: tuple[str, ...] | None) -> None:
        for wave in planned.waves:
            names = tuple(name for name in wave if about is None or name in about)
            if names and not self._run.stopped:
                await self._steps.together(Operation.RESTRICT, names)

    async def _decided(self) -> Asked:
        """Wait until somebody has decided on every field."""
        run = self._run
        await run.do(RestrictingActivities.weigh, run.ask())
        run.enter(Phase.DECIDING)
        key = accuracy_key(run.opening.request_id)
        while True:
            heard = run.heard
            asked = await self._asked()
            if asked.closed:
                # What is refused as a whole has no fields to decide on any more.
                await run.read()
                await self._deciding.settled()
            if run.stopped or not asked.decide:
                return asked
            if asked.closed:
                run.enter(Phase.DECIDING)
            # The ledger is read again now and then: a word can be lost with Temporal's database.
            await run.wait(key, Code.ACCURACY, partial(run.heard_since, heard), policies.RECHECK)
