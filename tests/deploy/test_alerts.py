"""When each alert fires, to the minute, and when it does not: tried by Prometheus' own `promtool`."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here: apt-get install prometheus")
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}

NO_REPLAY = {"workflow_type": "erasure-request", "failure_reason": "NonDeterminismError"}
FAILED = "temporal_workflow_task_execution_failed_total{{{}}}".format(
    ",".join(f'{k}="{v}"' for k, v in NO_REPLAY.items())
)
POLLERS = 'temporal_num_pollers{poller_type="workflow_task",task_queue="habeas",instance="a"}'
WAITED = "temporal_workflow_task_schedule_to_start_latency_seconds_bucket"
LOST = 'temporal_long_request_failure_total{operation="PollWorkflowTaskQueue",status_code="TRANSPORT_ERROR"}'
REFUSED = 'temporal_request_failure_total{operation="StartWorkflowExecution",status_code="RESOURCE_EXHAUSTED"}'
UNREACHED = 'temporal_activity_execution_failed_total{activity_type="locate"}'
SLOTS = "temporal_worker_task_slots_available"


@dataclass(frozen=True)
class Fires:
    """Series, a value a minute as promtool writes them, and the minute in which an alert fires."""

    alert: str
    series: dict[str, str]
    minute: int
    summary: str
    labels: dict[str, str] = field(default_factory=dict)
    until: int | None = None
    """The minute in which it has gone; None: it stays as long as anybody looks."""


FIRES = [
    # Two workers tell the same: their counts are not added up.
    Fires(
        "HabeasOverdue",
        {f'habeas_overdue_requests{{instance="{one}"}}': "0x9 2x20 0x9" for one in "ab"},
        10,
        "2 requests are past their legal due date",
        until=31,
    ),
    Fires(
        "HabeasDueInADay",
        {
            f'habeas_open_requests{{instance="{one}",right="{right}",risk="due_1d"}}': f"0x9 {number}x20"
            for one in "ab"
            for right, number in (("access", 1), ("erasure", 2))
        },
        10,
        "3 requests are due within a day",
    ),
    Fires(
        "HabeasDueInThreeDays",
        {'habeas_open_requests{instance="a",right="access",phase="deciding",risk="due_3d"}': "0x9 1x100"},
        70,
        "1 requests are due within three days",
    ),
    # From the first minute on: that nobody knows of a day before is no reason to call it a day.
    Fires(
        "HabeasTasksPile",
        {
            'habeas_open_tasks{instance="a",code="manual"}': "11x1500",
            'habeas_open_tasks{instance="a",code="approval"}': "10x1500",
        },
        1440,
        "more than 20 tasks have waited for a day",
    ),
    Fires(
        "HabeasSystemsTrouble",
        {'habeas_open_tasks{instance="a",code="credentials"}': "0x9 1x100"},
        40,
        "steps wait because of a system: credentials",
        {"code": "credentials"},
    ),
    Fires(
        "HabeasOutboxStands",
        {'habeas_outbox_backlog{instance="a"}': "1x30 0x9"},
        10,
        "requests were received and do not start",
        until=31,
    ),
    Fires(
        "HabeasMapDrifts",
        {'habeas_map_findings{instance="a",severity="error"}': "0x9 1x100"},
        70,
        "the data map and a system have drifted apart",
    ),
    # The last worker is gone, though the ledger's counts are told on.
    Fires(
        "HabeasWorkersGone",
        {POLLERS: "2x9 stale", 'habeas_overdue_requests{instance="due"}': "0x60"},
        15,
        "no worker tells that it polls",
        {"poller_type": "workflow_task"},
    ),
    Fires(
        "HabeasUnwatched",
        {'habeas_overdue_requests{instance="a"}': "0x9 stale"},
        15,
        "nobody tells the ledger's counts",
    ),
    Fires(
        "HabeasNobodyPolls",
        {POLLERS: "2x9 0x60", POLLERS.replace('queue="habeas"', 'queue="other"'): "2x60"},
        15,
        "no worker polls the task queue habeas",
        {"task_queue": "habeas"},
    ),
    # The first failure is a count that was not there; it is over when nothing fails for longer than tries are apart.
    Fires(
        "HabeasWorkflowTasksFail",
        {FAILED: "_x5 1x60"},
        5,
        "erasure-request cannot go on: NonDeterminismError",
        NO_REPLAY,
        until=20,
    ),
    # One run is tried again each ten minutes, and the alert stands all the time.
    Fires(
        "HabeasWorkflowTasksFail",
        {FAILED: "_x5 1x9 2x9 3x9 4x60"},
        5,
        "erasure-request cannot go on: NonDeterminismError",
        NO_REPLAY,
        until=50,
    ),
    Fires(
        "HabeasWorkersLag",
        {f'{WAITED}{{le="{le}"}}': f"0+{new}x60" for le, new in (("5", 0), ("10", 60), ("+Inf", 60))},
        6,
        "workflow tasks wait 9.95s for a worker",
    ),
    Fires(
        "HabeasSlotsFull",
        {
            f'{SLOTS}{{instance="a",worker_type="ActivityWorker"}}': "3x9 0x60",
            f'{SLOTS}{{instance="b",worker_type="ActivityWorker"}}': "3x60",
        },
        25,
        "a worker has had no free place for steps for 15 minutes",
        {"instance": "a", "worker_type": "ActivityWorker"},
    ),
    Fires(
        "HabeasTemporalRefuses",
        {LOST: "0+120x60"},
        6,
        "Temporal does not take PollWorkflowTaskQueue: TRANSPORT_ERROR",
        {"operation": "PollWorkflowTaskQueue", "status_code": "TRANSPORT_ERROR"},
    ),
    Fires(
        "HabeasTemporalRefuses",
        {REFUSED: "0+120x60"},
        6,
        "Temporal does not take StartWorkflowExecution: RESOURCE_EXHAUSTED",
        {"operation": "StartWorkflowExecution", "status_code": "RESOURCE_EXHAUSTED"},
    ),
    Fires(
        "HabeasActivitiesFail",
        {UNREACHED: "0+600x60"},
        16,
        "locate keeps failing",
        {"activity_type": "locate"},
    ),
]

QUIET: dict[str, dict[str, str]] = {
    "HabeasOverdue": {'habeas_overdue_requests{instance="a"}': "0x180"},
    "HabeasDueInADay": {'habeas_open_requests{instance="a",risk="due_3d"}': "5x180"},
    "HabeasDueInThreeDays": {
        'habeas_open_requests{instance="a",risk="due_7d"}': "5x180",
        'habeas_open_requests{instance="b",risk="due_3d"}': "1x58 0 1x50 0x60",
    },
    "HabeasTasksPile": {'habeas_open_tasks{instance="a",code="manual"}': "21x1400 20 21x100"},
    "HabeasSystemsTrouble": {'habeas_open_tasks{instance="a",code="approval"}': "9x180"},
    "HabeasOutboxStands": {'habeas_outbox_backlog{instance="a"}': "3x9 0 3x9 0x180"},
    "HabeasMapDrifts": {'habeas_map_findings{instance="a",severity="warning"}': "9x180"},
    "HabeasWorkersGone": {POLLERS: "2x9 stale _x3 2x180"},
    "HabeasUnwatched": {'habeas_overdue_requests{instance="due"}': "0x180"},
    "HabeasNobodyPolls": {POLLERS: "0x180", POLLERS.replace('"a"', '"b"'): "2x180"},
    "HabeasWorkflowTasksFail": {'temporal_workflow_task_execution_latency_seconds_count{instance="a"}': "0+5x180"},
    "HabeasWorkersLag": {f'{WAITED}{{le="{le}"}}': "0+60x180" for le in ("5", "10", "+Inf")},
    "HabeasSlotsFull": {
        f'{SLOTS}{{instance="a",worker_type="WorkflowWorker"}}': "0x180",
        f'{SLOTS}{{instance="a",worker_type="ActivityWorker"}}': "0x14 1 0x14 1x180",
    },
    # A question for what is not there is an answer.
    "HabeasTemporalRefuses": {REFUSED.replace("RESOURCE_EXHAUSTED", "NOT_FOUND"): "0+120x180", LOST: "0+1x180"},
    "HabeasActivitiesFail": {UNREACHED: "0+6x180"},
}
"""What is as it should be, or not for long enough."""


def series(told: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in told.items()]


def expected(case: Fires, minute: int, *, fires: bool) -> dict[str, Any]:
    rule = ALERTS[case.alert]
    one = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {**rule["annotations"], "summary": case.summary},
    }
    return {"eval_time": f"{minute}m", "alertname": case.alert, "exp_alerts": [one] if fires else []}


def minutes(case: Fires) -> list[dict[str, Any]]:
    """The minute before it fires, that minute, and the same at its end."""
    turns = {case.minute - 1: False, case.minute: True}
    if case.until is not None:
        turns |= {case.until - 1: True, case.until: False}
    return [expected(case, minute, fires=fires) for minute, fires in turns.items()]


def tried(tmp_path: Path, *tests: dict[str, Any]) -> None:
    assert PROMTOOL is not None
    file = tmp_path / "tests.yaml"
    given = [{"interval": "1m", **test} for test in tests]
    # JSON is YAML, without the places in which a text needs quotes.
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": given}))
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_every_alert_is_tried_both_ways() -> None:
    assert {case.alert for case in FIRES} == QUIET.keys() == ALERTS.keys()


@needs_promtool
def test_each_alert_fires_when_it_should_and_not_a_minute_earlier(tmp_path: Path) -> None:
    tried(tmp_path, *({"input_series": series(case.series), "alert_rule_test": minutes(case)} for case in FIRES))


@needs_promtool
def test_no_alert_fires_while_all_is_well(tmp_path: Path) -> None:
    """At no moment of two hours; of a day and an hour where an alert waits for a day."""
    tests = [
        {
            "input_series": series(told),
            "promql_expr_test": [
                {
                    "expr": f'max_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[2d])',
                    "eval_time": "25h" if ALERTS[name].get("for") == "1d" else "2h",
                }
            ],
        }
        for name, told in QUIET.items()
    ]
    tried(tmp_path, *tests)
