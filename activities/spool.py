"""The spool: one system's exported files on their way into the parcel, framed inside one sealed stream.

The one rule: what the system gave is kept byte for byte; only a missing line end behind the last JSON line is added.

A frame is a kind (1 byte), a size (4 bytes, big-endian) and a body: F opens a file and names it (JSON), Z holds data of
the file opened last, deflated as it will stand in the parcel, and E ends it and sums it up. The seal says where the
spool ends.
"""

import hashlib
import json
import re
import struct
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import BinaryIO, Final

from isal import isal_zlib

from activities.sealing import SealedWriter
from connectors.protocol import Export
from rights.datamap import NAME

JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
ENDINGS: Final = {JSON_LINES: ".jsonl", CSV: ".csv"}
CHUNK: Final = 64 * 1024
"""Bytes that are deflated and digested together, and about as many in a data frame. A database's driver gives a row at
a time; doing it for each would cost more than the row."""
MOST: Final = 4 * CHUNK
"""Bytes of a page that is taken as it comes."""
LEVEL: Final = 1
"""Of deflating: JSON lines and CSV shrink to a fifth, at a quarter of what the standard library takes for as much."""
_HEAD: Final = struct.Struct(">cI")
_FILE: Final = b"F"
_DATA: Final = b"Z"
_END: Final = b"E"
_SUMS: Final = struct.Struct(">QQIQ32s")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)", re.IGNORECASE)
"""Names under which Windows cannot write a file."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]+")
LONGEST: Final = 60
"""Characters of a named file's own name in the bag: the whole path has to fit into the 260 that Windows takes."""
_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


class BadExport(Exception):
    """A connector gave what no parcel can hold; the text names system and collection, never a value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a spool."""

    collection: str
    media_type: str
    stem: str
    """The file's name without its ending: the collection's, unless it would clash on some machine."""

    name: str = field(default="", repr=False)
    """What the system calls a file that has a name of its own."""
    kept_as: str = ""
    """What such a file is called in the bag; empty for the collection's table."""

    def file(self, media_type: str) -> str:
        """The collection's table of a type."""
        return self.stem + ENDINGS[media_type]

    @property
    def path(self) -> str:
        """Where this file stands in the system's folder."""
        return f"{self.stem}/files/{self.kept_as}" if self.kept_as else self.file(self.media_type)

    def listing(self, media_type: str) -> str:
        """Where the list of the collection's named files stands in the system's folder."""
        return f"{self.stem}/files{ENDINGS[media_type]}"

    def listed(self, size: int, digest: str) -> bytes:
        """This named file's line in that list; half a surrogate pair becomes the JSON escape that it is."""
        line = {"file": f"files/{self.kept_as}", "name": self.name, "media_type": self.media_type}
        return _json({**line, "bytes": size, "sha256": digest}) + b"\n"


@dataclass(frozen=True, slots=True)
class Sums:
    """What a whole file comes to."""

    size: int
    """Bytes."""
    deflated: int
    """Bytes once deflated."""
    crc: int
    lines: int
    """Line ends of JSON lines; 0 for other files."""
    digest: str
    """SHA-256, hex."""


@dataclass(frozen=True, slots=True)
class SpoolResult:
    """What one system gave."""

    rows: dict[str, int]
    """Per collection, counted by the line ends of its JSON lines."""
    size: int
    """Bytes of all files."""
    digest: str
    """SHA-256, hex, over the lines that the bag's manifest will hold for this system's .jsonl files and named files."""


def file_name(name: str, taken: Iterable[str] = ()) -> str:
    """A name that makes a file on any machine: not reserved, and not one of `taken` in other upper and lower case."""
    plain = "_" + name if _RESERVED.match(name) else name
    lowered = {other.lower() for other in taken}
    candidate, number = plain, 2
    while candidate.lower() in lowered:
        candidate, number = f"{plain}-{number}", number + 1
    return candidate


