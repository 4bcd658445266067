"""MariaDB's words.

Texts are compared twice: once as the column's own collation has it, so that its index is used, and once letter by
letter, since most collations take no notice of case, accents and blanks at the end. The connection's own collation is
`utf8mb4_nopad_bin`, so whatever is cast to a text is compared exactly.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Date,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    not_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Cast
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from connectors.sql.dialects.dialect import FOUR, KEPT_DAY, SIX, UNITS, WRITTEN_DAY, Sql, converted, flat, together
from connectors.sql.dialects.postgresql import BYTES, INTEGER, MOMENT, NUMERIC, PADS, is_address
from connectors.sql.families import TEXTS, Family, Named

if TYPE_CHECKING:
    from connectors.sql.catalogue import Column
    from rights.datamap import Telling
    from rights.plan import Keep

COLLATION: Final = "utf8mb4_nopad_bin"
"""The connection's: two texts are the same if their letters are."""
SALT: Final = "salt"
"""The slot of random digits, new for each transaction, that anonymous values are made from."""
_FLOAT: Final = "6e-8"
"""By how much of itself a number may differ from what a FLOAT makes of it."""
_BEFORE_DAY_ONE: Final = 365
"""TO_DAYS counts from the year 0."""
NATIVE: Final = TEXTS | {
    Family.INTEGER,
    Family.NUMERIC,
    Family.UUID,
    Family.DATE,
    Family.TIMESTAMP,
    Family.BYTES,
    Family.INET,
}


def variable(slot: str) -> str:
    """The name under which a list or a value of the document lies on the server; names of maps may be long."""
    return f"habeas_{hashlib.sha256(slot.encode()).hexdigest()[:20]}"


