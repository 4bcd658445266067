"""Packaging what was exported, and closing a request: books, conclusion, and the dates on which things are destroyed.

The one rule: the conclusion is computed from receipts and looks in the ledger, never from what a workflow remembers.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import orjson
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.concluding import Given, conclude, weighed_to
from activities.disputes import end_erased, note_refused
from activities.facts import ParcelFacts
from activities.matters import OF_MATTERS
from activities.opening import Ask
from activities.parcels import Packed, discard, package
from activities.restricting import end_restriction, owed_in
from activities.store import StoreError
from activities.tools import Tools
from activities.transmission import FILES
from ledger.remembering import Remembered
from ledger.requestrow import RequestRow
from ledger.requests import Ending, StandsStill
from rights.appeals import WINDOW
from rights.codes import Code
from rights.course import COURSES
from rights.deferred import Deferral, deferred
from rights.holds import STOPPED
from rights.lasting import lasting
from rights.letterkinds import TOLD_BEFORE, LetterKind, answer_kind
from rights.plan import Operation, Plan
from rights.receipt import Books, Certainty, Outcome, Receipt, keep_books, newest, vouching
from rights.redaction import Mark, digests, to_review
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from rights.restriction import Ground
from rights.rests import asks_of
from rights.several import owed
from rights.subject import Identity
from rights.value import Value

_REMEMBERED: Final = frozenset(
    right
    for right, course in COURSES.items()
    if course.act in {Operation.RESTRICT, Operation.RECTIFY, Operation.SUPPRESS}
)
"""Rights of which it is remembered for whom what was done, when all else of them is shredded."""


class Closed(Value):
    """How a request ended, in numbers."""

    conclusion: Conclusion
    systems: int
    rows_erased: int = 0
    rows_exported: int = 0
    stopped: bool = False
    """It is not closed yet: it stands still for an incident."""


_STANDS_STILL: Final = Closed(conclusion=Conclusion.NOT_DONE, systems=0, stopped=True)


class Unaccounted(Value):
    """What is to be looked at before it can be said what is gone."""

    systems: tuple[str, ...]
    busy_seconds: int = 0
    """How long a call may still be running in one of them."""


class ClosingActivities:
    """The last steps of a request."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="package", no_thread_cancel_exception=True)
    def package(self, ask: Ask) -> str:
        """Seal the parcel from the spools; returns the SHA-256 of the ZIP, hex.

        While somebody has to go through what is to be delivered nothing is packed, and the text is empty.
        """
        tools = self._tools
        ledger = tools.ledger
        row = ledger.request(ask.request_id)
        ledger.move(ask.request_id, Phase.PACKAGING, at=ask.as_of)
        receipts = ledger.receipts(ask.request_id)
        exported = newest(receipts, Operation.EXPORT)
        systems = tuple(name for name, receipt in exported.items() if receipt.exported)
        review = to_review(tools.pinned(row.map_digest), exported.values())
        if review and ledger.reviewed(ask.request_id) != digests(exported.values(), review):
            return ""
        try:
            packed = self._pack(ask, row, receipts, systems)
        except StoreError:
            raise ApplicationError(Code.STORE, type="Retryable") from None
        if row.right is Right.PORTABILITY:
            # What a receiver is told of it; the names of files may be a person's.
            parts = [{"path": f.path, "size": f.size, "sha256": f.digest} for f in packed.manifest]
            ledger.seal(ask.request_id, "working", FILES, orjson.dumps(parts), at=ask.as_of)
        ledger.keep_parcel(ask.request_id, packed.digest, packed.size, packed.rows, packed.redacted, at=ask.as_of)
        return packed.digest

    def _pack(self, ask: Ask, row: RequestRow, receipts: list[Receipt], systems: tuple[str, ...]) -> Packed:
        tools, ledger, office = self._tools, self._tools.ledger, self._tools.office
        exported = newest(receipts, Operation.EXPORT)
        authorities = owed([office.authorities[law]] for law in row.regimes if law in office.authorities)
        return package(
            tools.store,
            ask.request_id,
            systems,
            key=ledger.case_key(ask.request_id, "parcel", create=True),
            facts=ParcelFacts.of(
                ask.request_id,
                tools.map_of(row),
                row.clock,
                {**newest(receipts, Operation.LOCATE), **exported},
                right=row.right,
                regimes=row.regimes,
                disputes=ledger.disputes_of(row.id, tools.pinned(row.map_digest).shared_kinds),
                register=tools.register,
                controller=office.controller,
                contact=office.dpo,
                authority="; ".join(f"{one.name}, {one.contact}" for one in authorities),
                language=office.language,
            ),
            as_of=ask.as_of,
            beat=_beat,
            marks=self._marks(row, exported),
        )

    def _marks(self, row: RequestRow, exported: dict[str, Receipt]) -> list[Mark]:
        """What somebody has taken out of these very exports."""
        if not to_review(self._tools.pinned(row.map_digest), exported.values()):
            return []
        known = {name: receipt.digest for name, receipt in exported.items()}
        marks = (mark for held in self._tools.ledger.redactions(row.id) for mark in held.marks)
        return [mark for mark in marks if mark.export == known.get(mark.system)]

    @activity.defn(name="unaccounted", no_thread_cancel_exception=True)
    def unaccounted(self, ask: Ask) -> Unaccounted:
        """The systems in which something may have been destroyed since they were last looked at after it. What a system
        has accepted it goes on with by itself, and that is what is said of it: a look would find it not done."""
        ledger = self._tools.ledger
        receipts = ledger.receipts(ask.request_id)
        acted, seen = newest(receipts, Operation.ERASE), newest(receipts, Operation.VERIFY)
        accepted = {n for n, r in acted.items() if r.outcome is Outcome.PENDING and r.certainty is Certainty.ACCEPTED}
        touched = [one for one in ledger.touched(ask.request_id) if one.system not in accepted]
        owed = [one for one in touched if one.system not in seen or seen[one.system].at < one.at]
        return Unaccounted(
            systems=tuple(one.system for one in owed),
            busy_seconds=math.ceil(max((one.busy.total_seconds() for one in owed), default=0)),
        )

    @activity.defn(name="close", no_thread_cancel_exception=True)
    def close(self, ask: Ask) -> Closed:
        """Draw the conclusion, write the books, set the keep-until dates, sign the chain's head."""
        tools = self._tools
        ledger = tools.ledger
        row = ledger.request(ask.request_id)
        if row.incident and row.phase is not Phase.CLOSED:
            return _STANDS_STILL
        # What was seen before it was opened again, and done once more, vouches for nothing.
        receipts = vouching(ledger.receipts(ask.request_id), COURSES[row.right].act)
        located = newest(receipts, Operation.LOCATE)
        plan = ledger.plan(ask.request_id) if row.right is Right.ERASURE else None
        acted = set(newest(receipts, Operation.ERASE))
        if plan and row.withdrawn:
            # Where a worker was killed behind its fence nobody may have told of the call.
            acted |= {one.system for one in ledger.touched(row.id)}
        books = {name: self._books(row, name, receipts, plan) for name in sorted(acted)}
        weighed = ledger.weighing(row.id) if row.right in OF_MATTERS else None
        owed, passed_on = owed_in(tools, row), row.withdrawn and ledger.passed_on_to(row.id) is not None
        conclusion = (
            row.conclusion
            or weighed_to(row, weighed)
            or conclude(row, receipts, books, owed, self._given(row), passed_on=passed_on)
        )
        if row.phase is not Phase.CLOSED:
            terms = tools.terms
            ending = self._ending(ask, row, receipts, conclusion)
            note_refused(tools, row, ask.as_of, conclusion)
            if ending and ending.whole:
                # Before it is closed: what is closed is not closed once more.
                end_erased(tools, row, ask.as_of, conclusion, receipts, books)
            working = max(terms.working, _appealable(row), terms.relook)
            try:
                ledger.close(
                    ask.request_id,
                    conclusion,
                    books=books,
                    at=ask.as_of,
                    working_until=ask.as_of + working,
                    file_until=ask.as_of + terms.file,
                    parcel_until=ask.as_of + terms.parcel,
                    disputed_until=ask.as_of + terms.disputed,
                    letter=self._letter(ask, row, conclusion, books, receipts),
                    ending=ending,
                    look_on=ask.as_of + terms.lasting if _corrected(row, receipts) else None,
                )
            except StandsStill:
                # Since this began; what was done above is done again, to the same effect.
                return _STANDS_STILL
        if conclusion in {Conclusion.WITHDRAWN, Conclusion.PASSED_ON, Conclusion.REFUSED}:
            # Whoever takes a request back wants nothing restricted for it, what is refused is not decided on, and what
            # is passed on is for another to decide.
            end_restriction(tools, ask)
        exported = newest(receipts, Operation.EXPORT)
        # Only now: a run that is started anew packs the same spools again.
        discard(tools.store, ask.request_id, exported)
        return Closed(
            conclusion=conclusion,
            systems=len(located),
            rows_erased=sum(b.erased for of in books.values() for b in of),
            rows_exported=sum(r.tally.found for r in exported.values()),
        )

    def _ending(self, ask: Ask, row: RequestRow, receipts: list[Receipt], conclusion: Conclusion) -> Ending | None:
        """What has to outlive the request: whom it has erased, and when that is looked at again."""
        tools = self._tools
        done = conclusion in {Conclusion.ANSWERED, Conclusion.IN_PART}
        erased: tuple[Identity, ...] | None = None
        if row.right is Right.ERASURE and (done or conclusion is Conclusion.NOTHING_HELD):
            # An address that several people may have would take somebody else's data along.
            shared = tools.pinned(row.map_digest).shared_kinds
            erased = tuple(one for one in tools.ledger.identities(row.id) if one.kind not in shared)
        # A correction is looked at again by a run of its own (activities/following.py).
        relook = done and row.right is Right.ERASURE and bool(relooked(receipts))
        rest = self._rest(ask, row, receipts) if row.right is Right.ERASURE and done else None
        act = self._act(row) if done and row.right in _REMEMBERED else None
        if erased is None and not relook and not ask.again and rest is None and act is None:
            return None
        return Ending(
            erased=erased,
            whole=not (row.decided and row.decided.parts),
            relook_at=ask.as_of + tools.terms.relook if relook else None,
            again=ask.again,
            deferred=rest,
            act=act,
        )

    def _act(self, row: RequestRow) -> Remembered | None:
        """What it has had done, for the day on which a backup is restored that does not have it."""
        ledger, pinned = self._tools.ledger, self._tools.pinned(row.map_digest)
        details = ledger.details(row.id, row.right)
        said = lasting(details, pinned) if details else None
        if said is None:
            return None
        known = tuple(one for one in ledger.identities(row.id) if one.kind not in pinned.shared_kinds)
        return Remembered(people=known, details=said)

    def _rest(self, ask: Ask, row: RequestRow, receipts: list[Receipt]) -> Deferral | None:
        """What it leaves and is come back to. Whom counsel has told hears nothing of the engine later either; and to
        carry out what comes back by itself puts no review of the rest off."""
        ledger = self._tools.ledger
        rest = deferred(receipts, ask.as_of, asks_of(self._tools.map_of(row)), self._tools.terms.rest_review)
        if rest is None:
            return None
        before = ledger.carries_out(row.id)
        days = [one for one in (before.ask_at if before else None, rest.ask_at) if one and one > ask.as_of]
        told = not ledger.answered_by_counsel(row.id)
        return rest.model_copy(update={"told": told, "ask_at": min(days) if rest.ask_at else None})

    def _by_counsel(self, row: RequestRow, conclusion: Conclusion) -> bool:
        """Whether counsel has answered it, since a hold that must stay secret touches it."""
        maybe = row.right in STOPPED and conclusion is Conclusion.IN_PART
        return maybe and self._tools.ledger.answered_by_counsel(row.id)

    def _letter(
        self,
        ask: Ask,
        row: RequestRow,
        conclusion: Conclusion,
        books: Mapping[str, Sequence[Books]],
        receipts: list[Receipt],
    ) -> str | None:
        """The letter that tells how it ended: once, and not where counsel has written it. Of the rest of an earlier
        request nothing is told while nothing of it is gone: the person knows that it stays. But they were told until
        when, so that they hear of what was given up and is not come back to any more."""
        if not self._tools.mail or ask.again or self._by_counsel(row, conclusion):
            return None
        if row.right is Right.ERASURE and conclusion is Conclusion.IN_PART:
            gone = any(book.erased for of in books.values() for book in of)
            each = (newest(receipts, one) for one in (Operation.LOCATE, Operation.ERASE, Operation.VERIFY))
            given_up = any(r.code == Code.RULED_OUT for last in each for r in last.values())
            if not (gone or given_up) and self._tools.ledger.carries_out(row.id) and not row.rests_opened:
                return None
        if row.right is Right.ERASURE and conclusion is Conclusion.WITHDRAWN and not row.confirmed:
            report = self._tools.ledger.minor_report(row.id)
            if report and report.word == "not_child":
                # Nobody has taken it back: it is none, and every channel on file hears so (ledger/minors.py).
                return None
        if row.right is Right.RESTRICTION and conclusion is Conclusion.ANSWERED:
            restriction = self._tools.ledger.restriction(row.id)
            if restriction and restriction.ground is Ground.MINOR:
                # A report has told every channel on file of it (ledger/minorwatch.py).
                return None if self._tools.ledger.puts_out_of_use(row.id) else LetterKind.MINOR_RESTRICTED.value
        return _letter(row, conclusion)

    def _given(self, row: RequestRow) -> Given:
        """What of a copy the person has."""
        if not row.right.copies:
            return Given()
        ledger = self._tools.ledger
        if not row.confirmed:
            return Given(categories=ledger.categories_told(row.id))
        return Given(parcel=ledger.parcel(row.id) is not None)

    def _books(self, row: RequestRow, system: str, receipts: list[Receipt], plan: Plan | None) -> tuple[Books, ...]:
        """The books of one system; empty until a look has closed them."""
        ledger = self._tools.ledger
        verified = newest(receipts, Operation.VERIFY).get(system)
        if verified is None or verified.certainty is not Certainty.VERIFIED:
            return ()
        before = ledger.before(row.id, system)
        if before is None:
            # No destructive call was ever made: the look of the erasure itself is the one before.
            before = newest(receipts, Operation.ERASE)[system].tally
        return keep_books(
            before, ledger.deleted(row.id, system), verified.tally, self._pseudonymised(row, system, plan)
        )

    def _pseudonymised(self, row: RequestRow, system: str, plan: Plan | None) -> dict[str, int | None]:
        """Rows with a pseudonym, of the collections that may have some: a call that was cut there may have left any
        number of them, while a call elsewhere has left none."""
        works = [w for part in plan.systems if part.system == system for w in part.works] if plan else []
        if not any(work.leaves_pseudonyms for work in works):
            return {}
        counted = self._tools.ledger.pseudonymised(row.id, system)
        return {work.collection: counted.get(work.collection, 0) for work in works if work.leaves_pseudonyms}


