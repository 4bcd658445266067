"""What has to be so before anything is sent to a system at all: the basis of its recipient, the proof of the asker, the
mode of the operator.

The one rule: each is asked anew for every call, and the stricter answer counts.
"""

from datetime import datetime

from activities.tools import Tools
from connectors.errors import NeedsHuman
from ledger.requestrow import RequestRow
from rights.codes import Code
from rights.course import COURSES
from rights.datamap import Mode, System
from rights.identity import Unreached
from rights.plan import Operation, Step
from rights.reckoning import local_day

CHANGES = {Operation.ERASE, Operation.SUPPRESS, Operation.RECTIFY, Operation.RESTRICT, Operation.LIFT}
"""Operations that change a system."""


def require(tools: Tools, step: Step, row: RequestRow, pinned: System, present: System, at: datetime) -> None:
    """See that a step may be done in a system: `pinned` as the request's map has it, `present` as today's does.

    Raises:
        NeedsHuman: it may not; EGRESS, IDENTITY, OBSERVE or APPROVAL.
    """
    _may_send(tools, pinned, row, at)
    if not row.confirmed:
        _may_look(tools, step, at)
    if step.operation in CHANGES:
        _may_change(pinned, present, approved=row.approved or not COURSES[row.right].destroys)


def _may_look(tools: Tools, step: Step, at: datetime) -> None:
    """Before the asker is proven: contact points may be read, and looked for may be what was given, once all of that is
    proven by itself, or surely enough to tell of categories."""
    if step.operation is Operation.CHANNELS:
        return
    if step.operation is Operation.LOCATE:
        state = tools.ledger.identity_state(step.request_id)
        categories = state.became == Unreached.CATEGORIES
        if state.alone or (categories and tools.ledger.may_tell_categories(step.request_id, at=at)):
            return
    raise NeedsHuman(Code.IDENTITY, step.system)


def _may_send(tools: Tools, system: System, row: RequestRow, as_of: datetime) -> None:
    """Whether anything may leave for a system that is somebody else's: a look sends the person's identities as well."""
    day = local_day(as_of, row.clock.zone)
    if system.recipient and tools.register.refuses(system.recipient, day, row.regimes):
        raise NeedsHuman(Code.EGRESS, system.system)


def _may_change(pinned: System, present: System, *, approved: bool) -> None:
    """Whether the operator lets the engine change this system; the stricter of the pinned and the present mode."""
    modes = {pinned.mode, present.mode}
    if Mode.OBSERVE in modes:
        raise NeedsHuman(Code.OBSERVE, pinned.system)
    if Mode.APPROVE in modes and not approved:
        raise NeedsHuman(Code.APPROVAL, pinned.system)
