"""The list of all people of a collection: for what everybody is told, and for nothing about anybody.

The one rule: a page is in the order of the key and begins behind the last row of the page before, so that rows which
come or go meanwhile move no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.protocol import Connector, Key
from rights.datamap import System


@dataclass(frozen=True, slots=True)
class Roll:
    """A question for a page of the list of all people of a collection."""

    system: System
    collection: str
    fields: tuple[str, ...]
    """What of each row is wanted."""
    most: int
    after: Key = field(default=(), repr=False)
    """The key of the last row of the page before; empty for the first page."""


@dataclass(frozen=True, slots=True)
class RollPage:
    """A page of that list, in the order of the collection's key."""

    rows: tuple[Mapping[str, str | None], ...] = field(repr=False)
    """The fields of each row, as text."""
    last: Key = field(repr=False)
    over: bool
    """There is no page behind it."""


@runtime_checkable
class Rolls(Connector, Protocol):
    """Can list all people of a collection, page by page."""

    def roll(self, roll: Roll) -> RollPage:
        """One page, in the order of the key. Changes nothing.

        Raises:
            Unsupported: not this system.
        """
