"""A request that was received long ago and is entered today: how late it is stands in the journal at once, and once."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from rights.clockwork import ClockEvent, Turn
from rights.deadlines import Risk, start_clock
from rights.reckoning import local_day
from rights.regimes import regime
from rights.webhooks import KINDS
from tests.stories.test_clock import PERSON, ZONE, journal
from tests.stories.working import working
from tests.world import World


@pytest.mark.soak
def test_a_request_that_comes_in_late_says_so_at_once_and_once(world: World) -> None:
    ledger, now = world.ledger, world.now()

    def reached(request: str) -> list[str]:
        return [body["risk"] for body in journal(world, request, "deadline")]

    def at_risk(risk: Risk) -> int:
        """How many days ago a request came in that is so near its due date, and is so for hours: months differ, and a
        weekend moves a day."""
        for days in range(40):
            clock = start_clock(regime("eu-gdpr"), now - timedelta(days=days), ZONE)
            if {clock.risk(now), clock.risk(now + timedelta(hours=2))} == {risk}:
                return days
        raise AssertionError(risk)

    def opened(right: str, days: int, *, confirmed: bool = False) -> str:
        return world.open(right, PERSON, confirmed=confirmed, received_at=now - timedelta(days=days))

    async def story() -> None:
        ledger.untold("crm", KINDS, 1)
        async with working(world) as (client, dispatcher):

            async def until(ready: Callable[[], bool]) -> None:
                last = time.monotonic() + 120
                while not ready():
                    assert time.monotonic() < last
                    await dispatcher.deliver_once()
                    await asyncio.sleep(0.1)

            overdue, near, today = opened("erasure", 45), opened("erasure", at_risk(Risk.DUE_7D)), opened("erasure", 0)
            at_once = opened("access", 45, confirmed=True)
            await until(lambda: all(reached(one) for one in (overdue, near, at_once)))
            await until(lambda: world.phase(at_once) == "closed")
            assert [reached(one) for one in (overdue, near, today, at_once)] == [
                ["overdue"],
                ["due_7d"],
                [],
                ["overdue"],
            ]
            assert [task.code for task in ledger.tasks(request_id=overdue)] == ["deadline"]
            assert sum(one.event.type == "request.due" for one in ledger.untold("crm", KINDS, 100)) == 3

            earlier = now - timedelta(days=at_risk(Risk.DUE_14D))
            corrected = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=local_day(earlier, ZONE), received_at=earlier)
            ledger.turn_clock(today, corrected, at=world.now(), by={"said": "s-1", "approved": "s-2"})
            await until(lambda: bool(reached(today)))
            assert reached(today) == ["due_14d"], "it was received earlier than was thought"

            lost = "SELECT 1 FROM entries WHERE request_id = %s AND kind = 'redriven'"
            await client.get_workflow_handle(f"erasure/{ledger.tenant}/{overdue}").terminate()
            ledger.announce("reconcile", at=world.now())
            await until(lambda: bool(world.query(lost, overdue)))
            ledger.confirm_identity(overdue, at=world.now())
            await until(lambda: world.phase(overdue) == "closed")
            assert reached(overdue) == ["overdue"], "the run that was begun anew knows what was noted"
            assert ledger.verify().sound

    asyncio.run(story())
