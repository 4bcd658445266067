"""An installation as it runs, in plain processes: TLS to Temporal, two workers, one killed, the other replaced by a new
version, under a hundred requests.

The version before is the same program under another build id, unless `--previous-release` names a checkout of an
earlier one: then the ledger, the requests and the old workers are that release's own. Temporal's development server has
no TLS of its own, so a proxy ends it, as one does before many servers.
"""

from __future__ import annotations

import asyncio
import signal
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
from rights.request import Phase
from settings import Settings
from starter.namespace import missing_attributes
from starter.stack import Postgres, Temporal
from starter.temporal import bare_client
from tests.certificates import issue
from tests.conftest import SEARCH_ATTRIBUTES
from tests.deploy.release import Release
from tests.deploy.tls_front import TlsFront
from tests.world import World, dump, shop_map

TOGETHER = 20
"""Runs whose clocks are moved on at once; more are slower, since the server counts all of their skips."""
LAW = "br-lgpd"
"""A law with a short term: what waits looks again four times a day, and each look that is skipped to costs its time."""
TERM = timedelta(days=21)
"""Longer than its fifteen days, wherever they end."""
AGAIN = timedelta(days=31)
"""By then it has been looked again at what an answered erasure has left."""
SKIPS = {"frontend.WorkflowTimeSkippingEnabled": True, "history.timerProcessorMaxTimeShift": "10ms"}
"""A run's own clock can be moved on, so that timers of weeks fire now, in the worker that serves."""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="habeas-topology-") as folder:
        yield Path(folder)


@contextmanager
def installation(home: Path, postgres: Postgres) -> Iterator[World]:
    """Temporal behind TLS with certificates on both sides, a ledger without tables yet, a shop of 120 people."""
    pki = home / "pki"
    pki.mkdir()
    issue(pki, "127.0.0.1")
    with (
        Temporal(search_attributes=SEARCH_ATTRIBUTES, dynamic_config=SKIPS) as temporal,
        TlsFront(temporal.port, pki) as front,
        World(
            home,
            postgres,
            temporal,
            maps={"shop": shop_map("approve", retention=True).replace("eu-gdpr", LAW)},
            people=120,
            migrated=False,
        ) as world,
    ):
        world.environment |= {
            "HABEAS_TEMPORAL_ADDRESS": f"127.0.0.1:{front.port}",
            "HABEAS_TEMPORAL_TLS": "true",
            "HABEAS_TEMPORAL_CA": str(pki / "ca.pem"),
            "HABEAS_TEMPORAL_CERTIFICATE": str(pki / "cert.pem"),
            "HABEAS_TEMPORAL_KEY": f"file:{pki / 'key.pem'}",
            "HABEAS_COOLING_OFF_HOURS": "72",
            "HABEAS_REGIME": LAW,
        }
        world.settings = world._settings()
        yield world


def before(world: World, tree: Path | None) -> Release:
    """The release that is upgraded. An earlier one may know no certificates yet, and speaks to Temporal in clear."""
    if tree is None:
        return Release(world, "old")
    secured = dict.fromkeys((name for name in world.environment if name.startswith("HABEAS_TEMPORAL_")), "")
    return Release(world, "old", tree.absolute(), {**secured, "HABEAS_TEMPORAL_ADDRESS": world.temporal.address})


def asking(right: str, people: range, *how: str) -> list[list[str]]:
    """The commands by which some customers' requests are received."""
    return [["request", "open", right, "--identity", f"email=c{n}@shop.example", *how, "--json"] for n in people]


def place_hold(people: range) -> list[str]:
    """The command by which counsel holds all that is held of some customers."""
    whom = [word for n in people for word in ("--identity", f"email=c{n}@shop.example")]
    return ["hold", "place", *whom, "--by", "s-3", "--reason-file", "matter.txt", "--json"]


def opened(release: Release, *requests: list[str]) -> list[str]:
    """Receive requests; their ids."""
    return [str(one["id"]) for one in release.many(requests)]


def phases(world: World) -> Counter[str]:
    return Counter(str(phase) for (phase,) in world.query("SELECT phase FROM requests"))


def approving(requests: list[str]) -> list[list[str]]:
    """The commands by which erasures are approved."""
    return [["request", "approve", one, "--by", "s-2", "--json"] for one in requests]


