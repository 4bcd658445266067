"""What compliance sees in the Temporal Web UI: the list, a request's page, its timeline, and payloads opened for them.

Everything is real: server and UI, ledger and worker, the API behind the codec server, and a browser. Run it with
``--screenshots`` to take the pictures of docs/temporal-ui.md anew.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import uvicorn

import worker
from rights.request import Right
from starter.access import Role
from starter.api import build_app
from starter.callers import SESSION, Callers
from starter.desk import Desk
from starter.groups import ApiSettings, OidcSettings
from starter.lists import Lists
from starter.stack import HOST, Postgres, Temporal, free_port
from starter.submit import submit
from tests.browser import Browser, browser
from tests.conftest import SEARCH_ATTRIBUTES
from tests.stories.test_rulings import ARCHIVE
from tests.world import World, shop_map
from workflows.visibility import workflow_id

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
COLUMNS = ("HabeasRisk", "HabeasWaitingOn", "HabeasPhase", "HabeasLegalDueAt", "HabeasDueAt")


@dataclass
class Stage:
    """Five requests that stand differently, and the addresses at which they are looked at."""

    world: World
    ui: str
    api: str
    session: str
    requests: dict[str, str]

    def run(self, name: str) -> str:
        right = Right.ACCESS if name == "late" else Right.ERASURE
        return workflow_id(right, self.world.ledger.tenant, self.requests[name])

    def page(self, name: str, tab: str = "") -> str:
        """The address of a request's page."""
        run = quote(self.run(name), safe="")
        return f"{self.ui}/namespaces/default/workflows/{run}{f'/{tab}' if tab else ''}"

    @property
    def lists(self) -> Lists:
        return Lists(ui=self.ui, namespace="default", tenant=self.world.ledger.tenant, zone="Europe/Berlin")


