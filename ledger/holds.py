"""Holds: nothing of the people they cover is destroyed while one is in force.

The one rule: a hold that is said to be in force has no destructive call beside it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from ledger.errors import LedgerRefusal
from ledger.fence import calls_of_people
from ledger.ids import new_id
from ledger.models import case_keys, hold_subjects, holds
from ledger.notes import make_note
from ledger.store import Store
from rights.subject import Identity
from rights.value import Value


class Hold(Value):
    """A hold as it stands."""

    id: str
    placed_at: datetime
    released_at: datetime | None = None
    in_flight: int = 0
    """Destructive calls let through before it that may still be running."""

    @property
    def in_force(self) -> bool:
        """Nothing is being destroyed and nothing will be."""
        return self.released_at is None and not self.in_flight

    def __str__(self) -> str:
        if self.released_at:
            return f"released on {self.released_at:%Y-%m-%d}"
        return "in force" if self.in_force else f"taking effect: {self.in_flight} calls in flight"


class Holds(Store):
    """Verbs on holds."""

    def place_hold(self, identities: Sequence[Identity], reason: str, *, at: datetime) -> Hold:
        """Let nothing be destroyed of whom these identities name, from the next call on. The reason is sealed.

        Several identities are covered together and each alone: a request that knows one of them is held.
        """
        digests = self._people.digests(identities)

        def commit() -> Hold:
            return self._place(new_id(at), digests, reason, at)

        return self._with_kek(commit)

    def _place(self, hold_id: str, digests: list[bytes], reason: str, at: datetime) -> Hold:
        key, note = self._vault.make_key("file", at), make_note("reason", reason)
        with self._begin() as connection:
            self._people.lock_holds(connection, self.tenant)
            connection.execute(insert(holds), {"tenant": self.tenant, "id": hold_id, "placed_at": at})
            connection.execute(
                insert(hold_subjects),
                [{"tenant": self.tenant, "hold_id": hold_id, "digest": one} for one in digests],
            )
            self._vault.add_key(connection, hold_id, "file", key)
            for value in note.values:
                self._vault.put(connection, hold_id, key.plain, value, at)
            flying = calls_of_people(connection, self.tenant, digests)
            body = {"hold": hold_id, "identities": len(digests), "in_flight": flying, **note.said}
            self._journal(connection, "hold_placed", body, at, key=hold_id)
        return Hold(id=hold_id, placed_at=at, in_flight=flying)

    def release_hold(self, hold_id: str, *, at: datetime, file_until: datetime) -> None:
        """Lift a hold; no effect if it was lifted before. Its reason is kept until `file_until`.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        self._hold(hold_id)
        with self._begin() as connection:
            lifted = connection.execute(
                update(holds)
                .where(
                    holds.c.tenant == self.tenant,
                    holds.c.id == hold_id,
                    holds.c.released_at.is_(None),
                )
                .values(released_at=at)
            ).rowcount
            if not lifted:
                return
            connection.execute(
                delete(hold_subjects).where(hold_subjects.c.tenant == self.tenant, hold_subjects.c.hold_id == hold_id)
            )
            connection.execute(
                update(case_keys)
                .where(case_keys.c.tenant == self.tenant, case_keys.c.case_id == hold_id)
                .values(keep_until=file_until)
            )
            self._journal(connection, "hold_released", {"hold": hold_id}, at, key=hold_id)

    def hold_standing(self, hold_id: str) -> Hold:
        """A hold as it stands; `str` of it says so in words.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        hold = self._hold(hold_id)
        covered = select(hold_subjects.c.digest).where(
            hold_subjects.c.tenant == self.tenant, hold_subjects.c.hold_id == hold_id
        )
        with self._look() as connection:
            digests = connection.scalars(covered).all()
            flying = calls_of_people(connection, self.tenant, digests) if digests else 0
        return hold.model_copy(update={"in_flight": flying})

    def holds(self, *, in_force_only: bool = True) -> list[Hold]:
        """All holds, the oldest first; without their calls in flight."""
        query = select(holds.c.id, holds.c.placed_at, holds.c.released_at).where(holds.c.tenant == self.tenant)
        if in_force_only:
            query = query.where(holds.c.released_at.is_(None))
        with self._look() as connection:
            rows = connection.execute(query.order_by(holds.c.id))
            return [Hold.model_validate(row._mapping) for row in rows]

    def _hold(self, hold_id: str) -> Hold:
        query = select(holds.c.id, holds.c.placed_at, holds.c.released_at).where(
            holds.c.tenant == self.tenant, holds.c.id == hold_id
        )
        with self._look() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise LedgerRefusal("there is no hold of this id")
        return Hold.model_validate(row._mapping)
