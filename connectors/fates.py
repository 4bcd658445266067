"""What an erasure makes of rows, of one alone and of those that link to each other, for connectors that hold rows in
Python.

The one rule: a row goes unless the plan says that it stays, and a row that stays is either kept on a ground that is
named or tells nothing of anybody. A row counts once: as erased, as anonymised, as pseudonymised or as kept.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from connectors.derived import texts
from connectors.protocol import Key
from connectors.strategies import clean, rewrite, text
from rights import sharing
from rights.datamap import Collection, Erase, Strategy, System
from rights.plan import Keep, Work, Write
from rights.receipt import Count, Kept, Tally

if TYPE_CHECKING:
    from connectors.sharing import Part

FAR: Final = 9000
"""From this year on a date counts as none: systems write 9999-12-31 for "never"."""
Row = Mapping[str, object]
Place = tuple[str, Key]
"""Where a row is: its collection and its key."""
_Pointed = dict[str, dict[str, set[str]]]
"""By collection and column, the values that rows which stay point to."""


def key_of(columns: Sequence[str], row: Row) -> Key:
    """A row's key as text."""
    return tuple(text(row.get(column)) for column in columns)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a row."""

    place: Place = field(repr=False)
    row: Row = field(repr=False)
    stays: bool = False
    writes: tuple[Write, ...] = ()
    ground: str = ""
    """Why it is kept. A row that stays without a ground tells nothing of anybody once it is clean."""
    until: date | None = None
    part: "Part | None" = field(default=None, repr=False)
    """Of a row that may be somebody else's too, this person's."""

    @property
    def collection(self) -> str:
        return self.place[0]

    @property
    def clean(self) -> bool:
        return all(clean(write, self.row.get(write.field)) for write in self.writes)

    @property
    def due(self) -> bool:
        """Whether there is anything to do to the row."""
        return not (self.stays and self.clean)

    @property
    def settled(self) -> bool:
        """Whether an erasure has already made of the row all that it makes of it, and nothing of the person is left."""
        return self.stays and not self.ground and self.clean

    def new_values(self, pseudonym_key: bytes) -> Row | None:
        """The fields to set; what is clean already is left as it is. None: the row goes."""
        if not self.stays:
            return None
        return {
            write.field: rewrite(write, self.row.get(write.field), pseudonym_key)
            for write in self.writes
            if not clean(write, self.row.get(write.field))
        }


def fate_of(row: Row, work: Work, collection: Collection, *, shell: bool, part: "Part | None" = None) -> Fate:
    """What becomes of a row of the person. `shell` says that a row which stays points to it, `part` whose else it may
    be."""
    place = (work.collection, key_of(collection.key, row))
    if work.erase is Erase.RETAIN:
        return Fate(place, row, stays=True, ground=work.ground, part=part)
    if duties := [keep for keep in work.keeps if _in_force(keep, row)]:
        longest = max(duties, key=lambda keep: _until(keep, row) or date.max)
        # A field goes from a kept row only if every duty that keeps the row can do without it.
        writes = tuple(w for w in longest.writes if all(w in keep.writes for keep in duties))
        return Fate(place, row, True, _allowed(writes, part), longest.ground, _until(longest, row), part)
    if part and part.shared:
        return Fate(place, row, True, _allowed(work.writes, part), part.ground(row), part=part)
    if work.erase is Erase.REDACT or shell:
        grounds = [
            about.ground
            for column, about in collection.fields.items()
            if about.strategy is Strategy.RETAIN and text(row.get(column))
        ]
        return Fate(place, row, True, work.writes, min(grounds, default=""), part=part)
    return Fate(place, row, part=part)


def _allowed(writes: tuple[Write, ...], part: "Part | None") -> tuple[Write, ...]:
    return tuple(write for write in writes if part is None or part.rewritten(write.field))


def fates_of(
    system: System, works: Iterable[Work], certain: Mapping[str, Sequence[Row]], parts: Mapping[Place, "Part"]
) -> list[Fate]:
    """What becomes of a person's rows, children first: a row that stays keeps what it points to as a shell.

    Args:
        certain: by collection, the rows in the order in which they were reached, parents before children.
        parts: the person's part in rows that may be somebody else's too.
    """
    of = {work.collection: work for work in works}
    fates: list[Fate] = []
    pointed_to: _Pointed = defaultdict(lambda: defaultdict(set))
    for group in reversed(system.groups):
        circular = system.circular(group[0])
        staying = -1
        while True:
            found = [
                f for name in reversed(group) for f in _fates_in(system, of[name], certain[name], parts, pointed_to)
            ]
            stay = sum(fate.stays for fate in found)
            # In a circle a shell may make shells of what was looked at before it.
            if stay == staying or not circular:
                break
            staying = stay
        fates += found
    return fates


def _fates_in(
    system: System, work: Work, rows: Sequence[Row], parts: Mapping[Place, "Part"], pointed_to: _Pointed
) -> Iterator[Fate]:
    """The fates of one collection's rows, last reached first; notes what those that stay point to."""
    collection = system.collections[work.collection]
    for row in reversed(rows):
        shell = any(text(row.get(column)) in values for column, values in pointed_to[work.collection].items())
        part = parts.get((work.collection, key_of(collection.key, row)))
        fate = fate_of(row, work, collection, shell=shell, part=part)
        yield fate
        rewritten = {write.field for write in fate.writes}
        for link in collection.links if fate.stays else ():
            if not sharing.needs_its_target(system.collections, work.collection, link):
                continue
            if rewritten.isdisjoint(collection.bases(link.field)):
                parent, column = link.target
                pointed_to[parent][column].update(texts(row.get(link.field)))


