"""Rectifying: statements that find what does not say yet what it is to say, write it, and look at it again.

The one rule: a row is written to by its key alone, after a statement that has locked it and read what stands there; and
no value is part of a statement's text.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import ClauseElement, FromClause, Select, Text, and_, case, cast, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from connectors.corrections import names
from connectors.errors import NeedsHuman
from connectors.protocol import Correction
from connectors.sql.catalogue import Column
from connectors.sql.dialects import Engine
from connectors.sql.families import TEXTS, Family
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.statement import Statement, compiled
from connectors.sql.stepping import BATCH, same_key
from connectors.sql.traversal import Traversal
from connectors.sql.values import fit, slot
from rights.codes import Code

OLD: Final = "=old:"
"""Before a field's name: what stands there, as text."""
DUE: Final = "=due"
"""Whether a row does not say yet what it is to say."""

Shape = tuple[str, tuple[str, ...], bool]
"""What of a correction is in a statement's text: its collection and fields, and whether it names a row."""


class Session(Protocol):
    """One open transaction."""

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]: ...

    def execute(self, statement: Statement) -> int: ...

    def give(self, name: str, rows: Sequence[object]) -> None: ...

    def hurry(self) -> None: ...


def require(scope: Scope, corrections: Sequence[Correction]) -> None:
    """Refuse what the tables would not take, as far as the catalogue can tell.

    Raises:
        NeedsHuman: NOT_RECTIFIABLE or VALUE, with the field and why.
    """
    for correction in corrections:
        table = scope.catalogue.tables[correction.collection]
        if not table.undoes:
            raise NeedsHuman(Code.SCHEMA, f"{correction.collection} (an engine without transactions)")
        for field, text in correction.values.items():
            column = table.columns[field]
            if column.generated:
                raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{column.about} (generated)")
            for reference in scope.catalogue.references:
                if reference.to == table.relation and field in reference.to_columns:
                    raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{column.about} ({reference.table} points to it)")
            if why := _misfit(column, text):
                raise NeedsHuman(Code.VALUE, f"{column.about} ({why})")


def _misfit(column: Column, text: str | None) -> str:
    """Why a column cannot hold a value; empty if nothing is known against it."""
    if text is None:
        return "" if column.nullable else "something must stand there"
    if column.limit is not None and len(text) > column.limit:
        return f"longer than {column.limit}"
    if fit(column, text) is None or (column.engine is Engine.SQLITE and not _is_number(column, text)):
        return f"not of type {column.family}"
    return ""


def _is_number(column: Column, text: str) -> bool:
    """Whether a text may stand in a column of SQLite's, which takes any: not where whoever reads it wants a number."""
    if column.family not in {Family.INTEGER, Family.NUMERIC, Family.PLAIN}:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


