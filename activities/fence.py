"""The connector's fence, kept by the ledger.

The one rule: nothing is destroyed between a refusal and the next permission; an intent whose count is not known stays
open until somebody has looked.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

from activities.tools import Tools
from connectors.errors import Held, NeedsHuman
from connectors.protocol import Intent
from ledger.fence import FenceRefused
from ledger.vault import Sealed
from rights.codes import Code
from rights.plan import Step
from rights.receipt import Tally


def job_name(step: Step) -> str:
    """Where the vault has what a system said of the work under way. In every round the same: work that a system has
    accepted goes on, whatever is ruled meanwhile."""
    return f"job/{step.system}/{step.operation}"


def job_text(job: Mapping[str, str]) -> bytes:
    """A job as it is sealed."""
    return json.dumps(dict(job), separators=(",", ":")).encode()


class _Passage:
    """One destructive call that was let through."""

    def __init__(self) -> None:
        self.tally: Tally | None = None
        self.job: bytes | None = None

    def done(self, tally: Tally, job: Mapping[str, str] | None = None) -> None:
        self.tally, self.job = tally, job_text(job) if job else None


class LedgerFence:
    """The fence of one step; `clock` gives the wall time, since an intent's expiry is a matter of seconds."""

    def __init__(
        self,
        tools: Tools,
        step: Step,
        *,
        max_people_per_hour: int,
        limit: timedelta,
        cut: tuple[str, ...],
        clock: Callable[[], datetime],
        spared: tuple[str, ...] = (),
    ) -> None:
        """`limit` bounds every call of the connector; `cut` are intents that earlier attempts have left open; `spared`
        are holds whose rows the call leaves as they are."""
        self._tools, self._step = tools, step
        self._fuse, self._limit, self._clock = max_people_per_hour, limit, clock
        self._cut, self._spared = cut, spared

    def settle_cut(self) -> None:
        """Settle what earlier attempts have left open: their session has ended before a connector looks, and so before
        it asks the fence. A hold that waits for them is in force from here on, even if this call is refused."""
        if self._cut:
            self._tools.ledger.settle_by_looking(self._cut, at=self._clock())
            self._cut = ()

    def _job(self, passage: _Passage) -> Sealed | None:
        return Sealed("working", job_name(self._step), passage.job) if passage.job else None

    def __call__(self, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        return self._pass(planned, look)

    @contextmanager
    def _pass(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        ledger, step = self._tools.ledger, self._step
        self.settle_cut()
        try:
            intent = ledger.enter_fence(
                step.request_id,
                step.system,
                step.key,
                planned=planned,
                look=look,
                at=self._clock(),
                limit=self._limit,
                max_people_per_hour=self._fuse,
                operation=step.operation,
                spared=self._spared,
            )
        except FenceRefused as refusal:
            if refusal.code is Code.FUSE:
                raise NeedsHuman(Code.FUSE, step.system) from None
            raise Held(refusal.code, step.system) from None
        passage = _Passage()
        try:
            yield passage
        finally:
            # Also when the call failed and the connector knows what it changed, which may be nothing.
            if passage.tally is not None:
                ledger.exit_fence(intent, passage.tally, at=self._clock(), sealed=self._job(passage))
