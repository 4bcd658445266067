"""Values within a person's files: where the map says they stand, and what a correction makes of the file's bytes.

The one rule: of a file nothing changes but the values that are corrected; every other byte stays as it was. A file that
is not what its ending says is an error, and is never written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Final

from connectors.errors import NeedsHuman
from rights.codes import Code

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of a line, or of a JSON document as a whole, which is held in memory."""
VALUES_MOST: Final = 1000
"""Different values that one field of one file may have had; more of them is no field that one correction is for."""
BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Cell:
    """What is to stand somewhere in a file."""

    field: str
    path: tuple[str, ...]
    """The column of a CSV file, or the members of JSON that lead to it."""
    value: str | None = attribute(repr=False)


@dataclass(slots=True)
class Said:
    """What a file, or an object, was found to say."""

    collection: str
    fields: set[str] = attribute(default_factory=set)
    """Those that stand in it at all."""
    old: dict[str, dict[str | None, None]] = attribute(default_factory=dict, repr=False)
    """By field, the values that are not what is to stand there, each once."""

    @property
    def differs(self) -> bool:
        return bool(self.old)

    def note(self, field: str, old: str | None, new: str | None) -> bool:
        """Take note of a value; whether it is another than the one that is to stand there."""
        self.fields.add(field)
        if old == new:
            return False
        known = self.old.setdefault(field, {})
        known[old] = None
        if len(known) > VALUES_MOST:
            raise NeedsHuman(Code.TOO_LARGE, f"{self.collection}.{field}")
        return True

    def refuse(self, field: str, why: str, code: Code = Code.VALUE) -> NeedsHuman:
        """The error for a value that cannot be written."""
        return NeedsHuman(code, f"{self.collection}.{field} ({why})")


class Misshapen(Exception):
    """The file is not what its ending says."""


Rewrite = Callable[[Iterator[bytes], Sequence[Cell], Said], Iterator[bytes]]
"""The bytes of a file with its cells corrected; what it says is noted on the way.

Raises:
    Misshapen: it is not what its ending says.
    NeedsHuman: VALUE, NOT_RECTIFIABLE or TOO_LARGE, with the field.
"""


def lines(chunks: Iterator[bytes], said: Said) -> Iterator[bytes]:
    """Bytes by line, line ends and all; a mark of UTF-8 at the beginning comes as a line of its own."""
    rest, first = b"", True
    for chunk in chunks:
        rest += chunk
        if first and len(rest) < len(BOM):
            continue
        if first and rest.startswith(BOM):
            yield BOM
            rest = rest[len(BOM) :]
        first = False
        *whole, rest = rest.split(b"\n")
        yield from (line + b"\n" for line in whole)
        refuse_long(len(rest), said)
    if rest:
        yield rest


def refuse_long(size: int, said: Said) -> None:
    """Refuse what would have to be held in memory and is too long for it."""
    if size > LONGEST:
        raise NeedsHuman(Code.TOO_LARGE, said.collection)


def decoded(some: bytes) -> str:
    """Text of UTF-8."""
    try:
        return some.decode()
    except UnicodeDecodeError:
        raise Misshapen from None


def without_empty(cells: Sequence[Cell]) -> Mapping[str, Cell]:
    """Cells by their column; in CSV an empty text is nothing."""
    return {one.path[0]: Cell(one.field, one.path, one.value or None) for one in cells}
