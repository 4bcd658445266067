"""Appeals against answers: received, extended, decided, carried out anew.

The one rule: an appeal keeps what is needed to carry the request out anew, until it is decided.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from ledger.clocks import clocks_of
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import queue_letter
from ledger.models import case_keys, entries, requests, tasks
from ledger.models_appeals import appeals
from ledger.notes import keep_note, keep_word, note_text
from ledger.outbox import post
from ledger.store import AnyRow, Store, written
from ledger.tasks import put_task, settle_tasks
from ledger.vault import OF_REQUEST
from ledger.weighings import EVIDENCE
from rights.appeals import AppealOutcome, NoAppealError, appeal_clock, longer
from rights.approvers import same_person
from rights.codes import Code
from rights.deadlines import Clock, Risk
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.reckoning import local_day
from rights.regimes import Regime, regime
from rights.request import Phase
from rights.value import Value

_AFTER: Final = timedelta(days=30)
"""How long after the last day of an appeal what it needs is kept: for the letter, and for whoever is late."""
_SAYS: Final = ("proposed", "approve_decision", "agree")
"""Entries of those who have decided on the answer (ledger/weighing.py). Who has dissented has not."""
_CHECKED: Final = "accuracy"
"""The entry of a decision on what is disputed (ledger/rectifications.py); it has the role of who has approved it."""
_RESULTS: Final = {
    AppealOutcome.UPHELD: "refused",
    AppealOutcome.REVERSED: "done",
    AppealOutcome.IN_PART: "in_part",
}
"""What the letter calls an outcome."""


class Appeal(Value):
    """An appeal as it stands."""

    id: str
    request_id: str
    clock: Clock
    received_at: datetime
    closed_at: datetime | None = None
    outcome: AppealOutcome | None = None
    redone_by: str | None = None
    """The request that carries the first one out anew."""

    @property
    def open(self) -> bool:
        return self.closed_at is None


class Appeals(Store):
    """Verbs on appeals. Texts are sealed in the file of the request."""

    def open_appeal(
        self, request_id: str, *, received_at: datetime, at: datetime, text: str | None = None, by: str = ""
    ) -> Appeal:
        """Receive an appeal against the answer to a request.

        Raises:
            LedgerRefusal: there is no answer yet, none of the request's laws knows an appeal, or one is under way.
        """
        with self._begin() as connection:
            row = self._answered(connection, request_id)
            if received_at < row.received_at:
                raise LedgerRefusal("an appeal cannot have come in before the request did")
            clocks = clocks_of(row)
            try:
                clock = appeal_clock(clocks, [regime(one.regime) for one in clocks], received_at)
            except NoAppealError as error:
                raise LedgerRefusal(str(error)) from None
            if connection.execute(select(appeals.c.id).where(*self._open_of(request_id))).first():
                raise LedgerRefusal("an appeal against this answer is under way: add what came in to it")
            made = new_id(at)
            connection.execute(
                insert(appeals),
                {
                    "tenant": self.tenant,
                    "id": made,
                    "request_id": request_id,
                    "clock": clock.model_dump(mode="json"),
                    "received_at": received_at,
                },
            )
            self._keep_longer(connection, request_id, clock.legal_due + _AFTER)
            kept = keep_note(self, connection, request_id, f"appeal/{made}", text, at)
            said = Particulars(appeal_due=local_day(clock.legal_due, clock.zone)).model_dump_json(exclude_none=True)
            self._write(connection, request_id, LetterKind.APPEAL_RECEIVED, said.encode(), at)
            put_task(self, connection, request_id, _step_key(request_id, made), Code.APPEAL, made, at)
            post(connection, self.tenant, "appeal", request_id, at)
            body = {"appeal": made, "due": clock.legal_due, "by": by, **kept}
            self._journal(connection, "appeal_opened", body, at, request_id=request_id)
        return Appeal(id=made, request_id=request_id, clock=clock, received_at=received_at)

    def extend_appeal(self, appeal_id: str, *, at: datetime, reason: str, by: str = "") -> Appeal:
        """Extend the term of an appeal, once the person was told so, with the reason.

        Raises:
            LedgerRefusal: its law knows no extension, it was extended, it is past its day, or the appeal is decided.
        """
        with self._begin() as connection:
            appeal = self._open_appeal(connection, appeal_id)
            clock = appeal.clock
            if clock.notice_by is None:
                raise LedgerRefusal("the term of this appeal was extended before, or its law knows no extension")
            if at > clock.notice_by:
                raise LedgerRefusal(f"the notice had to be sent by {clock.notice_day}: it can no longer be extended")
            moved = longer(clock, self._laws(connection, appeal.request_id))
            connection.execute(
                update(appeals).where(*self._this(appeal_id)).values(clock=moved.model_dump(mode="json"))
            )
            self._keep_longer(connection, appeal.request_id, moved.legal_due + _AFTER)
            note = keep_word(self, connection, appeal.request_id, reason, at)
            post(connection, self.tenant, "appeal_turned", appeal.request_id, at)
            body = {"appeal": appeal_id, "due": moved.legal_due, "by": by, **note}
            self._journal(connection, "appeal_extended", body, at, request_id=appeal.request_id)
        return appeal.model_copy(update={"clock": moved})

    def decide_appeal(
        self,
        appeal_id: str,
        outcome: AppealOutcome,
        *,
        at: datetime,
        reasons: str,
        by: str,
        seats: Sequence[str] = (),
    ) -> bool:
        """Decide on an appeal; False if it was decided so before.

        Args:
            reasons: as the person is to read them; sealed.
            by: who decides, as a role or an opaque id.
            seats: the roles that whoever decides has a seat in, as holder or substitute.

        Raises:
            LedgerRefusal: it was decided otherwise, or by this person there is nothing to decide.
        """
        if not reasons.strip():
            raise LedgerRefusal("a decision on an appeal has its reasons: write them down")
        with self._begin() as connection:
            appeal = self._appeal(connection, appeal_id, lock=True)
            if appeal.outcome is outcome:
                return False
            if not appeal.open:
                raise LedgerRefusal(f"the appeal was decided: {appeal.outcome}")
            people, roles = self._deciders(connection, appeal.request_id)
            if same_person(by) in people | roles or not roles.isdisjoint(map(same_person, seats)):
                raise LedgerRefusal(
                    "whoever has decided on the request does not decide on the appeal: ask somebody else"
                )
            connection.execute(
                update(appeals).where(*self._this(appeal_id)).values(closed_at=at, outcome=outcome.value)
            )
            # The letter has to go out, and what is carried out anew to be opened, also where it is decided late.
            self._keep_longer(connection, appeal.request_id, at + _AFTER)
            note = keep_word(self, connection, appeal.request_id, reasons, at)
            said = Particulars.model_validate({"result": _RESULTS[outcome], "reason": reasons})
            self._write(
                connection,
                appeal.request_id,
                LetterKind.APPEAL_OUTCOME,
                said.model_dump_json(exclude_none=True).encode(),
                at,
            )
            settle_tasks(self, connection, at, tasks.c.step_key == _step_key(appeal.request_id, appeal_id))
            post(connection, self.tenant, "appeal_turned", appeal.request_id, at)
            body = {"appeal": appeal_id, "outcome": outcome, "by": by, **note}
            self._journal(connection, "appeal_decided", body, at, request_id=appeal.request_id)
        return True

    def note_redone(self, appeal_id: str, redone_by: str, *, at: datetime) -> None:
        """Note which request carries out anew what an appeal has reversed; no effect if it is noted."""
        with self._begin() as connection:
            appeal = self._appeal(connection, appeal_id, lock=True)
            if appeal.redone_by is None:
                connection.execute(update(appeals).where(*self._this(appeal_id)).values(redone_by=redone_by))
                body = {"appeal": appeal_id, "redone_by": redone_by}
                self._journal(connection, "appeal_redone", body, at, request_id=appeal.request_id)

    def note_appeal(self, request_id: str, risk: Risk, *, at: datetime) -> bool:
        """Journal that the day of the appeal that is open has come near or passed; False, and no effect, if that was
        noted of this day before."""
        with self._begin() as connection:
            row = connection.execute(select(appeals).where(*self._open_of(request_id)).with_for_update()).first()
            if row is None:
                return False
            appeal = _read(row)
            body = {"risk": risk, "appeal": appeal.id, "legal_due": appeal.clock.legal_due}
            noted = select(entries.c.seq).where(
                entries.c.tenant == self.tenant,
                entries.c.request_id == request_id,
                entries.c.kind == "appeal_deadline",
                entries.c.body == written(body),
            )
            if connection.execute(noted).first():
                return False
            self._journal(connection, "appeal_deadline", body, at, request_id=request_id)
        return True

    def appeal(self, appeal_id: str) -> Appeal:
        """An appeal as it stands.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            return self._appeal(connection, appeal_id)

    def appeal_of(self, request_id: str) -> Appeal | None:
        """The newest appeal against the answer to a request."""
        query = select(appeals).where(appeals.c.tenant == self.tenant, appeals.c.request_id == request_id)
        with self._look() as connection:
            row = connection.execute(query.order_by(appeals.c.id.desc()).limit(1)).first()
        return _read(row) if row else None

    def appeals(self, *, open_only: bool = True) -> list[Appeal]:
        """All appeals, the oldest first."""
        query = select(appeals).where(appeals.c.tenant == self.tenant)
        if open_only:
            query = query.where(appeals.c.closed_at.is_(None))
        with self._look() as connection:
            return [_read(row) for row in connection.execute(query.order_by(appeals.c.id))]

    def _answered(self, connection: Connection, request_id: str) -> AnyRow:
        query = select(requests).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
        row = connection.execute(query.with_for_update(key_share=True)).first()
        if row is None:
            raise LedgerRefusal("there is no request of this id")
        if row.phase != Phase.CLOSED:
            raise LedgerRefusal("the request is not answered yet, so there is nothing to appeal against")
        return row

    def _open_appeal(self, connection: Connection, appeal_id: str) -> Appeal:
        appeal = self._appeal(connection, appeal_id, lock=True)
        if not appeal.open:
            raise LedgerRefusal(f"the appeal was decided: {appeal.outcome}")
        return appeal

    def _appeal(self, connection: Connection, appeal_id: str, *, lock: bool = False) -> Appeal:
        query = select(appeals).where(*self._this(appeal_id))
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise LedgerRefusal("there is no appeal of this id")
        return _read(row)

    def _deciders(self, connection: Connection, request_id: str) -> tuple[set[str], set[str]]:
        """Who has decided on the answer, as the journal and the request's file have it: as people name themselves, the
        seats that they have spoken for among it; and roles of which nobody has written down who spoke for them."""
        bodies = connection.execute(
            select(entries.c.kind, entries.c.body).where(
                entries.c.tenant == self.tenant,
                entries.c.request_id == request_id,
                entries.c.kind.in_((*_SAYS, _CHECKED)),
            )
        )
        people, roles = [], []
        for kind, text in bodies:
            body = orjson.loads(text)
            if kind == _CHECKED:
                roles.append(body["decided"].get("approved_by"))
            else:
                people += [body.get("by"), body.get("role")]
        checked = self._vault.get_under(connection, request_id, "file", "accuracy/by/")
        people += [note_text(sealed) for sealed in checked.values()]
        weighed = self._vault.get(connection, request_id, "file", EVIDENCE)
        said = orjson.loads(weighed) if weighed else {}
        people += [said.get(name) for name in ("by", "approved_by")]
        return {same_person(one) for one in people if one}, {same_person(one) for one in roles if one}

    def _laws(self, connection: Connection, request_id: str) -> list[Regime]:
        query = select(requests).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
        return [regime(clock.regime) for clock in clocks_of(connection.execute(query).one())]

    def _keep_longer(self, connection: Connection, request_id: str, until: datetime) -> None:
        connection.execute(
            update(case_keys)
            .where(
                case_keys.c.tenant == self.tenant,
                case_keys.c.case_id == request_id,
                case_keys.c.purpose.in_(OF_REQUEST),
                case_keys.c.keep_until.is_not(None),
            )
            .values(keep_until=func.greatest(case_keys.c.keep_until, until))
        )

    def _write(self, connection: Connection, request_id: str, kind: LetterKind, said: bytes, at: datetime) -> None:
        number = connection.scalar(
            select(func.count()).where(appeals.c.tenant == self.tenant, appeals.c.request_id == request_id)
        )
        queue_letter(self, connection, request_id, kind, at, number=(number or 1) - 1, said=said, only_if_known=True)

    def _open_of(self, request_id: str) -> tuple[ColumnElement[bool], ...]:
        return (
            appeals.c.tenant == self.tenant,
            appeals.c.request_id == request_id,
            appeals.c.closed_at.is_(None),
        )

    def _this(self, appeal_id: str) -> tuple[ColumnElement[bool], ...]:
        return (appeals.c.tenant == self.tenant, appeals.c.id == appeal_id)


def _step_key(request_id: str, appeal_id: str) -> str:
    return f"{request_id}/appeal/{appeal_id}/0"


def _read(row: AnyRow) -> Appeal:
    return Appeal(
        id=row.id,
        request_id=row.request_id,
        clock=Clock.model_validate(row.clock),
        received_at=row.received_at,
        closed_at=row.closed_at,
        outcome=AppealOutcome(row.outcome) if row.outcome else None,
        redone_by=row.redone_by,
    )
