"""Alerts and dashboard ask for what a real worker tells: every metric and label is looked for on its metrics port, and
in a Prometheus that asks it."""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import worker
from connectors.registry import SetupError
from rights.codes import Code
from rights.deadlines import Risk
from rights.mapcheck import Severity
from starter.due import Numbers
from starter.endpoint import serving
from starter.stack import HOST, Postgres, Temporal, free_port
from tests.conftest import SEARCH_ATTRIBUTES
from tests.deploy.prometheus import PROGRAM, Prometheus, needs_prometheus
from tests.world import World, shop_map

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yaml"
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "habeas.json").read_text())
METRIC = re.compile(r"\b((?:habeas|temporal)_[a-z_]+)(?:\{([^}]*)\})?")
WORDS: dict[str, set[str]] = {"risk": {*map(str, Risk)}, "code": {*map(str, Code)}, "severity": {*map(str, Severity)}}


def expressions() -> Iterator[str]:
    yield from (alert["expr"] for alert in ALERTS)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))


USED = {(name, labels) for text in expressions() for name, labels in METRIC.findall(text)}
NAMES = {name for name, _ in USED}


def plain(alert: str) -> str:
    """What an alert compares with a limit, or misses."""
    return re.sub(r"\babsent\(|\s(>|==) [\d.]+", lambda found: "(" if "absent" in found[0] else "", alert)


NUMBERS: list[tuple[str, set[str]]] = [
    *((plain(alert["expr"]), set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))) for alert in ALERTS),
    *(
        (target["expr"], set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])))
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    ),
]
"""What is asked of Prometheus, and the labels that are shown of the answer."""


@dataclass(frozen=True)
class Told:
    """What is told by a worker that has been through all that is asked about."""

    samples: dict[str, list[dict[str, str]]]
    """Labels by metric, as its own port has them."""
    server: Prometheus | None
    """A Prometheus that has listened since it started; None where the machine has none."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Told]:
    """One request is answered, one waits for a person, one was broken off, some are late, a run is of no known type,
    and in the end Temporal is gone."""
    maps = {"shop": shop_map("observe")}
    with (
        Temporal(search_attributes=SEARCH_ATTRIBUTES) as temporal,
        World(tmp_path_factory.mktemp("told"), postgres, temporal, maps=maps) as world,
        serving(Numbers, world.ledger, HOST, 0) as due,
        ExitStack() as stack,
    ):
        port = free_port()
        server = stack.enter_context(Prometheus(RULES, [port, due])) if PROGRAM else None
        world.start_worker(HABEAS_HEALTH_PORT=str(port), HABEAS_MAP_CHECK_EVERY="P1D")
        # By a law whose term ends on any day of the week, so that one ends in each bucket today.
        for days in range(40, 48):
            whom, received_at = [("email", f"c{days - 30}@shop.example")], world.now() - timedelta(days=days)
            world.open("access", whom, confirmed=False, received_at=received_at, regimes=["us-ca-ccpa"])
        world.wait_closed(world.open("access", [("email", "c1@shop.example")]))
        if server is not None:
            # What is counted from here on is a growth to it: it has seen a count before.
            world.wait(lambda: server.ask("temporal_activity_execution_latency_seconds_count"), 60, "a first look")
        world.wait_task(world.open("erasure", [("email", "c2@shop.example")]), "observe")
        (world.home / "broken-locate").touch()
        world.wait_task(world.open("access", [("email", "c3@shop.example")]), "internal")
        asyncio.run(_started(world, "a-type-that-nobody-knows"))

        def samples() -> dict[str, list[dict[str, str]]]:
            with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=20) as answer:
                families = text_string_to_metric_families(answer.read().decode())
            found: dict[str, list[dict[str, str]]] = {}
            for sample in (sample for family in families for sample in family.samples):
                found.setdefault(sample.name, []).append(sample.labels)
            return found

        world.wait(lambda: {"habeas_map_findings", FAILED_TASKS} <= samples().keys(), 60, "a comparison and a failure")
        temporal.kill()
        world.open("access", [("email", "c4@shop.example")])
        world.wait(lambda: len(_lost(samples())) == 2, 60, "calls of both kinds to fail")
        yield Told(samples(), server)


FAILED_TASKS = "temporal_workflow_task_execution_failed_total"


async def _started(world: World, workflow: str) -> None:
    client = await worker.connect(world.settings, world.ledger)
    await client.start_workflow(workflow, id=workflow, task_queue=world.settings.task_queue)


def _lost(samples: dict[str, list[dict[str, str]]]) -> set[str]:
    """Which metrics say that Temporal is not reached."""
    return {name for name, told in samples.items() for one in told if one.get("status_code") == "TRANSPORT_ERROR"}


@pytest.mark.soak
def test_a_worker_that_comes_before_temporal_waits_for_it_and_tells_its_metrics(
    tmp_path: Path, postgres: Postgres
) -> None:
    late = Temporal(search_attributes=SEARCH_ATTRIBUTES)
    with World(tmp_path, postgres, late) as world:
        port = free_port()
        process = world.start_worker(HABEAS_HEALTH_PORT=str(port))
        world.wait(lambda: world.log.count("waits_for") > 1 or process.poll() is not None, 90, "two tries")
        assert process.poll() is None, world.log
        with late:
            world.wait(lambda: "worker_ready" in world.log or process.poll() is not None, 30, "a worker")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                text = answer.read().decode()
        assert "habeas_overdue_requests" in text
        assert "temporal_worker_start" in text


def test_a_metrics_port_that_somebody_has_is_named_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"health_port: the port after it, {port}, cannot be had"):
            worker.telling(port)


def test_the_alert_on_workers_that_are_gone_is_not_stilled_by_who_watches_the_ledger() -> None:
    """`habeas due serve` tells the ledger's counts without any worker."""
    by_name = {alert["alert"]: alert["expr"] for alert in ALERTS}
    counts = (DEPLOY.parent / "starter" / "gauges.py").read_text()

    (name,) = {name for name, _ in METRIC.findall(by_name["HabeasWorkersGone"])}
    assert name.startswith("temporal_")
    assert f'"{name}"' not in counts
    assert name in by_name["HabeasNobodyPolls"]
    assert by_name["HabeasUnwatched"] == "absent(habeas_overdue_requests)"


