"""How values are compared, whatever their columns' types: with given ones, and with those of other columns.

The one rule: no comparison can fail. What cannot be told is false, and what does not fit is compared as text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    CompoundSelect,
    FromClause,
    Integer,
    Numeric,
    Select,
    Text,
    any_,
    cast,
    false,
    func,
    union_all,
)
from sqlalchemy.types import TypeEngine

from connectors.sql.catalogue import Column
from connectors.sql.dialects import Engine
from connectors.sql.dialects.postgresql import NATIVE
from connectors.sql.families import TEXTS, Family
from connectors.sql.rewriting import Sql


@dataclass(frozen=True)
class Arm:
    """One way to a row: `left` is among the values of `right`."""

    left: Sql
    right: Select[Any] | CompoundSelect[Any]
    served: bool
    """Whether an index leads there."""
    whole: Sql | None = None
    """The condition itself, where it is more than one comparison, or the server has no arrays."""

    def condition(self, *, indexed: bool) -> Sql:
        """An array makes the database use the index for each of its values. Without an index it would be searched from
        end to end for every row of the table, so a table that is read as a whole anyway gets a hash to look into."""
        if self.whole is not None:
            return self.whole
        if not indexed:
            return self.left.in_(self.right)
        return self.left == any_(func.array(self.right.scalar_subquery(), type_=ARRAY(Text)))


Condition = Callable[[bool], Sql]
"""Whether a row is reached on one way; the argument says whether to go by an index."""


def same(columns: Sequence[Column], values: Sequence[Sql], theirs: Sequence[Column], right: Select[Any]) -> Sql:
    """Whether values are among those of other columns, whatever the types."""
    bridges = [bridge(own, value, other) for own, value, other in zip(columns, values, theirs, strict=True)]
    there = [convert(other) for (_, convert, _), other in zip(bridges, right.selected_columns, strict=True)]
    lefts = [left for left, _, _ in bridges]
    return known(columns[0].dialect.among(columns, lefts, right.with_only_columns(*there)))


def travelling(column: Column | None) -> TypeEngine[Any]:
    """The type of a value that comes out of the document; what is compared by its text stays one."""
    if column is None:
        return Integer()
    return column.type if column.family in NATIVE or column.engine is Engine.SQLITE else Text()


def comparable(column: Column, value: Sql) -> tuple[Sql, TypeEngine[Any]]:
    """How a column is compared with given values: itself, and the type to cast them to."""
    return column.dialect.comparable(column, value)


def bridge(column: Column, value: Sql, theirs: Column) -> tuple[Sql, Callable[[Sql], Sql], bool]:
    """How a column is compared with another's values: itself, a conversion of those, and whether an index can help.

    No conversion can fail: a link from a text to a number compares texts.
    """
    if column.engine is Engine.SQLITE:
        return value, lambda other: other, True  # by its own rules of what is the same
    if (
        column.engine is Engine.MARIADB and column.cast == column.dialect.text
    ):  # the collations of two columns may differ
        return value, lambda other: cast(cast(other, Text), column.type), True
    if column.family is theirs.family and column.family in NATIVE:
        return value, lambda other: other, True
    if column.family in TEXTS:
        return value, lambda other: cast(cast(other, Text), column.type), True
    if {column.family, theirs.family} == {Family.INTEGER, Family.NUMERIC}:
        native = column.family is Family.NUMERIC
        return (value if native else cast(value, Numeric)), lambda other: cast(other, Numeric), native
    return cast(value, Text), lambda other: cast(other, Text), False


def unite(selects: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
    return selects[0] if len(selects) == 1 else union_all(*selects)


def either(table: FromClause | None, otherwise: FromClause) -> FromClause:
    return otherwise if table is None else table


def known(condition: Sql) -> Sql:
    """A condition that is false where it cannot be told."""
    return func.coalesce(condition, false())
