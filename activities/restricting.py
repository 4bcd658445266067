"""What a request about restriction or rectification asks for, what was decided on it, and how far a lifting is.

The one rule: what is asked is read from the vault, and only names of the data map and numbers go to the workflow.
"""

from datetime import datetime
from functools import partial

from temporalio import activity

from activities.calls import FINAL_WORDS
from activities.corrections import seal_corrections
from activities.disputes import note_refused
from activities.opening import Ask
from activities.tools import Tools
from connectors.protocol import Correction
from ledger.heldback import HeldBack
from ledger.requestrow import RequestRow
from ledger.restrictions import notice_key
from rights.codes import Code
from rights.plan import Operation, Step
from rights.receipt import Outcome, Receipt, newest
from rights.rectification import Accuracy, RectificationDetails
from rights.request import Phase, Right
from rights.restriction import Ended, Extent, RestrictionDetails, Stage
from rights.value import Value

ENDED = {Right.RECTIFICATION: Ended.VERIFIED, Right.OBJECTION: Ended.WEIGHED}
"""Why what was restricted while another right was decided on is lifted."""
STATEMENT = "statement"
"""What stands for a system in the step that puts a statement with the data."""


class Asked(Value):
    """What a request asks for in the systems."""

    systems: tuple[str, ...] | None = None
    """restriction: the systems that it is about; None: all. rectification: those with corrections to carry out, once
    that is decided."""
    restrict: bool = False
    """rectification: whether the data is restricted while its accuracy is checked."""
    decide: bool = False
    """rectification: whether somebody has to decide on its corrections yet."""
    statement: bool = False
    """rectification: whether a statement goes with the data."""
    closed: bool = False
    """rectification: whether a decision on the whole of it is weighed, or refuses it."""


class Lifting(Value):
    """How far a lifting is."""

    over: bool = False
    """It is lifted, or not to be lifted any more."""
    due: datetime | None = None
    """When it may begin; None while the person is not told."""
    steps: tuple[Step, ...] = ()
    """What is to be put back now."""


class RestrictingActivities:
    """Reads and notes, on the ledger alone."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="asked", no_thread_cancel_exception=True)
    def asked(self, ask: Ask) -> Asked:
        """Read what is asked; seal the corrections that are to be carried out, each system's, once that is decided."""
        ledger, request_id = self._tools.ledger, ask.request_id
        right = ledger.request(request_id).right
        details = ledger.details(request_id, right)
        if isinstance(details, RestrictionDetails):
            return Asked(systems=covered(self._tools, ledger.request(request_id), details.extent))
        if not isinstance(details, RectificationDetails):
            return Asked()
        put = any(r.step.system == STATEMENT for r in ledger.receipts(request_id))
        asked = Asked(systems=(), restrict=details.restrict, statement=bool(details.statement) and not put)
        if not details.corrections:
            return asked
        decided = ledger.accuracy(request_id)
        if decided is None:
            return asked.model_copy(update={"decide": True, "closed": ledger.gate(request_id).closed})
        note_refused(self._tools, ledger.request(request_id), ask.as_of)
        wanted = details.accepted(decided)
        systems = tuple(dict.fromkeys(one.system for one in wanted))
        for name in systems:
            corrections = [Correction(w.collection, w.values, w.key) for w in wanted if w.system == name]
            seal_corrections(ledger, request_id, name, corrections, at=ask.as_of)
        return asked.model_copy(update={"systems": systems})

    @activity.defn(name="weigh", no_thread_cancel_exception=True)
    def weigh(self, ask: Ask) -> None:
        """Put the accuracy of what is disputed on a person's desk."""
        ledger = self._tools.ledger
        ledger.move(ask.request_id, Phase.DECIDING, at=ask.as_of)
        ledger.open_task(ask.request_id, accuracy_key(ask.request_id), Code.ACCURACY, "accuracy", at=ask.as_of)

    @activity.defn(name="end-restriction", no_thread_cancel_exception=True)
    def end_restriction(self, ask: Ask) -> None:
        """Have a restriction that was in force while something was decided lifted, if there is one."""
        end_restriction(self._tools, ask)

    @activity.defn(name="lifting", no_thread_cancel_exception=True)
    def lifting(self, ask: Ask) -> Lifting:
        """Say how far a lifting is; begin it when the person was told and the term has run."""
        ledger, request_id = self._tools.ledger, ask.request_id
        found = ledger.restriction(request_id)
        if found is None or found.stage in {Stage.IN_FORCE, Stage.LIFTED}:
            return Lifting(over=True)
        due = ledger.heard_of_lifting(request_id, at=ask.as_of)
        if not ledger.begin_lifting(request_id, at=ask.as_of):
            # A day that has come without its beginning is one that was undone between the two looks.
            return Lifting(due=due if due and due > ask.as_of else None)
        for key, word in ledger.rulings(request_id).items():
            # Done and given up say so in the step itself, and their tasks go when everything is lifted.
            if key.split("/")[2] == Operation.LIFT and word not in FINAL_WORDS:
                ledger.settle_tasks(request_id, key, at=ask.as_of)
        return Lifting(due=due, steps=self._steps(request_id))

    @activity.defn(name="lifted", no_thread_cancel_exception=True)
    def lifted(self, ask: Ask) -> None:
        """Note that everything is open again."""
        terms = self._tools.terms
        self._tools.ledger.lifted(
            ask.request_id,
            at=ask.as_of,
            working_until=ask.as_of + terms.working,
            file_until=ask.as_of + terms.file,
        )

    def _steps(self, request_id: str) -> tuple[Step, ...]:
        """In which systems something is to be put back: where it was restricted, or an attempt at it was made."""
        ledger = self._tools.ledger
        receipts = ledger.receipts(request_id)
        restricted = newest(receipts, Operation.RESTRICT)
        names = ledger.locked_in(request_id) | {name for name, r in restricted.items() if _locked(r)}
        step = partial(Step, request_id=request_id, operation=Operation.LIFT)
        return tuple(step(system=name) for name in sorted(names))


