"""How a request came in, and who asks for whom: its channel, who took it, a corrected day of receipt, mandates.

The one rule: what was entered stays beside what it is corrected to, and whoever corrects is not whoever approves.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models_identity import receipt_changes
from ledger.notes import make_note
from ledger.proofcodes import ProofCodes
from ledger.vault import Sealed
from rights.mandates import Mandate, MandateRefusal, needs_guardian
from rights.request import Right
from rights.value import Value

MANDATE: Final = "mandate"
MANDATE_PAPER: Final = "mandate/paper"
"""Names in the request's file: what a mandate says, and the paper itself. They stay with the request."""

_OPEN: Final = select(receipt_changes).where(
    receipt_changes.c.tenant == bindparam("tenant"),
    receipt_changes.c.request_id == bindparam("request_id"),
    receipt_changes.c.approved_at.is_(None),
)


class ReceiptChange(Value):
    """A correction of when a request came in."""

    id: str
    old_at: datetime
    new_at: datetime
    approved_at: datetime | None = None


class Arrivals(ProofCodes):
    """Verbs on how a request came in and for whom."""

    def arrived(self, request_id: str, channel: str, *, by: str | None, at: datetime) -> None:
        """Note by which channel a request came in, and who took it, by role."""
        with self._begin() as connection:
            row = self._open_row(connection, request_id)
            self._decide(connection, row, "arrived", {}, at, by, told={"channel": channel}, tell=False)

    def propose_receipt(self, request_id: str, received_at: datetime, *, by: str, at: datetime) -> ReceiptChange:
        """Say that a request came in at another time than was entered; somebody else has to approve it.

        Raises:
            LedgerRefusal: the time lies ahead, is the one that stands, or another correction waits.
        """
        if received_at > at:
            raise LedgerRefusal("a request cannot have come in later than now: give the day on which it did")
        with self._begin() as connection:
            row = self._open_row(connection, request_id)
            its = {"tenant": self.tenant, "request_id": request_id}
            if connection.execute(_OPEN, its).first():
                raise LedgerRefusal("a correction of the receipt waits for approval: approve or refuse that one first")
            if row.received_at == received_at:
                raise LedgerRefusal("that is when the request was received already")
            change = ReceiptChange(id=new_id(at), old_at=row.received_at, new_at=received_at)
            said = {"id": change.id, "old_at": change.old_at, "new_at": change.new_at}
            connection.execute(
                receipt_changes.insert(),
                {**its, **said, "proposed_at": at, "agent": self._role(request_id, by)},
            )
            self._decide(connection, row, "receipt_proposed", {}, at, by, told=said, tell=False)
        return change

    def rule_receipt(self, request_id: str, *, approve: bool, by: str, at: datetime) -> ReceiptChange:
        """Approve or refuse a corrected receipt; the approved one is what the clock is told of.

        Raises:
            LedgerRefusal: none waits, or it is approved by whoever has proposed it.
        """
        with self._begin() as connection:
            row = self._open_row(connection, request_id)
            found = connection.execute(_OPEN, {"tenant": self.tenant, "request_id": request_id}).first()
            if found is None:
                raise LedgerRefusal("no correction of the receipt waits: propose one first")
            if approve and found.agent == self._role(request_id, by):
                raise LedgerRefusal("whoever has proposed a correction does not approve it: another role has to")
            where = (receipt_changes.c.tenant == self.tenant, receipt_changes.c.id == found.id)
            if approve:
                connection.execute(update(receipt_changes).where(*where).values(approved_at=at))
            else:
                connection.execute(receipt_changes.delete().where(*where))
            said = {"id": found.id, "old_at": found.old_at, "new_at": found.new_at}
            kind = "receipt_corrected" if approve else "receipt_left"
            self._decide(connection, row, kind, {}, at, by, told=said, tell=False)
            if approve:
                self._wake_run(connection, request_id, at)
        return ReceiptChange(id=found.id, old_at=found.old_at, new_at=found.new_at, approved_at=at if approve else None)

    def receipt_changes(self, request_id: str) -> list[ReceiptChange]:
        """All corrections that were proposed and not refused, the oldest first."""
        query = (
            select(receipt_changes)
            .where(receipt_changes.c.tenant == self.tenant, receipt_changes.c.request_id == request_id)
            .order_by(receipt_changes.c.id)
        )
        with self._look() as connection:
            return [ReceiptChange.model_validate(row._mapping) for row in connection.execute(query)]

    def require_mandate(self, request_id: str, *, by: str, at: datetime) -> None:
        """Note that somebody asks for another person: without a mandate nothing is proven any more."""
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                raise LedgerRefusal("the asker is proven already: withdraw the request and open it anew as a mandate's")
            self._case_row(connection, request_id)
            self._set_case(connection, request_id, mandate_needed=True)
            self._decide(connection, row, "mandate_needed", {}, at, by, tell=False)

    def keep_mandate(
        self, request_id: str, mandate: Mandate, *, by: str, at: datetime, paper: bytes | None = None
    ) -> bool:
        """Keep a mandate in the request's file; whether the asker is proven now.

        Raises:
            LedgerRefusal: it does not carry this request.
        """
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                raise LedgerRefusal("the asker is proven already: withdraw the request and open it anew as a mandate's")
            try:
                mandate.carry(Right(row.right), at.date())
            except MandateRefusal as refusal:
                raise LedgerRefusal(str(refusal)) from None
            self._case_row(connection, request_id)
            key = self._vault.key(connection, request_id, "file")
            papers = [(MANDATE, mandate.model_dump_json().encode()), (MANDATE_PAPER, paper)]
            for name, data in papers:
                if data is not None:
                    self._vault.put(connection, request_id, key, Sealed("file", name, data), at)
            self._set_case(
                connection,
                request_id,
                mandate_needed=True,
                mandate_kind=mandate.kind.value,
                mandate_scope=[right.value for right in mandate.scope],
                mandate_expires=mandate.expires,
                answer_to=mandate.answer_to,
            )
            kept = make_note(f"mandate/by/{new_id(at)}", by)
            for value in kept.values:
                self._vault.put(connection, request_id, key, value, at)
            said = {"mandate": mandate.kind, "answer_to": mandate.answer_to, **kept.said}
            return self._settle_identity(connection, row, at, said)

    def note_age(self, request_id: str, age: int, *, by: str, at: datetime) -> bool:
        """Note that the asker, or whom they ask for, is a child of an age; whether a parent or guardian has to ask.

        From 13 on they ask in their own name, and no document is asked of them.
        """
        guarded = needs_guardian(age)
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            case = self._case_row(connection, request_id)
            needed = bool(case.mandate_needed) or guarded
            self._set_case(connection, request_id, age=age, mandate_needed=needed and not row.confirmed_at)
            said = {"minor": True, "guardian": guarded}
            self._decide(connection, row, "age_noted", {}, at, by, told=said, tell=False)
        return guarded
