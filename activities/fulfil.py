"""One step on one system: identities out of the vault, a call to the connector, a receipt into the ledger.

The one rule: safe to run twice. A settled act answers from the ledger; a look is always carried out.
"""

import contextvars
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from activities.fence import LedgerFence
from activities.outcomes import Answer, Spooled, receipt_for
from activities.parcels import spool
from activities.store import StoreError
from activities.tools import Tools
from connectors.errors import NeedsHuman, Retryable, Unsupported
from connectors.protocol import (
    Anchors,
    Bounded,
    Call,
    Candidate,
    Connector,
    Erases,
    Exports,
    Look,
    Pending,
    Rulings,
)
from ledger.standing import RequestRow
from ledger.steps import AtStep
from rights.audience import mask
from rights.codes import Code
from rights.datamap import Mode, Strategy, System
from rights.plan import Operation, Step, SystemPlan, make_plan
from rights.receipt import Count, Outcome, Receipt, Tally
from rights.request import Phase
from rights.value import Value

FOR_A_PERSON = frozenset({Outcome.HELD, Outcome.UNSUPPORTED, Outcome.NEEDS_HUMAN})
"""Outcomes that put the step on somebody's desk."""

PHASES = {
    Operation.LOCATE: Phase.LOCATING,
    Operation.EXPORT: Phase.FULFILLING,
    Operation.ERASE: Phase.FULFILLING,
    Operation.VERIFY: Phase.VERIFYING,
}

Work = Callable[[Connector, Call, Step], Answer]

BEAT_EVERY = 3.0
"""Seconds between heartbeats from the side thread; a third of the heartbeat timeout (workflows/policies.py)."""


class Doing(Value):
    """A step and the workflow's time."""

    step: Step
    as_of: datetime


