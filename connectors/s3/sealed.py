"""Bytes that are written once and then read as often as needed, in a file that nobody else can read.

The one rule: what is written may name people, so it is sealed with a key that only this object has, and the file has no
name. Memory holds a page of it.
"""

import secrets
import tempfile
import weakref
from collections.abc import Iterator
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.clock import steady_clock

PAGE: Final = 256 * 1024
"""Bytes that are sealed together."""
IN_MEMORY: Final = 4 * PAGE
"""Bytes up to which there is no file at all."""
_SEAL: Final = 16
"""Bytes by which a sealed page is longer."""


class Sealed:
    """A file of bytes. It is written first; once it is read nothing is added."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it is closed with this object
        # One that is never read to its end leaves nothing behind either.
        self.close = weakref.finalize(self, self._file.close)
        self._seal = AESGCM(secrets.token_bytes(32))
        self._rest = bytearray()
        self._pages = 0
        self.size = 0
        self._at = 0
        self._open: tuple[int, bytes] = (-1, b"")
        """The page that was read last, by its number."""

    def write(self, some: bytes) -> None:
        """Add to the end."""
        self._rest += some
        self.size += len(some)
        while len(self._rest) >= PAGE:
            self._put(bytes(self._rest[:PAGE]))
            del self._rest[:PAGE]

    def read(self, size: int = -1) -> bytes:
        """Bytes from where it stands, up to `size`; all that is left if that is negative."""
        end = self.size if size < 0 else min(self.size, self._at + size)
        found = bytearray()
        while self._at < end:
            number, start = divmod(self._at, PAGE)
            piece = self._page(number)[start : start + end - self._at]
            found += piece
            self._at += len(piece)
        return bytes(found)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Stand elsewhere, as files do."""
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def pages(self) -> Iterator[bytes]:
        """All of it, in pieces."""
        for number in range(-(-self.size // PAGE)):
            yield self._page(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, page: bytes) -> None:
        self._file.seek(0, 2)
        self._file.write(self._seal.encrypt(_nonce(self._pages), page, None))
        self._pages += 1

    def _page(self, number: int) -> bytes:
        if number == self._pages:
            return bytes(self._rest)
        if self._open[0] != number:
            self._file.seek(number * (PAGE + _SEAL))
            self._open = number, self._seal.decrypt(_nonce(number), self._file.read(PAGE + _SEAL), None)
        return self._open[1]


class Sending:
    """A body on its way, which ends at a deadline: what is cut off in the middle never takes effect."""

    def __init__(self, body: Sealed, deadline: float | None) -> None:
        self._body, self._deadline = body, deadline
        self.late = False
        self.seek, self.tell = body.seek, body.tell

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            TimeoutError: it is too late.
        """
        self.late = self._deadline is not None and steady_clock() > self._deadline
        if self.late:
            raise TimeoutError
        return self._body.read(size)


class Spool:
    """What an export is about to give, listed once: lines of text, read in their order as often as needed."""

    def __init__(self) -> None:
        self._file = Sealed()
        self.close = self._file.close

    def add(self, line: str) -> None:
        """Write a line, which has no line end in it."""
        self._file.write(line.encode() + b"\n")

    def __iter__(self) -> Iterator[str]:
        rest = b""
        for page in self._file.pages():
            *lines, rest = (rest + page).split(b"\n")
            yield from (line.decode() for line in lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _nonce(number: int) -> bytes:
    """Each page has its own, under a key that is used for one file alone."""
    return number.to_bytes(12, "big")
