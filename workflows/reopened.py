"""A closed request that is open again: what it had done is done once more, in the systems that are named.

The one rule: what a late look has found is shown to a person before anything is destroyed again, since somebody who was
erased may have come back of their own accord; what a restored backup has brought back is older than the erasure.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from rights.codes import Code
    from rights.plan import Operation
    from rights.receipt import Outcome
    from rights.request import Phase
    from workflows.rests import Rests
    from workflows.run import Run
    from workflows.steps import Steps

_LOOKED_AT = {Operation.ERASE, Operation.RECTIFY}
"""Acts that are looked at again until they have lasted."""


class Reopened:
    """The course of one request that is open again."""

    def __init__(self, run: Run, steps: Steps, rests: Rests, act: Operation | None) -> None:
        self._run, self._steps, self._rests, self._act = run, steps, rests, act
        self._asked: set[str] = set()
        """Systems of which a person has said that it is to be done again."""

    async def carry_out(self) -> None:
        """See every system through; anew where a ruling has changed the map."""
        run = self._run
        if Code.RESTORED in run.facts.reopened.values():
            # What was done before has a receipt under this round; a late look has begun one of its own.
            run.round += 1
        while not run.withdrawn:
            run.look_again = False
            await asyncio.gather(*(self._see_to(system, code) for system, code in run.facts.reopened.items()))
            if not run.look_again:
                return
            await run.read()

    async def _see_to(self, system: str, code: Code) -> None:
        run, steps = self._run, self._steps
        if self._act is None or not await self._is_wanted(system, code):
            return
        self._asked.add(system)
        run.enter(Phase.FULFILLING)
        if code is Code.RESTORED and run.facts.restricted and self._act is not Operation.RESTRICT:
            # An objection that was upheld, or what is disputed still: its restriction was undone as well.
            await steps.see_through(system, Operation.RESTRICT)
        await steps.see_through(system, self._act)
        if self._act in _LOOKED_AT:
            await steps.look_until_gone(system, self._act)
        if self._act is Operation.ERASE:
            await self._rests.see_to(system)

    async def _is_wanted(self, system: str, code: Code) -> bool:
        """Whether it is to be done again: a person says so, unless a backup has brought it back."""
        if code is Code.RESTORED or system in self._asked:
            return True
        if code is not Code.RETURNED:
            # Nobody could tell when it was looked at: it is looked at until somebody can.
            seen = await self._steps.await_system(system, Operation.VERIFY)
            if seen is None or seen.outcome is not Outcome.PENDING:
                return False
        return await self._steps.ask_a_person(system, Code.RETURNED, Operation.VERIFY)
