"""Stopping an erasure by the token of the notice: the one function behind every door.

The one rule: it is called by a deliberate act (a POST, a command), never by looking at a page: mail readers and
scanners open links by themselves.
"""

from datetime import datetime

from ledger.ledger import Ledger


def stop(ledger: Ledger, token: str, *, at: datetime) -> bool:
    """Freeze the erasure that a token names; False if it was stopped before. Safe to repeat.

    Raises:
        LedgerRefusal: the token is none, or its time is over; which of both is not said.
    """
    return ledger.stop(token, at=at)
