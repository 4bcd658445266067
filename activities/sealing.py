"""The sealed stream: how a file of any size lies at rest, encrypted page by page.

The one rule: what comes out was put in, whole and in order, under this key and this label; anything else is
`SealBroken`.

A file is a header, then pages of 256 KiB of plaintext, the last one mostly shorter (an empty file is one empty page):

* header: 8 bytes of magic, the last of which is the version, and a random nonce prefix of 8 bytes;
* page: AES-256-GCM under nonce = prefix, page number (4 bytes, big-endian), with its tag of 16 bytes behind it; it
  authenticates header, page number, the mark of the last page and the label (the name it is stored under).
"""

import io
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from activities.store import Sink, Source, Store

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PAGE: Final = 256 * 1024
"""Bytes of plaintext in a page: large enough that encrypting costs next to nothing a byte, small enough to hold."""
KEY_BYTES: Final = 32
_MAGIC: Final = b"HABEAS\x00\x01"
_PREFIX_BYTES: Final = 8
"""A case's key seals some tens of files: the chance that a prefix comes twice is below 1 in 10^15."""
_HEADER_BYTES: Final = len(_MAGIC) + _PREFIX_BYTES
_TAG_BYTES: Final = 16


class SealBroken(Exception):
    """A sealed file was changed, cut or swapped with another, or this is not its key."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"the seal of {label} is broken: it was changed or cut, is another file, or this is not its key"
        )


class _Pages:
    """What writer and reader share: the key, and how a page's number, end mark and label enter its seal."""

    def __init__(self, key: bytes, header: bytes, label: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a parcel's key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)
        self._prefix = header[-_PREFIX_BYTES:]
        self._about = header + label.encode()
        self._number = 0

    def seal(self, page: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        nonce, about = self._next(last)
        return self._cipher.encrypt(nonce, page, about)

    def unseal(self, page: bytes, *, last: bool) -> bytes:
        nonce, about = self._next(last)
        return self._cipher.decrypt(nonce, page, about)

    def _next(self, last: bool) -> tuple[bytes, bytes]:
        # Past 4 bytes (a pebibyte) this raises struct.error rather than use a nonce twice.
        number = struct.pack(">I", self._number)
        self._number += 1
        return self._prefix + number, number + bytes([last]) + self._about


class SealedWriter:
    """Seals what is written, a page at a time. Without `finish` the file stays unfinished, and will not open."""

    def __init__(self, sink: Sink, key: bytes, label: str) -> None:
        header = _MAGIC + secrets.token_bytes(_PREFIX_BYTES)
        self._pages = _Pages(key, header, label)
        self._sink = sink
        self._waiting = bytearray()
        sink.write(header)

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Seal data of any size; returns its size."""
        view = memoryview(data)
        for start in range(0, len(view), PAGE):
            self._waiting += view[start : start + PAGE]
            # A full page waits until more comes: only then is it known not to be the last.
            if len(self._waiting) > PAGE:
                with memoryview(self._waiting) as waiting:
                    self._sink.write(self._pages.seal(waiting[:PAGE], last=False))
                del self._waiting[:PAGE]
        return len(view)

    def flush(self) -> None:
        """For those who expect a file; a page is written when it is full."""

    def finish(self) -> None:
        """Seal the last page as the last."""
        self._sink.write(self._pages.seal(self._waiting, last=True))
        self._waiting.clear()


class _SealedReader(io.RawIOBase):
    """Gives back what was sealed; the buffering is left to `io.BufferedReader`."""

    def __init__(self, source: Source, key: bytes, label: str) -> None:
        source.seek(0)
        header = source.read(_HEADER_BYTES)
        if len(header) != _HEADER_BYTES or not header.startswith(_MAGIC):
            raise SealBroken(label)
        self._pages = _Pages(key, header, label)
        self._source = source
        self._label = label
        self._ahead = source.read(PAGE + _TAG_BYTES)
        self._page = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer)
        if not self._page and not self._ended:
            self._page = memoryview(self._next_page())
        size = min(len(target), len(self._page))
        target[:size] = self._page[:size]
        self._page = self._page[size:]
        return size

    def _next_page(self) -> bytes:
        """The next page; nothing but an empty file's only page is empty."""
        sealed, self._ahead = self._ahead, b""
        if len(sealed) == PAGE + _TAG_BYTES:
            self._ahead = self._source.read(PAGE + _TAG_BYTES)
        self._ended = not self._ahead
        try:
            return self._pages.unseal(sealed, last=self._ended)
        except InvalidTag:
            raise SealBroken(self._label) from None


@contextmanager
def sealed(store: Store, name: str, key: bytes) -> Iterator[SealedWriter]:
    """Write a sealed file into a store; the name is its label. Memory stays flat at any size.

    Raises:
        StoreFull: there is no room left.
    """
    with store.write(name) as sink:
        writer = SealedWriter(sink, key, name)
        yield writer
        writer.finish()


def unseal(source: Source, key: bytes, label: str) -> BinaryIO:
    """Read a sealed file from its start. Each page is verified before it is given, the whole once the end is reached.

    Raises:
        SealBroken: here or while reading, at the first page that is not what was written.
    """
    return io.BufferedReader(_SealedReader(source, key, label), PAGE)
