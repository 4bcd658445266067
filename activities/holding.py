"""What holds make of one step: what they cover is retained, as it is, and the rest goes.

The one rule: what is spared is read with the step, and the fence lets nothing through that has not spared every hold
of that very moment.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.tools import Tools
from connectors.errors import Held
from connectors.protocol import Connector
from connectors.traits import LocksBeside, Spares
from ledger.steps import AtStep
from rights.datamap import DataMap, System
from rights.deadlines import Clock
from rights.holds import NOTHING, Holding, Reason, of_days, spare
from rights.plan import Operation, Plan, Step, SystemPlan, make_plan
from rights.request import Right

_SPARES: Final = {Operation.ERASE, Operation.VERIFY}
"""What goes on around a hold. A correction is made as a whole or not at all."""
_CHANGES: Final = {Operation.ERASE, Operation.RECTIFY}
_LOCKS: Final = {Operation.RESTRICT, Operation.LIFT}
"""Of an erasure: what it had to leave is locked away, and opened again."""


@dataclass(frozen=True)
class UnderHolds:
    """A step's part of the plan, and its system, as holds leave them."""

    part: SystemPlan
    system: System
    connector: Connector
    holding: Holding = NOTHING


def under_holds(
    tools: Tools,
    plan: Plan,
    data_map: DataMap,
    regimes: tuple[str, ...],
    step: Step,
    known: AtStep,
    connector: Connector,
    as_of: datetime,
    *,
    today: System,
    under_way: bool,
) -> UnderHolds:
    """What there is to do in a system. `today`: as today's map has it, in whose words holds are placed. `under_way`:
    it has accepted the work, and is only asked how that stands.

    Raises:
        Held: a hold covers something there, and the system cannot spare it and go on with the rest.
    """
    part, system = plan.of(step.system), data_map.systems[step.system]
    changes = _CHANGES | (_LOCKS if plan.right is Right.ERASURE else set())
    if not known.held or step.operation not in _SPARES | changes:
        return UnderHolds(part, system, connector)
    holding = _holding(known, as_of, system, today)
    if step.operation in _LOCKS and isinstance(connector, LocksBeside):
        # The rows stay to the byte, so every hold is spared; also one that must stay secret: nothing looks otherwise
        # than without it.
        return UnderHolds(part, system, connector, holding)
    scopes = list(holding.scopes.values())
    if not any(scope.covered(system, today) for scope in scopes):
        # They cover nothing in it, by whichever map.
        return UnderHolds(part, system, connector, holding)
    # Of a hold that must stay secret nothing is done in the system before the answer is due, or counsel has given it: a
    # system that has come to half of a person, and waits with the rest, is none that only takes its time.
    veiled = holding.secret and not holding.told and not is_due(known.request.clock, as_of)
    spares = step.operation in _SPARES and isinstance(connector, Spares) and not (veiled and _acts(step, under_way))
    spared = spare(data_map, step.system, scopes, today=today) if spares else None
    around = tools.made_for(spared[0].systems[step.system]) if spared else None
    if spared is None or around is None:
        if step.operation in changes and not under_way:
            # Here and not at the fence: what people do by hand passes none.
            raise Held(holding.code, step.system)
        return UnderHolds(part, system, connector)
    held_map, days = spared
    made = make_plan(plan.right, held_map, plan.as_of, regimes).of(step.system)
    works = of_days(made.works, system, days)
    return UnderHolds(made.model_copy(update={"works": works}), held_map.systems[step.system], around, holding)


def _acts(step: Step, under_way: bool) -> bool:
    """Whether a step begins to change something."""
    return step.operation in _CHANGES and not under_way


def _holding(known: AtStep, as_of: datetime, system: System, today: System) -> Holding:
    why: defaultdict[str, set[Reason]] = defaultdict(set)
    for terms in known.held.values():
        for collection in () if terms.secret(as_of.date()) else terms.scope.covered(system, today):
            why[collection].add(terms.reason)
    secrets = [terms.secret(as_of.date()) for terms in known.held.values()]
    return Holding(
        scopes={one: terms.scope for one, terms in known.held.items()},
        reasons={collection: frozenset(reasons) for collection, reasons in why.items()},
        told=not all(secrets),
        secret=any(secrets) and not known.answered,
        answered=any(secrets) and known.answered,
    )


def held_anew(tools: Tools, step: Step, known: AtStep) -> bool:
    """Whether other holds touch the step than when it was read."""
    return step.operation in _SPARES and tools.ledger.at_step(step).held.keys() != known.held.keys()


def is_due(clock: Clock, as_of: datetime) -> bool:
    """Whether the person is to be answered now, whatever is still held."""
    return as_of >= clock.internal_due
