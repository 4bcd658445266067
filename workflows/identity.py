"""Waiting until it is known who asks: contact points, codes, reminders, the lapse.

The one rule: no system but the directory is asked for anything meanwhile; and what becomes due is read from the ledger,
so that a run that was lost goes on where it was.
"""

from enum import Enum, auto

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.identity import IdentityActivities
    from rights.codes import Code
    from rights.identity import Move
    from rights.plan import Operation
    from rights.request import Phase
    from workflows.deciding import Deciding
    from workflows.run import Run
    from workflows.steps import Steps


class Known(Enum):
    """What waiting has come to."""

    PROVEN = auto()
    ALONE = auto()
    """What was given is proven, and the directory knows nobody by it: only by that may be looked."""
    CATEGORIES = auto()
    """What is proven is enough to tell of the categories of what is held, and for no copy."""
    NEVER = auto()
    """The time is over, or the request was taken back."""


_DOES = {
    Move.SEND: IdentityActivities.codes,
    Move.REMIND: IdentityActivities.remind,
    Move.LAPSE: IdentityActivities.lapse,
}


class Proving:
    """The proof of one request."""

    def __init__(self, run: Run, steps: Steps, deciding: Deciding) -> None:
        self._run, self._steps, self._deciding = run, steps, deciding

    async def until_known(self, *, alone_will_do: bool) -> Known:
        """Wait until the asker is proven, doing what falls due meanwhile."""
        run = self._run
        run.enter(Phase.CONFIRMING)
        while not run.confirmed:
            if self._deciding.closed:
                # Who cannot be proven may be refused; meanwhile nothing more is asked of them.
                await self._deciding.settled()
                run.enter(Phase.CONFIRMING)
            facts = run.facts.identity
            if run.withdrawn or run.ended:
                return Known.NEVER
            if facts.alone and alone_will_do:
                return Known.ALONE
            if facts.categories:
                return Known.CATEGORIES
            move = facts.move(workflow.now())
            if move is Move.END:
                # A proof may be on record that this run has not heard of.
                await run.read()
                return Known.PROVEN if self._run.confirmed else Known.NEVER
            if move is None:
                await self._wait()
                continue
            if move is Move.READ:
                await self._steps.see_through(facts.directory, Operation.CHANNELS)
            else:
                await run.do(_DOES[move], run.ask())
            await run.read()
        return Known.PROVEN

    async def ask_again(self) -> None:
        """Something is held under what was proven alone: wait for more."""
        await self._run.do(IdentityActivities.ask_again, self._run.ask())

    async def tell_categories(self) -> None:
        """Tell of the categories of what was found; whether more proof is waited for, the law says."""
        await self._run.do(IdentityActivities.tell_categories, self._run.ask())
        await self._run.read()

    async def _wait(self) -> None:
        run, seen = self._run, self._run.facts.identity
        until = seen.wake_at - workflow.now() if seen.wake_at else None

        def ready() -> bool:
            return run.confirmed or run.facts.identity != seen or self._deciding.closed

        await run.wait(str(Code.IDENTITY), Code.IDENTITY, ready, until)
