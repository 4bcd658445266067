"""What the database has and the map has not: tables, columns, and personal data that no path reaches.

The one rule: whatever looks personal is named one by one; the rest is named together, so that a large database can be
read.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from connectors.finding import Finding, Severity
from connectors.sql.dialects import Engine
from connectors.sql.discovery.categories import Guess, categorise, may_be_a_thing
from connectors.sql.discovery.draft import only_places
from connectors.sql.discovery.reading import reading
from connectors.sql.discovery.schema import ColumnFacts, Name, Schema, TableFacts
from connectors.sql.restriction import NAME, SCHEMA
from connectors.sql.server import Database
from rights.datamap import Collection, Erase, System

Fold = Callable[[str], str]
_SHOWN: Final = 20
"""Names in one finding; a longer list is not read."""


def drift(system: System, reader: Database) -> Iterator[Finding]:
    """Compare the whole database with the map.

    Raises:
        Exception: one of the reader's own errors: the database cannot be asked.
    """
    with reading(reader) as opened:
        schema = opened.schema(lambda _: None)
    fold = str if reader.engine is Engine.POSTGRESQL else str.lower
    known = {(fold(name[0]), fold(name[1])): table for name, table in schema.tables.items()}
    mapped = {name: known.get(_written(schema, name, about, fold)) for name, about in system.collections.items()}
    for name, table in mapped.items():
        if table is not None:
            yield from _columns(name, system.collections[name], table, fold)
        elif reader.engine is Engine.MARIADB and "." in (system.collections[name].name or name):
            said = f"{name} lies in another database, of which only what the map names is looked at: compare it by hand"
            yield Finding("not_surveyed", said, Severity.NOTE)
    yield from _tables(schema, {table.name for table in mapped.values() if table} | {(SCHEMA, NAME)})


def _written(schema: Schema, name: str, about: Collection, fold: Fold) -> Name:
    """A collection's table, as the schema has it; in which capitals makes a difference on PostgreSQL alone."""
    outer, _, inner = (about.name or name).rpartition(".")
    return (fold(outer or schema.default), fold(inner))


def _columns(name: str, about: Collection, table: TableFacts, fold: Fold) -> Iterator[Finding]:
    fields = {fold(field): known for field, known in about.fields.items()}
    rest = []
    for column in table.columns.values():
        guess = _guess(table, column, person=bool(about.identities))
        field = fields.get(fold(column.name))
        if field is None and guess is None:
            rest.append(column.name)
        elif field is None and guess:
            stays = "stays in the row" if about.erase is Erase.REDACT else "is left out of parcels"
            said = (
                f"the column {name}.{column.name} seems to hold {guess.category} ({guess.reason}) and is not in the "
                f"map, so it {stays}: add it to fields"
            )
            yield Finding("unmapped_personal_column", said, Severity.WARNING)
        elif field and guess and field.category is None and field.identity is None and about.erase is Erase.REDACT:
            said = (
                f"{name}.{column.name} seems to hold {guess.category} ({guess.reason}) and has no category, so it "
                "stays in rows that are only rewritten: give it a category and a strategy"
            )
            yield Finding("uncategorised_column", said, Severity.WARNING)
    if rest:
        said = f"{name} has columns that are not in the map, {_listed(rest)}: add those that say something of a person"
        yield Finding("unmapped_column", said, Severity.NOTE)


def _guess(table: TableFacts, column: ColumnFacts, *, person: bool) -> Guess | None:
    if column.generated or any(column.name in reference.columns for reference in table.references):
        return None
    return categorise(table.name[1], column.name, column.kind, column.comment, person=person)


def _tables(schema: Schema, mapped: set[Name]) -> Iterator[Finding]:
    rest = []
    for name, table in schema.tables.items():
        if name in mapped:
            continue
        found = {c.name: g for c in table.columns.values() if (g := _guess(table, c, person=False))}
        held = {column: guess for column, guess in found.items() if not may_be_a_thing(guess.category)}
        if not held or only_places(guess.category for guess in held.values()):
            rest.append(schema.said(name))
            continue
        said = (
            f"the table {schema.said(name)} seems to hold personal data ({_listed(held)}) and no path of the map "
            "reaches it: add it with a link or an identity"
        )
        yield Finding("unreached", said, Severity.WARNING)
    if rest:
        count = f"{len(rest):,} tables are" if len(rest) > 1 else "one table is"
        yield Finding(
            "unmapped_table", f"{count} not in the map, {_listed(rest)}: add those with rows of people", Severity.NOTE
        )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
