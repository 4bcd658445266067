"""From the ledger's outbox to Temporal, and lost runs back to life.

The one rule: what the ledger has committed reaches Temporal at least once, however often either of them dies; every
delivery may be repeated, since ids make it the same.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.following import OF_FOLLOW_UPS
from activities.opening import Facts, Start, begin
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from ledger.outbox import Message
from ledger.requestrow import RequestRow
from rights.codes import Code
from rights.plan import Operation
from rights.reckoning import local_day
from rights.request import Phase, Right
from starter.beside import RPC, Beside
from workflows import visibility
from workflows.messages import Opening, Ruling
from workflows.request import BY_RIGHT
from workflows.wire import HistoryKeys

BATCH: Final = 50
"""Messages claimed at once; at some milliseconds each, a killed dispatcher leaves little to be claimed again."""
LISTEN: Final = 1.0
"""Seconds to wait for a notification before the outbox is read anyway; also how long a stop may take."""
ENSURE: Final = timedelta(seconds=10)
"""How often the upkeep workflow is made sure of, which also finds out that Temporal lost its database."""
TELL: Final = timedelta(seconds=2)
"""How often it is looked whether a webhook has something to be told."""
AWAY: Final = 2.0
"""Seconds before an unreachable Temporal or ledger is tried again."""

FEW: Final = 500
"""Open requests up to which each round compares them one by one with the living runs. Of more, a round that finds as
many of both asks only for those that wait for a person: to read ten thousand a minute takes a tenth of a core."""
ONE_BY_ONE: Final = timedelta(minutes=10)
"""How often many are compared one by one all the same: a lost run and a stray one make the numbers equal."""

_WAKES: Final = {"swept": "refresh", "wake": "refresh", "clock": "turned"}
"""Messages of which a run needs to know only that it has to read the ledger, and the signal that tells it."""

log = structlog.get_logger()


def _summary(row: RequestRow) -> str:
    """The line of the Temporal UI's list, which stays as it is: of dates only what no extension moves."""
    received = local_day(row.clock.received_at, row.clock.zone)
    due = local_day(row.clock.internal_due, row.clock.zone)
    return f"{row.right} under {', '.join(row.regimes)}, received {received}, due {due} as it came in"


