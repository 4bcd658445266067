"""Reading: how requests stand, without opening the vault.

The one rule: what is shown here is impersonal, and may go to a screen, a log or Temporal.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Integer, Select, Text, bindparam, cast, func, select

from ledger.errors import LedgerRefusal
from ledger.models import (
    case_keys,
    entries,
    intents,
    requests,
    retired_keks,
    tasks,
)
from ledger.plans import newest_plan
from ledger.requestrow import IS_OPEN, ROW, ROWS, RequestRow, request_row
from ledger.spared import told_of
from ledger.store import AnyRow, Store
from rights.codes import Code
from rights.holds import Reason
from rights.journal import RECEIPTS, JournalEntry
from rights.plan import Plan
from rights.receipt import Books, Receipt
from rights.request import Phase, Right
from rights.value import Value


class Task(Value):
    """What a person has to do. Open until the ruling on it is carried out, or it has become needless."""

    id: str
    request_id: str
    step_key: str
    code: Code
    about: str
    opened_at: datetime
    ruling: str | None
    settled_at: datetime | None
    due_on: date | None = None
    """By when; None where only the request's own dates press."""


class KeyState(Value):
    """The life of one data key, and so of all that it seals."""

    purpose: str
    keep_until: datetime | None
    """None: as long as the request is open."""
    shredded_at: datetime | None
    out_of_backups_at: datetime | None
    """From when no backup of the ledger can open what it sealed; None while it lives."""


class ToldHold(Value):
    """What may be told of a hold: why it is, and nothing of whose word or matter."""

    reason: Reason
    systems: tuple[str, ...] = ()
    """Those that it can touch; none: any."""


class Standing(Value):
    """All there is to tell of a request."""

    request: RequestRow
    events: tuple[JournalEntry, ...]
    """All that the journal says but its receipts."""
    receipts: tuple[Receipt, ...]
    tasks: tuple[Task, ...]
    plan: Plan | None
    books: Mapping[str, tuple[Books, ...]]
    """Per system, as they were closed; empty before."""
    keys: tuple[KeyState, ...]
    held: tuple[ToldHold, ...]
    """The holds on the person that are in force and may be told of."""
    in_flight: int
    """Destructive calls that may still be running."""

    @property
    def proven(self) -> bool:
        """Whether it is known who asks. What needs no proof goes on without, as if it were."""
        free = any(event.kind == "opened" and event.body.get("assurance") == "none_needed" for event in self.events)
        return self.request.confirmed and not free


_OPEN: Final = ROWS.where(IS_OPEN).order_by(requests.c.id)
_ENTRIES: Final = (
    select(entries.c.seq, entries.c.kind, entries.c.key, entries.c.at, entries.c.body)
    .where(entries.c.tenant == bindparam("tenant"), entries.c.request_id == bindparam("request_id"))
    .order_by(entries.c.seq)
)
_RECEIPT_BODIES: Final = (
    select(entries.c.body)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.request_id == bindparam("request_id"),
        entries.c.kind.in_(RECEIPTS),
    )
    .order_by(entries.c.seq)
)
_NEWEST_ROUND: Final = select(func.max(cast(func.split_part(entries.c.key, "/", 4), Integer))).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind.in_((*RECEIPTS, "intent", "task")),
)
_TASKS: Final = select(tasks).where(tasks.c.tenant == bindparam("tenant")).order_by(tasks.c.id)
_TASKS_OF: Final = _TASKS.where(tasks.c.request_id == bindparam("request_id"))
_RULED: Final = _TASKS_OF.where(tasks.c.settled_at.is_(None), tasks.c.ruling.is_not(None))
_KEYS: Final = (
    select(case_keys.c.purpose, case_keys.c.keep_until, case_keys.c.shredded_at, retired_keks.c.final_at)
    .outerjoin(
        retired_keks,
        (retired_keks.c.tenant == case_keys.c.tenant) & (retired_keks.c.id == case_keys.c.shredded_kek),
    )
    .where(case_keys.c.tenant == bindparam("tenant"), case_keys.c.case_id == bindparam("request_id"))
    .order_by(case_keys.c.purpose)
)
_HELD: Final = select(told_of(bindparam("tenant", type_=Text), bindparam("request_id", type_=Text)))
_IN_FLIGHT: Final = select(func.count()).where(
    intents.c.tenant == bindparam("tenant"),
    intents.c.request_id == bindparam("request_id"),
    intents.c.settled_at.is_(None),
    intents.c.expires_at > func.clock_timestamp(),
)


