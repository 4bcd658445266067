"""Fees that a decision asks for: paid, or not.

The one rule: nothing of the request is done while its fee is open, and one that is not paid is refused only on the
ground, and by the texts, that were approved with the fee.
"""

from datetime import date, datetime
from typing import Literal

from sqlalchemy import Connection, update

from ledger.errors import LedgerRefusal
from ledger.models_deciding import decisions
from ledger.outbox import post
from ledger.proposals import Decision
from ledger.store import AnyRow
from ledger.weighing import Weighing
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.decision import Word
from rights.reckoning import local_day


class Fees(Weighing):
    """The verb that says what became of a fee."""

    def settle_fee(
        self,
        decision_id: str,
        word: Literal["paid", "unpaid"],
        *,
        by: str,
        at: datetime,
        on: date | None = None,
        note: str | None = None,
    ) -> Decision:
        """Enter that a fee was paid, on a day, or was not: then the request goes on, or is refused and told so.

        Raises:
            LedgerRefusal: no fee of this decision is open, the day lies before it was asked for or in the future, or
                the request is closed or withdrawn.
        """
        with self._begin() as connection:
            request_id = self._decision(connection, decision_id).request_id
            row = self._undecided(connection, request_id)
            decision = self._decision(connection, decision_id)
            if decision.state != "charged":
                raise LedgerRefusal("no fee of this decision is open: habeas decision show says how it stands")
            day = on or local_day(at, row.zone)
            self._see_day(connection, row, day, at)
            if word == "unpaid":
                refused = decision.decided.model_copy(update={"word": Word.REFUSE})
                decision = decision.model_copy(update={"decided": refused})
            connection.execute(
                update(decisions)
                .where(decisions.c.tenant == self.tenant, decisions.c.id == decision_id)
                .values(state="in_force", settled_at=at, body=decision.decided.model_dump(mode="json"))
            )
            self._settle_task(connection, request_id, Code.FEE, word, at)
            if word == "unpaid":
                self._tell_refusal(connection, request_id, decision, at)
            told = {"decision": decision_id, "by": by, "on": day}
            self._decide(connection, row, f"fee_{word}", {}, at, note, told=told, key=decision_id, tell=False)
            if word == "paid":
                self.turn_clock_in(connection, request_id, ClockEvent(turn=Turn.FEE_PAID, day=day), at=at)
            body = {"decision": decision_id, "word": decision.decided.word}
            self._journal(connection, "decided", body, at, request_id=request_id, key=decision_id)
            post(connection, self.tenant, "decide", request_id, at)
        return self.decision(decision_id)

    def _see_day(self, connection: Connection, row: AnyRow, day: date, at: datetime) -> None:
        if day > local_day(at, row.zone):
            raise LedgerRefusal("this day lies in the future: enter a fee as paid or unpaid once it is")
        asked = [event.day for event in self._events(connection, row.id) if event.turn is Turn.FEE_ASKED]
        if asked and day < asked[-1]:
            raise LedgerRefusal(f"the fee was asked for on {asked[-1]}: give that day or a later one")
