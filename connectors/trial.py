"""An erasure that was tried and undone: what it would do, as the system itself says.

The one rule: a trial changes nothing and enters no fence. Where that is not certain nothing is tried, and it says why.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from connectors.protocol import Call
from rights.receipt import Tally


@dataclass(frozen=True, slots=True)
class Effect:
    """What was done to one table, whoever did it: the erasure, a cascade or a trigger. Numbers are rows."""

    table: str
    collection: str | None
    """Its name in the map; None: the map does not know it."""
    inserted: int
    updated: int
    deleted: int
    surprise: str = ""
    """Why this is more than the plan says; empty if it is not."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome of a trial."""

    tally: Tally
    """What is there, and what is kept: counted before anything was tried."""
    effects: tuple[Effect, ...] = ()
    refusal: str = ""
    """The code by which the system refused, or would not have let it happen; empty if it went through."""
    refused_at: str = ""
    """The table, column or constraint that the refusal names."""
    not_tried: str = ""
    """Why nothing was tried and these are counts only."""
    not_counted: tuple[str, ...] = ()
    """Tables that may have been changed and were not counted, each with why."""
    statements: tuple[str, ...] = ()
    """What would be run: names of the map and the database, no values."""


@runtime_checkable
class Tries(Protocol):
    """Can carry an erasure out and undo it."""

    def attempt(self, call: Call) -> Trial:
        """Try, and take everything back."""
