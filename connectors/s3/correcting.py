"""One object and a correction: what it says now, and what is to be written.

The one rule: what is written is made of what was read, byte for byte but for what is corrected, with all that the
object had about it; and it is written over that very content and no other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from connectors.errors import NeedsHuman, Retryable
from connectors.protocol import Key
from connectors.s3.cells import Cell, Misshapen, Said
from connectors.s3.places import rewrite_of
from connectors.s3.sealed import Sealed
from connectors.s3.session import Row, Session
from connectors.s3.settings import ARCHIVES, HEADERS, Settings
from rights.codes import Code

PIECE: Final = 256 * 1024
"""Bytes of an object that are read at a time."""
_BEATS_EACH: Final = 32
"""Pieces: eight megabytes."""
_CARRIED: Final = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires"),
    *("WebsiteRedirectLocation", "StorageClass", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "Metadata"),
)
"""What an object has about it, as an answer names it and as it is written again."""

Wanted = Mapping[str, str | None]
"""By field of the map, what is to stand there."""


@dataclass(slots=True)
class Draft:
    """What a correction has to do with one object."""

    said: dict[Row, Said] = field(default_factory=dict, repr=False)
    """What each version says."""
    found: set[Row] = field(default_factory=set, repr=False)
    """The versions that are to say it: the newest, of a tag each, and older ones that say something else."""
    tags: list[tuple[Row, Mapping[str, str]]] = field(default_factory=list, repr=False)
    """Versions with the tags that they are to have."""
    current: Row | None = field(default=None, repr=False)
    """The newest version, if it has to be written anew."""
    older: list[Row] = field(default_factory=list, repr=False)
    """Older versions that say something else, and cannot be written to."""

    @property
    def due(self) -> set[Row]:
        """The versions that do not say yet what they are to say."""
        return {row for row, _ in self.tags} | ({self.current} if self.current else set())

    def old(self, rows: set[Row]) -> Mapping[Key, Mapping[str, str | None]]:
        """What versions say instead. A further value of one field stands under the same key with a number."""
        kept: dict[Key, dict[str, str | None]] = {}
        for row in sorted(rows, key=lambda one: one.version):
            for name, values in self.said[row].old.items():
                for number, value in enumerate(values):
                    key = (row.key, row.version, str(number + 1)) if number else (row.key, row.version)
                    kept.setdefault(key, {})[name] = value
        return kept


@dataclass(frozen=True, slots=True)
class Written:
    """An object as it is to be written."""

    etag: str
    """Of the content that it is made of."""
    headers: Mapping[str, Any] = field(repr=False)


class Correcting:
    """Reads objects for one correction."""

    def __init__(self, session: Session, settings: Settings, beat: Callable[[], None]) -> None:
        self._session, self._settings, self._beat = session, settings, beat
        self._places = settings.places

    def draft(self, rows: Sequence[Row], wanted: Wanted) -> Draft:
        """See what the versions of one key say.

        Raises:
            NeedsHuman: SHAPE: a file is not what its ending says; ARCHIVED: it has to be restored before it is read;
                VALUE or NOT_RECTIFIABLE: what is to stand in it cannot.
        """
        draft, versions = Draft(), [row for row in rows if row.kind == "version"]
        for row in versions:
            self._look_at_tags(draft, row, wanted)
            self._look_inside(draft, row, wanted)
        return draft

    def write(self, row: Row, wanted: Wanted, body: Sealed) -> Written:
        """Write the newest version of an object down as it is to be.

        Raises:
            Retryable: BUSY: it is gone, or another one stands in its place.
        """
        said = Said(self._settings.collection)
        answer = self._read(row, wanted, said, body)
        tags = self._session.tags(row)
        if tags is None:
            raise Retryable(Code.BUSY, self._settings.collection)
        if answer.get("MissingMeta"):
            raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{self._settings.collection} (metadata that cannot be read)")
        headers = {name: answer[name] for name in _CARRIED if answer.get(name)}
        for name, value in self._of_headers(wanted).items():
            if headers.get(HEADERS[name]) is not None:
                headers[HEADERS[name]] = value
        names = self._places.metadata
        metadata = {**answer.get("Metadata", {})}
        metadata |= {names[one]: wanted[one] or "" for one in wanted if names.get(one) in metadata}
        if tags := {**tags, **self._tags(tags, wanted)}:
            headers["Tagging"] = urlencode(tags)
        return Written(answer["ETag"], {**headers, "Metadata": metadata})

    def _look_at_tags(self, draft: Draft, row: Row, wanted: Wanted) -> None:
        names = {name for name in wanted if name in self._places.tags}
        tags = (self._session.tags(row) or {}) if names else {}
        said = draft.said.setdefault(row, Said(self._settings.collection))
        differs = False
        for name in names:
            if (there := tags.get(self._places.tags[name])) is not None:
                differs |= said.note(name, there or None, wanted[name] or None)
                draft.found.add(row)
        if differs:
            draft.tags.append((row, {**tags, **self._tags(tags, wanted)}))

    def _tags(self, tags: Mapping[str, str], wanted: Wanted) -> Mapping[str, str]:
        """The tags that are to say something else."""
        names = self._places.tags
        return {names[one]: value or "" for one, value in wanted.items() if names.get(one) in tags}

    def _look_inside(self, draft: Draft, row: Row, wanted: Wanted) -> None:
        headers, inside = self._of_headers(wanted), self._cells(row.key, wanted)
        if not (inside or headers or any(name in self._places.metadata for name in wanted)):
            return
        said = Said(self._settings.collection)
        if row.latest:
            self._read(row, wanted, said, None)
            if said.fields:
                draft.found.add(row)
            draft.current = row if said.differs else None
        elif self._says_otherwise(row, wanted, said):
            draft.older.append(row)
            draft.found.add(row)
        known = draft.said[row]
        for name, values in said.old.items():
            known.old.setdefault(name, {}).update(values)

    def _says_otherwise(self, row: Row, wanted: Wanted, said: Said) -> bool:
        """Whether an older version says something else; one that cannot be read may."""
        try:
            self._read(row, wanted, said, None)
        except Retryable as error:
            if error.code is not Code.BUSY:
                raise
            return False  # it is gone
        except NeedsHuman as error:
            if error.code not in {Code.SHAPE, Code.ARCHIVED, Code.VALUE, Code.NOT_RECTIFIABLE, Code.TOO_LARGE}:
                raise
            return True
        return said.differs

    def _read(self, row: Row, wanted: Wanted, said: Said, body: Sealed | None) -> Mapping[str, Any]:
        """Read a version, into `body` as it is to be, and note what it says; what else is known of it."""
        cells = self._cells(row.key, wanted)
        whole = body is not None or bool(cells)
        if whole and row.storage_class in ARCHIVES:
            raise NeedsHuman(Code.ARCHIVED, self._settings.collection)
        answer = self._session.get(row) if whole else self._session.head(row)
        if answer is None:
            raise Retryable(Code.BUSY, self._settings.collection)
        for name, value in wanted.items():
            there = answer.get("Metadata", {}).get(self._places.metadata.get(name))
            if there is not None:
                said.note(name, there or None, value or None)
        for name, value in self._of_headers(wanted).items():
            if (there := answer.get(HEADERS[name])) is not None:
                said.note(name, there, value)
        if whole:
            self._through(row, answer, cells, said, body)
        return answer

    def _through(
        self, row: Row, answer: Mapping[str, Any], cells: Sequence[Cell], said: Said, body: Sealed | None
    ) -> None:
        pieces = self._session.chunks(answer, PIECE)
        misshapen = False
        try:
            for number, piece in enumerate(rewrite_of(row.key)(pieces, cells, said) if cells else pieces):
                if number % _BEATS_EACH == _BEATS_EACH - 1:
                    self._beat()
                if body is not None:
                    body.write(piece)
        except Misshapen:
            misshapen = True
        finally:
            pieces.close()
        if misshapen:
            raise NeedsHuman(Code.SHAPE, self._settings.collection)

    def _cells(self, key: str, wanted: Wanted) -> list[Cell]:
        return [Cell(name, path, wanted[name]) for name, path in self._places.of(key).items() if name in wanted]

    @staticmethod
    def _of_headers(wanted: Wanted) -> Wanted:
        return {name: value for name, value in wanted.items() if name in HEADERS}
