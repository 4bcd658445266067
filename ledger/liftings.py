"""Lifting a restriction: whoever obtained it is told, a term runs, and then everything is opened again.

The one rule: nothing is lifted of which the person was not told (GDPR Art. 18(3)); a letter that came back told nobody.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy import update as change

from ledger.errors import LedgerRefusal
from ledger.fence import calls_of_request
from ledger.followups import What, end_looks
from ledger.heldback import HeldBack, held_back
from ledger.letters import LetterState, queue_letter
from ledger.models import case_keys, requests, tasks
from ledger.models_letters import letters
from ledger.outbox import post
from ledger.restrictions import (
    CHANGE,
    CHANGED,
    LOCK,
    ONE,
    lock_restriction,
    note_restriction,
    request_row,
    settle_review,
)
from ledger.store import AnyRow, Store
from ledger.tasks import settle_tasks
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.plan import Operation
from rights.reckoning import local_day
from rights.restriction import Ended, Restriction

_SENT: Final = select(letters.c.settled_at).where(
    letters.c.tenant == bindparam("of"),
    letters.c.id == bindparam("letter"),
    letters.c.state.in_([LetterState.SENT.value, LetterState.POSTED.value]),
)
_RETURNED: Final = select(letters.c.id).where(
    letters.c.tenant == bindparam("of"),
    letters.c.id == bindparam("letter"),
    letters.c.state == LetterState.BOUNCED.value,
    letters.c.settled_at > bindparam("told_at", type_=letters.c.settled_at.type),
)
_ZONE: Final = select(requests.c.zone).where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("id"))
_TOLD_SO_FAR: Final = select(func.count()).where(
    letters.c.tenant == bindparam("of"), letters.c.request_id == bindparam("id"), letters.c.kind == bindparam("kind")
)


class Liftings(Store):
    """Verbs on the end of restrictions; each is named by the request that asked for the restriction."""

    def ask_to_lift(
        self,
        request_id: str,
        reason: Ended,
        *,
        at: datetime,
        notice: timedelta,
        told: str | None = None,
        note: str | None = None,
        letter: str | None = None,
        by: str | None = None,
    ) -> bool:
        """Have a restriction lifted: the person is told, whole days of `notice` pass, then it is; False if that was
        asked for before. `told` is what the letter says of it beyond the coded reason; `letter` the id of one that
        tells of it already, in place of one of its own.

        Raises:
            HeldBack: a hold stands in the way, so that nobody is told what would not be done then.
            LedgerRefusal: there is no restriction in force.
        """
        with self._begin() as connection:
            self._people.lock_learning(connection, self.tenant, request_id)
            found = lock_restriction(self, connection, request_id)
            if found.lift_asked_at:
                return False
            for system in sorted(connection.scalars(CHANGED, {"of": self.tenant, "id": request_id})):
                if code := held_back(self, connection, request_id, system, at):
                    raise HeldBack(code, f"what is locked away in '{system}' cannot be put back for now")
            zone = connection.execute(_ZONE, {"of": self.tenant, "id": request_id}).scalar_one()
            said = Particulars(ground=reason.value, reason=told or None, lift_on=local_day(at + notice, zone))
            letter = letter or self._tell_of_lifting(connection, found, said, at)
            asked = {"lift_reason": reason.value, "lift_asked_at": at, "notice_days": notice.days, "letter": letter}
            connection.execute(CHANGE.values(**asked), {"of": self.tenant, "id": request_id})
            settle_review(self, connection, request_id, at)
            post(connection, self.tenant, "lift", request_id, at)
            body = {"reason": reason, "notice_days": notice.days}
            note_restriction(self, connection, request_id, "restriction_to_be_lifted", body, at, note, by)
        return True

    def told_of_lifting(
        self, request_id: str, *, at: datetime, note: str | None = None, by: str | None = None
    ) -> datetime:
        """Note that the person was told that their restriction will be lifted; from when on it may be.

        Raises:
            LedgerRefusal: it is not to be lifted.
        """
        with self._begin() as connection:
            found = lock_restriction(self, connection, request_id)
            if found.lift_asked_at is None:
                raise LedgerRefusal("the restriction is not to be lifted: ask for that first")
            if found.lift_on:
                return found.lift_on
            lift_on = at + timedelta(days=found.notice_days or 0)
            connection.execute(CHANGE.values(told_at=at, lift_on=lift_on), {"of": self.tenant, "id": request_id})
            settle_review(self, connection, request_id, at)
            post(connection, self.tenant, "lift", request_id, at)
            note_restriction(self, connection, request_id, "restriction_told", {"lift_on": lift_on}, at, note, by)
        return lift_on

    def begin_lifting(self, request_id: str, *, at: datetime) -> bool:
        """Pass the point after which a review cannot keep the restriction; False while the person is not told (also
        since the letter came back), the term runs, something is being locked away for it at this moment, or if it is
        lifted, or not to be."""
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = connection.execute(LOCK, {"of": self.tenant, "id": request_id}).first()
            if row is None or row.lifted_at or row.lift_on is None or row.lift_on > at:
                return False
            if row.lifting_at is None:
                if self._returned(connection, row) or calls_of_request(connection, self.tenant, request_id):
                    return False
                end_looks(connection, self.tenant, request_id, What.RESTRICTION, at)
                connection.execute(CHANGE.values(lifting_at=at), {"of": self.tenant, "id": request_id})
                self._journal(connection, "restriction_lifting", {}, at, request_id=request_id)
        return True

    def lifted(self, request_id: str, *, at: datetime, working_until: datetime, file_until: datetime) -> None:
        """Note that everything is open again. What lifting needed (whom it is about, where it was locked away, the file
        for the notice, a history in Temporal) is kept until the days given, if the request is closed.
        No effect if it was lifted before.

        Raises:
            LedgerRefusal: its lifting has not begun.
        """
        with self._begin() as connection:
            row = connection.execute(LOCK, {"of": self.tenant, "id": request_id}).first()
            if row is None or row.lifting_at is None:
                raise LedgerRefusal("the lifting of this restriction has not begun")
            if row.lifted_at:
                return
            connection.execute(CHANGE.values(lifted_at=at), {"of": self.tenant, "id": request_id})
            if request_row(self, connection, request_id).closed_at:
                days = {"working": working_until, "history": working_until, "file": file_until}
                for purpose, day in days.items():
                    connection.execute(
                        change(case_keys)
                        .where(
                            case_keys.c.tenant == self.tenant,
                            case_keys.c.case_id == request_id,
                            case_keys.c.purpose == purpose,
                        )
                        .values(keep_until=day)
                    )
            lifting = func.split_part(tasks.c.step_key, "/", 3) == Operation.LIFT.value
            settle_tasks(self, connection, at, tasks.c.request_id == request_id, lifting)
            self._journal(connection, "restriction_lifted", {}, at, request_id=request_id)

    def heard_of_lifting(self, request_id: str, *, at: datetime) -> datetime | None:
        """From when on a restriction may be lifted, if the letter that tells of it has gone out; None if it has not, or
        has come back: then nobody was told, and the term runs anew from when they are."""
        with self._look() as connection:
            found = connection.execute(ONE, {"of": self.tenant, "id": request_id}).first()
        if found and found.lift_on and not found.lifting_at and self._untold(request_id, at):
            return None
        if found is None or found.lift_on or found.letter is None:
            return found.lift_on if found else None
        with self._look() as connection:
            sent = connection.scalar(_SENT, {"of": self.tenant, "letter": found.letter})
        return self.told_of_lifting(request_id, at=min(at, sent)) if sent else None

    # What these have in common.

    def _untold(self, request_id: str, at: datetime) -> bool:
        """Note that the letter which was to tell the person came back; False if it did not."""
        with self._begin() as connection:
            row = connection.execute(LOCK, {"of": self.tenant, "id": request_id}).first()
            if row is None or row.lifting_at or not self._returned(connection, row):
                return False
            connection.execute(CHANGE.values(told_at=None, lift_on=None), {"of": self.tenant, "id": request_id})
            self._journal(connection, "restriction_untold", {"letter": row.letter}, at, request_id=request_id)
        return True

    def _returned(self, connection: Connection, row: AnyRow) -> bool:
        """Whether the letter came back, and nobody has told the person since."""
        its = {"of": self.tenant, "letter": row.letter, "told_at": row.told_at}
        return bool(row.letter and row.told_at and connection.execute(_RETURNED, its).first())

    def _tell_of_lifting(
        self, connection: Connection, found: Restriction, said: Particulars, at: datetime
    ) -> str | None:
        """Queue the letter that Art. 18(3) asks for; its id."""
        kind = LetterKind.RESTRICTION_TO_BE_LIFTED
        # A lifting that was asked for, undone and asked for again is told of each time.
        number = connection.scalar(_TOLD_SO_FAR, {"of": self.tenant, "id": found.request_id, "kind": kind.value}) or 0
        body = said.model_dump_json(exclude_none=True).encode()
        return queue_letter(self, connection, found.request_id, kind, at, number=number, said=body)
