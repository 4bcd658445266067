"""Rectifying: what stands inside a person's files, in their metadata and in their tags, object by object.

The one rule: everything is read and kept before anything is written, each object is written behind a fence of its own
and over the very content that was read, and at the end it is looked at again.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Call, Key
from connectors.s3.correcting import Correcting, Draft, Wanted
from connectors.s3.lock import Locks
from connectors.s3.look import Search
from connectors.s3.sealed import Sealed
from connectors.s3.session import Row, Session
from connectors.s3.settings import HEADERS, Settings
from rights.codes import Code
from rights.holds import OBJECT_LOCK
from rights.receipt import Count, Kept, Tally

OLDER_VERSION: Final = "older version"
"""The ground of what a correction leaves as it was: what was written before, and is there beside what is read now."""
TRIES: Final = 3
"""How often an object is read anew because somebody wrote it meanwhile."""
DUE_MOST: Final = 100_000
"""Objects that one correction writes to."""
KEPT_TOGETHER: Final = 500
"""Objects whose old values are kept together."""
LARGEST: Final = 5 * 1024**3
"""Bytes that one request can write."""
TAGGED: Final = 100
"""Versions of one object whose tags are set behind one fence."""
_TAG: Final = re.compile(r"[\w +\-=.:/@]{0,256}")
_PLAIN: Final = re.compile(r"[ -~]*")

Olds = Mapping[Key, Mapping[str, str | None]]


class Rectification:
    """One call's corrections."""

    def __init__(self, call: Call, settings: Settings, session: Session) -> None:
        self._call, self._settings, self._session = call, settings, session
        self._name = settings.collection
        self._search = Search(call, settings, session)
        self._locks = Locks(session, call.as_of, call.beat)
        self._reading = Correcting(session, settings, call.beat)
        self._found = self._rectified = self._removed = 0
        self._older = Counter[str]()
        """Older versions that still say something else, by why they stay."""
        self._said: dict[str, bytes] = {}
        """The keys of objects that do not say it yet, with a digest of what they say: that is kept."""

    def run(self) -> Tally:
        """Correct, and say what was done.

        Raises:
            NeedsHuman: as `connectors.protocol.Rectifies` says, and as `Correcting.draft` does.
            Held: the bucket's own legal hold is on an object that would have to be written anew.
        """
        self._refuse()
        survey = self._search.survey()
        survey.refuse_doubt()
        try:
            self._look(keep=True)
            if self._said:
                self._call.learn(survey.links)
                for key in self._said:
                    self._call.beat()
                    self._correct(key)
                self._look(keep=False)
                if self._said:
                    raise NeedsHuman(Code.CHANGED_BACK, self._about)
        except ConnectorError as error:
            error.tally = self._tally()
            raise
        return self._tally()

    def _refuse(self) -> None:
        """Refuse what has no place, and what its place does not take, before anything is asked."""
        places = self._settings.places
        for one in self._call.corrections:
            for name, value in one.values.items():
                about = f"{self._name}.{name}"
                if name not in places.fields and name not in _HEADERS:
                    raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{about} (the map names no place within objects)")
                if name in _HEADERS and not value:
                    raise NeedsHuman(Code.VALUE, f"{about} (something must stand there)")
                if value is not None and not _is_utf8(value):
                    raise NeedsHuman(Code.VALUE, f"{about} (no text)")
                if (name in places.metadata or name in _HEADERS) and not _PLAIN.fullmatch(value or ""):
                    raise NeedsHuman(Code.VALUE, f"{about} (metadata takes ASCII)")
                if name in places.tags and not _TAG.fullmatch(value or ""):
                    raise NeedsHuman(Code.VALUE, f"{about} (a tag takes letters, digits, spaces and + - = . _ : / @)")

    @property
    def _about(self) -> str:
        return f"{self._name}.{','.join(dict.fromkeys(name for one in self._call.corrections for name in one.values))}"

    def _wanted(self, key: str) -> Wanted:
        """What an object is to say. A row that is named stands for its object: another version has another key."""
        return {
            name: value
            for one in self._call.corrections
            if one.key is None or one.key[0] == key
            for name, value in one.values.items()
        }

    def _look(self, *, keep: bool) -> None:
        """Read all of the person's objects that a correction is about, and what is kept of those that say otherwise.

        Raises:
            NeedsHuman: NO_ROW: a row that is named is none of the person's.
        """
        self._said, self._older, self._found = {}, Counter(), 0
        named = {one.key[0] for one in self._call.corrections if one.key is not None}
        olds: dict[Key, Mapping[str, str | None]] = {}
        for rows in self._groups():
            key = rows[0].key
            named.discard(key)
            wanted = self._wanted(key)
            if not wanted:
                continue
            self._call.beat()
            draft = self._reading.draft(rows, wanted)
            going, staying = self._older_of(draft)
            self._older += staying
            self._found += len(draft.found)
            if draft.due or going:
                self._refuse_locked(draft)
                old = draft.old(draft.due | set(going))
                self._said[key] = _digest(old)
                olds |= old
                if len(self._said) > DUE_MOST:
                    raise NeedsHuman(Code.TOO_LARGE, self._name)
            if keep and len(olds) >= KEPT_TOGETHER:
                self._call.keep({self._name: olds})
                olds = {}
        if named:
            raise NeedsHuman(Code.NO_ROW, self._name)
        if keep and olds:
            self._call.keep({self._name: olds})

    def _groups(self) -> Iterator[Sequence[Row]]:
        for group in self._search.groups():
            if group[0].certain and group[0].row.kind != "upload":
                yield [found.row for found in group]

    def _older_of(self, draft: Draft) -> tuple[list[Row], Counter[str]]:
        """Of the older versions that say something else those that go, and how many stay for which reason."""
        locked = self._locks.of(draft.older)
        delete = self._settings.older_versions == "delete"
        going = [row for row in draft.older if delete and row not in locked]
        grounds = (OBJECT_LOCK if row in locked else OLDER_VERSION for row in draft.older if row not in going)
        return going, Counter(grounds)

    def _refuse_locked(self, draft: Draft) -> None:
        """Nothing is written over what the bucket itself locks: it is to stay as it is."""
        if draft.current is None:
            return
        if (draft.current.size or 0) > LARGEST:
            raise NeedsHuman(Code.TOO_LARGE, self._name)
        lock = self._locks.of([draft.current]).get(draft.current)
        if lock is not None and lock.hold:
            raise Held(Code.LEGAL_HOLD, self._name)
        if lock is not None:
            raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{self._name} (object lock)")

    def _correct(self, key: str) -> None:
        """Correct one object; read anew where somebody has written it since it was read."""
        for _ in range(TRIES):
            rows = next(self._session.rows(key, exact=True), [])
            draft = self._reading.draft(rows, self._wanted(key))
            going, _ = self._older_of(draft)
            if not (draft.due or going):
                return
            self._refuse_locked(draft)
            old = draft.old(draft.due | set(going))
            if _digest(old) != self._said[key]:
                self._call.keep({self._name: old})
            if self._written(draft, going):
                return
        raise Retryable(Code.BUSY, self._name)

    def _written(self, draft: Draft, going: list[Row]) -> bool:
        """Write one object and its tags; False if somebody has written it since it was read."""
        row = draft.current
        tags = iter([one for one in draft.tags if row is None or one[0] != row or row.version != "null"])
        while some := list(islice(tags, TAGGED)):
            # The newest one counts once, with its content.
            self._tag(some, sum(one is not row for one, _ in some))
        if row is None and not going:
            return True
        refused: Mapping[Row, str] = {}
        with Sealed() as body:
            written = self._reading.write(row, self._wanted(row.key), body) if row else None
            if row and self._settings.older_versions == "delete" and row.version != "null":
                going = [*going, row]
            planned = {self._name: (1 if row else 0) + len([one for one in going if one is not row])}
            with self._session.within(self._settings.timeout), self._call.fence(planned, self._tally()) as intent:
                done = bool(row and written and self._session.put(row, written.etag, body, written.headers))
                gone = 0
                if done or row is None:
                    refused = self._session.delete(going, bypass=False) if going else {}
                    gone = len([one for one in going if one is not row and one not in refused])
                intent.done(self._counted(int(done), gone))
        self._rectified += done
        self._removed += gone
        for code in refused.values():
            raise self._session.explain(code)
        return done or row is None

    def _tag(self, some: Sequence[tuple[Row, Mapping[str, str]]], count: int) -> None:
        planned = {self._name: len(some)}
        with self._session.within(self._settings.timeout), self._call.fence(planned, self._tally()) as intent:
            for row, tags in some:
                self._session.tag(row, tags)
            intent.done(self._counted(count, 0))
        self._rectified += count

    def _counted(self, rectified: int, erased: int) -> Tally:
        return Tally(counts=(Count(collection=self._name, rectified=rectified, erased=erased),))

    def _tally(self) -> Tally:
        kept = tuple(Kept(ground=ground, rows=rows) for ground, rows in sorted(self._older.items()))
        count = Count(collection=self._name, found=self._found, rectified=self._rectified, erased=self._removed)
        return Tally(counts=(count.model_copy(update={"kept": kept}),))


_HEADERS: Final = frozenset(HEADERS) - {"metadata"}


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(old: Olds) -> bytes:
    return hashlib.sha256(repr(sorted((key, sorted(values.items())) for key, values in old.items())).encode()).digest()
