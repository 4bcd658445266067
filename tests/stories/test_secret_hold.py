"""A secret hold in a real Temporal: of two runs of whom one is held, nothing that is kept or shown differs."""

import asyncio
import json
import re
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.converter import WorkflowSerializationContext

import worker
from rights.holds import Disclosure, Terms
from starter.stack import Vendors
from tests.starter.test_secret_hold import plain
from tests.stories.vendors import analytics
from tests.test_privacy import payloads
from tests.world import World
from workflows.wire import HistoryKeys, SealingCodec

_SAYS = {
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_TIMER_CANCELED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
}
_OF_THE_SERVER = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
}
"""How often it hands a task out, until a busy worker takes it: what the run does with it stands in the others."""
_RANDOM = re.compile(r'"(read_at|as_of|at|received_at|confirmed_at)":"[^"]*"')


def run_of(world: World, request: str) -> str:
    return f"erasure/{world.ledger.tenant}/{request}"


async def shown(world: World, request: str) -> dict[str, Any]:
    """What Temporal has of a run and shows of it: its list, its page, and every event with what it carries."""
    client = await worker.connect(world.settings, world.ledger)
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(run_of(world, request))
    about = await handle.describe()
    context = WorkflowSerializationContext(namespace="default", workflow_id=handle.id)
    opens = SealingCodec(HistoryKeys(world.ledger.history_key)).with_context(context)
    events = []
    async for event in handle.fetch_history_events():
        if event.event_type in _OF_THE_SERVER:
            continue
        plains = [one.data.decode() for sealed in payloads(event) for one in await opens.decode([sealed])]
        activity = event.activity_task_scheduled_event_attributes.activity_type.name
        timer = event.timer_started_event_attributes.start_to_fire_timeout.seconds
        events.append((event.event_type, activity, timer, sorted(_RANDOM.sub("", plain(text)) for text in plains)))
    return {
        "list": sorted((pair.key.name, str(pair.value)) for pair in about.typed_search_attributes),
        "memo": await about.memo(),
        "page": [
            await about.static_summary(),
            await about.static_details(),
            plain(str(await handle.query("standing"))),
        ],
        "events": events,
    }


def waits(world: World, request: str) -> bool:
    """The run waits for its turn: a timer of it is set, and nothing else is under way."""

    async def last() -> list[int]:
        client = await worker.connect(world.settings, world.ledger)
        handle = client.get_workflow_handle(run_of(world, request))
        return [event.event_type async for event in handle.fetch_history_events()]

    if not [r for r in world.receipts(request) if r["code"] == "queued"]:
        return False
    seen = asyncio.run(last())
    said = seen[len(seen) - seen[::-1].index(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) :]
    # The last word of the run: it has set its timer, and has nothing else to do.
    return EventType.EVENT_TYPE_TIMER_STARTED in said and set(said) <= _SAYS


@pytest.mark.soak
def test_HLD_03_two_runs_of_whom_one_is_held_in_secret_cannot_be_told_apart(people: World, vendors: Vendors) -> None:
    people.write_maps({"analytics": analytics(vendors)})
    vendors.fault("amplitude", "rate_limited", "deletion.create", times=1_000, retry_after="3600")
    people.place_hold([("customer_id", "7")], terms=Terms(disclosure=Disclosure.COUNSEL_TEXT))
    people.start_worker()
    held, free = (people.open("erasure", [("customer_id", number)]) for number in ("7", "8"))
    for request in (held, free):
        people.wait(lambda request=request: waits(people, request), 60, "its turn")

    one, other = (asyncio.run(shown(people, request)) for request in (held, free))
    for mine, theirs in zip(one.pop("events"), other.pop("events"), strict=True):
        assert mine == theirs
    assert one == other
    lines = [sorted(plain(line) for line in people.log.splitlines() if request in line) for request in (held, free)]
    assert lines[0] == lines[1]
    assert "hold" not in people.log.replace("threshold", "")
    queue = "SELECT count(*) FROM sweep_steps WHERE request_id = %s AND answer IS NULL"
    assert [people.query(queue, request) for request in (held, free)] == [[(1,)], [(1,)]]
    assert [str(people.ledger.tasks(request_id=request)) for request in (held, free)] == ["[]", "[]"]
    assert str(300_000_000_007) in json.dumps(vendors.dump("amplitude")["users"])
