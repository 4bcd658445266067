"""Every word that can be said to a run, in every phase: accepted, or refused with a sentence and no trace."""

import asyncio
import uuid
from collections import Counter
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.worker import Worker

from rights.request import ALLOWED, Phase
from starter.stack import Temporal
from tests.workflows.standing import WAITED_FOR, StandingRequest
from workflows.wire import HistoryKeys, plugin

WORDS: dict[str, tuple[Any, ...]] = {
    "confirm_identity": (),
    "decide": (),
    "approve": (),
    "rule": (WAITED_FOR,),
    "withdraw": (),
}
AGAIN = {
    "confirm_identity": "the identity is confirmed already",
    "approve": "the preview is approved already",
    "withdraw": "the request is withdrawn already",
}

UPDATES = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
}

Handle = WorkflowHandle[Any, Any]


async def say(handle: Handle, word: str, *what: object) -> str:
    """Say a word; the sentence it is refused with, or nothing."""
    try:
        await handle.execute_update(word, args=list(what))
    except WorkflowUpdateFailedError as failed:
        return str(getattr(failed.cause, "message", failed.cause))
    return ""


async def accepted(handle: Handle) -> Counter[str]:
    """The updates in a history, by name, as the server has them; each must have been answered too."""
    events = (await handle.fetch_history()).events
    names = Counter(
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    )
    assert sum(event.event_type in UPDATES for event in events) == 2 * names.total()
    return names


async def stand_in(client: Client, queue: str, phase: Phase) -> dict[str, str]:
    """Say all to a request of a phase, once and then again; what each was refused with."""
    handle: Handle = await client.start_workflow("standing-request", phase, id=f"{queue}/{phase}", task_queue=queue)
    came = {word: await say(handle, word, *what) for word, what in WORDS.items()}
    may = {word for word in WORDS if phase in ALLOWED[word]}
    assert await accepted(handle) == Counter(may), phase

    # What was said makes no sense a second time, and a ruling that nobody waits for none at all.
    for word in sorted(may & AGAIN.keys()):
        assert await say(handle, word) == AGAIN[word], (phase, word)
    if "rule" in may:
        other = WAITED_FOR.model_copy(update={"round": 1})
        assert await say(handle, "rule", other) == "no step waits for this ruling", phase
    assert await accepted(handle) == Counter(may), phase

    await handle.cancel()
    told = dict(zip(("confirm_identity", "approve", "withdraw", "rule"), await handle.result(), strict=True))
    assert told == {word: word in may for word in told}, phase
    return came


@pytest.mark.soak
def test_every_word_in_every_phase_is_accepted_or_refused_with_a_sentence_and_no_event(
    temporal_server: Temporal,
) -> None:
    queue = f"words-{uuid.uuid4().hex}"

    async def all_phases() -> dict[Phase, dict[str, str]]:
        client = await Client.connect(temporal_server.address, plugins=[plugin(HistoryKeys(lambda _: bytes(32)))])
        async with Worker(client, task_queue=queue, workflows=[StandingRequest]):
            return {phase: await stand_in(client, queue, phase) for phase in Phase}

    came = asyncio.run(all_phases())

    assert set(WORDS) == set(ALLOWED)
    for phase, said in came.items():
        for word, sentence in said.items():
            allowed = phase in ALLOWED[word]
            assert sentence == ("" if allowed else f"the request is {phase}: '{word}' makes no sense here")
    # Both happen, or the table says nothing.
    assert {bool(sentence) for said in came.values() for sentence in said.values()} == {True, False}
