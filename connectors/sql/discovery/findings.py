"""What was found out about a database, before anything is decided: people, paths, and what columns hold.

The one rule: names go first; what values say is added to them, or stands where they say nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.sql.discovery.categories import Guess, categorise, may_be_a_thing
from connectors.sql.discovery.paths import Paths, paths
from connectors.sql.discovery.people import Guesses, Person, people
from connectors.sql.discovery.schema import Name, Reference, Schema, TableFacts
from rights.collection import NAME


@dataclass
class Findings:
    """All that was found out about a database, before anything is decided."""

    schema: Schema
    guesses: Guesses
    people: Mapping[Name, Person]
    paths: Paths
    pointing: Mapping[Name, tuple[tuple[Name, Reference], ...]] = field(default_factory=dict, repr=False)
    """Every foreign key, of tables that a map cannot name too: those block as well."""
    unusable: list[str] = field(default_factory=list)


def guess(schema: Schema, sampled: Guesses) -> Findings:
    """Find people, paths and categories. `sampled` is what values say; a name that says something goes first."""
    by_name = {name: _columns(table, sampled.get(name, {}), person=False) for name, table in schema.tables.items()}
    found = people(schema, by_name)
    guesses = {
        name: _columns(table, sampled.get(name, {}), person=True) if name in found else by_name[name]
        for name, table in schema.tables.items()
    }
    usable, unusable = _usable(schema)
    found = {name: person for name, person in found.items() if name in usable.tables}
    return Findings(usable, guesses, found, paths(usable, found, guesses), schema.pointing, unusable)


def _columns(table: TableFacts, sampled: Mapping[str, Guess], *, person: bool) -> dict[str, Guess]:
    known: dict[str, Guess] = {}
    for column in table.columns.values():
        by_name = categorise(table.name[1], column.name, column.kind, column.comment, person=person)
        if seen := sampled.get(column.name):
            if by_name is None or may_be_a_thing(by_name.category):
                known[column.name] = seen
            else:
                known[column.name] = replace(by_name, reason=f"{by_name.reason}, and {seen.reason}")
        elif by_name:
            known[column.name] = by_name
    return known


def _usable(schema: Schema) -> tuple[Schema, list[str]]:
    """The tables and columns whose names a map can write."""
    unusable, tables = [], []
    for name, table in schema.tables.items():
        said = schema.said(name)
        if not NAME.match(said) or "." in name[1] or any(not _plain(c) for c in table.key):
            unusable.append(f"{said}: its name, or its key's, cannot be written in a map")
            continue
        odd = [column for column in table.columns if not _plain(column)]
        unusable += [f"{said}.{column}: its name cannot be written in a map" for column in odd]
        tables.append(replace(table, columns={c: about for c, about in table.columns.items() if _plain(c)}))
    kept = {table.name: table for table in tables}
    pointing = {n: tuple(p for p in schema.pointing[n] if p[0] in kept and _whole(kept, p)) for n in kept}
    return Schema(kept, schema.default, pointing, schema.left_out), unusable


def _whole(kept: Mapping[Name, TableFacts], pointing: Any) -> bool:
    table, reference = pointing
    return all(c in kept[table].columns for c in reference.columns) and all(
        c in kept[reference.to].columns for c in reference.to_columns
    )


def _plain(column: str) -> bool:
    return NAME.match(column) is not None and "." not in column
