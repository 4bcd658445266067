"""The lists that compliance asks for: what each finds, asked of a real Temporal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from rights.codes import Code
from rights.deadlines import start_clock
from rights.regimes import SHIPPED, regime
from rights.request import Phase, Right
from starter.lists import ListError, Lists
from starter.stack import Temporal
from tests.starter.conftest import Deployment, one_sentence
from workflows import visibility

NOW = datetime.now(UTC)


def lists(tenant: str) -> Lists:
    return Lists(ui="http://ui.example:8233/", namespace="default", tenant=tenant, zone="Europe/Berlin")


def test_each_list_finds_what_it_is_about_and_nothing_else(temporal_server: Temporal) -> None:
    """Runs of two tenants, with the attributes that a request starts with."""
    tenant, other = (f"t{uuid4().hex[:12]}" for _ in range(2))

    async def begin(client: Client, whose: str, name: str, law: str, days_ago: int, on: str = "") -> None:
        clock = start_clock(regime(law), NOW - timedelta(days=days_ago), "Europe/Berlin")
        shown = visibility.at_start(Right.ACCESS, whose, Phase.LOCATING, clock, [law], NOW)
        waits = [SearchAttributePair(visibility.WAITING_ON, on)] if on else []
        await client.start_workflow(
            "nobody-runs-it",
            id=f"access/{whose}/{name}",
            task_queue=whose,
            search_attributes=TypedSearchAttributes([*shown, *waits]),
        )

    async def ask(client: Client, query: str) -> set[str]:
        return {run.id.rpartition("/")[2] async for run in client.list_workflows(query)}

    async def story() -> dict[str, set[str]]:
        client = await Client.connect(temporal_server.address)
        await begin(client, tenant, "fresh", "eu-gdpr", 0)
        await begin(client, tenant, "soon", "eu-gdpr", 27, "identity")
        await begin(client, tenant, "late", "eu-gdpr", 60, "hold")
        await begin(client, tenant, "kept", "us-ca-ccpa", 1, "legal_hold")
        await begin(client, tenant, "done", "eu-gdpr", 60, "hold")
        await client.get_workflow_handle(f"access/{tenant}/done").terminate()
        await begin(client, other, "theirs", "eu-gdpr", 60, "hold")
        mine = lists(tenant)
        asked = {
            "due": mine.due(7, NOW),
            "today": mine.due(0, NOW),
            "overdue": mine.overdue(NOW),
            "waiting": mine.waiting(),
            "identity": mine.waiting("identity"),
            "held": mine.held(),
            "gdpr": mine.regime("eu-gdpr"),
        }
        found: dict[str, set[str]] = {}
        for _ in range(300):  # the list of runs is a moment late
            found = {name: await ask(client, query) for name, query in asked.items()}
            if found == wanted:
                break
            await asyncio.sleep(0.1)
        return found

    wanted = {
        "due": {"soon", "late"},
        "today": {"late"},
        "overdue": {"late"},
        "waiting": {"soon", "late", "kept"},
        "identity": {"soon"},
        "held": {"late", "kept"},
        "gdpr": {"fresh", "soon", "late"},
    }
    assert asyncio.run(story()) == wanted


@given(st.text())
def test_no_word_but_ours_reaches_a_query(typed: str) -> None:
    mine = lists("main")

    for ask in (mine.waiting, mine.regime):
        with suppress(ListError):
            query = ask(typed)
            assert not typed or typed in set(Code) | SHIPPED
            assert query.count('"') == (6 if typed else 4)


@pytest.mark.parametrize("days", [-1, 367, 10**9])
def test_a_number_of_days_has_bounds(days: int) -> None:
    with pytest.raises(ListError, match="from 0 to 366"):
        lists("main").due(days, NOW)


def test_a_day_ends_where_the_controller_is() -> None:
    evening = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)  # half past midnight in Berlin, on the first of July

    assert 'HabeasDueAt < "2026-07-01T22:00:00Z"' in lists("main").due(0, evening)


def test_a_link_leads_to_the_ui_of_the_settings_and_carries_the_query_whole() -> None:
    mine = lists("main")

    for query in (mine.due(7, NOW), mine.overdue(NOW), mine.held(), mine.regime("eu-gdpr")):
        link = urlsplit(mine.link(query))
        assert (link.scheme, link.netloc, link.path) == ("http", "ui.example:8233", "/namespaces/default/workflows")
        assert parse_qs(link.query) == {"query": [query]}


def test_links_are_printed_with_bookmarks_where_there_is_an_api(deployment: Deployment) -> None:
    settings = deployment.home / "habeas.toml"
    written = settings.read_text()
    settings.write_text("\n".join(line for line in written.splitlines() if not line.startswith("temporal_ui")) + "\n")
    bare = deployment("temporal", "links")
    deployment.setting("temporal_ui", "https://temporal.shop.example/ui")
    alone = deployment("temporal", "links", "--json").json
    with settings.open("a") as file:
        file.write('\n[api]\nurl = "https://habeas.shop.example"\n')
    both = deployment("temporal", "links", "--json").json
    shown = deployment("temporal", "links").out

    assert bare.code == 2
    assert one_sentence(bare.err)
    assert {link["bookmark"] for link in alone["links"]} == {None}
    assert {link["bookmark"] for link in both["links"]} >= {
        "https://habeas.shop.example/go/due?days=7",
        "https://habeas.shop.example/go/overdue",
        "https://habeas.shop.example/go/held",
        "https://habeas.shop.example/go/regime/eu-gdpr",
    }
    assert all(link["url"].startswith("https://temporal.shop.example/ui/namespaces/") for link in both["links"])
    assert all(link["bookmark"] in shown for link in both["links"])
