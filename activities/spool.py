"""The spool: one system's exported files on their way into the parcel, framed inside one sealed stream.

The one rule: what the system gave is kept byte for byte; only a missing line end behind the last JSON line is added.

A frame is a kind (1 byte), a size (4 bytes, big-endian) and a body: F opens a file and names it (JSON), D holds data of
the file opened last. The seal says where the spool ends.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

import orjson

from activities.sealing import SealedWriter
from connectors.protocol import Export
from rights.datamap import NAME

JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
ENDINGS: Final = {JSON_LINES: ".jsonl", CSV: ".csv"}
CHUNK: Final = 64 * 1024
"""Bytes in a data frame. A database's driver gives a row at a time; framing each would cost more than the row."""
_HEAD: Final = struct.Struct(">cI")
_FILE: Final = b"F"
_DATA: Final = b"D"
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)", re.IGNORECASE)
"""Names under which Windows cannot write a file."""


class BadExport(Exception):
    """A connector gave what no parcel can hold; the text names system and collection, never a value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a spool."""

    collection: str
    media_type: str
    stem: str
    """The file's name without its ending: the collection's, unless it would clash on some machine."""

    def file(self, media_type: str) -> str:
        """The collection's file of a type."""
        return self.stem + ENDINGS[media_type]


@dataclass(frozen=True, slots=True)
class SpoolResult:
    """What one system gave."""

    rows: dict[str, int]
    """Per collection, counted by the line ends of its JSON lines."""
    size: int
    """Bytes of all files."""
    digest: str
    """SHA-256, hex, over the lines that the bag's manifest will hold for this system's .jsonl files."""


def file_name(name: str, taken: Iterable[str] = ()) -> str:
    """A name that makes a file on any machine: not reserved, and not one of `taken` in other upper and lower case."""
    plain = "_" + name if _RESERVED.match(name) else name
    lowered = {other.lower() for other in taken}
    candidate, number = plain, 2
    while candidate.lower() in lowered:
        candidate, number = f"{plain}-{number}", number + 1
    return candidate


def payload_path(system: str, file: str) -> str:
    """Where a file of a system stands in the bag."""
    return f"data/{file_name(system)}/{file}"


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """The digest of a system's export, from path in the bag and SHA-256 of its .jsonl files: over manifest lines."""
    return hashlib.sha256(manifest(files).encode()).hexdigest()


def manifest(files: Iterable[tuple[str, str]]) -> str:
    """A BagIt manifest of (path, digest). Our paths are plain ASCII, so that nothing in them needs encoding."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(files))


def fill(out: SealedWriter, system: str, exports: Iterable[Export], beat: Callable[[], None]) -> SpoolResult:
    """Stream exports into a spool.

    Raises:
        BadExport: an export has a name or type that a parcel cannot hold, comes twice, or lacks its JSON lines.
    """
    files: dict[tuple[str, str], Entry] = {}
    rows: dict[str, int] = {}
    lines: list[tuple[str, str]] = []
    size = 0
    for export in exports:
        entry = _entry(system, export, files)
        files[entry.collection, entry.media_type] = entry
        body = orjson.dumps(entry)
        out.write(_HEAD.pack(_FILE, len(body)) + body)
        digest, newlines = hashlib.sha256(), 0
        for chunk in _chunks(export.pages, lines=entry.media_type == JSON_LINES):
            out.write(_HEAD.pack(_DATA, len(chunk)))
            out.write(chunk)
            digest.update(chunk)
            newlines += chunk.count(b"\n")
            size += len(chunk)
            beat()
        if entry.media_type == JSON_LINES:
            rows[entry.collection] = newlines
            lines.append((payload_path(system, entry.file(JSON_LINES)), digest.hexdigest()))
    for collection, _ in files:
        if collection not in rows:
            raise BadExport(f"{system}.{collection}: the connector gave CSV but no JSON lines")
    return SpoolResult(rows=rows, size=size, digest=digest_of(lines))


def files_in(spool: BinaryIO) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """The files of a spool, each with its data in chunks; a file's chunks that were not taken are passed over."""
    kind, size = _head(spool)
    while kind == _FILE:
        entry = Entry(**orjson.loads(spool.read(size)))
        kind, size = _head(spool)

        def chunks() -> Iterator[bytes]:
            nonlocal kind, size
            while kind == _DATA:
                yield spool.read(size)
                kind, size = _head(spool)

        rest = chunks()
        yield entry, rest
        for _ in rest:
            pass


def _head(spool: BinaryIO) -> tuple[bytes, int]:
    head = spool.read(_HEAD.size)
    return _HEAD.unpack(head) if head else (b"", 0)


def _entry(system: str, export: Export, files: Mapping[tuple[str, str], Entry]) -> Entry:
    """Name an export's file; the two files of a collection share their stem."""
    name, media_type = export.collection, export.media_type
    if not NAME.match(name):
        raise BadExport(f"{system}: the connector gave a collection whose name no data map could have")
    if media_type not in ENDINGS:
        raise BadExport(f"{system}.{name}: a parcel holds {' and '.join(ENDINGS)} only")
    if (name, media_type) in files:
        raise BadExport(f"{system}.{name}: the connector gave {media_type} twice")
    stems = {entry.collection: entry.stem for entry in files.values()}
    stem = stems[name] if name in stems else file_name(name, stems.values())
    return Entry(collection=name, media_type=media_type, stem=stem)


def _chunks(pages: Iterable[bytes], *, lines: bool) -> Iterator[bytes]:
    """Gather pages of any size into chunks; a last line without a line end gets one, so that it counts."""
    waiting, end = bytearray(), b"\n"
    for page in pages:
        waiting += page
        while len(waiting) >= CHUNK:
            chunk = bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
            end = chunk[-1:]
            yield chunk
    end = bytes(waiting[-1:]) or end
    if lines and end != b"\n":
        waiting += b"\n"
    if waiting:
        yield bytes(waiting)
