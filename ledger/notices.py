"""Notices: which recipients were told of what was done, and what they have answered (GDPR Art. 19).

The one rule: a recipient is told once of one thing; whether it has answered is asked about until a person knows.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.letters import Channel, queue_letter
from ledger.models import entries, requests, tasks
from ledger.models_notices import notices
from ledger.notes import keep_word
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from ledger.vault import Sealed
from rights.codes import Code
from rights.letterkinds import LetterKind
from rights.recipients import Recipient
from rights.reckoning import local_day
from rights.value import Value

How = Literal["system", "email", "post", "blocked"]
"""How it was told; blocked: there is no basis for sending it anything, so a person has to see to it."""


class Answer(StrEnum):
    """What a recipient has answered, or a person knows of it."""

    CONFIRMED = "confirmed"
    CONFIRMED_ALONE = "confirmed_alone"
    """For itself; what its own processors did, or the proof that it owes, is still awaited."""
    REFUSED = "refused"
    IMPOSSIBLE = "impossible"
    """To tell it has proved impossible, or would take disproportionate effort; why is sealed."""
    NO_ANSWER = "no_answer"


class Notice(Value):
    """Something a recipient was told."""

    request_id: str
    recipient: str
    operation: str
    how: How
    told_at: datetime
    due_on: date
    answer: Answer | None = None
    answered_on: date | None = None


class Draft(NamedTuple):
    """Something a recipient is to be told. Not to be shown: it has its address and what the letter says."""

    recipient: str
    operation: str
    how: How
    due_on: date
    answer: Answer | None = None
    """Where it is known at once: its own system has done it."""
    channel: Channel | None = None
    said: bytes = b""
    kind: LetterKind = LetterKind.RECIPIENT_NOTICE
    owes: tuple[str, ...] = ()
    """What beside its own word its confirmation has to bring: `processors`, certificate, report."""

    def __repr__(self) -> str:
        return f"<a notice to {self.recipient}>"


def reached_by(recipient: Recipient) -> Channel:
    """Where a letter to a recipient goes: one whose `told_by` is no system."""
    by = recipient.told_by
    kind: Literal["email", "post"] = "email" if by.email else "post"
    return Channel(kind, by.email or "\n".join(by.post), recipient.name)


_AWAITED: Final = {None, Answer.CONFIRMED_ALONE.value}
"""Where something is still to come."""
_OWES: Final = select(entries.c.body).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind == literal_column("'recipient_told'"),
)
_TELL: Final = upsert(notices).on_conflict_do_nothing().returning(notices.c.recipient)


class Notices(Store):
    """Verbs on notices."""

    def tell(self, request_id: str, drafts: list[Draft], *, at: datetime) -> int:
        """Tell recipients, in one commit with the letters that do so; how many were not told before."""
        told = 0
        for draft in drafts:
            with self._begin() as connection:
                told += self._tell(connection, request_id, draft, at)
        return told

    def _tell(self, connection: Connection, request_id: str, draft: Draft, at: datetime) -> int:
        number = connection.scalar(select(func.count()).where(*self._told_in(request_id))) or 0
        row = {
            "tenant": self.tenant,
            "request_id": request_id,
            "recipient": draft.recipient,
            "operation": draft.operation,
            "how": draft.how,
            "told_at": at,
            "due_on": draft.due_on,
            "answer": draft.answer,
            "answered_on": local_day(at, self._zone(connection, request_id)) if draft.answer else None,
        }
        if connection.scalar(_TELL, row) is None:
            return 0
        if draft.how in {"email", "post"}:
            self._notify(connection, request_id, draft, number, at)
        if draft.answer in _AWAITED:
            key = _step_key(request_id, draft.recipient)
            code = Code.EGRESS if draft.how == "blocked" else Code.RECIPIENT
            put_task(self, connection, request_id, key, code, draft.recipient, at, due_on=draft.due_on)
        body = {"recipient": draft.recipient, "operation": draft.operation, "how": draft.how, "due_on": draft.due_on}
        body |= {"owes": list(draft.owes)} if draft.owes else {}
        body |= {"answer": draft.answer} if draft.how == "system" else {}
        self._journal(connection, "recipient_told", body, at, request_id=request_id)
        return 1

    def _notify(self, connection: Connection, request_id: str, draft: Draft, number: int, at: datetime) -> None:
        name = f"recipient/{draft.recipient}"
        if draft.channel is not None and draft.how == "email":
            key = self._vault.key(connection, request_id, "working")
            self._vault.put(connection, request_id, key, Sealed("working", name, draft.channel.sealed()), at)
        queue_letter(
            self,
            connection,
            request_id,
            draft.kind,
            at,
            number=number,
            said=draft.said,
            channel=name,
        )

    def answered(
        self,
        request_id: str,
        recipient: str,
        answer: Answer,
        *,
        on: date,
        at: datetime,
        note: str | None,
        by: str,
        of_processors: bool = False,
    ) -> int:
        """Note what a recipient has answered to all it was told in a request; how many notices that is of.

        `of_processors`: it confirms for its own processors, too. Where it owes that, or a proof (the note), `confirmed`
        without it is refused; `confirmed_alone` is what it is until then, and is waited on.

        Raises:
            LedgerRefusal: it was told nothing in this request, or the reason, or what it owes, is missing.
        """
        if answer is Answer.IMPOSSIBLE and not (note and note.strip()):
            raise LedgerRefusal("that it is impossible, or too much, is said with its reason: add a note")
        with self._begin() as connection:
            told = connection.execute(
                select(notices).where(*self._told_in(request_id, recipient)).with_for_update()
            ).all()
            if not told:
                raise LedgerRefusal("this recipient was told nothing in this request")
            if answer is Answer.CONFIRMED:
                _refuse_lacking(self._owed(connection, request_id, recipient), of_processors=of_processors, note=note)
            # What was answered before stays, where something is open still: of the restriction, once it is lifted.
            open_ = [row for row in told if row.answer in _AWAITED]
            told = open_ or told
            zone = self._zone(connection, request_id)
            if any(on < local_day(row.told_at, zone) for row in told):
                raise LedgerRefusal("it cannot have answered before it was told")
            connection.execute(
                update(notices)
                .where(*self._told_in(request_id, recipient), notices.c.operation.in_([row.operation for row in told]))
                .values(answer=answer.value, answered_on=on)
            )
            if answer is not Answer.CONFIRMED_ALONE:
                settle_tasks(self, connection, at, tasks.c.step_key == _step_key(request_id, recipient))
            kept = keep_word(self, connection, request_id, note, at)
            body = {"recipient": recipient, "answer": answer, "on": on, "by": by, **kept}
            body |= {"of_processors": True} if of_processors else {}
            self._journal(connection, "recipient_answered", body, at, request_id=request_id)
        return len(told)

    def notices(self, request_id: str) -> list[Notice]:
        """All that recipients were told in a request."""
        query = select(notices).where(*self._told_in(request_id)).order_by(notices.c.told_at, notices.c.recipient)
        with self._look() as connection:
            return [_read(row) for row in connection.execute(query)]

    def _owed(self, connection: Connection, request_id: str, recipient: str) -> set[str]:
        """What its confirmation has to bring, by what it was told."""
        its = {"tenant": self.tenant, "request_id": request_id}
        told = map(orjson.loads, connection.scalars(_OWES, its))
        return {owed for one in told if one["recipient"] == recipient for owed in one.get("owes", ())}

    def _zone(self, connection: Connection, request_id: str) -> str:
        """The zone that the days of a request are days of."""
        query = select(requests.c.zone).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
        return str(connection.scalar(query))

    def _told_in(self, request_id: str, recipient: str | None = None) -> tuple[ColumnElement[bool], ...]:
        mine = (notices.c.tenant == self.tenant, notices.c.request_id == request_id)
        return mine if recipient is None else (*mine, notices.c.recipient == recipient)


def _refuse_lacking(owes: set[str], *, of_processors: bool, note: str | None) -> None:
    if "processors" in owes and not of_processors:
        raise LedgerRefusal(
            "it has processors of its own: say that it confirms for them too (--with-processors), or confirmed_alone"
        )
    if owes - {"processors"} and not (note and note.strip()):
        raise LedgerRefusal("it owes a proof: say in a note which it gave and where that lies, or confirmed_alone")


def _step_key(request_id: str, recipient: str) -> str:
    return f"{request_id}/recipient/{recipient}/0"


def _read(row: AnyRow) -> Notice:
    return Notice.model_validate({name: row._mapping[name] for name in Notice.model_fields})
