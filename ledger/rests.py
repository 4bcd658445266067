"""What an erasure had to leave, and is locked away until it goes.

The one rule: it is written down before anything is locked, and given up only once nothing is any more, so that each
look of whichever request finds it. It is no restriction that somebody has asked for: nobody is told before it ends
(GDPR Art. 18(3) speaks of whoever obtained one).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Text, bindparam, insert, literal, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models import case_keys, request_subjects, tasks, vault
from ledger.models_deferred import deferral_subjects
from ledger.models_rests import rest_locks, rest_words
from ledger.store import Store
from ledger.tasks import settle_tasks
from rights.codes import Code
from rights.plan import Operation
from rights.restwords import RestWord

_lasting: Final = rest_locks.c.over_at.is_(None)
_put = upsert(rest_locks)
_LOCK: Final = _put.on_conflict_do_update(
    index_elements=[rest_locks.c.tenant, rest_locks.c.request_id, rest_locks.c.system],
    where=rest_locks.c.over_at.is_not(None),
    set_={"since": _put.excluded.since, "over_at": None},
)
_END: Final = (
    update(rest_locks)
    .where(
        rest_locks.c.tenant == bindparam("of"),
        rest_locks.c.request_id == bindparam("id"),
        rest_locks.c.system == bindparam("its"),
        _lasting,
    )
    .values(over_at=bindparam("at"))
)
_WORDS: Final = ("word", "ground", "asked_by", "asked_at", "agreed_by", "agreed_at", "begun_at")
_mine = request_subjects.alias("mine")
_also = request_subjects.alias("also")
SEALED: Final = (
    # Of an open request, and of a closed one whose rest is waited for, under whichever key it lies.
    select(vault.c.case_id, vault.c.purpose, vault.c.sealed, case_keys.c.kek, case_keys.c.wrapped)
    .join(
        case_keys,
        (case_keys.c.tenant == vault.c.tenant)
        & (case_keys.c.case_id == vault.c.case_id)
        & (case_keys.c.purpose == vault.c.purpose),
    )
    .join(rest_locks, (rest_locks.c.tenant == vault.c.tenant) & (rest_locks.c.request_id == vault.c.case_id))
    .where(
        vault.c.tenant == bindparam("of"),
        vault.c.purpose.in_([literal_column("'working'"), literal_column("'deferred'")]),
        vault.c.name == bindparam("name", type_=Text),
        vault.c.case_id != bindparam("id"),
        rest_locks.c.system == bindparam("its"),
        case_keys.c.wrapped.is_not(None),
        _lasting,
        or_(
            select(_mine.c.digest)
            .join(_also, (_also.c.tenant == _mine.c.tenant) & (_also.c.digest == _mine.c.digest))
            .where(
                _mine.c.tenant == vault.c.tenant,
                _mine.c.request_id == bindparam("id"),
                _also.c.request_id == vault.c.case_id,
            )
            .exists(),
            select(_mine.c.digest)
            .join(
                deferral_subjects,
                (deferral_subjects.c.tenant == _mine.c.tenant) & (deferral_subjects.c.digest == _mine.c.digest),
            )
            .where(
                _mine.c.tenant == vault.c.tenant,
                _mine.c.request_id == bindparam("id"),
                deferral_subjects.c.request_id == vault.c.case_id,
            )
            .exists(),
        ),
    )
    .order_by(vault.c.case_id, vault.c.purpose)
)
"""Where the rests of other requests of who may be the same person are locked away in a system: `its`."""


class Rests(Store):
    """Verbs on what erasures have left and locked away."""

    def lock_rest(self, request_id: str, system: str, *, at: datetime) -> None:
        """Write down, before it is, that what a request had to leave in a system is locked away; no effect if it is
        written already."""
        row = {"tenant": self.tenant, "request_id": request_id, "system": system, "since": at}
        with self._begin() as connection:
            if connection.execute(_LOCK, row).rowcount:
                self._journal(connection, "rest_locked", {"system": system}, at, request_id=request_id)

    def unlock_rest(self, request_id: str, system: str, *, at: datetime) -> None:
        """Write down that nothing of it is locked away any more; no effect if nothing was."""
        with self._begin() as connection:
            if connection.execute(_END, {"of": self.tenant, "id": request_id, "its": system, "at": at}).rowcount:
                self._journal(connection, "rest_unlocked", {"system": system}, at, request_id=request_id)


def review_key(request_id: str) -> str:
    """The key of the task that asks whether what a request has left must still be kept, of no system."""
    return f"{request_id}/rest/{Operation.LIFT}/0"


def in_use(systems: Iterable[str]) -> ColumnElement[bool]:
    """The tasks about what stays in some systems and is not locked away there."""
    return (tasks.c.code == Code.REST_IN_USE.value) & tasks.c.about.in_(list(systems))


def carry_rests(store: Store, connection: Connection, earlier: str, request_id: str, at: datetime) -> bool:
    """Have the request that carries out what an earlier one has left see to what is locked away of it, and to what is
    not, in the transaction that opens it: what finds it lies with that one from here on. Whether two people have said
    that it goes."""
    asked = tasks.c.code.in_([Code.REST_IN_USE.value, Code.REST_REVIEW.value])
    settle_tasks(store, connection, at, tasks.c.request_id == earlier, asked)
    begun = (
        update(rest_words)
        .where(
            rest_words.c.tenant == store.tenant,
            rest_words.c.request_id == earlier,
            rest_words.c.agreed_at.is_not(None),
            rest_words.c.begun_at.is_(None),
        )
        .values(begun_at=at)
        .returning(rest_words.c.word)
    )
    goes = RestWord.ERASE in connection.scalars(begun).all()
    # What two people have opened stays open, whoever carries on with it.
    opened = select(rest_words.c.tenant, literal(request_id), *(rest_words.c[name] for name in _WORDS)).where(
        rest_words.c.tenant == store.tenant,
        rest_words.c.request_id == earlier,
        rest_words.c.word == RestWord.OPEN.value,
        rest_words.c.agreed_at.is_not(None),
    )
    connection.execute(insert(rest_words).from_select(["tenant", "request_id", *_WORDS], opened))
    ended = (
        update(rest_locks)
        .where(rest_locks.c.tenant == store.tenant, rest_locks.c.request_id == earlier, _lasting)
        .values(over_at=at)
        .returning(rest_locks.c.system)
    )
    for system in connection.scalars(ended).all():
        row = {"tenant": store.tenant, "request_id": request_id, "system": system, "since": at}
        connection.execute(_LOCK, row)
    return goes
