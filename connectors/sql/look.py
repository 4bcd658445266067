"""Looking: one statement that counts a person's rows, with their fates, anchors and candidates.

The one rule: locate, verify and the look before an erasure are the same look, so that what is planned, what is done and
what is found afterwards can be compared.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Self

from sqlalchemy import (
    Date,
    Integer,
    Select,
    Text,
    cast,
    extract,
    func,
    literal_column,
    select,
)

from connectors.anchors import merged
from connectors.links import Links
from connectors.protocol import Anchors, Call, Candidate, Look
from connectors.sharing import key_text
from connectors.sql import taken
from connectors.sql.erasure import Batch
from connectors.sql.fates import GROUNDS, TRAIT, Fate, Fates, reason_of, telling, traits_of
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from rights.plan import Work
from rights.receipt import Count, Kept, Tally
from rights.subject import Identity

CANDIDATES: Final = 100
"""Candidates shown per collection. An identity that more rows have in common tells nobody from anybody."""


def look(scope: Scope, lock: Iterable[str] = ()) -> Select[Any]:
    """One row with a JSON object per collection."""
    fates = Fates(scope, lock)
    columns = [
        _sight(scope, fates, name).label(f"sight_{number}") for number, name in enumerate(scope.system.collections)
    ]
    return select(*columns)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look saw, read from its row."""

    scope: Scope
    seen: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, scope: Scope, seen: Mapping[str, Mapping[str, Any]]) -> Self:
        """What was seen of some collections; of the others nothing was."""
        return cls(scope, {name: seen.get(name, {}) for name in scope.system.collections})

    @property
    def doubtful(self) -> str | None:
        """The first collection with rows of which it is open whose they are."""
        return next((name for name, sight in self.seen.items() if sight.get("doubtful")), None)

    @property
    def planned(self) -> dict[str, int]:
        """Rows that an erasure would change, by collection, where there are any."""
        due = {name: sight["goes"] + sight["dirty"] for name, sight in self.seen.items()}
        return {name: rows for name, rows in due.items() if rows}

    def due(self, batch: Batch) -> int:
        """Rows that one kind of change would change."""
        rows: int = self.seen[batch.collection]["goes" if batch.deleting else "dirty"]
        return rows

    def planned_of(self, part: Iterable[Batch]) -> dict[str, int]:
        """Rows that some kinds of change would change together, by collection."""
        planned: Counter[str] = Counter()
        for batch in part:
            planned[batch.collection] += self.due(batch)
        return {name: rows for name, rows in planned.items() if rows}

    def tally(self, works: Sequence[Work], *, verifying: bool = False) -> Tally:
        """The counts. To verify, rows that an erasure has rewritten are not the person's any more."""
        counts = []
        for name in (work.collection for work in works):
            sight = self.seen[name]
            found = sight["found"] + sight.get("doubtful", 0)
            kept = [(*reason_of(number, self.scope.grounds), rows) for number, rows in sight.get("kept") or ()]
            kept.sort(key=lambda part: (part[0], part[1] or date.max))
            counts.append(
                Count(
                    collection=name,
                    found=found - sight["settled"] if verifying else found,
                    kept=tuple(Kept(ground=ground, until=until, rows=rows) for ground, until, rows in kept),
                    unclean=sight["unclean"] if verifying else 0,
                )
            )
        return Tally(counts=tuple(counts))

    def look(self, call: Call, tally: Tally) -> Look:
        """What the step gets."""
        return Look(
            tally=tally,
            anchors=merged(call.anchors, self.anchors()),
            candidates=tuple(self._candidates()),
            links=self.links(call),
        )

    def known(self, call: Call, name: str) -> frozenset[str] | None:
        """The keys, of one column, of a collection's rows that this look or an earlier one has seen; None where nothing
        hangs on them, and nobody has kept them."""
        if not self.scope.targets[name]:
            return None
        (field,) = self.scope.system.collections[name].key
        return frozenset((*(self.seen[name].get("keys") or ()), *call.anchors.get(name, {}).get(field, ())))

    def anchors(self) -> Anchors:
        """The keys by which what was seen is found again."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for name, collection in self.scope.system.collections.items():
            sight, several = self.seen[name], len(collection.key) > 1
            for anchor, seen in self.scope.anchored[name].items():
                if keys := sight.get(seen):
                    found.setdefault(name, {})[anchor] = tuple(key_text(key) if several else key for key in keys)
            for field in self.scope.targets[name]:
                if values := sight.get(f"to:{field}"):
                    found.setdefault(name, {})[field] = tuple(values)
        return found

    def _candidates(self) -> Iterable[Candidate]:
        for name, sight in self.seen.items():
            for key, traits in sight.get("candidates") or ():
                named = dict(zip(traits_of(self.scope, name), traits, strict=True))
                yield Candidate(collection=name, key=tuple(key), traits=named)

    def links(self, call: Call) -> tuple[Identity, ...]:
        """What the person's rows say that other systems may know them by."""
        links = Links(call)
        for name, collection in self.scope.system.collections.items():
            for field in telling(self.scope, name):
                links.add(collection.fields[field], self.seen[name].get(f"link:{field}"))
        return links.found


