"""What was kept when the person was answered goes by itself when the last hold and the last date have ended."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from ledger.requestrow import RequestRow
from rights.holds import Scope, Terms
from rights.request import Conclusion
from starter.dispatch import Dispatcher
from starter.stack import Postgres
from tests.stories.test_erasure import about
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import World, dump, shop_map
from workflows import visibility

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ANNA = [("email", "c7@shop.example")]
YEAR = timedelta(days=365)
ORDERS = Terms(scope=Scope(collections=("shop.orders", "shop.items")))


def carried_out(world: World, request: str) -> RequestRow | None:
    """The request that the engine has opened for the rest, by the back door."""
    rows = world.query("SELECT by_request FROM deferrals WHERE request_id = %s", request)
    return world.ledger.request(rows[0][0]) if rows and rows[0][0] else None


async def ended(world: World, env: WorkflowEnvironment, dispatcher: Dispatcher, request: str) -> RequestRow:
    """That request, once it has been carried out."""
    rest = None
    for _ in range(10):
        await dispatcher.deliver_once()
        await pass_time(env, timedelta(hours=12))
        rest = carried_out(world, request)
        if rest and not rest.phase.open:
            return rest
    raise AssertionError(f"not carried out; waiting: {world.ledger.deferrals()}, {rest and world.receipts(rest.id)}")


def purposes(world: World, request: str) -> set[str]:
    """What of a request can still be read."""
    found = world.query("SELECT purpose FROM case_keys WHERE case_id = %s AND wrapped IS NOT NULL", request)
    return {purpose for (purpose,) in found}


def test_HLD_04_years_later_the_rest_goes_when_the_last_hold_and_the_last_date_have_ended(
    home: Path, postgres: Postgres
) -> None:
    async def story() -> None:
        maps = {"shop": shop_map(retention=True)}
        async with virtual(home, postgres, maps) as (world, env), working(world) as (client, dispatcher):
            before = dump(world.shop)
            first = world.place_hold(ANNA, terms=ORDERS)
            request = world.open("erasure", ANNA)
            await dispatcher.deliver_once()
            await pass_time(env, timedelta(days=40))
            assert (world.phase(request), world.conclusion(request)) == ("closed", "in_part")
            await dispatcher.deliver_once()
            kept = dump(world.shop)
            assert len(about(kept, 7)["orders"]) == 4

            # Looked at once more, and everything else that the engine knows of the person is shredded on its day.
            await pass_time(env, timedelta(days=8))
            assert world.ledger.call_relooks(at=await env.get_current_time()) == 1
            await dispatcher.deliver_once()
            await pass_time(env, 5 * YEAR)
            world.ledger.shred_due(await env.get_current_time())
            assert purposes(world, request) & {"working", "file", "deferred"} == {"deferred"}

            # Another matter, and the first one ends.
            second = world.place_hold(ANNA, terms=ORDERS)
            world.release_hold(first.id)
            await dispatcher.deliver_once()
            await pass_time(env, 2 * YEAR)
            assert carried_out(world, request) is None
            assert dump(world.shop) == kept, "to the byte"

            run = client.get_workflow_handle(visibility.deferred_id(world.ledger.tenant, request))
            assert len((await run.fetch_history()).events) < 200, "however long it waits"

            # The last hold ends after seven years; the tax law has one order for another year and a half.
            world.release_hold(second.id)
            await dispatcher.deliver_once()
            rest = await ended(world, env, dispatcher, request)
            assert rest.conclusion is Conclusion.IN_PART
            left = about(dump(world.shop), 7)
            assert len(left["orders"]) == 1
            assert "items" not in left

            await pass_time(env, YEAR)
            assert carried_out(world, rest.id) is None
            await pass_time(env, YEAR)
            last = await ended(world, env, dispatcher, rest.id)
            assert last.conclusion is Conclusion.ANSWERED, world.receipts(last.id)
            after = dump(world.shop)
            assert not about(after, 7), "the shell that the order needed goes with it"
            assert all(after[table] <= before[table] for table in before), "and nobody else's"
            assert world.ledger.verify().sound
            world.ledger.shred_due(await env.get_current_time())
            assert "deferred" not in purposes(world, request)

    asyncio.run(story())
