"""Alerts and dashboard ask for what a real worker tells: every metric and label is looked for on its metrics port."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from temporalio import bridge

import worker
from connectors.registry import SetupError
from rights.codes import Code
from rights.deadlines import Risk
from rights.mapcheck import Severity
from starter.stack import Postgres, Temporal, free_port
from tests.conftest import SEARCH_ATTRIBUTES
from tests.world import World, shop_map

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "habeas.json").read_text())
METRIC = re.compile(r"\b((?:habeas|temporal)_[a-z_]+)(?:\{([^}]*)\})?")
ON_OCCASION = {
    # A worker tells these only once it has happened.
    "temporal_activity_execution_failed_total",
    "temporal_workflow_task_execution_failed_total",
    "habeas_map_findings",
    "habeas_map_check_age_seconds",
}
WORDS: dict[str, set[str]] = {"risk": {*map(str, Risk)}, "code": {*map(str, Code)}, "severity": {*map(str, Severity)}}


def expressions() -> Iterator[str]:
    yield from (alert["expr"] for alert in ALERTS)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))


USED = {(name, labels) for text in expressions() for name, labels in METRIC.findall(text)}
NAMES = {name for name, _ in USED}


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, temporal_server: Temporal
) -> dict[str, list[dict[str, str]]]:
    """What a worker that has answered one request, and waits for a person in another, tells: labels by metric."""
    maps = {"shop": shop_map("observe")}
    with World(tmp_path_factory.mktemp("told"), postgres, temporal_server, maps=maps) as world:
        port = free_port()
        world.start_worker(HABEAS_HEALTH_PORT=str(port))
        world.wait_closed(world.open("access", [("email", "c7@shop.example")]))
        world.wait_task(world.open("erasure", [("email", "c8@shop.example")]), "observe")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


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
def test_every_metric_that_is_asked_for_is_told(told: dict[str, list[dict[str, str]]]) -> None:
    assert NAMES - told.keys() - ON_OCCASION == set()
    assert len(NAMES & told.keys()) > 8


def test_what_is_told_on_occasion_is_known_to_who_tells_it() -> None:
    """Ours by the program, the SDK's by its own binary, which names them without prefix and suffix."""
    gauges = (DEPLOY.parent / "starter" / "gauges.py").read_text()
    (binary,) = Path(bridge.__file__).parent.glob("temporal_sdk_bridge*.so")
    code = binary.read_bytes()

    for name in ON_OCCASION & NAMES:
        if name.startswith("habeas_"):
            assert f'"{name}"' in gauges
        else:
            assert name.removeprefix("temporal_").removesuffix("_total").encode() in code


@pytest.mark.soak
def test_labels_and_their_words_are_those_that_are_told(told: dict[str, list[dict[str, str]]]) -> None:
    for name, labels in USED:
        for label, _, value in re.findall(r'(\w+)(=~?)"([^"]*)"', labels):
            words = set(value.split("|"))
            if label in WORDS:
                assert words <= WORDS[label], (name, label)
            elif name in told and label != "status_code":
                assert words <= {one.get(label) for one in told[name]}, (name, label)


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
