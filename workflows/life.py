"""The life of one request, from the commit that received it to the day it is closed.

One life runs every right; the thin classes in `workflows.request` give each its own name in the Temporal UI. The one
rule: a request never fails because one system did. That part waits, tries again or asks a person; the others go on,
and the clock runs beside them all.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.closing import Closed, ClosingActivities
    from activities.planning import Planned, Planning, PlanningActivities
    from activities.telling import TellingActivities
    from rights.codes import Code
    from rights.course import COURSES, Course
    from rights.plan import Operation, Step
    from rights.receipt import Receipt
    from rights.request import Phase, Right, may_say
    from workflows.acts import Acts
    from workflows.deciding import Deciding
    from workflows.identity import Known, Proving
    from workflows.messages import Closing, Opening, Ruling, Standing
    from workflows.reopened import Reopened
    from workflows.rests import Rests
    from workflows.run import Run
    from workflows.steps import Steps
    from workflows.stopping import Stopping
    from workflows.transmission import hand_over


class RequestLife:
    """What all rights share."""

    def __init__(self) -> None:
        self._run = Run()
        self._deciding = Deciding(self._run)
        self._steps = Steps(self._run, self._deciding)
        self._rests = Rests(self._run, self._steps, self._deciding)
        self._steps.before_waiting = self._rests.lock_held
        self._proving = Proving(self._run, self._steps, self._deciding)
        self._late: dict[str, asyncio.Task[None]] = {}
        """Looks that an erasure goes on without, by system, while they are not done."""

    @property
    def _course(self) -> Course:
        return COURSES[self._run.opening.right]

    async def live(self, opening: Opening) -> Closing:
        """Run a request to its end."""
        run = self._run
        await run.begin(opening)
        try:
            if run.facts.phase.open:
                if run.facts.reopened:
                    await Reopened(run, self._steps, self._rests, self._course.act).carry_out()
                    await self._account()
                else:
                    await self._carry_out()
                    await self._account()
                    await self._tell()
                await self._rests.open_what_is_over()
            closed = await self._close()
        finally:
            run.end()
        run.enter(Phase.CLOSED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return Closing(**closed.model_dump(exclude={"stopped"}))

    # What a person or a system may say while it runs. The ledger knows it already; this only wakes the run.

    @workflow.update
    async def confirm_identity(self) -> None:
        """The asker's identity is attested."""
        self._run.confirmed = True

    @confirm_identity.validator
    def _confirm_once(self) -> None:
        self._refuse("confirm_identity", self._run.confirmed, "the identity is confirmed already")

    @workflow.update
    async def approve(self) -> None:
        """The preview of the erasure is approved."""
        self._run.approved = True

    @approve.validator
    def _approve_once(self) -> None:
        self._refuse("approve", self._run.approved, "the preview is approved already")

    @workflow.update
    async def rule(self, ruling: Ruling) -> None:
        """An agent's word on a step that waits."""
        self._run.rulings[self._key(ruling)] = ruling.word

    @rule.validator
    def _rule_on_waiting_steps(self, ruling: Ruling) -> None:
        self._refuse("rule", self._key(ruling) not in self._run.waiting, "no step waits for this ruling")

    @workflow.update
    async def withdraw(self) -> None:
        """The person has taken the request back."""
        self._run.withdrawn = True

    @withdraw.validator
    def _withdraw_once(self) -> None:
        self._refuse("withdraw", self._run.withdrawn, "the request is withdrawn already")

    @workflow.update
    async def decide(self) -> None:
        """A decision is proposed, spoken on, in force or dropped: what became of it, the ledger says."""
        self._run.refresh()

    @decide.validator
    def _decide_before_the_work(self) -> None:
        self._refuse("decide", False, "")

    @workflow.signal
    async def refresh(self) -> None:
        """Something was decided or answered that this run has not heard of: look again."""
        self._run.refresh()

    @workflow.signal
    async def turned(self) -> None:
        """The clock was moved."""
        self._run.turn()

    @workflow.query
    def standing(self) -> Standing:
        """Where the request stands."""
        return self._run.standing()

    # The life itself.

    async def _carry_out(self) -> None:
        run, matters = self._run, self._run.facts.matters
        if not run.confirmed and (matters is None or matters.proven):
            if not await self._prove():
                return
            # Proven just now: whether an earlier request asks the same, the ledger says.
            await run.read()
        if matters is not None:
            await self._deciding.settled()
            if not run.stopped:
                await Stopping(run, self._steps, self._deciding).carry_out()
            return
        await self._deciding.cooled()
        while not (run.withdrawn or run.ended):
            run.look_again = False
            await self._deciding.ready()
            if run.stopped:
                continue
            holding = await self._locate() if self._course.locates else run.facts.systems
            if holding and not run.stopped:
                await self._fulfil(holding)
            await self._await_late()
            if not run.look_again:
                return
            # Another map makes another preview; whether the approval still stands, the ledger says.
            run.approved = False
            run.forget_looks()
            await run.read()

    async def _account(self) -> None:
        """Look at what is gone where an erasure was taken back, or given up, when calls had been let through: a worker
        that was killed behind its fence has told nobody, and the answer must not say that nothing was done."""
        run = self._run
        given_up = any(r.code == Code.RULED_OUT for (_, op), r in run.receipts.items() if op is Operation.ERASE)
        if self._course.act is not Operation.ERASE or run.ended or not (run.withdrawn or given_up):
            return
        run.accounting = True
        owed = await run.do(ClosingActivities.unaccounted, run.ask())
        while owed.busy_seconds:
            await run.pause(timedelta(seconds=owed.busy_seconds), "the calls under way")
            owed = await run.do(ClosingActivities.unaccounted, run.ask())
        # What was seen before a backup brought it back says nothing of what is there now.
        names = {*owed.systems, *(run.facts.reopened if run.withdrawn else ())}
        await asyncio.gather(*(self._steps.await_system(name, Operation.VERIFY) for name in sorted(names)))

    async def _close(self) -> Closed:
        """Close the request; not while it stands still for an incident, which the ledger knows best."""
        run = self._run
        while True:
            await self._deciding.moving()
            again = bool(run.facts.reopened)
            closed: Closed = await run.do(ClosingActivities.close, run.ask().model_copy(update={"again": again}))
            if not closed.stopped:
                return closed
            await run.read()

    async def _tell(self) -> None:
        """Tell the recipients of what was changed, also where the rest was taken back."""
        await self._deciding.moving()
        if self._run.facts.tells and not self._run.ended:
            self._run.enter(Phase.TELLING)
            await self._run.do(TellingActivities.tell, self._run.ask())

    async def _prove(self) -> bool:
        """Wait until it is known who asks. False: there is nothing more to do, since that never will be, or since all
        that was given is proven and nothing is held under it."""
        run = self._run
        known = await self._proving.until_known(alone_will_do=self._course.locates)
        while known in {Known.ALONE, Known.CATEGORIES}:
            holding = await self._locate()
            await self._await_late()
            if not holding and not run.stopped:
                return False
            looked = not run.stopped
            run.look_again = False
            run.forget_looks()
            if known is Known.ALONE:
                await self._proving.ask_again()
            elif looked:
                await self._proving.tell_categories()
            known = await self._proving.until_known(alone_will_do=False)
        return known is Known.PROVEN

    async def _locate(self) -> tuple[str, ...]:
        """Look in every system; the names of those that hold something of the person, as far as it is known."""
        run = self._run
        names = tuple(name for name in self._to_look_into() if name not in self._late)
        while names and not run.stopped:
            receipts = await self._look_into(names)
            # What one system knows the person by may find them in another: again, until nothing new is learnt.
            again = {name for receipt in receipts if receipt for name in receipt.look_again}
            names = tuple(name for name in run.facts.systems if name in again - self._late.keys())
        found = {name for name, look in run.looks.items() if look.may_hold}
        known = (found | set(run.facts.begun)) - self._late.keys()
        return tuple(name for name in run.facts.systems if name in known)

    async def _look_into(self, names: tuple[str, ...]) -> list[Receipt | None]:
        """Look in several systems at once. An erasure goes on without those that cannot be looked into for now; a
        parcel is of all of them, so an access request waits."""
        run, steps = self._run, self._steps
        run.enter(Phase.LOCATING)
        looks = {name: asyncio.create_task(steps.see_through(name, Operation.LOCATE)) for name in names}

        def late(name: str) -> bool:
            return self._course.act is Operation.ERASE and name in steps.out_of_reach

        await workflow.wait_condition(lambda: all(look.done() or late(name) for name, look in looks.items()))
        for name, look in looks.items():
            if not look.done():
                self._late[name] = asyncio.create_task(self._see_late(name, look))
        return [await look for look in looks.values() if look.done()]

    async def _see_late(self, name: str, look: asyncio.Task[Receipt | None]) -> None:
        """Wait for a late look; when it is done, everything is looked at anew."""
        receipt = await look
        del self._late[name]
        if receipt and (receipt.outcome.settled or receipt.code == Code.RULED_OUT):
            self._run.look_again = True

    async def _await_late(self) -> None:
        """Do not end without what is late; those that are still on their way stay so when another one has come."""
        run = self._run

        def failed() -> bool:
            return any(task.done() for task in self._late.values())

        await workflow.wait_condition(lambda: not self._late or failed() or (run.look_again and not run.withdrawn))
        for task in self._late.values():
            if task.done():
                task.result()  # one that is done takes itself out: what it raises, as to begin anew, is for all

    def _to_look_into(self) -> tuple[str, ...]:
        """All systems but those that a run before this one has looked into, with all that others had to tell it."""
        seen = self._run.looks

        def due(name: str) -> bool:
            mine = seen.get(name)
            if mine is None or not (mine.outcome.settled or mine.code == Code.RULED_OUT):
                return True
            return any(name in other.look_again and mine.at <= other.at for other in seen.values())

        return tuple(name for name in self._run.facts.systems if due(name))

    async def _fulfil(self, holding: tuple[str, ...]) -> None:
        run, steps = self._run, self._steps
        planned = await self._plan(holding)
        if planned.needs_approval and not run.approved:
            run.enter(Phase.APPROVING)
            await run.wait(str(Code.APPROVAL), Code.APPROVAL, lambda: run.approved or self._deciding.closed)
        if not await self._deciding.clear():
            return
        match self._course.act:
            case Operation.ERASE:
                await self._erase(planned)
                return
            case Operation.RESTRICT:
                await Acts(run, steps, self._deciding).restrict(planned)
                return
            case Operation.RECTIFY:
                await Acts(run, steps, self._deciding).rectify(planned)
                return
        if self._course.act:
            await self._act(self._course.act, planned)
        while self._course.packages and not run.stopped:
            await self._deciding.moving()
            digest = await steps.package()
            sends = digest and run.opening.right is Right.PORTABILITY and not run.stopped
            if not sends or await hand_over(run, steps, self._deciding, digest):
                return

    async def _act(self, act: Operation, planned: Planned) -> None:
        """Do one thing in every system, wave by wave; what a system takes its time for is waited for at the end."""
        run, steps = self._run, self._steps
        able = set(planned.suppress) if act is Operation.SUPPRESS else None
        waves = [tuple(name for name in wave if able is None or name in able) for wave in planned.waves]
        for wave in waves:
            if wave and not run.stopped:
                await steps.together(act, wave)
        given = run.receipts
        names = [name for wave in waves for name in wave]
        await asyncio.gather(*(steps.await_system(name, act, given.get((name, act))) for name in names))

    async def _erase(self, planned: Planned) -> None:
        """Erase in every system, the waves in their order, and look again in each as soon as it is done.

        The next wave need not wait until this one's systems are done: what they were given is in the vault.
        """
        run, steps = self._run, self._steps
        given: set[str] = set()

        async def see_to(name: str, before: set[str]) -> None:
            await workflow.wait_condition(lambda: before <= given or run.stopped)
            if run.stopped:
                return
            run.enter(Phase.FULFILLING)
            await steps.erase(name, suppress=name in planned.suppress)
            given.add(name)
            await steps.look_until_gone(name)
            await self._rests.see_to(name)

        waves = planned.waves
        await asyncio.gather(
            *(
                see_to(name, {earlier for wave in waves[:number] for earlier in wave})
                for number, wave in enumerate(waves)
                for name in wave
            )
        )

    async def _plan(self, holding: tuple[str, ...]) -> Planned:
        """The plan that was kept at the start, while it is good for what was located; else one that is made now."""
        run = self._run
        self._deciding.planned()
        kept = run.facts.planned
        if kept and not run.round and not self._late and (run.approved or set(kept.approve).isdisjoint(holding)):
            return Planned(waves=kept.among(holding), suppress=kept.suppress, needs_approval=False)
        planning = Planning(ask=run.ask(), round=run.round, holding=holding, late=tuple(sorted(self._late)))
        planned: Planned = await run.do(PlanningActivities.plan, planning)
        return planned

    def _refuse(self, word: str, again: bool, sentence: str) -> None:
        """Refuse a word that makes no sense in this phase, or was said before; no event is left of it."""
        phase = self._run.phase
        if not may_say(word, phase):
            sentence = f"the request is {phase}: '{word}' makes no sense here"
        elif not again:
            return
        raise ApplicationError(sentence, type="Refused", non_retryable=True)

    def _key(self, ruling: Ruling) -> str:
        return Step(
            request_id=self._run.opening.request_id,
            system=ruling.system,
            operation=ruling.operation,
            round=ruling.round,
        ).key
