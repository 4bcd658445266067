"""Mentions as SQL: rows of nobody's, or of somebody else's, in which a text says what the person is known by.

The one rule: one pass of the database over a table, for all words and all texts together.
"""

from typing import Any

from sqlalchemy import FromClause, Select, Text, and_, cast, func, not_, select

from connectors.mentioned import READ, SHOWN
from connectors.sql.reading import mentioning
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.traversal import Traversal


def question(scope: Scope, name: str) -> Select[Any]:
    """The first rows in which a text mentions the person and which nothing leads to, nor is it ruled whose they are:
    of each how many there are in all, its key, and the beginnings of its searched texts."""
    traversal = Traversal(scope, lambda *_: (), focus=name if scope.dialect.stepwise else None)
    table, collection = traversal.tables[name], scope.system.collections[name]
    key = traversal.key(name, table)
    known: list[FromClause] = [traversal.located(name)]
    if scope.doubts(name):
        known.append(traversal.doubtful(name).subquery("doubtful"))
    mine = [select(rows).where(_same(key, traversal.key(name, rows))).exists() for rows in known]
    texts = [scope.dialect.first(cast(table.c[field], Text), READ) for field in collection.searched]
    (mentioned,) = mentioning(scope, name, table)
    columns: list[Sql] = [func.count().over(), *(cast(part, Text) for part in key), *texts]
    return (
        select(*columns)
        .where(mentioned, not_(traversal.ruled_others(name)), *map(not_, mine))
        .order_by(*key)
        .limit(SHOWN)
    )


def _same(key: list[Sql], other: list[Sql]) -> Sql:
    return and_(*(mine == theirs for mine, theirs in zip(key, other, strict=True)))