def kept_as(number: int, name: str) -> str:
    """A file's name in the bag: its number, then what can be kept of the last part of its own name.

    Plain ASCII, so that every unpacker writes the same name; the list beside the table has the name as it was.
    """
    parts = (part for part in reversed(re.split(r"[/\\]", name)) if part.strip(". "))
    # Cut before it is looked at: a name may have any length. The ending tells programs what is in the file.
    last = next(parts, "")
    ending = _ENDING.search(last[-9:])
    end = ending[0] if ending else ""
    letters = unicodedata.normalize("NFKD", last.removesuffix(end)[: 4 * LONGEST])
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    safe = _UNSAFE.sub("_", plain)[: LONGEST - len(end)].strip("._-") + end
    return f"{number:05}-{safe}" if safe else f"{number:05}"


def payload_path(system: str, file: str) -> str:
    """Where a file of a system stands in the bag."""
    return f"data/{file_name(system)}/{file}"


def digest_of(files: Iterable[tuple[str, str]]) -> str:
    """The digest of a system's export, over manifest lines: path in the bag and SHA-256 of .jsonl and named files."""
    return hashlib.sha256(manifest(files).encode()).hexdigest()


def manifest(files: Iterable[tuple[str, str]]) -> str:
    """A BagIt manifest of (path, digest). Our paths are plain ASCII, so that nothing in them needs encoding."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(files))


def fill(out: SealedWriter, system: str, exports: Iterable[Export], beat: Callable[[], None]) -> SpoolResult:
    """Stream exports into a spool.

    Raises:
        BadExport: an export has a name or type that a parcel cannot hold, comes twice, or lacks its JSON lines.
    """
    desk = _Desk(system)
    lists: dict[str, hashlib._Hash] = {}
    rows: dict[str, int] = {}
    lines: list[tuple[str, str]] = []
    size = 0
    for export in exports:
        entry = desk.entry(export)
        table = entry.media_type == JSON_LINES and not entry.kept_as
        body = _json(asdict(entry))
        out.write(_HEAD.pack(_FILE, len(body)) + body)
        beat()
        sums = _write(out, _chunks(export.pages, lines=table), beat, lines=table)
        size += sums.size
        if table:
            rows[entry.collection] = sums.lines
        if entry.kept_as:
            listing = payload_path(system, entry.listing(JSON_LINES))
            lists.setdefault(listing, hashlib.sha256()).update(entry.listed(sums.size, sums.digest))
        if table or entry.kept_as:
            lines.append((payload_path(system, entry.path), sums.digest))
    for collection in desk.stems:
        if collection not in rows:
            raise BadExport(f"{system}.{collection}: the connector gave files but no JSON lines")
    lines += ((path, listing.hexdigest()) for path, listing in lists.items())
    return SpoolResult(rows=rows, size=size, digest=digest_of(lines))


def files_in(spool: BinaryIO) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """The files of a spool, each with its deflated data in pieces; a file's pieces that were not taken are passed
    over."""
    kind, size = _head(spool)
    while kind == _FILE:
        entry = Entry(**json.loads(spool.read(size)))
        kind, size = _head(spool)

        def pieces() -> Iterator[bytes]:
            nonlocal kind, size
            while kind == _DATA:
                yield spool.read(size)
                kind, size = _head(spool)

        rest = pieces()
        yield entry, rest
        for _ in rest:
            pass
        spool.read(size)
        kind, size = _head(spool)


def sums_in(spool: BinaryIO, passed: Callable[[int], None]) -> dict[Entry, Sums]:
    """The files of a spool and what each comes to. `passed` is told of the bytes that were passed over."""
    sums: dict[Entry, Sums] = {}
    opened: list[Entry] = []
    kind, size = _head(spool)
    while kind:
        body = spool.read(size)
        if kind == _FILE:
            opened.append(Entry(**json.loads(body)))
        elif kind == _END:
            whole, deflated, crc, lines, digest = _SUMS.unpack(body)
            sums[opened[-1]] = Sums(whole, deflated, crc, lines, digest.hex())
        passed(size)
        kind, size = _head(spool)
    return sums


class Inflating:
    """A file's data again, out of its deflated pieces as they come."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def plain(self, piece: bytes) -> Iterator[bytes]:
        """What one more piece holds, in chunks: a small piece may hold very much."""
        chunk = self._stream.decompress(piece, CHUNK)
        while chunk:
            yield chunk
            chunk = self._stream.decompress(self._stream.unconsumed_tail, CHUNK)


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A file's data, in chunks."""
    inflating = Inflating()
    for piece in pieces:
        yield from inflating.plain(piece)


