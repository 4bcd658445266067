"""How a name of the map is read from a table's row: a column, several together, or a place inside a document.

The one rule: what is read here is compared and carried on, never written; a row without the value has nothing there,
and nothing links to nobody.
"""

from dataclasses import dataclass

from sqlalchemy import Column as SqlColumn
from sqlalchemy import FromClause, MetaData, Text, and_, case, cast, func, literal, or_, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.sql.elements import quoted_name

from connectors.derived import said
from connectors.errors import NeedsHuman
from connectors.sql.catalogue import Column
from connectors.sql.comparing import bridge
from connectors.sql.families import TEXTS
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from rights.codes import Code
from rights.datamap import Derived, Link


def table_of(scope: Scope, name: str) -> SqlTable:
    """A collection's table, every name of it quoted."""
    about = scope.catalogue.tables[name]
    columns = (SqlColumn(quoted_name(c.name, True), c.type) for c in about.columns.values())
    return SqlTable(quoted_name(about.name, True), MetaData(), *columns, schema=quoted_name(about.schema, True))


@dataclass(frozen=True)
class Reading:
    """What stands in a row under a name of the map."""

    columns: tuple[Column, ...]
    values: tuple[Sql, ...]
    """What is compared, one for each column."""
    where: Sql | None = None
    """Only in rows for which this holds."""
    elements: FromClause | None = None
    """Where a row may hold several values: they, row by row; `values` is then one of them."""
    listed: Sql | None = None
    """The list of all of them."""

    def among(self, condition: Sql) -> Sql:
        """A condition on the values, as one on the row."""
        if self.elements is not None:
            condition = select(literal(1)).select_from(self.elements).where(condition).exists()
        return condition if self.where is None else and_(self.where, condition)

    @property
    def whole(self) -> Sql:
        """The value as the row has it: of a column, its own; of several, or of a list, a JSON list."""
        if self.listed is not None:
            value = self.listed
        elif len(self.values) > 1:
            parts = [cast(value, Text) for value in self.values]
            there = and_(*(func.coalesce(part, "") != "" for part in parts))
            value = case((there, self.columns[0].dialect.listed(parts)))
        else:
            (value,) = self.values
        return value if self.where is None else case((self.where, value))


def read(scope: Scope, name: str, table: FromClause, field: str) -> Reading:
    """How a field, or what is derived from fields, is read.

    Raises:
        NeedsHuman: SCHEMA: a path leads into a column that holds no document.
    """
    derived = scope.system.collections[name].derived.get(field)
    if derived is None:
        return Reading((scope.column(name, field),), (table.c[field],))
    where = [cast(table.c[other], Text) == said(value) for other, value in derived.when.items()]
    only = and_(*where) if where else None
    if derived.path:
        own = scope.column(name, field)
        listed = _listed(scope, name, table, derived)
        each, value = scope.dialect.each(listed)
        if derived.several:
            return Reading((own,), (value,), only, each, listed)
        first = select(value).select_from(each).where(value != "").limit(1).scalar_subquery()
        return Reading((own,), (first,), only)
    columns = tuple(scope.catalogue.tables[name].columns[base] for base in derived.of)
    return Reading(columns, tuple(table.c[base] for base in derived.of), only)


def meets(scope: Scope, name: str, below: FromClause, link: Link, above: FromClause) -> Sql:
    """Whether a row's link leads to a row."""
    parent, target = link.target
    theirs, mine = read(scope, parent, above, target), read(scope, name, below, link.field)
    same_values = []
    for own, left, other, right in zip(mine.columns, mine.values, theirs.columns, theirs.values, strict=True):
        value, convert, _ = bridge(own, left, other)
        same_values.append(value == convert(right))
        if other.family in TEXTS:  # an empty text is nothing, and links to nobody
            same_values.append(cast(right, Text) != "")
    met = mine.among(and_(*same_values))
    return met if theirs.where is None else and_(met, theirs.where)


def carried(scope: Scope, name: str, table: FromClause, field: str) -> list[Sql]:
    """The columns that an expression over a collection hands on for a field that links use, each under its name."""
    derived = scope.system.collections[name].derived.get(field)
    if derived is None:
        return [table.c[field]]
    whole = read(scope, name, table, field).whole.label(field)
    return [whole, *(table.c[base] for base in derived.of)] if len(derived.of) > 1 else [whole]


def mentioning(scope: Scope, name: str, table: FromClause) -> list[Sql]:
    """Whether a searched text of a row mentions one of the words in the document; nothing where none is searched."""
    texts = [scope.dialect.mentions(cast(table.c[field], Text)) for field in scope.system.collections[name].searched]
    return [or_(*texts)] if texts else []


def _listed(scope: Scope, name: str, table: FromClause, derived: Derived) -> Sql:
    base = scope.catalogue.tables[name].columns[derived.of[0]]
    listed = scope.dialect.inside(base, table.c[base.name], derived.steps)
    if listed is None:
        raise NeedsHuman(Code.SCHEMA, f"{base.about} (path)")
    return listed