@pytest.mark.soak
def test_every_metric_that_is_asked_for_is_told(told: Told) -> None:
    assert NAMES - told.samples.keys() == set()
    assert len(NAMES) > 8


@pytest.mark.soak
def test_labels_and_their_words_are_those_that_are_told(told: Told) -> None:
    for name, labels in USED:
        for label, _, value in re.findall(r'(\w+)(=~?)"([^"]*)"', labels):
            words = set(value.split("|"))
            if label in WORDS:
                assert words <= WORDS[label], (name, label)
            elif label != "status_code":
                assert words <= {one.get(label) for one in told.samples[name]}, (name, label)


@pytest.mark.soak
@needs_prometheus
def test_a_prometheus_finds_every_number_that_is_asked_for_and_the_labels_that_are_shown(told: Told) -> None:
    assert told.server is not None
    for name, labels in USED:
        _asked(told.server, f"{name}{{{labels}}}")
    for expression, shown in NUMBERS:
        for one in _asked(told.server, expression):
            assert shown <= one["metric"].keys(), (expression, one)


@pytest.mark.soak
@needs_prometheus
def test_a_prometheus_weighs_every_rule_and_says_who_is_late(told: Told) -> None:
    assert told.server is not None
    until = time.monotonic() + 30
    while "firing" not in {rule["state"] for rule in told.server.rules() if rule["name"] == "HabeasOverdue"}:
        assert time.monotonic() < until, told.server.rules()
        time.sleep(0.2)

    assert {rule["name"]: (rule["health"], rule.get("lastError")) for rule in told.server.rules()} == {
        alert["alert"]: ("ok", None) for alert in ALERTS
    }
    firing = {rule["name"] for rule in told.server.rules() if rule["state"] == "firing"}
    assert firing == {"HabeasOverdue", "HabeasDueInADay", "HabeasWorkflowTasksFail"}
    # The worker's port and that of `habeas due serve`.
    assert list(told.server.targets().values()) == ["", ""]


def _asked(server: Prometheus, expression: str) -> list[dict[str, Any]]:
    """An answer that has a number in it; Prometheus needs two looks to say how fast something grows."""
    until = time.monotonic() + 30
    while True:
        found = server.ask(expression)
        if any(not math.isnan(float(one["value"][1])) for one in found):
            return found
        assert time.monotonic() < until, f"nothing is found by {expression}: {found}"
        time.sleep(0.2)


def test_every_alert_says_what_to_do() -> None:
    runbook = (DEPLOY / "runbook.md").read_text()
    for alert in ALERTS:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"]["summary"]
        description = alert["annotations"]["description"]
        assert re.search(r"habeas \w+|runbook|docs/|Answer|Start more|raise|try again", description), alert["alert"]
        for chapter in re.findall(r"runbook\.md, ([^.:)]+)", description):
            assert f"\n## {chapter}\n" in runbook, chapter
    assert len({alert["alert"] for alert in ALERTS}) == len(ALERTS)


def test_the_dashboard_can_be_taken_in_by_any_grafana() -> None:
    """No id of somebody's own, one variable for the source, and no two panels in one place."""
    assert "id" not in DASHBOARD
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["source"]
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places
        assert at["x"] + at["w"] <= 24
        places |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
            assert panel["targets"]


def brackets_close(text: str) -> bool:
    """Whether every bracket of an expression is closed by its own kind, outside of quotes."""
    open_: list[str] = []
    for sign in re.sub(r'"[^"]*"', "", text):
        if sign in "([{":
            open_.append({"(": ")", "[": "]", "{": "}"}[sign])
        elif sign in ")]}" and (not open_ or open_.pop() != sign):
            return False
    return not open_


@pytest.mark.parametrize("text", sorted(set(expressions())))
def test_an_expression_is_whole(text: str) -> None:
    assert brackets_close(text)
    # A counter is asked for by how fast it grows, a histogram by its buckets or its count.
    for name, _ in METRIC.findall(text):
        if name.endswith(("_total", "_bucket", "_count")):
            assert re.search(rf"(rate|increase)\({name}", text), name
        assert not name.endswith(("latency", "latency_seconds"))
