"""Workers compare the data map with the systems by a Temporal Schedule, and what they find can be read at any time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError, RPCStatusCode
from typer.testing import CliRunner, Result

import worker
from starter.cli import app
from starter.schedule import MapCheckSchedule
from starter.stack import free_port
from starter.temporal import bare_client
from tests.world import World, shop_map

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def last(world: World, monkeypatch: pytest.MonkeyPatch, *words: str, every: str = "P1D") -> Result:
    """`habeas map check --last` in the deployment."""
    for name, value in {**world.environment, "HABEAS_MAP_CHECK_EVERY": every}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.home)
    return CliRunner().invoke(app, ["map", "check", "--last", *words])


def with_schedule(world: World, do: Callable[[Client, ScheduleHandle], Awaitable[None]]) -> None:
    """Ask the server itself, with a client that knows nothing of ours."""

    async def ask() -> None:
        client = await bare_client(world.settings)
        await do(client, client.get_schedule_handle(f"map-check/{world.ledger.tenant}"))

    asyncio.run(ask())


async def gone(handle: ScheduleHandle) -> bool:
    try:
        await handle.describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
    return False


def test_a_schedule_is_made_changed_put_back_and_taken_away_as_the_setting_says(world: World) -> None:
    tenant, queue = world.ledger.tenant, world.settings.task_queue

    async def look(client: Client, handle: ScheduleHandle) -> None:
        sealing = await worker.connect(world.settings, world.ledger)

        async def ensure(every: timedelta | None) -> None:
            await MapCheckSchedule(sealing, tenant, queue, every).ensure()

        await ensure(None)
        assert await gone(handle), "off by default"

        await asyncio.gather(*(ensure(DAY) for _ in range(3)))
        schedule = (made := await handle.describe()).schedule
        assert isinstance(schedule.action, ScheduleActionStartWorkflow)
        assert (schedule.action.workflow, schedule.action.id) == ("map-check", f"map-check/{tenant}")
        assert [interval.every for interval in schedule.spec.intervals] == [DAY]
        assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP

        await ensure(DAY)
        assert (await handle.describe()).info.last_updated_at == made.info.last_updated_at, "nothing to do"

        await handle.pause(note="by an operator")
        await ensure(HOUR)
        changed = (await handle.describe()).schedule
        assert [interval.every for interval in changed.spec.intervals] == [HOUR]
        assert changed.state.paused, "who paused it is not overruled"

        await handle.delete()
        await ensure(HOUR)
        assert not await gone(handle), "what somebody deleted is put back"

        await ensure(None)
        assert await gone(handle)
        await ensure(None)

    with_schedule(world, look)


@pytest.mark.soak
def test_a_scheduled_check_finds_what_was_altered_since_and_says_what_is_new(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_AWAY", f"postgresql://nobody:Secret@127.0.0.1:{free_port()}/away")
    world.write_maps({"shop": shop_map(), "crm": shop_map("observe", system="crm", env="TEST_AWAY")})
    none_yet = last(world, monkeypatch)
    assert (none_yet.exit_code, "map_check_every" in none_yet.stderr) == (5, True)

    world.start_worker(HABEAS_MAP_CHECK_EVERY="P1D", HABEAS_LOG="json")
    world.wait(lambda: world.ledger.map_check() is not None, 60, "the first check")

    first = json.loads(last(world, monkeypatch, "--json").stdout)
    assert {(c["name"], c["code"]) for c in first["checks"] if c["severity"] == "error"} == {
        ("system crm", "unreachable")
    }, "a system that is away is a finding, and the others are compared"
    assert "Secret" not in json.dumps(first)

    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("ALTER TABLE customers ADD twitter_name text; ALTER TABLE addresses DROP COLUMN street")

    async def again(_: Client, handle: ScheduleHandle) -> None:
        # Over, so that its result is handed to the next run.
        async with asyncio.timeout(30):
            while (await handle.describe()).info.running_actions:  # noqa: ASYNC110 - it happens in the server
                await asyncio.sleep(0.1)
        await handle.trigger()

    with_schedule(world, again)
    world.wait(lambda: str(world.ledger.map_check()).count("twitter_name") == 1, 60, "the second check")

    said = last(world, monkeypatch, "--json")
    found = {c["code"]: c["about"] for c in json.loads(said.stdout)["checks"] if c["name"] == "system shop"}
    assert said.exit_code == 1
    assert "addresses.street" in found["missing_column"]
    assert "customers.twitter_name" in found["unmapped_personal_column"]
    assert "1 minute" in (page := last(world, monkeypatch).stdout) or "0 minutes" in page
    assert "stale" not in {c["code"] for c in json.loads(said.stdout)["checks"]}

    async def ended(client: Client, handle: ScheduleHandle) -> None:
        runs = [run.action for run in (await handle.describe()).info.recent_actions]
        assert len(runs) >= 2
        for run in runs:
            assert isinstance(run, ScheduleActionExecutionStartWorkflow)
            assert run.workflow_id.startswith(f"map-check/{world.ledger.tenant}-20")
            described = await client.get_workflow_handle(run.workflow_id).describe()
            assert described.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED}

    with_schedule(world, ended)

    def told() -> list[dict[str, str]]:
        return [json.loads(line) for line in world.log.splitlines() if '"map_finding"' in line]

    world.wait(lambda: "missing_column" in {line["code"] for line in told()}, 60, "what is new to be logged")
    assert [line["system"] for line in told()].count("crm") == 1, "what was known is not new again"
    assert "Secret" not in world.log

    old = "UPDATE map_checks SET body = jsonb_set(body::jsonb, '{at}', '\"2026-01-01T00:00:00Z\"')::text RETURNING 1"
    assert world.query(old) == [(1,)]
    assert "stale" in {c["code"] for c in json.loads(last(world, monkeypatch, "--json").stdout)["checks"]}


@pytest.mark.parametrize("words", [[], ["--last", "maps"], ["--last", "--live"]])
def test_files_or_the_last_check_are_given_and_not_both(words: list[str]) -> None:
    answer = CliRunner().invoke(app, ["map", "check", *words])

    assert (answer.exit_code, "--last alone" in answer.stderr) == (2, True)
