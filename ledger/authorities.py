"""Demands of authorities: received, examined, decided by two, sealed, handed over, told.

The one rule: nothing is sealed or handed over without a decision in force, and no verb here is seen by a request.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.demandmail import withhold_letters
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import REPLY, Channel
from ledger.models import case_keys, entries
from ledger.models_authorities import demands
from ledger.notes import keep_note, make_note
from ledger.outbox import post
from ledger.store import AnyRow, Store
from ledger.vault import Purpose, Sealed
from rights.approvers import same_person
from rights.authorities import Demand, Scope, check_answer, check_word
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demandfile import Gag, Said
from rights.demandletters import Whom
from rights.subject import Identity, parse_identities

_ALL: Final = select(demands).where(demands.c.tenant == bindparam("of"))
_ONE: Final = _ALL.where(demands.c.id == bindparam("id"))
_PEOPLE: Final = "identities"


class Authorities(Store):
    """Verbs on demands. `by` is a person, as an opaque staff id or a role."""

    def receive_demand(
        self, said: Said, people: Sequence[Identity], *, regime: str, zone: str, by: str, at: datetime
    ) -> Demand:
        """Take a demand in; whom it is about and what was written are sealed."""

        def commit() -> Demand:
            demand = Demand(
                id=new_id(at),
                regime=regime,
                zone=zone,
                received_at=at,
                received_by=by,
                gagged=said.gag is not Gag.NONE,
                **said.model_dump(include=set(Demand.model_fields), exclude_none=True),
            )
            keys: dict[Purpose, Any] = {purpose: self._vault.make_key(purpose, at) for purpose in ("working", "file")}
            notes = [make_note(name, text) for name, text in said.texts.items()]
            pairs = json.dumps([[one.kind, one.value] for one in people]).encode()
            with self._begin() as connection:
                row = demand.model_dump(mode="json", include=set(demands.c.keys()))
                row |= {"received_at": at, "due_on": demand.due_on, "gag_until": demand.gag_until}
                connection.execute(insert(demands), {**row, "tenant": self.tenant})
                for purpose, key in keys.items():
                    self._vault.add_key(connection, demand.id, purpose, key)
                sealed = Sealed("working", _PEOPLE, pairs)
                self._vault.put(connection, demand.id, keys["working"].plain, sealed, at)
                if where := said.person:
                    to = Channel("email" if where.email else "post", where.email or "\n".join(where.post), where.name)
                    reply = Sealed("working", REPLY, to.sealed())
                    self._vault.put(connection, demand.id, keys["working"].plain, reply, at)
                for value in (value for note in notes for value in note.values):
                    self._vault.put(connection, demand.id, keys["file"].plain, value, at)
                told = said.model_dump(mode="json", exclude={"basis", "reference", "gag_basis", "person"})
                body = {**told, "demand": demand.id, "by": by, "identities": len(people), "regime": regime}
                body["notes"] = [note.said for note in notes]
                self._call_demand(connection, demand.id, at)
                self._journal(connection, "demand_received", body, at, key=demand.id)
            return demand

        return self._with_kek(commit)

    def answer_question(
        self, demand_id: str, question: str, *, met: bool, known_contact: bool, by: str, note: str | None, at: datetime
    ) -> Demand:
        """Enter the answer to a question of the law; another one takes its place until a decision is in force, and
        takes back one that is not. After an emergency what was left open is answered.

        Raises:
            LedgerRefusal: there is no such demand, or it is decided on.
            AuthorityError: the question is not asked of it.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            settled = demand.in_force and demand.word is not Word.CHALLENGE
            if demand.closed_at or (settled and question in demand.answers):
                raise LedgerRefusal("the demand is decided on: its answers stand")
            check_answer(demand, question, known_contact=known_contact, met=met)
            answers = {**demand.answers, question: met}
            # A word that nobody has approved was said of other answers.
            dropped: dict[str, object] = (
                {} if demand.word is None or demand.in_force else {"word": None, "ground": "", "scope": {}}
            )
            self._change_demand(connection, demand_id, answers=answers, **dropped)
            kept = keep_note(self, connection, demand_id, f"answer/{new_id(at)}", note, at)
            body = {"demand": demand_id, "question": question, "met": met, "by": by, **kept}
            self._journal(connection, "demand_examined", body, at, key=demand_id)
        return self.demand(demand_id)

    def decide_demand(
        self, demand_id: str, word: Word, ground: str, scope: Scope, *, reason: str, by: str, seat: Role, at: datetime
    ) -> Demand:
        """Say the first word on a demand; it takes the place of one that is not approved yet, of a challenge, and of
        one under which nothing could be sealed.

        Raises:
            LedgerRefusal: there is no such demand, or a decision on it is in force and final.
            AuthorityError: the decision cannot stand.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            stuck = demand.gives and demand.trouble and not demand.sealed_at
            if demand.closed_at or (demand.in_force and demand.word is not Word.CHALLENGE and not stuck):
                raise LedgerRefusal("the demand is decided on")
            check_word(demand, word, ground, scope)
            if scope.undated and demand.urgent and seat is not Role.COUNSEL:
                raise LedgerRefusal(
                    "rows without a day are counsel's to give: leave --undated out, or let counsel decide"
                )
            # What was sealed under a word that was found unsound is no part of a new one.
            anew: dict[str, object] = {}
            if demand.objected_at and not demand.handed_at:
                anew = {"sealed_at": None, "digest": "", "size": 0, "rows": {}}
            self._change_demand(
                connection,
                demand_id,
                word=word.value,
                ground=ground,
                scope=scope.model_dump(mode="json"),
                decided_by=by,
                decided_as=seat.value,
                decided_at=at,
                approved_by="",
                approved_at=None,
                trouble="",
                trouble_at="",
                **anew,
            )
            kept = keep_note(self, connection, demand_id, f"reason/{new_id(at)}", reason, at)
            self._call_demand(connection, demand_id, at)
            body = {"demand": demand_id, "word": word, "ground": ground, "scope": scope.model_dump(mode="json")}
            self._journal(connection, "demand_decided", {**body, "by": by, "as": seat, **kept}, at, key=demand_id)
        return self.demand(demand_id)

    def approve_demand(self, demand_id: str, *, by: str, seat: Role, note: str | None, at: datetime) -> Demand:
        """Say the second word, in the other seat; of an emergency this is the look afterwards.

        Raises:
            LedgerRefusal: there is no such demand, nothing is decided, the same person or seat speaks twice, or of an
                emergency a question is not answered yet.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if demand.word is None or demand.approved_at or (demand.objected_at and demand.handed_at):
                raise LedgerRefusal("nothing waits for a second word: habeas authority show says how it stands")
            if same_person(by) == same_person(demand.decided_by) or seat is demand.decided_as:
                raise LedgerRefusal("it takes counsel and the delegate, two people: the first word is not the second")
            if demand.gives and demand.unanswered:
                raise LedgerRefusal("the look after an emergency has every question answered first: authority check")
            self._change_demand(connection, demand_id, approved_by=by, approved_at=at)
            kept = keep_note(self, connection, demand_id, f"approval/{new_id(at)}", note, at)
            self._call_demand(connection, demand_id, at)
            body = {"demand": demand_id, "by": by, "as": seat, "afterwards": demand.in_force, **kept}
            self._journal(connection, "demand_approved", body, at, key=demand_id)
        return self.demand(demand_id)

    def object_to_emergency(self, demand_id: str, *, reason: str, by: str, seat: Role, at: datetime) -> Demand:
        """Say, as the second, that what was decided in an emergency is unsound. What has not gone out stays here, and
        from now on it takes two to decide; what has gone out is on record as that.

        Raises:
            LedgerRefusal: there is no such demand, no emergency waits for a second look, or the same person or seat
                speaks twice.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if demand.closed_at or not demand.urgent or not demand.gives or demand.approved_at:
                raise LedgerRefusal("no emergency waits for a second look: habeas authority show says how it stands")
            if same_person(by) == same_person(demand.decided_by) or seat is demand.decided_as:
                raise LedgerRefusal("it takes counsel and the delegate, two people: the first word is not the second")
            out = demand.handed_at is not None
            taken_back: dict[str, object] = {} if out else {"word": None, "ground": "", "scope": {}}
            self._change_demand(connection, demand_id, objected_by=by, objected_at=at, **taken_back)
            kept = keep_note(self, connection, demand_id, f"objection/{new_id(at)}", reason, at)
            self._call_demand(connection, demand_id, at)
            body = {"demand": demand_id, "by": by, "as": seat, "handed_over": out, "digest": demand.digest, **kept}
            self._journal(connection, "demand_objected", body, at, key=demand_id)
        return self.demand(demand_id)

    def keep_disclosure(
        self,
        demand_id: str,
        digest: str,
        size: int,
        rows: Mapping[str, int],
        *,
        decided_at: datetime,
        at: datetime,
        learnt: int = 0,
    ) -> None:
        """Note what was sealed for an authority, under the decision of `decided_at`; no effect if it is noted.

        `learnt`: how many identities one system has told of, by which others were looked into.

        Raises:
            LedgerRefusal: this decision is not in force (any more).
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if not demand.gives or demand.decided_at != decided_at:
                raise LedgerRefusal("no decision in force hands anything over")
            if demand.sealed_at:
                return
            values = {"sealed_at": at, "digest": digest, "size": size, "rows": dict(rows)}
            self._change_demand(connection, demand_id, **values, trouble="", trouble_at="")
            body = {"demand": demand_id, "digest": digest, "size": size, "rows": dict(rows)}
            body |= {"learnt": learnt} if learnt else {}
            self._journal(connection, "demand_sealed", body, at, key=demand_id)

    def note_demand_trouble(self, demand_id: str, code: str, system: str, *, at: datetime) -> None:
        """Note why nothing could be sealed; no effect if that is noted."""
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if (demand.trouble, demand.trouble_at) == (code, system):
                return
            self._change_demand(connection, demand_id, trouble=code, trouble_at=system)
            body = {"demand": demand_id, "code": code, "system": system}
            self._journal(connection, "demand_trouble", body, at, key=demand_id)

    def hand_over(self, demand_id: str, *, by: str, at: datetime) -> Demand:
        """Note that the sealed parcel was taken out for the authority; the first time counts.

        Raises:
            LedgerRefusal: nothing is sealed, or the decision is not in force.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if not demand.gives or not demand.sealed_at:
                raise LedgerRefusal("nothing is sealed for this authority: habeas authority show says how it stands")
            if demand.handed_at is None:
                self._change_demand(connection, demand_id, handed_at=at, handed_by=by)
                self._call_demand(connection, demand_id, at)
            body = {"demand": demand_id, "by": by, "to": demand.authority, "digest": demand.digest}
            rows = {"collections": dict(demand.rows), "without": demand.scope.without}
            self._journal(connection, "demand_disclosed", {**body, **rows}, at, key=demand_id)
        return self.demand(demand_id)

    def change_gag(
        self, demand_id: str, gag: Gag, until: date | None, *, by: str, note: str | None, at: datetime
    ) -> Demand:
        """Note that a prohibition to tell the person was made, moved or lifted.

        Raises:
            LedgerRefusal: there is no such demand, it is closed, or the person was told.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if demand.closed_at or (demand.told_at and demand.responded_at and not demand.owes_notice):
                raise LedgerRefusal("it is over, or the person was told: there is nothing left to forbid")
            gagged = demand.gagged or gag is not Gag.NONE
            changed = demand.model_copy(update={"gag": gag, "gag_until": until})
            # Under a new gag what has not gone out stays here, and is written anew once the gag is over.
            kept_back = [] if changed.may_tell(at) else withhold_letters(self, connection, demand_id, at)
            self._change_demand(connection, demand_id, gag=gag.value, gag_until=until, gagged=gagged)
            kept = keep_note(self, connection, demand_id, f"gag/{new_id(at)}", note, at)
            self._call_demand(connection, demand_id, at)
            body = {"demand": demand_id, "gag": gag, "until": until, "by": by, "letters_kept_back": kept_back, **kept}
            self._journal(connection, "demand_gag", body, at, key=demand_id)
        return self.demand(demand_id)

    def told_of_demand(self, demand_id: str, *, by: str, text: str, at: datetime) -> Demand:
        """Note that the person was told, in these words, which are sealed; the first time counts.

        Raises:
            LedgerRefusal: there is no such demand, it may not be told yet, or nobody is to be told of it.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if not demand.may_tell(at):
                raise LedgerRefusal("the person may not be told yet: a gag is in force (habeas authority gag)")
            if demand.told_at is None or demand.owes_notice:
                if not demand.owes_notice:
                    raise LedgerRefusal("nothing is to be told: no decision in force hands anything over")
                # What is told in other words is not told by ours as well.
                withhold_letters(self, connection, demand_id, at, Whom.PERSON)
                self._change_demand(connection, demand_id, told_at=at, told_by=by)
                kept = keep_note(self, connection, demand_id, "told", text, at)
                self._call_demand(connection, demand_id, at)
                self._journal(connection, "demand_told", {"demand": demand_id, "by": by, **kept}, at, key=demand_id)
        return self.demand(demand_id)

    def note_gag_over(self, demand_id: str, *, at: datetime) -> None:
        """Journal that a gag has ended and the person is to be told; no effect if that stands there."""
        noted = select(entries.c.seq).where(
            entries.c.tenant == self.tenant, entries.c.kind == "demand_gag_over", entries.c.key == demand_id
        )
        with self._begin() as connection:
            self._lock_demand(connection, demand_id)
            if connection.execute(noted).first() is None:
                self._journal(connection, "demand_gag_over", {"demand": demand_id}, at, key=demand_id)

    def close_demand(
        self, demand_id: str, *, working_until: datetime, file_until: datetime, parcel_until: datetime, at: datetime
    ) -> bool:
        """Close a demand for which nothing is left to do; False if something is, or it was closed before."""
        until: dict[Purpose, datetime] = {"working": working_until, "file": file_until, "parcel": parcel_until}
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if demand.closed_at or demand.waits_for(at):
                return False
            self._change_demand(connection, demand_id, closed_at=at)
            for purpose, day in until.items():
                connection.execute(
                    update(case_keys)
                    .where(
                        case_keys.c.tenant == self.tenant,
                        case_keys.c.case_id == demand_id,
                        case_keys.c.purpose == purpose,
                    )
                    .values(keep_until=day)
                )
            self._journal(connection, "demand_closed", {"demand": demand_id}, at, key=demand_id)
        return True

    def demand(self, demand_id: str) -> Demand:
        """A demand as it stands.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            return _demand(connection.execute(_ONE, self._of_demand(demand_id)).first())

    def demands(self, *, open_only: bool = False) -> list[Demand]:
        """All demands, the oldest first."""
        query = _ALL.where(demands.c.closed_at.is_(None)) if open_only else _ALL
        with self._look() as connection:
            return [_demand(row) for row in connection.execute(query.order_by(demands.c.id), {"of": self.tenant})]

    def demand_people(self, demand_id: str) -> tuple[Identity, ...]:
        """Whom a demand is about; nobody once that is shredded.

        Raises:
            VaultError: it was changed or moved, or its key-encryption key is gone.
        """
        with self._look() as connection:
            sealed = self._vault.get(connection, demand_id, "working", _PEOPLE)
        return tuple(parse_identities((kind, value) for kind, value in json.loads(sealed))) if sealed else ()

    def _call_demand(self, connection: Connection, demand_id: str, at: datetime) -> None:
        post(connection, self.tenant, "demand", "", at, {"demand": demand_id})

    def _of_demand(self, demand_id: str) -> dict[str, str]:
        return {"of": self.tenant, "id": demand_id}

    def _lock_demand(self, connection: Connection, demand_id: str) -> Demand:
        return _demand(connection.execute(_ONE.with_for_update(), self._of_demand(demand_id)).first())

    def _change_demand(self, connection: Connection, demand_id: str, **values: object) -> None:
        connection.execute(
            update(demands).where(demands.c.tenant == self.tenant, demands.c.id == demand_id).values(**values)
        )


def _demand(row: AnyRow | None) -> Demand:
    if row is None:
        raise LedgerRefusal("there is no demand of this id")
    return Demand.model_validate(dict(row._mapping))
