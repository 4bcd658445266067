"""What travels to and from a workflow: start, updates, query and result. Ids, codes, counts and times only."""

from datetime import date, datetime

from activities.opening import Facts
from rights.deadlines import Risk
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
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
    certainty: Certainty | None = None
    rows: int = 0
    """What was found, of a look."""


class Wait(Value):
    """One thing that is waited on."""

    code: str
    system: str = ""
    """Where, if it is one system's step."""


class Standing(Value):
    """Where a running request stands."""

    phase: Phase
    waiting_on: str = ""
    internal_due: datetime | None = None
    legal_due: datetime | None = None
    steps: tuple[StepStanding, ...] = ()
    right: Right | None = None
    regime: str = ""
    """The law whose dates they are."""
    waits: tuple[Wait, ...] = ()
    """All that is waited on; `waiting_on` is what the list shows of it."""
    risk: Risk | None = None
    still_since: date | None = None
    """The clock stands still since this day, and nothing is due."""
    zone: str = ""
    """Whose days the dates are."""
    systems: tuple[str, ...] = ()
    """Those that are looked into."""


class Closing(Value):
    """What a request workflow returns."""

    conclusion: Conclusion
    systems: int
    rows_erased: int = 0
    rows_exported: int = 0
