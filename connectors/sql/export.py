"""Exporting: one statement whose rows are the lines of all files, one file after the other; and one COPY for each file
of a collection that is too large for that.

The one rule: the database makes the bytes, all of one moment, and here they only pass through. Types that a spreadsheet
or JSON would round or reinterpret never become Python values.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from sqlalchemy import (
    FromClause,
    LargeBinary,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    union_all,
)

from connectors.protocol import Export
from connectors.spreadsheets import FORMULA
from connectors.sql.catalogue import Column
from connectors.sql.copying import PAGE
from connectors.sql.dialects import Engine
from connectors.sql.families import Family
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.sharing import given, somebody_elses
from connectors.sql.traversal import Traversal

JSON_LINES: Final = "application/x-ndjson"
TABLE: Final = "text/csv"
DOUBT: Final = -1
"""The part whose lines are names of collections in which it is open whose rows they are."""
LARGE: Final = -2
"""The part whose lines are names of collections that are to be copied."""
FEW: Final = 2_000
"""Rows of a collection up to which its lines come with those of the others, in one statement that is prepared. To copy
a file, a statement is planned each time, some milliseconds that only many rows are worth."""

_FORMULA: Final = tuple(sorted(FORMULA))
_WIDE: Final = min(sign for sign in FORMULA if not sign.isascii())
_NUMBERS: Final = frozenset(
    {Family.INTEGER, Family.NUMERIC, Family.UUID, Family.DATE, Family.TIMESTAMP, Family.BYTES, Family.BOOL}
    | {Family.INET, Family.PLAIN}
)
"""Families whose text needs no quotes and is no formula, though it may begin with a sign."""
_PLAINLY: Final = _NUMBERS - {Family.BOOL, Family.INET}
"""Of these, what the server writes as it would make a text of it."""
_SPACED: Final = frozenset({Family.JSON, Family.OTHER})
"""Families that may have a line break between two tokens of their JSON."""

Lines = Iterator[tuple[int, bytes]]
"""The number of a part, and one line of it."""


class Exporting:
    """The files of one system and how their lines are made."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.collections = [name for name, work in scope.works.items() if work.export]

    def statement(self) -> Select[Any] | Any:
        """All lines, each with its part's number: first the doubts, then what is to be copied, then two parts for each
        other collection."""
        traversal = Traversal(self._scope, self._columns)
        many = {
            name: select(literal(1)).select_from(traversal.located(name)).offset(FEW).limit(1).exists()
            for name in self.collections
        }
        lines = [
            select(literal(DOUBT), _bytes(literal(name, Text))).select_from(
                traversal.doubtful(name).limit(1).subquery()
            )
            for name in self._scope.system.collections
            if self._scope.doubts(name)
        ]
        lines += [select(literal(LARGE), _bytes(literal(name, Text))).where(many[name]) for name in self.collections]
        for number, name in enumerate(self.collections):
            located = self._given(name, traversal.located(name))
            lines.append(select(literal(2 * number), _bytes(self._object(name, located))).where(~many[name]))
            lines.append(select(literal(2 * number + 1), _bytes(self._record(name, located))).where(~many[name]))
        return union_all(*lines)

    def copied(self, name: str, *, table: bool) -> tuple[Select[Any], tuple[str, ...]]:
        """The rows of one part as COPY takes them: each the whole line; or, for a table, its cells, with the columns
        that are put in quotes."""
        located = self._given(name, Traversal(self._scope, self._columns).located(name))
        fields = self._scope.works[name].export
        if not table:
            return select(self._json(name, located)), ()
        columns = {field: self._scope.column(name, field) for field in fields}
        cells = [_harmless(columns[field], located.c[field]).label(field) for field in fields]
        return select(*cells), tuple(field for field in fields if columns[field].family not in _NUMBERS)

    def part(self, name: str, *, table: bool) -> Select[Any]:
        """The lines of one part by itself, as texts."""
        located = self._given(name, Traversal(self._scope, self._columns, focus=name).located(name))
        line = self._record(name, located) if table else self._object(name, located)
        return select(line).select_from(located)

    def header(self, name: str) -> bytes:
        """The first line of a collection's table."""
        fields = self._scope.works[name].export
        return (",".join(f'"{field}"' for field in fields) + "\r\n").encode()

    def _given(self, name: str, located: FromClause) -> FromClause:
        """Rows as they are handed over: of shared ones the person's part, and none that are ruled to be another's."""
        if not self._scope.system.collections[name].shares:
            return located
        fields = self._scope.works[name].export
        rows = select(*(given(self._scope, name, located, field).label(field) for field in fields))
        if self._scope.asks(name):
            rows = rows.where(not_(somebody_elses(self._scope, name, located)))
        return rows.subquery("given")

    def _columns(self, name: str, table: FromClause) -> Iterable[Sql]:
        return [table.c[field] for field in self._scope.works[name].export]

    def _object(self, name: str, located: FromClause) -> Sql:
        fields = self._scope.works[name].export
        if self._scope.dialect.stepwise:
            return self._scope.dialect.line({field: located.c[field] for field in fields})
        return self._json(name, located) + "\n"

    def _json(self, name: str, located: FromClause) -> Sql:
        fields = self._scope.works[name].export
        record = select(*(located.c[field] for field in fields)).subquery("=record")
        line: Sql = cast(func.row_to_json(record.table_valued()), Text)
        if any(self._scope.column(name, field).family in _SPACED for field in fields):
            # Inside a text a break is written as \n; so these stand between tokens, where a blank does as well.
            line = func.translate(line, "\r\n\t", "   ", type_=Text)
        return line

    def _record(self, name: str, located: FromClause) -> Sql:
        fields = self._scope.works[name].export
        cells = [_cell(self._scope.column(name, field), located.c[field]) for field in fields]
        line = cells[0]
        for cell in cells[1:]:
            line = line + literal(",", Text) + cell
        return line + literal("\r\n", Text)


