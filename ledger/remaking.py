"""What is worked out from corrected data: noted, and what became of it (GDPR Art. 5(1)(d), 16).

The one rule: it stays on a person's desk until somebody says that it was made anew, or does not rest on what was wrong.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import bindparam, literal_column, select

from ledger.errors import LedgerRefusal
from ledger.models import entries, tasks
from ledger.notes import keep_word
from ledger.store import Store
from ledger.tasks import put_task, settle_tasks
from rights.codes import Code

_NOTED: Final = select(entries.c.seq).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind == literal_column("'worked_out'"),
)


class Remaking(Store):
    """Verbs on what is worked out from corrected data."""

    def note_worked_out(self, request_id: str, places: Sequence[str], *, due_on: date, at: datetime) -> None:
        """Note what is worked out from what a request has corrected, and ask a person to have it made anew; no effect
        if that was done. `places` are SYSTEM.COLLECTION."""
        with self._begin() as connection:
            if connection.execute(_NOTED, {"tenant": self.tenant, "request_id": request_id}).first():
                return
            about = ", ".join(places)
            put_task(self, connection, request_id, _key(request_id), Code.WORKED_OUT, about, at, due_on=due_on)
            self._journal(connection, "worked_out", {"places": list(places)}, at, request_id=request_id)

    def remade(self, request_id: str, *, by: str, at: datetime, note: str | None = None) -> None:
        """Enter that what was worked out was made anew, or does not rest on what was wrong; the note is sealed.

        Raises:
            LedgerRefusal: nothing is worked out from what this request has corrected.
        """
        with self._begin() as connection:
            if connection.execute(_NOTED, {"tenant": self.tenant, "request_id": request_id}).first() is None:
                raise LedgerRefusal("nothing of the data map is worked out from what this request has corrected")
            settle_tasks(self, connection, at, tasks.c.step_key == _key(request_id))
            kept = keep_word(self, connection, request_id, note, at)
            self._journal(connection, "remade", {"by": by, **kept}, at, request_id=request_id)


def _key(request_id: str) -> str:
    # Among what recipients are told: it goes on beyond the end of the request.
    return f"{request_id}/recipient/worked_out/1"
