"""Where a request stands by the ledger: what a run is started with, and reads again whenever it is unsure.

The one rule: the ledger is the record. A run that was lost, reset or restored to another hour goes on from here.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

import structlog
from pydantic import Field
from temporalio import activity

from activities.asking import before_any_question, waiting
from activities.matters import OF_MATTERS, Matters, matters_of
from activities.tools import Tools
from connectors.protocol import Restricts, Suppresses
from ledger.letters import LetterState
from ledger.requestrow import RequestRow
from rights.codes import Code
from rights.course import COURSES
from rights.datamap import DataMap, Mode
from rights.deadlines import Clock, Risk
from rights.gate import Gate
from rights.identity import Waiting
from rights.letterkinds import LetterKind
from rights.plan import Operation, Plan, make_plan
from rights.portable import BY_HAND, looked_into
from rights.receipt import Certainty, Receipt
from rights.recipients import told_act
from rights.request import Phase, Right
from rights.rests import asks_of
from rights.value import Value

ESCALATED: Final = frozenset({Risk.DUE_3D, Risk.OVERDUE})
"""Where a date that comes near is put on somebody's desk; before, and in between, it is logged and measured."""


class Ask(Value):
    """A request and the workflow's time: the argument of most activities."""

    request_id: str
    as_of: datetime
    again: bool = False
    """The request was closed before, and is open again."""


