"""Recorded histories run through today's workflows, without a server.

A history is recorded by ``python -m tests.workflows.record`` with test keys, never from production.
"""

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.workflows.fingerprint import fingerprints
from workflows.appeal import AppealRun
from workflows.authority import AuthorityRequest
from workflows.campaign import CampaignRun
from workflows.deferred import DeferredRun
from workflows.following import FollowUp
from workflows.incident import IncidentRun
from workflows.letters import Letters
from workflows.lifting import RestrictionLifting
from workflows.mapcheck import MapCheck
from workflows.relook import RelookRun
from workflows.replay import ReplayRun
from workflows.request import REQUESTS
from workflows.sweep import Sweep
from workflows.upkeep import Upkeep
from workflows.wire import HistoryKeys, plugin

BESIDE = (
    Upkeep, MapCheck, Letters, CampaignRun, RestrictionLifting, AppealRun, RelookRun, ReplayRun, FollowUp, Sweep,
    AuthorityRequest, IncidentRun,
    DeferredRun,
)  # fmt: skip
HERE = Path(__file__).parent
HISTORIES = sorted((HERE / "histories").glob("*.json"))
KEY = bytes(32)
"""The key that recorded histories are sealed under."""


def test_there_is_a_history_of_every_kind() -> None:
    assert {path.stem.split("-")[0] for path in HISTORIES} == {
        "access",
        "appeal",
        "authority",
        "campaign",
        "deferred",
        "erasure",
        "follow",
        "identity",
        "incident",
        "letters",
        "map",
        "relook",
        "replay",
        "restriction",
        "review",
        "sweep",
        "transfer",
        "upkeep",
    }


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_replays(path: Path) -> None:
    recorded = json.loads(path.read_text())
    history = WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])

    async def replay() -> None:
        wire = plugin(HistoryKeys(lambda _: KEY))
        replayer = Replayer(workflows=[*REQUESTS, *BESIDE], plugins=[wire])
        await replayer.replay_workflow(history)

    asyncio.run(replay())


def test_the_commands_of_a_workflow_change_only_on_purpose() -> None:
    """A living run of the old code replays under the new: whoever changes what a workflow commands, and in which order,
    has to think of the runs that wait, record new histories, and then write the new fingerprint:
    ``python -m tests.workflows.fingerprint``."""
    kept = json.loads((HERE / "fingerprints.json").read_text())
    assert fingerprints() == kept
