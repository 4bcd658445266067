"""Following requests: at which version one is, which are due, and which a person may follow.

The one rule: pages go by what never changes of a row, or only by its own doing, so that what comes in meanwhile moves
nothing from one page to the next.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Select, bindparam, select, tuple_

from ledger.errors import LedgerRefusal
from ledger.models import entries, request_subjects, requests
from ledger.requestrow import IS_OPEN, ROWS, RequestRow, request_row
from ledger.standing import entry_of
from ledger.store import Store
from ledger.versions import VERSION
from rights.journal import JournalEntry
from rights.subject import Identity

_DUE: Final = (
    ROWS.where(IS_OPEN, requests.c.legal_due <= bindparam("until"))
    .order_by(requests.c.legal_due, requests.c.id)
    .limit(bindparam("most"))
)
_AFTER: Final = tuple_(requests.c.legal_due, requests.c.id) > tuple_(bindparam("due"), bindparam("after"))
_given = (
    select(request_subjects.c.digest)
    .where(
        request_subjects.c.tenant == requests.c.tenant,
        request_subjects.c.request_id == requests.c.id,
        request_subjects.c.given,
    )
    .correlate(requests)
)


_HAPPENED: Final = (
    select(entries.c.seq, entries.c.kind, entries.c.key, entries.c.at, entries.c.body)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.request_id == bindparam("request_id"),
        entries.c.seq > bindparam("after"),
    )
    .order_by(entries.c.seq)
    .limit(bindparam("most"))
)


class Following(Store):
    """Verbs of whoever follows requests."""

    def version(self, request_id: str) -> int:
        """The version that a request is at; it rises with whatever happens to it (`ledger.versions.only_if`).

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            found = connection.scalar(VERSION, {"tenant": self.tenant, "request_id": request_id})
        if found is None:
            raise LedgerRefusal("there is no request of this id")
        return int(found)

    def happened(self, request_id: str, *, after: int = 0, limit: int) -> list[JournalEntry]:
        """What the journal says of a request, in its order, behind an entry's number."""
        its = {"tenant": self.tenant, "request_id": request_id, "after": after, "most": limit}
        with self._look() as connection:
            found = connection.execute(_HAPPENED, its)
            return [entry_of(row) for row in found]

    def due(self, until: datetime, *, after: tuple[datetime, str] | None = None, limit: int) -> list[RequestRow]:
        """Open requests that are due by law until a moment, the most pressing first; what is overdue among them.

        `after` is the legal due date and the id that the page before ended with.
        """
        wanted: Select[tuple[object, ...]] = _DUE
        said: dict[str, object] = {"tenant": self.tenant, "until": until, "most": limit}
        if after is not None:
            wanted, said = wanted.where(_AFTER), {**said, "due": after[0], "after": after[1]}
        with self._look() as connection:
            return [request_row(row) for row in connection.execute(wanted, said)]

    def requests_of(
        self,
        people: Sequence[Identity],
        *,
        limit: int = 1,
        request_id: str | None = None,
        shared: Collection[str] = (),
    ) -> list[RequestRow]:
        """The newest requests whose asker has given some of these identities, and nothing else; or one, if it is such.

        What was asked about others as well is not among them: who is signed in as one person follows nothing that is
        about another. Nor is what was asked by nothing but kinds of identity that several people may have (`shared`):
        it may be another's of the same household.
        """
        digests = self._people.digests(people)
        own = self._people.digests(one for one in people if one.kind not in shared)
        about = _given.where(request_subjects.c.digest.in_(own))
        others = _given.where(request_subjects.c.digest.not_in(digests))
        wanted = ROWS.where(about.exists(), ~others.exists()).order_by(requests.c.id.desc()).limit(limit)
        if request_id is not None:
            wanted = wanted.where(requests.c.id == request_id)
        with self._look() as connection:
            return [request_row(row) for row in connection.execute(wanted, {"tenant": self.tenant})]
