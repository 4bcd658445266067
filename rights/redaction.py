"""What is about other people in a copy, and is taken out of it before it is delivered (GDPR Art. 15(4), 20(4)).

The one rule: what is taken out is counted, and the copy says how much it is. A mark names a place and never a text, and
holds for the very export that somebody has gone through; another export is gone through anew.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Self

from pydantic import model_validator

from rights.datamap import DataMap
from rights.plan import Operation
from rights.receipt import Receipt
from rights.value import Value

PUT_INSTEAD: Final = "[redacted: about somebody else]"


class Mark(Value):
    """One place to be taken out: a row, a field of a row or of all rows, some characters of a field, or a file."""

    system: str
    collection: str
    export: str
    """The digest of the export that it was made in, as its receipt has it."""
    row: int | None = None
    """Counted from 1, in the order of the export."""
    field: str | None = None
    start: int | None = None
    """With `end`: the characters of the field's text, from 0; the last one is not among them."""
    end: int | None = None
    file: int | None = None
    """A file that has a name of its own, by its number in the export."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        passage = self.start is not None or self.end is not None
        if (self.start is None) != (self.end is None) or (passage and (self.row is None or self.field is None)):
            raise ValueError("a passage is of one field of one row, from start to end")
        if (self.file is None) == (self.row is None and self.field is None):
            raise ValueError("a mark is of a row, a field or a file")
        return self


class Redacted(Value):
    """How much was taken out."""

    rows: int = 0
    fields: int = 0
    passages: int = 0
    files: int = 0

    def __add__(self, other: "Redacted") -> "Redacted":
        return Redacted(**{name: number + getattr(other, name) for name, number in self})

    @property
    def anything(self) -> bool:
        return any(number for _, number in self)

    def __str__(self) -> str:
        words = ((self.rows, "row"), (self.fields, "field"), (self.passages, "passage"), (self.files, "file"))
        return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in words if number)


NOTHING: Final = Redacted()


def to_review(data_map: DataMap, exported: Iterable[Receipt]) -> dict[str, tuple[str, ...]]:
    """By system, the collections of exports that somebody has to go through before they are delivered."""
    found = {}
    for receipt in exported:
        system = data_map.systems.get(receipt.step.system)
        if receipt.step.operation is not Operation.EXPORT or not receipt.exported or system is None:
            continue
        known = system.collections
        names = tuple(
            count.collection
            for count in receipt.tally.counts
            if count.found and count.collection in known and known[count.collection].reviewed
        )
        if names:
            found[receipt.step.system] = names
    return found


def digests(exported: Iterable[Receipt], systems: Collection[str]) -> dict[str, str]:
    """What was gone through, by system: the digest of its export."""
    return {r.step.system: r.digest or "" for r in exported if r.step.system in systems}


def redact(row: Mapping[str, object], marks: Iterable[Mark]) -> tuple[dict[str, object] | None, Redacted]:
    """A row without what its marks name, and what that was; None: nothing of it is left."""
    marks = tuple(marks)
    if any(mark.row is not None and mark.field is None for mark in marks):
        return None, Redacted(rows=1)
    left = dict(row)
    whole = {mark.field for mark in marks if mark.field and mark.start is None and row.get(mark.field) is not None}
    for name in whole:
        left[name] = PUT_INSTEAD
    passages = 0
    for name in {mark.field for mark in marks if mark.field and mark.start is not None} - whole:
        text = row.get(name)
        if isinstance(text, str):
            most = len(text)
            spans = _joined((min(m.start or 0, most), min(m.end or 0, most)) for m in marks if m.field == name)
            passages += len(spans)
            for start, end in reversed(spans):
                text = text[:start] + PUT_INSTEAD + text[end:]
            left[name] = text
    return left, Redacted(fields=len(whole), passages=passages)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in their order, those that touch as one; empty ones are none."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
