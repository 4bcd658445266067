"""What a comparison of the data map with its systems has found, as the ledger keeps it.

The one rule: codes, severities and names of tables and columns; never a value of a row.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from rights.value import Value


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

    def new_since(self, before: "MapCheck | None") -> tuple[Found, ...]:
        """What was not found by an earlier one, by system, code and words; of the first, everything is new."""
        known = {(one.system, one.code, one.what) for one in before.found} if before else set()
        return tuple(one for one in self.found if (one.system, one.code, one.what) not in known)