class FulfilActivities:
    """The four operations that access and erasure need, as activity types of their own so that the UI names them."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

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

    @activity.defn(name="verify", no_thread_cancel_exception=True)
    def verify(self, doing: Doing) -> Receipt:
        """Look again, by identities and by anchors."""
        return self._perform(doing, self._verify)

    def _perform(self, doing: Doing, work: Work) -> Receipt:
        ledger, step = self._tools.ledger, doing.step
        names = (f"anchors/{step.system}", f"rulings/{step.system}")
        known = ledger.at_step(step.request_id, step.system, step.key, *names)
        if known.settled and not step.operation.look:
            return known.settled
        with _beating() as beat:
            receipt = receipt_for(step, partial(self._carry_out, doing, known, work, beat), doing.as_of)
        receipt = ledger.keep_receipt(receipt)
        if receipt.outcome in FOR_A_PERSON:
            about = receipt.about or step.system
            ledger.open_task(step.request_id, step.key, Code(receipt.code), about, at=doing.as_of)
        return receipt

    def _carry_out(
        self,
        doing: Doing,
        known: AtStep,
        work: Work,
        beat: Callable[[], None],
    ) -> Answer:
        tools, step, row = self._tools, doing.step, known.request
        self._enter(row, doing)
        data_map = tools.pinned(row.map_digest)
        system = data_map.systems[step.system]
        present = tools.data_map.systems.get(step.system)
        connector = tools.connector(system)
        if connector is None or present is None:
            raise NeedsHuman(Code.MAP_CHANGED, step.system)
        if step.operation is Operation.ERASE:
            _may_erase(system, present, approved=row.approved)
        # The stored plan, so that erase and verify draw the line of a duty to keep on the same day.
        plan = known.plan or make_plan(row.right, data_map, doing.as_of)
        part = plan.of(step.system)
        cut = known.open_intents if step.operation is Operation.ERASE else ()
        fence = LedgerFence(
            tools,
            step,
            max_people_per_hour=present.max_people_per_hour,
            limit=connector.longest if isinstance(connector, Bounded) else tools.limits.call,
            cut=cut,
            clock=_wall_clock,
        )
        call = Call(
            key=step.key,
            session=_session(step),
            as_of=doing.as_of,
            system=system,
            work=part.works,
            identities=known.identities,
            beat=beat,
            fence=fence,
            cut_short=bool(cut),
            anchors=_anchors(known.sealed.get(f"anchors/{step.system}")),
            rulings=_rulings(known.sealed.get(f"rulings/{step.system}")),
            environment=tools.environment,
            pseudonym_key=self._pseudonym_key(step, part),
        )
        answer = work(connector, call, step)
        fence.settle_cut()
        return answer

    def _enter(self, row: RequestRow, doing: Doing) -> None:
        """Note the phase. A look of a run that was lost and started again does not lead back: what was approved stays
        approved; only a ruling does that (activities/planning.py)."""
        there = PHASES[doing.step.operation]
        begun = row.phase not in {Phase.RECEIVED, Phase.CONFIRMING}
        if row.phase is not there and not (there is Phase.LOCATING and begun):
            self._tools.ledger.move(doing.step.request_id, there, at=doing.as_of)

    def _locate(self, connector: Connector, call: Call, step: Step) -> Look:
        look = connector.locate(call)
        self._seal_look(step, call, look)
        return look

    def _verify(self, connector: Connector, call: Call, step: Step) -> Look | Pending:
        if not isinstance(connector, Erases):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        look = connector.verify(call)
        if isinstance(look, Look) and look.candidates:
            self._seal_look(step, call, look)
        return look

    def _export(self, connector: Connector, call: Call, step: Step) -> Spooled | Pending:
        if not isinstance(connector, Exports):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        tools = self._tools
        key = tools.ledger.case_key(step.request_id, "parcel", create=True)
        exports = connector.export(call)
        if isinstance(exports, Pending):
            return exports
        try:
            spooled = spool(tools.store, step.request_id, step.system, exports, key=key, beat=call.beat)
        except StoreError:
            raise Retryable(Code.STORE, step.system) from None
        counts = tuple(Count(collection=name, found=rows) for name, rows in spooled.rows.items())
        return Spooled(Tally(counts=counts), spooled.digest, spooled.size)

    def _erase(self, connector: Connector, call: Call, step: Step) -> Tally | Pending:
        if not isinstance(connector, Erases):
            raise Unsupported(Code.UNSUPPORTED, step.system)
        return connector.erase(call)

    def _seal_look(self, step: Step, call: Call, look: Look) -> None:
        """Keep what a look found: anchors of all looks together, since a later one may no longer reach them."""
        ledger = self._tools.ledger
        anchors = _join(call.anchors, look.anchors)
        if anchors != call.anchors:
            body = json.dumps(anchors, separators=(",", ":")).encode()
            ledger.seal(step.request_id, "working", f"anchors/{step.system}", body, at=_wall_clock())
        if look.links:
            # A hold on what a look has learnt binds as well.
            ledger.learn(step.request_id, look.links, at=_wall_clock())
        if look.candidates:
            name = f"candidates/{step.system}"
            shown = _numbered(ledger.unseal(step.request_id, "working", name), look.candidates)
            ledger.seal(step.request_id, "working", name, json.dumps(shown).encode(), at=_wall_clock())

    def _pseudonym_key(self, step: Step, part: SystemPlan) -> bytes:
        writes = (w for work in part.works for w in (*work.writes, *(w for k in work.keeps for w in k.writes)))
        if step.operation is Operation.LOCATE or not any(w.strategy is Strategy.PSEUDONYM for w in writes):
            return b""
        return self._tools.ledger.case_key(step.request_id, "pseudonym", create=True)


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
            "traits": {trait: mask(value) for trait, value in candidate.traits.items()},
        }
        for candidate in candidates
    ]


def _may_erase(pinned: System, present: System, *, approved: bool) -> None:
    """Whether the operator lets the engine destroy in this system; the stricter of the pinned and the present mode."""
    modes = {pinned.mode, present.mode}
    if Mode.OBSERVE in modes:
        raise NeedsHuman(Code.OBSERVE, pinned.system)
    if Mode.APPROVE in modes and not approved:
        raise NeedsHuman(Code.APPROVAL, pinned.system)


def _session(step: Step) -> str:
    """A short opaque name for all attempts and rounds of one request in one system; targets show it."""
    return f"habeas-{hashlib.sha256(f'{step.request_id}/{step.system}'.encode()).hexdigest()[:24]}"


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def _anchors(sealed: bytes | None) -> Anchors:
    if sealed is None:
        return {}
    return {
        collection: {name: tuple(values) for name, values in fields.items()}
        for collection, fields in json.loads(sealed).items()
    }


def _rulings(sealed: bytes | None) -> Rulings:
    if sealed is None:
        return Rulings()
    body = json.loads(sealed)
    return Rulings(
        mine={name: frozenset(map(tuple, keys)) for name, keys in body["mine"].items()},
        others={name: frozenset(map(tuple, keys)) for name, keys in body["others"].items()},
    )


def _join(old: Anchors, new: Anchors) -> Anchors:
    joined: dict[str, dict[str, tuple[str, ...]]] = {}
    for anchors in (old, new):
        for collection, fields in anchors.items():
            held = joined.setdefault(collection, {})
            for name, values in fields.items():
                held[name] = tuple(dict.fromkeys((*held.get(name, ()), *values)))
    return joined


@contextmanager
def _beating() -> Iterator[Callable[[], None]]:
    """Heartbeat from a side thread while a long statement runs; hand out a `beat` that stops a cancelled step.

    The SDK throttles what is sent. A beat is never the guard of anything: the fence is.
    """
    over = threading.Event()
    context = contextvars.copy_context()

    def tick() -> None:
        while not over.wait(BEAT_EVERY):
            context.run(activity.heartbeat)

    def beat() -> None:
        if activity.is_cancelled():
            raise CancelledError("the step was cancelled")
        if activity.is_worker_shutdown():
            raise ApplicationError("the worker is stopping", type="Shutdown")

    side = threading.Thread(target=tick, name="heartbeat", daemon=True)
    side.start()
    try:
        yield beat
    finally:
        over.set()
        side.join()
