"""Several systems that wait for the same thing, on a virtual clock: they go on together when it has come."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from rights.request import Conclusion
from starter.stack import Postgres
from tests.stories.test_cooling import until
from tests.stories.test_erasure import about
from tests.stories.virtual import virtual
from tests.stories.working import working
from tests.world import World, dump, shop_map

ANNA = [("email", "c7@shop.example")]


async def asked(world: World, request: str, count: int) -> list[str]:
    """The tasks of a request, once there are so many."""
    for _ in range(600):
        tasks = [task.id for task in world.ledger.tasks(request_id=request)]
        if len(tasks) == count:
            return tasks
        await asyncio.sleep(0.2)
    raise AssertionError(f"{count} tasks do not come")


@pytest.mark.soak
@pytest.mark.timeout(200)
def test_an_erasure_whose_systems_all_wait_for_a_copy_goes_on_in_all_of_them(home: Path, postgres: Postgres) -> None:
    maps = {"shop": shop_map(), "mirror": shop_map().replace("system: shop", "system: mirror", 1)}

    async def story() -> None:
        async with virtual(home, postgres, maps) as (world, env), working(world) as (_, dispatcher):
            with env.auto_time_skipping_disabled():
                hold = world.place_hold(ANNA)
                request = world.open("erasure", ANNA)
                await dispatcher.deliver_once()
                await asked(world, request, 2)

                # Somebody asks for a copy meanwhile, and its run does not come.
                copy = world.open("access", ANNA)
                assert world.ledger.claim(10)
                world.release_hold(hold.id)
                await dispatcher.deliver_once()
                await asked(world, request, 0)
                await asyncio.sleep(2)
                assert about(dump(world.shop), 7) != {}, "the copy goes first"

                # Whoever closes it wakes those that wait for it.
                until_then = world.now() + timedelta(days=30)
                world.ledger.close(
                    copy,
                    Conclusion.WITHDRAWN,
                    books={},
                    at=world.now(),
                    working_until=until_then,
                    file_until=until_then,
                    parcel_until=until_then,
                    disputed_until=until_then,
                )
                await dispatcher.deliver_once()
                await until(world, env, request, "closed")
            assert about(dump(world.shop), 7) == {}

    asyncio.run(story())