def relooked(receipts: list[Receipt]) -> tuple[str, ...]:
    """The systems of which it was said that it was looked again: they are looked at once more, days later."""
    seen = newest(receipts, Operation.VERIFY)
    return tuple(name for name, receipt in seen.items() if receipt.certainty is Certainty.VERIFIED)


def _corrected(row: RequestRow, receipts: list[Receipt]) -> bool:
    """Whether the engine has corrected anything, so that it has to be looked whether that lasts."""
    acted = newest(receipts, Operation.RECTIFY).values() if row.right is Right.RECTIFICATION else ()
    return any(r.outcome is Outcome.DONE and r.certainty is not Certainty.ATTESTED for r in acted)


def _appealable(row: RequestRow) -> timedelta:
    """How long the identities may be needed to carry out anew what somebody appeals against."""
    return WINDOW if any(regime(law).appeal for law in row.regimes) else timedelta(0)


def _beat() -> None:
    """Still alive, where the server asks for it: not of what the workflow's own task waits for."""
    if not activity.info().is_local:
        activity.heartbeat()


def _letter(row: RequestRow, conclusion: Conclusion) -> str | None:
    """The letter that tells the person how it ended; None where one has told it before."""
    kind = answer_kind(row.right, conclusion, decided=row.declined)
    return None if kind is None or kind in TOLD_BEFORE else kind.value