def sight_of(scope: Scope, row: Sequence[Mapping[str, Any]]) -> Sight:
    """Read a look's row."""
    return Sight(scope, dict(zip(scope.system.collections, row, strict=True)))


def _sight(scope: Scope, fates: Fates, name: str) -> Any:
    fate, collection = fates.of(name), scope.system.collections[name]
    rows = fate.rows
    counts: dict[str, Sql] = {
        "found": func.count(),
        "goes": func.count().filter(~fate.stays),
        "dirty": func.count().filter(fate.dirty),
        "settled": func.count().filter(fate.stays, fate.reason.is_(None), ~fate.dirty),
        "unclean": func.count().filter(fate.reason.is_not(None), fate.dirty),
    }
    pointed = scope.targets[name]
    counts |= taken.owned(scope, name, rows)
    if pointed or (fates.may_stay(name) and not collection.shares):
        keys = func.json_agg(taken.key(scope, name, rows))
        counts["keys"] = keys if pointed else keys.filter(fate.stays)
    counts |= taken.pointed(scope, name, rows)
    for field in telling(scope, name):
        counts[f"link:{field}"] = taken.links(scope, rows, name, field)
    if fates.may_stay(name):
        counts["kept"] = _kept(fate)
    if scope.doubts(name):
        doubtful = fates.traversal.doubtful(name).subquery()
        counts["doubtful"] = select(func.count()).select_from(doubtful).scalar_subquery()
        counts["candidates"] = _candidates(scope, fates, name)
    pairs = [part for label, value in counts.items() for part in (literal_column(f"'{label}'"), value)]
    return select(func.json_build_object(*pairs)).select_from(rows).scalar_subquery()


def _kept(fate: Fate) -> Sql:
    """Kept rows by ground and year of their last day, each with the latest of those days."""
    ordinal = cast(fate.reason // GROUNDS, Integer)
    year = extract("year", literal_column("DATE '0001-01-01'", Date) + (ordinal - 1))
    groups = (
        select(func.max(fate.reason).label("reason"), func.count().label("rows"))
        .where(fate.reason.is_not(None))
        .group_by(fate.reason % GROUNDS, year)
        .subquery()
    )
    pair = func.json_build_array(groups.c.reason, groups.c.rows)
    return select(func.json_agg(pair)).select_from(groups).scalar_subquery()


def _candidates(scope: Scope, fates: Fates, name: str) -> Sql:
    doubtful = fates.traversal.doubtful(name).limit(CANDIDATES).subquery()
    key = [cast(doubtful.c[field], Text) for field in scope.system.collections[name].key]
    traits = [doubtful.c[f"{TRAIT}{field}"] for field in traits_of(scope, name)]
    row = func.json_build_array(func.json_build_array(*key), func.json_build_array(*traits))
    return select(func.json_agg(row)).select_from(doubtful).scalar_subquery()
