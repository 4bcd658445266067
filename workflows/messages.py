"""What travels to and from a workflow: start, updates, query and result. Ids, codes, counts and times only."""

from datetime import datetime

from activities.opening import Facts
from rights.plan import Operation
from rights.receipt import Outcome, Receipt
from rights.request import Conclusion, Phase, Right
from rights.value import Value


class Opening(Value):
    """The argument of every request workflow."""

    request_id: str
    right: Right
    facts: Facts | None = None
    """Where the request stood when it was begun; None: the run has to read it."""
    looks: tuple[Receipt, ...] = ()
    """What a run that goes on in a fresh history had located: nothing was lost, and nobody is asked again."""


class Ruling(Value):
    """An agent's word on a step that cannot go on alone. What was typed or chosen is in the vault."""

    system: str
    operation: Operation
    round: int
    word: str
    """retry, give_up, done or choose."""


class StepStanding(Value):
    """One step, as the query shows it."""

    system: str
    operation: Operation
    outcome: Outcome
    code: str = ""


class Standing(Value):
    """Where a running request stands."""

    phase: Phase
    waiting_on: str = ""
    internal_due: datetime | None = None
    legal_due: datetime | None = None
    steps: tuple[StepStanding, ...] = ()


class Closing(Value):
    """What a request workflow returns."""

    conclusion: Conclusion
    systems: int
    rows_erased: int = 0
    rows_exported: int = 0
