"""What a request waits for before its work: a decision that is weighed, an earlier request, cooling-off, a copy first.

The one rule: the gate is the ledger's. Here it is waited for; the fence lets nothing be destroyed past it, whatever a
run believes.
"""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.deciding import DecidingActivities
    from rights.codes import Code
    from rights.gate import Gate
    from rights.request import Conclusion, Phase, Right
    from workflows.run import Run

_FOR_BOTH = {Conclusion.ANSWERED, Conclusion.IN_PART, Conclusion.NOTHING_HELD}
"""How an earlier request ends whose answer is the answer to both."""


class Deciding:
    """The gate of one request."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._planned_under = ""
        """The decision in force when the last plan was made."""

    @property
    def _gate(self) -> Gate:
        return self._run.facts.gate

    @property
    def closed(self) -> bool:
        """Whether something has to be waited for, by what the ledger said last."""
        return self._gate.closed

    async def moving(self) -> None:
        """Wait while the request stands still for an incident, also where it was taken back or refused meanwhile."""
        run = self._run
        await run.read_if_told()
        if self._gate.incident and run.facts.phase.open:
            await run.wait(str(Code.INCIDENT), Code.INCIDENT, lambda: not self._gate.incident, whatever=True)

    async def settled(self) -> None:
        """Wait until nothing is being weighed, no earlier request is about to answer this one too, and no incident has
        it stand still."""
        run = self._run
        await run.read_if_told()
        while not run.stopped:
            if self._gate.incident:
                await self.moving()
            elif self._gate.refused:
                await run.do(DecidingActivities.wait_for_decision, run.ask())
                run.ended = True
            elif self._gate.weighing:
                await self._weighed()
            elif self._gate.lead:
                await self._follow()
            else:
                return

    async def _weighed(self) -> None:
        """Wait for the words that a decision needs, and for the data protection officer's no longer than was given."""
        run = self._run
        gate: Gate = await run.do(DecidingActivities.wait_for_decision, run.ask())
        self._know(gate)
        run.enter(Phase.DECIDING)
        until = gate.consult_until
        fee = gate.fee
        asked = until is not None and until > workflow.now()
        await run.wait(
            str(Code.DECISION),
            Code.CONSULTATION if asked else Code.FEE if fee else Code.DECISION,
            lambda: not self._gate.weighing or self._gate.fee is not fee,
            self._left(until) if asked else None,
        )

    async def _follow(self) -> None:
        """Wait for the earlier request. Where it ends without an answer for both, this one goes its own way; where it
        was refused, somebody has to decide on this one: a refusal is never inherited."""
        run = self._run
        self._know(await run.do(DecidingActivities.wait_for_decision, run.ask()))
        run.enter(Phase.DECIDING)
        await run.wait(str(Code.JOINED), Code.JOINED, lambda: self._gate.lead_over is not None or self._gate.weighing)
        over = self._gate.lead_over
        if over in _FOR_BOTH:
            run.ended = True
        elif over is not None:
            left: Gate = await run.do(DecidingActivities.follow, run.ask())
            self._know(left)
            if left.lead:
                await run.wait(str(Code.DECISION), Code.DECISION, self._decided_or_weighed)

    def _decided_or_weighed(self) -> bool:
        return bool(self._gate.decision) or self._gate.weighing

    async def cooled(self) -> None:
        """Wait until the cooling-off of an erasure is over, and for two agents where it was stopped."""
        run = self._run
        while True:
            await self.settled()
            state, until = self._gate.cooling, self._gate.cooling_until
            if run.stopped or state in {"waived", "over"} or (not state and not run.facts.cools):
                return
            # Without a moment it begins anew: its notice could not go out while the request stood still.
            if not state or (state == "running" and (until is None or until <= workflow.now())):
                self._know(await run.do(DecidingActivities.cool, run.ask()))
                continue
            run.enter(Phase.COOLING)
            if state == "running":
                await run.wait(
                    str(Code.COOLING),
                    Code.COOLING,
                    lambda: self._gate.cooling != "running" or self._gate.weighing,
                    self._left(until),
                )
            else:
                await run.wait(str(Code.STOPPED), Code.STOPPED, lambda: self._gate.cooling != "frozen")

    async def ready(self) -> None:
        """Wait until the work may begin: nothing is weighed, and a copy of what would be erased is made."""
        run = self._run
        await self.settled()
        while self._gate.copy_first and run.opening.right is Right.ERASURE and not run.stopped:
            await run.wait(
                str(Code.COPY_FIRST), Code.COPY_FIRST, lambda: not self._gate.copy_first or self._gate.closed
            )
            await self.settled()

    def planned(self) -> None:
        """Note under which decision the plan about to be made stands. Of a round the first plan stays, so another
        decision makes another round."""
        if self._gate.decision != self._planned_under:
            self._planned_under = self._gate.decision
            self._run.round += 1

    async def clear(self) -> bool:
        """Wait until a plan may be carried out; False if it has to be made anew, or nothing is to be done any more.

        What was weighed meanwhile is planned, and approved, anew, whatever came of it.
        """
        run = self._run
        if run.stopped:
            return False
        await run.read_if_told()
        weighed = self._gate.closed
        await self.ready()
        if not run.ended and (weighed or self._gate.decision != self._planned_under):
            run.look_again = True
        return not run.stopped

    async def wait_out(self) -> None:
        """Wait for what has closed the fence before this run had heard of it."""
        await self._run.read()
        await self.cooled()
        await self.clear()

    def _know(self, gate: Gate) -> None:
        self._run.facts = self._run.facts.model_copy(update={"gate": gate})

    def _left(self, until: datetime | None) -> timedelta | None:
        return max(until - workflow.now(), timedelta(seconds=1)) if until else None
