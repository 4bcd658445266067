"""Proofs of who asks: kept one by one, and worth together what the law says.

The one rule: a request is confirmed here when, and only when, what is proven reaches the level that its right needs;
who asked to have it checked learns that and nothing else.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.clocks import Clocks, laws_of
from ledger.errors import LedgerRefusal
from ledger.models import requests, tasks, vault
from ledger.models_identity import identity_cases, identity_codes, identity_proofs
from ledger.outbox import post
from ledger.papers import Papers
from ledger.people import GIVEN, sealed_identities
from ledger.proven import keep_proof, mark_of, proof_of, way_of
from ledger.reach import REACH, alike, in_doubt, reached, rows_of
from ledger.store import AnyRow
from ledger.tasks import put_task, settle_tasks
from rights.approvers import same_person
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.identity import Proof, Rung, identity_law
from rights.reckoning import local_day
from rights.request import Phase, Right
from rights.subject import Identity
from rights.tying import ON_FILE, Given, Standing, names_of, standing
from rights.value import Value

PROVEN_BEFORE: Final = "the asker was proven before, and what is said now is not compared: it says nothing of who calls"
_OPEN: Final = {Phase.RECEIVED, Phase.CONFIRMING, Phase.LOCATING}
"""Where it is a question who asks. Locating: what was given is proven, and nothing but that is looked for."""

_CASE: Final = select(identity_cases).where(
    identity_cases.c.tenant == bindparam("tenant"), identity_cases.c.request_id == bindparam("request_id")
)
_BEGIN_CASE: Final = upsert(identity_cases).on_conflict_do_nothing()
_PROOFS: Final = (
    select(identity_proofs)
    .where(identity_proofs.c.tenant == bindparam("tenant"), identity_proofs.c.request_id == bindparam("request_id"))
    .order_by(identity_proofs.c.id)
)
_UNSENT: Final = select(func.count()).where(
    identity_codes.c.tenant == bindparam("tenant"),
    identity_codes.c.request_id == bindparam("request_id"),
    identity_codes.c.sent_at.is_(None),
)


class IdentityState(Value):
    """How far the question of who asks is. For the engine; an agent is told `proven` or not."""

    read: bool = False
    """The directory was asked."""
    asked_at: datetime | None = None
    """The newest question to the person."""
    reminded: int = 0
    lapsed_at: datetime | None = None
    became: str = ""
    unsent: int = 0
    asked: tuple[str, ...] = ()
    """Where codes were asked to go, in that order."""
    proofs: tuple[Proof, ...] = ()
    alone: bool = False
    """All that was given is proven, and the directory knows nobody by it."""
    mandate_needed: bool = False
    mandate_kind: str = ""
    point_tries: int = 0
    given: tuple[str, ...] = ()
    """What was given, by name: its kind, and a number where several of a kind were given."""
    loose: tuple[str, ...] = ()
    """Of these, what is neither proven nor tied to who was, once enough else is proven."""
    levels: tuple[int, ...] = ()
    """The level that is reached for all that was given, under each law that it is asked under; empty while nothing is
    proven."""

    @property
    def level(self) -> int:
        """The level that is reached for all that was given, under all of its laws."""
        return min(self.levels, default=0)


_NOTHING: Final = Standing(best=0, enough=False)


class Proofs(Papers, Clocks):
    """What the verbs on proofs share, and how far a request's are."""

    def identity_state(self, request_id: str) -> IdentityState:
        """How far it is."""
        its = {"tenant": self.tenant, "request_id": request_id}
        with self._look() as connection:
            case = connection.execute(_CASE, its).first()
            if case is None:
                return IdentityState()
            proofs = self._proofs_in(connection, request_id)
            stands = self._stands(connection, request_id, proofs)
            return IdentityState(
                read=case.read_at is not None,
                asked_at=case.asked_at,
                reminded=case.reminded,
                lapsed_at=case.lapsed_at,
                became=case.became or "",
                unsent=connection.scalar(_UNSENT, its) or 0,
                asked=tuple(
                    connection.scalars(
                        select(identity_codes.c.goes_to)
                        .where(identity_codes.c.tenant == self.tenant, identity_codes.c.request_id == request_id)
                        .order_by(identity_codes.c.number)
                    )
                ),
                proofs=proofs,
                alone=self._alone(connection, case, proofs),
                mandate_needed=case.mandate_needed,
                mandate_kind=case.mandate_kind or "",
                point_tries=case.point_tries,
                loose=stands.loose,
                levels=stands.levels,
                given=tuple(names_of(self._given(connection, request_id))),
            )

    # What the verbs share.

    def _in_question(self, connection: Connection, request_id: str) -> AnyRow:
        """The request's row, locked, while it may be asked who asks."""
        row = self._undecided(connection, request_id)
        if not row.confirmed_at and row.phase not in _OPEN:
            raise LedgerRefusal(f"the request is {row.phase}: its identity is no question now")
        return row

    def _unanswered(self, connection: Connection, request_id: str) -> AnyRow | None:
        """The request's row, locked, while something is still to be asked or said; None where the request was proven,
        taken back or closed meanwhile: a run may come with it before it has heard."""
        row = self._known_row(connection, request_id)
        return None if row.confirmed_at or row.withdrawn_at or row.phase not in _OPEN else row

    def _case_row(self, connection: Connection, request_id: str) -> AnyRow:
        """The row of the question, begun if need be. The request's own row is locked before."""
        its = {"tenant": self.tenant, "request_id": request_id}
        connection.execute(_BEGIN_CASE, its)
        return connection.execute(_CASE, its).one()

    def _set_case(self, connection: Connection, request_id: str, **values: Any) -> None:
        connection.execute(
            update(identity_cases)
            .where(identity_cases.c.tenant == self.tenant, identity_cases.c.request_id == request_id)
            .values(**values)
        )

    def _role(self, request_id: str, role: str) -> bytes:
        """Which tells one role from another, and nothing else."""
        return self._people.mark(f"ROLE\0{request_id}\0{same_person(role)}")

    def _way(self, channel: str, value: str) -> bytes:
        """Which tells one way to a person from another."""
        return way_of(self._people, channel, value)

    def _proofs_in(self, connection: Connection, request_id: str) -> tuple[Proof, ...]:
        """All that was proven, the oldest first."""
        its = {"tenant": self.tenant, "request_id": request_id}
        return tuple(map(proof_of, connection.execute(_PROOFS, its)))

    def _forget_proofs(self, connection: Connection, request_id: str, at: datetime, which: ColumnElement[bool]) -> int:
        """Have proofs count for nothing any more, and destroy their papers; how many there were."""
        gone = connection.execute(
            identity_proofs.delete().where(*self._its_proofs(request_id), which).returning(identity_proofs.c.paper)
        ).all()
        self._shred_papers(connection, [one.paper for one in gone], at)
        return len(gone)

    def _proven(
        self,
        connection: Connection,
        row: AnyRow,
        proof: Proof,
        at: datetime,
        *,
        way: bytes | None = None,
        agent: bytes | None = None,
        paper: str | None = None,
        said: Any = None,
        by: str | None = None,
    ) -> bool:
        """Keep a proof, and who has brought it; whether the asker is proven with it."""
        keep_proof(connection, self.tenant, row.id, proof, way=way, agent=agent, paper=paper)
        return self._settle_identity(connection, row, at, {"rung": proof.rung, **(said or {})}, by=by)

    def _settle_identity(
        self,
        connection: Connection,
        row: AnyRow,
        at: datetime,
        said: dict[str, Any],
        note: str | None = None,
        by: str | None = None,
    ) -> bool:
        """Confirm the request if what is proven is enough for all that was given, and have its run look; whether it
        is."""
        case = self._case_row(connection, row.id)
        proofs = self._proofs_in(connection, row.id)
        stands = self._standing(connection, row, proofs, at)
        needed = identity_law().needed_under(Right(row.right), laws_of(row))
        body = {**said, "level": stands.best, "needed": needed}
        if stands.loose:
            body["loose"] = stands.loose
        self._mind_loose(connection, row.id, stands.loose, at)
        if not (stands.enough and mandate_carries(case, row, proofs, at)):
            self._decide(connection, row, "proof", {}, at, note, by=by, told=body, tell=False)
            self._wake_run(connection, row.id, at)
            return False
        self._destroy_papers(connection, row.id, at)
        if case.lapsed_at:
            self._set_case(connection, row.id, lapsed_at=None, became=None)
            self._journal(connection, "identity_resumed", {}, at, request_id=row.id)
        if case.asked_at:
            self._tell_clock(connection, row, Turn.IDENTITY_RECEIVED, at)
        self._decide(connection, row, "confirm_identity", {"confirmed_at": at}, at, note, by=by, told=body)
        return True

    def _tell_clock(self, connection: Connection, row: AnyRow, turn: Turn, at: datetime) -> None:
        """Tell the clock that proof was asked for, or has come; what a law makes of that is the clock's. Once: what
        somebody has entered by hand stands."""
        before = {event.turn for event in self._events(connection, row.id)}
        if turn in before or (turn is Turn.IDENTITY_RECEIVED and Turn.IDENTITY_ASKED not in before):
            return
        self.turn_clock_in(connection, row.id, ClockEvent(turn=turn, day=local_day(at, row.zone)), at=at)

    def _wake_run(self, connection: Connection, request_id: str, at: datetime) -> None:
        post(connection, self.tenant, "wake", request_id, at)

    def _given(self, connection: Connection, request_id: str) -> tuple[Identity, ...]:
        """What was given."""
        return sealed_identities(self._vault.get(connection, request_id, "working", GIVEN))

    def _standing(
        self, connection: Connection, row: AnyRow, proofs: Sequence[Proof], at: datetime | None = None
    ) -> Standing:
        """What the proofs of a request come to. `at`: now; the newest proof's time if it is not said."""
        sealed = self._vault.get_all(connection, row.id, "working", REACH, GIVEN)
        given = tuple(
            Given(
                name=name,
                mark=mark_of(self._people, row.id, one.kind, one.value),
                way=way_of(self._people, one.kind, one.value).hex(),
            )
            for name, one in names_of(sealed_identities(sealed.get(GIVEN))).items()
        )
        when = at or max(proof.at for proof in proofs)
        rows = rows_of(self._people, row.id, alike(sealed.get(REACH)), when)
        return standing(identity_law(), Right(row.right), laws_of(row), given, rows, proofs)

    def _stands(self, connection: Connection, request_id: str, proofs: Sequence[Proof]) -> Standing:
        """The same for somebody who looks."""
        its = (requests.c.tenant == self.tenant, requests.c.id == request_id)
        row = connection.execute(select(requests).where(*its)).one()
        if row.confirmed_at or not proofs:
            return _NOTHING
        return self._standing(connection, row, proofs)

    def _mind_loose(self, connection: Connection, request_id: str, loose: Sequence[str], at: datetime) -> None:
        """Put what is not known to be the asker's on a person's desk, or take it off."""
        step = f"{request_id}/identity/untied/0"
        if loose:
            put_task(self, connection, request_id, step, Code.UNTIED, "identity", at)
        elif settled := settle_tasks(self, connection, at, tasks.c.request_id == request_id, tasks.c.step_key == step):
            self._journal(connection, "tasks_settled", {"tasks": settled}, at, request_id=request_id, key=step)

    def _drop(self, connection: Connection, request_id: str, name: str) -> None:
        connection.execute(
            delete(vault).where(
                vault.c.tenant == self.tenant,
                vault.c.case_id == request_id,
                vault.c.purpose == "working",
                vault.c.name == name,
            )
        )

    def _alone(self, connection: Connection, case: AnyRow, proofs: Sequence[Proof]) -> bool:
        if case.read_at is None or not any(p.rung is Rung.ADDRESS_GIVEN for p in proofs):
            return False
        sealed = self._vault.get_all(connection, case.request_id, "working", REACH, GIVEN)
        reach = sealed.get(REACH)
        if reach is None or in_doubt(reach) or reached(reach):
            return False
        ways = {p.way for p in proofs if p.rung is Rung.ADDRESS_GIVEN}
        given = sealed_identities(sealed.get(GIVEN))
        return bool(given) and all(self._way(one.kind, one.value).hex() in ways for one in given)


def mandate_carries(case: AnyRow, row: AnyRow, proofs: Sequence[Proof], at: datetime) -> bool:
    """Whether whoever asks for somebody else may; True where nobody does."""
    if not case.mandate_needed:
        return True
    if case.mandate_kind is None or row.right not in (case.mandate_scope or ()):
        return False
    if case.mandate_expires and case.mandate_expires < local_day(at, row.zone):
        return False
    if identity_law().mandates[case.mandate_kind].confirmed:
        return any(proof.rung in ON_FILE and not proof.fresh for proof in proofs)
    return True
