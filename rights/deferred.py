"""What an answered erasure has left behind for a time: because of holds, and of duties to keep that end on a day.

The one rule: what stays is counted, never too low: whatever is found later beyond that has come since, and is not
erased on an old word without somebody looking (GDPR Art. 17(3)(b), (e)).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from rights.codes import Code
from rights.holdlaw import provision_in
from rights.holds import OBJECT_LOCK, OF_SYSTEM
from rights.plan import Operation
from rights.receipt import Kept, Outcome, Receipt, Tally, newest
from rights.value import Value

REVIEW_EVERY: Final = timedelta(days=30)
"""How often it is looked whether anything still keeps it, beside the word that a hold has ended: a month."""
ASK_AFTER: Final = timedelta(days=365)
"""After how long somebody is asked whether what is kept without an end must still be. GDPR Recital 39 asks for a
periodic review and has no number. Most claims and duties are counted in years; what is asked more often is not read."""
_DAY_OVER: Final = timedelta(days=2)
"""From the midnight (UTC) that begins the last day of a duty until that day is over in every zone."""
_LAST: Final = date.max - _DAY_OVER
"""A day beyond it, at the end of the calendar, is none: what has no end does not come back."""
_SOONEST: Final = timedelta(days=1)
"""After a date that has brought nothing: not before the next day."""


Grounds = Mapping[str, tuple[str, ...]]
"""Of one system: by collection, the grounds without an end on which what stays there is asked about."""
NO_GROUNDS: Final[Grounds] = {}


class Deferral(Value):
    """What is left of one request. Names of the map, numbers and times only."""

    left: Mapping[str, Mapping[str, int]]
    """By system and collection, how many rows stay at most."""
    not_before: datetime | None = None
    """When the last duty to keep ends, or whether a system itself still holds it is asked again; None: only holds keep
    it."""
    asked_only: bool = False
    """Nothing of it comes back by itself."""
    ask_at: datetime | None = None
    """When somebody is asked whether what is kept without an end must still be; None: nothing is."""
    told: bool = True
    """The person was answered by the engine, so that they hear the rest as well."""


def deferred(
    receipts: Sequence[Receipt],
    at: datetime,
    asks: Mapping[str, Grounds] | None = None,
    ask_after: timedelta = ASK_AFTER,
) -> Deferral | None:
    """What is come back to later of an erasure with these receipts, those that vouch for it; None: nothing is.

    `asks` has, by system, the grounds without an end of which somebody is asked (`rights.rests.asks_of`). What else a
    map keeps without an end is not among it, nor what a person has given up.
    """
    acted, seen = newest(receipts, Operation.ERASE), newest(receipts, Operation.VERIFY)
    left: dict[str, Mapping[str, int]] = {}
    days = []
    unknown = by_itself = asked = False
    for system, act in acted.items():
        last = seen.get(system, act)
        kept = [one for count in last.tally.counts for one in count.kept]
        ends = [one.until for one in kept if one.until and one.until <= _LAST]
        there = any(one.ground == OF_SYSTEM for one in kept) and last.outcome.settled
        held = any(provision_in(one.ground) is not None for one in kept) or _stopped(act) or _stopped(last)
        unknown |= there
        mine = (asks or {}).get(system, NO_GROUNDS)
        asks_here = last.outcome.settled and any(
            asked_about(count.collection, one, mine) for count in last.tally.counts for one in count.kept
        )
        by_itself |= held or there or bool(ends)
        asked |= asks_here
        if held or there or ends or asks_here:
            left[system] = _left(system, receipts, last.tally)
            days += ends
    if not left:
        return None
    over = [max(datetime(d.year, d.month, d.day, tzinfo=UTC) + _DAY_OVER, at + _SOONEST) for d in days]
    # Nobody tells of the end of such a hold: it is looked for.
    over += [at + REVIEW_EVERY] if unknown else []
    return Deferral(
        left=left,
        not_before=max(over, default=None),
        asked_only=not by_itself,
        ask_at=at + ask_after if asked else None,
    )


class SystemHold(Value):
    """What one system itself holds of a person. Names of the map, numbers and days only."""

    system: str
    collection: str
    ground: str
    rows: int
    until: date | None = None
    """None: nobody knows."""


def held_by_systems(receipts: Sequence[Receipt]) -> tuple[SystemHold, ...]:
    """What systems themselves hold of what an erasure with these receipts was to take."""
    acted, seen = newest(receipts, Operation.ERASE), newest(receipts, Operation.VERIFY)
    return tuple(
        SystemHold(system=system, collection=count.collection, ground=one.ground, rows=one.rows, until=one.until)
        for system, act in acted.items()
        for count in seen.get(system, act).tally.counts
        for one in count.kept
        if one.ground in {OF_SYSTEM, OBJECT_LOCK}
    )


def comes_back(kept: Kept) -> bool:
    """Whether rows are kept for a time: by a hold, or until a day."""
    return provision_in(kept.ground) is not None or (kept.until is not None and kept.until <= _LAST)


def asked_about(collection: str, kept: Kept, grounds: Grounds) -> bool:
    """Whether rows stay on a ground without an end of which somebody is asked."""
    return not comes_back(kept) and kept.ground in grounds.get(collection, ())


def more_than(left: Mapping[str, int], tally: Tally) -> bool:
    """Whether a look has found more in some collection than was left there."""
    return any(count.found > left.get(count.collection, 0) for count in tally.counts)


def _stopped(receipt: Receipt) -> bool:
    """Whether a hold has stopped a step as a whole, told or not."""
    told = receipt.outcome is Outcome.HELD and receipt.code == Code.HOLD
    return told or (receipt.outcome is Outcome.PENDING and receipt.code == Code.DEFERRED)


def _left(system: str, receipts: Sequence[Receipt], last: Tally) -> dict[str, int]:
    mine = [receipt for receipt in receipts if receipt.step.system == system]
    looks = [receipt.tally for receipt in mine if receipt.step.operation is Operation.LOCATE]
    acts = [receipt.tally for receipt in mine if receipt.step.operation is Operation.ERASE]
    names = dict.fromkeys(count.collection for tally in (*looks, last) for count in tally.counts)
    left = {}
    for name in names:
        # A rewritten row is still led to by its key, which a look before an erasure counts.
        seen = max((tally.of(name).found for tally in looks), default=0)
        left[name] = max(last.of(name).found, seen - sum(tally.of(name).erased for tally in acts), 0)
    return left
