"""What an export is about to give, listed once and read several times, in a file that nobody else can read.

The one rule: keys may be named after people, so what is written is sealed with a key that only this object has, and the
file has no name. Memory holds a page of it.
"""

import secrets
import tempfile
import weakref
from collections.abc import Iterator
from typing import Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PAGE: Final = 256 * 1024
"""Bytes that are sealed together."""
IN_MEMORY: Final = 4 * PAGE
"""Bytes up to which there is no file at all."""
_LENGTH: Final = 4


class Spool:
    """Lines of text, written once and then read in their order, as often as needed."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it is closed with this object
        # An export that is never read to its end leaves nothing behind either.
        self.close = weakref.finalize(self, self._file.close)
        self._seal = AESGCM(secrets.token_bytes(32))
        self._page = bytearray()
        self._pages = 0

    def add(self, line: str) -> None:
        """Write a line, which has no line end in it."""
        self._page += line.encode() + b"\n"
        if len(self._page) >= PAGE:
            self._flush()

    def __iter__(self) -> Iterator[str]:
        self._flush()
        place = 0
        for number in range(self._pages):
            self._file.seek(place)
            size = int.from_bytes(self._file.read(_LENGTH), "big")
            sealed = self._file.read(size)
            place += _LENGTH + size
            yield from self._seal.decrypt(_nonce(number), sealed, None).decode().splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        if self._page:
            self._file.seek(0, 2)
            sealed = self._seal.encrypt(_nonce(self._pages), bytes(self._page), None)
            self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)
            self._pages += 1
            self._page.clear()


def _nonce(number: int) -> bytes:
    """Each page has its own, under a key that is used for one spool alone."""
    return number.to_bytes(12, "big")
