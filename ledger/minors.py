"""Reports that data is a child's, and what a second person says of them.

The one rule: anybody's word puts data out of use, and nobody's word alone erases any: whoever has reported it does not
rule on it.
"""

from datetime import date, datetime, timedelta
from typing import Final, Literal, NamedTuple

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.attesting import Attesting
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import Channel, letter_id, queue_letter
from ledger.liftings import Liftings
from ledger.minorletters import tell_of_report, told_channel
from ledger.models import requests, tasks
from ledger.models_identity import identity_cases
from ledger.models_minors import minor_reports
from ledger.notes import keep_note
from ledger.people import GIVEN, sealed_identities
from ledger.proven import keep_proof, of_whom
from ledger.restrictions import Restrictions
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from ledger.vault import Sealed
from rights.approvers import same_person
from rights.codes import Code
from rights.identity import BY_STEPS, Proof, Rung
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.minors import Indication, Source
from rights.reckoning import local_day
from rights.request import Phase, may_say
from rights.restriction import Ended
from rights.value import Value

Word = Literal["child", "not_child"]

PARENT: Final = "channel/parent"
"""The name in the vault (`working`) of the address of a parent that came with a report. It gets word that the report is
here and nothing of what comes of it: anybody may have given their own."""

_ITS: Final = select(minor_reports).where(
    minor_reports.c.tenant == bindparam("tenant"), minor_reports.c.request_id == bindparam("request_id")
)
_LOCK: Final = _ITS.with_for_update()


class MinorReport(NamedTuple):
    """What goes with the opening of an erasure that somebody has reported."""

    source: Source
    by: str
    """A role."""
    restriction_id: str
    """The request that puts the data out of use."""
    parent: Channel | None = None
    """Where a parent is written to, as somebody has said: nobody has proven whose address it is."""


class Reported(Value):
    """A report as the ledger has it."""

    request_id: str
    restriction_id: str
    source: Source
    reported_at: datetime
    word: Word | None = None
    indication: Indication | None = None
    ruled_at: datetime | None = None
    told: int = 0
    """Channels on file that were written to."""
    level: int = 0
    """How often a ruling was asked for in vain."""


def keep_report(
    store: Store, connection: Connection, request_id: str, report: MinorReport | None, at: datetime
) -> None:
    """Write a report, if there is one, down in the transaction that opens its erasure: nothing is proven of that
    without a second person's ruling, or a mandate, and somebody is asked for it."""
    if report is None:
        return
    its = {"tenant": store.tenant, "request_id": request_id}
    row = {
        **its,
        "restriction_id": report.restriction_id,
        "source": report.source.value,
        "reporter": _role(store, request_id, report.by),
        "reported_at": at,
    }
    connection.execute(upsert(minor_reports), row)
    kept = keep_note(store, connection, request_id, "minor/reported_by", report.by, at)
    put_task(store, connection, request_id, ruling_key(request_id), Code.MINOR, "identity", at)
    if report.parent is not None:
        key = store._vault.key(connection, request_id, "working")
        store._vault.put(connection, request_id, key, Sealed("working", PARENT, report.parent.sealed()), at)
        queue_letter(store, connection, request_id, LetterKind.ACKNOWLEDGEMENT, at, channel=PARENT)
    body = {"source": report.source, "restriction": report.restriction_id, **kept}
    store._journal(connection, "minor_reported", body, at, request_id=request_id)


def need_mandate(store: Store, connection: Connection, request_id: str, needed: bool) -> None:
    """Note in the transaction that opens a request that nothing is proven of it without a mandate, if that is so."""
    if not needed:
        return
    row = {"tenant": store.tenant, "request_id": request_id, "mandate_needed": True}
    # A proof that came with the request has made a row already.
    its_key = [identity_cases.c.tenant, identity_cases.c.request_id]
    connection.execute(
        upsert(identity_cases).on_conflict_do_update(index_elements=its_key, set_={"mandate_needed": True}), row
    )


