"""What an erasure must come to, worked out from the data map and the back door alone.

The one rule: nothing of this is asked of the connector; it is what the connector is measured by.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from connectors.conformance.bench import Dump
from connectors.derived import complete, texts
from connectors.fates import Place, day_of
from connectors.strategies import text
from rights.datamap import Erase, Strategy, System
from rights.plan import Work
from rights.receipt import Kept, Tally


@dataclass
class Outlook:
    """What an erasure must make of a person's rows."""

    gone: set[Place] = field(default_factory=set)
    kept: dict[Place, tuple[str, date | None]] = field(default_factory=dict)
    """Ground and last day of each row that is kept."""
    emptied: dict[Place, frozenset[str]] = field(default_factory=dict)
    """Rows that stay, kept or not, with the fields that must not hold what they held."""
    shells: set[Place] = field(default_factory=set)
    keyed: set[Place] = field(default_factory=set)
    """Rows that stay because a pseudonym is written into them."""

    def kept_of(self, collection: str) -> tuple[Kept, ...]:
        """The kept rows of a collection as a tally says them, by ground."""
        grounds: dict[str, list[date | None]] = defaultdict(list)
        for (name, _), (ground, until) in self.kept.items():
            if name == collection:
                grounds[ground].append(until)
        return tuple(_one_kept(ground, days) for ground, days in sorted(grounds.items()))

    def rewritten(self, *, keyed: bool) -> Counter[str]:
        """Rows by collection that stay and tell nothing of anybody."""
        return Counter(place[0] for place in self.emptied if place not in self.kept and (place in self.keyed) is keyed)


def found(tally: Tally) -> dict[str, int]:
    """Rows found by collection, without those that have none."""
    return {count.collection: count.found for count in tally.counts if count.found}


def kept(tally: Tally) -> dict[str, tuple[Kept, ...]]:
    """Kept rows by collection and ground; a connector may say them in several parts."""
    merged: dict[str, tuple[Kept, ...]] = {}
    for count in tally.counts:
        grounds: dict[str, list[date | None]] = defaultdict(list)
        for part in count.kept:
            grounds[part.ground] += [part.until] * part.rows
        merged[count.collection] = tuple(_one_kept(ground, days) for ground, days in sorted(grounds.items()))
    return merged


def changed(before: Dump, after: Dump) -> dict[str, int]:
    """Rows by collection that are gone or different."""
    differ = {
        name: sum(key not in after[name] or after[name][key] != row for key, row in rows.items())
        for name, rows in before.items()
    }
    return {name: rows for name, rows in differ.items() if rows}


def total(passages: Iterable[Tally | None]) -> dict[str, int]:
    """Rows changed by collection, over all calls that said so."""
    rows: Counter[str] = Counter()
    for tally in passages:
        for count in tally.counts if tally else ():
            rows[count.collection] += count.changed
    return {name: number for name, number in rows.items() if number}


def _one_kept(ground: str, days: list[date | None]) -> Kept:
    known = [day for day in days if day is not None]
    return Kept(ground=ground, until=max(known) if len(known) == len(days) else None, rows=len(days))


def outlook_of(system: System, works: Iterable[Work], rows: Mapping[Place, Mapping[str, object]]) -> Outlook:
    outlook = Outlook()
    by_name = {work.collection: work for work in works}
    for place, row in rows.items():
        work = by_name[place[0]]
        terms = [
            (date.max if day is None else keep.until(day), day, keep)
            for keep in work.keeps
            for day in [day_of(row[keep.column])]
            if day is None or keep.cutoff.date() <= day <= (keep.last or date.max)
        ]
        if work.erase is Erase.RETAIN:
            outlook.kept[place], outlook.emptied[place] = (work.ground, None), frozenset()
        elif terms:
            last, day, keep = max(terms, key=lambda term: term[0])
            outlook.kept[place] = (keep.ground, None if day is None else last)
            outlook.emptied[place] = frozenset.intersection(
                *(frozenset(write.field for write in keep.writes) for _, _, keep in terms)
            )
        elif work.erase is Erase.REDACT:
            _empty(outlook, system, work, place, row)
    waiting = list(outlook.emptied)
    while waiting:
        name, key = waiting.pop()
        for link in system.collections[name].links:
            parent, column = link.target
            collection = system.collections[name]
            values = texts(complete(collection, rows[name, key])[link.field])
            if not values or not outlook.emptied[name, key].isdisjoint(collection.bases(link.field)):
                continue
            for place, row in rows.items():
                there = place[0] == parent and text(complete(system.collections[parent], row)[column])
                if there and there in values and place not in outlook.emptied:
                    _empty(outlook, system, by_name[parent], place, row)
                    outlook.shells.add(place)
                    waiting.append(place)
    outlook.gone = set(rows) - set(outlook.emptied)
    return outlook


def _empty(outlook: Outlook, system: System, work: Work, place: Place, row: Mapping[str, object]) -> None:
    outlook.emptied[place] = frozenset(write.field for write in work.writes)
    if any(write.strategy is Strategy.PSEUDONYM for write in work.writes):
        outlook.keyed.add(place)
    for column, about in system.collections[place[0]].fields.items():
        if about.strategy is Strategy.RETAIN and text(row[column]):
            ground, _ = outlook.kept.get(place, (about.ground, None))
            outlook.kept[place] = (min(ground, about.ground), None)
