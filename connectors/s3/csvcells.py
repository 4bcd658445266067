"""Correcting values in CSV, by the places in a record that they take.

The one rule: a record is parsed as strictly as it can be, and only the cell that is corrected is written anew: quotes,
line ends and every other cell stay as they were.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from connectors.s3.cells import BOM, Cell, Misshapen, Said, decoded, lines, refuse_long, without_empty

DELIMITERS: Final = (",", ";", "\t", "|")


def rewrite_csv(chunks: Iterator[bytes], cells: Sequence[Cell], said: Said) -> Iterator[bytes]:
    """CSV with a header line. What separates its cells is told by the header: that by which a column is found."""
    wanted = without_empty(cells)
    delimiter, places, width = ",", dict[int, Cell](), 0
    for record in _records(lines(chunks, said), said):
        if record == BOM or not record.strip(b"\r\n"):
            yield record
        elif not width:
            delimiter, header = _header(decoded(record), wanted)
            width = len(header)
            places = {at: wanted[name] for at, name in enumerate(header) if name in wanted}
            if len(places) != len({cell.path for cell in places.values()}):
                raise Misshapen  # two columns of one name
            yield record
        else:
            yield _mended(decoded(record), delimiter, places, width, said).encode() if places else record


def _records(lines: Iterator[bytes], said: Said) -> Iterator[bytes]:
    """Lines, put together again where one ends within quotes."""
    record, quotes = b"", 0
    for line in lines:
        record += line
        quotes += line.count(b'"')
        if quotes % 2:
            refuse_long(len(record), said)
            continue
        yield record
        record, quotes = b"", 0
    if record:
        raise Misshapen


def _header(record: str, wanted: Mapping[str, Cell]) -> tuple[str, list[str]]:
    """What separates the cells of a file, and its columns. Where none of them is wanted, either may be wrong."""
    parsed: dict[str, list[str]] = {}
    for delimiter in DELIMITERS:
        with suppress(Misshapen):
            parsed[delimiter] = _parsed(record, delimiter)
    if not parsed:
        raise Misshapen
    return next((one for one in parsed.items() if wanted.keys() & set(one[1])), next(iter(parsed.items())))


def _mended(record: str, delimiter: str, places: dict[int, Cell], width: int, said: Said) -> str:
    values = _parsed(record, delimiter)
    if len(values) != width:
        raise Misshapen
    due = [at for at, cell in places.items() if said.note(cell.field, values[at] or None, cell.value)]
    if not due:
        return record
    body = record.rstrip("\r\n")
    cells = list(_raw(body, delimiter))
    if len(cells) != width:
        raise Misshapen
    for at in due:
        cells[at] = _written(places[at].value, cells[at], delimiter)
    return delimiter.join(cells) + record[len(body) :]


def _parsed(record: str, delimiter: str) -> list[str]:
    try:
        (values,) = csv.reader([record], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        raise Misshapen from None
    return values


def _raw(body: str, delimiter: str) -> Iterator[str]:
    """The cells of a record as they are written, quotes and all."""
    at = 0
    while True:
        start = at
        if body[at : at + 1] == '"':
            at = _closed(body, at + 1)
        end = body.find(delimiter, at)
        if end < 0:
            yield body[start:]
            return
        yield body[start:end]
        at = end + 1


def _closed(body: str, at: int) -> int:
    """Where a cell that is quoted ends."""
    while True:
        at = body.find('"', at)
        if at < 0:
            raise Misshapen
        if body[at : at + 2] != '""':
            return at + 1
        at += 2


def _written(new: str | None, old: str, delimiter: str) -> str:
    if new is None:
        return ""
    quoted = old.startswith('"') or any(sign in new for sign in (delimiter, '"', "\r", "\n")) or new != new.strip()
    return '"' + new.replace('"', '""') + '"' if quoted else new
