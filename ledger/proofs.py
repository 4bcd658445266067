"""Proofs of who asks: kept one by one, and worth together what the law says.

The one rule: a request is confirmed here when, and only when, what is proven reaches the level that its right needs;
who asked to have it checked learns that and nothing else.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.clocks import Clocks, clocks_of
from ledger.decisions import Decisions
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models import case_keys, requests
from ledger.models_identity import identity_cases, identity_codes, identity_proofs
from ledger.notes import make_note
from ledger.outbox import post
from ledger.people import GIVEN, sealed_identities
from ledger.proven import keep_proof, proof_of
from ledger.store import AnyRow
from ledger.vault import DataKey, Sealed
from rights.clockwork import ClockEvent, Turn
from rights.identity import BY_STEPS, Proof, Rung, identity_law
from rights.reckoning import local_day
from rights.request import Phase, Right
from rights.subject import comparable
from rights.value import Value

REACH: Final = "reach"
"""The name in the vault (`working`) of what the directory has told: how the person is reached."""
PAPER: Final = "document"
"""The name of a copy of a document, in a case of its own."""
PAPER_KEPT: Final = timedelta(days=14)
"""After this a copy that nobody has ruled on is destroyed all the same (GDPR Art. 5(1)(e); EDPB 01/2022, from memory:
a copy of an identity card is deleted at once when it has served)."""
_OPEN: Final = {Phase.RECEIVED, Phase.CONFIRMING, Phase.LOCATING}
"""Where it is a question who asks. Locating: what was given is proven, and nothing but that is looked for."""
VOUCHES: Final = 2
"""The level from which on somebody's word stands for all identities that were given."""
_BY_WORD: Final = {Rung.SIGNED_IN, Rung.SECOND_FACTOR, Rung.IN_PERSON, Rung.DOCUMENT, Rung.ATTESTED}
ON_FILE: Final = {Rung.CHANNEL_ON_FILE, Rung.POST}

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
    loose: tuple[str, ...] = ()
    """Kinds of what was given that is neither proven nor tied to who was, once enough else is proven."""


