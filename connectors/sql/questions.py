"""What a look asks of one collection on servers that are asked step by step: a statement for each question.

The one rule: each reads the rows that earlier steps have settled, out of the document, and changes nothing.
"""

from sqlalchemy import ClauseElement, FromClause, Text, case, cast, func, select, true

from connectors.errors import NeedsHuman
from connectors.links import MOST
from connectors.sql.fates import DIRTY, LINK, REASON, STAYS, TRAIT, Fates, remembered, traits_of
from connectors.sql.look import CANDIDATES
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from rights.codes import Code


def grid(scope: Scope, name: str) -> ClauseElement:
    """How many rows have which fate."""
    fate = Fates(scope, (), name).of(name)
    columns = [fate.rows.c[label] for label in (STAYS, DIRTY, REASON)]
    return select(*columns, func.count()).group_by(*columns)


def staying(scope: Scope, name: str) -> ClauseElement:
    """What is remembered of the rows that stay."""
    fate = Fates(scope, (), name).of(name)
    columns = [
        (cast(fate.rows.c[label], Text) if not label.startswith("=") else fate.rows.c[label]).label(label)
        for label in remembered(scope, name)
    ]
    return select(*columns).where(fate.rows.c[STAYS]).distinct()


def keys(scope: Scope, name: str) -> ClauseElement:
    """The keys of the rows that stay."""
    fates = Fates(scope, (), name)
    rows = fates.of(name).rows
    return select(*(cast(part, Text) for part in fates.traversal.key(name, rows))).where(rows.c[STAYS])


def count(scope: Scope, name: str) -> ClauseElement:
    """How many rows are the person's."""
    return select(func.count()).select_from(Fates(scope, (), name).of(name).rows)


def doubt(scope: Scope, name: str) -> ClauseElement:
    """Rows of which it is open whose they are: how many, and of each the key and what tells it from others."""
    traversal = Fates(scope, (), name).traversal
    doubtful = traversal.doubtful(name).cte("doubtful")
    key = [cast(part, Text) for part in traversal.key(name, doubtful)]
    traits = [doubtful.c[f"{TRAIT}{field}"] for field in traits_of(scope, name)]
    count = select(func.count()).select_from(doubtful).scalar_subquery()
    return select(count, *key, *traits).select_from(doubtful).limit(CANDIDATES)


def link(scope: Scope, name: str, field: str) -> ClauseElement:
    """What a field holds that other systems know the person by, each value once, to one more than may be told."""
    rows: FromClause = Fates(scope, (), name).traversal.located(name)
    column = scope.column(name, field)
    value: Sql = rows.c[f"{LINK}{field}"]
    if column.several:
        # What is no document, in a column that nobody has checked, is one value; and a list in a list its values.
        whole = case((func.json_valid(value) == 1, value), else_=func.json_array(value, type_=Text))
        listed = scope.dialect.inside(column, whole, ("*", "*"))
        if listed is None:
            raise NeedsHuman(Code.SCHEMA, column.about)
        each, value = scope.dialect.each(listed)
        rows = rows.join(each, true())
    return select(value).select_from(rows).where(value.is_not(None), value != "").distinct().limit(MOST + 1)
