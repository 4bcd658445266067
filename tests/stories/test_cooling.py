"""An erasure that is stopped in its cooling-off, on a virtual clock."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from ledger.incidents import About
from rights.incidentlaw import Kind
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
    for _ in range(600):
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


@pytest.mark.soak
@pytest.mark.timeout(200)
def test_a_wait_that_runs_out_while_a_breach_has_it_stand_still_begins_anew(home: Path, postgres: Postgres) -> None:
    """Its notice had not gone out when the breach was known: nobody could have stopped it."""

    async def story() -> None:
        async with cooling(home, postgres) as (world, env, dispatcher):
            before = dump(world.shop)
            request = world.open("erasure", [("email", "c7@shop.example")])
            await dispatcher.deliver_once()
            await until(world, env, request, "cooling")
            now = await env.get_current_time()
            law: dict[str, Any] = {"regime": "eu-gdpr", "zone": "Europe/Berlin", "by": "s-17", "note": None}
            about_it = About(requests=(request,))
            incident = world.ledger.open_incident(Kind.ACCESS, about_it, aware_at=now, at=now, **law).incident.id
            await dispatcher.deliver_once()

            # The three days are over, and many more.
            await pass_time(env, timedelta(days=6))
            assert dump(world.shop) == before
            gate = world.ledger.gate(request)
            assert (gate.cooling, gate.incident) == ("running", incident)

            now = await env.get_current_time()
            world.ledger.lift_incident(incident, by="s-17", note=None, at=now)
            await dispatcher.deliver_once()
            await pass_time(env, timedelta(days=2))
            assert (world.phase(request), dump(world.shop)) == ("cooling", before)
            anew = world.ledger.gate(request).cooling_until
            assert anew
            assert timedelta(days=2) < anew - now <= timedelta(days=3, hours=1)
            notices = world.query("SELECT number, state FROM letters WHERE kind = 'cooling_off_notice' ORDER BY number")
            assert [number for number, _ in notices] == [0, 1]
            assert notices[0][1] == "left", "the first one names a moment that counts no more"

            await pass_time(env, timedelta(days=2))
            await until(world, env, request, "closed")
            assert about(dump(world.shop), 7).keys() < about(before, 7).keys()

    asyncio.run(story())
