"""What `habeas doctor` asks Temporal: its clock, how long histories stay, whether they can be opened, and who polls.

The one rule: nothing is started, changed or left behind there.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from settings import Settings
from starter.checks import Check, NotSo, checked, silent
from starter.ledgerchecks import skew
from starter.namespace import survey
from starter.show import age, plural
from starter.temporal import bare_client
from starter.versions import deployment_of, serving
from workflows.wire import HistoryKeys, SealingCodec

RETENTION: Final = timedelta(days=30)
"""How long the history of a closed request should stay: as long as somebody may ask how it went."""
ALIVE: Final = timedelta(seconds=90)
"""A worker asks again after a minute at the latest; Temporal lists it for five."""
_Look = Callable[[Client, Settings], Awaitable[str]]
_POLL: Final = timedelta(seconds=10)
_STATES: Final = {
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: "serves",
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: "serves a part",
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: "is still needed",
}


def temporal_checks(settings: Settings) -> Iterator[Check]:
    """Everything about a Temporal that answers."""
    yield checked("clock of Temporal", lambda: _ask(settings, _clock), "ask again")
    yield checked("retention", lambda: _ask(settings, _retention), "see that we may describe the namespace")
    yield checked("codec", lambda: _codec(settings), "see that ledger and keys can be used from here")
    yield silent(checked("workers", lambda: _ask(settings, _workers), "see that Temporal answers"))


def _ask(settings: Settings, look: _Look) -> str:
    async def ask() -> str:
        async with asyncio.timeout(15):
            return await look(await bare_client(settings), settings)

    return asyncio.run(ask())


async def _clock(client: Client, settings: Settings) -> str:
    """Temporal's time is told by none of its calls; but it notes when somebody begins to wait for work, and tells that.
    So we wait, for a moment, at a queue of our own to which nothing is ever sent."""
    queue = TaskQueue(name=f"habeas-doctor-{secrets.token_hex(8)}")
    poll = PollWorkflowTaskQueueRequest(namespace=client.namespace, task_queue=queue, identity=client.identity)
    before = datetime.now(UTC)
    waiting = asyncio.create_task(client.workflow_service.poll_workflow_task_queue(poll, timeout=_POLL))
    try:
        for _ in range(50):
            if found := await _pollers(client, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW):
                return skew(found[0][1], before, datetime.now(UTC), "Temporal's")
            if waiting.done():
                break
            await asyncio.sleep(0.1)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    raise NotSo("Temporal did not tell its time", "ask again; compare the clocks by hand", warning=True)


async def _retention(client: Client, settings: Settings) -> str:
    kept = (await survey(client)).retention
    if kept is None:
        return "Temporal does not tell how long it keeps the histories of closed requests"
    if kept < RETENTION:
        raise NotSo(
            f"the history of a request is gone {age(kept)} after it has closed; the ledger keeps its own record",
            f"habeas temporal setup --retention P{RETENTION.days}D",
            warning=True,
        )
    return f"histories stay {age(kept)} after a request has closed"


def _codec(settings: Settings) -> str:
    """Seal and open with the keys of the ledger, and open what a worker has sealed in Temporal."""
    from starter.desk import open_ledger

    ledger = open_ledger(settings)
    try:
        run = f"upkeep/{settings.tenant}"
        codec = SealingCodec(HistoryKeys(ledger.history_key), run)
        plain = secrets.token_bytes(32)

        async def there_and_back() -> None:
            sealed = await codec.encode([Payload(metadata={"encoding": b"binary/plain"}, data=plain)])
            if plain in sealed[0].SerializeToString() or (await codec.decode(sealed))[0].data != plain:
                raise NotSo("what is sealed does not open again", "report it: this is a bug")

        async def workers_own(client: Client, settings: Settings) -> str:
            try:
                events = client.get_workflow_handle(run).fetch_history_events(page_size=1)
                first = await anext(events)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return "a payload was sealed and opened again; no worker has sealed any yet"
            payloads = first.workflow_execution_started_event_attributes.input.payloads
            await codec.decode(list(payloads))
            return "a payload was sealed and opened again, and what a worker has sealed was opened"

        asyncio.run(there_and_back())
        try:
            return _ask(settings, workers_own)
        except InvalidTag:
            raise NotSo(
                "what a worker has sealed in Temporal cannot be opened with the keys here",
                "use the same ledger and the same keys for everything that is one deployment",
            ) from None
    finally:
        ledger.close_connections()


async def _workers(client: Client, settings: Settings) -> str:
    """Who polls, and whether somebody does for each version that is needed."""
    queue = TaskQueue(name=settings.task_queue)
    polls: Counter[str] = Counter()
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        now = datetime.now(UTC)
        here = Counter(build for build, last in await _pollers(client, queue, kind) if now - last < ALIVE)
        polls = here if kind == TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW else polls & here
    info = await deployment_of(client, settings.deployment or settings.task_queue)
    current = serving(info)
    polled = [build for build in polls if build]
    if info is not None:
        for summary in info.version_summaries:
            build = summary.deployment_version.build_id
            if (state := _STATES.get(summary.status)) and not polls[build]:
                raise NotSo(
                    f"version {build} {state}, and no worker polls for it",
                    f"start workers with HABEAS_BUILD_ID={build}, or habeas promote another version",
                )
        if polled and not current and not polls[""]:
            raise NotSo(
                "Temporal was told no version that serves, so nothing ever starts",
                f"HABEAS_BUILD_ID={polled[0]} habeas promote",
            )
        if current and polls[""]:
            raise NotSo(
                f"version {current} serves, and workers without a build_id poll in vain",
                "set HABEAS_BUILD_ID for them, or stop them",
                warning=True,
            )
    if not polls:
        raise NotSo(f"no worker polls the task queue '{settings.task_queue}'", "start one: habeas worker")
    idle = [build for build in polled if current and build != current]
    if idle:
        return f"version {current} serves; {', '.join(idle)} is not needed any more and can be stopped"
    serve = f", version {current} serves" if current else ""
    return f"{plural(sum(polls.values()), 'worker')} at the task queue '{settings.task_queue}'{serve}"


async def _pollers(client: Client, queue: TaskQueue, kind: "TaskQueueType.ValueType") -> list[tuple[str, datetime]]:
    """Who waits for work at a queue: of which build, empty for none; and since when, by Temporal's clock."""
    found = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=queue, task_queue_type=kind)
    )
    return [(p.deployment_options.build_id, p.last_access_time.ToDatetime(tzinfo=UTC)) for p in found.pollers]
