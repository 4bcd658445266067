"""Rows that are written later: links by which they belong to somebody who is restricted, beside the keys of rows.

The one rule: a row that points to a restricted row is denied from the moment at which it is written, and stored all the
same: restricting is not refusing to store.
"""

from collections.abc import Mapping
from typing import Final

from connectors.sql.catalogue import Table
from connectors.sql.families import Family
from connectors.sql.scope import Scope
from connectors.sql.statement import quoted
from rights.datamap import System

STEADY: Final = frozenset({Family.TEXT, Family.CITEXT, Family.INTEGER, Family.NUMERIC, Family.UUID, Family.INET})
"""Families whose text is the same in every session. That of a time hangs on TimeZone and DateStyle, which the
application sets for itself: its policy would not know the key that we have listed."""


def fields(system: System, tables: Mapping[str, Table], name: str) -> dict[str, tuple[str, ...]]:
    """The fields of a collection that point to the one key of another, with the collections that each points to.

    Not those of circles, of several columns, or of what is read in a document: such rows are found by the next look.
    """
    found: dict[str, tuple[str, ...]] = {}
    for link in system.collections[name].links:
        there, target = link.target
        alone = link.kind == "unique" and system.collections[there].key == (target,) and there != name
        if not alone or system.circular(name) or link.field not in tables[name].columns:
            continue
        mine, theirs = tables[name].columns[link.field], tables[there].columns.get(target)
        if theirs is not None and mine.family is theirs.family and mine.family in STEADY:
            found[link.field] = tuple(dict.fromkeys((*found.get(link.field, ()), there)))
    return found


def listed_as(table: Table, field: str) -> str:
    """Under which relation the keys are listed that a field must not have."""
    return f"{quoted(table.schema, table.name)} ({quoted(field)})"


def pointing_to(scope: Scope, name: str) -> tuple[str, ...]:
    """The relations under which the keys of a collection's rows are listed as what others point to."""
    tables = scope.catalogue.tables
    return tuple(
        listed_as(tables[other], field)
        for other in scope.system.collections
        for field, theres in fields(scope.system, tables, other).items()
        if name in theres
    )
