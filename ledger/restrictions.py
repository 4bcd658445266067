"""Restrictions: what is locked away for whom, since when, why, and how far its lifting is.

The one rule: a restriction is written down before anything is locked and called lifted after everything is open again,
so that whatever dies in between, nobody is restricted of whom the ledger does not know it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ARRAY, Connection, LargeBinary, Select, Text, Update, bindparam, func, literal_column, select
from sqlalchemy import update as change
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.fence import calls_of_request
from ledger.followups import What, end_looks, look_again
from ledger.letters import LetterState, queue_letter
from ledger.models import case_keys, intents, request_subjects, requests, tasks, vault
from ledger.models_letters import letters
from ledger.models_restrictions import restrictions
from ledger.notes import keep_word
from ledger.outbox import post
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from rights.codes import Code
from rights.letters import LetterKind, Particulars
from rights.plan import Operation
from rights.restriction import Ended, Ground, Locked, Restriction
from rights.subject import Identity

_its = (restrictions.c.tenant == bindparam("of"), restrictions.c.request_id == bindparam("id"))
_in_force = restrictions.c.lifted_at.is_(None)
_ALL: Final[Select[Any]] = select(*(c for c in restrictions.c if c.name != "tenant")).where(
    restrictions.c.tenant == bindparam("of")
)
_ONE: Final[Select[Any]] = _ALL.where(restrictions.c.request_id == bindparam("id"))
_LOCK: Final[Select[Any]] = _ONE.with_for_update()
_CHANGE: Final[Update] = change(restrictions).where(*_its)

# The digests of everybody who is restricted, by whichever request.
_WHO: Final = (
    select(request_subjects.c.digest)
    .join(
        restrictions,
        (restrictions.c.tenant == request_subjects.c.tenant)
        & (restrictions.c.request_id == request_subjects.c.request_id),
    )
    .where(request_subjects.c.tenant == bindparam("of"), _in_force)
)
_AMONG: Final = _WHO.where(request_subjects.c.digest == func.any(bindparam("digests", type_=ARRAY(LargeBinary))))

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
_TOLD_SO_FAR: Final = select(func.count()).where(
    letters.c.tenant == bindparam("of"), letters.c.request_id == bindparam("id"), letters.c.kind == bindparam("kind")
)
_CHANGED: Final = (
    select(intents.c.system)
    .where(
        intents.c.tenant == bindparam("of"),
        intents.c.request_id == bindparam("id"),
        func.split_part(intents.c.key, "/", 3) == literal_column(f"'{Operation.RESTRICT}'"),
    )
    .distinct()
)

_mine = request_subjects.alias("mine")
_TOO: Final = (
    select(restrictions.c.request_id)
    .join(
        request_subjects,
        (request_subjects.c.tenant == restrictions.c.tenant)
        & (request_subjects.c.request_id == restrictions.c.request_id),
    )
    .join(_mine, (_mine.c.tenant == request_subjects.c.tenant) & (_mine.c.digest == request_subjects.c.digest))
    .where(
        restrictions.c.tenant == bindparam("of"),
        restrictions.c.request_id != bindparam("id"),
        _mine.c.request_id == bindparam("id"),
        _in_force,
    )
    .distinct()
)
_OTHERS: Final = (
    select(vault.c.case_id, vault.c.name, vault.c.sealed, case_keys.c.kek, case_keys.c.wrapped)
    .join(
        case_keys,
        (case_keys.c.tenant == vault.c.tenant)
        & (case_keys.c.case_id == vault.c.case_id)
        & (case_keys.c.purpose == vault.c.purpose),
    )
    .join(
        restrictions,
        (restrictions.c.tenant == vault.c.tenant) & (restrictions.c.request_id == vault.c.case_id),
    )
    .where(
        vault.c.tenant == bindparam("of"),
        vault.c.purpose == literal_column("'working'"),
        vault.c.name == bindparam("name", type_=Text),
        vault.c.case_id != bindparam("id"),
        case_keys.c.wrapped.is_not(None),
        _in_force,
        select(_mine.c.digest)
        .join(
            request_subjects,
            (request_subjects.c.tenant == _mine.c.tenant) & (request_subjects.c.digest == _mine.c.digest),
        )
        .where(
            _mine.c.tenant == vault.c.tenant,
            _mine.c.request_id == vault.c.case_id,
            request_subjects.c.request_id == bindparam("id"),
        )
        .exists(),
    )
    .order_by(vault.c.case_id)
)


class Restrictions(Store):
    """Verbs on restrictions; each is named by the request that asked for it."""

    def begin_restriction(
        self,
        request_id: str,
        ground: Ground,
        *,
        at: datetime,
        review_on: datetime,
        locked: Sequence[Locked] = (),
        look_on: datetime | None = None,
    ) -> bool:
        """Write down that a person's data is being restricted, before anything is; False if that was done before.
        `locked` is what it is about, empty: everything; `look_on` when it is looked for what has come since.

        Raises:
            LedgerRefusal: the request is closed, withdrawn or unknown.
        """
        with self._begin() as connection:
            row = self._request_row(connection, request_id)
            if row.closed_at or row.withdrawn_at:
                raise LedgerRefusal("the request is closed or withdrawn: nothing is restricted for it any more")
            values = {"request_id": request_id, "ground": ground.value, "since": at, "review_on": review_on}
            made = connection.execute(
                upsert(restrictions).values(tenant=self.tenant, **values).on_conflict_do_nothing()
            ).rowcount
            if made:
                body = {
                    "ground": ground,
                    "review_on": review_on,
                    "systems": [one.system for one in locked],
                    "locked": [one.model_dump(mode="json") for one in locked],
                }
                self._journal(connection, "restricted", body, at, request_id=request_id)
                if look_on:
                    look_again(connection, self.tenant, request_id, What.RESTRICTION, look_on)
        return bool(made)

    def restriction(self, request_id: str) -> Restriction | None:
        """The restriction that a request has brought about; None if it has not."""
        with self._look() as connection:
            row = connection.execute(_ONE, self._of(request_id)).first()
        return Restriction.model_validate(row._mapping) if row else None

    def restrictions(self, *, in_force_only: bool = True) -> list[Restriction]:
        """All restrictions, the one to be reviewed first first."""
        wanted = _ALL.order_by(restrictions.c.review_on, restrictions.c.request_id)
        return self._several(wanted.where(_in_force) if in_force_only else wanted)

    def liftings(self) -> list[Restriction]:
        """Restrictions that are to be lifted and are not yet: for each there has to be a living run."""
        return self._several(_ALL.where(_in_force, restrictions.c.lift_asked_at.is_not(None)))

    def is_restricted(self, identities: Iterable[Identity]) -> bool:
        """Whether processing of any of these people is restricted now; what sends by itself asks this first."""
        digests = self._people.digests(identities)
        with self._look() as connection:
            found = connection.execute(_AMONG.limit(1), {"of": self.tenant, "digests": digests})
            return found.first() is not None

    def restricting_too(self, request_id: str) -> list[str]:
        """Other requests that restrict who may be the same person now."""
        with self._look() as connection:
            return list(connection.scalars(_TOO, self._of(request_id)))

    def restricted_elsewhere(self, request_id: str, system: str) -> list[bytes]:
        """Where other requests have locked this person's data away in a system, as their connector has said it.

        Raises:
            VaultError: it was changed or moved, or its key-encryption key is gone.
        """
        name = f"restricted/{system}"
        with self._look() as connection:
            found = connection.execute(_OTHERS, {**self._of(request_id), "name": name}).all()
        return [
            self._vault.open_all(row.case_id, "working", row.kek, row.wrapped, {name: row.sealed})[name]
            for row in found
        ]

    def review_restriction(
        self, request_id: str, *, at: datetime, review_on: datetime, note: str | None = None
    ) -> Restriction:
        """Note that somebody has looked, and that it is still needed until another day. What was to be lifted, is not.

        Raises:
            LedgerRefusal: there is none in force, or it is being lifted already.
        """
        with self._begin() as connection:
            found = self._in_force(connection, request_id)
            if found.lifting_at:
                raise LedgerRefusal("the restriction is being lifted already: restrict anew by another request")
            if review_on <= at:
                raise LedgerRefusal("the next review has to lie in the future")
            kept = {"review_on": review_on, "reviewed_at": at}
            undone = dict.fromkeys(("lift_reason", "lift_asked_at", "notice_days", "letter", "told_at", "lift_on"))
            connection.execute(_CHANGE.values(**kept, **undone), self._of(request_id))
            self._settle_review(connection, request_id, at)
            if found.lift_asked_at:
                post(connection, self.tenant, "lift", request_id, at)
            body = {"review_on": review_on, "lifting_undone": found.lift_asked_at is not None}
            self._note_restriction(connection, request_id, "restriction_reviewed", body, at, note)
        return found.model_copy(update={**kept, **undone})

    def ask_to_lift(
        self,
        request_id: str,
        reason: Ended,
        *,
        at: datetime,
        notice: timedelta,
        told: str | None = None,
        note: str | None = None,
    ) -> bool:
        """Have a restriction lifted: the person is told, whole days of `notice` pass, then it is; False if that was
        asked for before. `told` is what the letter says of it beyond the coded reason.

        Raises:
            LedgerRefusal: there is no restriction in force.
        """
        with self._begin() as connection:
            found = self._in_force(connection, request_id)
            if found.lift_asked_at:
                return False
            said = Particulars(ground=reason.value, reason=told or None, lift_on=(at + notice).date())
            letter = self._tell_of_lifting(connection, found, said, at)
            asked = {"lift_reason": reason.value, "lift_asked_at": at, "notice_days": notice.days, "letter": letter}
            connection.execute(_CHANGE.values(**asked), self._of(request_id))
            self._settle_review(connection, request_id, at)
            post(connection, self.tenant, "lift", request_id, at)
            body = {"reason": reason, "notice_days": notice.days}
            self._note_restriction(connection, request_id, "restriction_to_be_lifted", body, at, note)
        return True

    def told_of_lifting(self, request_id: str, *, at: datetime, note: str | None = None) -> datetime:
        """Note that the person was told that their restriction will be lifted; from when on it may be.

        Raises:
            LedgerRefusal: it is not to be lifted.
        """
        with self._begin() as connection:
            found = self._in_force(connection, request_id)
            if found.lift_asked_at is None:
                raise LedgerRefusal("the restriction is not to be lifted: ask for that first")
            if found.lift_on:
                return found.lift_on
            lift_on = at + timedelta(days=found.notice_days or 0)
            connection.execute(_CHANGE.values(told_at=at, lift_on=lift_on), self._of(request_id))
            self._settle_review(connection, request_id, at)
            post(connection, self.tenant, "lift", request_id, at)
            self._note_restriction(connection, request_id, "restriction_told", {"lift_on": lift_on}, at, note)
        return lift_on

    def begin_lifting(self, request_id: str, *, at: datetime) -> bool:
        """Pass the point after which a review cannot keep the restriction; False while the person is not told (also
        since the letter came back), the term runs, something is being locked away for it at this moment, or if it is
        lifted, or not to be."""
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = connection.execute(_LOCK, self._of(request_id)).first()
            if row is None or row.lifted_at or row.lift_on is None or row.lift_on > at:
                return False
            if row.lifting_at is None:
                if self._returned(connection, row) or calls_of_request(connection, self.tenant, request_id):
                    return False
                end_looks(connection, self.tenant, request_id, What.RESTRICTION, at)
                connection.execute(_CHANGE.values(lifting_at=at), self._of(request_id))
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
            row = connection.execute(_LOCK, self._of(request_id)).first()
            if row is None or row.lifting_at is None:
                raise LedgerRefusal("the lifting of this restriction has not begun")
            if row.lifted_at:
                return
            connection.execute(_CHANGE.values(lifted_at=at), self._of(request_id))
            if self._request_row(connection, request_id).closed_at:
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

    def ask_for_reviews(self, *, at: datetime) -> int:
        """Put every restriction on a person's desk whose review is due; how many are so anew."""
        due = self._several(
            _ALL.where(_in_force, restrictions.c.lift_asked_at.is_(None), restrictions.c.review_on <= bindparam("at")),
            at=at,
        )
        asked = 0
        for one in due:
            with self._begin() as connection:
                row = connection.execute(_LOCK, self._of(one.request_id)).first()
                if row and not (row.lifted_at or row.lift_asked_at) and row.review_on <= at:
                    key = notice_key(one.request_id)
                    put = put_task(self, connection, one.request_id, key, Code.RESTRICTION_REVIEW, "restriction", at)
                    asked += put is not None
        return asked

    def heard_of_lifting(self, request_id: str, *, at: datetime) -> datetime | None:
        """From when on a restriction may be lifted, if the letter that tells of it has gone out; None if it has not, or
        has come back: then nobody was told, and the term runs anew from when they are."""
        found = self.restriction(request_id)
        if found and found.lift_on and not found.lifting_at and self._untold(request_id, at):
            return None
        if found is None or found.lift_on or found.letter is None:
            return found.lift_on if found else None
        with self._look() as connection:
            sent = connection.scalar(_SENT, {"of": self.tenant, "letter": found.letter})
        return self.told_of_lifting(request_id, at=min(at, sent)) if sent else None

    def locked_in(self, request_id: str) -> set[str]:
        """The systems in which a request has changed something in order to restrict."""
        with self._look() as connection:
            return set(connection.scalars(_CHANGED, self._of(request_id)))

    # What these have in common.

    def _untold(self, request_id: str, at: datetime) -> bool:
        """Note that the letter which was to tell the person came back; False if it did not."""
        with self._begin() as connection:
            row = connection.execute(_LOCK, self._of(request_id)).first()
            if row is None or row.lifting_at or not self._returned(connection, row):
                return False
            connection.execute(_CHANGE.values(told_at=None, lift_on=None), self._of(request_id))
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
        number = connection.scalar(_TOLD_SO_FAR, {**self._of(found.request_id), "kind": kind.value}) or 0
        body = said.model_dump_json(exclude_none=True).encode()
        return queue_letter(self, connection, found.request_id, kind, at, number=number, said=body)

    def _of(self, request_id: str) -> dict[str, Any]:
        return {"of": self.tenant, "id": request_id}

    def _several(self, wanted: Select[Any], **values: Any) -> list[Restriction]:
        with self._look() as connection:
            rows = connection.execute(wanted, {"of": self.tenant, **values})
            return [Restriction.model_validate(row._mapping) for row in rows]

    def _in_force(self, connection: Connection, request_id: str) -> Restriction:
        row = connection.execute(_LOCK, self._of(request_id)).first()
        if row is None:
            raise LedgerRefusal("no restriction goes by this id")
        found = Restriction.model_validate(row._mapping)
        if found.lifted_at:
            raise LedgerRefusal(f"the restriction was lifted on {found.lifted_at:%Y-%m-%d}")
        return found

    def _request_row(self, connection: Connection, request_id: str) -> AnyRow:
        """When the request was closed or withdrawn; it is neither meanwhile."""
        row = connection.execute(
            select(requests.c.closed_at, requests.c.withdrawn_at)
            .where(requests.c.tenant == self.tenant, requests.c.id == request_id)
            .with_for_update(key_share=True)
        ).first()
        if row is None:
            raise LedgerRefusal("there is no request of this id")
        return row

    def _settle_review(self, connection: Connection, request_id: str, at: datetime) -> None:
        """Take the tasks about the restriction itself off the desk."""
        settle_tasks(self, connection, at, tasks.c.step_key == notice_key(request_id))

    def _note_restriction(
        self,
        connection: Connection,
        request_id: str,
        kind: str,
        body: dict[str, object],
        at: datetime,
        note: str | None,
    ) -> None:
        """Journal a decision with its note sealed in the request's file."""
        kept = keep_word(self, connection, request_id, note, at)
        self._journal(connection, kind, {**body, **kept}, at, request_id=request_id)


def notice_key(request_id: str) -> str:
    """The key of tasks about the restriction itself, of no system."""
    return f"{request_id}/restriction/{Operation.LIFT}/0"
