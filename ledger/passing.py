"""Passing a request on to the controller that it belongs to (GDPR Art. 28(3)(e), 26).

The one rule: what is passed on stops here in the same commit, so that nothing is destroyed, changed or handed out for
it any more; what has begun to be carried out is not passed on.
"""

from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import bindparam, literal_column, select, update

from ledger.decisions import Decisions, frozen
from ledger.errors import LedgerRefusal
from ledger.fence import calls_of_request
from ledger.letters import queue_letter
from ledger.models import entries, requests
from ledger.notes import keep_word
from ledger.notices import Draft, Notices
from ledger.outbox import post
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.request import Phase, may_say

_TO: Final = select(entries.c.body).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind == literal_column("'passed_on'"),
)
_GIVEN_OUT: Final = select(entries.c.seq).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    (entries.c.kind == literal_column("'parcel'"))
    | ((entries.c.kind == literal_column("'intent'")) & entries.c.key.not_like("%/restrict/%")),
)
"""What is restricted while it is weighed is given free again at the end, as of what was taken back."""


class Passing(Notices, Decisions):
    """Verbs of requests that belong to another controller."""

    def pass_on(self, request_id: str, draft: Draft, name: str, *, at: datetime, note: str | None, by: str) -> None:
        """Pass a request on: the letter to the controller, the word to the person, the end of it here, in one commit.

        `draft` is what the controller is told, and `name` what the person is told of who that is; `by` a role. Its
        answer is waited for as that of every recipient (`answered`).

        Raises:
            LedgerRefusal: the request is closed, withdrawn or unknown, or has begun to be carried out.
        """
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = self._undecided(connection, request_id)
            its = {"tenant": self.tenant, "request_id": request_id}
            if frozen(connection, self.tenant, request_id):
                raise LedgerRefusal("the erasure was stopped and is frozen: two agents say first what becomes of it")
            # Whose it is can be said while it can be decided on.
            begun = not may_say("decide", Phase(row.phase)) or connection.execute(_GIVEN_OUT, its).first()
            if begun or calls_of_request(connection, self.tenant, request_id):
                raise LedgerRefusal(
                    "the request has begun to be carried out here: let it end, and tell the other controller yourself"
                )
            connection.execute(
                update(requests)
                .where(requests.c.tenant == self.tenant, requests.c.id == request_id)
                .values(withdrawn_at=at)
            )
            kept = keep_word(self, connection, request_id, note, at)
            said = Particulars(controller=name).model_dump_json(exclude_none=True).encode()
            queue_letter(self, connection, request_id, LetterKind.PASSED_ON, at, said=said)
            self._tell(connection, request_id, draft, at)
            post(connection, self.tenant, "withdraw", request_id, at)
            body = {"to": draft.recipient, "by": by, **kept}
            self._journal(connection, "passed_on", body, at, request_id=request_id)

    def passed_on_to(self, request_id: str) -> str | None:
        """The controller, by its name in the register, that a request was passed on to; None: to nobody."""
        with self._look() as connection:
            body = connection.scalar(_TO, {"tenant": self.tenant, "request_id": request_id})
        return str(orjson.loads(body)["to"]) if body else None
