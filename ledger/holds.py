"""Holds: nothing of what they cover is destroyed while one is in force.

The one rule: a hold that is said to be in force has no destructive call beside it. One person places it, at once; it
takes two to let go of it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from ledger.claims import made
from ledger.deferrals import OF_HOLD, wake_deferred
from ledger.errors import LedgerRefusal
from ledger.fence import calls_of_people
from ledger.holddesk import put_on_desk, settle_desk
from ledger.ids import new_id
from ledger.models import case_keys, hold_subjects, holds, request_subjects, requests
from ledger.models_holds import hold_tasks, hold_terms
from ledger.notes import keep_note, make_note
from ledger.outbox import post
from ledger.store import AnyRow, Store
from rights.approvers import same_person
from rights.holds import CONFIRM_WITHIN, REVIEW_AFTER, Desk, Terms
from rights.subject import Identity
from rights.value import Value

EVERYTHING: Final = Terms()
"""All of the people that a hold names, in every system; told when it is asked for."""

_ALL: Final[Select[Any]] = (
    select(
        holds.c.id,
        holds.c.placed_at,
        holds.c.released_at,
        *(c for c in hold_terms.c if c.name not in {"tenant", "hold_id", "systems"}),
    )
    .join(hold_terms, (hold_terms.c.tenant == holds.c.tenant) & (hold_terms.c.hold_id == holds.c.id))
    .where(holds.c.tenant == bindparam("of"))
)
_COVERED: Final = select(hold_subjects.c.digest).where(
    hold_subjects.c.tenant == bindparam("of"), hold_subjects.c.hold_id == bindparam("id")
)
_TOUCHED: Final = (
    select(requests.c.id)
    .join(
        request_subjects,
        (request_subjects.c.tenant == requests.c.tenant) & (request_subjects.c.request_id == requests.c.id),
    )
    .join(
        hold_subjects,
        (hold_subjects.c.tenant == request_subjects.c.tenant) & (hold_subjects.c.digest == request_subjects.c.digest),
    )
    .where(
        requests.c.tenant == bindparam("of"), hold_subjects.c.hold_id == bindparam("id"), requests.c.phase != "closed"
    )
    .distinct()
)


class Hold(Value):
    """A hold as it stands."""

    id: str
    placed_at: datetime
    released_at: datetime | None = None
    in_flight: int = 0
    """Destructive calls let through before it that may still be running."""
    terms: Terms = EVERYTHING
    placed_by: str = ""
    confirm_by: datetime | None = None
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    release_by: str | None = None
    """Who has asked for its release; a second person releases it."""

    @property
    def in_force(self) -> bool:
        """Nothing is being destroyed and nothing will be."""
        return self.released_at is None and not self.in_flight

    def __str__(self) -> str:
        if self.released_at:
            return f"released on {self.released_at:%Y-%m-%d}"
        return "in force" if self.in_force else f"taking effect: {self.in_flight} calls in flight"


class Holds(Store):
    """Verbs on holds. `by` is a person, as an opaque staff id or a role."""

    def place_hold(
        self, identities: Sequence[Identity], reason: str, *, at: datetime, by: str = "", terms: Terms = EVERYTHING
    ) -> Hold:
        """Let nothing be destroyed of what the terms cover of whom these identities name, from the next call on. The
        reason is sealed.

        Several identities are covered together and each alone: a request that knows one of them is held.
        """
        digests, count = self._people.digests(identities), self._people.count(identities)
        if terms.review_on is None:
            terms = terms.model_copy(update={"review_on": (at + REVIEW_AFTER).date()})

        def commit() -> Hold:
            return self._place(new_id(at), digests, count, reason, by, terms, at)

        return self._with_kek(commit)

    def _place(
        self, hold_id: str, digests: list[bytes], count: int, reason: str, by: str, terms: Terms, at: datetime
    ) -> Hold:
        key, note = self._vault.make_key("file", at), make_note("reason", reason)
        confirm_by = at + CONFIRM_WITHIN
        with self._begin() as connection:
            self._people.lock_holds(connection, self.tenant)
            connection.execute(insert(holds), {"tenant": self.tenant, "id": hold_id, "placed_at": at})
            said = terms.model_dump(mode="json", exclude={"scope", "tell_from", "review_on"})
            row = {
                **said,
                "tenant": self.tenant,
                "hold_id": hold_id,
                "systems": list(terms.scope.places),
                "scope": terms.scope.model_dump(mode="json"),
                "tell_from": terms.tell_from,
                "review_on": terms.review_on,
                "placed_by": by,
                "confirm_by": confirm_by,
            }
            connection.execute(insert(hold_terms), row)
            connection.execute(
                insert(hold_subjects),
                [{"tenant": self.tenant, "hold_id": hold_id, "digest": one} for one in digests],
            )
            self._vault.add_key(connection, hold_id, "file", key)
            for value in note.values:
                self._vault.put(connection, hold_id, key.plain, value, at)
            put_on_desk(self, connection, hold_id, "", Desk.CONFIRM, confirm_by, at)
            flying = calls_of_people(connection, self.tenant, digests)
            body = {
                "hold": hold_id,
                "identities": count,
                "in_flight": flying,
                "by": by,
                "terms": terms.model_dump(mode="json"),
                **note.said,
            }
            made(connection, self.tenant, {"hold": hold_id})
            self._journal(connection, "hold_placed", body, at, key=hold_id)
        return Hold(id=hold_id, placed_at=at, in_flight=flying, terms=terms, placed_by=by, confirm_by=confirm_by)

    def confirm_hold(self, hold_id: str, *, by: str, at: datetime) -> Hold:
        """Say, as a second person, that a hold is right; no effect on one that is confirmed.

        Raises:
            LedgerRefusal: there is none of this id, it was released, or the same person has placed it.
        """
        with self._begin() as connection:
            row = self._locked(connection, hold_id)
            if row.released_at:
                raise LedgerRefusal("the hold was released: there is nothing to confirm")
            if _is_no_second(by, row.placed_by):
                raise LedgerRefusal("whoever has placed a hold does not confirm it: ask a second person")
            if row.confirmed_at is None:
                self._change(connection, hold_id, confirmed_by=by, confirmed_at=at)
                settle_desk(
                    self, connection, at, hold_tasks.c.hold_id == hold_id, codes=[Desk.CONFIRM, Desk.UNCONFIRMED]
                )
                self._journal(connection, "hold_confirmed", {"hold": hold_id, "by": by}, at, key=hold_id)
        return self.hold_standing(hold_id)

    def review_hold(self, hold_id: str, *, by: str, review_on: date, at: datetime) -> Hold:
        """Note that somebody has looked and that a hold is still needed, until another review. A release that one
        person has asked for is taken back with it.

        Raises:
            LedgerRefusal: there is none of this id, it was released, or the day is not in the future.
        """
        if review_on <= at.date():
            raise LedgerRefusal("the next review has to lie in the future")
        with self._begin() as connection:
            if self._locked(connection, hold_id).released_at:
                raise LedgerRefusal("the hold was released: there is nothing to review")
            self._change(connection, hold_id, review_on=review_on, release_by=None, release_asked_at=None)
            settle_desk(self, connection, at, hold_tasks.c.hold_id == hold_id, codes=[Desk.REVIEW])
            body = {"hold": hold_id, "by": by, "review_on": review_on}
            self._journal(connection, "hold_reviewed", body, at, key=hold_id)
        return self.hold_standing(hold_id)

    def release_hold(
        self, hold_id: str, *, by: str, at: datetime, file_until: datetime, note: str | None = None
    ) -> bool:
        """Ask for a release, or, as a second person, carry it out; whether the hold is released now. No effect if it
        was released before. Its reason is kept until `file_until`.

        What it stopped goes on by itself, unless another hold covers it; what was answered meanwhile is come back to.

        Raises:
            LedgerRefusal: there is none of this id, or the same person asks twice.
        """
        with self._begin() as connection:
            self._people.lock_holds(connection, self.tenant)
            row = self._locked(connection, hold_id)
            if row.released_at:
                return True
            if _is_no_second(by, row.release_by or ""):
                raise LedgerRefusal("a release takes a second person: whoever has asked for it is not one")
            kept = keep_note(self, connection, hold_id, f"release/{new_id(at)}", note, at)
            if row.release_by is None:
                self._change(connection, hold_id, release_by=by, release_asked_at=at)
                body = {"hold": hold_id, "by": by, **kept}
                self._journal(connection, "hold_release_asked", body, at, key=hold_id)
                return False
            touched = list(connection.scalars(_TOUCHED, self._of(hold_id)))
            left_over = list(connection.scalars(OF_HOLD, self._of(hold_id)))
            connection.execute(
                update(holds).where(holds.c.tenant == self.tenant, holds.c.id == hold_id).values(released_at=at)
            )
            self._change(connection, hold_id, released_by=by)
            settle_desk(self, connection, at, hold_tasks.c.hold_id == hold_id)
            connection.execute(
                delete(hold_subjects).where(hold_subjects.c.tenant == self.tenant, hold_subjects.c.hold_id == hold_id)
            )
            connection.execute(
                update(case_keys)
                .where(case_keys.c.tenant == self.tenant, case_keys.c.case_id == hold_id)
                .values(keep_until=file_until)
            )
            for request_id in touched:
                post(connection, self.tenant, "wake", request_id, at)
            wake_deferred(self, connection, left_over, at)
            self._journal(connection, "hold_released", {"hold": hold_id, "by": by, **kept}, at, key=hold_id)
        return True

    def hold_standing(self, hold_id: str) -> Hold:
        """A hold as it stands; `str` of it says so in words.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            row = connection.execute(_ALL.where(holds.c.id == bindparam("id")), self._of(hold_id)).first()
            if row is None:
                raise LedgerRefusal("there is no hold of this id")
            digests = connection.scalars(_COVERED, self._of(hold_id)).all()
            flying = calls_of_people(connection, self.tenant, digests) if digests else 0
        return _hold(row).model_copy(update={"in_flight": flying})

    def holds(self, *, in_force_only: bool = True) -> list[Hold]:
        """All holds, the oldest first; without their calls in flight."""
        query = _ALL.where(holds.c.released_at.is_(None)) if in_force_only else _ALL
        with self._look() as connection:
            return [_hold(row) for row in connection.execute(query.order_by(holds.c.id), {"of": self.tenant})]

    def _of(self, hold_id: str) -> dict[str, str]:
        return {"of": self.tenant, "id": hold_id}

    def _locked(self, connection: Connection, hold_id: str) -> AnyRow:
        query = _ALL.where(holds.c.id == bindparam("id")).with_for_update(of=hold_terms)
        row = connection.execute(query, self._of(hold_id)).first()
        if row is None:
            raise LedgerRefusal("there is no hold of this id")
        return row

    def _change(self, connection: Connection, hold_id: str, **values: object) -> None:
        connection.execute(
            update(hold_terms)
            .where(hold_terms.c.tenant == self.tenant, hold_terms.c.hold_id == hold_id)
            .values(**values)
        )


def _is_no_second(by: str, first: str) -> bool:
    """Whether somebody is nobody, or the same as the first."""
    return same_person(by) in {"", same_person(first)}


def _hold(row: AnyRow) -> Hold:
    found = row._mapping
    return Hold.model_validate({**found, "terms": Terms.model_validate(dict(found))})
