"""What had been made public and is erased: noted, and what was done so that others erase it, too (GDPR Art. 17(2)).

The one rule: it stays on a person's desk until the steps taken are on record.
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
    entries.c.kind == literal_column("'published'"),
)


class Publishing(Store):
    """Verbs on what had been made public."""

    def note_published(
        self, request_id: str, places: Sequence[str], categories: Sequence[str], *, due_on: date, at: datetime
    ) -> None:
        """Note that an erasure has erased what had been made public, and ask a person for steps about links and
        copies; no effect if that was done. `places` are SYSTEM.COLLECTION, `categories` what the person is told."""
        with self._begin() as connection:
            its = {"tenant": self.tenant, "request_id": request_id}
            if connection.execute(_NOTED, its).first():
                return
            put_task(self, connection, request_id, _key(request_id), Code.PUBLISHED, "links", at, due_on=due_on)
            body = {"places": list(places), "categories": list(categories)}
            self._journal(connection, "published", body, at, request_id=request_id)

    def steps_taken(self, request_id: str, *, note: str, by: str, at: datetime) -> None:
        """Enter what was done so that links and copies elsewhere are erased: sealed, with its digest in the journal.
        May be entered again, when more was done.

        Raises:
            LedgerRefusal: nothing that had been made public was erased in this request, or the note is empty.
        """
        if not note.strip():
            raise LedgerRefusal(
                "which steps were taken, or why none is reasonable, is said in words: the note is empty"
            )
        with self._begin() as connection:
            if connection.execute(_NOTED, {"tenant": self.tenant, "request_id": request_id}).first() is None:
                raise LedgerRefusal("nothing that had been made public was erased in this request")
            settle_tasks(self, connection, at, tasks.c.step_key == _key(request_id))
            kept = keep_word(self, connection, request_id, note, at)
            self._journal(connection, "published_steps", {"by": by, **kept}, at, request_id=request_id)


def _key(request_id: str) -> str:
    return f"{request_id}/recipient/links/1"
