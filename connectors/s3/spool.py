"""What an export is about to give, listed once and read several times: lines of text in a sealed file."""

from collections.abc import Iterator
from typing import Self

from connectors.s3.sealed import Sealed


class Spool:
    """Lines of text, written once and then read in their order, as often as needed."""

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
