"""Which key-encryption key is in force, and when one may go.

The one rule: a data key never comes under a key-encryption key that is retired; the database itself refuses it
(`IN_FORCE`), so that retiring and opening a request may happen at the same moment.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import KeyGoneError
from ledger.keys import KEY_BYTES, KeyProvider
from ledger.models import case_keys, keks, retired_keks

IN_FORCE: Final = "fk_case_keys_keks"
"""The constraint that refuses a data key under a key-encryption key that is not in force."""
_LOCK: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("what"), 0)))
_PUT: Final = upsert(keks).on_conflict_do_nothing()


_APART: Final = {"file", "deferred"}
"""Purposes with a key-encryption key of their own each month."""


class Keks:
    """The key-encryption keys of one tenant: one a month, one a month each for request files and for what comes back
    later, and one for the house."""

    def __init__(self, engine: Engine, tenant: str, keys: KeyProvider) -> None:
        self._engine, self._tenant, self._keys = engine, tenant, keys
        self._known: dict[str, str] = {}

    def of_month(self, purpose: str, at: datetime) -> str:
        """The id of the key that new data keys come under."""
        # These outlive the rest by years. Under the same key they would keep everybody's identities of that month
        # readable in old backups.
        kind = f"-{purpose}" if purpose in _APART else ""
        name = f"{self._tenant}-{at.astimezone(UTC):%Y-%m}{kind}"
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._put_in_force(name)
        return found

    def of_house(self, connection: Connection) -> str:
        """The id of the key for the tenant's own, permanent data keys. The caller holds the lock."""
        kek = f"{self._tenant}-index"
        row = {"tenant": self._tenant, "id": kek}
        if connection.execute(_PUT, row).rowcount:
            self._keys.create(kek)
        return kek

    def forget(self) -> None:
        """Ask the ledger anew which keys are in force."""
        self._known.clear()

    def lock(self, connection: Connection) -> None:
        """Let one process at a time put keys in force or retire them."""
        connection.execute(_LOCK, {"what": f"{self._tenant}/keks"})

    def retire_idle(self, connection: Connection, as_of: datetime) -> list[str]:
        """Take out of force the keys under which everything is shredded; their ids."""
        self.lock(connection)
        ours = case_keys.c.tenant == self._tenant
        living = (
            select(case_keys.c.kek).where(ours, case_keys.c.kek == keks.c.id, case_keys.c.wrapped.is_not(None)).exists()
        )
        shredded = select(case_keys.c.kek).where(ours, case_keys.c.shredded_kek == keks.c.id).exists()
        # One that a running transaction is just now putting a data key under is skipped.
        idle = connection.scalars(
            select(keks.c.id).where(keks.c.tenant == self._tenant, shredded, ~living).with_for_update(skip_locked=True)
        ).all()
        # Looked at once more, now that nobody can put a data key under them.
        gone = connection.scalars(
            delete(keks).where(keks.c.tenant == self._tenant, keks.c.id.in_(idle), ~living).returning(keks.c.id)
        ).all()
        for kek in gone:
            connection.execute(insert(retired_keks), {"tenant": self._tenant, "id": kek, "retired_at": as_of})
        return list(gone)

    def _put_in_force(self, name: str) -> str:
        """The id of the month's key: its name; and a number, where the one of that name is retired or lost.

        A lost key is never made again under its id: what lies under it would seem to have been tampered with.
        """
        names_alike = retired_keks.c.id.startswith(name, autoescape=True)
        with self._engine.begin() as connection:
            self.lock(connection)
            retired = set(
                connection.scalars(select(retired_keks.c.id).where(retired_keks.c.tenant == self._tenant, names_alike))
            )
            kek, number = name, 1
            while not self._take(connection, kek, retired):
                number += 1
                kek = f"{name}-{number}"
        return kek

    def _take(self, connection: Connection, kek: str, retired: set[str]) -> bool:
        """Put a key in force, making it if its id is new; False when it is of no use any more."""
        if kek in retired:
            return False
        row = {"tenant": self._tenant, "id": kek}
        if not connection.execute(_PUT, row).rowcount:
            return self._is_there(kek)
        # Before the commit: whoever sees the row may use the key.
        self._keys.create(kek)
        return True

    def _is_there(self, kek: str) -> bool:
        try:
            self._keys.wrap(kek, bytes(KEY_BYTES))
        except KeyGoneError:
            return False
        return True
