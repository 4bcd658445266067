"""The Temporal Schedule by which the data map is compared with its systems.

The one rule: whatever the settings say is made so, again and again: a schedule that was deleted, changed or lost with
Temporal's database is put back, and one that is not wanted any more is taken away.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows import visibility
from workflows.mapcheck import MapCheck

ENSURE: Final = 60.0
"""Seconds between two looks at the schedule: as long as a lost run of a request may wait."""
AWAY: Final = 5.0
"""Seconds before an unreachable Temporal is tried again."""
CATCH_UP: Final = timedelta(hours=1)
"""What Temporal was down for longer than this is not made up for: the next comparison says all there is."""

_NONE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED})

log = structlog.get_logger()


class MapCheckSchedule:
    """One tenant's schedule, kept as the settings say."""

    def __init__(self, client: Client, tenant: str, task_queue: str, every: timedelta | None) -> None:
        self._client, self._queue, self._every = client, task_queue, every
        self._id = visibility.map_check_id(tenant)

    async def run(self, stop: asyncio.Event) -> None:
        """See to it until told to stop; an outage is waited out."""
        while not stop.is_set():
            try:
                await self.ensure()
                if self._every is None:
                    return
                wait = ENSURE
            except Exception as error:  # noqa: BLE001 - an outage of any kind is waited out
                log.warning("schedule_waits", error=type(error).__qualname__)
                wait = AWAY
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)

    async def ensure(self) -> None:
        """Make it so, once.

        Raises:
            RPCError: Temporal does not answer, or refuses.
        """
        handle = self._client.get_schedule_handle(self._id)
        there = await _described(handle)
        if self._every is None:
            if there:
                await _delete(handle)
                log.info("schedule_deleted", schedule=self._id)
        elif there is None:
            with suppress(ScheduleAlreadyRunningError):  # another worker was faster
                # The first comparison is made at once, so that there is something to read.
                await self._client.create_schedule(self._id, self._wanted(), trigger_immediately=True)
                log.info("schedule_created", schedule=self._id, every=str(self._every))
        elif not self._fits(there.schedule):
            await handle.update(self._changed)
            log.info("schedule_changed", schedule=self._id, every=str(self._every))

    def _wanted(self) -> Schedule:
        return Schedule(
            action=ScheduleActionStartWorkflow(MapCheck.run, id=self._id, task_queue=self._queue),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=self._every or timedelta(0))]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
        )

    def _changed(self, found: ScheduleUpdateInput) -> ScheduleUpdate:
        """As wanted; paused if somebody has paused it."""
        wanted = self._wanted()
        wanted.state = found.description.schedule.state
        return ScheduleUpdate(wanted)

    def _fits(self, there: Schedule) -> bool:
        wanted, action = self._wanted(), there.action
        return (
            isinstance(action, ScheduleActionStartWorkflow)
            and (action.workflow, action.id, action.task_queue) == ("map-check", self._id, self._queue)
            and there.spec.intervals == wanted.spec.intervals
            and not there.spec.calendars
            and not there.spec.cron_expressions
            and there.policy == wanted.policy
        )


async def _described(handle: ScheduleHandle) -> ScheduleDescription | None:
    """The schedule as it is; None if there is none, or the server knows no schedules, or lets nobody see them."""
    try:
        return await handle.describe()
    except RPCError as error:
        if error.status in _NONE:
            return None
        raise


async def _delete(handle: ScheduleHandle) -> None:
    try:
        await handle.delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # else another worker was faster
            raise
