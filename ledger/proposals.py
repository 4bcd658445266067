"""Decisions on requests as they stand: what is proposed, who has said what of it, and on what evidence.

The one rule: a decision is what its rows say, its texts stay in the vault, and its request is locked before anybody has
a word in it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from ledger.decisions import Decisions
from ledger.errors import LedgerRefusal
from ledger.models_deciding import decision_words, decisions
from ledger.notes import note_text
from ledger.store import AnyRow
from rights.decision import Decided, Element, Role
from rights.value import Value

Said = Literal["approve", "agree", "dissent", "lapsed"]
State = Literal["proposed", "charged", "in_force", "dropped", "replaced"]


class Spoken(Value):
    """What one role has said of a decision."""

    role: Role
    word: Said
    by: str
    """An opaque staff id; empty for a time that has lapsed."""
    substitute: bool
    at: datetime


class Decision(Value):
    """A decision as it stands. The texts of its evidence are in the vault (`evidence`)."""

    id: str
    request_id: str
    decided: Decided
    state: State
    approvers: tuple[Role, ...]
    consult: bool
    proposed_by: str
    proposed_at: datetime
    consult_until: datetime | None
    settled_at: datetime | None
    said: tuple[Spoken, ...] = ()

    @property
    def missing(self) -> tuple[Role, ...]:
        """Whose word it still needs."""
        spoken = {one.role for one in self.said}
        asked = (Role.DPO,) if self.consult else ()
        return tuple(role for role in (*asked, *self.approvers) if role not in spoken)


_WORDS: Final[Mapping[str, str]] = {
    "charged": "approved, and its fee not paid yet",
    "in_force": "in force",
    "dropped": "dropped",
    "replaced": "replaced by a later one",
}


class Proposals(Decisions):
    """What is asked of decisions."""

    def decision(self, decision_id: str) -> Decision:
        """A decision as it stands.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            return self._decision(connection, decision_id)

    def decisions_of(self, request_id: str) -> tuple[Decision, ...]:
        """All decisions on a request, the oldest first."""
        query = (
            select(decisions.c.id)
            .where(decisions.c.tenant == self.tenant, decisions.c.request_id == request_id)
            .order_by(decisions.c.id)
        )
        with self._look() as connection:
            return tuple(self._decision(connection, one) for one in connection.scalars(query).all())

    def evidence(self, decision: Decision) -> dict[Element, str]:
        """The texts on record for a decision, from the vault; none once the file was destroyed."""
        with self._look() as connection:
            return self._texts(connection, decision)

    # What the verbs share.

    def _texts(self, connection: Connection, decision: Decision) -> dict[Element, str]:
        names = {f"decision/{decision.id}/{element}": element for element in Element}
        sealed = self._vault.get_all(connection, decision.request_id, "file", *names)
        return {names[name]: note_text(data) for name, data in sealed.items()}

    def _open_decision(self, connection: Connection, request_id: str) -> str | None:
        found: str | None = connection.scalar(
            select(decisions.c.id).where(
                decisions.c.tenant == self.tenant,
                decisions.c.request_id == request_id,
                decisions.c.state.in_(["proposed", "charged"]),
            )
        )
        return found

    def _proposed(self, connection: Connection, decision_id: str) -> tuple[AnyRow, Decision]:
        """A decision that is being weighed, and its request, which nobody else changes meanwhile."""
        request_id = self._decision(connection, decision_id).request_id
        row = self._undecided(connection, request_id)
        decision = self._decision(connection, decision_id)
        if decision.state != "proposed":
            raise LedgerRefusal(f"the decision is {_WORDS[decision.state]}: nothing is left to say on it")
        return row, decision

    def _decision(self, connection: Connection, decision_id: str) -> Decision:
        where = (decisions.c.tenant == self.tenant, decisions.c.id == decision_id)
        row = connection.execute(select(decisions).where(*where)).first()
        if row is None:
            raise LedgerRefusal("there is no decision of this id")
        said: Sequence[Any] = connection.execute(
            select(decision_words)
            .where(decision_words.c.tenant == self.tenant, decision_words.c.decision_id == decision_id)
            .order_by(decision_words.c.at)
        ).all()
        return Decision(
            id=row.id,
            request_id=row.request_id,
            decided=Decided.model_validate(row.body),
            state=row.state,
            approvers=tuple(row.approvers),
            consult=row.consult,
            proposed_by=row.proposed_by,
            proposed_at=row.proposed_at,
            consult_until=row.consult_until,
            settled_at=row.settled_at,
            said=tuple(
                Spoken(role=one.role, word=one.word, by=one.by, substitute=one.substitute, at=one.at) for one in said
            ),
        )
