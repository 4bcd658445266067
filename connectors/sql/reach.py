"""How far an erasure reaches beside its own statements: through cascades and triggers, and what those lead to.

The one rule: more tables than are touched may be named, fewer never; where that cannot be promised, it says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Place = tuple[str, str]
"""Schema and table."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a transaction has done, in rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    any: int = 0
    """Changes of whatever kind, where the server does not tell them apart; with those of foreign keys."""


class Counting(Protocol):
    """One open transaction whose effects can be counted."""

    def rows_in(self, place: Place, columns: Sequence[str], most: int) -> tuple[int, ...] | None:
        """How many rows a table has, and in how many of them each column is NULL; None: it cannot be counted."""

    def changes(self) -> Changes:
        """What the server counts of this transaction so far."""

    def unmatched(self, place: Place) -> int:
        """Rows of a table whose foreign keys are looked at late and point nowhere."""


@dataclass(frozen=True, slots=True)
class Emptied:
    """Columns of a foreign key that become nothing when the row is gone that they point to."""

    place: Place
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """What a change of some tables may touch."""

    places: tuple[Place, ...] = ()
    """The tables themselves among them."""
    triggered: frozenset[Place] = frozenset()
    """Those that a trigger names."""
    cascaded: frozenset[Place] = frozenset()
    """Those from which a foreign key takes rows along."""
    emptied: tuple[Emptied, ...] = ()
    deferred: tuple[Place, ...] = ()
    """Those with a foreign key that is only looked at when a transaction commits."""
    indexes: tuple[str, ...] = ()
    """Search indexes that triggers keep up; what is done for them the server counts with everything else."""
    why_not: str = ""
    """Why a rollback might not undo all of it; empty: it surely does."""