class Minors(Restrictions, Liftings, Attesting):
    """Verbs on reports; each goes by the id of its erasure."""

    def minor_report(self, request_id: str) -> Reported | None:
        """The report that an erasure was opened on; None if it was not."""
        with self._look() as connection:
            row = connection.execute(_ITS, {"tenant": self.tenant, "request_id": request_id}).first()
        return None if row is None else _reported(row)

    def minor_reports(self, *, open_only: bool = True) -> list[Reported]:
        """All reports, the oldest first; `open_only`: those that nobody has ruled on."""
        query = select(minor_reports).where(minor_reports.c.tenant == self.tenant).order_by(minor_reports.c.request_id)
        if open_only:
            query = query.where(minor_reports.c.word.is_(None))
        with self._look() as connection:
            return [_reported(row) for row in connection.execute(query)]

    def rule_child(
        self, request_id: str, indication: Indication, *, by: str, at: datetime, sms: str = "", mail: bool = True
    ) -> bool:
        """Say, as a second person, that it is a child's data: the erasure begins, and every channel that is known by
        now is told of the report if it was not. False if that was said before.

        Args:
            sms, mail: as `mind_reports`.

        Raises:
            LedgerRefusal: nobody has reported it, it was ruled otherwise, the reporter themselves says so, or the
                erasure is over or taken back.
        """
        with self._begin() as connection:
            row = self._undecided(connection, request_id)
            found = self._to_rule(connection, request_id, "child", by)
            if found is None:
                return False
            if not row.confirmed_at and not may_say("confirm_identity", Phase(row.phase)):
                raise LedgerRefusal(f"the request is {row.phase}: its identity is no question now")
            self._note_ruling(connection, request_id, at, word="child", indication=indication.value)
            # What the directory says later is written to by upkeep.
            tell_of_report(self, connection, found, at, whole=False, sms=sms, mail=mail)
            self._set_case(connection, request_id, mandate_needed=False)
            kept = keep_note(self, connection, request_id, f"minor/ruled_by/{new_id(at)}", by, at)
            said = {"minor": "child", "indication": indication, **kept}
            if row.confirmed_at:
                # A parent's mandate has carried it already.
                self._decide(connection, row, "minor_ruled", {}, at, None, told=said, tell=False)
                return True
            marks = of_whom(
                self._people,
                request_id,
                sealed_identities(self._vault.get(connection, request_id, "working", GIVEN)),
            )
            proof = Proof(rung=Rung.ATTESTED, at=at, way="account", level=BY_STEPS, vouches=marks)
            keep_proof(connection, self.tenant, request_id, proof)
            if not self._settle_identity(connection, row, at, {"rung": proof.rung, "vouches": len(marks), **said}):
                raise LedgerRefusal(self._why_not(connection, row, at))
        return True

    def rule_not_child(self, request_id: str, *, by: str, at: datetime, notice: timedelta) -> bool:
        """Say that it is no child's data: the erasure is taken back, and what is out of use is given free, as every
        restriction is, with word to the person first. False if all that was done before; safe to repeat.

        Raises:
            LedgerRefusal: nobody has reported it, it was ruled a child's, a parent's mandate has had it erased, or the
                reporter themselves says so.
        """
        with self._begin() as connection:
            row = self._known_row(connection, request_id)
            found = self._to_rule(connection, request_id, "not_child", by)
            if found is not None:
                if row.confirmed_at and row.phase == Phase.CLOSED and row.withdrawn_at is None:
                    raise LedgerRefusal("it is over: a parent's mandate has carried the erasure, before anybody ruled")
                self._tell_cleared(connection, request_id, found.told, at, local_day(at + notice, row.zone))
                self._note_ruling(connection, request_id, at, word="not_child")
                kept = keep_note(self, connection, request_id, f"minor/ruled_by/{new_id(at)}", by, at)
                self._decide(
                    connection, row, "minor_ruled", {}, at, None, told={"minor": "not_child", **kept}, tell=False
                )
        report = self.minor_report(request_id)
        if report is None:
            raise LedgerRefusal(_NOT_REPORTED)
        # One after the other, and each again after a crash: first nothing can be erased any more.
        self._take_back(request_id, at)
        self._take_back(report.restriction_id, at)
        restriction = self.restriction(report.restriction_id)
        if self._how_far(report.restriction_id)[0] == Phase.CLOSED and restriction and restriction.lifted_at is None:
            # One that is still at it has it lifted when it has ended.
            letter = self._letter_of_clearing(request_id, report.told)
            self.ask_to_lift(report.restriction_id, Ended.NOT_NEEDED, at=at, notice=notice, letter=letter)
        return found is not None

    def _to_rule(self, connection: Connection, request_id: str, word: Word, by: str) -> AnyRow | None:
        """The report, locked, that is to be ruled on; None where the same was said before."""
        found = connection.execute(_LOCK, {"tenant": self.tenant, "request_id": request_id}).first()
        if found is None:
            raise LedgerRefusal(_NOT_REPORTED)
        if found.word == word:
            return None
        if found.word is not None:
            raise LedgerRefusal(f"it was ruled on already ({found.word}), and what follows from that has begun")
        if found.reporter == _role(self, request_id, by):
            raise LedgerRefusal("whoever has reported it does not rule on it: a second person has to look")
        return found

    def _note_ruling(
        self, connection: Connection, request_id: str, at: datetime, *, word: Word, indication: str | None = None
    ) -> None:
        connection.execute(
            update(minor_reports)
            .where(minor_reports.c.tenant == self.tenant, minor_reports.c.request_id == request_id)
            .values(word=word, indication=indication, ruled_at=at)
        )
        its = (tasks.c.request_id == request_id, tasks.c.step_key == ruling_key(request_id))
        settle_tasks(self, connection, at, *its, ruling=word)

    def _tell_cleared(self, connection: Connection, request_id: str, told: int, at: datetime, lift_on: date) -> None:
        """Queue word that it is no child's data to every channel that was told that it might be."""
        said = Particulars(lift_on=lift_on).model_dump_json(exclude_none=True).encode()
        for number in range(told):
            channel, kind = told_channel(number), LetterKind.MINOR_CLEARED
            queue_letter(self, connection, request_id, kind, at, number=number, said=said, channel=channel)

    def _letter_of_clearing(self, request_id: str, told: int) -> str | None:
        """The letter on which the lifting waits; None: nobody was told, and the restriction tells of its end itself.
        The last one told is the surest: the directory's channels come after those that were given."""
        if not told:
            return None
        sent = [one for one in range(told) if self._is_mailed(request_id, one)]
        return letter_id(request_id, LetterKind.MINOR_CLEARED, (sent or [told - 1])[-1])

    def _is_mailed(self, request_id: str, number: int) -> bool:
        with self._look() as connection:
            sealed = self._vault.get(connection, request_id, "working", told_channel(number))
        return sealed is not None and Channel.unsealed(sealed).kind == "email"

    def _take_back(self, request_id: str, at: datetime) -> None:
        phase, withdrawn_at = self._how_far(request_id)
        if phase != Phase.CLOSED and withdrawn_at is None:
            self.withdraw(request_id, at=at)

    def _how_far(self, request_id: str) -> tuple[Phase, datetime | None]:
        its = (requests.c.tenant == self.tenant, requests.c.id == request_id)
        with self._look() as connection:
            row = connection.execute(select(requests.c.phase, requests.c.withdrawn_at).where(*its)).one()
        return Phase(row.phase), row.withdrawn_at


def _reported(row: AnyRow) -> Reported:
    return Reported.model_validate({name: getattr(row, name) for name in Reported.model_fields})


def _role(store: Store, request_id: str, role: str) -> bytes:
    """Which tells one role from another, and nothing else."""
    return store._people.mark(f"ROLE\0{request_id}\0{same_person(role)}")


def ruling_key(request_id: str) -> str:
    """The key of the task to rule."""
    return f"{request_id}/minor/ruling/0"


_NOT_REPORTED: Final = "nobody has reported that this is a child's data: habeas minor list shows what was reported"
