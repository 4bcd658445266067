"""What the coroutines of one request share: where it stands, how they wait, and the clock that runs beside them.

The one rule: state is a cache of the ledger. `take` fills it, what people say refreshes it, and whoever waits reads the
ledger again now and then, so that nothing is lost with a message or with Temporal's database.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.opening import Ask, Facts, OpeningActivities, Reached
    from rights.codes import Code
    from rights.deadlines import Clock, Risk
    from rights.plan import Operation
    from rights.receipt import Receipt
    from rights.request import Phase
    from workflows import policies, visibility
    from workflows.details import details
    from workflows.messages import Opening, Standing, StepStanding, Wait

_HOLDS = (Code.HOLD, Code.LEGAL_HOLD)
_BRIEF = {Phase.FULFILLING, Phase.VERIFYING, Phase.PACKAGING}


class Run:
    """The state of a running request, and waiting for what is to become of it."""

    opening: Opening
    facts: Facts

    def __init__(self) -> None:
        self.phase = Phase.RECEIVED
        self.confirmed = False
        self.approved = False
        self.withdrawn = False
        self.ended = False
        """Nothing is to be done: refused, or answered with an earlier request."""
        self.look_again = False
        self.accounting = False
        """It is looked at what was done before the request was taken back: that stops neither for it nor for what it
        learns."""
        self.round = 0
        self.rulings: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        """What each waiting part waits on: a code by step key, or by itself."""
        self.receipts: dict[tuple[str, Operation], Receipt] = {}
        self._stale = False
        self._heard = 0
        self._away = 0
        self._shown: tuple[Phase, str] | None = None
        self._foremost = ""
        self._clock: asyncio.Task[None] | None = None
        self._interim = False
        self._acknowledged = False
        self._turned = False
        """The clock was moved in the ledger, and this run has not read it yet."""
        self._told: Clock
        """The clock that the UI shows."""
        self._interim_from: datetime

    async def begin(self, opening: Opening) -> None:
        """Learn where the request stands: from what the run was started with, while that is fresh."""
        self.opening = opening
        self._interim_from = workflow.now() + policies.INTERIM_SOONEST
        self.receipts = {(look.step.system, Operation.LOCATE): look for look in opening.looks}
        facts = opening.facts
        if facts and workflow.now() - facts.read_at < policies.FRESH:
            self._take(facts)
        else:
            await self.read()
        self._told = self.facts.clock
        # The request was started with what it is about to enter (starter/dispatch.py): nothing to tell the UI yet.
        self.phase = Phase.LOCATING if self.confirmed else Phase.CONFIRMING
        self._shown = (self.phase, "")
        self._write_page()
        await self._note_risk()

    def end(self) -> None:
        """Stop the clock."""
        if self._clock:
            self._clock.cancel()

    @property
    def stopped(self) -> bool:
        """Whether the present work is to end: taken back, refused, or to be looked at anew."""
        return self.ended or (not self.accounting and (self.withdrawn or self.look_again))

    def ask(self) -> Ask:
        """The request and the time, for an activity."""
        return Ask(request_id=self.opening.request_id, as_of=workflow.now())

    # Waiting, and the clock.

    def refresh(self) -> None:
        """Have all that wait look again."""
        self._stale = True
        self._heard += 1

    @property
    def heard(self) -> int:
        """How often something was said to this run."""
        return self._heard

    def heard_since(self, before: int) -> bool:
        """Whether something was said since `heard` was that number."""
        return self._heard > before

    async def wait(
        self,
        key: str,
        code: Code,
        ready: Callable[[], bool],
        at_most: timedelta | None = None,
        *,
        whatever: bool = False,
    ) -> bool:
        """Wait for a person; True when what was waited for has come. The ledger is read again now and then.

        `whatever`: also where the present work is to end.
        """

        def over() -> bool:
            return ready() or (self.stopped and not whatever)

        self._begin_anew_if_long()
        until = workflow.now() + at_most if at_most else None
        self.waiting[key] = str(code)
        self._show()
        self._mind_the_clock()
        try:
            while not over():
                left = until - workflow.now() if until else policies.RECHECK
                if left <= timedelta(0):
                    break
                try:
                    await workflow.wait_condition(
                        lambda: over() or self._stale,
                        timeout=min(left, policies.RECHECK),
                        timeout_summary=f"waiting on {code}",
                    )
                    if not self._stale:
                        continue
                except TimeoutError:
                    pass
                self._stale = False
                self._begin_anew_if_long()
                await self.read()
        finally:
            # Several systems may have waited for the same.
            self.waiting.pop(key, None)
        self._show()
        return ready()

    async def pause(self, delay: timedelta, why: str) -> None:
        """Wait for a system; a word to the request ends it sooner."""
        self._begin_anew_if_long()
        self._show()
        self._mind_the_clock(delay)
        heard = self._heard
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self.stopped or self._heard > heard, timeout=delay, timeout_summary=why
            )

    def _begin_anew_if_long(self) -> None:
        """Go on in a fresh history when this one has grown long, and nothing is under way. Nothing is lost by it: the
        state is the ledger's, but for what was located, which goes along."""
        if workflow.info().is_continue_as_new_suggested() and not self._away and workflow.all_handlers_finished():
            looks = tuple(look for look in self.looks.values() if look.outcome.settled)
            workflow.continue_as_new(self.opening.model_copy(update={"facts": None, "looks": looks}))

    def turn(self) -> None:
        """The clock was moved: read it, and go by it."""
        self._turned = True
        if self._clock is None and hasattr(self, "facts"):
            self._clock = asyncio.create_task(self._watch_the_clock())

    def _mind_the_clock(self, away: timedelta = timedelta.max) -> None:
        """Set the clock's timer, unless what is about to be awaited is surely over before any of its dates."""
        if self.facts.reopened:
            # It was answered: its dates are past, and nobody is owed an interim answer.
            return
        date = None if self._clock else self._next_date()
        if self._clock is None and (self._turned or (date and date - workflow.now() <= away)):
            self._clock = asyncio.create_task(self._watch_the_clock())

    async def _watch_the_clock(self) -> None:
        """Move the risk bucket as the due date comes near, and ask for what is due on the way; a missed deadline is
        recorded, never fatal."""
        shown = self.facts.clock.risk(workflow.now())
        while True:
            await self._until_the_clock(self._next_date())
            if self._turned:
                self._turned = False
                await self.read()
            if self.facts.clock != self._told:
                self._told = self.facts.clock
                shown = self._told.risk(workflow.now())
                workflow.upsert_search_attributes(visibility.at_clock(self._told, shown))
                self._write_page()
                await self._note_risk()
            risk = self.facts.clock.risk(workflow.now())
            if risk is not shown:
                shown = risk
                workflow.upsert_search_attributes(visibility.at_risk(risk))
                self._write_page()
                await self.do(OpeningActivities.deadline, Reached(ask=self.ask(), risk=risk))
            if self._acknowledge_at and workflow.now() >= self._acknowledge_at:
                self._acknowledged = True
                await self.do(OpeningActivities.acknowledge, self.ask())
            if not self._interim and workflow.now() >= self._interim_at:
                self._interim = True
                await self.do(OpeningActivities.interim, self.ask())

    async def _note_risk(self) -> None:
        """Note a risk that no timer leads to: of a request that came in late, or whose clock was set or moved while
        nobody watched. The ledger notes it once."""
        risk, facts = self.facts.clock.risk(workflow.now()), self.facts
        if risk is Risk.ON_TRACK or facts.reopened or not facts.phase.open:
            return
        # Runs that began under an older version have noted what a timer led to, and no more.
        if workflow.patched("a risk without a timer is noted"):
            await self.do(OpeningActivities.deadline, Reached(ask=self.ask(), risk=risk))

    async def _until_the_clock(self, date: datetime | None) -> None:
        """Wait for a date of the clock, or until the clock is another one."""
        clock = self.facts.clock
        left = date - workflow.now() if date else None
        if left is None or left > timedelta(0):
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._turned or self.facts.clock != clock, timeout=left, timeout_summary="deadline clock"
                )

    def _next_date(self) -> datetime | None:
        """The next date on which the clock has something to do."""
        interim = None if self._interim else self._interim_at
        dates = [self.facts.clock.next_change(workflow.now()), interim, self._acknowledge_at]
        return min((date for date in dates if date), default=None)

    @property
    def _acknowledge_at(self) -> datetime | None:
        return None if self._acknowledged else self.facts.clock.acknowledge_due

    @property
    def _interim_at(self) -> datetime:
        return max(self.facts.clock.interim_due, self._interim_from)

    # The ledger, and the systems.

    async def read(self) -> None:
        """Read the ledger."""
        self._take(await self.do(OpeningActivities.open, self.ask()))

    def _take(self, facts: Facts) -> None:
        self.facts = facts
        self.confirmed |= facts.confirmed
        self.approved |= facts.approved
        self._interim |= facts.interim
        self.withdrawn |= facts.withdrawn or not facts.phase.open
        self.round = max(self.round, facts.round)
        for key, word in facts.rulings.items():
            if key in self.waiting:
                self.rulings.setdefault(key, word)

    async def do(self, method: Callable[[Any, Any], Any], argument: object) -> Any:
        """A few statements on the ledger: done by the worker at hand, inside the workflow's own task. Its name says it
        all, so it has no summary."""
        with self._out():
            return await workflow.execute_local_activity_method(method, argument, **policies.LEDGER)

    async def touch(self, method: Callable[[Any, Any], Any], argument: object, summary: str) -> Any:
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

    async def read_if_told(self) -> None:
        """Read the ledger, if a word came that nobody has waited for."""
        if self._stale:
            self._stale = False
            await self.read()

    # Telling the UI.

    def standing(self) -> Standing:
        """Where the request stands."""
        standing = Standing(
            phase=self.phase,
            waiting_on=self._foremost,
            waits=tuple(Wait(code=code, system=_system_of(key)) for key, code in self.waiting.items()),
            steps=tuple(
                StepStanding(
                    system=system,
                    operation=op,
                    outcome=r.outcome,
                    code=r.code,
                    certainty=r.certainty,
                    rows=r.tally.found,
                )
                for (system, op), r in self.receipts.items()
            ),
        )
        if not hasattr(self, "facts"):
            return standing
        clock = self.facts.clock
        return standing.model_copy(
            update={
                "internal_due": clock.internal_due,
                "legal_due": clock.legal_due,
                "right": self.opening.right,
                "regime": clock.regime,
                "risk": clock.risk(workflow.now()),
                "still_since": clock.still_since,
                "zone": clock.zone,
                "systems": self.facts.systems,
            }
        )

    def note(self, receipt: Receipt) -> None:
        """Keep what became of a step."""
        self.receipts[receipt.step.system, receipt.step.operation] = receipt
        self._write_page()

    def enter(self, phase: Phase) -> None:
        """Note a phase. What takes moments is shown only if something waits: each showing costs two writes."""
        if phase is not self.phase:
            self.phase = phase
            if phase not in _BRIEF or self._found > policies.MANY_ROWS:
                self._show()
            else:
                self._write_page()

    @property
    def looks(self) -> dict[str, Receipt]:
        """What was found, by the system that was looked into."""
        return {system: r for (system, op), r in self.receipts.items() if op is Operation.LOCATE}

    def forget_looks(self) -> None:
        """Have every system looked into anew."""
        self.receipts = {step: r for step, r in self.receipts.items() if step[1] is not Operation.LOCATE}

    @property
    def _found(self) -> int:
        return sum(look.tally.found for look in self.looks.values())

    def _waiting_on(self) -> str:
        """What the list shows of all that is waited on: a hold before anything else, since that stands when all else
        is done; or what was first."""
        first = next(iter(self.waiting.values()), "")
        held = next((code for code in self.waiting.values() if code in _HOLDS), "")
        # Runs that began under an older version have shown what was first.
        return held if held and held != first and workflow.patched("a hold is shown first") else first

    def _show(self) -> None:
        """Tell the UI; one history event per change of what the list shows, and none for the page."""
        self._foremost = self._waiting_on()
        shown = (self.phase, self._foremost)
        if shown != self._shown:
            self._shown = shown
            workflow.upsert_search_attributes(visibility.now_in(*shown))
        self._write_page()

    def _write_page(self) -> None:
        """Say where it stands to whoever opens its page: kept in memory alone, and asked for."""
        workflow.set_current_details(details(self.standing()))


def _system_of(key: str) -> str:
    """The system of a step by its key, REQUEST/SYSTEM/...; none of what is waited on by itself."""
    parts = key.split("/")
    return parts[1] if len(parts) > 2 else ""
