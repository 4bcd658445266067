"""A clock for limits that must hold while the machine sleeps.

The one rule: it measures, and says nothing of the time of day.
"""

import time


def steady_clock() -> float:
    """Seconds that go on while the machine sleeps, where the system can say."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
