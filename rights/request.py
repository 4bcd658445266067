"""A request and its phases: one exercise of one right by one person.

The one rule: a phase changes only along `TRANSITIONS`; the ledger refuses any other step.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """The rights the engine carries out (GDPR Art. 15 to 21)."""

    ACCESS = "access"
    PORTABILITY = "portability"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    RECTIFICATION = "rectification"
    OBJECTION = "objection"


OFFERED: Final = frozenset({Right.ACCESS, Right.ERASURE})
"""The rights that have a workflow today; a door refuses the others in one sentence."""


class Phase(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    CONFIRMING = "confirming"
    """Waiting until somebody attests that the asker is the person."""
    LOCATING = "locating"
    APPROVING = "approving"
    """Waiting until somebody approves the preview of an erasure."""
    FULFILLING = "fulfilling"
    VERIFYING = "verifying"
    PACKAGING = "packaging"
    CLOSED = "closed"

    @property
    def open(self) -> bool:
        """True while the engine still owes the person something."""
        return self is not Phase.CLOSED


TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.RECEIVED: frozenset({Phase.CONFIRMING, Phase.LOCATING, Phase.CLOSED}),
        Phase.CONFIRMING: frozenset({Phase.LOCATING, Phase.CLOSED}),
        Phase.LOCATING: frozenset({Phase.APPROVING, Phase.FULFILLING, Phase.CLOSED}),
        # Back to LOCATING from everywhere: after some rulings, and in a run started anew from the ledger.
        Phase.APPROVING: frozenset({Phase.LOCATING, Phase.FULFILLING, Phase.CLOSED}),
        Phase.FULFILLING: frozenset({Phase.LOCATING, Phase.VERIFYING, Phase.PACKAGING, Phase.CLOSED}),
        Phase.VERIFYING: frozenset({Phase.FULFILLING, Phase.LOCATING, Phase.CLOSED}),
        Phase.PACKAGING: frozenset({Phase.LOCATING, Phase.FULFILLING, Phase.CLOSED}),
        Phase.CLOSED: frozenset(),
    }
)


def may_move(here: Phase, there: Phase) -> bool:
    """Whether a request may go from one phase to another; staying is always allowed."""
    return here is there or there in TRANSITIONS[here]


class Conclusion(StrEnum):
    """How a closed request ended; the words letters and certificates start from."""

    ANSWERED = "answered"
    """Everything asked for was delivered or erased and looked at again."""
    IN_PART = "in_part"
    """Some of it was; the receipts say what was kept, held or given up, and on which ground."""
    NOTHING_HELD = "nothing_held"
    """Every system was looked at and none knew the person."""
    WITHDRAWN = "withdrawn"
