"""Going through a copy before it is delivered: what waits, its rows masked, and the places that are taken out.

The one rule: an agent sees words by their first letters and by number. What they need to read they read in the system,
where the row's key leads; a text to be taken out comes from a file and is kept nowhere.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from activities.redacting import spooled_files, spooled_rows
from activities.store import FileStore
from rights.audience import mask
from rights.codes import Code
from rights.datamap import Collection, DataMap
from rights.plan import Operation
from rights.receipt import Receipt, newest
from rights.redaction import Mark, digests, to_review
from starter.desk import Desk
from starter.exits import Exit, Failure

_WORD: Final = re.compile(r"\S+")
_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})(?:-([1-9][0-9]{0,6}))?\Z")


class Waiting(NamedTuple):
    """A copy that somebody has to go through."""

    request_id: str
    collections: Mapping[str, tuple[str, ...]]
    """By system, what is to be read."""
    exports: Mapping[str, str]
    """By system, the digest of its export."""
    data_map: DataMap

    def collection(self, system: str, name: str) -> Collection:
        return self.data_map.systems[system].collections[name]


class Shown(NamedTuple):
    """A row to be gone through."""

    system: str
    collection: str
    row: int
    key: Mapping[str, str]
    """What leads to the row in the system, where it tells nothing of anybody."""
    fields: Mapping[str, str]
    """By field, its words masked, each with its number."""


def waiting(at: Desk) -> list[Waiting]:
    """All copies that wait for somebody to go through them."""
    tasks = {task.request_id for task in at.ledger.tasks() if task.code is Code.REVIEW and task.ruling is None}
    return [one for request_id in sorted(tasks) if (one := _of(at, request_id))]


def under_review(at: Desk, request_id: str) -> Waiting:
    """The copy of one request.

    Raises:
        Failure: it does not wait for anybody.
    """
    for one in waiting(at):
        if one.request_id == request_id:
            return one
    raise Failure(Exit.REFUSED, "no copy of this request waits for a review: habeas review list names those that do")


def shown(at: Desk, wait: Waiting, place: str | None) -> Iterator[Shown]:
    """The rows, masked."""
    for system, collection, number, row in _rows(at, wait, place):
        about = wait.collection(system, collection)
        plain = {n for n in about.key if not about.fields[n].category and not about.fields[n].identity}
        yield Shown(
            system,
            collection,
            number,
            {name: str(row.get(name)) for name in about.key if name in plain and name in row},
            {name: _masked(row[name]) for name in about.reviewed if row.get(name) is not None},
        )


def files(at: Desk, wait: Waiting) -> Iterator[tuple[str, str, int, str]]:
    """The files that have names of their own: system, collection, number, and the name masked."""
    for system, names in wait.collections.items():
        for collection, number, name in spooled_files(*_spool(at, wait, system)):
            if collection in names:
                yield system, collection, number, mask(name)


def marks_for(
    at: Desk,
    wait: Waiting,
    place: str,
    *,
    row: int | None = None,
    field: str | None = None,
    words: str | None = None,
    text: str | None = None,
    file: int | None = None,
) -> list[Mark]:
    """The places that are meant. A row that names a file of its own takes the file along.

    Raises:
        Failure: there is no such place.
    """
    system, _, collection = place.partition(".")
    if collection not in wait.collections.get(system, ()):
        known = ", ".join(f"{s}.{c}" for s, names in wait.collections.items() for c in names)
        raise Failure(Exit.USAGE, f"--collection is one of those under review: {known}")
    if sum(given is not None for given in (file, text)) > 1 or (file is not None and (row or field or words)):
        raise Failure(Exit.USAGE, "give a row, a field, both, a text, or a file")
    base: dict[str, Any] = {"system": system, "collection": collection, "export": wait.exports[system]}
    named = {n: number for c, number, n in spooled_files(*_spool(at, wait, system)) if c == collection}
    if file is not None:
        if file not in named.values():
            raise Failure(Exit.USAGE, "there is no file of this number: habeas review show lists them")
        return [Mark(**base, file=file)]
    if text is not None:
        found = list(_found(at, wait, place, text, base, field))
        if not found:
            raise Failure(Exit.REFUSED, "the text does not stand in what is under review: nothing is taken out")
        return found + _along(at, wait, place, {m.row for m in found if m.row}, named, base)
    if row is None and field is None:
        raise Failure(Exit.USAGE, "name what is taken out: --row, --field, --text-file or --file")
    return _of_place(at, wait, place, base, named, row, field, words)


def _of_place(
    at: Desk,
    wait: Waiting,
    place: str,
    base: dict[str, Any],
    named: Mapping[str, int],
    row: int | None,
    field: str | None,
    words: str | None,
) -> list[Mark]:
    known = {number: values for _, _, number, values in _rows(at, wait, place)}
    if row is not None and row not in known:
        raise Failure(Exit.USAGE, "there is no row of this number: habeas review show lists them")
    meant = [row] if row is not None else list(known)
    if field is not None and not any(field in known[number] for number in meant):
        raise Failure(Exit.USAGE, "there is no field of this name: habeas review show lists them")
    if words is None:
        return [Mark(**base, row=row, field=field), *_along(at, wait, place, set(meant), named, base)]
    if row is None or field is None:
        raise Failure(Exit.USAGE, "--words are those of one --field of one --row")
    start, end = _span(known[row].get(field), words)
    return [Mark(**base, row=row, field=field, start=start, end=end), *_along(at, wait, place, {row}, named, base)]


def _span(value: object, words: str) -> tuple[int, int]:
    """The characters of words by their numbers, such as ``4`` or ``4-7``."""
    found = _SPAN.match(words.strip())
    if not isinstance(value, str) or not found:
        raise Failure(Exit.USAGE, "--words takes the numbers of words of a text, such as 4 or 4-7")
    first, last = int(found[1]), int(found[2] or found[1])
    places = list(_WORD.finditer(value))
    if not first <= last <= len(places):
        raise Failure(Exit.USAGE, f"the text has the words 1 to {len(places)}")
    return places[first - 1].start(), places[last - 1].end()


def _found(at: Desk, wait: Waiting, place: str, text: str, base: dict[str, Any], field: str | None) -> Iterator[Mark]:
    """Everywhere a text stands in what is under review, whatever its letters' case; of a value that is no text, the
    whole."""
    pattern = re.compile(re.escape(text.strip()), re.IGNORECASE)
    if not text.strip():
        raise Failure(Exit.USAGE, "--text-file is empty")
    for _, _, number, row in _rows(at, wait, place):
        for name, value in row.items():
            if field not in {None, name}:
                continue
            if isinstance(value, str):
                for hit in pattern.finditer(value):
                    yield Mark(**base, row=number, field=name, start=hit.start(), end=hit.end())
            elif pattern.search(str(value)):
                yield Mark(**base, row=number, field=name)


def _along(
    at: Desk, wait: Waiting, place: str, rows: set[int], named: Mapping[str, int], base: dict[str, Any]
) -> list[Mark]:
    """The files that belong to these rows: a message as it came still says what its row does not say any more."""
    if not named:
        return []
    texts = {
        value
        for _, _, number, row in _rows(at, wait, place)
        if number in rows
        for value in row.values()
        if isinstance(value, str)
    }
    return [Mark(**base, file=number) for name, number in named.items() if name in texts]


def _rows(at: Desk, wait: Waiting, place: str | None) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    for system, names in wait.collections.items():
        wanted = [name for name in names if place in {None, f"{system}.{name}"}]
        if wanted:
            for collection, number, row in spooled_rows(*_spool(at, wait, system), wanted):
                yield system, collection, number, row


def _spool(at: Desk, wait: Waiting, system: str) -> tuple[FileStore, str, str, bytes]:
    key = at.ledger.case_key(wait.request_id, "parcel")
    if key is None:
        raise Failure(Exit.NOT_FOUND, "the key of what was exported was destroyed: nothing can be shown any more")
    return FileStore(at.parcels), wait.request_id, system, key


def _masked(value: object) -> str:
    """A value's words by their numbers: ``1:M··· 2:n···``."""
    if not isinstance(value, str):
        return mask(value)
    return " ".join(f"{number}:{mask(word)}" for number, word in enumerate(value.split(), 1)) or "(empty)"


def _of(at: Desk, request_id: str) -> Waiting | None:
    row = at.ledger.request(request_id)
    exported: list[Receipt] = list(newest(at.ledger.receipts(request_id), Operation.EXPORT).values())
    if row.map_digest is None:
        return None
    data_map = at.ledger.pinned_map(row.map_digest)
    review = to_review(data_map, exported)
    return Waiting(request_id, review, digests(exported, review), data_map) if review else None