def tally_of(
    works: Iterable[Work], fates: Iterable[Fate], doubtful: Mapping[str, int], *, verifying: bool = False
) -> Tally:
    """Count what a look saw; rows of which it is open whose they are count too, by collection in `doubtful`."""
    seen: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        seen[fate.collection].append(fate)
    return Tally(
        counts=tuple(
            Count(
                collection=name,
                found=len(seen[name]) + doubtful.get(name, 0),
                kept=_kept(seen[name]),
                unclean=sum(bool(fate.ground) and not fate.clean for fate in seen[name]) if verifying else 0,
            )
            for name in (work.collection for work in works)
        )
    )


def changes_of(works: Iterable[Work], fates: Iterable[Fate]) -> Tally:
    """Count what was done. A kept row counts as kept even if a field of it went, so it is not counted here."""
    done: Counter[tuple[str, str]] = Counter()
    for fate in fates:
        if not fate.stays:
            done[fate.collection, "erased"] += 1
        elif not fate.ground:
            keyed = any(write.strategy is Strategy.PSEUDONYM for write in fate.writes)
            done[fate.collection, "pseudonymised" if keyed else "anonymised"] += 1
    return Tally(
        counts=tuple(
            Count(
                collection=name,
                erased=done[name, "erased"],
                anonymised=done[name, "anonymised"],
                pseudonymised=done[name, "pseudonymised"],
            )
            for name in (work.collection for work in works)
        )
    )


def _kept(fates: Iterable[Fate]) -> tuple[Kept, ...]:
    """Kept rows by ground, each ground with the last day on which any of its rows must be kept."""
    grounds: dict[str, list[date | None]] = defaultdict(list)
    for fate in fates:
        if fate.ground:
            grounds[fate.ground].append(fate.until)
    kept = []
    for ground, days in sorted(grounds.items()):
        known = [day for day in days if day is not None]
        until = max(known) if len(known) == len(days) else None
        kept.append(Kept(ground=ground, until=until, rows=len(days)))
    return tuple(kept)


def _in_force(keep: Keep, row: Row) -> bool:
    """Whether a duty keeps a row. One without a date stays: that its term is over cannot be shown."""
    day = day_of(row.get(keep.column))
    return day is None or keep.cutoff.date() <= day <= (keep.last or date.max)


def _until(keep: Keep, row: Row) -> date | None:
    day = day_of(row.get(keep.column))
    return None if day is None else keep.until(day)


def day_of(value: object) -> date | None:
    """The UTC day of a date, a time or an ISO text; None if it is none of these, or so far that it means "never"."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, date) or value.year >= FAR:
        return None
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).date()
    return value
