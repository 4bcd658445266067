"""Dates that a request's clock comes near, or reaches: noted, and put on a person's desk.

The one rule: each is noted once, however often it is said: by a run that was tried again, that goes on in a fresh
history, or that was lost and begun anew.
"""

from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, literal_column, select

from ledger.models import entries, requests
from ledger.store import AnyRow, Store
from ledger.tasks import put_task
from rights.codes import Code
from rights.deadlines import Risk
from rights.request import Phase

_LOCK: Final = (
    select(requests.c.phase, requests.c.withdrawn_at, requests.c.legal_due)
    .where(requests.c.tenant == bindparam("tenant"), requests.c.id == bindparam("request_id"))
    .with_for_update(key_share=True)
)
_OF_REQUEST: Final = (
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
)
_INTERIM: Final = select(entries.c.seq).where(*_OF_REQUEST, entries.c.kind == literal_column("'interim'"))
_DUE: Final = (
    select(entries.c.kind, entries.c.body)
    .where(*_OF_REQUEST, entries.c.kind.in_((literal_column("'deadline'"), literal_column("'clock'"))))
    .order_by(entries.c.seq)
)


class Nearing(Store):
    """Verbs of what a clock brings near. Of a request that is closed or withdrawn nothing comes near any more."""

    def note_risk(self, request_id: str, risk: Risk, *, ask: bool = False, at: datetime) -> bool:
        """Note how near the legal due date is, or that it is past, and put that on a person's desk if so asked; False,
        and no effect, if it was noted of this due date before."""
        with self._begin() as connection:
            row = self._going_on(connection, request_id)
            if row is None or self._noted(connection, request_id, risk, row.legal_due):
                return False
            body = {"risk": risk, "legal_due": row.legal_due}
            self._journal(connection, "deadline", body, at, request_id=request_id)
            if ask:
                self._ask_about(connection, request_id, Code.DEADLINE, risk, at)
        return True

    def ask_about_clock(self, request_id: str, code: Code, about: str, *, at: datetime) -> None:
        """Put something about a request's clock on a person's desk."""
        with self._begin() as connection:
            if self._going_on(connection, request_id):
                self._ask_about(connection, request_id, code, about, at)

    def ask_for_interim(self, request_id: str, *, at: datetime) -> bool:
        """Note that the answer will not be whole in time, and put an interim one on a person's desk; False if that was
        done before."""
        with self._begin() as connection:
            its = {"tenant": self.tenant, "request_id": request_id}
            if self._going_on(connection, request_id) is None or connection.execute(_INTERIM, its).first():
                return False
            self._journal(connection, "interim", {}, at, request_id=request_id)
            put_task(self, connection, request_id, f"{request_id}/answer/interim/0", Code.INTERIM, "answer", at)
        return True

    def interim_asked(self, request_id: str) -> bool:
        """Whether an interim answer was put on a person's desk."""
        with self._look() as connection:
            return connection.execute(_INTERIM, {"tenant": self.tenant, "request_id": request_id}).first() is not None

    def _going_on(self, connection: Connection, request_id: str) -> AnyRow | None:
        """The row of a request that is owed an answer; nobody else changes it meanwhile."""
        row = connection.execute(_LOCK, {"tenant": self.tenant, "request_id": request_id}).first()
        return None if row is None or row.phase == Phase.CLOSED or row.withdrawn_at else row

    def _noted(self, connection: Connection, request_id: str, risk: Risk, due: datetime) -> bool:
        """Whether a risk was noted of a due date; of the present one, where an entry of an older version does not say
        which, and the clock was not moved since."""
        unsaid: set[str] = set()
        for entry in connection.execute(_DUE, {"tenant": self.tenant, "request_id": request_id}):
            body = orjson.loads(entry.body)
            if entry.kind == "clock":
                unsaid.clear()
            elif "legal_due" not in body:
                unsaid.add(body["risk"])
            elif body["risk"] == risk and datetime.fromisoformat(body["legal_due"]) == due:
                return True
        return risk in unsaid

    def _ask_about(self, connection: Connection, request_id: str, code: Code, about: str, at: datetime) -> None:
        put_task(self, connection, request_id, f"{request_id}/clock/{about}/0", code, about, at)
