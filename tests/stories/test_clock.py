"""The clock of a request that waits: stopped, extended, corrected; risk and reminders follow, on a virtual clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from ledger.errors import LedgerRefusal
from rights.appeals import AppealOutcome
from rights.clockwork import ClockEvent, Turn
from rights.reckoning import local_day
from starter.appeals import decide
from starter.dispatch import Dispatcher
from starter.stack import Postgres
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import World, shop_map

PERSON = [("email", "c7@shop.example")]
ZONE = "Europe/Berlin"


@dataclass
class Desk:
    """A deployment in one process, where days pass as they are waited for."""

    world: World
    env: WorkflowEnvironment
    dispatcher: Dispatcher
    client: Client

    async def days(self, number: float) -> None:
        """Let days pass, delivering what people have said."""
        await self.dispatcher.deliver_once()
        await pass_time(self.env, timedelta(days=number))

    async def now(self) -> datetime:
        return await self.env.get_current_time()

    async def turn(self, request: str, turn: Turn, **more: object) -> None:
        """Enter today what moves the clock."""
        now = await self.now()
        event = ClockEvent.model_validate({"turn": turn, "day": local_day(now, ZONE), **more})
        self.world.ledger.turn_clock(request, event, at=now)
        await self.dispatcher.deliver_once()

    def reached(self, request: str) -> list[str]:
        """The risks that were noted, by a look at the journal itself."""
        return [body["risk"] for body in journal(self.world, request, "deadline")]

    def codes(self, request: str) -> list[str]:
        return sorted(task.code for task in self.world.ledger.tasks(request_id=request))


def journal(world: World, request: str, kind: str) -> list[dict[str, str]]:
    """What the journal itself says of one kind."""
    query = "SELECT body FROM entries WHERE request_id = %s AND kind = %s ORDER BY seq"
    return [json.loads(body) for (body,) in world.query(query, request, kind)]


@asynccontextmanager
async def desk(home: Path, postgres: Postgres, maps: Mapping[str, str]) -> AsyncIterator[Desk]:
    async with virtual(home, postgres, maps) as (world, env), working(world) as (client, dispatcher):
        yield Desk(world, env, dispatcher, client)


async def shown(handle: WorkflowHandle[object, object]) -> list[str]:
    """The risks that the UI was told, in their order."""
    found = []
    async for event in handle.fetch_history_events():
        attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        if "HabeasRisk" in attributes:
            found.append(json.loads(attributes["HabeasRisk"].data))
    return found


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_a_request_of_ninety_days_is_stopped_extended_and_answered_in_time(home: Path, postgres: Postgres) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": shop_map("approve")}) as at:
            ledger = at.world.ledger
            request = at.world.open("erasure", PERSON, confirmed=False)
            first = ledger.request(request).clock
            await at.days(1)
            await at.turn(request, Turn.IDENTITY_ASKED)
            await at.days(40)
            assert at.reached(request) == [], "a clock that stands still brings nothing nearer"
            assert ledger.request(request).clock.still_since

            await at.turn(request, Turn.IDENTITY_RECEIVED)
            ledger.confirm_identity(request, at=await at.now())
            going = ledger.request(request).clock
            assert going.still_since is None
            assert going.legal_due - first.legal_due > timedelta(days=38)

            left = (going.legal_due - await at.now()).days
            await at.days(left - 6)
            assert at.reached(request) == ["due_14d", "due_7d"]
            await at.turn(request, Turn.EXTENDED, ground="complexity")
            longer = ledger.request(request).clock
            assert longer.legal_due - going.legal_due > timedelta(days=55)

            await at.days(30)
            assert at.reached(request) == ["due_14d", "due_7d"], "the term is longer, so nothing comes nearer yet"
            with pytest.raises(LedgerRefusal, match="extended before"):
                await at.turn(request, Turn.EXTENDED, ground="complexity")

            left = (longer.legal_due - await at.now()).days
            await at.days(left - 2)
            assert at.reached(request)[2:] == ["due_14d", "due_7d", "due_3d"]
            assert "deadline" in at.codes(request), "three days before it is on somebody's desk"
            ledger.approve(request, at=await at.now())
            await at.days(1)
            assert at.world.phase(request) == "closed"
            assert at.world.conclusion(request) == "answered"
            assert "overdue" not in at.reached(request)
            handle = at.client.get_workflow_handle(f"erasure/{ledger.tenant}/{request}")
            risks = await shown(handle)
            assert risks[-3:] == ["due_14d", "due_7d", "due_3d"]
            assert "on_track" in risks, "an extension takes the alarm off the list"
            assert ledger.verify().sound

    asyncio.run(story())


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_under_two_laws_the_earliest_day_acts_and_an_acknowledgement_is_asked_for(
    home: Path, postgres: Postgres
) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": shop_map("approve")}) as at:
            ledger = at.world.ledger
            request = at.world.open("erasure", PERSON, regimes=("us-ca-ccpa", "eu-gdpr"))
            row = ledger.request(request)
            assert row.regimes == ("us-ca-ccpa", "eu-gdpr")
            assert row.clock.legal_due == min(clock.legal_due for clock in row.clocks)
            await at.days(14)
            assert "acknowledge" in at.codes(request), "ten business days in California"
            await at.turn(request, Turn.ACKNOWLEDGED)

            await at.days(30)
            assert at.reached(request)[-1] == "overdue", "by the European clock, though California's has days left"
            assert {"deadline", "interim"} <= set(at.codes(request))
            ledger.approve(request, at=await at.now())
            await at.days(1)
            assert at.world.phase(request) == "closed", "a missed deadline is recorded, never fatal"

    asyncio.run(story())


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_an_appeal_has_its_clock_and_a_reversed_answer_is_carried_out_anew(home: Path, postgres: Postgres) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": shop_map()}) as at:
            ledger = at.world.ledger
            request = at.world.open("access", PERSON, regimes=("us-va",))
            await at.days(0.1)
            assert at.world.phase(request) == "closed"
            now = await at.now()
            appeal = ledger.open_appeal(request, received_at=now, at=now)
            await at.days(50)
            risks = [body["risk"] for body in journal(at.world, request, "appeal_deadline")]
            assert risks == ["due_14d"], "its own sixty days"
            now = await at.now()
            done, _ = decide(ledger, appeal.id, AppealOutcome.REVERSED, reasons="all", by="delegate", at=now)
            await at.days(1)
            assert done.redone_by
            assert at.world.phase(done.redone_by) == "closed"
            assert at.world.conclusion(done.redone_by) == "answered"
            handle = at.client.get_workflow_handle(f"appeal/{ledger.tenant}/{request}")
            assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

    asyncio.run(story())