class MariaDB:
    """A look goes collection by collection; a row is locked before it is looked at and changed."""

    stepwise = True

    def __init__(self) -> None:
        self.compiler = MariaDBDialect(paramstyle="named")
        # Every session of ours sets NO_BACKSLASH_ESCAPES.
        self.compiler._backslash_escapes = False

    def elements(self, slot: str, *, width: int = 0) -> Select[Any]:
        names = [str(number) for number in range(width or 1)]
        paths = [f"`{name}` LONGTEXT PATH '$[{name}]'" if width else "`0` LONGTEXT PATH '$'" for name in names]
        table = f"JSON_TABLE(@{variable(slot)}, '$[*]' COLUMNS ({', '.join(paths)})) AS given"
        columns = (cast(literal_column(f"given.`{name}`", Text()), Text).label(name) for name in names)
        given: Select[Any] = select().add_columns(*columns).select_from(text(table))
        return given

    def given(self, slot: str, type_: TypeEngine[Any]) -> Sql:
        return cast(literal_column(f"@{variable(slot)}", Text()), type_)

    def fit(self, column: "Column", text: str) -> str | None:
        fits = True
        match column.family:
            case Family.INTEGER if INTEGER.match(text):
                low, high = (0, 2**64 - 1) if column.cast == "UNSIGNED" else (-(2**63), 2**63 - 1)
                return str(int(text)) if low <= int(text) <= high else None
            case Family.NUMERIC if NUMERIC.match(text):
                return _decimal(column.cast, text)
            case Family.INTEGER | Family.NUMERIC:
                fits = False
            case Family.UUID:
                try:
                    return str(UUID(text))
                except ValueError:
                    return None
            case Family.DATE | Family.TIMESTAMP:
                return _moment(text)
            case Family.BYTES:
                fits = BYTES.match(text) is not None
            case Family.INET:
                fits = is_address(text) and "/" not in text
            case Family.TEXT:
                fits = column.limit is None or len(text) <= column.limit
        return text if fits else None

    def comparable(self, column: "Column", value: Sql) -> tuple[Sql, TypeEngine[Any]]:
        if column.family in NATIVE:
            return value, column.type
        return cast(value, Text), Text()

    def identity(
        self, column: "Column", value: Sql, about: "Telling", served: bool, slots: Sequence[str]
    ) -> Sql | None:
        if column.family is not Family.TEXT:
            return None
        fold: Callable[[Sql], Sql] = func.lower if about.casefold else lambda same: same
        exact = fold(cast(value, Text)).in_(self._either(slots, fold))
        if not served:
            return exact
        near = value.in_(self._either(slots, lambda one: cast(one, column.type)))
        return and_(near, exact)

    def listed(self, texts: Sequence[Sql]) -> Sql:
        return cast(func.json_array(*texts), Text)

    def among(
        self, columns: Sequence["Column"], values: Sequence[Sql], right: Select[Any] | CompoundSelect[Any]
    ) -> Sql:
        return together(values).in_(flat(right))

    @property
    def text(self) -> str:
        return f"CHAR CHARACTER SET utf8mb4 COLLATE {COLLATION}"

    def inside(self, column: "Column", value: Sql, steps: Sequence[str]) -> Sql | None:
        if column.family not in {Family.JSON, Family.TEXT}:
            return None
        return func.json_extract(value, *map(_quoted, _strict(steps)), type_=Text)

    def each(self, listed: Sql) -> tuple[FromClause, Sql]:
        rows = _Each(listed).table_valued("value", name="each")
        return rows, cast(rows.c.value, Text)

    def matches(self, text: Sql, pattern: str) -> Sql:
        # In PCRE a $ also stands before a line break at the end, and a dot stands for none.
        whole = "(?s)" + pattern.removesuffix("$") + r"\z"
        return text.op("REGEXP", is_comparison=True)(_quoted(whole))

    def first(self, text: Sql, characters: int) -> Sql:
        return func.left(text, characters, type_=Text)

    def contains(self, text: Sql, character: str) -> Sql:
        return func.locate(_quoted(character), text) > 0

    def greatest(self, numbers: Sequence[Sql]) -> Sql:
        """Here one NULL makes all NULL; none of our numbers is negative."""
        return func.nullif(func.greatest(*(func.coalesce(number, -1) for number in numbers)), -1, type_=BigInteger)

    def random_digits(self) -> Sql:
        """RANDOM_BYTES came with 10.10. A hash over a secret of this transaction and something that never comes again
        foretells as little."""
        secret = func.sha2(func.concat(self.given(SALT, Text()), func.uuid()), 256)
        return func.left(secret, 32, type_=Text)

    def random_uuid(self, begins: str) -> Sql:
        digits = self.random_digits()
        parts = [_quoted(begins), *(func.substr(digits, at, n) for at, n in ((9, 4), (13, 4), (17, 4), (21, 12)))]
        return func.concat_ws(_quoted("-"), *parts, type_=Text)

    def keyed(self, text: Sql) -> Sql:
        inner, outer = (func.unhex(self.given(pad, Text())) for pad in PADS)
        within = func.unhex(func.sha2(func.concat(inner, cast(text, LargeBinary)), 256))
        return cast(func.sha2(func.concat(outer, within), 256), Text)

    def differs(self, column: "Column", value: Sql, other: Sql) -> Sql:
        if column.family in TEXTS or column.family is Family.OTHER:
            value, other = cast(value, Text), cast(other, Text)
        if column.cast == "FLOAT":  # of seven digits, and compared in sixteen
            return func.abs(value - other) > func.abs(other) * literal_column(_FLOAT)
        # Not is_distinct_from, which SQLAlchemy writes here without the constants in it.
        alike: Sql = value.op("<=>", is_comparison=True)(other)
        return not_(alike)

    def unlike(self, text: Sql, other: Sql) -> Sql:
        alike: Sql = text.op("<=>", is_comparison=True)(other)
        return not_(alike)

    def written(self, column: "Column", text: Sql) -> Sql:
        return text if column.family is Family.OTHER else cast(text, column.type)

    def general(self, column: "Column", to: str, value: Sql) -> Sql | None:
        text = cast(value, Text)
        if to in UNITS and column.family in {Family.DATE, Family.TIMESTAMP}:
            year: Sql = func.year(value)
            first = func.makedate(func.greatest(year - year.op("%")(10), 1) if to == "decade" else year, 1, type_=Date)
            if to == "month":
                months = func.timestampadd(literal_column("MONTH"), func.month(value) - 1, first, type_=Date)
                first = months
            # Dates that are none, such as 2024-00-00, become nothing.
            return case((func.to_days(value).is_not(None), first))
        if to in UNITS and column.family in TEXTS:
            digits, rest = {"year": (4, "-01-01"), "month": (7, "-01"), "decade": (3, "0-01-01")}[to]
            return case((self.matches(text, WRITTEN_DAY), func.concat(self.first(text, digits), _quoted(rest))))
        if to == "network" and column.family in TEXTS:
            return case(
                (self.matches(text, FOUR), func.concat(self._part(text, FOUR), _quoted(".0/24"))),
                (text.like("::%"), _quoted("::/48")),
                (self.matches(text, SIX), func.concat(self._part(text, SIX), _quoted("::/48"))),
            )
        if to.startswith("prefix:") and column.family in TEXTS:
            return self.first(text, int(to.removeprefix("prefix:")))
        return None

    def day(self, column: "Column", value: Sql) -> Sql | None:
        if column.family is Family.TEXT:
            text = cast(value, Text)
            month = cast(func.concat(self.first(text, 8), _quoted("01")), Date)
            days = cast(func.substr(text, 9, 2), Integer) - 1
            return case(
                (self.matches(text, KEPT_DAY), func.timestampadd(literal_column("DAY"), days, month, type_=Date))
            )
        if column.family not in {Family.DATE, Family.TIMESTAMP}:
            return None
        # There and back: a day that is none, such as 2024-00-00, is NULL then.
        return func.from_days(func.nullif(func.to_days(value), 0), type_=Date)

    def last_day(self, keep: "Keep", day: Sql) -> Sql:
        start = func.makedate(func.year(day) + 1, 1, type_=Date) if keep.end_of_year else day
        if keep.end_of_year:
            start = func.timestampadd(literal_column("DAY"), -1, start, type_=Date)
        later = func.timestampadd(literal_column("MONTH"), keep.months, start, type_=Date)
        return func.to_days(later, type_=BigInteger) + (keep.days - _BEFORE_DAY_ONE)

    def line(self, values: Mapping[str, Sql]) -> Sql:
        parts = [part for name, value in values.items() for part in (_quoted(name), _plain(value))]
        return func.concat(func.json_object(*parts), literal_column("'\n'", Text()), type_=Text)

    def _either(self, slots: Sequence[str], convert: Callable[[Sql], Sql]) -> Select[Any]:
        values = [converted(self.elements(slot), convert) for slot in slots]
        return values[0] if len(values) == 1 else flat(union_all(*values))

    def _part(self, text: Sql, pattern: str) -> Sql:
        return func.regexp_replace(text, _quoted(pattern.removesuffix("$") + r"\z"), _quoted(r"\1"), type_=Text)


