"""One call to a system for many people: steps that have gathered are erased together, each behind its own fence.

The one rule: whatever becomes of one person's step becomes of nobody else's; each gets an answer of its own.
"""

from datetime import timedelta
from typing import Final

from temporalio import activity

from activities.calls import Beat, Doing, Ready, beating, knowing, make_ready, read, wall_clock
from activities.outcomes import answer_of, receipt_of
from activities.tools import Tools
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Batches, Pending
from ledger.sweeps import Waiting
from rights.codes import Code
from rights.holds import ASK_AGAIN
from rights.receipt import Tally
from rights.value import Value

GATHER: Final = timedelta(seconds=5)
"""Whoever comes within this time of another is swept together with them, if the system takes so many."""
LONGEST_GATHER: Final = timedelta(minutes=5)
"""Longer nobody waits for others to come: a small part of what a request waits for its sweep before it asks."""
SOON = timedelta(minutes=1)
"""How long a step waits that a system has put off without saying for how long."""
ATTEMPTS = 20
"""Sweeps that may put a step off before a person is asked: as many as Temporal's for a step of its own."""


class Sweeping(Value):
    """A system whose queue is to be swept."""

    system: str


class Swept(Value):
    """What a sweep did, and what it left."""

    steps: int
    left: int
    next_in_seconds: float
    """When the first of those left may be swept."""


class SweepActivities:
    """The work of the `sweep` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="sweep", no_thread_cancel_exception=True)
    def sweep(self, sweeping: Sweeping) -> Swept:
        """Erase for as many people as one call to the system takes, of those who wait longest; not yet while more
        people keep coming and there is room for them."""
        ledger, system = self._tools.ledger, sweeping.system
        connector = self._tools.connectors.get(system)
        batch = connector.batch if isinstance(connector, Batches) else 1
        if more := ledger.sweep_gathers(system, batch, GATHER, LONGEST_GATHER):
            left, _ = ledger.sweep_left(system)
            return Swept(steps=0, left=left, next_in_seconds=more.total_seconds())
        waiting = ledger.sweep_due(system, batch)
        with beating() as beat:
            self._erase(connector, waiting, beat)
        left, delay = ledger.sweep_left(system)
        return Swept(steps=len(waiting), left=left, next_in_seconds=delay.total_seconds())

    def _erase(self, connector: object, waiting: list[Waiting], beat: Beat) -> None:
        ready: list[tuple[Ready, Waiting, Doing]] = []
        for each in waiting:
            doing = Doing.model_validate_json(each.doing)
            made = answer_of(lambda doing=doing: self._ready(doing, beat))  # type: ignore[misc]
            if isinstance(made, Ready):
                ready.append((made, each, doing))
            elif made is not None:
                self._answer(doing, each, made)
        if not ready:
            return
        if not isinstance(connector, Batches):
            # It is another kind of system since yesterday: each step asks it by itself.
            for _, _, doing in ready:
                self._tools.ledger.leave_sweep(doing.step.key)
            return
        batch = connector
        answers = answer_of(lambda: batch.erase_many([one.call for one, _, _ in ready]))
        for number, (one, each, doing) in enumerate(ready):
            answer = answers if isinstance(answers, ConnectorError) else answers[number]
            one.answered(answer)
            self._answer(doing, each, answer, knowing(self._tools, doing.step, one.learnt))

    def _ready(self, doing: Doing, beat: Beat) -> Ready | None:
        """A step made ready; None of one that nobody waits for any more."""
        known = read(self._tools, doing.step)
        if known.settled or known.request.withdrawn or not known.request.phase.open:
            self._tools.ledger.leave_sweep(doing.step.key)
            return None
        return make_ready(self._tools, doing, known, beat)

    def _answer(
        self, doing: Doing, waiting: Waiting, answer: Tally | Pending | ConnectorError, again: tuple[str, ...] = ()
    ) -> None:
        """Give one step its answer. It is kept as a receipt by the step itself, which has one for its key."""
        ledger, step = self._tools.ledger, doing.step
        if isinstance(answer, Held) and answer.code is Code.QUEUED:
            # A hold that must stay secret: it stays in the queue, as one does that the system has put off.
            ledger.put_off_sweep([step.key], ASK_AGAIN)
            return
        if isinstance(answer, Retryable):
            if waiting.attempts < ATTEMPTS:
                ledger.put_off_sweep([step.key], answer.after or SOON)
                return
            answer = NeedsHuman(answer.code, answer.about or step.system, tally=answer.tally)
        receipt = receipt_of(step, answer, wall_clock()).model_copy(update={"look_again": again})
        ledger.answer_sweep(step.key, receipt.model_dump_json())
