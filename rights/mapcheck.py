"""What a comparison of the data map with its systems has found, as the ledger keeps it.

The one rule: codes, severities and names of tables and columns; never a value of a row.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from rights.value import Value

UNMAPPED: Final = "unmapped_"
"""How the codes begin of what is in a system and not in its map."""


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The map cannot be worked with as it stands: an erasure would be refused, or leave something behind."""
    WARNING = "warning"
    """It can, and somebody should look: it is slow, or something may have been forgotten."""
    NOTE = "note"
    """Good to know."""


class Found(Value):
    """One finding."""

    system: str
    severity: Severity
    code: str
    """Stays when the words change; a connector's bare sentence has none."""
    what: str
    todo: str


class MapCheck(Value):
    """One comparison of all systems."""

    at: datetime
    digest: str
    """Of the map that was compared."""
    systems: int
    found: tuple[Found, ...]

    @property
    def numbers(self) -> Mapping[str, int]:
        """How many findings there are, by severity; all severities are named."""
        return dict.fromkeys(map(str, Severity), 0) | Counter(str(one.severity) for one in self.found)

    @property
    def unmapped(self) -> Mapping[str, Mapping[str, int]]:
        """By system, how many findings say that something is there and not in the map, by code."""
        found: dict[str, Counter[str]] = {}
        for one in self.found:
            if one.code.startswith(UNMAPPED):
                found.setdefault(one.system, Counter())[one.code] += 1
        return {system: dict(sorted(codes.items())) for system, codes in sorted(found.items())}

    def new_since(self, before: "MapCheck | None") -> tuple[Found, ...]:
        """What was not found by an earlier one, by system, code and words; of the first, everything is new."""
        known = {(one.system, one.code, one.what) for one in before.found} if before else set()
        return tuple(one for one in self.found if (one.system, one.code, one.what) not in known)
