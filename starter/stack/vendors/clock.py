"""The fake's own time: the machine's, moved forward at will.

The one rule: time here never goes back but with the whole state, so that what was reached stays reached.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

_DURATION: Final = TypeAdapter(timedelta)


class Clock:
    """Runs with the machine's clock unless frozen; `advance` moves it on."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The time at the vendors, in UTC."""
        return self._frozen or datetime.now(UTC) + self._ahead

    def advance(self, by: str) -> None:
        """Move on by an ISO duration such as P30D or PT90M.

        Raises:
            ValueError: it is no duration, or goes back.
        """
        span = _DURATION.validate_python(by)
        if span < timedelta():
            raise ValueError("Time at the vendors does not go back.")
        self._ahead += span
        if self._frozen:
            self._frozen += span

    def freeze(self, frozen: bool) -> None:
        """Stand still until thawed; only `advance` moves a frozen clock."""
        now = self.now()
        self._ahead = now - datetime.now(UTC)
        self._frozen = now if frozen else None

    def dump(self) -> dict[str, Any]:
        """What `load` needs to go on after a restart; the time between is passed."""
        return {"ahead_s": self._ahead.total_seconds(), "frozen": self._frozen and self._frozen.isoformat()}

    def load(self, saved: dict[str, Any]) -> None:
        """Go on from what `dump` gave."""
        self._ahead = timedelta(seconds=saved["ahead_s"])
        self._frozen = datetime.fromisoformat(saved["frozen"]) if saved["frozen"] else None


class Limits:
    """What was spent of each allowance. `spent` is part of the vendor's state: lists of [second, cost]."""

    def __init__(self, clock: Clock, spent: dict[str, list[list[float]]]) -> None:
        self._clock, self._spent = clock, spent

    def wait(self, name: str, limit: float, per_s: float, cost: float = 1) -> float:
        """Spend the cost if the last `per_s` seconds leave room for it, and return 0; else the seconds to wait."""
        now = self._clock.now().timestamp()
        spent = self._spent.setdefault(name, [])
        while spent and spent[0][0] <= now - per_s:
            spent.pop(0)
        over = sum(one for _, one in spent) + cost - limit
        if over <= 0:
            spent.append([now, cost])
            return 0
        for at, one in spent:
            over -= one
            if over <= 0:
                return at + per_s - now
        return per_s

    def wait_for_day(self, name: str, limit: int, zone: str) -> float:
        """The same for an allowance that begins anew at midnight of a time zone."""
        now = self._clock.now().astimezone(ZoneInfo(zone))
        spent = self._spent.setdefault(name, [])
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        while spent and spent[0][0] < midnight.timestamp():
            spent.pop(0)
        if len(spent) < limit:
            spent.append([now.timestamp(), 1])
            return 0
        return (midnight + timedelta(days=1)).timestamp() - now.timestamp()


def whole_seconds(wait: float) -> str:
    """A Retry-After after which it will work."""
    return str(max(1, math.ceil(wait)))


def zulu(moment: datetime) -> str:
    """As most vendors write a time: 2026-11-23T00:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
