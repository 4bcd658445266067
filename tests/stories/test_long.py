"""A request that waits for long goes on in a fresh history, and asks nobody again for what it knows."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

import worker
from starter.stack import Postgres, Temporal, Vendors
from tests.conftest import SEARCH_ATTRIBUTES
from tests.stories.vendors import ALLOWED, MAILCHIMP, members
from tests.world import ROWS, World, dump, shop_map


@pytest.fixture
def impatient(home: Path, postgres: Postgres) -> Iterator[World]:
    """A deployment on a server that calls a history long after some forty events."""
    with (
        Temporal(
            search_attributes=SEARCH_ATTRIBUTES, dynamic_config={"limit.historyCount.suggestContinueAsNew": 40}
        ) as server,
        World(home, postgres, server) as world,
    ):
        yield world


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in range(1, 21)])
        yield vendors


def looks(world: World, request: str) -> int:
    """How often the systems were looked into."""
    query = "SELECT count(*) FROM entries WHERE request_id = %s AND kind = 'look' AND key LIKE '%%/locate/%%'"
    return int(world.query(query, request)[0][0])


@pytest.mark.soak
def test_a_request_goes_on_in_a_fresh_history(
    impatient: World, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = impatient
    monkeypatch.setenv("TEST_MAILCHIMP", "mailchimp-key-us1")
    newsletter = MAILCHIMP.format(allowed=ALLOWED.format(base=vendors.base, vendor="mailchimp"))
    world.write_maps({"shop": shop_map(), "newsletter": newsletter})
    before = dump(world.shop)
    vendors.fault("mailchimp", "unauthorised", "member.delete", times=1_000_000)
    world.start_worker()
    long_ago = world.now() - timedelta(days=45)
    request = world.open("erasure", [("email", "c7@shop.example")], received_at=long_ago)
    world.wait_task(request, "credentials")
    name = f"erasure/{world.ledger.tenant}/{request}"

    async def run_of() -> str:
        client = await worker.connect(world.settings, world.ledger)
        handle = client.get_workflow_handle(name)
        await handle.signal("refresh")
        return str((await handle.describe()).run_id)

    first = asyncio.run(run_of())
    located = looks(world, request)
    world.wait(lambda: asyncio.run(run_of()) != first, 60, "a fresh history")

    async def ended() -> WorkflowExecutionStatus | None:
        client = await worker.connect(world.settings, world.ledger)
        return (await client.get_workflow_handle(name, run_id=first).describe()).status

    assert asyncio.run(ended()) is WorkflowExecutionStatus.CONTINUED_AS_NEW
    vendors.clear_faults()
    world.rule(request, world.wait_task(request, "credentials"), "retry")
    world.wait_closed(request, 60)
    assert looks(world, request) == located == 2, "what was located went along"
    assert sum(map(len, before.values())) - sum(map(len, dump(world.shop).values())) == ROWS
    assert "c7@shop.example" not in members(vendors)
    assert world.conclusion(request) == "answered"
    kinds = "SELECT kind FROM entries WHERE request_id = %s AND kind IN ('redriven', 'deadline')"
    assert world.query(kinds, request) == [("deadline",)], "that it is overdue was noted as it came in, and once"
