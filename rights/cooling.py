"""Cooling-off: how long an erasure waits before it begins.

The one rule: the wait is inside the clock. It never moves a due date, and gives way to it.
"""

from datetime import datetime, timedelta
from typing import Final

ROOM: Final = timedelta(days=1)
"""What is left of the clock for the work itself: an erasure takes minutes, and what hangs is seen the same day."""
LONGEST_HOURS: Final = 7 * 24
"""More is no time to think it over but a delay, and an erasure is owed without undue delay (GDPR Art. 17(1))."""


def cooling_until(begins: datetime, hours: int, internal_due: datetime) -> datetime:
    """Until when an erasure that is clear to begin waits: so many hours, but a day less than what is left."""
    return max(begins, min(begins + timedelta(hours=hours), internal_due - ROOM))