class Statements:
    """The statements for one way of working on a system, each made on first use."""

    def __init__(self, scope: Scope, most: int) -> None:
        """`most` rows are written to by one statement."""
        self.scope, self._most = scope, most
        self._kept: dict[tuple[object, ...], Statement] = {}

    def survey(self, correction: Correction) -> Statement:
        """One row: how many rows a correction is about, and how many of them do not say so yet."""
        return self._made("survey", _shape(correction))

    def pick(self, correction: Correction) -> Iterator[Statement]:
        """Each gives, on one of the ways to a collection, keys of rows to be written to, and what stands there now."""
        shape = _shape(correction)
        for way in self._ways(correction.collection):
            yield self._made("pick", shape, way)

    def write(self, correction: Correction) -> Statement:
        """Writes to the rows of the batch."""
        return self._made("write", _shape(correction))

    def check(self, correction: Correction) -> Statement:
        """One row: how many rows of the batch are there, and how many of them do not say it."""
        return self._made("check", _shape(correction))

    def again(self, correction: Correction) -> Statement:
        """One row: how many rows of the batch are still found to be the person's."""
        return self._made("again", _shape(correction))

    def _made(self, kind: str, shape: Shape, way: int | None = None) -> Statement:
        kept = (kind, shape, way)
        if kept not in self._kept:
            make = {
                "survey": self._survey,
                "pick": lambda of: self._pick(of, way),
                "write": self._write,
                "check": self._check,
                "again": self._again,
            }[kind]
            self._kept[kept] = compiled(make(shape), self.scope.catalogue.engine)
        return self._kept[kept]

    @property
    def _stepwise(self) -> bool:
        return self.scope.dialect.stepwise

    def _ways(self, name: str) -> Sequence[int | None]:
        if self._stepwise and not self.scope.subject(name) and name not in self.scope.circles:
            return range(self._traversal(name).ways(name))
        return [None]

    def _traversal(self, name: str, shape: Shape | None = None, lock: Sequence[str] = ()) -> Traversal:
        """The traversal that leads to a collection; with a shape, its rows say what stands in the fields."""

        def carry(there: str, table: FromClause) -> list[Sql]:
            if shape is None or there != name:
                return []
            old = [cast(table.c[field], Text).label(f"{OLD}{field}") for field in shape[1]]
            return [*old, self._due(shape, table).label(DUE)]

        return Traversal(self.scope, carry, lock, name if self._stepwise else None)

    def _survey(self, shape: Shape) -> ClauseElement:
        rows = self._traversal(shape[0], shape).located(shape[0])
        return _counted(rows, rows.c[DUE]).where(*self._named(shape, rows))

    def _pick(self, shape: Shape, way: int | None) -> ClauseElement:
        name = shape[0]
        subject = self.scope.subject(name)
        # A session that goes step by step has locked the rows of a subject collection as it settled whose they are.
        traversal = self._traversal(name, shape, [name] if subject and not self._stepwise else ())
        source: FromClause
        if self._stepwise and name in self.scope.circles:
            rows = traversal.listed(name, "r")
            source = (rows.with_for_update() if self._locks else rows).cte("source")
        elif subject:
            source = traversal.located(name)
        elif self._stepwise:
            rows = traversal.rows(name, way)
            source = (rows.with_for_update() if self._locks else rows).cte("source")
        else:
            source = traversal.rows(name).subquery("source")
        key = [cast(part, Text) for part in traversal.key(name, source)]
        old = [source.c[f"{OLD}{field}"] for field in shape[1]]
        chosen = select(*key, *old).select_from(source).where(source.c[DUE], *self._named(shape, source))
        chosen = chosen.limit(self._most)
        return chosen if subject or self._stepwise else chosen.with_for_update(of=source)

    @property
    def _locks(self) -> bool:
        """Whether rows can be locked one by one."""
        return self.scope.catalogue.engine is Engine.MARIADB

    def _write(self, shape: Shape) -> ClauseElement:
        name, fields, _ = shape
        table = self._traversal(name).tables[name]
        values = {field: self._new(name, field) for field in fields}
        return update(table).values(values).where(*self._same_key(name, table, self._batch(name)))

    def _check(self, shape: Shape) -> ClauseElement:
        table, batch = self._traversal(shape[0]).tables[shape[0]], self._batch(shape[0])
        there = batch.join(table, and_(*self._same_key(shape[0], table, batch)))
        return _counted(there, self._due(shape, table))

    def _again(self, shape: Shape) -> ClauseElement:
        rows, batch = self._traversal(shape[0]).located(shape[0]), self._batch(shape[0])
        return select(func.count()).select_from(rows.join(batch, and_(*self._same_key(shape[0], rows, batch))))

    def _batch(self, name: str) -> FromClause:
        key, columns = self.scope.system.collections[name].key, self.scope.catalogue.tables[name].columns
        given = self.scope.dialect.elements(BATCH, width=len(key))
        parts = zip(given.selected_columns, key, strict=True)
        return given.with_only_columns(*(cast(part, columns[f].type).label(f) for part, f in parts)).subquery("batch")

    def _same_key(self, name: str, rows: FromClause, batch: FromClause) -> list[ColumnElement[bool]]:
        return same_key(self.scope, name, rows, batch)

    def _named(self, shape: Shape, rows: FromClause) -> list[ColumnElement[bool]]:
        """Only the row that a correction names, if it names one."""
        name, _, one = shape
        key = self.scope.system.collections[name].key if one else ()
        given = self.scope.dialect.given
        return [cast(rows.c[field], Text) == given(slot("e", name, field), Text()) for field in key]

    def _due(self, shape: Shape, table: FromClause) -> Sql:
        """Whether any field of a row says something else than it is to say."""
        name, fields, _ = shape
        return or_(*(self._differs(name, field, table.c[field]) for field in fields))

    def _differs(self, name: str, field: str, value: Sql) -> Sql:
        column, raw = self.scope.column(name, field), self._raw(name, field)
        if column.family in TEXTS:
            # By its letters: that a type or a collation takes two for the same is no reason to leave one that is wrong.
            differs = self.scope.dialect.unlike(cast(value, Text), raw)
        else:
            differs = column.dialect.differs(column, value, self._new(name, field))
        return case((raw.is_(None), value.is_not(None)), (value.is_(None), raw.is_not(None)), else_=differs)

    def _new(self, name: str, field: str) -> Sql:
        """The value as the column's type has it; a text as it is, so that it is the column that takes it or not."""
        column, raw = self.scope.column(name, field), self._raw(name, field)
        return raw if column.family in TEXTS else column.dialect.written(column, raw)

    def _raw(self, name: str, field: str) -> Sql:
        return self.scope.dialect.given(slot("v", name, field), Text())


def about(correction: Correction, why: str = "") -> str:
    """What an error names: collection, fields and why."""
    return f"{names(correction)} ({why})" if why else names(correction)


def _shape(correction: Correction) -> Shape:
    return correction.collection, tuple(correction.values), correction.key is not None


def _counted(rows: FromClause, due: Sql) -> Select[Any]:
    return select(func.count(), func.coalesce(func.sum(case((due, 1), else_=0)), 0)).select_from(rows)
