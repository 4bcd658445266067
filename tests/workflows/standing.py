"""A request that stands in one phase until it is let go, so that every word can be said to it there.

The updates and their validators are those of every request (`workflows.life`); only the life is left out, which would
hurry through most phases.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from rights.plan import Operation
    from rights.request import Phase, Right
    from workflows.life import RequestLife
    from workflows.messages import Opening, Ruling

REQUEST = "01jaaaaaaaaaaaaaaaaaaaaaaa"
WAITED_FOR = Ruling(system="shop", operation=Operation.ERASE, round=0, word="retry")
"""The one ruling that a step waits for."""


@workflow.defn(name="standing-request")
class StandingRequest(RequestLife):
    """Stands in a phase."""

    @workflow.init
    def __init__(self, phase: Phase) -> None:
        # Not in `run`: a word may come with the very first task, and is looked at before it.
        super().__init__()
        self._run.opening = Opening(request_id=REQUEST, right=Right.ERASURE)
        self._run.phase = phase
        self._run.waiting = {self._key(WAITED_FOR): "hold"}

    @workflow.run
    async def run(self, phase: Phase) -> list[bool]:
        """What it was told until it was cancelled: confirmed, approved, withdrawn, ruled on."""
        run = self._run
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            return [run.confirmed, run.approved, run.withdrawn, bool(run.rulings)]
        raise AssertionError
