"""Comparing rows with the lists of a call's document: their keys, or values of theirs.

The one rule: the first column of a key leads the index, the others tell its rows apart.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import CompoundSelect, FromClause, Select, and_, cast
from sqlalchemy import Table as SqlTable

from connectors.sql.comparing import Arm, Condition, comparable, either
from connectors.sql.dialects.dialect import converted
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.values import slot


class Lists:
    """The comparisons of one statement."""

    def __init__(self, scope: Scope, tables: Mapping[str, SqlTable]) -> None:
        self._scope, self._tables = scope, tables

    def keyed(self, name: str, kind: str, table: FromClause | None = None, field: str = "") -> Condition:
        """Whether a row's key is in a list of the document."""
        fields = self._scope.system.collections[name].key
        place = slot(kind, name, field)
        if len(fields) == 1:
            left, type_ = comparable(
                self._scope.column(name, fields[0]), either(table, self._tables[name]).c[fields[0]]
            )
            arm = self.arm(left, self.texts(place, lambda text: cast(text, type_)), True)
            return lambda indexed: arm.condition(indexed=indexed)
        rows = self._scope.dialect.elements(place, width=len(fields))
        return self.is_key(
            name, lambda parts: rows.with_only_columns(*parts), lambda number: rows.selected_columns[number], table
        )

    def is_key(
        self,
        name: str,
        among: Callable[[Sequence[Sql]], Select[Any]],
        part: Callable[[int], Sql],
        table: FromClause | None = None,
    ) -> Condition:
        """Whether a row's key is among keys whose parts are given as texts."""
        rows = either(table, self._tables[name])
        fields = self._scope.system.collections[name].key
        pairs = [comparable(self._scope.column(name, field), rows.c[field]) for field in fields]
        parts = [cast(part(number), type_) for number, (_, type_) in enumerate(pairs)]
        first = Arm(pairs[0][0], among(parts[:1]), True)
        if len(fields) == 1:
            return lambda indexed: first.condition(indexed=indexed)
        columns = [self._scope.column(name, field) for field in fields]
        whole = self._scope.dialect.among(columns, [left for left, _ in pairs], among(parts))
        if self._scope.dialect.stepwise:
            return lambda indexed: whole
        # The first column leads the index, the others tell its rows apart.
        return lambda indexed: and_(first.condition(indexed=True), whole) if indexed else whole

    def arm(self, left: Sql, right: Select[Any] | CompoundSelect[Any], served: bool) -> Arm:
        dialect = self._scope.dialect
        return Arm(left, right, served, dialect.among((), [left], right) if dialect.stepwise else None)

    def texts(self, place: str, convert: Callable[[Sql], Sql]) -> Select[Any]:
        """The values of a list of the document."""
        return converted(self._scope.dialect.elements(place), convert)
