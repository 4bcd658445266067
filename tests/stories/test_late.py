"""A vendor that is down for 40 days, on a virtual clock: others go on, the person hears of it, the request lives."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from rights.audience import State, interim
from rights.receipt import Certainty
from rights.request import Right
from starter.stack import Postgres, Vendors
from tests.stories.vendors import ALLOWED, MAILCHIMP, members
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import ROWS, World, dump, shop_map

CALENDAR = ["due_14d", "due_7d", "due_3d", "due_1d", "overdue"]


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in range(1, 21)])
        yield vendors


def kinds(world: World, request: str, *kinds: str) -> list[tuple[str, str | None]]:
    """Events of these kinds, with the risk they name."""
    query = "SELECT kind, body::json->>'risk' FROM entries WHERE request_id = %s AND kind = ANY(%s) ORDER BY seq"
    return [(kind, risk) for kind, risk in world.query(query, request, list(kinds))]


async def events(handle: WorkflowHandle[object, object]) -> int:
    return len([event async for event in handle.fetch_history_events()])


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_a_vendor_is_down_for_forty_days(
    home: Path, postgres: Postgres, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MAILCHIMP", "mailchimp-key-us1")

    newsletter = MAILCHIMP.format(allowed=ALLOWED.format(base=vendors.base, vendor="mailchimp"))

    async def story() -> None:
        async with virtual(home, postgres, {"shop": shop_map(), "newsletter": newsletter}) as (world, env):
            before = dump(world.shop)
            # It is looked into, and then it is gone.
            vendors.fault("mailchimp", "dropped", times=1_000_000, skip=3)
            request = world.open("erasure", [("email", "c7@shop.example")])
            async with working(world) as (client, dispatcher):
                await dispatcher.deliver_once()
                handle = client.get_workflow_handle(f"erasure/{world.ledger.tenant}/{request}")
                await pass_time(env, timedelta(days=20))

                assert not world.ledger.interim_asked(request)
                assert sum(map(len, before.values())) - sum(map(len, dump(world.shop).values())) == ROWS
                last = {r.step.system: r for r in world.ledger.receipts(request) if r.step.operation == "verify"}
                assert last["shop"].certainty is Certainty.VERIFIED, "the others go on"

                await pass_time(env, timedelta(days=8))
                (task,) = [t for t in world.ledger.tasks(request_id=request) if t.code == "interim"]
                names = world.data_map.systems
                told = {one.system: one for one in interim(Right.ERASURE, names, world.ledger.receipts(request))}
                assert (told["shop"].state, told["shop"].certainty) == (State.DONE, Certainty.VERIFIED)
                assert told["newsletter"].state is State.OUTSTANDING
                assert kinds(world, request, "interim", "interim_sent") == [("interim", None)], "nobody said sent"
                world.rule(request, task.id, "done")

                await pass_time(env, timedelta(days=12))
                assert [risk for _, risk in kinds(world, request, "deadline")] == CALENDAR
                assert kinds(world, request, "interim", "interim_sent") == [("interim", None), ("interim_sent", None)]
                assert {t.code for t in world.ledger.tasks(request_id=request)} == {"unreachable", "deadline"}
                assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
                assert await events(handle) < 2_500

                vendors.clear_faults()
                await pass_time(env, timedelta(hours=8))
                assert world.phase(request) == "closed"
                assert world.conclusion(request) == "answered"
                assert "c7@shop.example" not in members(vendors)
                assert len([one for one in vendors.traffic("mailchimp", "member.delete") if one["worked"]]) == 2

    asyncio.run(story())