async def living(client: Client, world: World, number: int) -> dict[str, str]:
    """The ids of that many living runs, by request: of those that are open, and of what answered ones have left."""
    alive, until = "ExecutionStatus = 'Running'", time.monotonic() + 60
    while True:
        open_ones = client.list_workflows(f"{alive} AND HabeasPhase IS NOT NULL")
        left = client.list_workflows(f"{alive} AND WorkflowType = 'deferred'")
        found = {run.id.rpartition("/")[2]: run.id async for run in open_ones}
        found |= {run.id.split("/")[1]: run.id async for run in left}
        if len(found) == number:
            return found
        # Temporal's list is a moment late.
        assert time.monotonic() < until, f"{len(found)} runs live, and not {number}; {world.log[-3000:]}"
        await asyncio.sleep(0.5)


async def builds(client: Client, ids: dict[str, str]) -> set[str]:
    """Which builds have last served some runs."""
    found = [await client.get_workflow_handle(run).describe() for run in ids.values()]
    return {
        one.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id
        for one in found
        if one.close_time is None
    }


async def taken_up(client: Client, world: World, ids: dict[str, str], build: str = "new") -> None:
    """Wake every run, as a word of a person does, until that version has served all of them."""
    until, waiting = time.monotonic() + 300, ids
    while waiting:
        # One that is woken while the word of who serves still spreads is served by who has served so far.
        for run in waiting.values():
            await client.get_workflow_handle(run).signal("refresh")
        await asyncio.sleep(2)
        waiting = {one: run for one, run in waiting.items() if await builds(client, {one: run}) - {build}}
        assert time.monotonic() < until, f"{len(waiting)} are not served by {build}; log:\n{world.log[-3000:]}"


async def after_the_term(client: Client, world: World, ids: dict[str, str]) -> None:
    """Move the clock of every run on, some at a time, until the ledger has heard of all that was due by then."""
    skipper, waiting = TimeSkipper(client), list(ids)
    until = time.monotonic() + 900
    while group := waiting[:TOGETHER]:
        del waiting[:TOGETHER]
        moves = [
            asyncio.create_task(skipper.fast_forward(client.get_workflow_handle(run), AGAIN if left else TERM))
            for run, left in ((ids[one], ids[one].startswith("deferred/")) for one in group)
        ]
        while missed := await asyncio.to_thread(not_told, world, set(group)):
            assert time.monotonic() < until, f"{len(missed)} have not heard of their last date; {world.log[-3000:]}"
            await asyncio.sleep(0.5)
        # A move may go on waiting for its run to come to rest.
        for move in moves:
            move.cancel()
        await asyncio.gather(*moves, return_exceptions=True)


