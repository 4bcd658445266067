"""Unpacking an archive that a stranger has sent.

The one rule: only what the manifest names is written, under a name that was checked before the archive was opened, and
never more bytes than it was said to have. The archive's own words about names and sizes decide nothing.
"""

import hashlib
import os
import stat
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from rights.transfer import Manifest, Part
from starter.receiving.rows import Reader, RowsError, Schema

CHUNK: Final = 256 * 1024
ENTRY_MOST: Final = 2048
"""Bytes of a file's entry in the directory: its name, of at most 1,200 characters, and what says where it stands."""
SCHEMA_MOST: Final = 4 << 20
_WAYS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class ArchiveError(ValueError):
    """The archive is not what its manifest says, or may do harm. Never quotes a name that came with it."""


def unpack(archive: Path, manifest: Manifest, into: Path) -> int:
    """Write an archive's files below a directory that is made for it; the rows of its tables.

    Raises:
        ArchiveError: it is not what the manifest says.
    """
    wanted = {f"{manifest.folder}/{part.path}": part for part in manifest.files}
    try:
        _short_directory(archive, len(wanted))
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            if len(entries) != len(wanted) or {entry.filename for entry in entries} != wanted.keys():
                raise ArchiveError("the archive has other files than its manifest says")
            for entry in entries:
                _plain(entry)
            schemas = {
                path: Schema(_read(packed, f"{manifest.folder}/{schema}", wanted))
                for path, schema in manifest.schemas.items()
            }
            into.mkdir(mode=0o700)
            return sum(_write(packed, name, part, into, schemas.get(part.path)) for name, part in wanted.items())
    except RowsError as error:
        raise ArchiveError(str(error)) from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error):
        raise ArchiveError("the archive cannot be read") from None


def _short_directory(archive: Path, files: int) -> None:
    """The directory at the archive's end is read as a whole before anything in it can be looked at."""
    with archive.open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # as the library itself finds it
    if end is None or end[5] > ENTRY_MOST * files:
        raise ArchiveError("the archive has other files than its manifest says")


def _plain(entry: zipfile.ZipInfo) -> None:
    """An ordinary file, packed in an ordinary way."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.is_dir() or kind not in {0, stat.S_IFREG}:
        raise ArchiveError("the archive holds something that is no plain file")
    if entry.flag_bits & 0x1 or entry.compress_type not in _WAYS:
        raise ArchiveError("the archive is packed in a way that is not read here")


def _read(packed: zipfile.ZipFile, name: str, wanted: dict[str, Part]) -> bytes:
    if wanted[name].size > SCHEMA_MOST:
        raise ArchiveError("a schema is longer than any should be")
    with packed.open(name) as file:
        return file.read(SCHEMA_MOST + 1)


def _write(packed: zipfile.ZipFile, name: str, part: Part, into: Path, schema: Schema | None) -> int:
    """One file, compared with its manifest as it comes; its rows, if it is a table."""
    target = into.joinpath(*part.path.split("/"))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size, reader = hashlib.sha256(), 0, Reader(schema) if schema else None
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with packed.open(name) as file, os.fdopen(handle, "wb") as out:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            if size > part.size:
                raise ArchiveError("a file is longer than the manifest says")
            digest.update(chunk)
            out.write(chunk)
            if reader:
                reader.take(chunk)
        out.flush()
        os.fsync(out.fileno())
    if (size, digest.hexdigest()) != (part.size, part.sha256):
        raise ArchiveError("a file is not the one that the manifest names")
    if reader is None:
        return 0
    reader.end()
    return reader.rows


def sync(folder: Path) -> None:
    """See to it that a directory's entries are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
