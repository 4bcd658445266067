"""Telling webhooks what happened: one POST for each event, signed, in the journal's order.

The one rule: an event that is not taken in is sent again under the same id, and none behind it goes before it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.hooks import Hook, Refused, tell
from activities.tools import Tools
from ledger.webhooks import Untold
from rights.value import Value

BATCH: Final = 50
"""Events of one activity: at the slowest, a quarter of an hour."""

log = structlog.get_logger()


class Hooked(Value):
    """Which webhook."""

    webhook: str
    """Its name in the settings."""


class HookActivities:
    """The work of the `webhook` workflow."""

    def __init__(self, tools: Tools, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._tools, self._clock = tools, clock

    @activity.defn(name="tell-webhook", no_thread_cancel_exception=True)
    def tell(self, hooked: Hooked) -> bool:
        """Tell a webhook what it has not heard yet; whether there is more.

        The signature's time is that of the attempt, not the workflow's: a receiver takes in nothing that is older than
        some minutes.
        """
        hook = self._tools.hooks.get(hooked.webhook)
        if hook is None:
            return False  # taken out of the settings
        untold = self._tools.ledger.untold(hook.name, hook.kinds, BATCH)
        for one in untold:
            activity.heartbeat()
            self._tell(hook, one)
        return len(untold) == BATCH

    def _tell(self, hook: Hook, one: Untold) -> None:
        ledger, failure = self._tools.ledger, None
        try:
            tell(hook, one.event, self._clock())
        except Refused as refused:
            failure = refused
        if failure is None:
            ledger.webhook_told(hook.name, one, at=self._clock())
            return
        ledger.webhook_failed(hook.name, failure.code, failure.status, at=self._clock())
        log.warning("webhook_waits", webhook=hook.name, code=failure.code.value, status=failure.status)
        raise ApplicationError(failure.code.value, type=failure.code.value, next_retry_delay=failure.again)
