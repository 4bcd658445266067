"""Looking for a person's objects: every version, delete marker and unfinished upload under every key that is theirs.

The one rule: memory stays flat. Rows are counted as they pass, key by key, and none is kept but those that an agent has
to be asked about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from connectors.errors import NeedsHuman
from connectors.fates import Fate, fate_of
from connectors.links import Links
from connectors.protocol import Anchors, Call, Candidate, Key, Look
from connectors.s3.lock import OPEN, Lock, Locks
from connectors.s3.session import Row, Session
from connectors.s3.settings import Settings
from connectors.s3.targets import Target, Targets, targets_of
from rights.codes import Code
from rights.holds import OBJECT_LOCK, OF_SYSTEM
from rights.receipt import Count, Kept, Tally
from rights.subject import Identity

QUESTIONS_MOST: Final = 1000
"""Objects that an agent can be asked about at once; more of them is a map that says too little."""
HELD_TOGETHER: Final = 1000
"""Rows whose locks are read together."""


@dataclass(frozen=True, slots=True)
class Found:
    """A row of the person, or one of which that is the question."""

    row: Row
    target: Target
    certain: bool

    def values(self) -> dict[str, object]:
        """What is known of it without asking for it."""
        row = self.row
        known: dict[str, object] = {
            "key": row.key,
            "version": row.version,
            "kind": row.kind,
            "latest": row.latest,
            "size": row.size,
            "etag": row.etag.strip('"'),
            "last_modified": row.modified,
            "storage_class": row.storage_class,
            "file": row.file,
        }
        return {**known, **self.target.fields}


@dataclass(frozen=True, slots=True)
class Due:
    """A row with what an erasure makes of it."""

    row: Row
    fate: Fate
    held: bool = False
    """The bucket holds it, nobody knows until when."""
    governed: bool = False
    """It is let go only by passing over its term."""

    @property
    def goes(self) -> bool:
        return self.fate.due and not self.held


@dataclass(slots=True)
class Survey:
    """What a look has counted."""

    collection: str
    found: int = 0
    going: int = 0
    held: int = 0
    """Rows under the bucket's own legal hold."""
    doubtful: int = 0
    grounds: dict[str, tuple[int, date | None]] = field(default_factory=dict)
    """For each ground rows, and the last day; None if one of them has none."""
    candidates: dict[str, Candidate] = field(default_factory=dict, repr=False)
    links: tuple[Identity, ...] = field(default=(), repr=False)
    anchors: Anchors = field(default_factory=dict, repr=False)

    def count(self, due: Due) -> None:
        """Take a row that is surely the person's into the count."""
        self.found += 1
        self.going += due.goes
        held = due.held and due.fate.due
        self.held += held
        if ground := OF_SYSTEM if held else due.fate.ground:
            rows, until = self.grounds.get(ground, (0, date.min))
            ends = None if held else due.fate.until
            self.grounds[ground] = (rows + 1, None if until is None or ends is None else max(until, ends))

    @property
    def tally(self) -> Tally:
        kept = tuple(Kept(ground=g, until=until, rows=rows) for g, (rows, until) in sorted(self.grounds.items()))
        return Tally(counts=(Count(collection=self.collection, found=self.found + self.doubtful, kept=kept),))

    def refuse_doubt(self) -> None:
        """Nothing is disclosed, restricted or destroyed while it is open whose objects these are."""
        if self.doubtful:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, self.collection)

    @property
    def look(self) -> Look:
        return Look(self.tally, self.anchors, tuple(self.candidates.values()), self.links)


