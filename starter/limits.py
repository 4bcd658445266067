"""How many calls a caller may make: a bucket of tokens for each, in this process's memory.

The one rule: what is refused costs next to nothing, and says when to come back.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starter.problems import Problem, ProblemCode

MOST: Final = 10_000
"""Callers that are remembered; the one that was silent longest is forgotten first, and its bucket is full by then."""


class Buckets:
    """One bucket per caller: it holds a sixth of a minute's calls, and fills as fast as they may be made."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate: Final = per_minute / 60
        self._size: Final = max(1.0, per_minute / 6)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        """Count one call.

        Raises:
            Problem: the caller has made too many; when the next one is taken, is in Retry-After.
        """
        with self._lock:
            left, now = self._now(caller)
            self._left.pop(caller, None)
            self._left[caller] = (left - (left >= 1), now)
            if len(self._left) > MOST:
                self._left.popitem(last=False)
        self._refuse(left)

    def look(self, caller: str) -> None:
        """Count nothing.

        Raises:
            Problem: the next call would be refused.
        """
        with self._lock:
            left, _ = self._now(caller)
        self._refuse(left)

    def _now(self, caller: str) -> tuple[float, float]:
        """What is left in a bucket, and when that is."""
        now = self._clock()
        left, since = self._left.get(caller, (self._size, now))
        return min(self._size, left + (now - since) * self._rate), now

    def _refuse(self, left: float) -> None:
        if left < 1:
            seconds = math.ceil((1 - left) / self._rate)
            raise Problem(
                ProblemCode.TOO_MANY,
                "too many calls: wait as many seconds as Retry-After says",
                headers={"retry-after": str(seconds)},
            )
