"""Object lock, read before anything is deleted: what the bucket itself keeps, and until when.

The one rule: what is locked is asked of the version itself. Where the store refuses to delete, it is asked again, and
no deletion is ever said to have happened because a request was accepted.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.s3.session import CONNECTIONS, Row, Session


@dataclass(frozen=True, slots=True)
class Lock:
    """How a version is locked."""

    hold: bool = False
    """A legal hold is on it: nobody knows until when."""
    until: datetime | None = None
    """It is kept for a term that has not passed."""
    governed: bool = False
    """The term can be passed over by whoever has the right to (GOVERNANCE); else by nobody."""


OPEN: Final = Lock()


class Locks:
    """Asks how versions are locked, if anything in this bucket can be."""

    def __init__(self, session: Session, as_of: datetime, beat: Callable[[], None]) -> None:
        self._session, self._as_of, self._beat = session, as_of, beat
        self.possible = session.locks()

    def of(self, rows: Sequence[Row]) -> Mapping[Row, Lock]:
        """The locks of these rows; what is not in it is open."""
        asked = [row for row in rows if row.kind == "version"] if self.possible else []
        found: dict[Row, Lock] = {}
        for start in range(0, len(asked), CONNECTIONS):
            self._beat()
            some = asked[start : start + CONNECTIONS]
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                found.update(zip(some, pool.map(self.read, some), strict=True))
        return {row: lock for row, lock in found.items() if lock is not OPEN}

    def read(self, row: Row) -> Lock:
        """How a version is locked now."""
        head = self._session.head(row) or {}
        until: datetime | None = head.get("ObjectLockRetainUntilDate")
        if until is not None and until <= self._as_of:
            until = None
        hold = head.get("ObjectLockLegalHoldStatus") == "ON"
        if not hold and until is None:
            return OPEN
        return Lock(hold, until, governed=head.get("ObjectLockMode") == "GOVERNANCE")