class Standings(Store):
    """The reading verbs."""

    def request(self, request_id: str) -> RequestRow:
        """A request's present state.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            return self._row(connection.execute(ROW, self._its(request_id)).first())

    def requests(
        self,
        *,
        open_only: bool = False,
        right: Right | None = None,
        phase: Phase | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[RequestRow]:
        """The newest requests first; `before` is the id that the page before ended with."""
        wanted: Select[Any] = ROWS.order_by(requests.c.id.desc()).limit(limit)
        if open_only:
            wanted = wanted.where(IS_OPEN)
        if right:
            wanted = wanted.where(requests.c.right == right.value)
        if phase:
            wanted = wanted.where(requests.c.phase == phase.value)
        if before:
            wanted = wanted.where(requests.c.id < before)
        with self._look() as connection:
            return [request_row(row) for row in connection.execute(wanted, {"tenant": self.tenant})]

    def open_requests(self) -> list[RequestRow]:
        """All requests that are not closed, the oldest first: what reconciliation compares with the living runs."""
        with self._look() as connection:
            return [request_row(row) for row in connection.execute(_OPEN, {"tenant": self.tenant})]

    def standing(self, request_id: str) -> Standing:
        """All there is to tell of a request, as of one moment.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        its = self._its(request_id)
        with self._frozen.begin() as connection:
            request = self._row(connection.execute(ROW, its).first())
            written = connection.execute(_ENTRIES, its).all()
            return Standing(
                request=request,
                events=tuple(entry_of(row) for row in written if row.kind not in RECEIPTS),
                receipts=tuple(Receipt.model_validate_json(row.body) for row in written if row.kind in RECEIPTS),
                tasks=tuple(_task(row) for row in connection.execute(_TASKS_OF, its)),
                plan=newest_plan(connection, self.tenant, request_id),
                books=_books(written),
                keys=tuple(self._key_state(row) for row in connection.execute(_KEYS, its)),
                held=tuple(ToldHold.model_validate(one) for one in connection.scalar(_HELD, its) or ()),
                in_flight=connection.scalar(_IN_FLIGHT, its) or 0,
            )

    def receipts(self, request_id: str) -> list[Receipt]:
        """All receipts of a request, in the order they were kept."""
        with self._look() as connection:
            bodies = connection.scalars(_RECEIPT_BODIES, self._its(request_id))
            return [Receipt.model_validate_json(body) for body in bodies]

    def newest_round(self, request_id: str) -> int:
        """The newest round that anything was done in; 0 if nothing was."""
        with self._look() as connection:
            return connection.scalar(_NEWEST_ROUND, self._its(request_id)) or 0

    def tasks(self, *, open_only: bool = True, request_id: str | None = None) -> list[Task]:
        """What lies on people's desks, the oldest first; of one request or of all."""
        wanted: Select[Any] = _TASKS_OF if request_id else _TASKS
        if open_only:
            wanted = wanted.where(tasks.c.settled_at.is_(None))
        with self._look() as connection:
            return [_task(row) for row in connection.execute(wanted, self._its(request_id or ""))]

    def rulings(self, request_id: str) -> dict[str, str]:
        """The rulings that are not carried out yet, by step key."""
        with self._look() as connection:
            found = connection.execute(_RULED, self._its(request_id))
            return {row.step_key: row.ruling for row in found}

    def _its(self, request_id: str) -> dict[str, str]:
        return {"tenant": self.tenant, "request_id": request_id, "id": request_id}

    def _row(self, row: AnyRow | None) -> RequestRow:
        if row is None:
            # The id is not quoted: somebody may have typed something else in its place.
            raise LedgerRefusal("there is no request of this id")
        return request_row(row)

    def _key_state(self, row: AnyRow) -> KeyState:
        gone = row.shredded_at and row.shredded_at + self._backup_max_age
        if gone and row.final_at:
            gone = min(gone, row.final_at)
        return KeyState(
            purpose=row.purpose,
            keep_until=row.keep_until,
            shredded_at=row.shredded_at,
            out_of_backups_at=gone,
        )


def _task(row: AnyRow) -> Task:
    return Task.model_validate(row._mapping)


def entry_of(row: AnyRow) -> JournalEntry:
    """An entry of the journal, of its row."""
    return JournalEntry(seq=row.seq, kind=row.kind, key=row.key, at=row.at, body=orjson.loads(row.body))


def _books(written: Any) -> dict[str, tuple[Books, ...]]:
    closed = [orjson.loads(row.body) for row in written if row.kind == "closed"]
    if not closed:
        return {}
    return {
        system: tuple(Books.model_validate(book) for book in books) for system, books in closed[-1]["books"].items()
    }
