"""SQLite's words. It runs in the worker's own process, so what it has no function for is Python's (`functions`).

A column's type is only what its values lean to: any row may hold a text in a column of numbers. So values are compared
by SQLite's own rules, and rewritten and dated by what they are.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    CompoundSelect,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Cast
from sqlalchemy.types import TypeEngine

from connectors.sql.dialects.dialect import UNITS, Sql, converted, flat, together
from connectors.sql.dialects.mariadb import variable
from connectors.sql.dialects.postgresql import INTEGER, NUMERIC
from connectors.sql.families import TEXTS, Family, Named

if TYPE_CHECKING:
    from connectors.sql.catalogue import Column
    from rights.datamap import Telling
    from rights.plan import Keep

_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*\Z")
"""What SQLite takes for a number."""


_LOOSE: Final = frozenset({Family.OTHER, Family.BYTES})
"""Families of columns that may make nothing of a text."""


class SQLite:
    """A look goes collection by collection; while a writing transaction is open nobody else writes."""

    stepwise = True

    def __init__(self) -> None:
        self.compiler = SQLiteDialect(paramstyle="named")

    def elements(self, slot: str, *, width: int = 0) -> Select[Any]:
        names = [str(number) for number in range(width or 1)]
        values = [f"json_extract(given.value, '$[{name}]')" if width else "given.value" for name in names]
        columns = (literal_column(value, Text()).label(name) for name, value in zip(names, values, strict=True))
        given: Select[Any] = (
            select().add_columns(*columns).select_from(text(f"json_each(habeas_given('{variable(slot)}')) AS given"))
        )
        return given

    def given(self, slot: str, type_: TypeEngine[Any]) -> Sql:
        return func.habeas_given(_quoted(variable(slot)), type_=type_)

    def fit(self, column: "Column", text: str) -> str | None:
        """Any column may hold any text, but where numbers are kept SQLite would take " 1.0" for the number 1."""
        if column.family not in {Family.INTEGER, Family.NUMERIC} or not _NUMBER.match(text):
            return text
        if INTEGER.match(text):
            return str(int(text)) if -(2**63) <= int(text) < 2**63 else None
        if column.family is Family.NUMERIC and NUMERIC.match(text):
            return text
        number = float(text)
        return text if repr(number) == text and not number.is_integer() else None

    def comparable(self, column: "Column", value: Sql) -> tuple[Sql, TypeEngine[Any]]:
        return value, Named("", Family.OTHER)

    def identity(
        self, column: "Column", value: Sql, about: "Telling", served: bool, slots: Sequence[str]
    ) -> Sql | None:
        if column.family is not Family.TEXT:
            return None
        if about.casefold:
            # The index over lower(x) is not an index over x COLLATE NOCASE, though they mean the same.
            nocase = column.internal.endswith("NOCASE")
            left = value.collate("NOCASE") if nocase else func.lower(value, type_=Text).collate("BINARY")
            fold: Callable[[Sql], Sql] = (lambda same: same) if nocase else func.lower
            return or_(*(left.in_(converted(self.elements(slot), fold)) for slot in slots))
        near = or_(*(value.in_(self.elements(slot)) for slot in slots))
        exact = or_(*(cast(value, Text).collate("BINARY").in_(self.elements(slot)) for slot in slots))
        return and_(near, exact)

    def listed(self, texts: Sequence[Sql]) -> Sql:
        return func.json_array(*texts, type_=Text)

    def among(
        self, columns: Sequence["Column"], values: Sequence[Sql], right: Select[Any] | CompoundSelect[Any]
    ) -> Sql:
        """Values travel as texts. Where a column makes nothing of a text, 7 is looked for beside '7'."""
        texts = flat(right)
        if len(values) > 1:
            loose = [column.family in _LOOSE for column in columns]
            parts = zip(loose, values, texts.selected_columns, strict=True)
            both = [(_text(mine), _text(theirs)) if odd else (mine, theirs) for odd, mine, theirs in parts]
            return together([mine for mine, _ in both]).in_(texts.with_only_columns(*(theirs for _, theirs in both)))
        (other,) = (typed(text) for text in texts.selected_columns)
        return values[0].in_(flat(union_all(texts, texts.with_only_columns(other).where(other.is_not(None)))))

    @property
    def text(self) -> str:
        return ""

    def inside(self, column: "Column", value: Sql, steps: Sequence[str]) -> Sql | None:
        """In any column: none of them says that it holds documents."""
        return func.habeas_inside(value, _quoted(" ".join(steps)), type_=Text)

    def each(self, listed: Sql) -> tuple[FromClause, Sql]:
        rows = func.json_each(listed).table_valued(column("value", Text()), name="each")
        return rows, rows.c.value

    def matches(self, text: Sql, pattern: str) -> Sql:
        return func.habeas_matches(_quoted(pattern), text, type_=Integer) == 1

    def first(self, text: Sql, characters: int) -> Sql:
        return func.substr(text, 1, characters, type_=Text)

    def contains(self, text: Sql, character: str) -> Sql:
        return func.instr(text, _quoted(character)) > 0

    def greatest(self, numbers: Sequence[Sql]) -> Sql:
        return func.nullif(func.max(*(func.coalesce(number, -1) for number in numbers)), -1, type_=Integer)

    def random_digits(self) -> Sql:
        return func.lower(func.hex(func.habeas_random()), type_=Text)

    def random_uuid(self, begins: str) -> Sql:
        return func.habeas_uuid(_quoted(begins), type_=Text)

    def keyed(self, text: Sql) -> Sql:
        return func.habeas_keyed(text, type_=Text)

    def differs(self, column: "Column", value: Sql, other: Sql) -> Sql:
        return func.habeas_same(value, other, type_=Integer) == 0

    def unlike(self, text: Sql, other: Sql) -> Sql:
        return text.is_distinct_from(other)

    def written(self, column: "Column", text: Sql) -> Sql:
        return cast(text, column.type)

    def general(self, column: "Column", to: str, value: Sql) -> Sql | None:
        dates = to in UNITS and column.family in TEXTS | {Family.DATE, Family.TIMESTAMP}
        texts = (to == "network" or to.startswith("prefix:")) and column.family in TEXTS
        return func.habeas_general(_quoted(to), cast(value, Text), type_=Text) if dates or texts else None

    def day(self, column: "Column", value: Sql) -> Sql | None:
        if column.family not in TEXTS | {Family.DATE, Family.TIMESTAMP}:
            return None
        return func.habeas_day(value, type_=Text)

    def last_day(self, keep: "Keep", day: Sql) -> Sql:
        return func.habeas_last_day(day, keep.months, keep.days, int(keep.end_of_year), type_=Integer)

    def line(self, values: Mapping[str, Sql]) -> Sql:
        """Piece by piece: a function here takes a hundred arguments at most."""
        line: Sql = _quoted("{")
        for number, (name, value) in enumerate(values.items()):
            line = line + _quoted(f"{', ' if number else ''}{json.dumps(name)}: ") + func.habeas_json(value, type_=Text)
        return line + literal_column("'}\n'", Text())


def typed(text: Sql) -> Sql:
    """The number, or the bytes, that a text stands for; NULL if it stands for itself."""
    return func.habeas_value(text, type_=Named("", Family.OTHER))


def _text(value: Sql) -> Sql:
    return func.habeas_text(value, type_=Text)


def _quoted(constant: str) -> Sql:
    return literal_column("'" + constant.replace("'", "''") + "'", Text())


@compiles(Cast, "sqlite")
def _cast(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    """A cast that loses nothing: bytes become \\x and hexadecimal, and numbers keep all their digits."""
    value, to = compiler.process(element.clause, **kw), element.type
    if isinstance(to, Named):
        # A value takes a column's type when it is stored; a blob comes back from its digits.
        return f"habeas_bytes({value})" if to.family is Family.BYTES else value
    if isinstance(to, Text):
        if isinstance(element.clause.type, Named):
            return f"habeas_text({value})"
        return f"CAST({value} AS TEXT)"
    if isinstance(to, Integer):
        return f"CAST({value} AS INTEGER)"
    if isinstance(to, LargeBinary):
        return f"CAST({value} AS BLOB)"
    return value