class Dispatcher:
    """Runs beside a worker; several may run, each message is claimed by one."""

    def __init__(self, tools: Tools, client: Client, task_queue: str, keys: HistoryKeys, *, few: int = FEW) -> None:
        self._tools, self._ledger, self._client, self._queue = tools, tools.ledger, client, task_queue
        self._keys, self._few, self._beside = keys, few, Beside(tools, client, task_queue)
        self._compared = datetime.min.replace(tzinfo=UTC)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop; an outage of either side is waited out."""
        ensured = told = datetime.min.replace(tzinfo=UTC)
        while not stop.is_set():
            try:
                if datetime.now(UTC) - ensured >= ENSURE:
                    await self._beside.upkeep()
                    ensured = datetime.now(UTC)
                if self._tools.hooks and datetime.now(UTC) - told >= TELL:
                    await self._beside.webhooks()
                    told = datetime.now(UTC)
                if not await self.deliver_once():
                    await asyncio.to_thread(self._ledger.wait, LISTEN)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - an outage of any kind is waited out; its text may quote data
                log.warning("dispatch_waits", error=type(error).__qualname__)
                try:
                    await asyncio.wait_for(stop.wait(), AWAY)
                except TimeoutError:
                    continue

    async def deliver_once(self) -> int:
        """Claim what is due and deliver it; how many messages there were."""
        messages = await asyncio.to_thread(self._ledger.claim, BATCH)
        if messages:
            starts = await self._begin([message.request_id for message in messages if message.kind == "start"])
            outcomes = await asyncio.gather(*(self._deliver(message, starts) for message in messages))
            sent = [m.id for m, delivered in zip(messages, outcomes, strict=True) if delivered]
            failed = [m.id for m, delivered in zip(messages, outcomes, strict=True) if not delivered]
            await asyncio.to_thread(self._ledger.delivered, sent, failed)
        return len(messages)

    async def _begin(self, request_ids: list[str]) -> dict[str, Start]:
        """Begin requests together, and keep the keys of their histories at hand for what is sealed next."""
        if not request_ids:
            return {}
        starts = await asyncio.to_thread(begin, self._tools, request_ids, datetime.now(UTC))
        for request_id, start in starts.items():
            if start.history_key:
                self._keys.hold(request_id, start.history_key)
        return starts

    async def _deliver(self, message: Message, starts: Mapping[str, Start]) -> bool:
        try:
            if message.kind == "start":
                start = starts[message.request_id]
                await self._start_run(start.request, start.facts, WorkflowIDReusePolicy.REJECT_DUPLICATE)
                return True
            if message.kind == "reconcile":
                return await self._reconcile()
            if message.kind == "sweep":
                return await self._beside.sweep(str(message.body["system"]))
            for deliver in (self._deliver_beside, self._deliver_late):
                if (delivered := await deliver(message)) is not None:
                    return delivered
            if message.kind in _WAKES:
                row = await asyncio.to_thread(self._ledger.request, message.request_id)
                await self._wake(self._handle(row.right, row.id), _WAKES[message.kind])
                return True
            return await self._tell(message)
        except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError, LedgerRefusal) as error:
            # One message that cannot be delivered keeps no other waiting.
            log.warning("delivery_waits", kind=message.kind, error=type(error).__qualname__)
            return False

    async def _deliver_beside(self, message: Message) -> bool | None:
        """Deliver what concerns a run beside a request's, or after it; None if it is no such message."""
        if message.kind == "lift" or message.body.get("operation") == Operation.LIFT:
            return await self._beside.lift(message.request_id)
        if message.kind == "look":
            return await self._beside.look(message.request_id)
        if message.kind == "rule" and message.body.get("operation") in OF_FOLLOW_UPS:
            row = await asyncio.to_thread(self._ledger.request, message.request_id)
            return None if row.phase.open else await self._beside.look(message.request_id)
        if message.kind == "appeal":
            return await self._beside.appeal(message.request_id)
        if message.kind == "appeal_turned":
            run = visibility.appeal_id(self._ledger.tenant, message.request_id)
            await self._wake(self._client.get_workflow_handle(run), "turned")
            return True
        if message.kind == "campaign":
            return await self._beside.campaign(str(message.body["campaign"]))
        if message.kind == "demand":
            return await self._beside.demand(str(message.body["demand"]), called=True)
        if message.kind == "incident":
            return await self._beside.incident(str(message.body["incident"]), called=True)
        if message.kind == "letters":
            return await self._beside.letters(called=True)
        return None

    async def _deliver_late(self, message: Message) -> bool | None:
        """Deliver what concerns requests that were closed; None if it is no such message."""
        if message.kind == "relook":
            return await self._beside.relook(message.request_id)
        if message.kind == "deferred":
            return await self._beside.deferred(message.request_id)
        if message.kind == "reopen":
            return await self._reopen(message.request_id)
        if message.kind == "replay":
            return await self._beside.replay(str(message.body["replay"]))
        return None

    async def _start_run(self, row: RequestRow, facts: Facts | None, reuse: WorkflowIDReusePolicy) -> None:
        right, request_id = row.right, row.id
        try:
            await self._client.start_workflow(
                BY_RIGHT[right],
                Opening(request_id=request_id, right=right, facts=facts),
                id=visibility.workflow_id(right, self._ledger.tenant, request_id),
                task_queue=self._queue,
                id_reuse_policy=reuse,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=visibility.at_start(
                    right,
                    self._ledger.tenant,
                    Phase.LOCATING if row.confirmed else Phase.CONFIRMING,
                    row.clock,
                    row.regimes,
                    datetime.now(UTC),
                ),
                # The first task comes back with the answer, for the worker that runs beside this dispatcher.
                request_eager_start=True,
                static_summary=_summary(row),
            )
        except WorkflowAlreadyStartedError:
            log.info("already_run", request_id=request_id)

    async def _tell(self, message: Message) -> bool:
        """Wake a run for what the ledger has recorded; a run that is not there reads it when it starts."""
        row = await asyncio.to_thread(self._ledger.request, message.request_id)
        if not row.phase.open:
            return True
        handle = self._handle(row.right, message.request_id)
        argument = [Ruling.model_validate(message.body)] if message.kind == "rule" else []
        try:
            await handle.start_update(
                message.kind,
                args=argument,
                id=f"{message.kind}-{message.id}",
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                rpc_timeout=RPC,
            )
        except WorkflowUpdateFailedError:
            # Refused: the run knows it already, from the ledger.
            await self._wake(handle)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            # No living run: the one that reconciliation starts reads the decision from the ledger.
        return True

    async def _reconcile(self) -> bool:
        """Start again every request that is open in the ledger and has no living run; wake those that missed a word."""
        rows = await asyncio.to_thread(self._ledger.open_requests)
        whole = await self._to_compare(len(rows))
        running = await self._running("" if whole else " AND HabeasWaitingOn IS NOT NULL")
        for row in rows:
            waiting = running.get(row.id, None if whole else "")
            handle = self._handle(row.right, row.id)
            if waiting is None:
                if await self._beside.lost(handle):
                    await asyncio.to_thread(self._ledger.note_redriven, row.id, datetime.now(UTC))
                    log.warning("redriven", request_id=row.id)
                    # The last run of one that is open again has ended well.
                    again = await asyncio.to_thread(self._ledger.reopenings, row.id)
                    failed, any_run = (
                        WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                        WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    )
                    await self._start_run(row, None, any_run if again else failed)
            elif (
                (waiting == Code.IDENTITY and row.confirmed)
                or (waiting == Code.APPROVAL and row.approved)
                or row.withdrawn
                or (waiting and row.ruled)
            ):
                await self._wake(handle)
        closed = running.keys() - {row.id for row in rows}
        for request_id in closed - {self._ledger.tenant}:
            # Temporal was restored to an earlier hour: the ledger has closed what still runs there.
            try:
                row = await asyncio.to_thread(self._ledger.request, request_id)
            except LedgerRefusal:
                # The ledger was restored to an earlier hour: nothing can be done for what it does not know.
                log.error("unknown_run", request_id=request_id)
                continue
            await self._wake(self._handle(row.right, row.id))
        await self._beside.reconcile()
        await self._shred_histories()
        return True

    async def _to_compare(self, open_requests: int) -> bool:
        """Whether open requests and living runs are to be compared one by one."""
        now = datetime.now(UTC)
        if open_requests > self._few and now - self._compared < ONE_BY_ONE:
            kinds = ", ".join(f"'{kind}'" for kind in BY_RIGHT.values())
            alive = await self._client.count_workflows(f"{self._alive} AND WorkflowType IN ({kinds})")
            if alive.count == open_requests:
                return False
        self._compared = now
        return True

    async def _running(self, which: str) -> dict[str, str]:
        """What each living run waits on, by request; empty where it waits on nobody."""
        running: dict[str, str] = {}
        async for run in self._client.list_workflows(self._alive + which):
            if run.workflow_type not in BY_RIGHT.values():
                continue
            request_id = run.id.rpartition("/")[2]
            running[request_id] = run.typed_search_attributes.get(visibility.WAITING_ON) or ""
        return running

    @property
    def _alive(self) -> str:
        return f"HabeasTenant = '{self._ledger.tenant}' AND ExecutionStatus = 'Running'"

    async def _reopen(self, request_id: str) -> bool:
        """Start the run of a request that is open again, though its last one has ended well."""
        row = await asyncio.to_thread(self._ledger.request, request_id)
        if row.phase.open:
            await self._start_run(row, None, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
        return True

    async def _wake(self, handle: WorkflowHandle[object, object], signal: str = "refresh") -> None:
        """Have a run read the ledger again; one that has just ended needs no waking."""
        try:
            await handle.signal(signal, rpc_timeout=RPC)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _shred_histories(self) -> None:
        """Destroy the history keys that are due, once the server says that their runs are over."""
        now = datetime.now(UTC)
        for request_id in await asyncio.to_thread(self._ledger.histories_due, now):
            row = await asyncio.to_thread(self._ledger.request, request_id)
            runs = (self._handle(row.right, request_id), *self._beside.of_request(request_id))
            if all([await self._beside.lost(run) for run in runs]):
                await asyncio.to_thread(partial(self._ledger.shred, request_id, ["history"], as_of=now))

    def _handle(self, right: Right, request_id: str) -> WorkflowHandle[object, object]:
        return self._client.get_workflow_handle(visibility.workflow_id(right, self._ledger.tenant, request_id))
