"""What people say of who asks: attested, refused, taken back, left out.

The one rule: somebody's word is of the identities that they name, and of no other; and what was refused counts for
nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import REPLY, Channel
from ledger.models import entries, request_subjects
from ledger.models_identity import identity_proofs
from ledger.notes import keep_note
from ledger.papers import PAPER_KEPT
from ledger.people import GIVEN, LEARNED, identities_text, sealed_identities
from ledger.proofs import Proofs
from ledger.proven import keep_proof, of_whom, proof_of
from ledger.reach import REACH, in_doubt
from ledger.store import AnyRow
from ledger.vault import Sealed
from rights.identity import BY_STEPS, Proof, Rung, identity_law
from rights.request import Phase, may_say
from rights.subject import Identity, comparable
from rights.tying import ALL, BY_WORD, VouchError, chosen, vouched

LEFT_OUT: Final = "identities/left_out"
"""The name in the vault (`working`) of what was left out of a request."""

_FOR_TWO: Final[ColumnElement[bool]] = or_(
    identity_proofs.c.rung.in_([Rung.IN_PERSON.value, Rung.DOCUMENT.value]),
    and_(identity_proofs.c.rung == Rung.ATTESTED.value, identity_proofs.c.level > BY_STEPS),
)
"""What takes a second look."""
_WAITS: Final[ColumnElement[bool]] = and_(_FOR_TWO, ~identity_proofs.c.second)


class Attesting(Proofs):
    """Verbs on people's word."""

    def attest(
        self,
        request_id: str,
        rung: Rung,
        *,
        by: str,
        at: datetime,
        level: int = 0,
        paper: bytes | None = None,
        vouches: Sequence[str] = (),
    ) -> bool:
        """Somebody says, by role, what they or their system have seen; whether the asker is proven now.

        `vouches` names the identities that it is of (`rights.tying.names_of`); without it, those that can be read off
        such a proof, or the one that was given. In person, by a document and attested at level 4 it takes two: the
        first opens the question, another one settles it, for what both have named. A copy of a document lies in a case
        of its own until then, and no longer.

        Raises:
            LedgerRefusal: it is no question now, the same role says it twice, this is not attested by word, or it is
                not said what it is of.
        """
        if rung not in BY_WORD:
            raise LedgerRefusal(f"'{rung}' is proven by a code or by data points, and not by somebody's word")
        return self._with_kek(lambda: self._attest(request_id, rung, by, at, level, paper, vouches))

    def _attest(
        self,
        request_id: str,
        rung: Rung,
        by: str,
        at: datetime,
        level: int,
        paper: bytes | None,
        vouches: Sequence[str],
    ) -> bool:
        key = self._vault.make_key("identity", at) if paper is not None else None
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                return True
            case = self._case_row(connection, request_id)
            if rung is Rung.DOCUMENT and case.age is not None and case.age < identity_law().minors.of_age:
                raise LedgerRefusal("no document is asked of a child or teenager: use a channel on file, or in_person")
            agent, law = self._role(request_id, by), identity_law()
            given = self._given(connection, request_id)
            level = level if rung is Rung.ATTESTED else 0
            takes_two = level > BY_STEPS if rung is Rung.ATTESTED else law.rungs[rung].second_agent
            first = self._first_look(connection, request_id, rung, level, at) if takes_two else None
            if first is not None and first.agent == agent:
                raise LedgerRefusal("a second agent has to look, and attest it by another role")
            named = _named(lambda: chosen(given, vouches) if first else vouched(law, rung, given, vouches))
            marks = of_whom(self._people, request_id, named)
            # The note first: what the journal says of it comes with the proof.
            kept = keep_note(self, connection, request_id, f"proof/{new_id(at)}", by, at)
            said = {**kept, "vouches": len(marks)}
            if first is None:
                where = self._seal_paper(connection, key, paper, at) if key and paper is not None else None
                way = "" if takes_two else "account"
                proof = Proof(rung=rung, at=at, way=way, level=level, vouches=marks)
                return self._proven(connection, row, proof, at, agent=agent, paper=where, said=said, by=by)
            # Of what the first has named, where the second names nothing else.
            before = proof_of(first).vouches
            both = tuple(mark for mark in before if mark in marks) if marks else before
            if not both:
                raise LedgerRefusal("the first agent has vouched for others of what was given: look at it together")
            connection.execute(
                update(identity_proofs)
                .where(*self._its_proofs(request_id), identity_proofs.c.id == first.id)
                .values(second=True, vouches=[bytes.fromhex(mark) for mark in both])
            )
            # A document that nobody has looked at a second time is still needed.
            self._destroy_papers(connection, request_id, at, identity_proofs.c.id == first.id)
            said |= {"rung": rung, "second": True, "vouches": len(both)}
            return self._settle_identity(connection, row, at, said, by=by)

    def _first_look(
        self, connection: Connection, request_id: str, rung: Rung, level: int, at: datetime
    ) -> AnyRow | None:
        """The word that waits for a second one; one that has waited for too long is none any more. A system's, with
        which the request came in, is nobody's: whoever opened it may have typed it, and would be both."""
        where = (
            *self._its_proofs(request_id),
            identity_proofs.c.rung == rung.value,
            identity_proofs.c.agent.is_not(None),
            ~identity_proofs.c.second,
        )
        query = select(identity_proofs).where(*where, identity_proofs.c.level == level).order_by(identity_proofs.c.id)
        for one in connection.execute(query).all():
            if one.at > at - PAPER_KEPT:
                return one
            self._forget_proofs(connection, request_id, at, identity_proofs.c.id == one.id)
        return None

    def refuse_proof(self, request_id: str, *, by: str, at: datetime, every: bool = False) -> None:
        """Somebody says, by role, that what they were shown does not prove the asker; its copy is destroyed.

        `every`: nor does any other word that was given for them: signed in, in person, attested. What was refused
        counts for nothing at all.

        Raises:
            LedgerRefusal: nothing waits for a second look, or the asker is proven.
        """
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                raise LedgerRefusal("the asker is proven: whoever doubts it takes the request back")
            words = identity_proofs.c.rung.in_([rung.value for rung in BY_WORD])
            gone = self._forget_proofs(connection, request_id, at, words if every else _WAITS)
            if not gone:
                what = "nobody has vouched for the asker" if every else "nothing waits for a second look"
                raise LedgerRefusal(f"{what}: there is nothing to refuse")
            self._decide(connection, row, "proof_refused", {}, at, by, by=by, told={"proofs": gone}, tell=False)
            left = self._proofs_in(connection, request_id)
            self._mind_loose(
                connection, request_id, self._standing(connection, row, left, at).loose if left else (), at
            )

    def confirm_identity(
        self,
        request_id: str,
        *,
        at: datetime,
        note: str | None = None,
        by: str | None = None,
        vouches: Sequence[str] = (ALL,),
    ) -> bool:
        """Attest that the asker is the person, as sure as one role can be; False if they were proven before.

        It is an attestation like another: of what is named (of all that was given, if nothing is), and with a mandate
        where one is needed.

        Raises:
            LedgerRefusal: it is no question now, or more is needed than this; nothing was noted.
        """
        with self._begin() as connection:
            row = self._undecided(connection, request_id)
            if row.confirmed_at:
                return False
            if not may_say("confirm_identity", Phase(row.phase)):
                raise LedgerRefusal(f"the request is {row.phase}: its identity is no question now")
            given = self._given(connection, request_id)
            named = _named(lambda: vouched(identity_law(), Rung.ATTESTED, given, vouches))
            marks = of_whom(self._people, request_id, named)
            proof = Proof(rung=Rung.ATTESTED, at=at, way="account", level=BY_STEPS, vouches=marks)
            keep_proof(connection, self.tenant, request_id, proof)
            said = {"rung": proof.rung, "vouches": len(marks)}
            if not self._settle_identity(connection, row, at, said, note, by=by):
                raise LedgerRefusal(self._why_not(connection, row, at))
        return True

    def _why_not(self, connection: Connection, row: AnyRow, at: datetime) -> str:
        stands = self._standing(connection, row, self._proofs_in(connection, row.id), at)
        if stands.loose:
            names = ", ".join(stands.loose)
            return f"{names}: this is given too, and not vouched for: name it among what is proven, or leave it out"
        if not stands.enough:
            return "one role attests level 3 at most, and this takes more: two attest it (habeas identity attest)"
        return (
            "somebody asks for another person, and no mandate carries it: keep theirs first (habeas identity mandate)"
        )

    def leave_out(self, request_id: str, names: Sequence[str], *, by: str, reason: str, at: datetime) -> bool:
        """Take out of a request what nobody can tie to who asks; whether the asker is proven now.

        What it was stays sealed among the working identities, the reason in the request's file, and nothing is looked
        for, given out or changed by it.

        Raises:
            LedgerRefusal: it is no question now, something was looked for by it, nothing of that name was given, or
                nothing would be left.
        """
        with self._begin() as connection:
            self._people.lock_learning(connection, self.tenant, request_id)
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                raise LedgerRefusal(
                    "the asker is proven, for all that was given: take the request back, and open another"
                )
            given = self._given(connection, request_id)
            out = _named(lambda: chosen(given, names))
            rest = tuple(one for one in given if one not in out)
            if not out or not rest:
                raise LedgerRefusal("nothing would be left of the request: take it back (habeas request withdraw)")
            if row.phase == Phase.LOCATING or self._was_looked_for(connection, request_id):
                raise LedgerRefusal("it was looked for already: take the request back, and open another without it")
            self._without(connection, request_id, out, rest, at)
            kept = keep_note(self, connection, request_id, f"left_out/{new_id(at)}", f"{by}\n{reason}", at)
            body = {"kinds": sorted({one.kind for one in out}), "identities": len(out), "by": by, **kept}
            self._journal(connection, "identity_left_out", body, at, request_id=request_id)
            return self._settle_identity(connection, row, at, {}, by=by)

    def _without(
        self, connection: Connection, request_id: str, out: Sequence[Identity], rest: Sequence[Identity], at: datetime
    ) -> None:
        before = self._vault.get_all(connection, request_id, "working", LEFT_OUT, REPLY, REACH)
        key = self._vault.key(connection, request_id, "working")
        self._vault.put(connection, request_id, key, Sealed("working", GIVEN, identities_text(rest)), at)
        gone = (*sealed_identities(before.get(LEFT_OUT)), *out)
        self._vault.put(connection, request_id, key, Sealed("working", LEFT_OUT, identities_text(gone)), at)
        kept = set(self._people.digests(rest))
        connection.execute(
            delete(request_subjects).where(
                request_subjects.c.tenant == self.tenant,
                request_subjects.c.request_id == request_id,
                request_subjects.c.digest.in_([one for one in self._people.digests(out) if one not in kept]),
            )
        )
        if in_doubt(before.get(REACH)):
            # Several people matched; without it there may be one.
            self._set_case(connection, request_id, read_at=None)
            self._drop(connection, request_id, REACH)
        if REPLY in before and _is_one(Channel.unsealed(before[REPLY]), out):
            # Nothing is written to whom nobody knows.
            mails = [one.value for one in rest if one.kind == "email"]
            if mails:
                reply = Channel("email", mails[0]).sealed()
                self._vault.put(connection, request_id, key, Sealed("working", REPLY, reply), at)
            else:
                self._drop(connection, request_id, REPLY)

    def _was_looked_for(self, connection: Connection, request_id: str) -> bool:
        looked = select(entries.c.seq).where(
            entries.c.tenant == self.tenant,
            entries.c.request_id == request_id,
            entries.c.kind == "look",
            entries.c.key.like("%/locate/%"),
        )
        learned = self._vault.get(connection, request_id, "working", LEARNED)
        return learned is not None or connection.execute(looked.limit(1)).first() is not None


def _named(choose: Callable[[], tuple[Identity, ...]]) -> tuple[Identity, ...]:
    try:
        return choose()
    except VouchError as error:
        raise LedgerRefusal(str(error)) from None


def _is_one(channel: Channel, identities: Sequence[Identity]) -> bool:
    """Whether a channel is one of some identities."""
    address = comparable(channel.address.strip(), casefold=True)
    return any(one.kind == channel.kind and comparable(one.value, casefold=True) == address for one in identities)
