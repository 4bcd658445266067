"""What staff were shown of people: the record of it, made before it is shown.

The one rule: an entry says what kind of thing, of which request, to whom and why; never a value. A thing that is not on
record is not shown.
"""

from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import bindparam, exists, select

from ledger.errors import LedgerRefusal
from ledger.models import entries, requests
from ledger.store import Store
from rights.reveals import Revealed, Why
from rights.value import Value

_KNOWN: Final = select(exists().where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("request_id")))
_REVEALED: Final = (
    select(entries.c.request_id, entries.c.body, entries.c.at)
    .where(entries.c.tenant == bindparam("of"), entries.c.request_id == bindparam("request_id"))
    .where(entries.c.kind == "revealed")
    .order_by(entries.c.seq)
)


class Reveal(Value):
    """One record."""

    request_id: str
    what: Revealed
    why: Why
    by: str
    at: datetime


class Reveals(Store):
    """Verbs on reveals."""

    def reveal(self, request_id: str, what: Revealed, why: Why, *, by: str, at: datetime) -> None:
        """Put on record that somebody is shown something of a request's person; call it before the thing is read.

        `by` is an opaque staff id: behind the API the caller's own, never one that was sent.

        Raises:
            LedgerRefusal: there is no request of this id.
        """
        with self._begin() as connection:
            if not connection.scalar(_KNOWN, {"of": self.tenant, "request_id": request_id}):
                raise LedgerRefusal("there is no request of this id")
            body = {"what": what, "why": why, "by": by}
            self._journal(connection, "revealed", body, at, request_id=request_id)

    def reveals(self, request_id: str) -> list[Reveal]:
        """What was revealed of a request, the oldest first."""
        with self._look() as connection:
            rows = connection.execute(_REVEALED, {"of": self.tenant, "request_id": request_id})
            return [Reveal(request_id=row.request_id, at=row.at, **orjson.loads(row.body)) for row in rows]
