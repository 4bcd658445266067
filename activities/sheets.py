"""A collection's JSON lines read along as they pass: the CSV made from them, and the first rows to show.

The one rule: a CSV cell never starts a formula and a number is never rounded. The JSON lines hold the exact values.

The CSV is RFC 4180 in UTF-8: a header line, CR LF, every text in double quotes, so that an empty text and no value
differ.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from activities.spool import BadExport
from connectors.spreadsheets import FORMULA, harmless

MAX_COLUMNS: Final = 500
"""Documents may bring new keys in every row; further ones go together, as JSON, into a last column."""
MORE: Final = "(more)"
SHOWN_ROWS: Final = 50
SHOWN_COLUMNS: Final = 60
SHOWN_FILES: Final = 20
SHOWN_CHARACTERS: Final = 200
"""Of one value."""
SHOWN_IN_ALL: Final = 200_000
"""Characters of one collection; 50 rows seldom have a tenth of it, and a page of many collections still opens."""

Row = Mapping[str, Any]

_HALVES: Final = "backslashreplace"
"""Half of a surrogate pair is no character and cannot be written as UTF-8: its escape is."""
_DIGITS: Final = bytes(0x30 if chr(c) in "0123456789." else 0x20 for c in range(256))
_LONG: Final = b"0" * 16
"""With fewer digits and points in a row than this, a float still writes itself as the number it was read from."""
_MAY_BE_ROUNDED: Final = frozenset({float, dict, list})


class _Exact(str):
    """A number, in the digits it was written in."""

    __slots__ = ()


class Sheet:
    """One collection as a table. Once `watch` has passed its JSON lines on, the rest is known."""

    def __init__(self, about: str) -> None:
        self.rows = 0
        self.shown: list[dict[str, str | None]] = []
        """The first rows, each value as a text cut to what one can look at; None for no value."""
        self.shown_columns: dict[str, None] = {}
        self.cut = False
        """True when a text in `shown` was cut."""
        self.narrowed = False
        """True when `shown` has not all columns."""
        self._room = SHOWN_IN_ALL
        self._about = about
        self._columns: dict[str, None] = {}
        self._more = False
        self._cutter = _Cutter()

    def watch(self, chunks: Iterable[bytes], *, table: bool) -> Iterator[bytes]:
        """Pass chunks on unchanged and read along: all rows if a table is to be made, else the first.

        Raises:
            BadExport: a line that was read is not a JSON object.
        """
        for chunk in chunks:
            yield chunk
            self.rows += chunk.count(b"\n")
            if table or not self.full:
                self.see(chunk)

    def see(self, chunk: bytes) -> None:
        """Read the lines that end in one more chunk.

        Raises:
            BadExport: a line is not a JSON object.
        """
        rows = _rows(self._cutter.cut(chunk), self._about)
        if not self.full:
            for row in rows[:SHOWN_ROWS]:
                self._show(row)
        for names in dict.fromkeys(map(tuple, rows)):
            self._add(names)

    def csv(self, chunks: Iterable[bytes], otherwise: tuple[str, ...] = ()) -> Iterator[bytes]:
        """The table, from the same chunks again. Without a row it has the columns `otherwise`.

        Raises:
            BadExport: a line is not a JSON object.
        """
        columns = tuple(self._columns) or otherwise
        names = (*columns, MORE) if self._more else columns
        if not names:
            return  # rows there may be, of objects that hold nothing
        yield (",".join(map(_text, names)) + "\r\n").encode(errors=_HALVES)
        cutter = _Cutter()
        for chunk in chunks:
            rows = _rows(cutter.cut(chunk), self._about)
            if self._more:
                rows = [self._fold(row) for row in rows]
            yield _table(rows, names).encode(errors=_HALVES)

    def most_csv_bytes(self, json_bytes: int) -> int:
        """More than the CSV of so many bytes of JSON lines can have: a cell's quotes are doubled, a number is short."""
        cells = (self.rows + 1) * (len(self._columns) + 1)
        return 2 * json_bytes + 32 * cells

    @property
    def columns(self) -> frozenset[str]:
        """The names that the rows have, as far as they were read; `MORE` stands for those beyond the most."""
        return frozenset((*self.shown_columns, *self._columns, *((MORE,) if self._more else ())))

    @property
    def full(self) -> bool:
        """Whether all has been seen that is to be shown."""
        return len(self.shown) >= SHOWN_ROWS or self._room <= 0

    def _show(self, row: Row) -> None:
        if self.full:
            return
        texts: dict[str, str | None] = {}
        for name, value in row.items():
            if name not in self.shown_columns:
                if len(self.shown_columns) >= SHOWN_COLUMNS:
                    self.narrowed = True
                    continue
                self.shown_columns[name] = None
            text = value if value is None or type(value) is str else _plain(value)
            if text:
                if len(text) > SHOWN_CHARACTERS:
                    text, self.cut = text[:SHOWN_CHARACTERS] + "…", True
                self._room -= len(text)
            texts[name] = text
        self.shown.append(texts)

    def _add(self, names: tuple[str, ...]) -> None:
        for name in names:
            if len(self._columns) < MAX_COLUMNS:
                self._columns[name] = None
            elif name not in self._columns:
                self._more = True

    def _fold(self, row: Row) -> Row:
        more = {name: value for name, value in row.items() if name not in self._columns}
        return {**row, MORE: more or None}


