"""How a request came in, and for whom: its channel, who took it, mandates, children.

The one rule: whoever asks for another person proves nothing before a mandate that carries the request is here.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import REPRESENTATIVE, Channel
from ledger.notes import keep_note
from ledger.proofcodes import ProofCodes
from ledger.vault import Sealed
from rights.mandates import Mandate, MandateRefusal
from rights.minors import needs_guardian
from rights.request import Right

MANDATE: Final = "mandate"
MANDATE_PAPER: Final = "mandate/paper"
"""Names in the request's file: what a mandate says, and the paper itself. They stay with the request."""


class Arrivals(ProofCodes):
    """Verbs on how a request came in and for whom."""

    def arrived(self, request_id: str, channel: str, *, by: str | None, at: datetime) -> None:
        """Note by which channel a request came in, and who took it, by role."""
        with self._begin() as connection:
            row = self._open_row(connection, request_id)
            self._decide(connection, row, "arrived", {}, at, by, told={"channel": channel}, tell=False)

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
            self._write_to(connection, request_id, mandate, at)
            kept = keep_note(self, connection, request_id, f"mandate/by/{new_id(at)}", by, at)
            said = {"mandate": mandate.kind, "answer_to": mandate.answer_to, **kept}
            return self._settle_identity(connection, row, at, said)

    def _write_to(self, connection: Connection, request_id: str, mandate: Mandate, at: datetime) -> None:
        """Note where whoever asks for the person is written to, or forget it. Where the person is written to stays as
        it is: codes and warnings go to their own channels, whoever asks."""
        if mandate.answer_to == "representative" and mandate.representative_email:
            name = mandate.envelope.partition("\n")[0]
            channel = Channel("email", mandate.representative_email, name)
        elif mandate.answer_to == "representative" and mandate.envelope:
            channel = Channel("post", mandate.envelope)
        else:
            self._drop(connection, request_id, REPRESENTATIVE)
            return
        key = self._vault.key(connection, request_id, "working")
        self._vault.put(connection, request_id, key, Sealed("working", REPRESENTATIVE, channel.sealed()), at)

    def note_age(self, request_id: str, age: int, *, by: str, at: datetime, country: str = "") -> bool:
        """Note that the asker, or whom they ask for, is a child of an age; whether a parent or guardian has to ask.

        From 13 on they ask in their own name, or from the age of the country that they live in, and no document is
        asked of them.
        """
        guarded = needs_guardian(age, country)
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            case = self._case_row(connection, request_id)
            needed = bool(case.mandate_needed) or guarded
            self._set_case(connection, request_id, age=age, mandate_needed=needed and not row.confirmed_at)
            said = {"minor": True, "guardian": guarded}
            self._decide(connection, row, "age_noted", {}, at, by, told=said, tell=False)
        return guarded