def _write(out: SealedWriter, chunks: Iterable[bytes], beat: Callable[[], None], *, lines: bool) -> Sums:
    """Write a file's data, deflated, and its sums."""
    deflate = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -zlib.MAX_WBITS)
    digest, size, deflated, crc, newlines = hashlib.sha256(), 0, 0, 0, 0
    waiting = bytearray()

    def frame() -> None:
        nonlocal deflated
        out.write(_HEAD.pack(_DATA, len(waiting)))
        out.write(waiting)
        deflated += len(waiting)
        waiting.clear()

    for chunk in chunks:
        waiting += deflate.compress(chunk)
        digest.update(chunk)
        crc = zlib.crc32(chunk, crc)
        newlines += chunk.count(b"\n") if lines else 0
        size += len(chunk)
        if len(waiting) >= CHUNK:
            frame()
        beat()
    waiting += deflate.flush()
    frame()
    out.write(_HEAD.pack(_END, _SUMS.size) + _SUMS.pack(size, deflated, crc, newlines, digest.digest()))
    return Sums(size, deflated, crc, newlines, digest.hexdigest())


def _head(spool: BinaryIO) -> tuple[bytes, int]:
    head = spool.read(_HEAD.size)
    return _HEAD.unpack(head) if head else (b"", 0)


def _json(body: dict[str, object]) -> bytes:
    """JSON of any text, also of one that is no UTF-8."""
    return json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")


class _Desk:
    """Names the files of a system as they come; all files of a collection share its stem."""

    def __init__(self, system: str) -> None:
        self.stems: dict[str, str] = {}
        self._system = system
        self._tables: set[tuple[str, str]] = set()
        self._named: Counter[str] = Counter()

    def entry(self, export: Export) -> Entry:
        name, media_type = export.collection, export.media_type
        if not NAME.match(name):
            raise BadExport(f"{self._system}: the connector gave a collection whose name no data map could have")
        if export.name:
            self._named[name] += 1
            kept = kept_as(self._named[name], export.name)
            return Entry(name, media_type, self._stem(name), export.name, kept)
        if media_type not in ENDINGS:
            raise BadExport(f"{self._system}.{name}: a table in a parcel is {' or '.join(ENDINGS)}")
        if (name, media_type) in self._tables:
            raise BadExport(f"{self._system}.{name}: the connector gave {media_type} twice")
        self._tables.add((name, media_type))
        return Entry(name, media_type, self._stem(name))

    def _stem(self, name: str) -> str:
        if name not in self.stems:
            # The folder of a collection `a.csv` must not stand where the table of a collection `a` does.
            plain = f"{name}_" if name.lower().endswith(tuple(ENDINGS.values())) else name
            self.stems[name] = file_name(plain, self.stems.values())
        return self.stems[name]


def _chunks(pages: Iterable[bytes], *, lines: bool) -> Iterator[bytes]:
    """Gather pages of any size into chunks; a last line without a line end gets one, so that it counts."""
    waiting, end = bytearray(), b"\n"
    for page in pages:
        if not waiting and CHUNK <= len(page) <= MOST:
            end = page[-1:]
            yield page
            continue
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
