"""The look days after a request was closed, and requests that are open again.

The one rule: what a late look finds, or cannot see, opens the request again: it is not called done while nobody knows.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    SelectBase,
    Text,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.incidents import residue_found
from ledger.models import case_keys, requests
from ledger.models_restore import relooks, reopenings
from ledger.outbox import post
from ledger.store import Store
from ledger.vault import OF_REQUEST
from rights.codes import Code
from rights.request import Phase
from rights.value import Value

CALL_AGAIN: Final = timedelta(hours=6)
"""After how long a look that was asked for, and of which nothing was heard, is asked for again: longer than the hour of
attempts that one makes."""
_MOST: Final = 200
"""Looks asked for in one round of upkeep, a minute apart."""


def plan_relook(rows: SelectBase) -> Insert:
    """The statement that plans looks: tenant, request and day."""
    put = upsert(relooks).from_select(["tenant", "request_id", "due_at"], rows)
    return put.on_conflict_do_update(
        index_elements=[relooks.c.tenant, relooks.c.request_id],
        set_={"due_at": put.excluded.due_at, "called_at": None, "looked_at": None, "found": None},
    )


_AT: Final = plan_relook(
    select(bindparam("of", type_=Text), bindparam("id", type_=Text), bindparam("due", type_=DateTime(timezone=True)))
)
_DUE: Final = (
    select(relooks.c.request_id)
    .join(requests, (requests.c.tenant == relooks.c.tenant) & (requests.c.id == relooks.c.request_id))
    .where(
        relooks.c.tenant == bindparam("of"),
        relooks.c.looked_at.is_(None),
        relooks.c.due_at <= bindparam("at"),
        relooks.c.called_at.is_(None) | (relooks.c.called_at <= bindparam("before")),
        requests.c.phase == literal_column("'closed'"),
    )
    .order_by(relooks.c.due_at)
    .limit(_MOST)
    .with_for_update(skip_locked=True, of=relooks)
)
RELOOK_AHEAD: Final = (
    select(relooks.c.request_id)
    .where(
        relooks.c.tenant == case_keys.c.tenant,
        relooks.c.request_id == case_keys.c.case_id,
        relooks.c.looked_at.is_(None),
    )
    .exists()
)
"""Whether a look is still to come: then nothing that it needs is shredded, whatever day was set."""


def whole(tenant: ColumnElement[str], request: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a request still knows all that it was opened with."""
    return (
        select(func.count())
        .where(
            case_keys.c.tenant == tenant,
            case_keys.c.case_id == request,
            case_keys.c.purpose.in_(OF_REQUEST),
            case_keys.c.wrapped.is_not(None),
        )
        .scalar_subquery()
    ) == len(OF_REQUEST)


class Relook(Value):
    """The look after a closed request."""

    request_id: str
    due_at: datetime
    looked_at: datetime | None = None
    found: str | None = None
    """clean, residue or unsure; None while nobody has looked."""


