"""A connector's allowance, kept by the ledger for all workers together.

The one rule: nobody waits long in an activity. A turn that comes in seconds is waited for; for a later one the step is
put off, and finds its turn kept when it comes back.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from connectors.errors import Retryable
from ledger.ledger import Ledger
from rights.codes import Code
from rights.plan import Step

PATIENCE: Final = timedelta(seconds=5)
"""Longer than the pace of a vendor that allows a call a second, short enough to hold a slot."""
MARGIN: Final = timedelta(milliseconds=250)
"""Added to each window: a call takes its turn here and arrives there a little later, some of them later than others."""
_SLICE: Final = 1.0
"""Seconds between two beats of who waits."""


class LedgerQuota:
    """The allowances of one attempt at a step."""

    def __init__(self, ledger: Ledger, step: Step, beat: Callable[[], None]) -> None:
        self._ledger, self._step, self._beat = ledger, step, beat
        self._drawn: Counter[str] = Counter()

    def __call__(self, name: str, cost: int, limit: int, window: timedelta) -> None:
        """Take a turn, waiting seconds at most.

        Raises:
            Retryable: the turn comes later; it is kept, with room for all the calls that this attempt has made, so
                that a step of several calls gets further each time.
        """
        whole = f"{self._step.system}/{name}"
        block = self._drawn[name] + cost
        while wait := self._ledger.take_turn(whole, self._step.key, cost, block, limit, window + MARGIN, PATIENCE):
            if wait > PATIENCE:
                raise Retryable(Code.BUSY, self._step.system, after=wait)
            self._sleep(wait)
        self._drawn[name] += cost

    def _sleep(self, wait: timedelta) -> None:
        until = time.monotonic() + wait.total_seconds()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
            self._beat()
