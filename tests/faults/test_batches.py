"""Temporal loses its database while a vendor erases many people at once: each request keeps its own, nobody is asked
for twice."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from temporalio.service import RPCError

import worker
from rights.receipt import Certainty
from starter.stack import Postgres, Temporal, Vendors
from tests.conftest import SEARCH_ATTRIBUTES
from tests.stories.vendors import analytics
from tests.world import World

PEOPLE = range(1, 7)


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in PEOPLE])
        yield vendors


@pytest.fixture
def fragile(home: Path, postgres: Postgres, vendors: Vendors, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A deployment with Amplitude alone, whose Temporal may be broken."""
    monkeypatch.setenv("TEST_AMPLITUDE_KEY", "amplitude-project-key")
    monkeypatch.setenv("TEST_AMPLITUDE_SECRET", "amplitude-project-secret")
    folder = Path(tempfile.mkdtemp(prefix="habeas-temporal-"))
    with (
        Temporal(folder / "temporal.db", search_attributes=SEARCH_ATTRIBUTES) as server,
        World(home, postgres, server, maps={"analytics": analytics(vendors)}) as world,
    ):
        yield world
    shutil.rmtree(folder)


async def wake(world: World, requests: list[str]) -> None:
    """What the ends of their timers do: they ask the vendor again."""
    client = await worker.connect(world.settings, world.ledger)
    for request in requests:
        with suppress(RPCError):  # not there yet, or closed
            await client.get_workflow_handle(f"erasure/{world.ledger.tenant}/{request}").signal("refresh")


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["fence:inside", "fence:done", "fence:left", "after:sweep"])
def test_temporal_loses_its_database_in_the_middle_of_a_batch(fragile: World, vendors: Vendors, place: str) -> None:
    fragile.start_worker(trip=f"freeze:{place}")
    requests = [fragile.open("erasure", [("customer_id", str(n))]) for n in PEOPLE]
    mark = fragile.home / f"tripped-freeze-{place.replace(':', '-')}"
    fragile.wait(mark.exists, 60, "the freeze")
    fragile.temporal.kill()
    for file in fragile.temporal.files:
        file.unlink(missing_ok=True)
    fragile.temporal.start()
    fragile.workers[0].kill()
    fragile.start_worker()

    def accepted(request: str) -> bool:
        return any(r.certainty is Certainty.ACCEPTED for r in fragile.ledger.receipts(request))

    fragile.wait(lambda: all(map(accepted, requests)), 150, "the vendor's yes for everybody")
    calls = [json.loads(call["body"]) for call in vendors.traffic("amplitude", "deletion.create") if call["worked"]]
    ids = [one for call in calls for one in call["amplitude_ids"]]
    assert len(ids) == len(set(ids)) == len(PEOPLE), "nobody is asked for twice"

    vendors.advance("P35D")

    def closed() -> bool:
        asyncio.run(wake(fragile, requests))
        return all(fragile.phase(request) == "closed" for request in requests)

    fragile.wait(closed, 60, "all to close")
    assert vendors.dump("amplitude")["users"] == {}
    for request in requests:
        query = "SELECT key FROM entries WHERE request_id = %s AND kind = 'settled'"
        assert fragile.query(query, request) == [(f"{request}/analytics/erase/0",)]
        assert fragile.conclusion(request) == "answered"
    assert fragile.query("SELECT count(*) FROM sweep_steps") == [(0,)]
