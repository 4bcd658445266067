"""The life of one request, from the commit that received it to the day it is closed.

One life runs every right; the thin classes at the end give each its own name in the Temporal UI. The one rule: a
request never fails because one system did. That part waits, tries again or asks a person; the others go on, and the
clock runs beside them all.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.calls import Doing
    from activities.closing import Closed, ClosingActivities
    from activities.fulfil import FulfilActivities
    from activities.opening import Ask, Facts, OpeningActivities, Reached
    from activities.planning import Planned, Planning, PlanningActivities, Ruled, Stuck
    from rights.codes import Code
    from rights.plan import Operation, Step
    from rights.receipt import Certainty, Outcome, Receipt
    from rights.request import Phase, Right
    from workflows import policies, visibility
    from workflows.messages import Closing, Opening, Ruling, Standing, StepStanding

_DOES: dict[Operation, Callable[[FulfilActivities, Doing], Receipt]] = {
    Operation.LOCATE: FulfilActivities.locate,
    Operation.EXPORT: FulfilActivities.export,
    Operation.SUPPRESS: FulfilActivities.suppress,
    Operation.ERASE: FulfilActivities.erase,
    Operation.VERIFY: FulfilActivities.verify,
}

_PHASE = {
    Operation.LOCATE: Phase.LOCATING,
    Operation.EXPORT: Phase.FULFILLING,
    Operation.SUPPRESS: Phase.FULFILLING,
    Operation.ERASE: Phase.FULFILLING,
    Operation.VERIFY: Phase.VERIFYING,
}


_BRIEF = {Phase.FULFILLING, Phase.VERIFYING, Phase.PACKAGING}


class RequestLife:
    """What all rights share. State is a cache of the ledger: `_read` fills it, updates refresh it."""

    _opening: Opening
    _facts: Facts

    def __init__(self) -> None:
        self._phase = Phase.RECEIVED
        self._confirmed = False
        self._approved = False
        self._withdrawn = False
        self._look_again = False
        self._stale = False
        self._round = 0
        self._rulings: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        """What each waiting part waits on: a code by step key, or by itself."""
        self._receipts: dict[tuple[str, Operation], Receipt] = {}
        self._shown: tuple[Phase, str] | None = None
        self._clock: asyncio.Task[None] | None = None
        self._away = 0
        self._heard = 0

    async def live(self, opening: Opening) -> Closing:
        """Run a request to its end."""
        self._opening = opening
        facts = opening.facts
        if facts and workflow.now() - facts.read_at < policies.FRESH:
            self._take(facts)
        else:
            await self._read()
        # The request was started with what it is about to enter (starter/dispatch.py): nothing to tell the UI yet.
        self._phase = Phase.LOCATING if self._confirmed else Phase.CONFIRMING
        self._shown = (self._phase, "")
        try:
            if self._facts.phase.open:
                await self._carry_out()
            closed: Closed = await self._do(ClosingActivities.close, self._ask())
        finally:
            if self._clock:
                self._clock.cancel()
        self._enter(Phase.CLOSED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return Closing(**closed.model_dump())

    # What a person or a system may say while it runs. The ledger knows it already; this only wakes the run.

    @workflow.update
    async def confirm_identity(self) -> None:
        """The asker's identity is attested."""
        self._confirmed = True

    @confirm_identity.validator
    def _confirm_once(self) -> None:
        self._refuse_if(self._confirmed, "already_confirmed")

    @workflow.update
    async def approve(self) -> None:
        """The preview of the erasure is approved."""
        self._approved = True

    @approve.validator
    def _approve_once(self) -> None:
        self._refuse_if(self._approved, "already_approved")

    @workflow.update
    async def rule(self, ruling: Ruling) -> None:
        """An agent's word on a step that waits."""
        self._rulings[self._key(ruling)] = ruling.word

    @rule.validator
    def _rule_on_waiting_steps(self, ruling: Ruling) -> None:
        self._refuse_if(self._key(ruling) not in self._waiting, "not_waiting")

    @workflow.update
    async def withdraw(self) -> None:
        """The person has taken the request back."""
        self._withdrawn = True

    @withdraw.validator
    def _withdraw_once(self) -> None:
        self._refuse_if(self._withdrawn, "already_withdrawn")

    @workflow.signal
    async def refresh(self) -> None:
        """Something was decided or answered that this run has not heard of: look again."""
        self._stale = True
        self._heard += 1

    @workflow.query
    def standing(self) -> Standing:
        """Where the request stands."""
        known = hasattr(self, "_facts")
        return Standing(
            phase=self._phase,
            waiting_on=self._waiting_on(),
            internal_due=self._facts.clock.internal_due if known else None,
            legal_due=self._facts.clock.legal_due if known else None,
            steps=tuple(
                StepStanding(system=system, operation=op, outcome=r.outcome, code=r.code)
                for (system, op), r in self._receipts.items()
            ),
        )

    # The life itself.

    async def _carry_out(self) -> None:
        if not self._confirmed:
            self._enter(Phase.CONFIRMING)
            await self._wait(str(Code.IDENTITY), Code.IDENTITY, lambda: self._confirmed)
        while not self._withdrawn:
            self._look_again = False
            holding = await self._locate()
            if holding and not self._stopped:
                await self._fulfil(holding)
            if not self._look_again:
                return
            # Another map makes another preview; whether the approval still stands, the ledger says.
            self._approved = False
            await self._read()

    async def _locate(self) -> tuple[str, ...]:
        """Look in every system; the names of those that hold something of the person."""
        names: tuple[str, ...] = self._facts.systems
        while names and not self._stopped:
            receipts = await self._together(Operation.LOCATE, names)
            # What one system knows the person by may find them in another: again, until nothing new is learnt.
            again = {name for receipt in receipts if receipt for name in receipt.look_again}
            names = tuple(name for name in self._facts.systems if name in again)
        found = {name for (name, op), r in self._receipts.items() if op is Operation.LOCATE and r.may_hold}
        return tuple(name for name in self._facts.systems if name in found or name in self._facts.begun)

    async def _fulfil(self, holding: tuple[str, ...]) -> None:
        planned = await self._plan(holding)
        erasure = self._opening.right is Right.ERASURE
        if planned.needs_approval and not self._approved:
            self._enter(Phase.APPROVING)
            await self._wait(str(Code.APPROVAL), Code.APPROVAL, lambda: self._approved)
        for wave in planned.waves:
            if self._stopped:
                return
            # The next wave need not wait until this one's systems are done: what they were given is in the vault.
            if erasure:
                self._enter(Phase.FULFILLING)
                await asyncio.gather(*(self._erase(name, suppress=name in planned.suppress) for name in wave))
            else:
                await self._together(Operation.EXPORT, wave)
        names = [name for wave in planned.waves for name in wave]
        if erasure:
            await asyncio.gather(*(self._look_until_gone(name) for name in names))
        else:
            given = self._receipts
            await asyncio.gather(
                *(self._await_system(n, Operation.EXPORT, given.get((n, Operation.EXPORT))) for n in names)
            )
            if not self._stopped:
                await self._package()

    async def _erase(self, system: str, *, suppress: bool) -> None:
        """Erase, having kept the system from collecting more where it can be: whatever became of that."""
        if suppress:
            await self._see_through(system, Operation.SUPPRESS)
        await self._see_through(system, Operation.ERASE)

    async def _plan(self, holding: tuple[str, ...]) -> Planned:
        """The plan that was kept at the start, while it is good for what was located; else one that is made now."""
        kept = self._facts.planned
        if kept and not self._round and (self._approved or set(kept.approve).isdisjoint(holding)):
            return Planned(waves=kept.among(holding), suppress=kept.suppress, needs_approval=False)
        planning = Planning(ask=self._ask(), round=self._round, holding=holding)
        planned: Planned = await self._do(PlanningActivities.plan, planning)
        return planned

    async def _package(self) -> None:
        """Seal the parcel; while that cannot be done a person is told, and it is tried again."""
        self._enter(Phase.PACKAGING)
        while not self._stopped:
            try:
                await self._pack()
                return
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                step = Step(
                    request_id=self._opening.request_id, system="parcel", operation=Operation.EXPORT, round=self._round
                )
                await self._stuck(step, _code(error))
                if not await self._settle(step, _code(error), policies.TRY_AGAIN):
                    return

    async def _pack(self) -> None:
        if sum(receipt.size or 0 for receipt in self._receipts.values()) <= policies.SMALL_PARCEL:
            with suppress(ActivityError):
                await workflow.execute_local_activity_method(ClosingActivities.package, self._ask(), **policies.AT_HAND)
                return
        await self._touch(ClosingActivities.package, self._ask(), "package")

    async def _together(self, operation: Operation, names: tuple[str, ...]) -> list[Receipt | None]:
        self._enter(_PHASE[operation])
        return list(await asyncio.gather(*(self._see_through(name, operation) for name in names)))

    async def _look_until_gone(self, system: str) -> None:
        """Look again after an erasure; erase anew what is still found, then ask a person."""
        delays = iter(policies.LOOK_AGAIN)
        while not self._stopped:
            erased = await self._await_system(system, Operation.ERASE, self._receipts.get((system, Operation.ERASE)))
            if erased is None or not erased.outcome.settled or erased.certainty is Certainty.ATTESTED:
                return
            self._enter(Phase.VERIFYING)
            seen = await self._await_system(system, Operation.VERIFY)
            if seen is None or seen.outcome is not Outcome.PENDING:
                return
            if delay := next(delays, None):
                await self._pause(delay, f"erase again in {system}")
            elif not await self._ask_about(seen.step, Code.LEFT_BEHIND):
                return
            self._round += 1
            self._enter(Phase.FULFILLING)
            await self._see_through(system, Operation.ERASE)

    async def _await_system(self, system: str, operation: Operation, receipt: Receipt | None = None) -> Receipt | None:
        """See an operation through that the system may take its time for; nothing waits for it but a timer."""
        if receipt is None:
            receipt = await self._see_through(system, operation)
        while receipt and receipt.check_after_seconds and not self._stopped:
            await self._pause(timedelta(seconds=receipt.check_after_seconds), f"{operation} {system}")
            receipt = await self._see_through(system, operation)
        return receipt

    async def _see_through(self, system: str, operation: Operation) -> Receipt | None:
        """Carry out a step until it is settled, accepted, given up, or everything has to be looked at anew."""
        while not self._stopped:
            step = Step(
                request_id=self._opening.request_id,
                system=system,
                operation=operation,
                round=self._round,
            )
            receipt = await self._perform(step)
            if receipt is None:
                continue
            self._receipts[system, operation] = receipt
            if receipt.outcome.settled or receipt.outcome is Outcome.PENDING or receipt.code == Code.RULED_OUT:
                return receipt
            if self._withdrawn:
                return receipt
            # Done by hand, or given up: then the step itself says so, as it does when a run was lost meanwhile.
            await self._settle(step, Code(receipt.code))
        return self._receipts.get((system, operation))

    async def _perform(self, step: Step) -> Receipt | None:
        """One step with Temporal's retries. None when they ran out, a person was asked, and it is time to try again."""
        try:
            receipt: Receipt = await self._touch(
                _DOES[step.operation], Doing(step=step, as_of=workflow.now()), f"{step.operation} {step.system}"
            )
            return receipt
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            code = _code(error)
        await self._stuck(step, code)
        await self._settle(step, code, policies.TRY_AGAIN)
        return None

    async def _stuck(self, step: Step, code: Code) -> None:
        """Put a step on a person's desk."""
        await self._do(PlanningActivities.stuck, Stuck(ask=self._ask(), step=step, code=code))

    async def _ask_about(self, step: Step, code: Code) -> bool:
        """Put a step on a person's desk and wait for the ruling; True when the step is to be tried again."""
        await self._stuck(step, code)
        return await self._settle(step, code)

    async def _settle(self, step: Step, code: Code, at_most: timedelta | None = None) -> bool:
        """Wait for a ruling on a step and carry it out; True when the step is to be tried again."""

        def ready() -> bool:
            approved = code is Code.APPROVAL and self._approved
            return step.key in self._rulings or approved

        if not await self._wait(step.key, code, ready, at_most):
            return not self._stopped
        word = self._rulings.pop(step.key, "retry")
        changed: bool = await self._do(PlanningActivities.rule, Ruled(ask=self._ask(), step=step, word=word))
        if word in {"give_up", "done"}:
            return False
        self._round += 1
        if changed or (word == "choose" and step.operation is not Operation.LOCATE):
            self._look_again = True
        return not self._stopped

    # Waiting, and the clock.

    @property
    def _stopped(self) -> bool:
        """Whether the present work is to end: taken back, or to be looked at anew."""
        return self._withdrawn or self._look_again

    async def _wait(self, key: str, code: Code, ready: Callable[[], bool], at_most: timedelta | None = None) -> bool:
        """Wait for a person; True when what was waited for has come. The ledger is read again now and then."""
        self._begin_anew_if_long()
        until = workflow.now() + at_most if at_most else None
        self._waiting[key] = str(code)
        self._show()
        self._mind_the_clock()
        try:
            while not (ready() or self._stopped):
                left = until - workflow.now() if until else policies.RECHECK
                if left <= timedelta(0):
                    break
                try:
                    await workflow.wait_condition(
                        lambda: ready() or self._stopped or self._stale,
                        timeout=min(left, policies.RECHECK),
                        timeout_summary=f"waiting on {code}",
                    )
                    if not self._stale:
                        continue
                except TimeoutError:
                    pass
                self._stale = False
                self._begin_anew_if_long()
                await self._read()
        finally:
            del self._waiting[key]
        self._show()
        return ready()

    async def _pause(self, delay: timedelta, why: str) -> None:
        self._begin_anew_if_long()
        self._show()
        self._mind_the_clock(delay)
        heard = self._heard
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._stopped or self._heard > heard, timeout=delay, timeout_summary=why
            )

    def _begin_anew_if_long(self) -> None:
        """Go on in a fresh history when this one has grown long, and nothing is under way. Nothing is lost by it: the
        state is the ledger's."""
        if workflow.info().is_continue_as_new_suggested() and not self._away and workflow.all_handlers_finished():
            workflow.continue_as_new(self._opening.model_copy(update={"facts": None}))

    def _mind_the_clock(self, away: timedelta = timedelta.max) -> None:
        """Set the clock's timer, unless what is about to be awaited is surely over before any of its dates."""
        change = None if self._clock else self._facts.clock.next_change(workflow.now())
        if change and change - workflow.now() <= away:
            self._clock = asyncio.create_task(self._watch_the_clock())

    async def _watch_the_clock(self) -> None:
        """Move the risk bucket as the due date comes near; a missed deadline is recorded, never fatal."""
        clock = self._facts.clock
        while change := clock.next_change(workflow.now()):
            await workflow.sleep(change - workflow.now(), summary="deadline clock")
            risk = clock.risk(workflow.now())
            workflow.upsert_search_attributes(visibility.at_risk(risk))
            await self._do(OpeningActivities.deadline, Reached(ask=self._ask(), risk=risk))

    # Small things.

    async def _read(self) -> None:
        self._take(await self._do(OpeningActivities.open, self._ask()))

    def _take(self, facts: Facts) -> None:
        self._facts = facts
        self._confirmed |= facts.confirmed
        self._approved |= facts.approved
        self._withdrawn |= facts.withdrawn or not facts.phase.open
        self._round = max(self._round, facts.round)
        for key, word in facts.rulings.items():
            if key in self._waiting:
                self._rulings.setdefault(key, word)

    async def _do(self, method: Callable[[Any, Any], Any], argument: object) -> Any:
        """A few statements on the ledger: done by the worker at hand, inside the workflow's own task. Its name says it
        all, so it has no summary."""
        with self._out():
            return await workflow.execute_local_activity_method(method, argument, **policies.LEDGER)

    async def _touch(self, method: Callable[[Any, Any], Any], argument: object, summary: str) -> Any:
        """Work on a system: seen, retried, cancelled and limited by the server."""
        self._mind_the_clock(policies.LONGEST_STEP)
        with self._out():
            return await workflow.execute_activity_method(method, argument, summary=summary, **policies.STEP)

    @contextmanager
    def _out(self) -> Iterator[None]:
        """Count what is under way."""
        self._away += 1
        try:
            yield
        finally:
            self._away -= 1

    def _ask(self) -> Ask:
        return Ask(request_id=self._opening.request_id, as_of=workflow.now())

    def _key(self, ruling: Ruling) -> str:
        return Step(
            request_id=self._opening.request_id,
            system=ruling.system,
            operation=ruling.operation,
            round=ruling.round,
        ).key

    def _refuse_if(self, refused: bool, reason: str) -> None:
        if refused:
            raise ApplicationError(reason, type="Refused", non_retryable=True)

    def _enter(self, phase: Phase) -> None:
        """Note a phase. What takes moments is shown only if something waits: each showing costs two writes."""
        if phase is not self._phase:
            self._phase = phase
            if phase not in _BRIEF or self._found > policies.MANY_ROWS:
                self._show()

    @property
    def _found(self) -> int:
        return sum(r.tally.found for (_, operation), r in self._receipts.items() if operation is Operation.LOCATE)

    def _waiting_on(self) -> str:
        return next(iter(self._waiting.values()), "")

    def _show(self) -> None:
        """Tell the UI; one history event per change."""
        shown = (self._phase, self._waiting_on())
        if shown != self._shown:
            self._shown = shown
            workflow.upsert_search_attributes(visibility.now_in(*shown))
            workflow.set_current_details(visibility.details(self.standing()))


def _code(error: ActivityError) -> Code:
    """Why the attempts failed, from the last one's error."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == "Retryable":
        return Code(cause.message)
    return Code.INTERNAL


@workflow.defn(name="access-request")
class AccessRequest(RequestLife):
    """A person asks what is held on them (GDPR Art. 15)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


@workflow.defn(name="erasure-request")
class ErasureRequest(RequestLife):
    """A person asks for their data to be erased (GDPR Art. 17)."""

    @workflow.run
    async def run(self, opening: Opening) -> Closing:
        return await self.live(opening)


BY_RIGHT = {Right.ACCESS: "access-request", Right.ERASURE: "erasure-request"}
"""The workflow type of each right that is offered."""
