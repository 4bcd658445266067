"""A step made ready: all that the ledger knows of it, as the call that a connector gets; and its receipt kept.

The one rule: safe to do twice. What a cut attempt may still be doing in the system is ended or waited for before
anything else is called there.
"""

import contextvars
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError

from activities.corrections import keep_old, read_corrections
from activities.fence import LedgerFence, job_name, job_text
from activities.holding import under_holds
from activities.matters import stopping
from activities.permission import CHANGES, require
from activities.quota import LedgerQuota
from activities.tools import Tools
from connectors.anchors import merged, read_anchors
from connectors.errors import NeedsHuman, Retryable
from connectors.protocol import Anchors, Call, Connector, Intent, Moves, Pending, Rulings
from connectors.traits import Bounded, Ends
from ledger.people import DETAILS
from ledger.requestrow import RequestRow
from ledger.steps import AtStep
from rights.codes import Code
from rights.datamap import Strategy, System
from rights.details import details_of
from rights.holds import Holding
from rights.plan import Operation, Step, SystemPlan, make_plan
from rights.receipt import Certainty, Outcome, Receipt, Tally
from rights.request import Phase, Right
from rights.restriction import RestrictionDetails
from rights.spellings import spellings
from rights.subject import Identity
from rights.value import Value

Beat = Callable[[], None]

FINAL_WORDS = frozenset({"done", "give_up"})
"""Rulings after which a step is not tried again. They outlive a lost run, but not another map."""

FOR_A_PERSON = frozenset({Outcome.HELD, Outcome.UNSUPPORTED, Outcome.NEEDS_HUMAN})
"""Outcomes that put the step on somebody's desk."""

BEFORE_THE_WORK = {Code.DECISION, Code.NOT_GRANTED, Code.COOLING, Code.COPY_FIRST, Code.INCIDENT}
"""Why the fence is closed to what has come too soon, or in the middle of an incident; the run waits for it
(workflows/deciding.py)."""

PHASES = {
    Operation.CHANNELS: Phase.CONFIRMING,
    Operation.LOCATE: Phase.LOCATING,
    Operation.EXPORT: Phase.FULFILLING,
    Operation.SUPPRESS: Phase.FULFILLING,
    Operation.ERASE: Phase.FULFILLING,
    Operation.RESTRICT: Phase.FULFILLING,
    Operation.LIFT: Phase.FULFILLING,
    Operation.RECTIFY: Phase.FULFILLING,
    Operation.VERIFY: Phase.VERIFYING,
}

_NOBODYS = {Code.RULED_OUT, *BEFORE_THE_WORK}
"""Codes that put nothing on a desk: somebody has spoken, or it is waited for by the request itself."""
_NO_JOB = b"{}"
_SEALED = ("anchors", "rulings", "restricted", "corrections")
"""What the vault has of a request in each system."""

BEAT_EVERY = 3.0
"""Seconds between heartbeats from the side thread; a third of the heartbeat timeout (workflows/policies.py)."""


class Doing(Value):
    """A step and the workflow's time."""

    step: Step
    as_of: datetime


@dataclass(frozen=True)
class Ready:
    """A step that may be carried out now. Holds personal data, and lives inside one activity."""

    tools: Tools
    step: Step
    connector: Connector
    call: Call
    fence: LedgerFence
    learnt: set[str]
    """The kinds of identity that the rows about to be changed were found to say."""
    holding: Holding
    """What holds keep of what is to go."""

    def answered(self, answer: object) -> None:
        """Note what is to be remembered of a connector's answer, before anything is made of it."""
        self.fence.settle_cut()
        if isinstance(answer, Pending) and answer.job != self.call.job:
            text = job_text(answer.job)
            self.tools.ledger.seal(self.step.request_id, "working", job_name(self.step), text, at=wall_clock())


def read(tools: Tools, step: Step) -> AtStep:
    """All that the ledger knows of a step."""
    names = (*(f"{what}/{step.system}" for what in _SEALED), job_name(step), DETAILS)
    return tools.ledger.at_step(step, *names)