def not_told(world: World, ids: set[str]) -> set[str]:
    """Who has neither told of its last date, nor was answered because the asker was not proven in time, nor been looked
    at again for what it has left, a month after the answer."""
    told = world.query(
        "SELECT request_id FROM entries WHERE kind = 'deadline' AND body::json->>'risk' = 'overdue' "
        "UNION SELECT id FROM requests WHERE conclusion = 'unproven' "
        "UNION SELECT request_id FROM deferrals WHERE next_at > now() + interval '45 days'"
    )
    return ids - {one for (one,) in told}


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_one_worker_is_killed_and_the_other_replaced_under_a_hundred_requests(
    home: Path, postgres: Postgres, pytestconfig: pytest.Config
) -> None:
    (home / "contested.yaml").write_text("decision: credit 4711\ncontested: It is wrong.\n")
    (home / "matter.txt").write_text("A court has ordered it.\n")
    with installation(home, postgres) as world:
        # Without a certificate nobody is let in, by either side.
        stranger = world.settings.model_copy(update={"temporal_certificate": None, "temporal_key": None})
        with pytest.raises(RuntimeError):
            asyncio.run(bare_client(stranger))
        assert asyncio.run(_asked(world.settings)) == []

        old, new = before(world, pytestconfig.getoption("--previous-release")), Release(world, "new")
        old.done("migrate")
        workers = [old.start_worker() for _ in range(2)]
        old.promote()
        sure, signed_in = ("--confirmed-by", "s-1"), ("--signed-in", "second_factor")
        ids = opened(
            old,
            *asking("access", range(1, 21)),
            *asking("erasure", range(21, 36), *sure),
            *asking("erasure", range(36, 61), *signed_in),
            *asking("decision-review", range(61, 76), *sure, "--details", "contested.yaml"),
            *asking("access", range(76, 81), *sure),
        )
        held, erased, kept = ids[35:40], ids[40:45], ids[45:48]
        (hold,) = old.many([place_hold(range(36, 41))])
        world.wait(lambda: phases(world)["approving"] == 25, 120, f"25 previews, and not {phases(world)}")
        old.many(approving(held + erased))
        # Every phase in which a request can stay for long; the others are passed through by those under way.
        standing = {"confirming": 20, "cooling": 15, "approving": 15, "deciding": 15, "fulfilling": 5, "closed": 10}
        world.wait(lambda: phases(world) == standing, 120, f"{standing}, and not {phases(world)}")

        # What the new version's doors receive is carried out by the old workers, on the new tables.
        new.done("migrate")
        served_by_new = new.start_worker()
        for one in opened(new, *asking("access", range(81, 86), *sure)):
            world.wait_closed(one, 120)

        # The last fifteen are under way, before a table that somebody has locked, when it happens.
        with psycopg.connect(world.shop) as lock:
            lock.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
            late = opened(new, *asking("access", range(86, 101), *sure))
            world.wait(lambda: all(world.phase(one) == Phase.LOCATING for one in late), 60, "all to be looked for")
            began = time.monotonic()
            workers[0].kill()
        new.promote()
        workers[1].send_signal(signal.SIGTERM)
        assert workers[1].wait(180) == 0
        # What the old version has found, planned and been kept from, the new one erases.
        new.many(
            [*approving(kept), *(["hold", "release", str(hold["id"]), "--by", by, "--json"] for by in ("s-3", "s-4"))]
        )
        for one in (*late, *kept, *held):
            world.wait_closed(one, 180)
        assert {world.conclusion(one) for one in (*erased, *kept, *held)} == {"in_part"}
        left = " ".join(row for rows in dump(world.shop).values() for row in rows)
        assert [n for n in range(36, 50) if f"c{n}@shop.example" in left] == [49]

        async def after() -> None:
            client = await worker.connect(world.settings, world.ledger)
            runs = await living(client, world, 62 + len(erased + kept + held))
            await taken_up(client, world, runs)
            taken = time.monotonic() - began
            print(f"{taken:.0f} s from the kill until the new version served all", flush=True)  # noqa: T201
            assert taken < 300
            await after_the_term(client, world, runs)

        asyncio.run(after())

        assert served_by_new.poll() is None
        assert phases(world)["cooling"] == 0
        assert world.ledger.verify().sound


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_what_the_new_version_has_received_and_begun_goes_on_in_the_old_one(
    home: Path, postgres: Postgres, pytestconfig: pytest.Config
) -> None:
    """As the runbook has it under *An upgrade goes wrong*: the old workers still run, and no table was changed."""
    if not pytestconfig.getoption("--and-back"):
        pytest.skip("tried by hand, before an upgrade: --and-back")
    with installation(home, postgres) as world:
        old, new = before(world, pytestconfig.getoption("--previous-release")), Release(world, "new")
        old.done("migrate")
        served_by_old = old.start_worker()
        old.promote()
        sure, signed_in = ("--confirmed-by", "s-1"), ("--signed-in", "second_factor")
        opened(old, *asking("access", range(1, 4)), *asking("erasure", range(4, 7), *sure))
        new.done("migrate")
        served_by_new = new.start_worker()
        new.promote()
        ids = opened(
            new,
            *asking("access", range(7, 10)),
            *asking("erasure", range(10, 13), *sure),
            *asking("erasure", range(13, 16), *signed_in),
        )
        standing = {"confirming": 6, "cooling": 6, "approving": 3}
        world.wait(lambda: phases(world) == standing, 240, f"{standing}, and not {phases(world)}")

        async def back_again() -> None:
            client = await worker.connect(world.settings, world.ledger)
            runs = await living(client, world, 15)
            await taken_up(client, world, runs)
            began = time.monotonic()
            await asyncio.to_thread(old.promote)
            await taken_up(client, world, runs, "old")
            print(f"{time.monotonic() - began:.0f} s until the old version served all again", flush=True)  # noqa: T201
            served_by_new.send_signal(signal.SIGTERM)
            await asyncio.to_thread(served_by_new.wait, 60)
            # What the new version has found and planned, the old one erases.
            await asyncio.to_thread(old.many, approving(ids[6:]))
            for one in ids[6:]:
                await asyncio.to_thread(world.wait_closed, one, 180)
            await after_the_term(client, world, await living(client, world, 15))

        asyncio.run(back_again())

        assert served_by_old.poll() is None
        left = " ".join(row for rows in dump(world.shop).values() for row in rows)
        assert [n for n in range(1, 16) if f"c{n}@shop.example" in left] == list(range(1, 13))
        assert world.ledger.verify().sound


async def _asked(settings: Settings) -> list[str]:
    return await missing_attributes(await bare_client(settings))
