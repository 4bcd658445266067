"""What objections, opt-outs, withdrawals of consent and reviews ask for, out of the vault and without the person.

The one rule: codes and names of the data map leave here; what the person has said does not.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from activities.tools import Tools
from connectors.protocol import Call, Connector, Restricts, Stops
from ledger.requestrow import RequestRow
from rights.course import COURSES
from rights.datamap import System
from rights.details import details_of
from rights.objections import is_immediate, is_weighed, stop_of
from rights.plan import Operation
from rights.request import Right
from rights.suppression import Scope, Stop, stops_in
from rights.value import Value
from rights.weighing import Matter, Outcome

OF_MATTERS: Final = frozenset(right for right, course in COURSES.items() if course.act in {Operation.SUPPRESS, None})
"""Rights of which a run has to know more than who asks, before anything is done."""


class Matters(Value):
    """What one of these requests comes to."""

    proven: bool = True
    """Whether it has to be known who asks, before anything is done."""
    matter: Matter | None = None
    """What a person has to weigh first; None: nothing."""
    systems: tuple[str, ...] = ()
    """Where something is to stop."""
    unstopped: bool = False
    """Some systems stop uses, and none what was named: a refusal of further collection is also a person's matter."""
    restrict: tuple[str, ...] = ()
    """Where the data is restricted while it is weighed: as `systems`, but for those that cannot."""
    due_at: datetime | None = None
    """By when it is to be weighed, once it lies on the desk."""
    outcome: Outcome | None = None


def matters_of(tools: Tools, row: RequestRow) -> Matters | None:
    """What a request comes to; None of other rights, and of one whose vault was shredded."""
    if row.right not in OF_MATTERS:
        return None
    details = tools.ledger.details(row.id, row.right)
    if details is None:
        return None
    stop = stop_of(details)
    systems = tools.pinned(row.map_digest).systems.values()
    concerned = [system for system in systems if _stops(tools.connector(system), system, stop)]
    matter = (
        Matter.OBJECTION if is_weighed(details) else Matter.DECISION if row.right is Right.DECISION_REVIEW else None
    )
    on_desk = tools.ledger.weighing(row.id) if matter else None
    return Matters(
        proven=not is_immediate(row.right, details),
        matter=matter,
        systems=tuple(system.system for system in concerned),
        unstopped=bool(concerned) and Scope.COLLECTION in stop.scopes and not _collecting_stops(tools, concerned, stop),
        restrict=tuple(system.system for system in concerned if isinstance(tools.connector(system), Restricts)),
        due_at=on_desk.due_at if on_desk else None,
        outcome=on_desk.outcome if on_desk else None,
    )


def stopping(call: Call, connector: Connector, right: Right, sealed: bytes | None) -> Call:
    """The call with what is to stop in each collection, by the sealed details of a request about `right`. An erasure
    has none: the system is to collect nothing more."""
    if COURSES[right].act is not Operation.SUPPRESS or sealed is None:
        return call
    stops = _stops(connector, call.system, stop_of(details_of(right, sealed)))
    work = tuple(w.model_copy(update={"stops": stops.get(w.collection, ())}) for w in call.work)
    return replace(call, work=work)


def _collecting_stops(tools: Tools, systems: Sequence[System], stop: Stop) -> bool:
    """Whether a system is told itself that nothing more is to be collected."""
    every = (scopes for one in systems for scopes in _stops(tools.connector(one), one, stop).values())
    return any(Scope.COLLECTION in scopes for scopes in every)


def _stops(connector: Connector | None, system: System, stop: Stop) -> dict[str, tuple[object, ...]]:
    return {**stops_in(system, stop, connector.stops if isinstance(connector, Stops) else {})}
