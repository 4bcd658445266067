"""An installation as it runs, in plain processes: TLS to Temporal, two workers, one killed, the other replaced by a new
version, under a hundred requests.

The version before is the same program under another build id: not every checkout has an earlier commit at hand. That
new code takes over what old code began: the replay of recorded histories proves it (tests/workflows/test_replay.py).
Temporal's development server has no TLS of its own, so a proxy ends it, as one does before many servers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from temporalio.client import Client
from temporalio.testing import TimeSkipper

import worker
from rights.details import read_details
from rights.identity import Proof, Rung
from rights.request import Phase, Right
from settings import Settings
from starter.local import command
from starter.namespace import missing_attributes
from starter.stack import Postgres, Temporal
from starter.temporal import bare_client
from tests.certificates import issue
from tests.conftest import SEARCH_ATTRIBUTES
from tests.deploy.tls_front import TlsFront
from tests.world import World, shop_map

TOGETHER = 20
"""Runs whose clocks are moved on at once; more are slower, since the server counts all of their skips."""
SKIPS = {"frontend.WorkflowTimeSkippingEnabled": True, "history.timerProcessorMaxTimeShift": "10ms"}
"""A run's own clock can be moved on, so that timers of weeks fire now, in the worker that serves."""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="habeas-topology-") as folder:
        yield Path(folder)


@contextmanager
def installation(home: Path, postgres: Postgres) -> Iterator[World]:
    """Temporal behind TLS with certificates on both sides, a ledger, a shop of 120 people."""
    pki = home / "pki"
    pki.mkdir()
    issue(pki, "127.0.0.1")
    with (
        Temporal(search_attributes=SEARCH_ATTRIBUTES, dynamic_config=SKIPS) as temporal,
        TlsFront(temporal.port, pki) as front,
        World(home, postgres, temporal, maps={"shop": shop_map("approve")}, people=120) as world,
    ):
        world.environment |= {
            "HABEAS_TEMPORAL_ADDRESS": f"127.0.0.1:{front.port}",
            "HABEAS_TEMPORAL_TLS": "true",
            "HABEAS_TEMPORAL_CA": str(pki / "ca.pem"),
            "HABEAS_TEMPORAL_CERTIFICATE": str(pki / "cert.pem"),
            "HABEAS_TEMPORAL_KEY": f"file:{pki / 'key.pem'}",
            "HABEAS_COOLING_OFF_HOURS": "72",
        }
        world.settings = world._settings()
        yield world