class _Cutter:
    """Cuts chunks into lines."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def cut(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk, without their ends. A line of many chunks is joined once, at its end."""
        first, *rest = chunk.split(b"\n")
        self._begun.append(first)
        if not rest:
            return []
        whole = [b"".join(self._begun), *rest[:-1]]
        self._begun = [rest[-1]]
        return whole


def _rows(batch: list[bytes], about: str) -> list[Row]:
    """Read lines as JSON objects, with all digits of their numbers.

    Raises:
        BadExport: a line is none.
    """
    try:
        rows = list(map(orjson.loads, batch))
    except orjson.JSONDecodeError:
        rows = [_exactly(line, about) for line in batch]
    if set(map(type, rows)) - {dict}:
        raise BadExport(f"{about}: the connector gave a line that is not a JSON object")
    if _LONG in b"\n".join(batch).translate(_DIGITS):
        for number, line in enumerate(batch):
            if _LONG in line.translate(_DIGITS) and not _MAY_BE_ROUNDED.isdisjoint(map(type, rows[number].values())):
                rows[number] = _exactly(line, about)
    return rows


def _exactly(line: bytes, about: str) -> Any:
    """Read a line slowly: numbers of any length, and what strict readers refuse."""
    try:
        return json.loads(line, parse_float=_real, parse_int=_whole)
    except ValueError:
        # The reader's own error would quote the line.
        raise BadExport(f"{about}: the connector gave a line that is not JSON") from None


def _table(rows: list[Row], names: tuple[str, ...]) -> str:
    """Rows as lines of CSV, made column by column: most columns need nothing done to their cells."""
    if set(map(tuple, rows)) == {names}:
        columns: Iterable[Sequence[Any]] = zip(*(row.values() for row in rows), strict=True)
    else:
        columns = ([row.get(name) for row in rows] for name in names)
    formats, cells = zip(*map(_column, columns), strict=True)
    line = ",".join(formats) + "\r\n"
    if len(names) == 1:
        # A row of one empty cell would be an empty line, which readers pass over.
        cells = ([cell if cell != "" or formats[0] != "%s" else '""' for cell in cells[0]],)
    return "".join(map(line.__mod__, zip(*cells, strict=True)))


def _column(column: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """How a column's cells are written, and the cells."""
    kinds = set(map(type, column))
    if kinds <= {int, float, _Exact}:
        return "%s", column
    if kinds == {str} and '"' not in "".join(column) and FORMULA.isdisjoint({v[:1] for v in column}):
        return '"%s"', column
    return "%s", [_CELLS[type(value)](value) for value in column]


def _real(digits: str) -> float | str:
    return float(digits) if len(digits) < len(_LONG) else _Exact(digits)


def _whole(digits: str) -> int | str:
    """Python's own numbers are whole at any length, but it refuses to read more than 4,300 digits."""
    return int(digits) if len(digits) < 4000 else _Exact(digits)


def _text(value: str) -> str:
    return '"' + harmless(value).replace('"', '""') + '"'


def _nested(value: object) -> str:
    return _text(_json(value))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _plain(value: object) -> str:
    """A value that is no text, as one."""
    return _json(value) if isinstance(value, dict | list) else _CELLS[type(value)](value)


_CELLS: Final[dict[type, Callable[[Any], str]]] = {
    str: _text,
    int: str,
    float: repr,
    _Exact: str,
    bool: _flag,
    type(None): lambda _: "",
    dict: _nested,
    list: _nested,
}