class Relooks(Store):
    """Verbs on late looks."""

    def call_relooks(self, *, at: datetime) -> int:
        """Ask for the looks that are due; how many."""
        with self._begin() as connection:
            its = {"of": self.tenant, "at": at, "before": at - CALL_AGAIN}
            due = list(connection.scalars(_DUE, its))
            if due:
                called = update(relooks).where(relooks.c.tenant == self.tenant, relooks.c.request_id.in_(due))
                connection.execute(called.values(called_at=at))
            for request_id in due:
                post(connection, self.tenant, "relook", request_id, at)
        return len(due)

    def relook(self, request_id: str) -> Relook | None:
        """The look after a request; None if none is planned."""
        query = select(relooks).where(relooks.c.tenant == self.tenant, relooks.c.request_id == request_id)
        with self._look() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return Relook(request_id=row.request_id, due_at=row.due_at, looked_at=row.looked_at, found=row.found)

    def postpone_relook(self, request_id: str, until: datetime) -> None:
        """Have a late look made later, that nobody has noted yet; what it needs is kept for as long."""
        with self._begin() as connection:
            connection.execute(
                update(relooks)
                .where(
                    relooks.c.tenant == self.tenant,
                    relooks.c.request_id == request_id,
                    relooks.c.looked_at.is_(None),
                )
                .values(due_at=until, called_at=None)
            )

    def settle_relook(self, request_id: str, open_again: Mapping[str, Code], *, clean: bool, at: datetime) -> bool:
        """Note what a late look has found, and open the request again for the systems of which it says something; False
        if that was noted before. Where something has come back, an incident is opened."""
        found = "clean" if clean else "residue" if Code.RETURNED in open_again.values() else "unsure"
        return self._with_kek(lambda: self._settle_relook(request_id, open_again, found, at))

    def _settle_relook(self, request_id: str, open_again: Mapping[str, Code], found: str, at: datetime) -> bool:
        key = self._vault.make_key("file", at) if found == "residue" else None
        with self._begin() as connection:
            self._people.lock_holds(connection, self.tenant)
            its = (
                relooks.c.tenant == self.tenant,
                relooks.c.request_id == request_id,
                relooks.c.looked_at.is_(None),
            )
            planned = select(requests.c.closed_at).select_from(
                relooks.join(
                    requests, (requests.c.tenant == relooks.c.tenant) & (requests.c.id == relooks.c.request_id)
                )
            )
            found_row = connection.execute(planned.where(*its)).first()
            if found_row is None or (found_row.closed_at and found_row.closed_at > at):
                # It was noted; or it was closed once more since, and that look is still to come.
                return False
            if open_again and not self._reopen(connection, request_id, open_again, at):
                # Somebody was quicker: it is open, and when it is closed it is looked at again.
                return False
            if not connection.execute(update(relooks).where(*its).values(looked_at=at, found=found)).rowcount:
                return False
            if key:
                back = tuple(sorted(system for system, code in open_again.items() if code is Code.RETURNED))
                residue_found(self, connection, request_id, back, key, at)
            body = {"found": found, "systems": sorted(open_again)}
            self._journal(connection, "relook", body, at, request_id=request_id)
        return True

    def reopen(self, request_id: str, systems: Mapping[str, Code], *, at: datetime) -> bool:
        """Open a closed request again, for some systems, each for a reason; False if it is open.

        Raises:
            LedgerRefusal: there is no such request, or what it knew of the person was destroyed.
        """
        with self._begin() as connection:
            # Nothing is shredded meanwhile, so what is counted as kept is kept.
            self._people.lock_holds(connection, self.tenant)
            return self._reopen(connection, request_id, systems, at)

    def reopenings(self, request_id: str) -> dict[str, Code]:
        """The systems for which a request is open again, and why."""
        query = select(reopenings.c.system, reopenings.c.code).where(
            reopenings.c.tenant == self.tenant, reopenings.c.request_id == request_id
        )
        with self._look() as connection:
            return {row.system: Code(row.code) for row in connection.execute(query.order_by(reopenings.c.system))}

    def _reopen(self, connection: Connection, request_id: str, systems: Mapping[str, Code], at: datetime) -> bool:
        where = (requests.c.tenant == self.tenant, requests.c.id == request_id)
        phase = connection.scalar(select(requests.c.phase).where(*where).with_for_update())
        if phase is None:
            raise LedgerRefusal("there is no request of this id")
        if phase != Phase.CLOSED:
            return False
        if not connection.scalar(select(whole(literal(self.tenant), literal(request_id)))):
            raise LedgerRefusal("what the request knew of the person was destroyed: it cannot be opened again")
        connection.execute(
            update(requests)
            .where(*where)
            .values(phase=Phase.VERIFYING.value, closed_at=None, conclusion=None, approved_at=None)
        )
        connection.execute(
            # What is open loses nothing; the days are set anew when it is closed.
            update(case_keys)
            .where(
                case_keys.c.tenant == self.tenant,
                case_keys.c.case_id == request_id,
                case_keys.c.purpose.in_(OF_REQUEST),
            )
            .values(keep_until=None)
        )
        rows = [
            {"tenant": self.tenant, "request_id": request_id, "system": system, "code": code.value, "opened_at": at}
            for system, code in systems.items()
        ]
        connection.execute(upsert(reopenings).on_conflict_do_nothing(), rows)
        post(connection, self.tenant, "reopen", request_id, at)
        body = {"systems": dict(sorted(systems.items()))}
        self._journal(connection, "reopened", body, at, request_id=request_id)
        return True

    def _end_reopening(self, connection: Connection, request_id: str) -> None:
        """Forget why a request was open again, in the transaction that closes it."""
        connection.execute(
            delete(reopenings).where(reopenings.c.tenant == self.tenant, reopenings.c.request_id == request_id)
        )

    def _plan_relook(self, connection: Connection, request_id: str, due: datetime) -> None:
        """Plan the look after a request, in the transaction that closes it."""
        connection.execute(_AT, {"of": self.tenant, "id": request_id, "due": due})
