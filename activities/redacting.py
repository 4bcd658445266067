"""Taking out of a copy what is about other people: a spool's lines as they pass, without what is marked.

The one rule: a collection with marks is written anew from its JSON lines. A table that the system gave by itself is not
delivered then, since it would still say what was taken out.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import orjson

from activities.parcel_names import spool_name
from activities.sealing import unseal
from activities.spool import JSON_LINES, Entry, files_in, inflated
from activities.store import Store
from rights.redaction import PUT_INSTEAD, Mark, Redacted, redact

_MORE: Final = len(PUT_INSTEAD) + 2
"""Bytes that a place may grow by."""


class Redactor:
    """The marks of one collection, and what they have taken out of its lines so far."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self._always: list[Mark] = []
        self._rows: dict[int, list[Mark]] = {}
        self.files: set[int] = set()
        for mark in marks:
            if mark.file is not None:
                self.files.add(mark.file)
            elif mark.row is None:
                self._always.append(mark)
            else:
                self._rows.setdefault(mark.row, []).append(mark)
        self.taken = Redacted()
        self.rows = 0
        """Rows that are left."""

    @property
    def lines_too(self) -> bool:
        """Whether rows are marked, and not files alone."""
        return bool(self._always or self._rows)

    def most(self, size: int, rows: int) -> int:
        """Bytes that lines of this size may come to."""
        return size + _MORE * (rows * len(self._always) + sum(map(len, self._rows.values())))

    def lines(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """JSON lines without what is marked."""
        for number, line in enumerate(lines_of(chunks), 1):
            marks = [*self._always, *self._rows.get(number, ())]
            if not marks:
                self.rows += 1
                yield line
                continue
            left, taken = redact(exactly(line), marks)
            self.taken += taken
            if left is not None:
                self.rows += 1
                yield _written(left)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, each with its end."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest + b"\n"


def exactly(line: bytes) -> dict[str, Any]:
    """A row whose numbers are written again as they were."""
    row: dict[str, Any] = json.loads(line, parse_float=_as_written, parse_int=_as_written)
    return row


def spooled_rows(
    store: Store, request_id: str, system: str, key: bytes, collections: Sequence[str]
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The rows of a system's export that somebody goes through: collection, number and values.

    Raises:
        NotStored: there is no such export (any more).
        SealBroken: it is not what was written.
    """
    for entry, pieces in _files(store, request_id, system, key):
        if entry.collection in collections and entry.media_type == JSON_LINES and not entry.kept_as:
            for number, line in enumerate(lines_of(inflated(pieces)), 1):
                yield entry.collection, number, json.loads(line)


def spooled_files(store: Store, request_id: str, system: str, key: bytes) -> Iterator[tuple[str, int, str]]:
    """The files of a system's export that have names of their own: collection, number and name."""
    for entry, _ in _files(store, request_id, system, key):
        if entry.kept_as:
            yield entry.collection, file_number(entry), entry.name


def file_number(entry: Entry) -> int:
    """A named file's number in the export."""
    return int(entry.kept_as.split("-", 1)[0])


def _files(store: Store, request_id: str, system: str, key: bytes) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    name = spool_name(request_id, system)
    with store.read(name) as source:
        yield from files_in(partial(unseal, source, key, name)())


def _as_written(digits: str) -> orjson.Fragment:
    return orjson.Fragment(digits)


def _written(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row) + b"\n"
    except TypeError:
        # Half of a surrogate pair, which no UTF-8 can hold.
        return orjson.dumps(_whole(row)) + b"\n"


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value
