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
from ledger.people import DETAILS
from ledger.proofcodes import ProofCodes
from ledger.store import AnyRow
from ledger.vault import Sealed
from rights.details import details_of
from rights.mandates import Mandate, MandateRefusal
from rights.minors import needs_guardian
from rights.objections import needs_parent
from rights.parents import parent_laws
from rights.reckoning import local_day
from rights.request import Right

MANDATE: Final = "mandate"
MANDATE_PAPER: Final = "mandate/paper"
"""Names in the request's file: what a mandate says, and the paper itself. They stay with the request."""


_MAY_END: Final = frozenset({Right.ERASURE.value, Right.OBJECTION.value})


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
            self._decide(connection, row, "mandate_needed", {}, at, by, by=by, tell=False)

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
                mandate.carry(Right(row.right), local_day(at, row.zone))
            except MandateRefusal as refusal:
                raise LedgerRefusal(str(refusal)) from None
            self._refuse_other_than_parent(connection, row, mandate)
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
            said = {"mandate": mandate.kind, "answer_to": mandate.answer_to, **mandate.asked_under, **kept}
            return self._settle_identity(connection, row, at, said)

    def mandate(self, request_id: str) -> Mandate | None:
        """The mandate that somebody asks for another person by; None if there is none, or it is shredded."""
        with self._look() as connection:
            sealed = self._vault.get(connection, request_id, "file", MANDATE)
        return Mandate.model_validate_json(sealed) if sealed else None

    def note_service(self, request_id: str, *, ended: bool, by: str, at: datetime) -> None:
        """Note whether the service to a child was ended, whose parent has had its data deleted or has refused more: the
        law leaves that to the operator, and neither of the two does it (16 CFR 312.6(c)).

        Raises:
            LedgerRefusal: no parent asks under such a law, asks for something else, or is not proven.
        """
        with self._begin() as connection:
            row = self._known_row(connection, request_id)
            sealed = self._vault.get(connection, request_id, "file", MANDATE)
            law = Mandate.model_validate_json(sealed).law if sealed else ""
            if not law or row.right not in _MAY_END or row.confirmed_at is None or row.withdrawn_at:
                raise LedgerRefusal(
                    "the service is no question of this request: it is where a parent, proven, has data deleted or "
                    "refuses more under a law that says so (law: of their mandate)"
                )
            kept = keep_note(self, connection, request_id, f"service/by/{new_id(at)}", by, at)
            body = {"law": law, "article": parent_laws().laws[law].service.source, **kept}
            kind = "service_ended" if ended else "service_kept"
            self._journal(connection, kind, body, at, request_id=request_id)

    def _refuse_other_than_parent(self, connection: Connection, row: AnyRow, mandate: Mandate) -> None:
        """Further collection is refused by parents alone, under a law that lets them; and under it nothing less is."""
        if row.right != Right.OBJECTION:
            return
        sealed = self._vault.get(connection, row.id, "working", DETAILS)
        refuses = sealed is not None and needs_parent(details_of(Right.OBJECTION, sealed))
        if refuses and not mandate.law:
            known = ", ".join(sorted(parent_laws().laws))
            raise LedgerRefusal(
                f"only a parent refuses further collection, under a law that says so: write law: {known}"
            )
        if mandate.law and not refuses:
            raise LedgerRefusal(
                "under this law a parent refuses further use as a whole: open one with scope: collection"
            )

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
            self._decide(connection, row, "age_noted", {}, at, by, by=by, told=said, tell=False)
        return guarded
