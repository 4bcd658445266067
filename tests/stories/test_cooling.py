"""An erasure that is stopped in its cooling-off, on a virtual clock."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from rights.letters import Office
from starter.cli import app
from starter.dispatch import Dispatcher
from starter.stack import Postgres
from starter.stopping import StopPage, serve_stop_page
from tests.stories.test_erasure import about
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import World, dump, shop_map

PAGE = "https://privacy.shop.example/stop"
OFFICE = Office(controller="Shop Ltd", dpo="dpo@shop.example", stop_page=PAGE)


@asynccontextmanager
async def cooling(home: Path, postgres: Postgres) -> AsyncIterator[tuple[World, WorkflowEnvironment, Dispatcher]]:
    """A deployment with the shipped cooling-off."""
    async with virtual(home, postgres, {"shop": shop_map()}) as (world, env):
        world.settings = world.settings.model_copy(update={"cooling_off_hours": 72})
        async with working(world) as (_, dispatcher):
            yield world, env, dispatcher


async def until(world: World, env: WorkflowEnvironment, request: str, phase: str) -> None:
    for _ in range(100):
        if world.phase(request) == phase:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"it is {world.phase(request)}: {json.dumps(world.query('SELECT code FROM tasks'))}")


def link_in(world: World, letter: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The link of a notice, as its reader finds it."""
    for name, value in (world.environment | {"HABEAS_LETTERS": OFFICE.model_dump_json(exclude_defaults=True)}).items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["letter", "show", letter, "--text"])
    assert done.exit_code == 0, done.stderr
    found = re.search(rf"{PAGE}/\S+", done.stdout)
    assert found, done.stdout
    return found[0]


@pytest.mark.soak
@pytest.mark.timeout(200)
def test_an_erasure_waits_three_days_and_is_stopped_until_two_agents_agree(
    home: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with cooling(home, postgres) as (world, env, dispatcher):
            before = dump(world.shop)
            with env.auto_time_skipping_disabled():
                request = world.open("erasure", [("email", "c7@shop.example")])
                other = world.open("erasure", [("email", "c8@shop.example")])
                await dispatcher.deliver_once()
                await until(world, env, request, "cooling")
                await until(world, env, other, "cooling")
                link = await asyncio.to_thread(link_in, world, f"{request}.cooling_off_notice.0", monkeypatch)
                page = StopPage(world.ledger, world.settings.office, world.now)
                with serve_stop_page(page, "127.0.0.1", 0) as port:
                    at = f"http://127.0.0.1:{port}{link.removeprefix(PAGE)}"
                    assert (await asyncio.to_thread(httpx2.get, at)).status_code == 200
                    assert world.ledger.stop_token(request), "a look stops nothing"
                    assert (await asyncio.to_thread(httpx2.post, at)).status_code == 200
                await dispatcher.deliver_once()
            await pass_time(env, timedelta(hours=71))
            assert dump(world.shop) == before, "nobody's wait is over"
            assert world.phase(other) == "cooling"
            await pass_time(env, timedelta(hours=2))
            await until(world, env, other, "closed")
            after = dump(world.shop)
            assert about(after, 8) == {}
            assert about(after, 7) == about(before, 7)

            await pass_time(env, timedelta(days=10))
            assert world.phase(request) == "cooling", "time does not thaw what was stopped"
            assert [task.code for task in world.ledger.tasks(request_id=request) if task.code == "stopped"]
            assert not world.ledger.review(request, "release", by="s-31", at=world.now())
            assert world.ledger.review(request, "release", by="s-32", at=world.now())
            await dispatcher.deliver_once()
            await until(world, env, request, "closed")
            assert about(dump(world.shop), 7) == {}
            assert world.conclusion(request) == "answered"

    asyncio.run(story())