class Proofs(Decisions, Clocks):
    """Verbs on proofs."""

    def identity_state(self, request_id: str) -> IdentityState:
        """How far it is."""
        its = {"tenant": self.tenant, "request_id": request_id}
        with self._look() as connection:
            case = connection.execute(_CASE, its).first()
            if case is None:
                return IdentityState()
            proofs = tuple(map(proof_of, connection.execute(_PROOFS, its)))
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
                loose=self._loose_of(connection, request_id, proofs),
            )

    def attest(
        self,
        request_id: str,
        rung: Rung,
        *,
        by: str,
        at: datetime,
        level: int = 0,
        paper: bytes | None = None,
    ) -> bool:
        """Somebody says, by role, what they or their system have seen; whether the asker is proven now.

        In person, by a document and attested at level 4 it takes two: the first opens the question, another one settles
        it. A copy of a document lies in a case of its own until then, and no longer.

        Raises:
            LedgerRefusal: it is no question now, the same role says it twice, or this is not attested by word.
        """
        if rung not in _BY_WORD:
            raise LedgerRefusal(f"'{rung}' is proven by a code or by data points, and not by somebody's word")
        return self._with_kek(lambda: self._attest(request_id, rung, by, at, level, paper))

    def _attest(self, request_id: str, rung: Rung, by: str, at: datetime, level: int, paper: bytes | None) -> bool:
        key = self._vault.make_key("identity", at) if paper is not None else None
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                return True
            case = self._case_row(connection, request_id)
            if rung is Rung.DOCUMENT and case.age is not None and case.age < identity_law().minors.of_age:
                raise LedgerRefusal("no document is asked of a child or teenager: use a channel on file, or in_person")
            agent = self._role(request_id, by)
            # The note first: what the journal says of it comes with the proof.
            kept = make_note(f"proof/{new_id(at)}", by)
            for value in kept.values:
                self._vault.put(connection, request_id, self._vault.key(connection, request_id, "file"), value, at)
            if not (level > BY_STEPS if rung is Rung.ATTESTED else identity_law().rungs[rung].second_agent):
                proof = Proof(rung=rung, at=at, way="account", level=level)
                return self._proven(connection, row, proof, at, agent=agent, said=kept.said)
            first = connection.execute(
                select(identity_proofs).where(
                    identity_proofs.c.tenant == self.tenant,
                    identity_proofs.c.request_id == request_id,
                    identity_proofs.c.rung == rung.value,
                    identity_proofs.c.level == (level if rung is Rung.ATTESTED else 0),
                    ~identity_proofs.c.second,
                )
            ).first()
            if first is None:
                where = self._seal_paper(connection, key, paper, at) if key and paper is not None else None
                proof = Proof(rung=rung, at=at, level=level if rung is Rung.ATTESTED else 0)
                return self._proven(connection, row, proof, at, agent=agent, paper=where, said=kept.said)
            if first.agent == agent:
                raise LedgerRefusal("a second agent has to look, and attest it by another role")
            connection.execute(
                update(identity_proofs)
                .where(
                    identity_proofs.c.tenant == self.tenant,
                    identity_proofs.c.request_id == request_id,
                    identity_proofs.c.id == first.id,
                )
                .values(second=True)
            )
            self._destroy_papers(connection, request_id, at)
            return self._settle_identity(connection, row, at, {"rung": rung, "second": True, **kept.said})

    def withdraw(self, request_id: str, *, at: datetime, note: str | None = None) -> int:
        """Take a request back, as `Decisions.withdraw`; a copy of a document goes with it."""
        flying = super().withdraw(request_id, at=at, note=note)
        with self._begin() as connection:
            self._destroy_papers(connection, request_id, at)
        return flying

    def refuse_proof(self, request_id: str, *, by: str, at: datetime) -> None:
        """Somebody says, by role, that what they were shown does not prove the asker; its copy is destroyed.

        Raises:
            LedgerRefusal: nothing waits for a second look.
        """
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            gone = connection.execute(
                identity_proofs.delete()
                .where(
                    identity_proofs.c.tenant == self.tenant,
                    identity_proofs.c.request_id == request_id,
                    identity_proofs.c.rung.in_([Rung.IN_PERSON.value, Rung.DOCUMENT.value]),
                    ~identity_proofs.c.second,
                )
                .returning(identity_proofs.c.paper)
            ).all()
            if not gone:
                raise LedgerRefusal("nothing waits for a second look: there is nothing to refuse")
            self._shred_papers(connection, [one.paper for one in gone], at)
            self._decide(connection, row, "proof_refused", {}, at, by, tell=False)

    def paper(self, request_id: str) -> bytes | None:
        """The copy of a document that waits for a second look; None if there is none (any more)."""
        with self._look() as connection:
            place = connection.scalar(
                select(identity_proofs.c.paper)
                .where(
                    identity_proofs.c.tenant == self.tenant,
                    identity_proofs.c.request_id == request_id,
                    identity_proofs.c.paper.is_not(None),
                )
                .order_by(identity_proofs.c.id.desc())
                .limit(1)
            )
            return self._vault.get(connection, place, "identity", PAPER) if place else None

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
        return self._people.mark(f"ROLE\0{request_id}\0{comparable(role.strip(), casefold=True)}")

    def _way(self, channel: str, value: str) -> bytes:
        """Which tells one way to a person from another."""
        plain = "".join(char for char in value if char.isalnum()) if channel == "phone" else value
        return self._people.mark(f"WAY\0{channel}\0{comparable(plain.strip(), casefold=True)}")

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
    ) -> bool:
        """Keep a proof; whether the asker is proven with it."""
        keep_proof(connection, self.tenant, row.id, proof, way=way, agent=agent, paper=paper)
        return self._settle_identity(connection, row, at, {"rung": proof.rung, **(said or {})})

    def _settle_identity(self, connection: Connection, row: AnyRow, at: datetime, said: dict[str, Any]) -> bool:
        """Confirm the request if what is proven is enough, and have its run look; whether it is."""
        its = {"tenant": self.tenant, "request_id": row.id}
        case = self._case_row(connection, row.id)
        proofs = tuple(map(proof_of, connection.execute(_PROOFS, its)))
        law, right, regimes = identity_law(), Right(row.right), [clock.regime for clock in clocks_of(row)]
        level, needed = min(law.reached(proofs, regime) for regime in regimes), law.needed_under(right, regimes)
        body = {**said, "level": level, "needed": needed}
        enough = law.enough(proofs, right, regimes) and mandate_carries(case, row, proofs, at)
        loose = self._loose(connection, row.id, proofs, regimes) if enough else ()
        if loose:
            body["loose"] = loose
        if loose or not enough:
            self._decide(connection, row, "proof", {}, at, None, told=body, tell=False)
            self._wake_run(connection, row.id, at)
            return False
        self._destroy_papers(connection, row.id, at)
        if case.lapsed_at:
            self._set_case(connection, row.id, lapsed_at=None, became=None)
            self._journal(connection, "identity_resumed", {}, at, request_id=row.id)
        if case.asked_at:
            self._tell_clock(connection, row, Turn.IDENTITY_RECEIVED, at)
        self._decide(connection, row, "confirm_identity", {"confirmed_at": at}, at, None, told=body)
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

    def _loose_of(self, connection: Connection, request_id: str, proofs: Sequence[Proof]) -> tuple[str, ...]:
        if not proofs:
            return ()
        its = (requests.c.tenant == self.tenant, requests.c.id == request_id)
        row = connection.execute(select(requests).where(*its)).one()
        regimes = [clock.regime for clock in clocks_of(row)]
        if row.confirmed_at or not identity_law().enough(proofs, Right(row.right), regimes):
            return ()
        return self._loose(connection, request_id, proofs, regimes)

    def _loose(
        self, connection: Connection, request_id: str, proofs: Sequence[Proof], regimes: Sequence[str]
    ) -> tuple[str, ...]:
        """The kinds of what was given that is nobody's as far as is known: no code went there and came back, and the
        directory has it in no row whose channel was proven. Nothing may be looked for by it: it may be another
        person's. Whoever attests vouches for all that was given.
        """
        law = identity_law()
        if any(p.rung in _BY_WORD and all(law.reached([p], r) >= VOUCHES for r in regimes) for p in proofs):
            return ()
        sealed = self._vault.get_all(connection, request_id, "working", REACH, GIVEN)
        points = orjson.loads(sealed.get(REACH, b'{"points": []}'))["points"]
        proven = {p.way for p in proofs if p.way and p.rung is not Rung.DATA_POINTS}
        on_file = {p.way for p in proofs if p.rung in ON_FILE and not p.fresh}
        rows = {tuple(map(tuple, one)) for _, _, _, *more in points for one in more}
        by_points = len(rows) == 1 and any(p.rung is Rung.DATA_POINTS and p.matched for p in proofs)
        tied: set[tuple[str, str]] = set()
        for kind, value, _, *more in points:
            if by_points or self._way(kind, value).hex() in on_file:
                tied |= {_tie(k, v) for one in more for k, v in one}
        return tuple(
            sorted(
                {
                    one.kind
                    for one in sealed_identities(sealed.get(GIVEN))
                    if self._way(one.kind, one.value).hex() not in proven and _tie(one.kind, one.value) not in tied
                }
            )
        )

    def _alone(self, connection: Connection, case: AnyRow, proofs: Sequence[Proof]) -> bool:
        if case.read_at is None or not any(p.rung is Rung.ADDRESS_GIVEN for p in proofs):
            return False
        sealed = self._vault.get_all(connection, case.request_id, "working", REACH, GIVEN)
        reach = orjson.loads(sealed.get(REACH, b'{"doubt": true}'))
        if reach["doubt"] or reach["points"]:
            return False
        ways = {p.way for p in proofs if p.rung is Rung.ADDRESS_GIVEN}
        given = sealed_identities(sealed.get(GIVEN))
        return bool(given) and all(self._way(one.kind, one.value).hex() in ways for one in given)

    def _seal_paper(self, connection: Connection, key: DataKey, paper: bytes, at: datetime) -> str:
        place = new_id(at)
        self._vault.add_key(connection, place, "identity", key)
        connection.execute(
            update(case_keys)
            .where(case_keys.c.tenant == self.tenant, case_keys.c.case_id == place)
            .values(keep_until=at + PAPER_KEPT)
        )
        self._vault.put(connection, place, key.plain, Sealed("identity", PAPER, paper), at)
        return place

    def _destroy_papers(self, connection: Connection, request_id: str, at: datetime) -> None:
        """Destroy the copies of documents of a request: they have served."""
        its = (identity_proofs.c.tenant == self.tenant, identity_proofs.c.request_id == request_id)
        query = select(identity_proofs.c.paper).where(*its, identity_proofs.c.paper.is_not(None))
        if places := connection.scalars(query).all():
            connection.execute(update(identity_proofs).where(*its).values(paper=None))
            self._shred_papers(connection, places, at)

    def _shred_papers(self, connection: Connection, places: Sequence[str | None], at: datetime) -> None:
        for place in filter(None, places):
            gone = self._vault.shred(connection, place, ["identity"], at)
            if gone:
                body = {"case": place, "purposes": sorted(gone), "keks": sorted(set(gone.values()))}
                self._journal(connection, "shredded", body, at)


def _tie(kind: str, value: str) -> tuple[str, str]:
    """An identity as it is compared with what stands in a row: a key to the letter, an address without its capitals."""
    return kind, comparable(value.strip(), casefold=kind == "email")


def mandate_carries(case: AnyRow, row: AnyRow, proofs: Sequence[Proof], at: datetime) -> bool:
    """Whether whoever asks for somebody else may; True where nobody does."""
    if not case.mandate_needed:
        return True
    if case.mandate_kind is None or row.right not in (case.mandate_scope or ()):
        return False
    if case.mandate_expires and case.mandate_expires < at.date():
        return False
    if identity_law().mandates[case.mandate_kind].confirmed:
        return any(proof.rung in ON_FILE and not proof.fresh for proof in proofs)
    return True
