"""From what was located to a plan that is stored, and back again when a person rules that something is to be done anew.

The one rule: the plan is made by a pure function of right, map and time, and kept in the ledger.
"""

import json

from temporalio import activity

from activities.calls import FINAL_WORDS, by_word
from activities.deferring import beyond_the_rest
from activities.opening import Ask, outline
from activities.tools import Tools
from ledger.requestrow import RequestRow
from rights.codes import Code
from rights.datamap import DataMap, stricter
from rights.plan import Operation, Step, make_plan
from rights.request import Phase
from rights.value import Value


class Planned(Value):
    """What the workflow needs of a plan: which systems in which order, and whether a person has to approve."""

    waves: tuple[tuple[str, ...], ...]
    """Systems that hold something, in order; the systems of a wave may be worked on together."""
    suppress: tuple[str, ...] = ()
    """Systems that are kept from collecting more before they erase."""
    needs_approval: bool


class Planning(Value):
    """A request, the workflow's time, the round, and the systems in which something was located."""

    ask: Ask
    round: int
    holding: tuple[str, ...]
    late: tuple[str, ...] = ()
    """Systems that could not be looked into yet. What they feed is left for later: it would be filled again."""


class Ruled(Value):
    """A ruling on a step, to be carried into the ledger."""

    ask: Ask
    step: Step
    word: str


class Stuck(Value):
    """A step that cannot go on without a person."""

    ask: Ask
    step: Step
    code: Code


class PlanningActivities:
    """Plans, and what follows from rulings."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="plan", no_thread_cancel_exception=True)
    def plan(self, planning: Planning) -> Planned:
        """Make and keep the plan; move to approval where an operator wants to see it first, else to fulfilment."""
        tools, ask = self._tools, planning.ask
        row = tools.ledger.request(ask.request_id)
        data_map = tools.pinned(row.map_digest)
        plan = make_plan(row.right, tools.map_of(row), ask.as_of, row.regimes)
        tools.ledger.keep_plan(ask.request_id, planning.round, plan, at=ask.as_of)
        shape = outline(plan, tools)
        fed = data_map.fed_by(planning.late)
        holding = tuple(name for name in planning.holding if name not in fed)
        needs_approval = not row.approved and (
            not set(shape.approve).isdisjoint(holding) or beyond_the_rest(tools, row)
        )
        if holding:
            there = Phase.APPROVING if needs_approval else Phase.FULFILLING
            tools.ledger.move(ask.request_id, there, at=ask.as_of)
        return Planned(waves=shape.among(holding), suppress=shape.suppress, needs_approval=needs_approval)

    @activity.defn(name="stuck", no_thread_cancel_exception=True)
    def stuck(self, stuck: Stuck) -> None:
        """Put a step on a person's desk after the attempts have run out, or what was erased keeps coming back."""
        self._tools.ledger.open_task(
            stuck.ask.request_id, stuck.step.key, stuck.code, stuck.step.system, at=stuck.ask.as_of
        )

    def _takes_more(self, ruled: Ruled) -> bool:
        """Whether a person has ruled that rows of a collection are the person's: then more goes than was approved. The
        places of a residue are no collections."""
        ledger, step = self._tools.ledger, ruled.step
        sealed = ledger.unseal(step.request_id, "working", f"rulings/{step.system}")
        mine = json.loads(sealed)["mine"] if sealed else {}
        system = self._tools.data_map.systems.get(step.system)
        return any(rows for name, rows in mine.items() if system and name in system.collections)

    def _present(self, row: RequestRow) -> DataMap:
        """The worker's map; of a request that carries another one out anew, no more systems of it than it had."""
        tools = self._tools
        pinned = tools.pinned(row.map_digest)
        if pinned.digest == tools.data_map.digest or not tools.ledger.limited(row.id):
            return tools.data_map
        there = {name: one for name, one in tools.data_map.systems.items() if name in pinned.systems}
        return DataMap.of({name: stricter(one, pinned.systems[name].mode) for name, one in there.items()})

    @activity.defn(name="rule", no_thread_cancel_exception=True)
    def rule(self, ruled: Ruled) -> bool:
        """Carry a ruling out in the ledger. True when everything must be looked at anew, since the map has changed, or
        whose rows these are after they were approved.

        A ruling usually follows a change of the map, so the request is pinned to the worker's present map.
        """
        tools, ask = self._tools, ruled.ask
        ledger = tools.ledger
        if ruled.word in FINAL_WORDS:
            # The receipt first: a worker killed in between leaves a task, never a step that nobody has heard of.
            ledger.keep_receipt(by_word(tools, ruled.step, ruled.word, ask.as_of))
        ledger.settle_tasks(ask.request_id, ruled.step.key, at=ask.as_of)
        if ruled.word in FINAL_WORDS:
            return False
        row = ledger.request(ask.request_id)
        present = self._present(row)
        same_map = row.map_digest == present.digest
        if same_map and not (ruled.word == "choose" and row.approved and self._takes_more(ruled)):
            return False
        if not same_map:
            ledger.pin_map(ask.request_id, present, at=ask.as_of)
        if ruled.step.operation is Operation.CHANNELS:
            # Nobody is proven yet, so nothing was looked at: the request still waits for whoever asks.
            return False
        # Another map, or other rows, make another preview: an approval of the old one is taken back with this move.
        ledger.move(ask.request_id, Phase.LOCATING, at=ask.as_of)
        return True
