"""Restrictions: what is locked away for whom, since when, why, and how far its lifting is.

The one rule: a restriction is written down before anything is locked and called lifted after everything is open again,
so that whatever dies in between, nobody is restricted of whom the ledger does not know it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    LargeBinary,
    Select,
    Text,
    Update,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy import update as change
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.followups import What, look_again
from ledger.models import case_keys, intents, request_subjects, requests, tasks, vault
from ledger.models_restrictions import restrictions
from ledger.notes import by_whom, keep_word
from ledger.outbox import post
from ledger.rests import SEALED
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from rights.codes import Code
from rights.plan import Operation
from rights.restriction import Ground, Locked, Restriction
from rights.subject import Identity

_its = (restrictions.c.tenant == bindparam("of"), restrictions.c.request_id == bindparam("id"))
_in_force = restrictions.c.lifted_at.is_(None)
_ALL: Final[Select[Any]] = select(*(c for c in restrictions.c if c.name != "tenant")).where(
    restrictions.c.tenant == bindparam("of")
)
ONE: Final[Select[Any]] = _ALL.where(restrictions.c.request_id == bindparam("id"))
LOCK: Final[Select[Any]] = ONE.with_for_update()
CHANGE: Final[Update] = change(restrictions).where(*_its)

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

CHANGED: Final = (
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
    select(vault.c.case_id, vault.c.purpose, vault.c.sealed, case_keys.c.kek, case_keys.c.wrapped)
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
        restrictions.c.lifting_at.is_(None) | bindparam("lifting", type_=Boolean),
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
            row = request_row(self, connection, request_id)
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
            row = connection.execute(ONE, self._of(request_id)).first()
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

    def restricted_elsewhere(self, request_id: str, system: str, *, lifting: bool = True) -> list[bytes]:
        """Where other requests have locked this person's data away in a system, as their connector has said it: because
        that was asked for, or since an erasure had to leave it. `lifting`: also those that are being lifted by now.

        Raises:
            VaultError: it was changed or moved, or its key-encryption key is gone.
        """
        name = f"restricted/{system}"
        with self._look() as connection:
            found = connection.execute(_OTHERS, {**self._of(request_id), "name": name, "lifting": lifting}).all()
            rests = connection.execute(SEALED, {**self._of(request_id), "name": name, "its": system}).all()
        return [
            self._vault.open_all(row.case_id, row.purpose, row.kek, row.wrapped, {name: row.sealed})[name]
            for row in (*found, *rests)
        ]

    def review_restriction(
        self, request_id: str, *, at: datetime, review_on: datetime, note: str | None = None, by: str | None = None
    ) -> Restriction:
        """Note that somebody has looked, and that it is still needed until another day. What was to be lifted, is not.

        Raises:
            LedgerRefusal: there is none in force, or it is being lifted already.
        """
        with self._begin() as connection:
            found = lock_restriction(self, connection, request_id)
            if found.lifting_at:
                raise LedgerRefusal("the restriction is being lifted already: restrict anew by another request")
            if review_on <= at:
                raise LedgerRefusal("the next review has to lie in the future")
            kept = {"review_on": review_on, "reviewed_at": at}
            undone = dict.fromkeys(("lift_reason", "lift_asked_at", "notice_days", "letter", "told_at", "lift_on"))
            connection.execute(CHANGE.values(**kept, **undone), self._of(request_id))
            settle_review(self, connection, request_id, at)
            if found.lift_asked_at:
                post(connection, self.tenant, "lift", request_id, at)
            body = {"review_on": review_on, "lifting_undone": found.lift_asked_at is not None}
            note_restriction(self, connection, request_id, "restriction_reviewed", body, at, note, by)
        return found.model_copy(update={**kept, **undone})

    def ask_for_reviews(self, *, at: datetime) -> int:
        """Put every restriction on a person's desk whose review is due; how many are so anew."""
        due = self._several(
            _ALL.where(_in_force, restrictions.c.lift_asked_at.is_(None), restrictions.c.review_on <= bindparam("at")),
            at=at,
        )
        asked = 0
        for one in due:
            with self._begin() as connection:
                row = connection.execute(LOCK, self._of(one.request_id)).first()
                if row and not (row.lifted_at or row.lift_asked_at) and row.review_on <= at:
                    key = notice_key(one.request_id)
                    put = put_task(self, connection, one.request_id, key, Code.RESTRICTION_REVIEW, "restriction", at)
                    asked += put is not None
        return asked

    def locked_in(self, request_id: str) -> set[str]:
        """The systems in which a request has changed something in order to restrict."""
        with self._look() as connection:
            return set(connection.scalars(CHANGED, self._of(request_id)))

    # What these have in common.

    def _of(self, request_id: str) -> dict[str, Any]:
        return {"of": self.tenant, "id": request_id}

    def _several(self, wanted: Select[Any], **values: Any) -> list[Restriction]:
        with self._look() as connection:
            rows = connection.execute(wanted, {"of": self.tenant, **values})
            return [Restriction.model_validate(row._mapping) for row in rows]


def lock_restriction(ledger: Store, connection: Connection, request_id: str) -> Restriction:
    """The restriction of a request, locked for what is about to be done with it.

    Raises:
        LedgerRefusal: there is none in force.
    """
    row = connection.execute(LOCK, {"of": ledger.tenant, "id": request_id}).first()
    if row is None:
        raise LedgerRefusal("no restriction goes by this id")
    found = Restriction.model_validate(row._mapping)
    if found.lifted_at:
        raise LedgerRefusal(f"the restriction was lifted on {found.lifted_at:%Y-%m-%d}")
    return found


def request_row(ledger: Store, connection: Connection, request_id: str) -> AnyRow:
    """When the request was closed or withdrawn; it is neither meanwhile.

    Raises:
        LedgerRefusal: it is unknown.
    """
    row = connection.execute(
        select(requests.c.closed_at, requests.c.withdrawn_at)
        .where(requests.c.tenant == ledger.tenant, requests.c.id == request_id)
        .with_for_update(key_share=True)
    ).first()
    if row is None:
        raise LedgerRefusal("there is no request of this id")
    return row


def settle_review(ledger: Store, connection: Connection, request_id: str, at: datetime) -> None:
    """Take the tasks about the restriction itself off the desk."""
    settle_tasks(ledger, connection, at, tasks.c.step_key == notice_key(request_id))


def note_restriction(
    ledger: Store,
    connection: Connection,
    request_id: str,
    kind: str,
    body: dict[str, object],
    at: datetime,
    note: str | None,
    by: str | None = None,
) -> None:
    """Journal a decision with its note sealed in the request's file, and by whom it is."""
    kept = keep_word(ledger, connection, request_id, note, at)
    said = {**body, **by_whom(by), **kept}
    ledger._journal(connection, kind, said, at, request_id=request_id)


def notice_key(request_id: str) -> str:
    """The key of tasks about the restriction itself, of no system."""
    return f"{request_id}/restriction/{Operation.LIFT}/0"
