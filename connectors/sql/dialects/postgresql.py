"""PostgreSQL's words."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Date,
    DateTime,
    FromClause,
    Function,
    Integer,
    LargeBinary,
    Select,
    Text,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeEngine

from connectors.sql.dialects.dialect import FOUR, KEPT_DAY, SIX, UNITS, WRITTEN_DAY, Sql, together
from connectors.sql.families import TEXTS, Family, Named

if TYPE_CHECKING:
    from connectors.sql.catalogue import Column
    from rights.datamap import Telling
    from rights.plan import Keep

SETTING: Final = "habeas.who"
"""The setting, local to a transaction, in which the document lies."""
WHO: Final = select(cast(func.current_setting(SETTING), JSONB).label("doc")).cte("who")
PADS: Final = ("pad:inner", "pad:outer")
"""The two paddings of the pseudonym key (RFC 2104), in hexadecimal."""
NATIVE: Final = TEXTS | {
    Family.INTEGER,
    Family.NUMERIC,
    Family.UUID,
    Family.DATE,
    Family.TIMESTAMP,
    Family.BYTES,
    Family.INET,
}
"""Families whose values are compared as what they are; all others as text."""
BIGGEST: Final = 2**63 - 1
INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}\Z")
NUMERIC: Final = re.compile(r"[+-]?[0-9]{1,1000}(\.[0-9]{0,1000})?\Z")
BYTES: Final = re.compile(r"\\x([0-9a-f]{2})*\Z")
_TIME: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?"
MOMENT: Final = re.compile(rf"\d{{4}}-\d\d-\d\d([ T]{_TIME})?\Z", re.ASCII)
# What only the database itself can have written: Python's calendar does not know it.
_DAY: Final = r"(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"
_FAR: Final = re.compile(
    rf"(-?infinity|1?\d{{5}}-{_DAY}( {_TIME})?|(?!0000)[0-3]\d{{3}}-{_DAY}( {_TIME})? BC)\Z", re.ASCII
)
_NETWORK: Final = re.compile(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?\Z")
_BIGINT: Final = Named("bigint", Family.INTEGER)
_FIRST_DAY: Final = literal_column("DATE '0001-01-01'", Integer)


class PostgreSQL:
    """One statement does a whole look, or a whole change."""

    stepwise = False

    def __init__(self) -> None:
        self.compiler = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
        # Every session of ours sets standard_conforming_strings on: a backslash in a text is one character.
        self.compiler._backslash_escapes = False

    def elements(self, slot: str, *, width: int = 0) -> Select[Any]:
        listed = select(literal_column(f"doc -> '{slot}'", JSONB)).select_from(WHO).scalar_subquery()
        if not width:
            return select(_rows(func.jsonb_array_elements_text(listed), Text()).label("0"))
        element = _rows(func.jsonb_array_elements(listed), JSONB())
        parts = (element.op("->>")(literal_column(str(number), Integer)) for number in range(width))
        return select(*(part.label(str(number)) for number, part in enumerate(parts)))

    def given(self, slot: str, type_: TypeEngine[Any]) -> Sql:
        value = cast(literal_column(f"doc ->> '{slot}'"), type_)
        return select(value).select_from(WHO).scalar_subquery()

    def comparable(self, column: "Column", value: Sql) -> tuple[Sql, TypeEngine[Any]]:
        if column.family is Family.INTEGER:
            return value, _BIGINT  # wide enough for any, and every index of the family serves it
        if column.family in NATIVE:
            return value, column.type
        return cast(value, Text), Text()

    def identity(
        self, column: "Column", value: Sql, about: "Telling", served: bool, slots: Sequence[str]
    ) -> Sql | None:
        return None

    def fit(self, column: "Column", text: str) -> str | None:
        match column.family:
            case Family.INTEGER:
                fits = INTEGER.match(text) is not None and -BIGGEST - 1 <= int(text) <= BIGGEST
            case Family.NUMERIC:
                fits = NUMERIC.match(text) is not None or text == "NaN"
            case Family.UUID:
                try:
                    return str(UUID(text))
                except ValueError:
                    return None
            case Family.DATE | Family.TIMESTAMP:
                fits = is_moment(text)
            case Family.BYTES:
                fits = BYTES.match(text) is not None
            case Family.INET:
                fits = is_address(text)
            case _:
                fits = True
        return text if fits else None

    def listed(self, texts: Sequence[Sql]) -> Sql:
        return cast(func.json_build_array(*texts), Text)

    def among(
        self, columns: Sequence["Column"], values: Sequence[Sql], right: Select[Any] | CompoundSelect[Any]
    ) -> Sql:
        return together(values).in_(right)

    @property
    def text(self) -> str:
        return "text"

    def inside(self, column: "Column", value: Sql, steps: Sequence[str]) -> Sql | None:
        if column.internal.startswith("_"):  # an array is read as the list it is
            document: Sql = func.to_jsonb(value, type_=JSONB)
        elif column.family is Family.JSON:
            document = cast(value, JSONB)
        else:
            return None
        # The names are the map's, of letters, digits, _ and -.
        path = "$" + "".join("[*]" if step == "*" else f'."{step}"' for step in steps)
        return func.jsonb_path_query_array(document, literal_column(f"'lax {path}'", JSONPATH), type_=JSONB)

    def each(self, listed: Sql) -> tuple[FromClause, Sql]:
        rows = func.jsonb_array_elements(listed).table_valued(column("=each", JSONB)).render_derived(name="each")
        value = rows.c["=each"]
        text = value.op("#>>")(literal_column("'{}'", Text))
        return rows, case((func.jsonb_typeof(value).not_in(("object", "array")), cast(text, Text)))

    def matches(self, text: Sql, pattern: str) -> Sql:
        return text.regexp_match(pattern)

    def first(self, text: Sql, characters: int) -> Sql:
        return func.left(text, characters, type_=Text)

    def contains(self, text: Sql, character: str) -> Sql:
        return func.strpos(text, character) > 0

    def greatest(self, numbers: Sequence[Sql]) -> Sql:
        return func.greatest(*numbers)

    def random_digits(self) -> Sql:
        return func.replace(cast(func.gen_random_uuid(), Text), "-", "", type_=Text)

    def random_uuid(self, begins: str) -> Sql:
        return func.overlay(cast(func.gen_random_uuid(), Text), begins, 1, 8)

    def keyed(self, text: Sql) -> Sql:
        """HMAC-SHA256 (RFC 2104) out of plain SHA-256, which every server has."""
        inner, outer = (func.decode(self.given(pad, Text()), "hex", type_=LargeBinary) for pad in PADS)
        content = func.convert_to(text, "UTF8", type_=LargeBinary)
        return func.encode(func.sha256(outer.op("||")(func.sha256(inner.op("||")(content)))), "hex")

    def differs(self, column: "Column", value: Sql, other: Sql) -> Sql:
        if column.family in {Family.JSON, Family.OTHER}:  # not all of them know equality
            value, other = cast(value, Text), cast(other, Text)
        return value.is_distinct_from(other)

    def unlike(self, text: Sql, other: Sql) -> Sql:
        return text.collate("C").is_distinct_from(cast(other, Text).collate("C"))

    def written(self, column: "Column", text: Sql) -> Sql:
        return cast(text, column.type)

    def general(self, column: "Column", to: str, value: Sql) -> Sql | None:
        text = cast(value, Text)
        if to in UNITS and column.family is Family.DATE:
            return cast(func.date_trunc(to, cast(value, DateTime)), Date)
        if to in UNITS and column.family is Family.TIMESTAMP:
            return func.date_trunc(to, value)
        if to in UNITS and column.family in TEXTS:
            digits, rest = {"year": (4, "-01-01"), "month": (7, "-01"), "decade": (3, "0-01-01")}[to]
            return case((self.matches(text, WRITTEN_DAY), self.first(text, digits) + rest))
        if to == "network" and column.family is Family.INET:
            bits = case((func.family(value) == 4, 24), else_=48)
            return func.network(func.set_masklen(value, func.least(func.masklen(value), bits)))
        if to == "network" and column.family in TEXTS:
            # By pattern and not by a cast, because a text that is no address would break the whole statement.
            return func.coalesce(
                func.substring(text, FOUR, type_=Text) + ".0/24",
                case((text.like("::%"), "::/48")),
                func.substring(text, SIX, type_=Text) + "::/48",
            )
        if to.startswith("prefix:") and column.family in TEXTS:
            return func.left(text, int(to.removeprefix("prefix:")))
        return None

    def day(self, column: "Column", value: Sql) -> Sql | None:
        if column.family is Family.TEXT:
            # By its digits, since a cast of a text that is no date would break the whole statement.
            text = cast(value, Text)
            year, month, day = (cast(func.substr(text, at, n), Integer) for at, n in ((1, 4), (6, 2), (9, 2)))
            return case((self.matches(text, KEPT_DAY), func.make_date(year, month, 1, type_=Date) + (day - 1)))
        if column.family not in {Family.DATE, Family.TIMESTAMP}:
            return None
        return cast(value, Date)

    def last_day(self, keep: "Keep", day: Sql) -> Sql:
        start = func.make_date(cast(func.extract("year", day), Integer), 12, 31) if keep.end_of_year else day
        last = cast(start + func.make_interval(0, keep.months), Date) + literal_column(str(keep.days), Integer)
        return last - _FIRST_DAY + 1

    def line(self, values: Mapping[str, Sql]) -> Sql:
        raise NotImplementedError("an export is one statement here")


def _rows(function: Function[Any], type_: TypeEngine[Any]) -> Sql:
    """What a function gives, row by row, under names of our own: a bare name could be a column of the map."""
    rows = function.table_valued(column("=value", type_)).render_derived(name="given")
    return rows.c["=value"]


def is_moment(text: str) -> bool:
    if not MOMENT.match(text):
        return _FAR.match(text) is not None
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_address(text: str) -> bool:
    if not _NETWORK.match(text):
        return False
    try:
        ip_interface(text)
    except ValueError:
        return False
    return True
