"""Decisions on a request: proposed, asked the data protection officer about, approved by others, in force.

The one rule: who proposes does not approve, and while a decision is proposed nothing of the request is destroyed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.clocks import keep_text
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import queue_letter
from ledger.models import intents, tasks
from ledger.models_deciding import decision_words, decisions
from ledger.notes import keep_note
from ledger.outbox import post
from ledger.proposals import Decision, Proposals, Said, State
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from rights.approvers import same_person
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.decision import Decided, Element, Needs, Role, Word, article, ended, fee_article
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.ownlaw import adopted_for
from rights.plan import Operation
from rights.reckoning import local_day
from rights.request import Phase, may_say


class Weighing(Proposals):
    """Verbs on decisions."""

    def propose(
        self,
        request_id: str,
        decided: Decided,
        needs: Needs,
        evidence: Mapping[Element, str],
        *,
        by: str,
        consult_until: datetime | None,
        at: datetime,
    ) -> Decision:
        """Propose a decision; one that nobody has to approve is in force at once.

        `evidence` is sealed in the request's file, each text with a salted digest in the journal.

        Raises:
            LedgerRefusal: another decision is being weighed, or the request is too far for one, or closed.
        """
        new = new_id(at)
        alone = not needs.approvers
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = self._undecided(connection, request_id)
            if not may_say("decide", Phase(row.phase)):
                raise LedgerRefusal(
                    f"the request is {row.phase}: what has begun is not decided any more; take it back, or let it end"
                )
            if decided.word in {Word.REFUSE, Word.FEE} and self._has_changed(connection, request_id):
                raise LedgerRefusal(
                    "something of it is carried out already, so it is not refused any more: take it back, or let it end"
                )
            if (open_one := self._open_decision(connection, request_id)) is not None:
                if self._decision(connection, open_one).state == "charged":
                    raise LedgerRefusal(f"decision {open_one} asks for a fee: enter first that it was paid, or was not")
                raise LedgerRefusal(f"decision {open_one} is being weighed: approve it or drop it first")
            if alone:
                self._replace(connection, request_id, at)
            connection.execute(
                upsert(decisions),
                {
                    "tenant": self.tenant,
                    "id": new,
                    "request_id": request_id,
                    "body": decided.model_dump(mode="json"),
                    "state": "in_force" if alone else "proposed",
                    "approvers": [role.value for role in needs.approvers],
                    "consult": needs.consult,
                    "proposed_by": by,
                    "proposed_at": at,
                    "consult_until": consult_until if needs.consult else None,
                    "settled_at": at if alone else None,
                },
            )
            said: dict[str, object] = {}
            for element, text in evidence.items():
                note = keep_note(self, connection, request_id, f"decision/{new}/{element}", text, at)
                said[element.value] = dict(note)
            if not alone:
                for code in (Code.DECISION, Code.CONSULTATION) if needs.consult else (Code.DECISION,):
                    ask_to_decide(self, connection, request_id, code, at)
            post(connection, self.tenant, "decide", request_id, at)
            body = {
                "decision": new,
                "decided": decided.model_dump(mode="json"),
                "by": by,
                "evidence": said,
                "in_force": alone,
            }
            if own := adopted_for(decided.codes):
                # The operator's file may change or go: what was decided by it can still be shown.
                keep_text(connection, self.tenant, own.digest, own.text)
                body |= {"law": own.digest, "provisions": {c: article(c) for c in decided.codes if c in own.grounds}}
            self._journal(connection, "proposed", body, at, request_id=request_id, key=new)
        return self.decision(new)

    def speak(
        self,
        decision_id: str,
        role: Role,
        word: Literal["approve", "agree", "dissent"],
        *,
        by: str,
        substitute: bool,
        at: datetime,
        note: str | None = None,
    ) -> Decision:
        """Say a role's word on a decision: counsel and delegate approve, the data protection officer agrees or
        dissents; it is in force once all that it needs is there.

        A dissent keeps nothing from being approved: it is on record with its text.

        Raises:
            LedgerRefusal: it is not proposed any more, this role is not asked, who speaks has proposed it or spoken in
                another role, or the limit that it stands on has ended meanwhile.
        """
        with self._begin() as connection:
            row, decision = self._proposed(connection, decision_id)
            if same_person(decision.proposed_by) == same_person(by):
                raise LedgerRefusal(
                    "who has proposed a decision has no other word in it: somebody else has to look at it"
                )
            if any(one.by and same_person(one.by) == same_person(by) for one in decision.said):
                raise LedgerRefusal(
                    "this person has spoken in another role already: each role's word is somebody else's"
                )
            if (role is Role.DPO) != (word != "approve"):
                raise LedgerRefusal("the data protection officer agrees or dissents; counsel and delegate approve")
            if word == "approve" and (over := ended(decision.decided, local_day(at, row.zone))):
                raise LedgerRefusal(over)
            if role not in decision.missing:
                asked = any(one.role is role for one in decision.said)
                raise LedgerRefusal(
                    f"{role} has spoken already" if asked else f"this decision does not need the word of {role}"
                )
            if word == "approve" and Role.DPO in decision.missing:
                raise LedgerRefusal(
                    "the data protection officer is asked first, and has not answered; "
                    f"the time for it ends on {decision.consult_until:%Y-%m-%d %H:%M} UTC"
                )
            self._say_of_decision(connection, decision_id, role, word, by, substitute, at)
            if role is Role.DPO:
                self._settle_task(connection, row.id, Code.CONSULTATION, word, at)
            told = {"decision": decision_id, "role": role, "by": by, "substitute": substitute}
            self._decide(connection, row, word if word != "approve" else "approve_decision", {}, at, note, told=told,
                         key=decision_id, tell=False)  # fmt: skip
            if not [missing for missing in decision.missing if missing is not role]:
                self._put_in_force(connection, row, decision, at)
            post(connection, self.tenant, "decide", row.id, at)
        return self.decision(decision_id)

    def lapse_consultation(self, request_id: str, *, at: datetime) -> bool:
        """Note that the data protection officer has not answered in time; False if there is nothing to note."""
        with self._begin() as connection:
            row = self._open_row(connection, request_id)
            found = self._open_decision(connection, request_id)
            if found is None:
                return False
            decision = self._decision(connection, found)
            if Role.DPO not in decision.missing or decision.consult_until is None or decision.consult_until > at:
                return False
            self._say_of_decision(connection, found, Role.DPO, "lapsed", "", False, at)
            self._settle_task(connection, row.id, Code.CONSULTATION, "lapsed", at)
            self._journal(connection, "consultation_lapsed", {"decision": found}, at, request_id=row.id, key=found)
            if not [missing for missing in decision.missing if missing is not Role.DPO]:
                self._put_in_force(connection, row, decision, at)
        return True

    def drop_decision(self, decision_id: str, *, by: str, at: datetime, note: str | None = None) -> Decision:
        """Take a proposed decision off the table; the request goes on as if it had not been made.

        Raises:
            LedgerRefusal: it is not proposed any more.
        """
        with self._begin() as connection:
            row, _ = self._proposed(connection, decision_id)
            self._settle_decision(connection, row.id, decision_id, "dropped", at)
            told = {"decision": decision_id, "by": by}
            self._decide(connection, row, "drop_decision", {}, at, note, told=told, key=decision_id, tell=False)
            post(connection, self.tenant, "decide", row.id, at)
        return self.decision(decision_id)

    # Small things.

    def _put_in_force(self, connection: Connection, row: AnyRow, decision: Decision, at: datetime) -> None:
        self._replace(connection, row.id, at)
        if decision.decided.word is Word.FEE:
            self._charge(connection, row, decision, at)
            return
        self._settle_decision(connection, row.id, decision.id, "in_force", at)
        if decision.decided.word is Word.REFUSE:
            self._tell_refusal(connection, row.id, decision, at)
        body = {"decision": decision.id, "word": decision.decided.word}
        self._journal(connection, "decided", body, at, request_id=row.id, key=decision.id)

    def _charge(self, connection: Connection, row: AnyRow, decision: Decision, at: datetime) -> None:
        """Ask for the fee: by a letter, with a task until somebody enters what became of it, and to the clock."""
        self._settle_decision(connection, row.id, decision.id, "charged", at)
        said = self._said_of(connection, decision)
        queue_letter(
            self,
            connection,
            row.id,
            LetterKind.FEE_ASKED,
            at,
            said=said.model_dump_json(exclude_none=True).encode(),
        )
        put_task(self, connection, row.id, f"{row.id}/decision/{Code.FEE}/0", Code.FEE, "decision", at)
        self._journal(connection, "charged", {"decision": decision.id}, at, request_id=row.id, key=decision.id)
        asked = ClockEvent(turn=Turn.FEE_ASKED, day=local_day(at, row.zone))
        self.turn_clock_in(connection, row.id, asked, at=at)

    def _said_of(self, connection: Connection, decision: Decision) -> Particulars:
        """What a decision gives its letter: ground, provision, and the reasons as they were approved."""
        texts = self._texts(connection, decision)
        ground, fee = decision.decided.ground, decision.decided.fee
        charged = fee is not None and decision.decided.word is Word.FEE
        return Particulars(
            ground=ground,
            provision=texts.get(Element.LAW) or (fee_article(ground) if charged else article(ground)),
            reason=texts.get(Element.REASON),
            abuse_objective=texts.get(Element.OBJECTIVE),
            abuse_subjective=texts.get(Element.SUBJECTIVE),
            fee=str(fee) if charged else None,
        )

    def _tell_refusal(self, connection: Connection, request_id: str, decision: Decision, at: datetime) -> None:
        """Queue the letter that refuses, with the reasons as they were approved (GDPR Art. 12(4))."""
        said = self._said_of(connection, decision)
        abuse = said.abuse_objective and said.abuse_subjective
        before = connection.scalar(
            select(func.count()).where(
                decisions.c.tenant == self.tenant,
                decisions.c.request_id == request_id,
                decisions.c.state == "replaced",
            )
        )
        queue_letter(
            self,
            connection,
            request_id,
            LetterKind.EXCESSIVE_REFUSAL if abuse else LetterKind.REFUSAL,
            at,
            number=before or 0,
            said=said.model_dump_json(exclude_none=True).encode(),
        )

    def _settle_decision(
        self, connection: Connection, request_id: str, decision_id: str, state: State, at: datetime
    ) -> None:
        connection.execute(
            update(decisions)
            .where(decisions.c.tenant == self.tenant, decisions.c.id == decision_id)
            .values(state=state, settled_at=at)
        )
        for code in (Code.DECISION, Code.CONSULTATION):
            self._settle_task(connection, request_id, code, state, at)

    def _replace(self, connection: Connection, request_id: str, at: datetime) -> None:
        connection.execute(
            update(decisions)
            .where(
                decisions.c.tenant == self.tenant,
                decisions.c.request_id == request_id,
                decisions.c.state == "in_force",
            )
            .values(state="replaced", settled_at=at)
        )

    def _settle_task(self, connection: Connection, request_id: str, code: Code, how: str, at: datetime) -> None:
        its = (tasks.c.request_id == request_id, tasks.c.code == code.value)
        settle_tasks(self, connection, at, *its, ruling=how)

    def _say_of_decision(
        self,
        connection: Connection,
        decision_id: str,
        role: Role,
        word: Said,
        by: str,
        substitute: bool,
        at: datetime,
    ) -> None:
        connection.execute(
            upsert(decision_words),
            {
                "tenant": self.tenant,
                "decision_id": decision_id,
                "role": role.value,
                "word": word,
                "by": by,
                "substitute": substitute,
                "at": at,
            },
        )

    def _has_changed(self, connection: Connection, request_id: str) -> bool:
        """Whether a call was let through that erases or corrects; a ruling leads back to where it may be decided."""
        query = select(intents.c.id).where(
            intents.c.tenant == self.tenant,
            intents.c.request_id == request_id,
            func.split_part(intents.c.key, "/", 3).in_([Operation.ERASE.value, Operation.RECTIFY.value]),
        )
        return connection.execute(query.limit(1)).first() is not None


def ask_to_decide(store: Store, connection: Connection, request_id: str, code: Code, at: datetime) -> None:
    """Put a decision that waits for somebody's word on a person's desk."""
    put_task(store, connection, request_id, f"{request_id}/decision/{code}/0", code, "decision", at)
