"""What the API can reach, for whoever asks whether it is ready.

The one rule: anybody may ask, so asking costs nothing: one probe is under way at a time, it holds up no call of anybody
else's, and what it found is told to all who ask within some seconds.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final, NamedTuple

from anyio import CapacityLimiter, to_thread

from starter.desk import Desk

PROBE_S: Final = 2.0
"""How long the ledger and Temporal are waited for."""
KEPT_S: Final = 3.0
"""How long it is told what a probe has found."""


class Reached(NamedTuple):
    """What answered."""

    ledger: bool
    temporal: bool


class Readiness:
    """Probes of one API."""

    def __init__(self, at: Desk, *, patience: float = PROBE_S) -> None:
        """`patience`: seconds that a probe waits for an answer."""
        self._at, self._began, self._patience = at, 0.0, patience
        self._probe: asyncio.Task[Reached] | None = None
        self._ledger: asyncio.Task[object] | None = None

    async def __call__(self) -> Reached:
        """What can be reached, as far as it answers in time."""
        if self._probe is None or (self._probe.done() and time.monotonic() - self._began > KEPT_S):
            self._began = time.monotonic()
            self._probe = asyncio.create_task(self._asked())
        return await asyncio.shield(self._probe)

    async def _asked(self) -> Reached:
        return Reached(*await asyncio.gather(self._ledger_answers(), self._temporal_answers()))

    async def _ledger_answers(self) -> bool:
        if self._ledger is None or self._ledger.done():  # one that hangs is waited for, and no second one begun
            probe = to_thread.run_sync(self._at.ledger.backlog, limiter=CapacityLimiter(1))
            self._ledger = asyncio.ensure_future(probe)
        done, _ = await asyncio.wait({self._ledger}, timeout=self._patience)
        return bool(done) and self._ledger.exception() is None

    async def _temporal_answers(self) -> bool:
        host, _, port = self._at.settings.temporal_address.rpartition(":")
        try:
            async with asyncio.timeout(self._patience):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError):
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True
