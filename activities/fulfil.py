"""One step on one system: identities out of the vault, a call to the connector, a receipt into the ledger.

The one rule: safe to run twice. A settled act answers from the ledger, and so does what a person has ruled to be done
or given up; any other look is always carried out.
"""

import itertools
import json
from collections.abc import Callable
from functools import partial

from temporalio import activity

from activities.acting import Acting
from activities.calls import (
    FINAL_WORDS,
    Beat,
    Doing,
    Ready,
    beating,
    by_word,
    keep,
    knowing,
    make_ready,
    read,
    seal_anchors,
    wall_clock,
)
from activities.holding import held_anew, is_due
from activities.outcomes import Answer, Learned, Queued, Spooled, answer_of, as_kept, receipt_for, receipt_of
from activities.parcels import only_planned, spool
from activities.store import StoreError
from activities.tools import Tools
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable, Unsupported
from connectors.protocol import (
    Batches,
    Call,
    Candidate,
    Connector,
    Erases,
    Exports,
    Look,
    Pending,
    Suppresses,
)
from ledger.steps import AtStep
from rights.audience import mask
from rights.codes import Code
from rights.holdlaw import ground_of
from rights.holds import ASK_AGAIN, as_held
from rights.plan import Operation, Step
from rights.receipt import Count, Receipt, Tally

Doer = Callable[[Connector, Call, Step], Answer]


