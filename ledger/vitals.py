"""How the ledger itself is: its clock, the newest end of the journal, the keys that living data lies under.

The one rule: what is asked here costs the same however large the ledger is. Proof of the whole journal is `verify`.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select, text

from ledger.chain import content, link
from ledger.checkpoints import Checkpoint
from ledger.errors import VaultError
from ledger.keys import KEY_BYTES
from ledger.models import case_keys, chain_heads, entries, keks
from ledger.store import Store
from rights.value import Value

_END: Final = 100
"""Entries at the journal's end that are looked at."""


class JournalEnd(Value):
    """The newest end of the journal."""

    seq: int
    """The number of the newest entry."""
    signed: int = 0
    """The number up to which the newest checkpoint has signed; 0 without one."""
    signed_at: datetime | None = None
    wrong: str = ""
    """What does not fit; empty if all does."""


class KeysInUse(Value):
    """The key-encryption keys under which something lies that can still be read."""

    number: int
    lost: tuple[str, ...]
    """Those that the provider does not have any more, or refuses: what lies under them cannot be read."""


class Archiving(Value):
    """What the database says of its own log archive, of which restores to a moment are made."""

    on: bool
    last: datetime | None
    failing: bool
    """The last attempt failed."""


class Vitals(Store):
    """Questions about the ledger, not about anybody in it."""

    def clock(self) -> datetime:
        """The time by the database's own clock."""
        with self._look() as connection:
            moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment

    def journal_end(self) -> JournalEnd:
        """Whether the last entries hang together, end in the head, and are what the newest checkpoint has signed."""
        # Before the snapshot: a checkpoint made after it would look like a cut tail.
        signed = self._checkpoints.newest(self.tenant) if self._checkpoints else None
        with self._frozen.begin() as connection:
            head = connection.execute(select(chain_heads).where(chain_heads.c.tenant == self.tenant)).first()
            query = select(entries).where(entries.c.tenant == self.tenant).order_by(entries.c.seq.desc()).limit(_END)
            rows = connection.execute(query).all()[::-1]
            at_signed = entries.c.seq == (signed.seq if signed else 0)
            there = connection.scalar(select(entries.c.hash).where(entries.c.tenant == self.tenant, at_signed))
        wrong, before = "", None
        for row in rows:
            said = content(self.tenant, row.request_id, row.kind, row.key, row.at, row.body)
            if link(row.previous, row.seq, said) != row.hash or (before and row.previous != before):
                wrong = wrong or f"entry {row.seq} does not say what it said when it was written"
            before = row.hash
        last = rows[-1] if rows else None
        if not wrong and (head.hash if head else None) != (last.hash if last else None):
            wrong = "the journal's head does not fit its last entry"
        if not wrong and signed:
            wrong = _against(signed, last.seq if last else 0, there)
        return JournalEnd(
            seq=last.seq if last else 0,
            signed=signed.seq if signed else 0,
            signed_at=signed.at if signed else None,
            wrong=wrong,
        )

    def keys_in_use(self) -> KeysInUse:
        """Try each key-encryption key that something readable lies under: wrap, and unwrap.

        What the provider raises when it cannot be asked is passed on.
        """
        living = select(case_keys.c.kek).where(
            case_keys.c.tenant == self.tenant, case_keys.c.kek == keks.c.id, case_keys.c.wrapped.is_not(None)
        )
        with self._look() as connection:
            ids = connection.scalars(
                select(keks.c.id).where(keks.c.tenant == self.tenant, living.exists()).order_by(keks.c.id)
            ).all()
        return KeysInUse(number=len(ids), lost=tuple(one for one in ids if not self._works(one)))

    def archiving(self) -> Archiving:
        """Whether the database archives its log, and when it last did."""
        with self._look() as connection:
            on, last, failed = connection.execute(
                text(
                    "SELECT current_setting('archive_mode') <> 'off', last_archived_time, last_failed_time "
                    "FROM pg_stat_archiver"
                )
            ).one()
        return Archiving(on=on, last=last, failing=failed is not None and (last is None or failed > last))

    def _works(self, kek: str) -> bool:
        probe = bytes(KEY_BYTES)
        try:
            return self._keys.unwrap(kek, self._keys.wrap(kek, probe)) == probe
        except VaultError:
            return False


def _against(signed: Checkpoint, last: int, there: bytes | None) -> str:
    """What a checkpoint says against the journal; nothing if it fits."""
    if signed.seq > last:
        return f"the entries after {last} are missing: a checkpoint has signed up to {signed.seq}"
    if there is None or there.hex() != signed.hash:
        return f"the entries up to {signed.seq} are not those that were signed on {signed.at:%Y-%m-%d %H:%M}"
    return ""