class Outline(Value):
    """What a workflow needs of a plan before it knows what was located."""

    waves: tuple[tuple[str, ...], ...]
    """Systems in order; those of a wave may be worked on together."""
    approve: tuple[str, ...] = ()
    """Systems in which nothing is destroyed before a person has approved the preview."""
    suppress: tuple[str, ...] = ()
    """Systems that can be kept from collecting more, which comes before the erasure: else the next event of the person
    would undo it."""

    def among(self, holding: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """The waves of the systems that hold something."""
        waves = (tuple(name for name in wave if name in holding) for wave in self.waves)
        return tuple(wave for wave in waves if wave)


class Resting(Value):
    """Where what an erasure has to leave is locked away, and can be."""

    locked: tuple[str, ...] = ()
    """By this request, or by one whose rest it carries out."""
    able: tuple[str, ...] = ()
    grounds: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """By system and collection, the grounds without an end on which what stays is locked away as well."""
    opened: bool = False
    """Two people have said that nothing of it is to be locked away any more."""


class Facts(Value):
    """Where a request stands, as the ledger has it."""

    phase: Phase
    clock: Clock
    confirmed: bool
    approved: bool
    withdrawn: bool
    round: int
    """The newest round that anything was done in."""
    systems: tuple[str, ...]
    """The systems of the map the request is pinned to that it looks into."""
    begun: tuple[str, ...] = ()
    """Systems in which an earlier look found something. A run that was started anew finds less, or nothing, where the
    lost one had erased already; it has to see these through all the same."""
    rulings: dict[str, str] = Field(default_factory=dict)
    """The words agents have given, by step key; an update lost with Temporal's database comes back this way."""
    interim: bool = False
    """An interim answer was asked for."""
    matters: Matters | None = None
    """What an objection, an opt-out, a withdrawal of consent or a review asks for; None of other rights."""
    tells: bool = False
    """Recipients may have to be told of what is done."""
    read_at: datetime
    """When this was so."""
    gate: Gate = Gate()
    """What stands before the work."""
    cools: bool = False
    """An erasure that waits for a while before it begins, unless the asker has signed in with a second factor."""
    planned: Outline | None = None
    """The plan that was kept when the request began; None where it is yet to be made."""
    identity: Waiting = Waiting()
    """How far the question of who asks is, while it is one."""
    reopened: dict[str, Code] = Field(default_factory=dict)
    """Of a request that was closed: the systems for which it is open again, and why."""
    restricted: bool = False
    """Of such a request: what it has restricted is so still."""
    resting: Resting = Resting()
    """What an erasure has to leave."""


class Start(NamedTuple):
    """What a run is started with."""

    request: RequestRow
    facts: Facts | None
    """None of a request that had begun before: its run reads for itself."""
    history_key: bytes | None


class Reached(Value):
    """A date that the clock has reached."""

    ask: Ask
    risk: Risk


def outline(plan: Plan, tools: Tools) -> Outline:
    """What a workflow needs of a plan. A system in mode observe asks in its own step; approval is for those that wait
    for a person's word."""
    course = COURSES[plan.right]
    able = {name for name, one in tools.connectors.items() if isinstance(one, Suppresses)}
    return Outline(
        waves=tuple(tuple(part.system for part in wave) for wave in plan.waves),
        approve=tuple(p.system for p in plan.systems if course.destroys and p.mode is Mode.APPROVE),
        # Where an opt-out is a field of a row there is nothing to do before the row goes.
        suppress=tuple(
            part.system
            for part in plan.systems
            if course.act is Operation.ERASE and part.system in able - _marking(tools)
        ),
    )


def systems_for(right: Right, data_map: DataMap) -> tuple[str, ...]:
    """The systems of a map that a request looks into."""
    return tuple(name for name, system in data_map.systems.items() if looked_into(right, system))


def _marking(tools: Tools) -> set[str]:
    return {name for name, system in tools.data_map.systems.items() if system.marks_opt_outs}


def begin(tools: Tools, request_ids: Sequence[str], as_of: datetime) -> dict[str, Start]:
    """Begin requests, many in one commit, and report where they stand; by id, those that are known.

    This is what `open` does for one: the map of today is pinned, the first phase noted; and the plan is made as well,
    where nobody has to be waited for before.
    """

    @cache
    def plan_for(right: Right, regimes: tuple[str, ...]) -> Plan:
        return make_plan(right, tools.data_map, as_of, regimes)

    outline_for = cache(lambda right, regimes: outline(plan_for(right, regimes), tools))
    systems_of = cache(lambda right: systems_for(right, tools.data_map))
    tells = cache(lambda right: _tells(tools, right, tools.data_map))
    starts = {}
    for row, new, key, gate in tools.ledger.begin(request_ids, tools.data_map, plan_for, at=as_of):
        facts = Facts(
            phase=row.phase,
            clock=row.clock,
            confirmed=row.confirmed,
            approved=row.approved,
            withdrawn=row.withdrawn,
            round=0,
            systems=systems_of(row.right),
            tells=tells(row.right),
            read_at=as_of,
            gate=gate,
            cools=_cools(row, tools),
            planned=outline_for(row.right, row.regimes) if row.confirmed else None,
            identity=before_any_question(tools, row),
            resting=_resting(tools, row),
        )
        starts[row.id] = Start(row, facts if new and row.right not in OF_MATTERS else None, key)
    return starts


class OpeningActivities:
    """Reads, and moves a new request to its first phase."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="open", no_thread_cancel_exception=True)
    def open(self, ask: Ask) -> Facts:
        """Pin the map of today if none is pinned, note the first phase, and report."""
        tools, ledger = self._tools, self._tools.ledger
        row = ledger.request(ask.request_id)
        if row.phase.open:
            if row.map_digest is None:
                ledger.pin_map(ask.request_id, tools.data_map, at=ask.as_of)
            if row.phase is Phase.RECEIVED:
                here = Phase.LOCATING if row.confirmed else Phase.CONFIRMING
                ledger.move(ask.request_id, here, at=ask.as_of)
            if row.phase is Phase.DECIDING and not row.confirmed and not ledger.gate(ask.request_id).closed:
                ledger.move(ask.request_id, Phase.CONFIRMING, at=ask.as_of)
            if row.confirmed and row.phase in _UNLOOKED:
                ledger.join(ask.request_id, tools.data_map.shared_kinds, at=ask.as_of)
        return self._facts(ask)

    @activity.defn(name="deadline", no_thread_cancel_exception=True)
    def deadline(self, reached: Reached) -> None:
        """Note in the ledger that a date has come near or passed, once; the log and the metrics raise the alarm."""
        request_id, risk = reached.ask.request_id, reached.risk
        if self._tools.ledger.note_risk(request_id, risk, ask=risk in ESCALATED, at=reached.ask.as_of):
            log = structlog.get_logger()
            level = log.error if risk is Risk.OVERDUE else log.warning
            level("deadline", request_id=request_id, risk=str(risk))

    @activity.defn(name="acknowledge", no_thread_cancel_exception=True)
    def acknowledge(self, ask: Ask) -> None:
        """Put the acknowledgement of a receipt on a person's desk, where the law sets a day for it and nobody has sent
        one. Nothing is sent by this."""
        told = self._tools.ledger.letters(ask.request_id, states=[LetterState.SENT, LetterState.POSTED])
        if any(letter.kind == LetterKind.ACKNOWLEDGEMENT for letter in told):
            return
        self._tools.ledger.ask_about_clock(ask.request_id, Code.ACKNOWLEDGE, "receipt", at=ask.as_of)

    @activity.defn(name="interim", no_thread_cancel_exception=True)
    def interim(self, ask: Ask) -> None:
        """Put an interim answer on a person's desk, since the whole one will be late. Nothing is sent by this."""
        if self._tools.ledger.ask_for_interim(ask.request_id, at=ask.as_of):
            structlog.get_logger().warning("interim_due", request_id=ask.request_id)

    def _facts(self, ask: Ask) -> Facts:
        tools, ledger, request_id = self._tools, self._tools.ledger, ask.request_id
        row = ledger.request(request_id)
        receipts = ledger.receipts(request_id)
        looks = [r for r in receipts if r.step.operation is Operation.LOCATE]
        begun = tuple(dict.fromkeys(r.step.system for r in looks if r.may_hold))
        mapped = systems_for(row.right, tools.pinned(row.map_digest))
        reopened = ledger.reopenings(request_id)
        restriction = ledger.restriction(request_id) if reopened else None
        return Facts(
            phase=row.phase,
            clock=row.clock,
            confirmed=row.confirmed,
            approved=row.approved,
            withdrawn=row.withdrawn,
            round=ledger.newest_round(request_id),
            # A system that has left the map with something of the person in it is a person's matter, not forgotten.
            systems=(*mapped, *(name for name in begun if name not in {*mapped, *_seen_through(receipts)})),
            begun=begun,
            rulings=ledger.rulings(request_id),
            interim=ledger.interim_asked(request_id),
            identity=waiting(tools, row),
            matters=matters_of(tools, row),
            tells=_tells(tools, row.right, tools.pinned(row.map_digest)) and not _told_before(tools, request_id),
            read_at=ask.as_of,
            gate=ledger.gate(request_id),
            cools=_cools(row, self._tools),
            reopened=reopened,
            restricted=restriction is not None and restriction.lifted_at is None,
            resting=_resting(tools, row),
        )


_UNLOOKED = {Phase.RECEIVED, Phase.CONFIRMING, Phase.DECIDING}
"""Where a request that was proven just now may still join an earlier one."""


def _resting(tools: Tools, row: RequestRow) -> Resting:
    if row.right is not Right.ERASURE:
        return Resting()
    able = (name for name, one in tools.connectors.items() if isinstance(one, Restricts))
    systems = tools.data_map.systems
    # Where people work by hand the map tells them.
    return Resting(
        locked=row.rests,
        able=tuple(name for name in able if systems[name].connector not in BY_HAND),
        grounds=asks_of(tools.map_of(row)),
        opened=row.rests_opened,
    )


def _cools(row: RequestRow, tools: Tools) -> bool:
    return row.right is Right.ERASURE and tools.cooling_hours > 0


def _tells(tools: Tools, right: Right, data_map: DataMap) -> bool:
    if tools.register.recipients and told_act(right) is not None:
        return True
    every = (collection for system in data_map.systems.values() for collection in system.collections.values())
    match right:
        case Right.ERASURE:
            return any(one.published for one in every)
        case Right.RECTIFICATION:
            return any(one.worked_out_from for one in every)
    return False


def _told_before(tools: Tools, request_id: str) -> bool:
    """Whether recipients know of it from an earlier request: of what is done once more after a restore, and not of the
    rest that an answered erasure had to leave."""
    ledger = tools.ledger
    return ledger.limited(request_id) and ledger.carries_out(request_id) is None


def _seen_through(receipts: Sequence[Receipt]) -> set[str]:
    """Systems in which nothing is left to do, as a look, an export or a person says."""
    newest = {(r.step.system, r.step.operation): r for r in receipts}
    return {
        system
        for (system, operation), r in newest.items()
        if (operation in {Operation.VERIFY, Operation.EXPORT} and r.outcome.settled)
        or (operation is Operation.ERASE and r.certainty is Certainty.ATTESTED and r.outcome.settled)
    }