def make_ready(tools: Tools, doing: Doing, known: AtStep, beat: Beat, *, beside: bool = False) -> Ready:
    """Make a step ready; nothing is called yet. `beside`: it is done beside the life of its request, or after it.

    Raises:
        NeedsHuman: the system has left the map, or the operator does not let the engine destroy there.
        Retryable: a cut attempt may still be at work there.
    """
    step, row = doing.step, known.request
    if not beside:
        _enter(tools, row, doing)
    data_map = tools.map_of(row)
    system, present = data_map.systems.get(step.system), tools.data_map.systems.get(step.system)
    connector = tools.connector(system, row) if system else None
    if system is None or connector is None or present is None:
        raise NeedsHuman(Code.MAP_CHANGED, step.system)
    require(tools, step, row, system, present, doing.as_of)
    # The stored plan, so that erase and verify draw the line of a duty to keep on the same day.
    plan = known.plan or make_plan(row.right, data_map, doing.as_of, row.regimes)
    under_way = known.sealed.get(job_name(step), _NO_JOB) != _NO_JOB
    around = under_holds(
        tools,
        plan,
        data_map,
        row.regimes,
        step,
        known,
        connector,
        doing.as_of,
        today=present,
        under_way=under_way,
    )
    part, system, connector = around.part, around.system, around.connector
    cut = known.open_intents if step.operation in CHANGES else ()
    if cut and known.cut_for > timedelta(0) and not isinstance(connector, Ends):
        # Nobody can end what an earlier attempt has left running there, so its end is waited for.
        raise Retryable(Code.BUSY, step.system, after=known.cut_for)
    fence = LedgerFence(
        tools,
        step,
        max_people_per_hour=present.max_people_per_hour,
        limit=connector.longest if isinstance(connector, Bounded) else tools.limits.call,
        cut=cut,
        clock=wall_clock,
        spared=around.holding.ids,
    )
    learnt: set[str] = set()

    def learn(links: tuple[Identity, ...]) -> None:
        if links:
            tools.ledger.learn(step.request_id, links, at=wall_clock())
            learnt.update(link.kind for link in links)

    known_anchors = read_anchors(known.sealed.get(f"anchors/{step.system}"))
    held = [known_anchors]

    def remember(anchors: Anchors) -> None:
        held[0] = seal_anchors(tools, step, held[0], anchors)

    call = Call(
        key=step.key,
        session=_session(step),
        as_of=doing.as_of,
        system=system,
        work=part.works,
        identities=spellings(known.identities, tools.ledger.calling_code),
        beat=beat,
        fence=fence,
        cut_short=bool(cut),
        anchors=known_anchors,
        rulings=_rulings(known.sealed.get(f"rulings/{step.system}")),
        environment=tools.environment,
        pseudonym_key=_pseudonym_key(tools, step, part),
        job=json.loads(known.sealed.get(job_name(step), _NO_JOB)),
        quota=LedgerQuota(tools.ledger, step, beat),
        restricted=_restricted(tools, step, known, connector),
        restricted_too=_restricted_too(tools, step),
        learn=learn,
        remember=remember,
        corrections=read_corrections(known.sealed.get(f"corrections/{step.system}")),
        keep=partial(keep_old, tools.ledger, step, wall_clock),
    )
    return Ready(tools, step, connector, _meant(call, connector, step, known), fence, learnt, around.holding)


def _meant(call: Call, connector: Connector, step: Step, known: AtStep) -> Call:
    """The call with what the person's own words say of it."""
    right, details = known.request.right, known.sealed.get(DETAILS)
    if step.operation is Operation.SUPPRESS:
        return stopping(call, connector, right, details)
    if step.operation is Operation.RESTRICT and right is Right.RESTRICTION:
        return _locking(call, details)
    return call


def _locking(call: Call, sealed: bytes | None) -> Call:
    """The call with what a request about restriction wants locked away."""
    details = details_of(Right.RESTRICTION, sealed) if sealed else None
    if not isinstance(details, RestrictionDetails):
        return call
    locks = details.extent.locks(call.system)
    return replace(call, work=tuple(w.model_copy(update={"locks": w.collection in locks}) for w in call.work))


def knowing(tools: Tools, step: Step, kinds: set[str]) -> tuple[str, ...]:
    """The systems that know people by one of these kinds of identity, and may find more by what was learnt."""

    return tuple(one.system for one in tools.data_map.systems.values() if may_find(one, kinds, by={step.system}))


def may_find(system: System, kinds: Collection[str], *, by: Collection[str]) -> bool:
    """Whether a look into a system may find more of a person by identities of these kinds, which these systems told
    of."""
    if not kinds:
        return False
    if set(by) == {system.system}:
        return any(map(system.finds_more_by, kinds))
    return system.searches or not system.followed_kinds.isdisjoint(kinds)


def keep(tools: Tools, doing: Doing, known: AtStep, receipt: Receipt) -> Receipt:
    """Keep a step's receipt, and put the step on a person's desk where that is needed; the receipt that counts."""
    ledger, step = tools.ledger, doing.step
    if receipt is not known.settled:
        receipt = ledger.keep_receipt(receipt)
    if receipt.outcome.settled and known.sealed.get(job_name(step), _NO_JOB) != _NO_JOB:
        # The job is over, and the next round begins a new one. After the receipt: a worker killed in between finds
        # the receipt, and does not ask for the work again.
        ledger.seal(step.request_id, "working", job_name(step), _NO_JOB, at=doing.as_of)
    if receipt.outcome in FOR_A_PERSON and receipt.code not in _NOBODYS:
        about = receipt.about or step.system
        ledger.open_task(step.request_id, step.key, Code(receipt.code), about, at=doing.as_of)
    return receipt


def trial_call(
    known: AtStep, system: System, part: SystemPlan, environment: str, as_of: datetime, *, calling_code: str
) -> Call:
    """A call for a trial of an erasure, which is taken back: no fence lets it through, and a pseudonym's key is
    thrown away with it."""
    return Call(
        key=f"{known.request.id}/{system.system}/trial",
        session=f"habeas-trial-{secrets.token_hex(8)}",
        as_of=as_of,
        system=system,
        work=part.works,
        identities=spellings(known.identities, calling_code),
        beat=lambda: None,
        fence=_no_fence,
        anchors=read_anchors(known.sealed.get(f"anchors/{system.system}")),
        rulings=_rulings(known.sealed.get(f"rulings/{system.system}")),
        environment=environment,
        pseudonym_key=secrets.token_bytes(32),
    )


