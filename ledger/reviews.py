"""Reviews: somebody goes through what is about other people before a copy is delivered.

The one rule: a copy is released for the very exports that were gone through, and what was taken out of it is sealed
with the request's file: places, never a text.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, literal_column, select, update

from ledger.decisions import Decisions
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models import entries, tasks
from ledger.notes import by_whom
from ledger.store import AnyRow
from ledger.vault import Sealed
from rights.codes import Code
from rights.plan import Operation
from rights.redaction import Mark
from rights.value import Value

_PREFIX: Final = "redaction/"
_RELEASED: Final = (
    select(entries.c.body)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.request_id == bindparam("request_id"),
        entries.c.kind == literal_column("'review_released'"),
    )
    .order_by(entries.c.seq.desc())
    .limit(1)
)
_OPEN: Final = select(tasks).where(
    tasks.c.tenant == bindparam("tenant"),
    tasks.c.request_id == bindparam("request_id"),
    tasks.c.code == literal_column(f"'{Code.REVIEW}'"),
    tasks.c.settled_at.is_(None),
    tasks.c.ruling.is_(None),
)


class Redaction(Value):
    """What was taken out at once. Without marks: it was put back."""

    id: str
    at: datetime
    by: str = ""
    marks: tuple[Mark, ...]


class Reviews(Decisions):
    """Verbs of the review before a copy is delivered."""

    def redact(self, request_id: str, marks: Sequence[Mark], *, at: datetime, by: str = "") -> str:
        """Keep marks, sealed; the id under which they can be put back.

        Raises:
            LedgerRefusal: no copy of this request waits for a review.
        """
        made = new_id(at)
        with self._begin() as connection:
            self._under_review(connection, request_id)
            self._put(connection, request_id, Redaction(id=made, at=at, by=by, marks=tuple(marks)), at)
            self._journal(connection, "redacted", {"redaction": made, "places": len(marks)}, at, request_id=request_id)
        return made

    def restore(self, request_id: str, redaction: str, *, at: datetime, by: str | None = None) -> None:
        """Put back what was taken out by mistake.

        Raises:
            LedgerRefusal: there is no such redaction, or no copy of this request waits for a review.
        """
        with self._begin() as connection:
            self._under_review(connection, request_id)
            held = {one.id: one for one in self._held(connection, request_id)}
            if redaction not in held:
                raise LedgerRefusal("the request has no redaction of this id: habeas review list names them")
            self._put(connection, request_id, held[redaction].model_copy(update={"marks": ()}), at)
            body = {"redaction": redaction, **by_whom(by)}
            self._journal(connection, "restored", body, at, request_id=request_id)

    def redactions(self, request_id: str) -> list[Redaction]:
        """All that was taken out, in order; empty once the request's file is destroyed."""
        with self._look() as connection:
            return self._held(connection, request_id)

    def release(self, request_id: str, exports: Mapping[str, str], *, at: datetime, note: str | None = None) -> None:
        """Let a copy be delivered, as of these exports (by system, their digests).

        Raises:
            LedgerRefusal: no copy of this request waits for a review.
        """
        with self._begin() as connection:
            row, task = self._under_review(connection, request_id)
            connection.execute(
                update(tasks).where(tasks.c.tenant == self.tenant, tasks.c.id == task.id).values(ruling="retry")
            )
            body = {"exports": dict(exports)}
            self._journal(connection, "review_released", body, at, request_id=request_id, key=task.step_key)
            _, system, operation, round_ = task.step_key.split("/")
            told = {"system": system, "operation": Operation(operation), "round": int(round_), "word": "retry"}
            self._decide(connection, row, "rule", {}, at, note, told=told, key=task.step_key)

    def reviewed(self, request_id: str) -> dict[str, str]:
        """The exports that were released last, by system their digests; empty if none were."""
        with self._look() as connection:
            body = connection.scalar(_RELEASED, {"tenant": self.tenant, "request_id": request_id})
        return dict(orjson.loads(body)["exports"]) if body else {}

    def _under_review(self, connection: Connection, request_id: str) -> tuple[AnyRow, AnyRow]:
        row = self._undecided(connection, request_id)
        task = connection.execute(_OPEN, {"tenant": self.tenant, "request_id": request_id}).first()
        if task is None:
            raise LedgerRefusal("no copy of this request waits for a review: habeas review list names those that do")
        return row, task

    def _held(self, connection: Connection, request_id: str) -> list[Redaction]:
        found = self._vault.get_under(connection, request_id, "file", _PREFIX)
        return [Redaction.model_validate_json(data) for data in found.values()]

    def _put(self, connection: Connection, request_id: str, redaction: Redaction, at: datetime) -> None:
        key = self._vault.key(connection, request_id, "file")
        sealed = Sealed("file", f"{_PREFIX}{redaction.id}", redaction.model_dump_json().encode())
        self._vault.put(connection, request_id, key, sealed, at)