class FulfilActivities:
    """The operations, as activity types of their own so that the UI names them."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._acting = tools, Acting(tools)

    @activity.defn(name="locate", no_thread_cancel_exception=True)
    def locate(self, doing: Doing) -> Receipt:
        """Count the person's rows in one system and seal the anchors."""
        return self._perform(doing, self._locate)

    @activity.defn(name="export", no_thread_cancel_exception=True)
    def export(self, doing: Doing) -> Receipt:
        """Stream the person's rows of one system into its sealed spool."""
        return self._perform(doing, self._export)

    @activity.defn(name="erase", no_thread_cancel_exception=True)
    def erase(self, doing: Doing) -> Receipt:
        """Delete or rewrite the person's rows in one system, fence by fence."""
        return self._perform(doing, self._erase)

    @activity.defn(name="suppress", no_thread_cancel_exception=True)
    def suppress(self, doing: Doing) -> Receipt:
        """Have one system collect nothing more about the person."""
        return self._perform(doing, self._suppress)

    @activity.defn(name="restrict", no_thread_cancel_exception=True)
    def restrict(self, doing: Doing) -> Receipt:
        """Lock the person's data in one system away."""
        return self._perform(doing, self._acting.restrict)

    @activity.defn(name="lift", no_thread_cancel_exception=True)
    def lift(self, doing: Doing) -> Receipt:
        """Put back what was locked away in one system."""
        return self._perform(doing, self._acting.lift)

    @activity.defn(name="rectify", no_thread_cancel_exception=True)
    def rectify(self, doing: Doing) -> Receipt:
        """Correct what one system says of the person, fence by fence."""
        return self._perform(doing, self._acting.rectify)

    @activity.defn(name="verify", no_thread_cancel_exception=True)
    def verify(self, doing: Doing) -> Receipt:
        """Look again, by identities and by anchors."""
        return self._perform(doing, self._verify)

    def _perform(self, doing: Doing, work: Doer) -> Receipt:
        tools, step = self._tools, doing.step
        known = read(tools, step)
        if known.settled and not step.operation.look:
            return keep(tools, doing, known, known.settled)
        if known.word in FINAL_WORDS:
            return keep(tools, doing, known, by_word(tools, step, known.word, doing.as_of))
        with beating() as beat:
            receipt = receipt_for(step, partial(self._carry_out, doing, known, work, beat), doing.as_of)
        if receipt.code == Code.QUEUED and self._gathers(step):
            # One that a secret hold stops as well: a system that nobody waits for, while a step of it is said to wait,
            # would tell of the hold.
            tools.ledger.join_sweep(step, doing.model_dump_json())
        return keep(tools, doing, known, receipt)

    def _carry_out(self, doing: Doing, known: AtStep, work: Doer, beat: Beat) -> Answer:
        if answered := self._swept(doing.step):
            # Before anything else: a sweep whose answer was a refusal has left its call uncounted, and nobody need wait
            # for the end of that to be told.
            return answered
        ready, answer = self._attempt(doing, known, work, beat)
        if isinstance(answer, Held) and held_anew(self._tools, doing.step, known):
            # A hold was placed meanwhile, or the person is known by more: what it covers stays, and the rest goes.
            known = read(self._tools, doing.step)
            ready, answer = self._attempt(doing, known, work, beat)
        if isinstance(answer, Held) and answer.code is Code.LEGAL_HOLD and self._says_it_stays(doing, known):
            answer = as_kept(answer, doing.step.operation)
        if isinstance(answer, ConnectorError):
            raise answer
        ready.answered(answer)
        again = knowing(self._tools, doing.step, ready.learnt) if ready.learnt else ()
        receipt = receipt_of(doing.step, Learned(answer, again) if again else answer, doing.as_of)
        due = is_due(known.request.clock, doing.as_of)
        return as_held(receipt, ready.holding, partial(ground_of, regimes=known.request.regimes), due=due)

    def _says_it_stays(self, doing: Doing, known: AtStep) -> bool:
        """Whether what a system itself holds is said to stay, and come back to later: when the person is to be
        answered; and at once where they were, and this is the rest."""
        due = is_due(known.request.clock, doing.as_of)
        return due or self._tools.ledger.carries_out(doing.step.request_id) is not None

    def _attempt(self, doing: Doing, known: AtStep, work: Doer, beat: Beat) -> tuple[Ready, Answer | ConnectorError]:
        ready = make_ready(self._tools, doing, known, beat)
        return ready, answer_of(partial(work, ready.connector, ready.call, doing.step))

    def _locate(self, connector: Connector, call: Call, step: Step) -> Learned:
        look = connector.locate(call)
        self._seal_look(step, call, look)
        return self._learned(step, call, look)

    def _verify(self, connector: Connector, call: Call, step: Step) -> Answer:
        if call.corrections:
            return self._acting.still_says(connector, call, step)
        if not isinstance(connector, Erases):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        try:
            look = connector.verify(call)
        except NeedsHuman as error:
            self._seal_question(connector, call, step, error)
            raise
        if not isinstance(look, Look):
            return look
        if look.candidates or look.links:
            self._seal_look(step, call, look)
        return self._learned(step, call, look)

    def _learned(self, step: Step, call: Call, look: Look) -> Learned:
        known = {(one.kind, one.value) for one in call.identities}
        new = {link.kind for link in look.links if (link.kind, link.value) not in known}
        return Learned(look, knowing(self._tools, step, new))

    def _export(self, connector: Connector, call: Call, step: Step) -> Spooled | Pending:
        if not isinstance(connector, Exports):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        tools = self._tools
        key = tools.ledger.case_key(step.request_id, "parcel", create=True)
        try:
            exports = connector.export(call)
            if isinstance(exports, Pending):
                return exports
            wanted = only_planned(exports, call.work)
            spooled = spool(tools.store, step.request_id, step.system, wanted, key=key, beat=call.beat)
        except StoreError:
            raise Retryable(Code.STORE, step.system) from None
        except NeedsHuman as error:
            # What is to be delivered is first to be read by somebody, who is shown it by number.
            self._seal_question(connector, call, step, error)
            raise
        counts = tuple(Count(collection=name, found=rows) for name, rows in spooled.rows.items())
        return Spooled(Tally(counts=counts), spooled.digest, spooled.size)

    def _swept(self, step: Step) -> Receipt | None:
        """What a sweep has answered to a step."""
        answer = self._tools.ledger.fetch_swept(step.key) if self._gathers(step) else None
        return Receipt.model_validate_json(answer) if answer else None

    def _gathers(self, step: Step) -> bool:
        """Whether a step is done together with others'."""
        return step.operation is Operation.ERASE and isinstance(self._tools.connectors.get(step.system), Batches)

    def _erase(self, connector: Connector, call: Call, step: Step) -> Tally | Pending | Queued:
        if not isinstance(connector, Erases):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        if isinstance(connector, Batches) and self._gathers(step) and not call.job:
            # Once for many people (activities/sweep.py); what the system goes on with is asked for one by one.
            return Queued(ASK_AGAIN)
        try:
            return connector.erase(call)
        except NeedsHuman as error:
            self._seal_question(connector, call, step, error)
            raise

    def _suppress(self, connector: Connector, call: Call, step: Step) -> Tally:
        if isinstance(connector, Suppresses):
            return connector.suppress(call)
        # A person need see to it only where there is something of whoever has opted out.
        look = connector.locate(call)
        wanted = {work.collection for work in call.work if work.stops != ()}
        if not (look.candidates or any(look.tally.of(name).found for name in wanted)):
            return Tally()
        raise Unsupported(Code.UNSUPPORTED, step.system, tally=look.tally)

    def _seal_look(self, step: Step, call: Call, look: Look) -> None:
        """Keep what a look found: anchors of all looks together, since a later one may no longer reach them."""
        ledger = self._tools.ledger
        seal_anchors(self._tools, step, call.anchors, look.anchors)
        if look.links:
            # A hold on what a look has learnt binds as well.
            ledger.learn(step.request_id, look.links, at=wall_clock())
        self._seal_candidates(step, look.candidates)

    def _seal_question(self, connector: Connector, call: Call, step: Step, error: NeedsHuman) -> None:
        """Keep what somebody is asked to choose from. Rows that came after the look are in doubt now, and who is asked
        whose they are has to see them."""
        if error.code is Code.SEVERAL_PEOPLE and not error.candidates:
            self._seal_look(step, call, connector.locate(call))
        self._seal_candidates(step, error.candidates)

    def _seal_candidates(self, step: Step, candidates: tuple[Candidate, ...]) -> None:
        if candidates:
            ledger, name = self._tools.ledger, f"candidates/{step.system}"
            shown = _numbered(ledger.unseal(step.request_id, "working", name), candidates)
            ledger.seal(step.request_id, "working", name, json.dumps(shown).encode(), at=wall_clock())


def _numbered(sealed: bytes | None, candidates: tuple[Candidate, ...]) -> list[dict[str, object]]:
    """Candidates as an agent sees them: masked, and under the numbers that earlier looks have given them.

    An agent who rules on a list seen before a repeated look must not choose somebody else by it.
    """
    before = {(old["collection"], *old["key"]): old["number"] for old in json.loads(sealed or b"[]")}
    fresh = itertools.count(max(before.values(), default=0) + 1)
    return [
        {
            "number": before.get((candidate.collection, *candidate.key)) or next(fresh),
            "collection": candidate.collection,
            "key": list(candidate.key),
            "traits": {trait: mask(value) for trait, value in candidate.traits.items()} | dict(candidate.shown),
        }
        for candidate in candidates
    ]