def habeas(world: World, build: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the installation's, as an operator types it."""
    environment = {**os.environ, **world.environment, "HABEAS_BUILD_ID": build}
    return subprocess.run(
        [*command(), *words], cwd=world.home, env=environment, capture_output=True, text=True, check=False
    )


def promote(world: World, build: str) -> None:
    """Have a version serve, once its workers poll."""
    until = time.monotonic() + 60
    while (done := habeas(world, build, "promote")).returncode == 5 and time.monotonic() < until:
        time.sleep(0.5)
    assert done.returncode == 0, done.stderr + world.log[-3000:]


def phases(world: World) -> Counter[str]:
    return Counter(str(phase) for (phase,) in world.query("SELECT phase FROM requests"))


async def living(client: Client, world: World) -> dict[str, str]:
    """The ids of the living runs of requests, by request."""
    query = f"HabeasTenant = '{world.ledger.tenant}' AND ExecutionStatus = 'Running' AND HabeasPhase IS NOT NULL"
    return {run.id.rpartition("/")[2]: run.id async for run in client.list_workflows(query)}


async def builds(client: Client, ids: dict[str, str]) -> set[str]:
    """Which builds have last served some runs."""
    found = [await client.get_workflow_handle(run).describe() for run in ids.values()]
    return {
        one.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id
        for one in found
        if one.close_time is None
    }


async def taken_up(client: Client, world: World, ids: dict[str, str]) -> None:
    """Wake every run, as a word of a person does, until the new version has served all of them."""
    for run in ids.values():
        await client.get_workflow_handle(run).signal("refresh")
    until = time.monotonic() + 300
    while others := await builds(client, ids) - {"new"}:
        assert time.monotonic() < until, f"still served by {others}; log:\n{world.log[-3000:]}"
        await asyncio.sleep(1)


async def in_a_month(client: Client, world: World, ids: dict[str, str]) -> None:
    """Move the clock of every run on by more than its term, some at a time, until the ledger has heard of all that was
    due by then."""
    skipper, waiting = TimeSkipper(client), list(ids)
    until = time.monotonic() + 600
    while group := waiting[:TOGETHER]:
        del waiting[:TOGETHER]
        moves = [
            asyncio.create_task(skipper.fast_forward(client.get_workflow_handle(ids[one]), timedelta(days=45)))
            for one in group
        ]
        while missed := await asyncio.to_thread(not_told, world, set(group)):
            assert time.monotonic() < until, f"{len(missed)} have not heard of their last date; {world.log[-3000:]}"
            await asyncio.sleep(0.5)
        # A move may go on waiting for its run to come to rest.
        for move in moves:
            move.cancel()
        await asyncio.gather(*moves, return_exceptions=True)


def not_told(world: World, ids: set[str]) -> set[str]:
    """Who has neither told of its last date, nor was answered because the asker was not proven in time."""
    told = world.query(
        "SELECT request_id FROM entries WHERE kind = 'deadline' AND body::json->>'risk' = 'overdue' "
        "UNION SELECT id FROM requests WHERE conclusion = 'unproven'"
    )
    return ids - {one for (one,) in told}


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_one_worker_is_killed_and_the_other_replaced_under_a_hundred_requests(home: Path, postgres: Postgres) -> None:
    details = read_details(Right.DECISION_REVIEW, "x", "decision: credit 4711\ncontested: It is wrong.\n")
    with installation(home, postgres) as world:
        # Without a certificate nobody is let in, by either side.
        stranger = world.settings.model_copy(update={"temporal_certificate": None, "temporal_key": None})
        with pytest.raises(RuntimeError):
            asyncio.run(bare_client(stranger))
        assert asyncio.run(_asked(world.settings)) == []

        old = [world.start_worker(HABEAS_BUILD_ID="old") for _ in range(2)]
        promote(world, "old")
        signed_in = Proof(rung=Rung.SECOND_FACTOR, at=world.now())
        for n in range(1, 21):
            world.open("access", [("email", f"c{n}@shop.example")], confirmed=False)
        for n in range(21, 41):
            world.open("erasure", [("email", f"c{n}@shop.example")])
        for n in range(41, 56):
            world.open("erasure", [("email", f"c{n}@shop.example")], confirmed=False, proof=signed_in)
        for n in range(56, 71):
            world.open("decision-review", [("email", f"c{n}@shop.example")], details=details)
        for n in range(71, 86):
            world.open("access", [("email", f"c{n}@shop.example")])
        # Every phase in which a request can stay for long; the others are passed through by those under way.
        standing = {"confirming": 20, "cooling": 20, "approving": 15, "deciding": 15, "closed": 15}
        world.wait(lambda: phases(world) == standing, 120, f"{standing}, and not {phases(world)}")

        # The last fifteen are under way, before a table that somebody has locked, when it happens.
        with psycopg.connect(world.shop) as lock:
            lock.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
            late = [world.open("access", [("email", f"c{n}@shop.example")]) for n in range(86, 101)]
            world.wait(lambda: all(world.phase(one) == Phase.LOCATING for one in late), 60, "all to be looked for")
            began = time.monotonic()
            old[0].kill()
        new = world.start_worker(HABEAS_BUILD_ID="new")
        promote(world, "new")
        old[1].send_signal(signal.SIGTERM)
        assert old[1].wait(60) == 0
        for one in late:
            world.wait_closed(one, 180)

        async def after() -> float:
            client = await worker.connect(world.settings, world.ledger)
            ids = await living(client, world)
            assert len(ids) == 70
            await taken_up(client, world, ids)
            served = time.monotonic()
            await in_a_month(client, world, ids)
            return served

        taken = asyncio.run(after()) - began

        assert taken < 300
        assert new.poll() is None
        assert phases(world)["cooling"] == 0
        assert world.ledger.verify().sound
        print(f"{taken:.0f} s from the kill until the new version served all; {phases(world)}")  # noqa: T201


async def _asked(settings: Settings) -> list[str]:
    return await missing_attributes(await bare_client(settings))
