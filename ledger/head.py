"""The entry of the journal up to which something is read.

The one rule: entries are only added, each with the next number, so whatever is folded from those up to a number is the
same whenever it is folded again.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, literal_column, select

from ledger.chain import GENESIS
from ledger.errors import LedgerRefusal
from ledger.models import chain_heads, entries
from rights.value import Value

_NEWEST: Final = select(chain_heads.c.seq).where(chain_heads.c.tenant == bindparam("tenant"))
_ENTRY: Final = select(entries.c.hash, entries.c.at).where(
    entries.c.tenant == bindparam("tenant"), entries.c.seq == bindparam("seq")
)
_PATIENT: Final = select(func.set_config("idle_in_transaction_session_timeout", str(300_000), literal_column("true")))


class Head(Value):
    """An entry; number 0 is a journal in which nothing stands."""

    seq: int
    digest: str
    """Its hash, hex: it covers all entries before it, too (docs/evidence.md)."""
    at: datetime | None
    """When it was written; None for number 0."""


def head_at(connection: Connection, tenant: str, wanted: int | None) -> Head:
    """An entry by its number, the newest for None, on a connection of the caller's.

    Raises:
        LedgerRefusal: there is none of that number yet, or it is missing.
    """
    newest = connection.scalar(_NEWEST, {"tenant": tenant}) or 0
    seq = newest if wanted is None else wanted
    if seq == 0:
        return Head(seq=0, digest=GENESIS.hex(), at=None)
    entry = connection.execute(_ENTRY, {"tenant": tenant, "seq": seq}).first() if 0 < seq <= newest else None
    if entry is None:
        raise LedgerRefusal(f"the journal has no such entry: the newest is {newest}")
    return Head(seq=seq, digest=entry.hash.hex(), at=entry.at)


def be_patient(connection: Connection) -> None:
    """Let a transaction that only reads lie idle for minutes: nobody waits for it, and a busy machine may take longer
    over a page of entries than a session has that holds the journal's head."""
    connection.execute(_PATIENT)
