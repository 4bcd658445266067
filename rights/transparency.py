"""What has become of authorities' demands, in numbers.

The one rule: numbers by country and kind, and nothing of whom a demand is about (SCC clause 15.1(c)).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from rights.authorities import Demand
from rights.authoritylaw import Word
from rights.demandfile import Kind
from rights.reckoning import local_day
from rights.value import Value

Fate = Literal["open", "disclosed", "disclosed_in_part", "refused", "challenged"]


def fate(demand: Demand) -> Fate:
    """What has become of a demand, in one word."""
    if not demand.in_force or demand.word is None:
        return "open"
    if demand.word.gives:
        if demand.handed_at is None:
            return "open"
        return "disclosed" if demand.word is Word.DISCLOSE else "disclosed_in_part"
    return "refused" if demand.word is Word.REFUSE else "challenged"


class Count(Value):
    """Demands of one country and kind in a year; numbers only (SCC clause 15.1(c))."""

    country: str
    kind: Kind
    received: int
    authorities: int
    gagged: int
    emergencies: int
    unsound: int
    """Emergencies of which the look afterwards has found that nothing should have been handed over, once it was."""
    fates: Mapping[str, int]


def transparency(demands: Iterable[Demand], year: int) -> list[Count]:
    """What came in in a year, by country and kind, and what became of it."""
    groups: dict[tuple[str, Kind], list[Demand]] = {}
    for one in demands:
        if local_day(one.received_at, one.zone).year == year:
            groups.setdefault((one.country, one.kind), []).append(one)
    return [
        Count(
            country=country,
            kind=kind,
            received=len(group),
            authorities=len({one.authority for one in group}),
            gagged=sum(one.gagged for one in group),
            emergencies=sum(one.emergency for one in group),
            unsound=sum(one.objected_at is not None and fate(one).startswith("disclosed") for one in group),
            fates=dict(sorted(Counter(map(fate, group)).items())),
        )
        for (country, kind), group in sorted(groups.items())
    ]