def end_restriction(tools: Tools, ask: Ask) -> None:
    """Have the restriction of a request lifted, if one is in force: the person is told first."""
    ledger = tools.ledger
    found = ledger.restriction(ask.request_id)
    if found and found.stage is Stage.IN_FORCE:
        reason = ENDED.get(ledger.request(ask.request_id).right, Ended.ASKED)
        try:
            ledger.ask_to_lift(ask.request_id, reason, at=ask.as_of, notice=tools.terms.notice)
        except HeldBack:
            # It stays restricted, and the person is told nothing that would not be done; somebody looks after it.
            key = notice_key(ask.request_id)
            ledger.open_task(ask.request_id, key, Code.RESTRICTION_REVIEW, "restriction", at=ask.as_of)


class Owed(Value):
    """What a request is owed beyond what was located."""

    systems: tuple[str, ...] | None = None
    """The systems that it is about; None: all that hold something."""
    refused: bool = False
    """Something of it was refused."""
    wholly: bool = False
    """All of it was refused, and nothing of it is to be carried out."""


def owed_in(tools: Tools, row: RequestRow) -> Owed:
    """Of a restriction the systems that were named, of a rectification those with corrections that were accepted."""
    ledger = tools.ledger
    if row.right not in {Right.RESTRICTION, Right.RECTIFICATION}:
        return Owed()
    details = ledger.details(row.id, row.right)
    if isinstance(details, RestrictionDetails):
        return Owed(systems=covered(tools, row, details.extent))
    if not isinstance(details, RectificationDetails):
        return Owed()
    decided = ledger.accuracy(row.id) or Accuracy()
    systems = {one.system for one in details.accepted(decided)} | ({STATEMENT} if details.statement else set())
    undecided = bool(details.corrections) and not (decided.accepted or decided.refused)
    refused = bool(decided.refused)
    return Owed(systems=tuple(sorted(systems)), refused=refused or undecided, wholly=refused and not systems)


def covered(tools: Tools, row: RequestRow, extent: Extent) -> tuple[str, ...] | None:
    """The systems in which something is to be restricted; None: all."""
    if extent == Extent():
        return None
    systems = tools.map_of(row).systems.values()
    return tuple(system.system for system in systems if extent.covers(system))


def accuracy_key(request_id: str) -> str:
    """What the task about the accuracy hangs on."""
    return f"{request_id}/accuracy/{Operation.RECTIFY}/0"


def _locked(receipt: Receipt) -> bool:
    return receipt.outcome is not Outcome.NOTHING_HELD and receipt.code != Code.RULED_OUT
