"""A decision that nobody looks at again, on a virtual clock: late on a day of its own, and never dropped."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from rights.details import read_details
from rights.request import Right
from rights.weighing import Outcome
from starter.stack import Postgres
from starter.weigh import decide_review
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import World, shop_map


def kinds(world: World, request: str) -> list[str]:
    query = "SELECT kind FROM entries WHERE request_id = %s AND kind LIKE 'weigh%%' ORDER BY seq"
    return [kind for (kind,) in world.query(query, request)]


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_a_review_is_late_on_its_own_day_and_is_decided_all_the_same(home: Path, postgres: Postgres) -> None:
    details = read_details(Right.DECISION_REVIEW, "x", "decision: credit 4711\ncontested: It is wrong.\n")

    async def story() -> None:
        async with virtual(home, postgres, {"shop": shop_map()}) as (world, env):
            request = world.open("decision-review", [("email", "c7@shop.example")], details=details)
            async with working(world) as (_, dispatcher):
                await dispatcher.deliver_once()
                await pass_time(env, timedelta(days=20))
                assert kinds(world, request) == ["weighing"]

                await pass_time(env, timedelta(days=20))
                assert kinds(world, request) == ["weighing", "weighing_late"]
                assert world.phase(request) == "deciding"

                words = {"by": "head of credit", "evidence": "Looked at.", "reason": "It was another person's."}
                assert decide_review(world.ledger, request, Outcome.ANNULLED, at=world.now(), **words)
                await dispatcher.deliver_once()
                await pass_time(env, timedelta(hours=1))

                assert (world.phase(request), world.conclusion(request)) == ("closed", "answered")

    asyncio.run(story())
