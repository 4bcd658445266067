"""Exporting: one statement whose rows are the lines of all files, one file after the other.

The one rule: the database makes the bytes, all of one moment, and here they only pass through. Types that a spreadsheet
or JSON would round or reinterpret never become Python values.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import FromClause, LargeBinary, Select, Text, case, cast, func, literal, not_, select, union_all

from connectors.protocol import Export
from connectors.sql.catalogue import Column
from connectors.sql.dialects import Engine
from connectors.sql.families import Family
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.sharing import given, somebody_elses
from connectors.sql.traversal import Traversal

JSON_LINES: Final = "application/x-ndjson"
TABLE: Final = "text/csv"
PAGE: Final = 128 * 1024
"""Bytes after which a page is handed on: enough that the work per page is small, little enough to hold."""
DOUBT: Final = -1
"""The part whose lines are names of collections in which it is open whose rows they are."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula, when it stands first."""
_NUMBERS: Final = frozenset(
    {Family.INTEGER, Family.NUMERIC, Family.UUID, Family.DATE, Family.TIMESTAMP, Family.BYTES, Family.BOOL}
    | {Family.INET, Family.PLAIN}
)
"""Families whose text needs no quotes and is no formula, though it may begin with a sign."""
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
        """All lines, each with its part's number: first the doubts, then two parts for each collection."""
        traversal = Traversal(self._scope, self._columns)
        lines = [
            select(literal(DOUBT), _bytes(literal(name, Text))).select_from(
                traversal.doubtful(name).limit(1).subquery()
            )
            for name in self._scope.system.collections
            if self._scope.doubts(name)
        ]
        for number, name in enumerate(self.collections):
            located = self._given(name, traversal.located(name))
            lines.append(select(literal(2 * number), _bytes(self._object(name, located))))
            lines.append(select(literal(2 * number + 1), _bytes(self._record(name, located))))
        return union_all(*lines)

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
        record = select(*(located.c[field] for field in fields)).subquery("=record")
        line: Sql = cast(func.row_to_json(record.table_valued()), Text)
        if any(self._scope.column(name, field).family in _SPACED for field in fields):
            # Inside a text a break is written as \n; so these stand between tokens, where a blank does as well.
            line = func.translate(line, "\r\n", "  ", type_=Text)
        return line + "\n"

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

    @property
    def doubtful(self) -> str | None:
        """A collection in which it is open whose rows they are."""
        if self._next is not None and self._next[0] == DOUBT:
            return self._next[1].decode()
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


def files(exporting: Exporting, reader: Reader) -> Iterator[Export]:
    """Every file of an export. One that nobody has read is read past before the next is given."""
    for number, name in enumerate(exporting.collections):
        for part, media_type, header in (
            (2 * number, JSON_LINES, b""),
            (2 * number + 1, TABLE, exporting.header(name)),
        ):
            pages = reader.pages(part, header)
            yield Export(collection=name, media_type=media_type, pages=pages)
            for _ in pages:
                pass


def _cell(column: Column, value: Sql) -> Sql:
    text: Sql = cast(value, Text)
    if column.family not in _NUMBERS or column.engine is Engine.SQLITE:  # where any column may hold any text
        harmless = case((column.dialect.first(text, 1).in_(_FORMULA), "'"), else_="")
        text = literal('"', Text) + harmless + func.replace(text, '"', '""', type_=Text) + '"'
    return func.coalesce(text, "", type_=Text)


def _bytes(line: Sql) -> Sql:
    return func.convert_to(line, "UTF8", type_=LargeBinary)
