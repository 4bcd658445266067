"""Many open requests: a round of upkeep does not read all their runs, and misses none that is lost or unheard."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from tests.stories.working import working
from tests.world import World

WAITS = "HabeasTenant = '{}' AND ExecutionStatus = 'Running' AND HabeasWaitingOn = 'identity'"


@pytest.mark.soak
def test_where_numbers_agree_the_unheard_are_woken_and_the_lost_are_found(world: World) -> None:
    async def story() -> None:
        ledger = world.ledger
        async with working(world, few=0) as (client, dispatcher):
            heard, lost = (world.open("erasure", [("email", f"c{n}@shop.example")], confirmed=False) for n in (7, 8))
            await dispatcher.deliver_once()

            async def rounds(until: Callable[[], bool]) -> None:
                async with asyncio.timeout(60):
                    while not until():
                        ledger.announce("reconcile", at=world.now())
                        await dispatcher.deliver_once()
                        await asyncio.sleep(0.2)

            async with asyncio.timeout(60):
                waiting = 0
                while waiting != 2:
                    await asyncio.sleep(0.2)
                    waiting = (await client.count_workflows(WAITS.format(ledger.tenant))).count
            ledger.announce("reconcile", at=world.now())
            await dispatcher.deliver_once()

            ledger.confirm_identity(heard, at=world.now(), note="by the story")
            with psycopg.connect(world.postgres.conninfo(world.ledger_db), autocommit=True) as connection:
                connection.execute("DELETE FROM outbox WHERE request_id = %s AND sent_at IS NULL", [heard])
            await rounds(lambda: world.phase(heard) == "closed")

            await client.get_workflow_handle(f"erasure/{ledger.tenant}/{lost}").terminate()
            await rounds(lambda: bool(_redriven(world, lost)))
            assert not _redriven(world, heard)

    asyncio.run(story())


def _redriven(world: World, request: str) -> list[tuple[object, ...]]:
    return world.query("SELECT 1 FROM entries WHERE request_id = %s AND kind = 'redriven'", request)
