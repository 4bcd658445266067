"""Requests on their way: identities, phases, closing.

The one rule: a phase goes only where `rights.request.TRANSITIONS` lets it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    DateTime,
    LargeBinary,
    Text,
    bindparam,
    column,
    func,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.checkpoints import Checkpoint
from ledger.clocks import laws_of
from ledger.deferrals import Deferrals, end_deferral
from ledger.erasures import Erasures
from ledger.errors import LedgerRefusal
from ledger.followups import What, look_again
from ledger.gates import recourse_until
from ledger.letters import OF_LETTERS, queue_letter
from ledger.linking import Linking
from ledger.models import case_keys, chain_heads, request_subjects, requests, tasks
from ledger.models_restrictions import restrictions
from ledger.people import DETAILS, GIVEN, LEARNED, identities_text, sealed_identities
from ledger.relooks import Relooks
from ledger.remembering import Remembered, Remembering
from ledger.rests import in_use
from ledger.stopped import stands_still
from ledger.tasks import settle_tasks
from ledger.vault import OF_REQUEST, DataKey, Purpose, Sealed
from rights.codes import Code
from rights.deferred import Deferral
from rights.details import Details, details_of
from rights.receipt import Books
from rights.request import TRANSITIONS, Conclusion, Phase, Right
from rights.subject import Identity
from rights.value import Value

_ADD_SUBJECTS: Final = (
    upsert(request_subjects)
    .from_select(
        ["tenant", "request_id", "given", "digest"],
        select(
            bindparam("tenant", type_=Text),
            bindparam("request_id", type_=Text),
            bindparam("given", type_=Boolean),
            func.unnest(bindparam("digests", type_=ARRAY(LargeBinary))),
        ),
    )
    .on_conflict_do_nothing()
)
_terms = (
    func.unnest(
        bindparam("purposes", type_=ARRAY(Text)),
        bindparam("days", type_=ARRAY(DateTime(timezone=True))),
    )
    .table_valued(column("purpose", Text), column("day", DateTime(timezone=True)), name="terms")
    .render_derived()
)
_kept = (
    update(case_keys)
    .where(
        case_keys.c.tenant == bindparam("of"),
        case_keys.c.case_id == bindparam("request_id"),
        case_keys.c.purpose == _terms.c.purpose,
        # What a restriction needs to be lifted by is kept until it is (ledger/restrictions.py).
        case_keys.c.purpose.not_in(OF_REQUEST)
        | ~select(restrictions.c.request_id)
        .where(
            restrictions.c.tenant == case_keys.c.tenant,
            restrictions.c.request_id == case_keys.c.case_id,
            restrictions.c.lifted_at.is_(None),
        )
        .exists(),
    )
    .values(keep_until=_terms.c.day)
    .returning(case_keys.c.purpose)
    .cte("kept")
)
_KEEP_KEYS: Final = select(stands_still(bindparam("of", type_=Text), bindparam("request_id", type_=Text))).add_cte(
    _kept
)
"""And whether it stands still: asked once its row is locked, since the closing may have waited for the opening of an
incident, which no statement sees that began before."""
_HEAD: Final = select(chain_heads.c.seq, chain_heads.c.hash).where(chain_heads.c.tenant == bindparam("tenant"))
_here = (requests.c.tenant == bindparam("of"), requests.c.id == bindparam("request_id"))
_MOVE: Final = {
    phase: update(requests)
    .where(
        *_here,
        requests.c.phase.in_([here.value for here in Phase if phase in TRANSITIONS[here]]),
    )
    # What was approved is what the last look had found; a new look makes a new preview.
    .values({"phase": phase.value} | ({"approved_at": null()} if phase is Phase.LOCATING else {}))
    for phase in Phase
}


class StandsStill(LedgerRefusal):
    """A request is not closed while it stands still for an incident."""


class Opened(Value):
    """A request, and whether this call has opened it."""

    request_id: str
    new: bool
    also: tuple[Right, ...] = ()
    """Rights that its text may ask for as well, each a task."""


class Ending(Value):
    """What has to outlive a request that closes."""

    erased: tuple[Identity, ...] | None = None
    """Whom it has erased; None of what was no erasure, or was not carried out."""
    whole: bool = True
    """No category was left out of it by a decision."""
    relook_at: datetime | None = None
    """When it is looked at again; None: never."""
    again: bool = False
    """It was closed before, and opened again."""
    deferred: Deferral | None = None
    """What it has left for a time, and is come back to."""
    act: Remembered | None = None
    """What it has stopped, restricted or corrected, and for whom."""


class Requests(Linking, Erasures, Remembering, Relooks, Deferrals):
    """Verbs on requests; `open_request` is in ledger/opening.py, what people decide in ledger/decisions.py."""

    def identities(self, request_id: str) -> tuple[Identity, ...]:
        """All identities known so far, those given first. From the vault.

        Raises:
            LedgerRefusal: there is no such request, or they were destroyed.
        """
        with self._look() as connection:
            known = self._vault.get_all(connection, request_id, "working", GIVEN, LEARNED)
        if GIVEN not in known:
            raise LedgerRefusal("there are no identities of this request, or no longer")
        lists = (sealed_identities(known.get(name)) for name in (GIVEN, LEARNED))
        return tuple(dict.fromkeys(chain.from_iterable(lists)))

    def details(self, request_id: str, right: Right) -> Details | None:
        """What the asker has said beyond who they are; None: nothing, or it is destroyed. From the vault.

        Raises:
            VaultError: it was changed or moved, or its key-encryption key is gone.
        """
        with self._look() as connection:
            sealed = self._vault.get(connection, request_id, "working", DETAILS)
        return details_of(right, sealed) if sealed else None

    def learn(self, request_id: str, identities: Iterable[Identity], *, at: datetime) -> int:
        """Add identities that a look has found, so that holds on them bind too; how many were new.

        Each is kept as it was found, to the letter: whether case makes a difference is for the systems to say in which
        it is looked for. One that the asker gave keeps the asker's word on how far it tells people apart.
        """
        found = tuple(identities)
        if not found:
            return 0
        with self._begin() as connection:
            self._people.lock_learning(connection, self.tenant, request_id)
            sealed = self._vault.get_all(connection, request_id, "working", GIVEN, LEARNED)
            given, learned = (sealed_identities(sealed.get(name)) for name in (GIVEN, LEARNED))
            known = {(one.kind, one.value) for one in (*given, *learned)}
            new = tuple(one for one in dict.fromkeys(found) if (one.kind, one.value) not in known)
            if not new:
                return 0
            digests = self._people.digests(new)
            its = {"tenant": self.tenant, "request_id": request_id, "given": False, "digests": digests}
            connection.execute(_ADD_SUBJECTS, its)
            key = self._vault.key(connection, request_id, "working")
            self._vault.put(
                connection, request_id, key, Sealed("working", LEARNED, identities_text((*learned, *new))), at
            )
            self._journal(connection, "learned", {"identities": len(new)}, at, request_id=request_id)
        return len(new)

    def move(self, request_id: str, phase: Phase, *, at: datetime) -> None:
        """Go to a phase; no effect if the request is there. A new look takes an earlier approval back.

        Raises:
            LedgerRefusal: no transition leads there. Only `close` leads to closed.
        """
        if phase is Phase.CLOSED:
            raise LedgerRefusal("a request is closed with a conclusion, not moved")
        with self._begin() as connection:
            where = {"of": self.tenant, "request_id": request_id}
            if connection.execute(_MOVE[phase], where).rowcount:
                self._journal(connection, "moved", {"phase": phase}, at, request_id=request_id)
                return
            here = self._phase(connection, request_id)
            if here is not phase:
                raise LedgerRefusal(f"a request that is {here} cannot become {phase}")

    def note(self, request_id: str, kind: str, body: Mapping[str, object], *, at: datetime) -> None:
        """Journal something that has no row of its own (a date reached, a run found lost). Codes and counts only."""
        with self._begin() as connection:
            self._phase(connection, request_id)
            self._journal(connection, kind, body, at, request_id=request_id)

    def note_redriven(self, request_id: str, at: datetime) -> None:
        """Journal that the request's run was lost and is started again."""
        self.note(request_id, "redriven", {}, at=at)

    def close(
        self,
        request_id: str,
        conclusion: Conclusion,
        *,
        books: Mapping[str, Sequence[Books]],
        at: datetime,
        working_until: datetime,
        file_until: datetime,
        parcel_until: datetime,
        disputed_until: datetime,
        letter: str | None = None,
        look_on: datetime | None = None,
        ending: Ending | None = None,
    ) -> None:
        """Close a request, set the days on which its keys are shredded, and sign the head of the journal.

        `look_on` is when it is looked whether what was corrected still says so; what that needs is kept till then.

        `letter` is the kind of letter that tells the person of it; queued where it is known how to write to them.
        `ending` is what outlives it: whom it has erased, and when that is looked at again.

        No effect, but for another checkpoint, if it was closed so before.

        Raises:
            StandsStill: it does, for an incident.
            LedgerRefusal: it was closed with another conclusion.
        """
        keys = self._known_keys() if ending and (ending.erased is not None or ending.act) else []

        def commit() -> None:
            later = self._make_deferred_key(at) if ending and ending.deferred else None
            with self._begin() as connection:
                closed = connection.execute(
                    _MOVE[Phase.CLOSED]
                    .values(closed_at=at, conclusion=conclusion.value)
                    .returning(requests.c.right, requests.c.regime, requests.c.clocks),
                    {"of": self.tenant, "request_id": request_id},
                ).first()
                if closed is None:
                    self._refuse_other_conclusion(connection, request_id, conclusion)
                    return
                kept = recourse_until(closed.right, laws_of(closed), conclusion, at)
                days: dict[Purpose, datetime] = {
                    # With the identities go the digests by which the fence finds a copy that was refused.
                    "working": max(working_until, kept),
                    "history": working_until,
                    "pseudonym": at,
                    "parcel": parcel_until,
                    "file": file_until,
                    "disputed": disputed_until,
                }
                still = connection.scalar(
                    _KEEP_KEYS,
                    {
                        "of": self.tenant,
                        "request_id": request_id,
                        "purposes": list(days),
                        "days": list(days.values()),
                    },
                )
                if still:
                    raise StandsStill("the request stands still for an incident: it is closed once that is lifted")
                if look_on:
                    look_again(connection, self.tenant, request_id, What.RECTIFICATION, look_on)
                settle_tasks(
                    self,
                    connection,
                    at,
                    tasks.c.request_id == request_id,
                    # A letter is still to be posted when everything else is done, and what stays is still in use.
                    tasks.c.code.not_in([code.value for code in OF_LETTERS]),
                    ~in_use(ending.deferred.left if ending and ending.deferred else ()),
                    tasks.c.step_key.not_like("%/recipient/%"),
                    # What else the text asks for is not answered by the end of this.
                    tasks.c.code != Code.ALSO_ASKED.value,
                )
                body = {
                    "conclusion": conclusion,
                    "books": {system: list(of) for system, of in books.items()},
                }
                if letter:
                    queue_letter(self, connection, request_id, letter, at, only_if_known=True)
                if ending:
                    ground = f"{closed.regime}: {closed.right}"
                    self._outlive(connection, request_id, ending, keys, ground, later, at)
                self._wake_waiting(connection, request_id, at)
                self._journal(connection, "closed", body, at, request_id=request_id)
                if ending and ending.deferred:
                    self._journal_deferral(connection, request_id, ending.deferred, at)

        self._with_kek(commit)
        self.checkpoint(at=at)

    def _outlive(
        self,
        connection: Connection,
        request_id: str,
        ending: Ending,
        keys: Sequence[bytes],
        ground: str,
        later: DataKey | None,
        at: datetime,
    ) -> None:
        if later and ending.deferred:
            self._defer(connection, request_id, ending.deferred, later, at)
        elif ending.again:
            # What it had left before is answered anew.
            end_deferral(self, connection, request_id, None, at)
        if ending.erased is not None:
            self._remember_erasure(
                connection, request_id, ending.erased, keys, ground, at, whole=ending.whole, relook_at=ending.relook_at
            )
        elif ending.relook_at:
            self._plan_relook(connection, request_id, ending.relook_at)
        if ending.act:
            self._remember_act(connection, request_id, ending.act, keys, at)
        if ending.again:
            self._end_reopening(connection, request_id)

    def _refuse_other_conclusion(self, connection: Connection, request_id: str, conclusion: Conclusion) -> None:
        before = connection.scalar(
            select(requests.c.conclusion).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
        )
        if before is None:
            raise LedgerRefusal("there is no request of this id")
        if before != conclusion:
            raise LedgerRefusal(f"the request was closed as {before}, so not as {conclusion}")

    def checkpoint(self, *, at: datetime) -> Checkpoint | None:
        """Sign the head of the journal and place it outside; None if nothing is journaled or no place was given."""
        with self._look() as connection:
            head = connection.execute(_HEAD, {"tenant": self.tenant}).first()
        if head is None or self._checkpoints is None:
            return None
        made = Checkpoint(tenant=self.tenant, seq=head.seq, hash=head.hash.hex(), at=at)
        self._checkpoints.add(made)
        return made

    def _phase(self, connection: Connection, request_id: str) -> Phase:
        found = connection.scalar(
            select(requests.c.phase).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
        )
        if found is None:
            raise LedgerRefusal("there is no request of this id")
        return Phase(found)
