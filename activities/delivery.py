"""One system's spool on its way into the bag: JSON lines as they are, CSV as given or made, rows to show, named files.

The one rule: every collection is delivered in both forms, and counted by its JSON lines. What a file was called stands
in the list beside the table, never in a path as it came.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from activities.bag import Bag, Filed
from activities.facts import SystemFacts
from activities.redacting import Redactor, file_number
from activities.shapes import Shape
from activities.sheets import SHOWN_FILES, Sheet
from activities.spool import CHUNK, CSV, JSON_LINES, Entry, Inflating, Sums, files_in, inflated, payload_path, sums_in
from rights.redaction import NOTHING, Mark, Redacted


@dataclass(frozen=True, slots=True)
class Named:
    """A collection's files that have names of their own, as they stand in the bag."""

    files: tuple[Filed, ...]
    csv: Filed
    """The list of what each was called."""
    json_lines: Filed
    called: tuple[str, ...] = ()
    """What the first of them were called."""

    @property
    def folder(self) -> str:
        return self.files[0].path.rpartition("/")[0]

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(filed.size for filed in self.files)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One collection as it stands in the bag."""

    system: str
    collection: str
    sheet: Sheet
    csv: Filed
    json_lines: Filed
    named: Named | None = None
    redacted: Redacted = NOTHING
    """What was taken out, since it is about other people."""
    shape: Shape = field(default_factory=Shape)
    """What the rows look like; of a copy that goes elsewhere."""

    @property
    def empty(self) -> bool:
        """Nothing of the person was in it."""
        return not self.sheet.rows and self.named is None and not self.redacted.anything

    @property
    def receipted(self) -> Iterable[Filed]:
        """The files that the digest of the export is over."""
        yield self.json_lines
        if self.named is not None:
            yield self.named.json_lines
            yield from self.named.files

    @property
    def files(self) -> tuple[Filed, Filed]:
        """The easier one first."""
        return self.csv, self.json_lines


def deliver(
    bag: Bag, facts: SystemFacts, read: Callable[[], BinaryIO], marks: Sequence[Mark] = (), *, shapes: bool = False
) -> list[Delivered]:
    """Put a spool's files into the bag, without what `marks` name. `read` opens the spool at its start; `shapes` asks
    for what the rows look like.

    The spool is read for what it holds, then for its files, which are handed on deflated as they are, and once more for
    the CSV of large ones: a ZIP takes one file after the other, and a table's columns are known when all its rows are.
    Decrypting again costs next to nothing.

    Raises:
        SealBroken: the spool is not what was written.
        BadExport: it holds lines that are not JSON objects.
    """
    sums = sums_in(read(), bag.passed)
    desk = _Desk(bag, facts, sums, marks, shapes=shapes)
    if large := _handed_on(desk, sums, read):
        for entry, pieces in files_in(read()):
            if entry in large:
                desk.table(entry, pieces)
    return [desk.delivered(name) for name in desk.sheets]


def _handed_on(desk: "_Desk", sums: dict[Entry, Sums], read: Callable[[], BinaryIO]) -> set[Entry]:
    """Hand everything on that can be in one pass; the lines whose tables are yet to be made."""
    given = {entry.collection for entry in sums if entry.media_type == CSV and not entry.kept_as}
    large = set()
    for entry, pieces in files_in(read()):
        if entry.kept_as:
            desk.named(entry, pieces)
        elif desk.redacts(entry.collection):
            if entry.media_type == JSON_LINES:
                desk.without(entry, pieces)
                large.add(entry)
        elif entry.media_type == CSV:
            desk.file(entry, pieces)
        elif entry.collection in given:
            desk.lines(entry, pieces, table=False)
        elif sums[entry].size <= CHUNK:
            held = list(pieces)
            desk.lines(entry, held, table=True)
            desk.table(entry, held)
        else:
            desk.lines(entry, pieces, table=True)
            large.add(entry)
    return large


class _Desk:
    """Where a system's files pass, and are noted."""

    def __init__(
        self, bag: Bag, facts: SystemFacts, sums: dict[Entry, Sums], marks: Sequence[Mark], *, shapes: bool
    ) -> None:
        self._shapes: dict[str, Shape] | None = {} if shapes else None
        self._marks: dict[str, list[Mark]] = {}
        for mark in marks:
            self._marks.setdefault(mark.collection, []).append(mark)
        self._taken: dict[str, Redacted] = {}
        self._bag = bag
        self._facts = facts
        self._sums = sums
        self.sheets: dict[str, Sheet] = {}
        self.filed: dict[tuple[str, str], Filed] = {}
        self._named: dict[str, list[tuple[Entry, Filed]]] = {}

    def redacts(self, collection: str) -> bool:
        """Whether rows of a collection are marked."""
        return self._redactor(collection).lines_too

    def delivered(self, name: str) -> Delivered:
        """A collection, once all its files have passed."""
        return Delivered(
            self._facts.system,
            name,
            self.sheets[name],
            self.filed[name, CSV],
            self.filed[name, JSON_LINES],
            self.listed(name),
            self._taken.get(name, NOTHING),
            (self._shapes or {}).get(name, Shape()),
        )

    def without(self, entry: Entry, pieces: Iterable[bytes]) -> None:
        """The lines of a collection without what is marked."""
        redactor, sums = self._redactor(entry.collection), self._sums[entry]
        sheet = self.sheets[entry.collection] = Sheet(f"{self._facts.system}.{entry.collection}")
        path = payload_path(self._facts.system, entry.path)
        left = sheet.watch(_looked_at(self._shape(entry), redactor.lines(inflated(pieces))), table=True)
        self.filed[entry.collection, entry.media_type] = self._bag.add(path, left, redactor.most(sums.size, sums.lines))
        sheet.rows = redactor.rows
        self._take(entry.collection, redactor.taken)

    def _shape(self, entry: Entry) -> Shape | None:
        return self._shapes.setdefault(entry.collection, Shape()) if self._shapes is not None else None

    def _redactor(self, collection: str) -> Redactor:
        return Redactor(self._marks.get(collection, ()))

    def _take(self, collection: str, taken: Redacted) -> None:
        self._taken[collection] = self._taken.get(collection, NOTHING) + taken

    def file(self, entry: Entry, pieces: Iterable[bytes]) -> None:
        path = payload_path(self._facts.system, entry.path)
        self.filed[entry.collection, entry.media_type] = self._bag.hand_on(path, pieces, self._sums[entry])

    def lines(self, entry: Entry, pieces: Iterable[bytes], *, table: bool) -> None:
        sheet = self.sheets[entry.collection] = Sheet(f"{self._facts.system}.{entry.collection}")
        self.file(entry, _seen(sheet, self._shape(entry), pieces, table=table))
        sheet.rows = self._sums[entry].lines

    def table(self, entry: Entry, pieces: Iterable[bytes]) -> None:
        """Make the CSV, from the same pieces that `lines` had."""
        sheet = self.sheets[entry.collection]
        redactor, sums = self._redactor(entry.collection), self._sums[entry]
        lines = redactor.lines(inflated(pieces)) if redactor.lines_too else inflated(pieces)
        made = sheet.csv(lines, self._facts.of(entry.collection).fields)
        path = payload_path(self._facts.system, entry.file(CSV))
        most = sheet.most_csv_bytes(redactor.most(sums.size, sums.lines))
        self.filed[entry.collection, CSV] = self._bag.add(path, made, most)

    def named(self, entry: Entry, pieces: Iterable[bytes]) -> None:
        """A file that has a name of its own, byte for byte, unless it is taken out."""
        if file_number(entry) in self._redactor(entry.collection).files:
            self._take(entry.collection, Redacted(files=1))
            return
        filed = self._bag.hand_on(payload_path(self._facts.system, entry.path), pieces, self._sums[entry])
        self._named.setdefault(entry.collection, []).append((entry, filed))

    def listed(self, collection: str) -> Named | None:
        """Put the list of a collection's named files beside its table, in both forms."""
        held = self._named.get(collection)
        if not held:
            return None
        first, _ = held[0]
        lines = [entry.listed(filed.size, filed.digest) for entry, filed in held]
        size = sum(map(len, lines))
        sheet = Sheet(f"{self._facts.system}.{collection}")
        path = payload_path(self._facts.system, first.listing(JSON_LINES))
        exact = self._bag.add(path, sheet.watch(lines, table=True), size)
        path = payload_path(self._facts.system, first.listing(CSV))
        table = self._bag.add(path, sheet.csv(lines), sheet.most_csv_bytes(size))
        called = tuple(entry.name for entry, _ in held[:SHOWN_FILES])
        return Named(tuple(filed for _, filed in held), table, exact, called)


def _seen(sheet: Sheet, shape: Shape | None, pieces: Iterable[bytes], *, table: bool) -> Iterator[bytes]:
    """Pass pieces on, and let the sheet read along: all rows if a table is to be made, else the first. A shape reads
    all."""
    inflating = Inflating()
    for piece in pieces:
        yield piece
        if table or shape or not sheet.full:
            for chunk in inflating.plain(piece):
                if shape:
                    shape.see(chunk)
                if table or not sheet.full:
                    sheet.see(chunk)


def _looked_at(shape: Shape | None, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        if shape:
            shape.see(line)
        yield line
