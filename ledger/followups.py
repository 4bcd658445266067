"""Follow-ups: what is looked at again long after it was done, by a timer, also when its request is closed.

The one rule: the ledger has the day, and nothing that a look needs is destroyed before it was taken.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, select
from sqlalchemy import update as change
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models import case_keys
from ledger.models_followups import follow_ups
from ledger.outbox import post
from ledger.store import Store
from rights.value import Value

ASKED_AGAIN: Final = timedelta(hours=1)
"""How long a look may take, or be lost, before it is asked for again."""
KEPT_BEYOND: Final = timedelta(days=2)
"""How long beyond a look what it needs is kept: it may be late."""


class What(StrEnum):
    """What is looked at again."""

    RESTRICTION = "restriction"
    """Whether anything has come since that is not locked away."""
    RECTIFICATION = "rectification"
    """Whether what was corrected still says so."""


class Looked(Value):
    """What is looked at again for a request."""

    request_id: str
    what: What
    look_on: datetime
    looked_at: datetime | None = None


_columns = tuple(follow_ups.c[name] for name in Looked.model_fields)
_its = and_(
    follow_ups.c.tenant == bindparam("of"),
    follow_ups.c.request_id == bindparam("id"),
    follow_ups.c.what == bindparam("kind"),
)
_OPEN: Final = select(*_columns).where(
    follow_ups.c.tenant == bindparam("of"), follow_ups.c.request_id == bindparam("id"), follow_ups.c.over_at.is_(None)
)
_DUE: Final = (
    select(follow_ups.c.request_id, follow_ups.c.what)
    .where(
        follow_ups.c.tenant == bindparam("of"), follow_ups.c.over_at.is_(None), follow_ups.c.look_on <= bindparam("at")
    )
    .order_by(follow_ups.c.look_on)
    .with_for_update(skip_locked=True)
)
_CHANGE: Final = change(follow_ups).where(_its, follow_ups.c.over_at.is_(None))
_KEEP: Final = (
    change(case_keys)
    .where(
        case_keys.c.tenant == bindparam("of"),
        case_keys.c.case_id == bindparam("id"),
        case_keys.c.purpose.in_(["working", "history", "disputed"]),
        case_keys.c.keep_until < bindparam("until", type_=case_keys.c.keep_until.type),
    )
    .values(keep_until=bindparam("until", type_=case_keys.c.keep_until.type))
)


def look_again(connection: Connection, tenant: str, request_id: str, what: What, look_on: datetime) -> None:
    """Have something looked at on a day, in a transaction of the caller's; what is looked at already stays so."""
    connection.execute(
        upsert(follow_ups)
        .values(tenant=tenant, request_id=request_id, what=what.value, look_on=look_on)
        .on_conflict_do_nothing()
    )
    keep_for_look(connection, tenant, request_id, look_on)


def keep_for_look(connection: Connection, tenant: str, request_id: str, look_on: datetime) -> None:
    """See that nothing that a look needs is destroyed before it was taken. Keys that have no day yet are kept."""
    connection.execute(_KEEP, {"of": tenant, "id": request_id, "until": look_on + KEPT_BEYOND})


def end_looks(connection: Connection, tenant: str, request_id: str, what: What, at: datetime) -> None:
    """Look at something no more, in a transaction of the caller's."""
    connection.execute(_CHANGE.values(over_at=at), {"of": tenant, "id": request_id, "kind": what.value})


class FollowUps(Store):
    """Verbs on what is looked at again."""

    def ask_for_looks(self, *, at: datetime) -> int:
        """Have everything looked at whose day has come; how many requests. What is lost is asked for again."""
        with self._begin() as connection:
            due = connection.execute(_DUE, {"of": self.tenant, "at": at}).all()
            for row in due:
                its = {"of": self.tenant, "id": row.request_id, "kind": row.what}
                connection.execute(_CHANGE.values(look_on=at + ASKED_AGAIN), its)
            asked = {row.request_id for row in due}
            for request_id in sorted(asked):
                post(connection, self.tenant, "look", request_id, at)
        return len(asked)

    def follow_ups(self, request_id: str) -> list[Looked]:
        """What is looked at again for a request."""
        with self._look() as connection:
            rows = connection.execute(_OPEN.order_by(follow_ups.c.what), {"of": self.tenant, "id": request_id})
            return [Looked.model_validate(row._mapping) for row in rows]

    def looked(self, request_id: str, what: What, *, at: datetime, next_on: datetime | None) -> None:
        """Note that something was looked at, and when it is next; None: no more."""
        its: dict[str, Any] = {"of": self.tenant, "id": request_id, "kind": what.value}
        with self._begin() as connection:
            if next_on is None:
                connection.execute(_CHANGE.values(looked_at=at, over_at=at), its)
                return
            if connection.execute(_CHANGE.values(looked_at=at, look_on=next_on), its).rowcount:
                keep_for_look(connection, self.tenant, request_id, next_on)
