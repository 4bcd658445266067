"""Several laws on one request: which of them counts.

The one rule: each law binds by itself, and keeping one is no excuse under another. So what is ours to do is due when
the first law wants it, and owed where any wants it; and what takes something from the person (a lapse, a refusal, a
delay) comes when the last law lets it, and only where every law does.

Source: GDPR Art. 12(3) and (4), Cal. Civ. Code 1798.130(a)(2) and the like each set their own term and their own
duties, and none of them gives way to another.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TypeVar

When = TypeVar("When", datetime, date, timedelta, int)
One = TypeVar("One")


def due_first(days: Iterable[When]) -> When:
    """When something that is ours to do is due: the earliest of what the laws say."""
    return min(days)


def taken_last(days: Iterable[When]) -> When:
    """When something may be taken from the person, or ends that serves them: the latest of what the laws say."""
    return max(days)


def taken_only_if(allowed: Iterable[bool]) -> bool:
    """Whether something may be taken from the person: only where each of the laws allows it."""
    return all(allowed)


def owed_if(wanted: Iterable[bool]) -> bool:
    """Whether something is owed to the person: where any of the laws wants it."""
    return any(wanted)


def owed(each: Iterable[Iterable[One]]) -> tuple[One, ...]:
    """All that the laws want, each once, in the order in which it is first wanted."""
    return tuple(dict.fromkeys(one for wanted in each for one in wanted))
