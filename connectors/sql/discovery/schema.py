"""What a database says of all its tables, as far as a draft map needs it, whichever server it is.

The one rule: it is what the database says, and nothing is guessed here. Who reads it stands beside it, one for each
kind of server (`reading`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Progress = Callable[[str], None]
"""Told, in a few words, what is being read."""

Name = tuple[str, str]
"""Schema and table."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key, from the table that has it."""

    name: str
    columns: tuple[str, ...]
    to: Name
    to_columns: tuple[str, ...]
    on_delete: str = ""
    """CASCADE, SET NULL, SET DEFAULT, RESTRICT, or nothing."""


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column."""

    name: str
    kind: str
    """text, enum, integer, numeric, date, timestamp, bool, uuid, bytes, json, inet or other."""
    written: str
    """The type as the database writes it."""
    nullable: bool
    generated: bool
    comment: str
    labels: tuple[str, ...] = ()
    """An enum's words, in their order."""
    domain: bool = False
    """Whether its type has conditions of its own."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table."""

    name: Name
    columns: Mapping[str, ColumnFacts]
    primary: tuple[str, ...]
    references: tuple[Reference, ...]
    uniques: tuple[tuple[str, ...], ...]
    """The columns of each unique constraint and index, the primary key among them; not those over expressions, or over
    some rows only."""
    checks: tuple[str, ...]
    """The text of each CHECK."""
    comment: str
    guarded: frozenset[str] = frozenset()
    """Columns that some unique index, of whatever form, is over."""
    one_null: frozenset[str] = frozenset()
    """Columns of unique indexes that take NULL once only."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart for certain; empty if nothing does."""
        if self.primary:
            return self.primary
        fit = (
            columns
            for columns in self.uniques
            if columns and all(c in self.columns and not self.columns[c].nullable for c in columns)
        )
        return min(fit, key=lambda columns: (len(columns), columns), default=())

    def unique(self, column: str) -> bool:
        """Whether the database takes no value of this column twice."""
        return (column,) in self.uniques

    def in_unique(self, column: str) -> bool:
        """Whether a value that is written there may collide."""
        return column in self.guarded


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables of a database."""

    tables: Mapping[Name, TableFacts]
    default: str
    """The schema whose tables need no prefix."""
    pointing: Mapping[Name, tuple[tuple[Name, Reference], ...]] = field(repr=False)
    """By table, the foreign keys onto it, with the table that has them."""
    left_out: tuple[str, ...] = ()
    """What was not read though it may hold data, and why, a line each."""

    def said(self, name: Name) -> str:
        """A table's name as the map writes it."""
        return name[1] if name[0] == self.default else f"{name[0]}.{name[1]}"


def schema_of(tables: Iterable[TableFacts], default: str, left_out: tuple[str, ...] = ()) -> Schema:
    """Put tables together, in the order of their names."""
    known = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    pointing: dict[Name, list[tuple[Name, Reference]]] = {name: [] for name in known}
    for name, table in known.items():
        for reference in table.references:
            if reference.to in pointing:
                pointing[reference.to].append((name, reference))
    return Schema(known, default, {name: tuple(found) for name, found in pointing.items()}, left_out)