class _Each(FunctionElement[Any]):
    """The elements of a JSON list, row by row. At least two paths are asked for at a time, so what they find is always
    a list."""

    inherit_cache = True
    name = "json_table"


@compiles(_Each, "mysql", "mariadb")
def _each(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    listed = compiler.process(element.clause_expr.element, **kw)
    return f"JSON_TABLE({listed}, '$[*]' COLUMNS (`value` LONGTEXT PATH '$'))"


def _strict(steps: Sequence[str]) -> list[str]:
    """A lax path as all the strict ones that it may be: before a name there may be one list more than it says, and a
    list that it does say may be one value. No two of them find the same place."""
    paths, lists = ["$"], 0
    for step in steps:
        if step == "*":
            lists += 1
        else:
            paths = [f'{path}{"[*]" * number}."{step}"' for path in paths for number in range(lists + 2)]
            lists = 0
    return [path + "[*]" * number for path in paths for number in range(lists + 1)]


def _plain(value: Sql) -> Sql:
    """A value as JSON can hold it: numbers as they are, everything else as its text."""
    numbers = {Family.INTEGER, Family.NUMERIC}
    own = isinstance(value.type, Named) and value.type.family in numbers
    return value if own else cast(value, Text)


def _decimal(type_: str, text: str) -> str | None:
    """A number as DECIMAL(p,s) has it; one with more digits would be rounded, and then match another."""
    precision, scale = (int(part) for part in type_.removeprefix("DECIMAL(").removesuffix(")").split(","))
    whole, _, rest = text.lstrip("+-").partition(".")
    fits = len(whole.lstrip("0")) <= precision - scale and len(rest.rstrip("0")) <= scale
    return text if fits else None


def _moment(text: str) -> str | None:
    """A day or a time; one with an offset as its time in UTC, which the session keeps to."""
    if text.startswith("0000-00-00"):
        return text  # MariaDB's own way of writing that there is no date
    if not MOMENT.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ") if moment.tzinfo else text.replace("T", " ")


def _quoted(constant: str) -> Sql:
    return literal_column("'" + constant.replace("'", "''") + "'", Text())


@compiles(Cast, "mysql", "mariadb")
def _cast(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    """A cast that loses nothing: bytes become \\x and hexadecimal, and come back from it."""
    clause, to = element.clause, element.type
    value = compiler.process(clause, **kw)
    came = clause.type if isinstance(clause.type, Named) else None
    if isinstance(to, Named):
        if to.family is Family.BYTES:
            return value if came and came.family is Family.BYTES else f"UNHEX(SUBSTR({value}, 3))"
        name, _, collation = to.name.partition(" COLLATE ")
        name = {"BIT": "UNSIGNED", "FLOAT": "DOUBLE"}.get(name, name)
        return f"CAST({value} AS {name})" + (f" COLLATE {collation}" if collation else "")
    if isinstance(to, Text):
        if came and came.family is Family.BYTES:
            return f"CAST(CONCAT('\\x', LOWER(HEX({value}))) AS CHAR)"
        if came and came.name == "BIT":
            return f"CAST({value} + 0 AS CHAR)"
        if came and came.name == "FLOAT":  # printed with six digits otherwise
            return f"CAST(CAST({value} AS DOUBLE) AS CHAR)"
        return f"CAST({value} AS CHAR)"
    if isinstance(to, Integer):
        return f"CAST({value} AS SIGNED)"
    if isinstance(to, Date):
        return f"CAST({value} AS DATE)"
    if isinstance(to, LargeBinary):
        return f"CAST({value} AS BINARY)"
    return f"CAST({value} AS DECIMAL(65, 30))"
