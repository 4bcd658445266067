"""What an erasure has locked away and that is taken back is opened, though a system was away, or a hold stood there."""

import asyncio
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


class Office:
    """A run whose activities give these answers, and the people and timers that it waits for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Receipt | ActivityError, person: bool = True) -> None:
        self.answers, self.waited = list(answers), list[object]()
        self.run = Run()
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
        steps = Steps(self.run, Deciding(self.run))
        self.rests = Rests(self.run, steps, Deciding(self.run))

        async def touch(*_: object) -> Receipt:
            if isinstance(answer := self.answers.pop(0), ActivityError):
                raise answer
            return answer

        async def pause(delay: timedelta, _: str) -> None:
            self.waited.append(delay)

        async def ask(_: str, code: Code, operation: Operation, at_most: timedelta | None = None) -> bool:
            self.waited.append((code, operation, at_most))
            return person

        async def failed(_: str, __: ActivityError, operation: Operation) -> bool:
            self.waited.append(operation)
            return person

        monkeypatch.setattr("temporalio.workflow.now", lambda: AT)
        monkeypatch.setattr(self.run, "touch", touch)
        monkeypatch.setattr(self.run, "pause", pause)
        monkeypatch.setattr(steps, "ask_a_person", ask)
        monkeypatch.setattr(steps, "out_of_attempts", failed)

    def ends(self) -> list[object]:
        asyncio.run(self.rests.open_what_is_over())
        assert self.answers == []
        return self.waited


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

    async def do(*_: object) -> None:
        return None

    monkeypatch.setattr(office.run, "do", do)
    asyncio.run(office.rests.lock_held("shop"))
    assert office.ends() == []
