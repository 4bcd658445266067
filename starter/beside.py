"""The runs beside a request's, or after it: each is started, or hears that there is more.

The one rule: each may be asked for again, since its id makes it the same.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.mailsetup import LIFE
from activities.tools import Tools
from rights.reckoning import local_day
from workflows import visibility
from workflows.appeal import AppealRun
from workflows.authority import AuthorityRequest
from workflows.campaign import CampaignRun
from workflows.deferred import DeferredRun
from workflows.following import FollowUp
from workflows.incident import IncidentRun
from workflows.letters import Letters
from workflows.lifting import RestrictionLifting
from workflows.relook import RelookRun
from workflows.replay import ReplayRun
from workflows.sweep import Sweep
from workflows.upkeep import Upkeep
from workflows.webhook import WebhookRun

RPC: Final = timedelta(seconds=5)
"""How long Temporal gets for a call; without an answer it is made again later."""
STUCK: Final = 30.0
"""Seconds until a webhook that has not moved on is made sure of again: one whose receiver is away tries by itself."""


class Beside:
    """Starts them, for a dispatcher."""

    def __init__(self, tools: Tools, client: Client, task_queue: str) -> None:
        self._tools, self._ledger, self._client, self._queue = tools, tools.ledger, client, task_queue
        self._told: dict[str, tuple[int, float]] = {}

    async def reconcile(self) -> None:
        """Make sure of the runs that go on beside a request's, or after it."""
        for appeal in await asyncio.to_thread(self._ledger.appeals):
            await self.appeal(appeal.request_id)
        for system in await asyncio.to_thread(self._ledger.systems_to_sweep):
            await self.sweep(system)
        for restriction in await asyncio.to_thread(self._ledger.liftings):
            if await self.lost(self._lifting(restriction.request_id)):
                await self.lift(restriction.request_id)
        for replay in await asyncio.to_thread(partial(self._ledger.replays, under_way_only=True)):
            await self.replay(replay.id)
        for demand in await asyncio.to_thread(partial(self._ledger.demands, open_only=True)):
            await self.demand(demand.id, called=False)
        for incident in await asyncio.to_thread(partial(self._ledger.incidents, open_only=True)):
            await self.incident(incident.id, called=False)
        await self._keep_letters_going()

    async def appeal(self, request_id: str) -> bool:
        """Have an appeal waited for; no effect while it is."""
        row = await asyncio.to_thread(self._ledger.request, request_id)
        appeal = await asyncio.to_thread(self._ledger.appeal_of, request_id)
        if appeal is not None and appeal.open:
            await self._client.start_workflow(
                AppealRun.run,
                request_id,
                id=visibility.appeal_id(self._ledger.tenant, request_id),
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=visibility.at_appeal(
                    row.right, self._ledger.tenant, appeal.clock, row.regimes, datetime.now(UTC)
                ),
                static_summary=f"appeal, due {local_day(appeal.clock.internal_due, appeal.clock.zone)} as it came in",
            )
        return True

    async def sweep(self, system: str) -> bool:
        """Have a system swept; a sweep that is under way hears of it."""
        run = visibility.sweep_id(system, self._ledger.tenant)
        return await self._keep_running(Sweep.run, system, run, f"erase in {system}, once for many people", "more")

    async def webhooks(self) -> None:
        """Have each webhook told what it has not heard yet."""
        kinds = {name: hook.kinds for name, hook in self._tools.hooks.items()}
        for name, place in (await asyncio.to_thread(self._ledger.webhooks_behind, kinds)).items():
            before, asked = self._told.get(name, (-1, 0.0))
            if before == place and time.monotonic() - asked < STUCK:
                continue
            run = visibility.webhook_id(name, self._ledger.tenant)
            await self._keep_running(WebhookRun.run, name, run, f"tell {name} what happened")
            self._told[name] = place, time.monotonic()

    async def relook(self, request_id: str) -> bool:
        """Have a closed request looked at again; no effect while it is."""
        run = visibility.relook_id(self._ledger.tenant, request_id)
        return await self._keep_running(RelookRun.run, request_id, run, "look again, days after the answer")

    async def replay(self, replay: str) -> bool:
        """Have past requests carried out anew in a system; no effect on what is at it."""
        run = visibility.replay_id(self._ledger.tenant, replay)
        return await self._keep_running(ReplayRun.run, replay, run, "carry out anew what a backup has undone")

    async def demand(self, demand: str, *, called: bool) -> bool:
        """Have an authority's demand carried on; a run that is at it hears of it, if somebody has spoken."""
        run, signal = visibility.demand_id(self._ledger.tenant, demand), "turned" if called else None
        return await self._keep_running(AuthorityRequest.run, demand, run, "a demand of an authority", signal)

    async def incident(self, incident: str, *, called: bool) -> bool:
        """Have an incident followed; a run that is at it hears of it, if somebody has spoken."""
        found = await asyncio.to_thread(self._ledger.incident, incident)
        handle = visibility.incident_id(self._ledger.tenant, incident)
        if found.closed_at:
            # Nothing is started for it; one that still runs ends.
            try:
                await self._client.get_workflow_handle(handle).signal("turned", rpc_timeout=RPC)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            return True
        await self._client.start_workflow(
            IncidentRun.run,
            incident,
            id=handle,
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="turned" if called else None,
            search_attributes=visibility.incident_starts(self._ledger.tenant, found, datetime.now(UTC)),
            static_summary=f"incident ({found.kind}), the authority by {found.due_at:%Y-%m-%d %H:%M} UTC",
        )
        return True

    async def deferred(self, request_id: str) -> bool:
        """Have what a closed request has left waited for; a run that waits looks at once."""
        run = visibility.deferred_id(self._ledger.tenant, request_id)
        return await self._keep_running(DeferredRun.run, request_id, run, "come back to what is left", "refresh")

    async def letters(self, *, called: bool) -> bool:
        """Have letters sent; a run that is at it hears of it, if somebody has called."""
        run, signal = visibility.letters_id(self._ledger.tenant), "more" if called else None
        return await self._keep_running(Letters.run, 0, run, "send letters, and read what comes back", signal)

    async def campaign(self, campaign: str) -> bool:
        """Have a campaign carried on; no effect on one that is at it."""
        run = visibility.campaign_id(campaign, self._ledger.tenant)
        return await self._keep_running(CampaignRun.run, campaign, run, "tell everybody on a list, once")

    async def _keep_letters_going(self) -> None:
        """Have letters looked after that a lost run has left, and those that may still come back."""
        now, mail = datetime.now(UTC), self._tools.mail
        since = now - LIFE if mail and mail.mailbox else now
        if await asyncio.to_thread(self._ledger.letters_under_way, since):
            await self.letters(called=False)
        for campaign in await asyncio.to_thread(self._ledger.campaigns_under_way):
            await self.campaign(campaign)

    async def lift(self, request_id: str) -> bool:
        """Have a restriction lifted; a lifting that is under way hears of it."""
        run = visibility.lifting_id(self._ledger.tenant, request_id)
        summary = "tell the person, then lift the restriction"
        return await self._keep_running(RestrictionLifting.run, request_id, run, summary, "refresh")

    async def _keep_running(
        self, what: Any, argument: object, run: str, summary: str, signal: str | None = None
    ) -> bool:
        """Start a run that goes on beside a request's; one that is under way hears the signal, if there is one."""
        await self._client.start_workflow(
            what,
            argument,
            id=run,
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=signal,
            static_summary=summary,
        )
        return True

    async def look(self, request_id: str) -> bool:
        """Have it looked again at what was done; a round that is under way hears of it."""
        run = visibility.follow_up_id(self._ledger.tenant, request_id)
        return await self._keep_running(FollowUp.run, request_id, run, "look again at what was done", "refresh")

    async def upkeep(self) -> None:
        """Make sure of upkeep, which also finds out that Temporal lost its database."""
        run, summary = f"upkeep/{self._ledger.tenant}", "reconcile, destroy what is due, sign the chain"
        await self._keep_running(Upkeep.run, 0, run, summary)

    async def lost(self, handle: WorkflowHandle[object, object]) -> bool:
        """Whether no run of this id lives; the list lags behind, so the run itself is asked."""
        try:
            description = await handle.describe(rpc_timeout=RPC)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise
        return description.status not in {
            WorkflowExecutionStatus.RUNNING,
            WorkflowExecutionStatus.CONTINUED_AS_NEW,
        }

    def of_request(self, request_id: str) -> tuple[WorkflowHandle[object, object], ...]:
        """The runs after a request's own that read what is sealed with it."""
        ids = (visibility.lifting_id, visibility.follow_up_id, visibility.relook_id)
        return tuple(self._client.get_workflow_handle(id_of(self._ledger.tenant, request_id)) for id_of in ids)

    def _lifting(self, request_id: str) -> WorkflowHandle[object, object]:
        return self._client.get_workflow_handle(visibility.lifting_id(self._ledger.tenant, request_id))
