"""A manifest: an object of the bucket that says which keys belong to whom, as CSV with a header or as JSON Lines.

The one rule: it is read to its end or not at all. A manifest that is cut short, or has a line that is none, would hide
people, so it is an error.
"""

import codecs
import csv
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

from connectors.errors import NeedsHuman
from connectors.s3.session import Session
from connectors.s3.settings import Settings
from rights.codes import Code
from rights.datamap import Field
from rights.subject import Identity, Sharing

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A key that the manifest names for the person."""

    key: str = attribute(repr=False)
    certain: bool
    """By an identity that one person alone has."""
    fields: Mapping[str, str] = attribute(repr=False)
    """What the manifest says of identities, by field."""


class Manifest:
    """Looks for a person's identities in a manifest."""

    def __init__(self, settings: Settings, fields: Mapping[str, Field], identities: tuple[Identity, ...]) -> None:
        self._settings = settings
        self._fields = {name: fields[name] for name in settings.manifest_fields}
        self._wanted: dict[str, dict[str, Sharing]] = {}
        for name, about in self._fields.items():
            for identity in identities:
                sharing = {Sharing(about.sharing), identity.sharing}
                if identity.kind == about.identity and Sharing.HINT not in sharing:
                    known = self._wanted.setdefault(name, {})
                    value = comparable(about, identity.value)
                    shared = Sharing.SHARED in sharing and known.get(value) is not Sharing.UNIQUE
                    known[value] = Sharing.SHARED if shared else Sharing.UNIQUE

    def entries(self, session: Session, beat: Callable[[], None]) -> Iterator[Entry]:
        """The keys that it names for these identities. One that it names for somebody else as well is a question.

        Raises:
            NeedsHuman: there is no such object, or it is not what the map says.
        """
        found: dict[str, Entry] = {}
        for record in self._read(session, beat) if self._wanted else ():
            entry = self._entry(record)
            if entry is not None and (entry.certain or entry.key not in found):
                found[entry.key] = entry
        if found:
            for record in self._read(session, beat):
                key = record.get(self._settings.manifest_key)
                if isinstance(key, str) and key in found and self._entry(record) is None:
                    found[key] = replace(found[key], certain=False)
        yield from found.values()

    def _read(self, session: Session, beat: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
        answer = session.open(self._settings.manifest)
        if answer is None:
            raise NeedsHuman(Code.SCHEMA, self._settings.collection)
        return self._records(_lines(session.chunks(answer, CHUNK), beat))

    def _entry(self, record: Mapping[str, Any]) -> Entry | None:
        if any(name not in record for name in (self._settings.manifest_key, *self._fields)):
            raise NeedsHuman(Code.SCHEMA, self._settings.collection)
        values = {name: _text(record[name]) for name in self._fields}
        matches = {
            self._wanted[name].get(comparable(self._fields[name], values[name]))
            for name in self._wanted
            if values[name]
        }
        key = record[self._settings.manifest_key]
        if not matches - {None} or key == self._settings.manifest:
            return None
        if not isinstance(key, str) or not key:
            raise NeedsHuman(Code.SHAPE, self._settings.collection)
        return Entry(key, Sharing.UNIQUE in matches, values)

    def _records(self, lines: Iterator[str]) -> Iterator[Mapping[str, Any]]:
        wrong = False
        try:
            if self._settings.manifest_format == "csv":
                yield from csv.DictReader(lines, strict=True, restval=None)
            else:
                for line in lines:
                    if line.strip():
                        record = json.loads(line)
                        wrong = not isinstance(record, dict)
                        if wrong:
                            break
                        yield record
        except (ValueError, csv.Error):
            wrong = True
        if wrong:
            raise NeedsHuman(Code.SHAPE, self._settings.collection)


def comparable(about: Field, value: str) -> str:
    """One form for all ways to write a value."""
    value = unicodedata.normalize("NFC", value)
    return value.casefold() if about.casefold else value


def _text(value: object) -> str:
    """Numbers are written as numbers in JSON; nothing is nobody's."""
    if value is None or isinstance(value, bool | float | list | dict):
        return ""
    return str(value)


def _lines(chunks: Iterator[bytes], beat: Callable[[], None]) -> Iterator[str]:
    """Text by line, line ends and all; a line end within a CSV field is put together again by its reader."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    rest = ""
    for chunk in chunks:
        beat()
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (f"{line}\n" for line in whole)
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest
