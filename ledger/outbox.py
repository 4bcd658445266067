"""The outbox: what Temporal has to be told, written in the same transaction as what it tells of.

The one rule: a message is delivered at least once, and those of one request in the order they were written.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

import psycopg
from sqlalchemy import Connection, Interval, Text, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from ledger.models import outbox
from ledger.store import Store
from rights.value import Value

CHANNEL: Final = "habeas_outbox"
"""Where the database rings; the payload is the tenant."""
_LEASE: Final = timedelta(seconds=30)
"""How long a claimed message is kept from others: longer than a delivery takes, short enough for a killed worker's to
be taken up by another soon."""
_PAUSE_MAX: Final = 60.0
"""Seconds. A message that could not be delivered waits 1, 2, 4 ... 60 s."""
_AWAY: Final = 1.0
"""Seconds before a server that does not answer is asked again."""


_KEPT: Final = timedelta(days=7)
"""How long a delivered message stays, for whoever looks into a delivery; the journal has for good what it told of."""


class Message(Value):
    """One thing to tell. Ids, codes and counts only."""

    id: int
    kind: str
    """start, confirm_identity, approve, decide, rule, withdraw, wake, sweep, swept or reconcile."""
    request_id: str
    """Empty for what concerns no single request."""
    body: Mapping[str, Any]


# The notification goes out with the commit.
_POST: Final = insert(outbox).returning(func.pg_notify(CHANNEL, bindparam("whose", type_=Text)))
_earlier = outbox.alias("earlier")
_due = (
    select(outbox.c.id)
    .where(
        outbox.c.tenant == bindparam("of"),
        outbox.c.sent_at.is_(None),
        outbox.c.due_at.is_(None) | (outbox.c.due_at <= func.clock_timestamp()),
        ~select(_earlier.c.id)
        .where(
            _earlier.c.tenant == outbox.c.tenant,
            _earlier.c.request_id == outbox.c.request_id,
            _earlier.c.sent_at.is_(None),
            _earlier.c.id < outbox.c.id,
        )
        .exists(),
    )
    .order_by(outbox.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=outbox)
    .cte("due")  # read once: inside IN the planner may run it again, past its limit
)
_CLAIM: Final = (
    update(outbox)
    .where(outbox.c.tenant == bindparam("of"), outbox.c.id == _due.c.id)
    .values(
        due_at=func.clock_timestamp() + bindparam("lease", type_=Interval),
        attempts=outbox.c.attempts + 1,
    )
    .returning(outbox.c.id, outbox.c.kind, outbox.c.request_id, outbox.c.body)
)
_SENT: Final = (
    update(outbox)
    .where(outbox.c.tenant == bindparam("of"), outbox.c.id.in_(bindparam("ids", expanding=True)))
    .values(sent_at=func.clock_timestamp())
)
_PURGE: Final = delete(outbox).where(
    outbox.c.tenant == bindparam("of"),
    outbox.c.sent_at < func.clock_timestamp() - bindparam("kept", type_=Interval),
)
_pause = func.least(func.power(2, func.least(outbox.c.attempts - 1, 10)), _PAUSE_MAX)
_FAILED: Final = (
    update(outbox)
    .where(outbox.c.tenant == bindparam("of"), outbox.c.id.in_(bindparam("ids", expanding=True)))
    .values(due_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, _pause))
)


def post(
    connection: Connection,
    tenant: str,
    kind: str,
    request_id: str,
    at: datetime,
    body: Mapping[str, object] | None = None,
) -> None:
    """Write a message; it is on its way once the caller's transaction commits."""
    connection.execute(
        _POST,
        {
            "tenant": tenant,
            "kind": kind,
            "request_id": request_id,
            "body": body or {},
            "at": at,
            "whose": tenant,
        },
    )


class Outbox(Store):
    """Verbs of whoever delivers."""

    def announce(self, kind: str, *, at: datetime) -> None:
        """Write a message that concerns no single request; no effect while one of its kind still waits."""
        waiting = select(outbox.c.id).where(
            outbox.c.tenant == self.tenant, outbox.c.kind == kind, outbox.c.sent_at.is_(None)
        )
        with self._begin() as connection:
            if connection.execute(waiting.limit(1)).first() is None:
                post(connection, self.tenant, kind, "", at)

    def claim(self, most: int) -> list[Message]:
        """Take up to so many messages that are due, the oldest first; others leave them alone for half a minute."""
        with self._begin() as connection:
            rows = connection.execute(_CLAIM, {"of": self.tenant, "most": most, "lease": _LEASE}).all()
        messages = (Message.model_validate(row._mapping) for row in rows)
        return sorted(messages, key=lambda message: message.id)

    def backlog(self, request_id: str | None = None) -> int:
        """How many messages are not delivered yet; of one request, where it is named."""
        query = select(func.count()).where(outbox.c.tenant == self.tenant, outbox.c.sent_at.is_(None))
        if request_id:
            query = query.where(outbox.c.request_id == request_id)
        with self._look() as connection:
            return connection.scalar(query) or 0

    def delivered(self, sent: Iterable[int], failed: Iterable[int] = ()) -> None:
        """Mark messages as sent, and put those that could not be delivered off."""
        with self._begin() as connection:
            if ids := list(sent):
                connection.execute(_SENT, {"of": self.tenant, "ids": ids})
            if ids := list(failed):
                connection.execute(_FAILED, {"of": self.tenant, "ids": ids})

    def purge_sent(self) -> int:
        """Delete messages that were delivered a week ago; how many."""
        with self._begin() as connection:
            return connection.execute(_PURGE, {"of": self.tenant, "kept": _KEPT}).rowcount

    def wait(self, timeout: float) -> bool:
        """Block until a message was written or so many seconds are over; True if there may be something to claim.

        For one thread at a time. A lost connection is made again; what was written meanwhile is not missed, since a
        fresh one answers at once.
        """
        until = time.monotonic() + timeout
        try:
            if self._bell is None:
                self._bell = self._listen()
                return True
            for notice in self._bell.notifies(timeout=timeout):
                if notice.payload == self.tenant:
                    return True
        except (psycopg.OperationalError, DBAPIError):
            self.stop_waiting()
            time.sleep(max(0.0, min(_AWAY, until - time.monotonic())))
        return False

    def stop_waiting(self) -> None:
        """Close the connection that `wait` listens on."""
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _listen(self) -> psycopg.Connection[Any]:
        proxy = self._engine.raw_connection()
        bell = cast(psycopg.Connection[Any], proxy.driver_connection)
        # A connection of its own from now on: the pool's are for work.
        proxy.detach()
        bell.autocommit = True
        bell.execute(f"LISTEN {CHANNEL}")
        return bell
