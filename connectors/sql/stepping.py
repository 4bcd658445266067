"""What all steps have in common: a transaction that is asked statement by statement, and how batches are written.

The one rule: rows are changed by key, by keys that lie in the document.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import ClauseElement, FromClause, Integer, Select, Table, Text, cast, delete, or_, select

from connectors.errors import NeedsHuman
from connectors.sql.dialects import Engine
from connectors.sql.dialects.sqlite import typed
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope, told_of
from connectors.sql.statement import Statement, compiled
from connectors.sql.values import slot
from rights.codes import Code

Row = tuple[Any, ...]
Rows = list[Row]
BATCH: Final = slot("b", "")
"""The slot of the keys that one statement changes."""


class Stepping(Protocol):
    """One open transaction of a server that is asked step by step."""

    emptied: int
    """Rows that were rewritten only so that they can be deleted: changes that stand in no count."""

    def rows(self, statement: Statement) -> Rows: ...

    def stream(self, statement: Statement) -> Iterator[Row]: ...

    def execute(self, statement: Statement) -> int:
        """The number of rows changed."""

    def hurry(self) -> None:
        """From here on all statements together get the time of one: what a fence has let through ends in time."""

    def defer(self) -> bool:
        """Have foreign keys checked when the transaction commits; False if the server knows no such thing."""

    def give(self, name: str, rows: Sequence[object]) -> None:
        """Put a list into the document, for the statements that follow."""


class Made:
    """Statements, each made on first use and kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[tuple[object, ...], Statement] = {}

    def __call__(self, kind: str, about: object, make: Callable[[], ClauseElement], part: object = None) -> Statement:
        key = (kind, about, part)
        if key not in self._kept:
            self._kept[key] = compiled(make(), self._engine)
        return self._kept[key]


def keys_of(scope: Scope, name: str, rows: Sequence[Row]) -> list[object]:
    """The keys that rows begin with, as a list of the document has them.

    Raises:
        NeedsHuman: SCHEMA: a part of one is NULL, and by such a key no row is found again.
    """
    size = len(scope.system.collections[name].key)
    keys = [row[:size] for row in rows]
    if any(part is None for key in keys for part in key):
        raise NeedsHuman(Code.SCHEMA, name)
    return [key[0] for key in keys] if size == 1 else list(keys)


def told_columns(scope: Scope, name: str) -> list[str]:
    """What the next steps need of a collection's rows: the key, and what links need to know."""
    return list(dict.fromkeys((*scope.system.collections[name].key, *told_of(scope.system, name))))


def told_texts(scope: Scope, name: str, rows: FromClause) -> Select[Any]:
    """The same as texts."""
    columns: list[Sql] = [cast(rows.c[field], Text).label(field) for field in told_columns(scope, name)]
    return select(*columns)


def told(scope: Scope, name: str, rows: Rows) -> list[Row]:
    """Of such rows, what links need to know, each once."""
    places = [told_columns(scope, name).index(field) for field in told_of(scope.system, name)]
    return list(dict.fromkeys(tuple(row[place] for place in places) for row in rows))


def picked(scope: Scope, name: str, fields: Sequence[str]) -> FromClause:
    """The rows of a batch, as the document has them."""
    given = scope.dialect.elements(BATCH, width=len(fields))
    columns = scope.catalogue.tables[name].columns
    types = [columns[field].type if field in columns else Integer() for field in fields]
    parts = zip(given.selected_columns, fields, types, strict=True)
    return given.with_only_columns(*(cast(part, type_).label(field) for part, field, type_ in parts)).subquery("picked")


def same_key(scope: Scope, name: str, table: FromClause, rows: FromClause) -> list[Sql]:
    """That a table's row is one of the given."""
    pairs = [(table.c[field], rows.c[field]) for field in scope.system.collections[name].key]
    if scope.catalogue.engine is Engine.SQLITE:  # keys are given as texts, which not every column makes something of
        return [or_(mine == one, mine == typed(one)) for mine, one in pairs]
    return [mine == one for mine, one in pairs]


def deleting(scope: Scope, name: str, table: Table) -> ClauseElement:
    """What deletes the rows of a batch."""
    key = scope.system.collections[name].key
    rows = picked(scope, name, key)
    if scope.catalogue.engine is Engine.SQLITE:
        columns = [scope.column(name, field) for field in key]
        return delete(table).where(scope.dialect.among(columns, [table.c[field] for field in key], select(rows)))
    return delete(table).where(*same_key(scope, name, table, rows))
