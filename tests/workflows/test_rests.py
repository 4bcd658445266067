"""What an erasure has locked away and that is taken back is opened, though a system was away, or a hold stood there."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ActivityError

from activities.opening import Facts, Resting
from rights.codes import Code
from rights.plan import Operation, Step
from rights.receipt import Outcome, Receipt
from rights.request import Phase, Right
from tests.ledger.builders import AT, a_clock
from workflows import policies
from workflows.deciding import Deciding
from workflows.messages import Opening
from workflows.rests import Rests
from workflows.run import Run
from workflows.steps import Steps

AWAY = ActivityError(
    "", scheduled_event_id=1, started_event_id=1, identity="", activity_type="", activity_id="", retry_state=None
)


def lift(outcome: Outcome, code: str = "", **more: Any) -> Receipt:
    step = Step(request_id="r", system="shop", operation=Operation.LIFT)
    return Receipt(step=step, outcome=outcome, code=code, at=AT, **more)


OPENED = lift(Outcome.DONE)


@dataclass
class Script:
    """What activities answer, in turn, and what was waited for meanwhile."""

    answers: list[Receipt | ActivityError]
    person: bool = True
    waited: list[object] = field(default_factory=list)


class Scripted(Run):
    """A run whose activities give the answers of a script; its waits are written down."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def touch(self, *_: object, **__: object) -> Any:
        if isinstance(answer := self._script.answers.pop(0), ActivityError):
            raise answer
        return answer

    async def do(self, *_: object, **__: object) -> Any:
        return None

    async def pause(self, delay: timedelta, *_: object, **__: object) -> None:
        self._script.waited.append(delay)


class Asking(Steps):
    """Steps with a person at the desk who answers at once, the same each time."""

    def __init__(self, run: Scripted, script: Script) -> None:
        super().__init__(run, Deciding(run))
        self._script = script

    async def ask_a_person(
        self, about: str, code: Code, operation: Operation = Operation.EXPORT, at_most: timedelta | None = None
    ) -> bool:
        self._script.waited.append((code, operation, at_most))
        return self._script.person

    async def out_of_attempts(self, about: str, error: ActivityError, operation: Operation = Operation.EXPORT) -> bool:
        self._script.waited.append(operation)
        return self._script.person


class Office:
    """An erasure that was taken back, and has rows locked away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Receipt | ActivityError, person: bool = True) -> None:
        self.script = Script(list(answers), person)
        self.run = Scripted(self.script)
        self.run.opening = Opening(request_id="r", right=Right.ERASURE)
        self.run.facts = Facts(
            phase=Phase.FULFILLING,
            clock=a_clock(),
            confirmed=True,
            approved=True,
            withdrawn=True,
            round=0,
            systems=("shop",),
            read_at=AT,
            resting=Resting(locked=("shop",), able=("shop",)),
        )
        self.run.withdrawn = self.run.accounting = True
        self.rests = Rests(self.run, Asking(self.run, self.script), Deciding(self.run))
        # Outside of a workflow the SDK has no clock.
        monkeypatch.setattr("temporalio.workflow.now", lambda: AT)

    def ends(self) -> list[object]:
        asyncio.run(self.rests.open_what_is_over())
        assert self.script.answers == []
        return self.script.waited


@pytest.mark.parametrize(
    ("stopped", "waited"),
    [
        (AWAY, Operation.LIFT),
        (lift(Outcome.NEEDS_HUMAN, Code.BLOCKED), (Code.BLOCKED, Operation.LIFT, None)),
        (lift(Outcome.HELD, Code.HOLD), (Code.HOLD, Operation.LIFT, policies.LOOK_AT_HOLD)),
        (lift(Outcome.PENDING, Code.QUEUED, check_after_seconds=3600), timedelta(hours=1)),
        (lift(Outcome.PENDING, Code.DEFERRED), policies.LOOK_AT_HOLD),
    ],
)
def test_it_is_tried_again_until_it_is_open(
    monkeypatch: pytest.MonkeyPatch, stopped: Receipt | ActivityError, waited: object
) -> None:
    office = Office(monkeypatch, stopped, stopped, OPENED)
    assert office.ends() == [waited, waited]


@pytest.mark.parametrize("stopped", [AWAY, lift(Outcome.NEEDS_HUMAN, Code.BLOCKED), lift(Outcome.HELD, Code.HOLD)])
def test_a_person_may_give_it_up(monkeypatch: pytest.MonkeyPatch, stopped: Receipt | ActivityError) -> None:
    assert len(Office(monkeypatch, stopped, person=False).ends()) == 1


def test_what_was_given_up_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Office(monkeypatch, lift(Outcome.NEEDS_HUMAN, Code.RULED_OUT)).ends() == []


def test_what_was_locked_in_part_is_opened_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger was read before; an attempt whose end nobody knows may have locked rows."""
    office = Office(monkeypatch, AWAY, OPENED)
    office.run.facts = office.run.facts.model_copy(update={"resting": Resting(able=("shop",))})
    office.run.receipts["shop", Operation.ERASE] = Receipt(
        step=Step(request_id="r", system="shop", operation=Operation.ERASE),
        outcome=Outcome.HELD,
        code=Code.HOLD,
        at=AT,
    )

    asyncio.run(office.rests.lock_held("shop"))
    assert office.ends() == []