class Reader:
    """Lines as they come, cut into files and pages."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._next = next(lines, None)
        self.large: set[str] = set()
        """Collections whose lines are not among these, but are to be copied."""

    @property
    def doubtful(self) -> str | None:
        """A collection in which it is open whose rows they are."""
        if self._next is not None and self._next[0] == DOUBT:
            return self._next[1].decode()
        while self._next is not None and self._next[0] == LARGE:
            self.large.add(self._next[1].decode())
            self._next = next(self._lines, None)
        return None

    def pages(self, part: int, header: bytes) -> Iterator[bytes]:
        """One part, to its end.

        Raises:
            RuntimeError: the parts do not come in their order.
        """
        page, size = [header], len(header)
        while self._next is not None and self._next[0] == part:
            page.append(self._next[1])
            size += len(self._next[1])
            self._next = next(self._lines, None)
            if size >= PAGE:
                yield b"".join(page)
                page, size = [], 0
        if self._next is not None and self._next[0] < part:
            raise RuntimeError("the parts of an export are out of order")
        if size:
            yield b"".join(page)


Copy = Callable[[str, bool], Iterator[bytes]]
"""The pages of a collection's lines or, if so wished, of its table without the header."""


def files(exporting: Exporting, reader: Reader, copy: Copy) -> Iterator[Export]:
    """Every file of an export, first of collections with few rows. One that nobody has read is read past before the
    next is given."""
    few = [(number, name) for number, name in enumerate(exporting.collections) if name not in reader.large]
    for number, name in few:
        yield from _read_past(name, JSON_LINES, reader.pages(2 * number, b""))
        yield from _read_past(name, TABLE, reader.pages(2 * number + 1, exporting.header(name)))
    for name in exporting.collections:
        if name in reader.large:
            yield from _read_past(name, JSON_LINES, copy(name, False))
            yield from _read_past(name, TABLE, chain([exporting.header(name)], copy(name, True)))


def _read_past(name: str, media_type: str, pages: Iterator[bytes]) -> Iterator[Export]:
    yield Export(collection=name, media_type=media_type, pages=pages)
    for _ in pages:
        pass


def _harmless(column: Column, value: Sql) -> Sql:
    """A cell as text that no spreadsheet takes for a formula, without its quotes."""
    if column.family in _PLAINLY:
        return value
    text: Sql = cast(value, Text)
    if column.family in _NUMBERS:
        return text
    # What a formula begins with comes before all letters or behind most, by its bytes: most cells are through with two
    # comparisons.
    by_bytes = text.collate("C")
    suspect = and_(or_(by_bytes < "A", by_bytes >= _WIDE), column.dialect.first(text, 1).in_(_FORMULA))
    return case((suspect, literal("'", Text) + text), else_=text)


def _cell(column: Column, value: Sql) -> Sql:
    text: Sql = cast(value, Text)
    if column.family not in _NUMBERS or column.engine is Engine.SQLITE:  # where any column may hold any text
        harmless = case((column.dialect.first(text, 1).in_(_FORMULA), "'"), else_="")
        text = literal('"', Text) + harmless + func.replace(text, '"', '""', type_=Text) + '"'
    return func.coalesce(text, "", type_=Text)


def _bytes(line: Sql) -> Sql:
    return func.convert_to(line, "UTF8", type_=LargeBinary)
