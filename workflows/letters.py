"""The workflow that sends letters and looks after them: one per tenant, while a letter is queued or may come back.

The one rule: whoever is queued while it is at work is in the next round; nobody is left in the queue when it ends.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.mailing import Handed, Looked, MailActivities, Sending
    from workflows import policies

SOON: Final = timedelta(seconds=0.1)
AWAY: Final = timedelta(minutes=5)
"""Between two rounds while the mail server or the mailbox does not answer."""


@workflow.defn(name="letters")
class Letters:
    """Send, look after, until nothing is under way."""

    def __init__(self) -> None:
        self._called = False

    @workflow.signal
    async def more(self) -> None:
        """A letter was queued."""
        self._called = True

    @workflow.run
    async def run(self, sent: int) -> int:
        """How many letters were handed over, in all."""
        looked: Looked | None = None
        look_at = workflow.now()
        while True:
            self._called = False
            handed: Handed | None = await self._do(MailActivities.send, "send letters")
            sent += handed.sent if handed else 0
            if workflow.now() >= look_at or not (looked and looked.under_way):
                looked = await self._do(MailActivities.look_after, "look after letters")
                look_at = workflow.now() + (timedelta(seconds=looked.next_in_seconds) if looked else AWAY)
            if handed and looked and not handed.left and not looked.under_way and not self._called:
                return sent
            await self._rest(handed, look_at)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(sent)

    async def _rest(self, handed: Handed | None, look_at: Any) -> None:
        """Wait until something is due, or somebody calls."""
        if handed and handed.sent and handed.left and not handed.next_in_seconds:
            return  # a timer, however short, can be a second late, and a hundred letters take half of that
        until = max(look_at - workflow.now(), SOON)
        if handed is None:
            until = min(until, AWAY)
        elif handed.left:
            until = min(until, max(timedelta(seconds=handed.next_in_seconds), SOON))
        try:
            await workflow.wait_condition(lambda: self._called, timeout=until, timeout_summary="until letters are due")
        except TimeoutError:
            return

    async def _do(self, method: Any, summary: str) -> Any:
        """One round, with Temporal's retries; None when they ran out, and the next round tries again."""
        try:
            return await workflow.execute_activity_method(
                method, Sending(as_of=workflow.now()), summary=summary, **policies.MAIL
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return None
