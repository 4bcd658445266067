"""The bag: a BagIt 1.0 folder (RFC 8493) streamed into a ZIP that may not be read back while it is written.

The one rule: the same files at the same moment give the same bytes, so that a parcel's digest can be found again.
"""

import hashlib
import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Self

from activities.sealing import SealedWriter
from activities.spool import LEVEL, Sums, manifest

BEAT_EVERY: Final = 1024 * 1024
"""Bytes between two signs of life: some hundredths of a second."""
GATHER: Final = 64 * 1024
"""Bytes that are gathered before they are digested and sealed: a ZIP is written in many small pieces."""
MANIFEST: Final = "manifest-sha256.txt"


@dataclass(frozen=True, slots=True)
class Filed:
    """A file that stands in the bag."""

    path: str
    size: int
    digest: str
    """SHA-256, hex."""


class _Digesting:
    """Takes the ZIP's bytes on their way to the seal."""

    def __init__(self, out: SealedWriter) -> None:
        self._out = out
        self._waiting = bytearray()
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self._waiting += data
        if len(self._waiting) >= GATHER:
            self.flush()
        return len(data)

    def flush(self) -> None:
        self.sha256.update(self._waiting)
        self.size += len(self._waiting)
        self._out.write(self._waiting)
        self._waiting.clear()

    def close(self) -> None:
        self.flush()


class Bag:
    """A bag that is being written. Use it as a context manager, and `finish` it."""

    def __init__(self, out: SealedWriter, folder: str, at: datetime, beat: Callable[[], None]) -> None:
        self._sink = _Digesting(out)
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._folder = folder
        self._at = at.astimezone(UTC).timetuple()[:6]
        self._beat = beat
        self._unbeaten = 0
        self.payload: list[Filed] = []
        self.tags: list[Filed] = []
        """What stands beside the payload, once the bag is finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._sink.close()

    @property
    def size(self) -> int:
        """Bytes of the ZIP so far."""
        return self._sink.size

    @property
    def digest(self) -> str:
        """SHA-256 of the ZIP so far, hex; of all of it once the context is left."""
        return self._sink.sha256.hexdigest()

    def add(self, path: str, chunks: Iterable[bytes], most: int) -> Filed:
        """Stream a payload file, ``data/...``, into the bag.

        `most` is what it may come to in bytes: a ZIP entry has to say at its start whether it may pass 2 GiB.
        """
        filed = self._write(path, chunks, most)
        self.payload.append(filed)
        return filed

    def hand_on(self, path: str, pieces: Iterable[bytes], sums: Sums) -> Filed:
        """Put a payload file into the bag that was deflated, digested and counted before."""
        info = self._info(path)
        info.CRC, info.file_size, info.compress_size = sums.crc, sums.size, sums.deflated
        out = self._zip.fp
        if out is None:
            raise RuntimeError("the bag is closed")
        info.header_offset = out.tell()
        out.write(info.FileHeader())
        for piece in pieces:
            out.write(piece)
            self.passed(len(piece))
        # What the library does itself behind a file that it has deflated.
        self._zip.filelist.append(info)
        self._zip.NameToInfo[info.filename] = info
        self._zip.start_dir = out.tell()
        filed = Filed(path, sums.size, sums.digest)
        self.payload.append(filed)
        return filed

    def passed(self, size: int) -> None:
        """Note that so many bytes were worked on, and give a sign of life now and then."""
        self._unbeaten += size
        if self._unbeaten >= BEAT_EVERY:
            self._unbeaten = 0
            self._beat()

    def finish(self, info: Mapping[str, str], day: date) -> None:
        """Write the tag files: what the bag is, and the digest of every file."""
        size = sum(filed.size for filed in self.payload)
        fields = {
            **info,
            "Bagging-Date": day.isoformat(),
            "Payload-Oxum": f"{size}.{len(self.payload)}",
        }
        tags = {
            "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
            # A value is one line: what a deployment writes about itself may hold line ends.
            "bag-info.txt": "".join(f"{k}: {' '.join(v.split())}\n" for k, v in fields.items()),
            MANIFEST: manifest((filed.path, filed.digest) for filed in self.payload),
        }
        written = [self._write(path, [text.encode()], len(text)) for path, text in tags.items()]
        tagged = manifest((filed.path, filed.digest) for filed in written)
        self.tags = [*written, self._write(f"tag{MANIFEST}", [tagged.encode()], len(tagged))]

    def _write(self, path: str, chunks: Iterable[bytes], most: int) -> Filed:
        info = self._info(path)
        info.file_size = most
        size, digest = 0, hashlib.sha256()
        with self._zip.open(info, "w") as file:
            for chunk in chunks:
                size += file.write(chunk)
                digest.update(chunk)
                self.passed(len(chunk))
        return Filed(path, size, digest.hexdigest())

    def _info(self, path: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(f"{self._folder}/{path}", self._at)
        info.compress_type = zipfile.ZIP_DEFLATED
        info._compresslevel = LEVEL  # type: ignore[attr-defined]  # public only from Python 3.13 on
        info.external_attr = (stat.S_IFREG | 0o600) << 16
        info.create_system = 3  # Unix, on any machine
        return info
