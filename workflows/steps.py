"""One step on one system, seen through: tried, waited for, put on a person's desk, tried again.

The one rule: a request never fails because one system did. That part waits, tries again or asks a person.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.calls import BEFORE_THE_WORK, Doing
    from activities.closing import ClosingActivities
    from activities.fulfil import FulfilActivities
    from activities.identity import IdentityActivities
    from activities.planning import PlanningActivities, Ruled, Stuck
    from rights.codes import Code
    from rights.plan import Operation, Step
    from rights.receipt import Certainty, Outcome, Receipt
    from rights.request import Phase
    from workflows import policies
    from workflows.deciding import Deciding
    from workflows.run import Run

_DOES: dict[Operation, Callable[[Any, Doing], Receipt]] = {
    Operation.CHANNELS: IdentityActivities.channels,
    Operation.LOCATE: FulfilActivities.locate,
    Operation.EXPORT: FulfilActivities.export,
    Operation.SUPPRESS: FulfilActivities.suppress,
    Operation.ERASE: FulfilActivities.erase,
    Operation.RESTRICT: FulfilActivities.restrict,
    Operation.LIFT: FulfilActivities.lift,
    Operation.RECTIFY: FulfilActivities.rectify,
    Operation.VERIFY: FulfilActivities.verify,
}

_PHASE = {
    Operation.CHANNELS: Phase.CONFIRMING,
    Operation.LOCATE: Phase.LOCATING,
    Operation.EXPORT: Phase.FULFILLING,
    Operation.SUPPRESS: Phase.FULFILLING,
    Operation.ERASE: Phase.FULFILLING,
    Operation.RESTRICT: Phase.FULFILLING,
    Operation.LIFT: Phase.FULFILLING,
    Operation.RECTIFY: Phase.FULFILLING,
    Operation.VERIFY: Phase.VERIFYING,
}


_LEFT = {Operation.ERASE: Code.LEFT_BEHIND, Operation.RECTIFY: Code.CHANGED_BACK}
"""What a person is asked about when a look keeps finding that an act has not lasted."""

_WHOSE = {Code.SEVERAL_PEOPLE, Code.TOO_MANY_LINKS}
"""Where it is open who the person is, it is open in every system."""


class Steps:
    """The steps of one request."""

    def __init__(self, run: Run, deciding: Deciding) -> None:
        self._run, self._deciding = run, deciding
        self._failed: Counter[tuple[str, Operation]] = Counter()
        """How often in a row the attempts at a step have run out."""
        self._heeded: set[str] = set()
        """Acts whose news has been followed."""
        self.out_of_reach: set[str] = set()
        """Systems that could not be looked into when it was last tried."""
        self.before_waiting: Callable[[str], Awaitable[None]] | None = None
        """What is done in a system before the end of a hold is waited for there."""

    async def together(self, operation: Operation, names: tuple[str, ...]) -> list[Receipt | None]:
        """An operation in several systems at once."""
        self._run.enter(_PHASE[operation])
        return list(await asyncio.gather(*(self.see_through(name, operation) for name in names)))

    async def erase(self, system: str, *, suppress: bool) -> None:
        """Erase, having kept the system from collecting more where it can be: whatever became of that."""
        if suppress:
            await self.see_through(system, Operation.SUPPRESS)
        await self.see_through(system, Operation.ERASE)

    async def look_until_gone(self, system: str, act: Operation = Operation.ERASE) -> None:
        """Look again after an erasure, or a correction; act anew on what is still found, then ask a person."""
        # What writes a correction over does not stop by itself.
        run, delays = self._run, iter(policies.LOOK_AGAIN if act is Operation.ERASE else policies.LOOK_AGAIN[:1])
        while not run.stopped:
            done = await self.await_system(system, act, run.receipts.get((system, act)))
            if done is None or not done.outcome.settled or done.certainty is Certainty.ATTESTED:
                return
            if act is not Operation.ERASE and done.outcome is Outcome.NOTHING_HELD:
                return
            run.enter(Phase.VERIFYING)
            seen = await self.await_system(system, Operation.VERIFY)
            if seen is None or seen.outcome is not Outcome.PENDING:
                return
            if delay := next(delays, None):
                await run.pause(delay, f"{act} again in {system}")
            elif not await self._ask_about(seen.step, _LEFT[act]):
                return
            run.round += 1
            run.enter(Phase.FULFILLING)
            await self.see_through(system, act)

    async def await_system(self, system: str, operation: Operation, receipt: Receipt | None = None) -> Receipt | None:
        """See an operation through that the system may take its time for; nothing waits for it but a timer."""
        if receipt is None:
            receipt = await self.see_through(system, operation)
        while receipt and receipt.check_after_seconds and not self._run.stopped:
            await self._run.pause(timedelta(seconds=receipt.check_after_seconds), f"{operation} {system}")
            receipt = await self.see_through(system, operation)
        return receipt

    async def see_through(self, system: str, operation: Operation) -> Receipt | None:
        """Carry out a step until it is settled, accepted, given up, or everything has to be looked at anew."""
        run = self._run
        while not run.stopped:
            step = self._step(system, operation)
            receipt = await self._perform(step)
            if receipt is None:
                continue
            run.note(receipt)
            self._heed(receipt)
            if receipt.outcome.settled or receipt.outcome is Outcome.PENDING or receipt.code == Code.RULED_OUT:
                if operation is Operation.LOCATE:
                    self.out_of_reach.discard(system)
                return receipt
            if run.withdrawn and not run.accounting:
                return receipt
            if receipt.outcome is Outcome.HELD and receipt.code == Code.HOLD:
                if not await self._wait_for_hold(step):
                    return receipt
                continue
            if receipt.code in BEFORE_THE_WORK:
                await self._deciding.wait_out()
                continue
            # Done by hand, or given up: then the step itself says so, as it does when a run was lost meanwhile.
            await self._settle(step, Code(receipt.code), self._until_looked_at(receipt))
        return run.receipts.get((system, operation))

    def _until_looked_at(self, receipt: Receipt) -> timedelta | None:
        """How long a person is waited for before it is tried again by itself: what a system itself holds is looked at
        each day, since nobody tells of its end, and when the person is to be answered. None: as long as it takes."""
        if receipt.code != Code.LEGAL_HOLD:
            return None
        left = self._run.facts.clock.internal_due - workflow.now()
        return min(policies.LOOK_AT_HOLD, left) if left > timedelta(0) else policies.LOOK_AT_HOLD

    async def _wait_for_hold(self, step: Step) -> bool:
        """Wait for the end of a hold, for a word, or until the person is to be answered all the same; False when that
        day is past. Whatever wakes the run has it try again: the fence knows."""
        run = self._run
        left = run.facts.clock.internal_due - workflow.now()
        if left <= timedelta(0):
            return False
        heard = run.heard
        if self.before_waiting:
            await self.before_waiting(step.system)
        await run.wait(
            step.key,
            Code.HOLD,
            lambda: step.key in run.rulings or run.heard_since(heard),
            max(left, timedelta(seconds=1)),
        )
        word = run.rulings.pop(step.key, "retry")
        if not run.stopped or word != "retry":
            changed: bool = await run.do(PlanningActivities.rule, Ruled(ask=run.ask(), step=step, word=word))
            if word == "retry":
                run.round += 1
                run.look_again |= changed
        return True

    def _heed(self, receipt: Receipt) -> None:
        """Look anew where an erasure or the look after it has learnt what others may know the person by. An act is
        settled once, and says so again whenever it is asked."""
        step = receipt.step
        # What an opt-out learns is followed by itself (workflows/stopping.py): it does nothing but suppress.
        heeds = step.operation not in {Operation.LOCATE, Operation.SUPPRESS}
        if receipt.look_again and heeds and step.key not in self._heeded:
            if not step.operation.look:
                self._heeded.add(step.key)
            self._run.look_again = True

    async def by_hand(self, system: str, operation: Operation, code: Code) -> None:
        """Put something on a person's desk that no system does, and wait until it is ruled done or given up."""
        while not self._run.stopped:
            if not await self._ask_about(self._step(system, operation), code):
                return

    async def package(self) -> str:
        """Seal the parcel; while that cannot be done a person is told, and it is tried again. Its digest; empty if it
        was given up."""
        self._run.enter(Phase.PACKAGING)
        while not self._run.stopped:
            step = self._step("parcel", Operation.EXPORT)
            try:
                if (digest := await self._pack()) or not await self._ask_about(step, Code.REVIEW):
                    return digest
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                if not await self._out_of_attempts(step, _code(error)):
                    return ""
        return ""

    async def out_of_attempts(self, about: str, error: ActivityError, operation: Operation = Operation.EXPORT) -> bool:
        """Put work that has failed, as on a parcel, on a person's desk; False when it is given up."""
        return await self._out_of_attempts(self._step(about, operation), _code(error))

    async def ask_a_person(
        self, about: str, code: Code, operation: Operation = Operation.EXPORT, at_most: timedelta | None = None
    ) -> bool:
        """Put something on a person's desk, as work on a parcel, and wait; False when it is given up."""
        return await self._ask_about(self._step(about, operation), code, at_most)

    async def _pack(self) -> str:
        """The parcel's digest; empty while somebody has to go through it first."""
        run = self._run
        if sum(receipt.size or 0 for receipt in run.receipts.values()) <= policies.SMALL_PARCEL:
            # What fails at hand comes as it was raised, not as an error of an activity.
            with suppress(ActivityError, ApplicationError):
                return await workflow.execute_local_activity_method(
                    ClosingActivities.package, run.ask(), **policies.AT_HAND
                )
        digest: str = await run.touch(ClosingActivities.package, run.ask(), "package")
        return digest

    async def _perform(self, step: Step) -> Receipt | None:
        """One step with Temporal's retries. None when they ran out, a person was asked, and it is time to try again."""
        try:
            receipt: Receipt = await self._run.touch(
                _DOES[step.operation], Doing(step=step, as_of=workflow.now()), f"{step.operation} {step.system}"
            )
            self._failed.pop((step.system, step.operation), None)
            return receipt
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            code = _code(error)
        await self._out_of_attempts(step, code)
        return None

    async def _out_of_attempts(self, step: Step, code: Code) -> bool:
        """Put a step on a person's desk, and wait until it is ruled on, or it is time to try again by itself. False
        when it is given up."""
        which = step.system, step.operation
        self._failed[which] += 1
        await self._stuck(step, code)
        delay = policies.TRY_AGAIN * 2 ** min(self._failed[which] - 1, 10)
        return await self._settle(step, code, min(delay, policies.TRY_AGAIN_AT_MOST))

    async def _stuck(self, step: Step, code: Code) -> None:
        """Put a step on a person's desk."""
        await self._run.do(PlanningActivities.stuck, Stuck(ask=self._run.ask(), step=step, code=code))

    async def _ask_about(self, step: Step, code: Code, at_most: timedelta | None = None) -> bool:
        """Put a step on a person's desk and wait for the ruling; True when the step is to be tried again."""
        await self._stuck(step, code)
        return await self._settle(step, code, at_most)

    async def _settle(self, step: Step, code: Code, at_most: timedelta | None = None) -> bool:
        """Wait for a ruling on a step and carry it out; True when the step is to be tried again."""
        run = self._run
        if step.operation is Operation.LOCATE and code not in _WHOSE:
            self.out_of_reach.add(step.system)

        def ready() -> bool:
            approved = code is Code.APPROVAL and run.approved
            return step.key in run.rulings or approved

        if not await run.wait(step.key, code, ready, at_most):
            return not run.stopped
        word = run.rulings.pop(step.key, "retry")
        changed: bool = await run.do(PlanningActivities.rule, Ruled(ask=run.ask(), step=step, word=word))
        if word in {"give_up", "done"}:
            return False
        run.round += 1
        if changed or (word == "choose" and step.operation is not Operation.LOCATE):
            run.look_again = True
        return not run.stopped

    def _step(self, system: str, operation: Operation) -> Step:
        run = self._run
        return Step(request_id=run.opening.request_id, system=system, operation=operation, round=run.round)


def _code(error: ActivityError) -> Code:
    """Why the attempts failed, from the last one's error."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == "Retryable":
        return Code(cause.message)
    return Code.INTERNAL