class Search:
    """What one call looks for."""

    def __init__(self, call: Call, settings: Settings, session: Session) -> None:
        self._call, self._settings, self._session = call, settings, session
        self._collection = call.system.collections[settings.collection]
        (self._work,) = (work for work in call.work if work.collection == settings.collection)
        self._mine = _keys(call.rulings.mine.get(settings.collection, ()))
        self._others = _keys(call.rulings.others.get(settings.collection, ()))
        self.targets: Targets = targets_of(call, settings, session)

    def groups(self) -> Iterator[list[Found]]:
        """All rows, key by key; uploads that were never finished come one by one."""
        for target in self.targets:
            for rows in self._session.rows(target.text, exact=target.exact):
                yield from self._group(target, rows)
            for upload in self._session.uploads(target.text, exact=target.exact):
                yield from self._group(target, [upload])

    def _group(self, target: Target, rows: Sequence[Row]) -> Iterator[list[Found]]:
        key = rows[0].key
        # The manifest is everybody's, wherever it lies.
        if key in self._others or key == self._settings.manifest or self.targets.settled(key, target):
            return
        certain = target.certain or key in self._mine
        yield [Found(row, target, certain) for row in rows]

    def dues(self, locks: Locks) -> Iterator[list[Due]]:
        """What an erasure makes of each row that is surely the person's, key by key."""
        waiting: list[list[Found]] = []
        for found in self._certain():
            waiting.append(found)
            if not locks.possible or sum(map(len, waiting)) >= HELD_TOGETHER:
                yield from self._judged(waiting, locks)
                waiting = []
        yield from self._judged(waiting, locks)

    def _certain(self) -> Iterator[list[Found]]:
        beats = 0
        for found in self.groups():
            beats += len(found)
            if beats >= HELD_TOGETHER:
                self._call.beat()
                beats = 0
            if found[0].certain:
                yield found

    def _judged(self, groups: Sequence[Sequence[Found]], locks: Locks) -> Iterator[list[Due]]:
        known = locks.of([one.row for group in groups for one in group]) if locks.possible else {}
        for group in groups:
            yield self._fates(group, known)

    def _fates(self, group: Sequence[Found], locks: Mapping[Row, Lock]) -> list[Due]:
        dues = [self.fate(one, locks.get(one.row, OPEN)) for one in group]
        staying = next((due for due in dues if due.row.kind == "version" and not due.goes), None)
        if staying is not None:
            # A marker hides what is under it. While that stays, it stays: to delete it would be to bring that back.
            dues = [_with(due, staying) if due.row.kind == "marker" and due.goes else due for due in dues]
        # The oldest first and markers last: whatever cuts it short, nothing that was hidden comes to light again.
        dues.reverse()
        return sorted(dues, key=lambda due: due.row.kind == "marker")

    def fate(self, found: Found, lock: Lock) -> Due:
        """What an erasure makes of a row, with its lock."""
        fate = fate_of(found.values(), self._work, self._collection, shell=False)
        passed_over = lock.governed and self._settings.bypass_governance
        if lock.until is not None and not passed_over:
            day = lock.until.date()
            if not fate.stays or (fate.until is not None and fate.until < day):
                fate = Fate(fate.place, fate.row, stays=True, ground=OBJECT_LOCK, until=day)
        return Due(found.row, fate, held=lock.hold, governed=lock.until is not None and passed_over)

    def survey(self) -> Survey:
        """Count everything, and find what has to be asked."""
        survey = Survey(self._settings.collection, anchors=self._anchors())
        links = Links(self._call)
        locks = Locks(self._session, self._call.as_of, self._call.beat)
        self._call.beat()
        waiting: list[list[Found]] = []
        for found in self.groups():
            if not found[0].certain:
                self._ask(survey, found)
                continue
            links.add_row(self._settings.collection, found[0].values())
            waiting.append(found)
            if sum(map(len, waiting)) >= HELD_TOGETHER:
                self._call.beat()
                self._count(survey, waiting, locks)
                waiting = []
        self._count(survey, waiting, locks)
        survey.links = links.found
        return survey

    def _count(self, survey: Survey, groups: Sequence[Sequence[Found]], locks: Locks) -> None:
        for dues in self._judged(groups, locks):
            for due in dues:
                survey.count(due)

    def _ask(self, survey: Survey, found: Sequence[Found]) -> None:
        survey.doubtful += len(found)
        row = found[0].row
        key: Key = (row.key, row.version)
        traits = {name: value for name, value in found[0].values().items() if name not in {"version", "etag", "file"}}
        survey.candidates.setdefault(row.key, Candidate(self._settings.collection, key, traits))
        if len(survey.candidates) > QUESTIONS_MOST:
            raise NeedsHuman(Code.TOO_LARGE, self._settings.collection)

    def _anchors(self) -> Anchors:
        others = {name: columns for name, columns in self._call.anchors.items() if name != self._settings.collection}
        keys = tuple(key for key in self.targets.anchors if key not in self._others)
        return {**others, self._settings.collection: {"key": keys}} if keys else others


def _with(marker: Due, staying: Due) -> Due:
    fate = Fate(marker.fate.place, marker.fate.row, True, ground=staying.fate.ground, until=staying.fate.until)
    return Due(marker.row, fate if staying.fate.ground else marker.fate, held=staying.held)


def _keys(keys: Sequence[Key] | frozenset[Key]) -> frozenset[str]:
    """A ruling about one version of an object holds for the object."""
    return frozenset(key[0] for key in keys if key)
