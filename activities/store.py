"""Where parcels lie: a few verbs over names, so that a bucket can stand in for the directory.

The one rule: under a name stands a whole file or nothing. A crash, a full disk or an overtaken attempt leaves what was
there before.
"""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol


class StoreError(Exception):
    """A file cannot be kept or found; the text holds names of files, which are never personal."""


class StoreFull(StoreError):
    """There is no room left."""


class NotStored(StoreError):
    """There is nothing under this name."""


class Sink(Protocol):
    """What is written to."""

    def write(self, data: bytes, /) -> int:
        """Take all of it."""


class Source(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """Give exactly so many bytes, fewer only at the end."""

    def seek(self, offset: int, /) -> int:
        """Go back; only ever to 0. What is read then is the same file, also if its name has been written again."""


class Store(Protocol):
    """Keeps files by name. A name is `<request id>/<file>` in lower-case ASCII."""

    def write(self, name: str) -> AbstractContextManager[Sink]:
        """Write a file, or write it again. It stands there, durably, once the block is left without an error.

        Raises:
            StoreFull: there is no room left.
            StoreError: a later attempt at the same name has taken over.
        """

    def read(self, name: str) -> AbstractContextManager[Source]:
        """Read a file from its start.

        Raises:
            NotStored: there is none.
        """

    def exists(self, name: str) -> bool:
        """Whether a whole file stands there."""

    def delete(self, name: str) -> None:
        """Take a file away, and what unfinished attempts at it left; no error if there is none."""


_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63}(\.[a-z]{1,8}){1,3}\Z")
_FULL: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,  # past a limit on a file's size (ulimit -f)
}


class FileStore:
    """A directory, private to the user who runs the worker: directories 0700, files 0600."""

    def __init__(self, path: Path) -> None:
        self._root = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def write(self, name: str) -> Iterator[Sink]:
        path = self._path(name)
        try:
            path.parent.mkdir(mode=0o700)
        except FileExistsError:
            pass
        else:
            _sync(self._root)
        with replacing(path) as file:
            yield file

    @contextmanager
    def read(self, name: str) -> Iterator[Source]:
        try:
            file = self._path(name).open("rb")
        except FileNotFoundError:
            raise NotStored(f"there is no {name} in the parcel store") from None
        with file:
            yield file

    def exists(self, name: str) -> bool:
        return self._path(name).is_file()

    def delete(self, name: str) -> None:
        path = self._path(name)
        if path.parent.is_dir():
            path.unlink(missing_ok=True)
            _clear(path)
            with contextlib.suppress(OSError):  # other files of the request are still there
                path.parent.rmdir()

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise ValueError(f"{name[:80]!r} is not a name of the parcel store")
        return self._root / name


@contextmanager
def replacing(path: Path) -> Iterator[Sink]:
    """Write a file beside `path` and put it in place, whole and durable (0600), once the block ends without an error.

    The newest attempt wins: it sweeps away what earlier ones left unfinished, and one that is still at work then fails.

    Raises:
        StoreFull: there is no room left.
        StoreError: a later attempt has taken over.
    """
    _clear(path)
    part = f"{_prefix(path)}{secrets.token_hex(8)}.part"
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
        os.replace(part, path)
        _sync(path.parent)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise StoreFull(f"there is no room left to write {path.name}: free some, then try again") from None
        if isinstance(error, FileNotFoundError) and error.filename == part:
            raise StoreError(f"a later attempt at {path.name} has taken over") from None
        raise


def _prefix(path: Path) -> str:
    """What the files of unfinished attempts begin with."""
    return f"{path.parent}/.{path.name}."


def _clear(path: Path) -> None:
    """Remove what unfinished attempts at a file left beside it."""
    prefix = os.path.basename(_prefix(path))
    for name in os.listdir(path.parent):
        if name.startswith(prefix) and name.endswith(".part"):
            Path(path.parent, name).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make a folder's entries durable; a rename alone is not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