@contextmanager
def api(world: World, ui: str) -> Iterator[tuple[str, str]]:
    """The API over the deployment; its address, and the session of a data protection officer."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    oidc = OidcSettings(issuer="https://id.shop.example", client_id="habeas")
    settings = world.settings.model_copy(update={"api": ApiSettings(url=url), "oidc": oidc, "temporal_ui": ui})
    desk = Desk(settings)
    now = datetime.now(UTC)
    session = desk.ledger.open_session(
        "s-dpo", [Role.DPO], second_factor=True, signed_in_at=now, ends_at=now + timedelta(hours=1), at=now
    )
    app = build_app(desk, Callers(desk.ledger, url=url, oidc=oidc))
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    world.wait(lambda: server.started, 20, "the API")
    try:
        yield url, session
    finally:
        server.should_exit = True
        thread.join()
        desk.ledger.close_connections()


@pytest.fixture
def stage(home: Path, postgres: Postgres) -> Iterator[Stage]:
    maps = {"shop": shop_map(), "archive": ARCHIVE}
    with (
        Temporal(ui=True, search_attributes=SEARCH_ATTRIBUTES) as temporal,
        World(home, postgres, temporal, maps=maps, name="ui_pages") as world,
        api(world, temporal.ui_url) as (url, session),
    ):
        world.place_hold([("email", "c3@shop.example")])
        world.start_worker()
        opened = {
            "asks": world.open("erasure", [("email", "c1@shop.example")], confirmed=False),
            "task": world.open("erasure", [("email", "c2@shop.example")]),
            "held": world.open("erasure", [("email", "c3@shop.example")]),
            "late": submit(
                world.ledger,
                world.data_map,
                worker.rules(world.settings),
                "access",
                [("email", "c4@shop.example")],
                received_at=world.now() - timedelta(days=60),
            ).request_id,
            "done": world.open("erasure", [("email", "c5@shop.example")]),
        }
        made = Stage(world, temporal.ui_url, url, session, opened)
        world.rule(opened["done"], world.wait_task(opened["done"], "manual"), "give_up")
        world.wait_closed(opened["done"])
        for name in ("task", "held"):
            world.wait_task(opened[name], "manual")
        waits = {"asks": "identity", "task": "manual", "held": "hold", "late": "identity"}
        world.wait(lambda: shown(made) == waits, 60, "the list")
        yield made


def shown(stage: Stage) -> dict[str, str]:
    """What the list says that each open request waits on."""

    async def ask() -> dict[str, str]:
        client = await worker.connect(stage.world.settings, stage.world.ledger)
        found = {}
        async for run in client.list_workflows(stage.lists.waiting()):
            name = next(name for name in stage.requests if stage.run(name) == run.id)
            found[name] = str(run.search_attributes["HabeasWaitingOn"][0])
        return found

    return asyncio.run(ask())


def traits(world: World) -> set[str]:
    """Whatever the shop knows of the five, as a page would show it."""
    query = """SELECT email, full_name, phone, street FROM customers JOIN addresses ON customer_id = customers.id
               WHERE customers.id IN (1, 2, 3, 4)"""
    with psycopg.connect(world.shop, autocommit=True) as shop:
        known = {str(value) for row in shop.execute(query) for value in row}
    return known | {"c5@shop.example"}


@dataclass
class Eyes:
    """Looks at pages, and at each for whatever is known of anybody."""

    page: Browser
    secret: set[str]
    keeps: bool
    """Whether pictures are written."""

    def see(
        self, shows: Callable[[str], Any], what: str, picture: str = "", *, width: int = 1400, height: int = 900
    ) -> str:
        """Wait until a page shows something; its text."""
        text = self.page.wait(shows, what)
        assert [one for one in self.secret if one in self.page.source] == []
        if self.keeps and picture:
            SCREENSHOTS.mkdir(exist_ok=True)
            self.page.screenshot(SCREENSHOTS / f"{picture}.png", width=width, height=height)
        return text


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_compliance_sees_who_waits_on_what_and_no_person(
    stage: Stage, home: Path, request: pytest.FixtureRequest
) -> None:
    with browser(home / "profile") as page:
        eyes = Eyes(page, traits(stage.world), keeps=bool(request.config.getoption("--screenshots")))
        columns = [{"label": name} for name in ("Status", "Workflow ID", *COLUMNS)]
        page.open(stage.ui)
        page.keep(**{"namespace-workflow-table-columns": json.dumps({"default": columns})})
        the_list_says_who_waits(stage, eyes)
        bookmarks_lead_to_their_lists(stage, eyes)
        nobody_reads_a_payload_yet(stage, eyes)
        page.open(stage.ui)
        page.keep(endpoint=json.dumps(f"{stage.api}/codec/default"), includeCredentials="true")
        page.keep(overrideRemoteCodecConfiguration="true")
        payloads_are_opened(stage, eyes)
        each_page_says_how_it_stands(stage, eyes)
        what_its_key_is_gone_of_says_so(stage, eyes)


def the_list_says_who_waits(stage: Stage, eyes: Eyes) -> None:
    """By attributes alone, which need no codec server and no worker."""
    eyes.page.open(stage.lists.link(f'HabeasTenant = "{stage.world.ledger.tenant}" AND HabeasPhase IS NOT NULL'))
    text = eyes.see(
        lambda text: stage.requests["held"] in text and "overdue" in text, "the list", "list", width=1900, height=800
    )

    lines = {name: line for name, of in stage.requests.items() for line in text.splitlines() if of in line}
    for name, says in {
        "asks": ("erasure", "confirming", "identity", "on_track"),
        "task": ("erasure", "manual", "on_track"),
        "held": ("erasure", "hold", "on_track"),
        "late": ("access", "confirming", "identity", "overdue"),
        "done": ("erasure", "closed"),
    }.items():
        assert [one for one in says if one not in lines[name]] == [], lines[name]


def bookmarks_lead_to_their_lists(stage: Stage, eyes: Eyes) -> None:
    """From an address of the API, by the session of the browser, to what it is about."""
    eyes.page.open(f"{stage.api}/healthz")
    eyes.page.sign_in(SESSION, stage.session)
    for path, found in {
        "overdue": {"late"},
        "due?days=7": {"late"},
        "due?days=60": {"asks", "task", "held", "late"},
        "held": {"held"},
        "waiting?on=identity": {"asks", "late"},
        "regime/eu-gdpr": {"asks", "task", "held", "late"},
        "regime/us-ca-ccpa": set(),
    }.items():
        eyes.page.open(f"{stage.api}/go/{path}")
        eyes.see(partial(shows_just, stage, found), f"the list of {path}")
        assert eyes.page.address.startswith(stage.ui)


def shows_just(stage: Stage, found: set[str], text: str) -> bool:
    """Whether a list is there, and shows these of the five."""
    return "ExecutionStatus = Running" in text and {name for name, of in stage.requests.items() if of in text} == found


def nobody_reads_a_payload_yet(stage: Stage, eyes: Eyes) -> None:
    """Without the codec server the page has attributes, and no payload that can be read."""
    eyes.page.open(stage.page("held"))
    text = eyes.see(lambda text: "Timeline" in text and "Input" in text and "locate" in text, "the page")

    assert "request_id" not in text
    assert "waiting on hold" not in text


def payloads_are_opened(stage: Stage, eyes: Eyes) -> None:
    """With it, by the session of whoever looks: input, and a summary on each activity and timer."""
    eyes.page.open(stage.page("held"))
    text = eyes.see(lambda text: '"request_id"' in text and "waiting on hold" in text, "the timeline")

    for summary in ("locate shop", "locate archive", "erase shop", "waiting on manual", "deadline clock"):
        assert summary in text
    eyes.page.click("Timeline")
    eyes.see(lambda text: "waiting on hold" in text, "the timeline", "timeline", height=1500)
    eyes.page.click("Event History")
    eyes.see(lambda text: "Workflow Execution Started" in text, "the events")


def each_page_says_how_it_stands(stage: Stage, eyes: Eyes) -> None:
    """The summary, and the details that a worker answers with: who waits on what, both dates, and the systems."""
    for name, says in {
        "held": ("Waits on the end of a hold (shop)", "Waits on an agent (archive)", "Systems done: 0 of 2"),
        "asks": ("Waits on the person who asks", "identity", "on track", "not begun"),
        "late": ("Access request", "overdue"),
        "task": ("Waits on an agent (archive)", "Systems done: 1 of 2"),
        "done": ("Erasure request, under eu-gdpr: closed",),
    }.items():
        eyes.page.open(stage.page(name))
        eyes.page.click("User Metadata")
        picture = f"details-{name}" if name in {"held", "late"} else ""
        text = eyes.see(lambda text, w=says: all(one in text for one in w), f"{says} of {name}", picture, height=1150)  # type: ignore[misc]
        assert "as it came in" in text  # the summary
        assert name == "done" or "To be answered by" in text


def what_its_key_is_gone_of_says_so(stage: Stage, eyes: Eyes) -> None:
    eyes.page.open(stage.page("done"))
    eyes.see(lambda text: '"request_id"' in text, "the input")
    stage.world.ledger.shred(stage.requests["done"], ["history"], as_of=stage.world.now())
    eyes.page.open(stage.page("done"))
    text = eyes.see(lambda text: "[key destroyed]" in text, "what is gone")

    assert '"request_id"' not in text
