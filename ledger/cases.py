"""What is sealed for a case, and its end: keys shredded on their day, key-encryption keys destroyed behind them.

The one rule: shredding is by the dates in the ledger; no request loses its identities or its history while it is open,
or while an appeal against its answer is.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal, overload

from sqlalchemy import Connection, func, literal, select, update

from ledger.errors import LedgerRefusal
from ledger.linking import Linking
from ledger.models import case_keys, requests, retired_keks
from ledger.models_appeals import appeals
from ledger.relooks import RELOOK_AHEAD
from ledger.spared import house_held
from ledger.stopped import stands_still
from ledger.vault import OF_REQUEST, Purpose, Sealed
from rights.redaction import NOTHING, Redacted
from rights.request import Phase
from rights.value import Value

_NEEDED_WHILE_OPEN: Final = {*OF_REQUEST, "disputed"}
_APPEALED: Final = (
    select(appeals.c.id)
    .where(
        appeals.c.tenant == case_keys.c.tenant,
        appeals.c.request_id == case_keys.c.case_id,
        appeals.c.closed_at.is_(None),
    )
    .exists()
)
"""Whether an appeal is under way, however late: then the request may have to be carried out anew."""
_HELD: Final = house_held(case_keys.c.tenant, case_keys.c.case_id)
_STANDS_STILL: Final = stands_still(case_keys.c.tenant, case_keys.c.case_id)
"""Whether an incident is about it: what was handed over, and to whom, is what it has to show."""
_BATCH: Final = 200
"""Cases shredded in one transaction, so that the head of the journal is never held for long."""


class Shredded(Value):
    """A data key that was destroyed, and everything it sealed with it."""

    case_id: str
    purpose: Purpose


class RetiredKek(Value):
    """A key-encryption key that nothing needs any more."""

    id: str
    destroyed: bool
    """False: this provider cannot; what lay under the key leaves backups with the oldest of them."""
    final_at: datetime | None
    """From when nobody can bring it back."""


def _old(system: str) -> str:
    """How the names of old values in a system begin."""
    return f"old/{system}/"


class Cases(Linking):
    """Verbs on sealed things. A case is a request or a hold."""

    def seal(self, case_id: str, purpose: Purpose, name: str, data: bytes, *, at: datetime) -> None:
        """Seal something under a name; it replaces what was there.

        Raises:
            LedgerRefusal: the case is unknown, or the purpose's key was shredded.
        """
        with self._begin() as connection:
            key = self._vault.key(connection, case_id, purpose)
            self._vault.put(connection, case_id, key, Sealed(purpose, name, data), at)

    def unseal(self, case_id: str, purpose: Purpose, name: str) -> bytes | None:
        """Open something; None if there is none (any more).

        Raises:
            VaultError: it was changed or moved, or its key-encryption key is gone.
        """
        with self._look() as connection:
            return self._vault.get(connection, case_id, purpose, name)

    def keep_old(self, request_id: str, system: str, old: bytes, *, at: datetime) -> None:
        """Seal what is about to be written over in a system, for as long as it may be disputed.

        It stands beside what was kept before, and replaces nothing: an attempt that was cut may have written already,
        and what a later one finds there is not what stood there first.

        Raises:
            LedgerRefusal: the case is unknown, or the purpose's key was shredded.
        """
        with self._begin() as connection:
            key = self._vault.key(connection, request_id, "disputed")
            # By the ledger's own clock: two workers' need not agree on who was first.
            now = connection.scalar(select(func.clock_timestamp())) or at
            name = f"{_old(system)}{now.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}"
            self._vault.put(connection, request_id, key, Sealed("disputed", name, old), at)

    def kept_old(self, request_id: str, system: str) -> list[bytes]:
        """All that `keep_old` has kept of a request in a system, first what was kept first.

        Raises:
            VaultError: it was changed or moved, or its key-encryption key is gone.
        """
        with self._look() as connection:
            return list(self._vault.get_under(connection, request_id, "disputed", _old(system)).values())

    @overload
    def case_key(self, case_id: str, purpose: Purpose, *, create: Literal[True]) -> bytes: ...

    @overload
    def case_key(self, case_id: str, purpose: Purpose, *, create: bool = False) -> bytes | None: ...

    def case_key(self, case_id: str, purpose: Purpose, *, create: bool = False) -> bytes | None:
        """A case's data key of 32 bytes, for what is sealed outside the ledger (parcels, pseudonyms, histories).

        None if there is none (any more) and it is not to be created.

        Raises:
            LedgerRefusal: it is to be created, but was shredded or the case is unknown.
        """
        if not create:
            with self._look() as connection:
                return self._vault.peek_key(connection, case_id, purpose)
        with self._begin() as connection:
            return self._vault.key(connection, case_id, purpose)

    def history_key(self, case_id: str) -> bytes | None:
        """The key of a run's history; None once it is shredded. The tenant's own name gives the key of its upkeep."""
        if case_id == self.tenant:
            return self._vault.house_key("history")
        return self.case_key(case_id, "history")

    def keep_parcel(
        self, request_id: str, digest: str, size: int, rows: int, redacted: Redacted = NOTHING, *, at: datetime
    ) -> None:
        """Journal that a parcel was packed: SHA-256 (hex) and bytes of the ZIP, rows in it, how much was taken out."""
        body: dict[str, object] = {"digest": digest, "size": size, "rows": rows}
        if redacted.anything:
            body["redacted"] = redacted.model_dump()
        with self._begin() as connection:
            self._wake_waiting(connection, request_id, at)
            self._journal(connection, "parcel", body, at, request_id=request_id)

    def shred(self, case_id: str, purposes: Iterable[Purpose], *, as_of: datetime) -> list[Shredded]:
        """Destroy data keys of a case with all they sealed; those that were still there.

        Raises:
            LedgerRefusal: an open request still needs one of them, a hold covers it, or an incident has it stand still.
        """
        wanted = set(purposes)
        with self._begin() as connection:
            # First of all: no request is opened again meanwhile (ledger/relooks.py).
            self._people.lock_shredding(connection, self.tenant)
            phase = connection.scalar(
                select(requests.c.phase).where(requests.c.tenant == self.tenant, requests.c.id == case_id)
            )
            if phase not in {None, Phase.CLOSED.value} and wanted & _NEEDED_WHILE_OPEN:
                raise LedgerRefusal("the request is open: it still needs what is to be shredded")
            # A history has nothing but codes and counts, and the key of a run that is over.
            held = select(house_held(literal(self.tenant), literal(case_id)))
            if wanted - {"history"} and connection.scalar(held):
                raise LedgerRefusal("a hold covers what is to be shredded")
            still = select(stands_still(literal(self.tenant), literal(case_id)))
            if wanted - {"history"} and connection.scalar(still):
                raise LedgerRefusal(
                    "the request stands still for an incident: nothing of it is destroyed before its end"
                )
            return self._shred(connection, case_id, wanted, as_of)

    def shred_due(self, as_of: datetime) -> list[Shredded]:
        """Shred what is past its keep-until, unless a hold covers it or it stands still for an incident; what was
        shredded.

        Histories are left to `histories_due`: only the server knows that a run is over.
        """
        shredded: list[Shredded] = []
        while True:
            with self._begin() as connection:
                self._people.lock_shredding(connection, self.tenant)
                # Under the lock: no hold or incident has come to cover it since, and it was not opened again.
                due = self._due(connection, as_of)
                if not due:
                    return shredded
                for case_id, purposes in due.items():
                    shredded += self._shred(connection, case_id, purposes, as_of)

    def histories_due(self, as_of: datetime) -> list[str]:
        """Requests whose history key is past its keep-until: to be shredded once their runs are known to be over."""
        query = select(case_keys.c.case_id).where(
            case_keys.c.tenant == self.tenant,
            case_keys.c.purpose == "history",
            case_keys.c.wrapped.is_not(None),
            case_keys.c.keep_until <= as_of,
            ~_APPEALED,
            ~RELOOK_AHEAD,
        )
        with self._look() as connection:
            return list(connection.scalars(query))

    def retire_keks(self, as_of: datetime) -> list[RetiredKek]:
        """Destroy the key-encryption keys under which everything is shredded, so that no backup opens it; which.

        A key is first taken out of force, in a commit of its own: nothing can come under it any more when it goes.
        """
        with self._begin() as connection:
            idle = self._vault.keks.retire_idle(connection, as_of)
            for kek in idle:
                self._journal(connection, "kek_retired", {"kek": kek}, as_of)
        self._vault.keks.forget()
        if not self._keys.destroys:
            return [RetiredKek(id=kek, destroyed=False, final_at=None) for kek in idle]
        # Also those that a crash has left between retiring and destroying.
        waiting = select(retired_keks.c.id).where(
            retired_keks.c.tenant == self.tenant, retired_keks.c.destroyed_at.is_(None)
        )
        with self._look() as connection:
            doomed = connection.scalars(waiting).all()
        return [self._destroy(kek, as_of) for kek in doomed]

    def _destroy(self, kek: str, as_of: datetime) -> RetiredKek:
        final_at = as_of + self._keys.destroy(kek)
        with self._begin() as connection:
            connection.execute(
                update(retired_keks)
                .where(retired_keks.c.tenant == self.tenant, retired_keks.c.id == kek)
                .values(destroyed_at=as_of, final_at=final_at)
            )
            body = {"kek": kek, "final_at": final_at}
            self._journal(connection, "kek_destroyed", body, as_of)
        return RetiredKek(id=kek, destroyed=True, final_at=final_at)

    def _due(self, connection: Connection, as_of: datetime) -> dict[str, set[Purpose]]:
        query = (
            select(case_keys.c.case_id, case_keys.c.purpose)
            .where(
                case_keys.c.tenant == self.tenant,
                case_keys.c.purpose != "history",
                case_keys.c.wrapped.is_not(None),
                case_keys.c.keep_until <= as_of,
                case_keys.c.purpose.not_in(_NEEDED_WHILE_OPEN) | ~(_APPEALED | RELOOK_AHEAD),
                ~_HELD,
                ~_STANDS_STILL,
            )
            .order_by(case_keys.c.keep_until)
            .limit(_BATCH)
        )
        due: dict[str, set[Purpose]] = {}
        for row in connection.execute(query):
            due.setdefault(row.case_id, set()).add(row.purpose)
        return due

    def _shred(self, connection: Connection, case_id: str, purposes: set[Purpose], as_of: datetime) -> list[Shredded]:
        gone = self._vault.shred(connection, case_id, purposes, as_of)
        if gone:
            is_request = connection.scalar(
                select(requests.c.id).where(requests.c.tenant == self.tenant, requests.c.id == case_id)
            )
            body = {"case": case_id, "purposes": sorted(gone), "keks": sorted(set(gone.values()))}
            self._journal(connection, "shredded", body, as_of, request_id=is_request)
        return [Shredded(case_id=case_id, purpose=purpose) for purpose in gone]
