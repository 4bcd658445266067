"""The page of a request in the Temporal UI: who waits on what, until when, and how far each system is.

The one rule: names of systems, words from closed lists, counts and dates; whoever may open the UI's page may read all
of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from rights.codes import ADVICE, Code
from rights.course import COURSES
from rights.deadlines import Risk
from rights.plan import Operation
from rights.receipt import Certainty, Outcome
from rights.reckoning import local_day
from rights.request import Phase
from workflows.messages import Standing, StepStanding, Wait

_NOBODY: Final = "nobody: the engine is at work"
_WHO: Final[Mapping[Code, str]] = {
    Code.IDENTITY: "the person who asks",
    Code.UNTIED: "the person who asks, or an agent",
    Code.FEE: "the person who asks",
    Code.ACCURACY: "an agent",
    Code.APPROVAL: "an approver",
    Code.DECISION: "approvers",
    Code.CONSULTATION: "the data protection officer",
    Code.HOLD: "the end of a hold",
    Code.LEGAL_HOLD: "the end of a hold in the system itself",
    Code.COOLING: "the end of the time in which it can be stopped",
    Code.STOPPED: "two agents, since it was stopped",
    Code.JOINED: "an earlier request of the same person",
    Code.INCIDENT: "the end of an incident",
    Code.COPY_FIRST: "a copy that is to be made first",
    Code.QUEUED: "the system's turn",
    Code.DEFERRED: "a date",
}
"""Who is waited for, by the code of what it is; whoever is not named here is an agent."""

_RISK: Final[Mapping[Risk, str]] = {
    Risk.ON_TRACK: "on track",
    Risk.DUE_14D: "due within 14 days",
    Risk.DUE_7D: "due within 7 days",
    Risk.DUE_3D: "due within 3 days",
    Risk.DUE_1D: "due within a day",
    Risk.OVERDUE: "**overdue**",
}

_DID: Final[Mapping[Operation, str]] = {
    Operation.CHANNELS: "contact points",
    Operation.LOCATE: "looked",
    Operation.EXPORT: "copied",
    Operation.SUPPRESS: "suppressed",
    Operation.ERASE: "erased",
    Operation.RESTRICT: "restricted",
    Operation.LIFT: "lifted",
    Operation.RECTIFY: "corrected",
    Operation.VERIFY: "looked again",
}

_DOES: Final[Mapping[Operation, str]] = {Operation.LOCATE: "look", Operation.VERIFY: "look again"}
"""What is not done yet, where it is not called after its operation."""


def who(code: str) -> str:
    """Who is waited for, in words."""
    return _WHO.get(Code(code), "an agent") if code in set(Code) else "an agent"


def details(standing: Standing) -> str:
    """The page, in Markdown."""
    parts = [_heading(standing), _dates(standing), _waits(standing), _systems(standing)]
    return "\n\n".join(part for part in parts if part)


def _heading(standing: Standing) -> str:
    what = f"{standing.right} request" if standing.right else "request"
    law = f", under {standing.regime}" if standing.regime else ""
    return f"### {what.capitalize()}{law}: {standing.phase}"


def _waits(standing: Standing) -> str:
    """What is waited on, that which the list shows first; and what can be done about it."""
    if not standing.waits:
        return "" if standing.phase is Phase.CLOSED else f"**Waits on** {_NOBODY}"
    waits: list[Wait] = sorted(standing.waits, key=lambda wait: wait.code != standing.waiting_on)
    lines = []
    for code in dict.fromkeys(wait.code for wait in waits):
        places = [wait.system for wait in waits if wait.code == code and wait.system]
        where = f" ({', '.join(dict.fromkeys(places))})" if places else ""
        advice = ADVICE[Code(code)] if code in set(Code) else ""
        lines.append(f"**Waits on** {who(code)}{where}: `{code}`. {advice}")
    return "\n\n".join(lines)


def _dates(standing: Standing) -> str:
    if not (standing.internal_due and standing.legal_due) or standing.phase is Phase.CLOSED:
        return ""
    if standing.still_since:
        return f"**The clock stands still** since {standing.still_since}: nothing is due until it goes on"
    internal, legal = (_day(moment, standing.zone) for moment in (standing.internal_due, standing.legal_due))
    risk = f" ({_RISK[standing.risk]})" if standing.risk else ""
    return f"**To be answered by** {internal}, by law {legal}{risk}"


def _day(moment: datetime, zone: str) -> str:
    return local_day(moment, zone).isoformat() if zone else f"{moment:%Y-%m-%d}"


def _systems(standing: Standing) -> str:
    by_system: dict[str, list[StepStanding]] = {name: [] for name in standing.systems}
    for step in standing.steps:
        if step.operation is not Operation.CHANNELS:
            by_system.setdefault(step.system, []).append(step)
    if not by_system:
        return ""
    ready = sum(is_done(standing, steps) for steps in by_system.values())
    lines = [f"**Systems done:** {ready} of {len(by_system)}", "", "| system | so far | done |", "|---|---|---|"]
    for name, steps in by_system.items():
        said = "; ".join(map(_said, steps)) or "not begun"
        lines.append(f"| {name} | {said} | {'✓' if is_done(standing, steps) else ''} |")
    return "\n".join(lines)


def is_done(standing: Standing, steps: Sequence[StepStanding]) -> bool:
    """Whether nothing more is to be done in a system for this request: it holds nothing of the person, or what was
    asked is done there and, where something was to go or to change, was looked at again."""
    last = {step.operation: step for step in steps}
    act = COURSES[standing.right].act if standing.right else None
    acted = last.get(act) if act else None
    if acted is None:
        look = last.get(Operation.LOCATE)
        return look is not None and look.outcome is Outcome.NOTHING_HELD
    if not acted.outcome.settled:
        return False
    if act not in {Operation.ERASE, Operation.RECTIFY} or acted.certainty is Certainty.ATTESTED:
        return True
    looked = last.get(Operation.VERIFY)
    return looked is not None and looked.outcome.settled


def _said(step: StepStanding) -> str:
    """One step as it stands. What is not done is never said in the words of what is."""
    did, does = _DID[step.operation], _DOES.get(step.operation, str(step.operation))
    match step.outcome:
        case Outcome.DONE:
            if step.operation is Operation.LOCATE:
                return f"{did}: {step.rows} found"
            if step.operation is Operation.VERIFY:
                return f"{did}: gone" if step.certainty is Certainty.VERIFIED else did
            return f"{did} ({step.certainty})" if step.certainty else did
        case Outcome.RETAINED:
            return f"{did}, but for what is kept"
        case Outcome.NOTHING_HELD:
            return f"{does}: nothing held"
        case Outcome.PENDING if step.certainty is Certainty.ACCEPTED:
            return f"{does}: accepted, not done yet"
        case Outcome.PENDING:
            return f"{does}: not done yet"
        case Outcome.HELD:
            return f"{does}: **held**"
    return f"{does}: **{step.outcome.replace('_', ' ')}**" + (f" `{step.code}`" if step.code else "")