def _no_fence(planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
    raise RuntimeError("a trial enters no fence")


def by_word(tools: Tools, step: Step, word: str, at: datetime) -> Receipt:
    """What a person's word makes of a step: done, which is attested and never called verified; or given up, with what
    was seen before, so that the answer can say it."""
    if word == "done":
        return Receipt(step=step, outcome=Outcome.DONE, certainty=Certainty.ATTESTED, at=at)
    seen = [
        receipt
        for receipt in tools.ledger.receipts(step.request_id)
        if (receipt.step.system, receipt.step.operation) == (step.system, step.operation)
    ]
    last = seen[-1] if seen else Receipt(step=step, outcome=Outcome.NEEDS_HUMAN, at=at)
    return Receipt(
        step=step,
        outcome=last.outcome if last.outcome in FOR_A_PERSON else Outcome.NEEDS_HUMAN,
        certainty=last.certainty,
        tally=last.tally,
        code=Code.RULED_OUT,
        about=last.about,
        at=at,
    )


def _enter(tools: Tools, row: RequestRow, doing: Doing) -> None:
    """Note the phase. A look of a run that was lost and started again does not lead back: what was approved stays
    approved; only a ruling does that (activities/planning.py)."""
    if doing.step.operation is Operation.LIFT or (doing.step.operation.look and (row.withdrawn or not row.phase.open)):
        # A restriction is lifted beside the life of its request, and most often after it, as the late look is made. And
        # where it was taken back it is looked, from whatever phase, at what was done by then.
        return
    there = PHASES[doing.step.operation]
    if doing.step.operation is Operation.RESTRICT and row.right is Right.OBJECTION:
        # It is restricted while it is weighed.
        there = Phase.DECIDING
    begun = row.phase not in {Phase.RECEIVED, Phase.CONFIRMING, Phase.DECIDING, Phase.COOLING}
    if row.phase is not there and not (there is Phase.LOCATING and begun):
        tools.ledger.move(doing.step.request_id, there, at=doing.as_of)


def _restricted(tools: Tools, step: Step, known: AtStep, connector: Connector) -> Mapping[str, str]:
    """Where the person's data is locked away: by this request, or for a look and what follows it, by another."""
    mine: dict[str, str] = json.loads(known.sealed.get(f"restricted/{step.system}", b"{}"))
    if mine or step.operation in {Operation.RESTRICT, Operation.LIFT} or not isinstance(connector, Moves):
        return mine
    for other in tools.ledger.restricted_elsewhere(step.request_id, step.system):
        mine |= json.loads(other)
    return mine


def _restricted_too(tools: Tools, step: Step) -> tuple[Mapping[str, str], ...]:
    """Where others keep the person's data locked away that this request is to put back."""
    if step.operation is not Operation.LIFT:
        return ()
    return tuple(map(json.loads, tools.ledger.restricted_elsewhere(step.request_id, step.system, lifting=False)))


def _pseudonym_key(tools: Tools, step: Step, part: SystemPlan) -> bytes:
    writes = (w for work in part.works for w in (*work.writes, *(w for k in work.keeps for w in k.writes)))
    if step.operation is Operation.LOCATE or not any(w.strategy is Strategy.PSEUDONYM for w in writes):
        return b""
    return tools.ledger.case_key(step.request_id, "pseudonym", create=True)


def _session(step: Step) -> str:
    """A short opaque name for all attempts and rounds of one request in one system; targets show it."""
    return f"habeas-{hashlib.sha256(f'{step.request_id}/{step.system}'.encode()).hexdigest()[:24]}"


def wall_clock() -> datetime:
    """Now: for what is a matter of seconds, and for when something was written."""
    return datetime.now(UTC)


def seal_anchors(tools: Tools, step: Step, old: Anchors, new: Anchors) -> Anchors:
    """Keep the anchors of all looks together, since a later look may no longer reach them; what is kept now."""
    joined = merged(old, new)
    if joined != old:
        name = f"anchors/{step.system}"
        # What this very step has remembered meanwhile is kept as well.
        joined = merged(read_anchors(tools.ledger.unseal(step.request_id, "working", name)), joined)
        body = json.dumps(joined, separators=(",", ":")).encode()
        tools.ledger.seal(step.request_id, "working", name, body, at=wall_clock())
    return joined


def _rulings(sealed: bytes | None) -> Rulings:
    if sealed is None:
        return Rulings()
    body = json.loads(sealed)
    return Rulings(
        mine={name: frozenset(map(tuple, keys)) for name, keys in body["mine"].items()},
        others={name: frozenset(map(tuple, keys)) for name, keys in body["others"].items()},
    )


@contextmanager
def beating() -> Iterator[Callable[[], None]]:
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
