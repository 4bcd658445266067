"""What differs from one kind of server to the next, as far as an expression's meaning goes.

The one rule: everything else in this connector is written once. A dialect makes expressions and is asked nothing about
people; how a server is reached, limited and questioned stands beside it (`Engine`).
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import ColumnElement, CompoundSelect, FromClause, Select, select, tuple_
from sqlalchemy.engine import Dialect as Compiler
from sqlalchemy.types import TypeEngine

if TYPE_CHECKING:
    from connectors.sql.catalogue import Column
    from rights.datamap import Telling
    from rights.plan import Keep

Sql = ColumnElement[Any]


class Engine(StrEnum):
    """The kinds of servers."""

    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"
    SQLITE = "sqlite"


class Dialect(Protocol):
    """Expressions in one server's words."""

    @property
    def compiler(self) -> Compiler:
        """Writes statements."""

    @property
    def stepwise(self) -> bool:
        """Whether a look goes collection by collection: the server has no statement that both looks and changes."""

    def elements(self, slot: str, *, width: int = 0) -> Select[Any]:
        """The values of a list of the document, as texts; of a list of rows, `width` columns named "0", "1" ..."""

    def given(self, slot: str, type_: TypeEngine[Any]) -> Sql:
        """One value of the document."""

    def fit(self, column: "Column", text: str) -> str | None:
        """A value as the column's type takes it; None if it cannot be one of the column's values."""

    def comparable(self, column: "Column", value: Sql) -> tuple[Sql, TypeEngine[Any]]:
        """How a column is compared with given values: itself, and the type to cast them to."""

    def identity(
        self, column: "Column", value: Sql, about: "Telling", served: bool, slots: Sequence[str]
    ) -> Sql | None:
        """Whether a column holds one of the identities, where that takes more than one comparison; else None."""

    def listed(self, texts: Sequence[Sql]) -> Sql:
        """Several texts as one: a JSON list."""

    def among(
        self, columns: Sequence["Column"], values: Sequence[Sql], right: Select[Any] | CompoundSelect[Any]
    ) -> Sql:
        """Whether the values of some columns, together, are those of one of the rows that a select gives."""

    @property
    def text(self) -> str:
        """The type of texts that belong to no column, compared letter by letter."""

    def inside(self, column: "Column", value: Sql, steps: Sequence[str]) -> Sql | None:
        """The list of what stands on a path (names, and * for each element) inside a JSON document; None if the
        column's type holds no documents. The path is a lax one: a list is looked into, and one value is a list of
        one."""

    def each(self, listed: Sql) -> tuple[FromClause, Sql]:
        """The values of such a list, row by row, as texts; a list, an object and nothing are NULL."""

    def matches(self, text: Sql, pattern: str) -> Sql:
        """Whether a whole text has a form; letters in their own case. The pattern begins with ^ and ends with $."""

    def first(self, text: Sql, characters: int) -> Sql:
        """The beginning of a text."""

    def contains(self, text: Sql, character: str) -> Sql: ...

    def greatest(self, numbers: Sequence[Sql]) -> Sql:
        """The greatest of those that are not NULL."""

    def random_digits(self) -> Sql:
        """32 hexadecimal digits that nobody can foresee, others for each row."""

    def random_uuid(self, begins: str) -> Sql:
        """A random UUID with given digits for its first eight, as text."""

    def keyed(self, text: Sql) -> Sql:
        """The hexadecimal HMAC-SHA256 of a text under the request's key."""

    def differs(self, column: "Column", value: Sql, other: Sql) -> Sql:
        """Whether two values of a column differ, be it in a letter or a blank; NULL is a value like others."""

    def unlike(self, text: Sql, other: Sql) -> Sql:
        """Whether two texts differ in any letter, whatever their collation takes for the same; NULL is a value, too."""

    def written(self, column: "Column", text: Sql) -> Sql:
        """A text of the document as a value that is written into a column, nothing of it lost."""

    def general(self, column: "Column", to: str, value: Sql) -> Sql | None:
        """A coarser value; None if the column's type knows none of this kind."""

    def day(self, column: "Column", value: Sql) -> Sql | None:
        """The UTC day of a column, NULL where none can be told; None if the column's type holds no dates."""

    def last_day(self, keep: "Keep", day: Sql) -> Sql:
        """The ordinal of the last day of a duty to keep: `Keep.until`; NULL stays NULL."""

    def line(self, values: Mapping[str, Sql]) -> Sql:
        """A row as one line of JSON; only where a look goes step by step."""


UNITS: Final = frozenset({"year", "month", "decade"})
WRITTEN_DAY: Final = r"^\d{4}-[01]\d-[0-3]\d([T ].*)?$"
"""A text that begins with a day, as far as generalising it goes."""
KEPT_DAY: Final = r"^[1-8]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ].*)?$"
"""A text that begins with a day that a term can be counted from."""
FOUR: Final = r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}(?:/\d+)?$"
SIX: Final = r"^([0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,2}):[0-9a-fA-F:.]*(?:/\d+)?$"
"""What a network is taken from, in an address of either version."""


def flat(values: Select[Any] | CompoundSelect[Any]) -> Select[Any]:
    """The same values as a plain SELECT: MariaDB asks what lies in a union for each row of a table, where it would
    otherwise go by an index."""
    return values if isinstance(values, Select) else select(values.subquery("=values"))


def converted(values: Select[Any], convert: Callable[[Sql], Sql]) -> Select[Any]:
    """The same values, each of them converted."""
    (value,) = values.selected_columns
    return values.with_only_columns(convert(value))


def together(values: Sequence[Sql]) -> Sql:
    """Several values as one, or the one."""
    if len(values) == 1:
        return values[0]
    several: Sql = tuple_(*values)
    return several
