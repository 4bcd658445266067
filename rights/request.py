"""A request and its phases: one exercise of one right by one person.

The one rule: a phase changes only along `TRANSITIONS`; the ledger refuses any other step.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """The rights the engine carries out (GDPR Art. 7(3) and 15 to 22, Cal. Civ. Code 1798.120)."""

    ACCESS = "access"
    PORTABILITY = "portability"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    RECTIFICATION = "rectification"
    OBJECTION = "objection"
    OPT_OUT = "opt-out"
    """Of sale, sharing, targeted advertising or profiling; nobody has to prove who they are for it."""
    CONSENT_WITHDRAWAL = "consent-withdrawal"
    DECISION_REVIEW = "decision-review"
    """A person looks at an automated decision again (GDPR Art. 22(3))."""

    @property
    def copies(self) -> bool:
        """True where the person gets a copy of what is held, and nothing is changed."""
        return self in {Right.ACCESS, Right.PORTABILITY}


class Phase(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    CONFIRMING = "confirming"
    """Waiting until somebody attests that the asker is the person."""
    DECIDING = "deciding"
    """Waiting until somebody has weighed what is asked, or decided on it."""
    COOLING = "cooling"
    """Waiting in case the person, or whoever is told of it, stops an erasure."""
    LOCATING = "locating"
    APPROVING = "approving"
    """Waiting until somebody approves the preview of an erasure."""
    FULFILLING = "fulfilling"
    VERIFYING = "verifying"
    PACKAGING = "packaging"
    TELLING = "telling"
    """Waiting until the recipients of the data are told of what was done with it."""
    CLOSED = "closed"

    @property
    def open(self) -> bool:
        """True while the engine still owes the person something."""
        return self is not Phase.CLOSED


_BEGUN: Final = {Phase.DECIDING, Phase.COOLING, Phase.LOCATING}
"""Where a request may go once it is known who asks."""

TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.RECEIVED: frozenset({*_BEGUN, Phase.CONFIRMING, Phase.CLOSED}),
        Phase.CONFIRMING: frozenset({*_BEGUN, Phase.CLOSED}),
        Phase.DECIDING: frozenset(
            {Phase.CONFIRMING, Phase.COOLING, Phase.LOCATING, Phase.APPROVING, Phase.FULFILLING, Phase.CLOSED}
        ),
        Phase.COOLING: frozenset({Phase.DECIDING, Phase.LOCATING, Phase.CLOSED}),
        # Back to LOCATING from everywhere: after some rulings, and in a run started anew from the ledger.
        Phase.LOCATING: frozenset(
            {
                # What was proven was enough to look, and more is needed for what was found.
                Phase.CONFIRMING,
                *(_BEGUN - {Phase.LOCATING}),
                Phase.APPROVING,
                Phase.FULFILLING,
                Phase.TELLING,
                Phase.CLOSED,
            }
        ),
        Phase.APPROVING: frozenset({Phase.DECIDING, Phase.LOCATING, Phase.FULFILLING, Phase.CLOSED}),
        Phase.FULFILLING: frozenset(
            {Phase.DECIDING, Phase.LOCATING, Phase.VERIFYING, Phase.PACKAGING, Phase.TELLING, Phase.CLOSED}
        ),
        Phase.VERIFYING: frozenset({Phase.DECIDING, Phase.FULFILLING, Phase.LOCATING, Phase.TELLING, Phase.CLOSED}),
        Phase.PACKAGING: frozenset({Phase.LOCATING, Phase.FULFILLING, Phase.TELLING, Phase.CLOSED}),
        Phase.TELLING: frozenset({Phase.LOCATING, Phase.CLOSED}),
        Phase.CLOSED: frozenset(),
    }
)


ALLOWED: Final[Mapping[str, frozenset[Phase]]] = MappingProxyType(
    {
        "confirm_identity": frozenset({Phase.RECEIVED, Phase.CONFIRMING, Phase.DECIDING}),
        "decide": frozenset(
            {Phase.RECEIVED, Phase.CONFIRMING, Phase.DECIDING, Phase.COOLING, Phase.LOCATING, Phase.APPROVING}
        ),
        # Past approving, a system whose mode was made stricter waits for a word too.
        "approve": frozenset({Phase.APPROVING, Phase.FULFILLING, Phase.VERIFYING}),
        "rule": frozenset(Phase) - {Phase.RECEIVED, Phase.CLOSED},
        "withdraw": frozenset(Phase) - {Phase.CLOSED},
    }
)
"""In which phases a word makes sense, by the name of the update that brings it to a run. What has begun to be carried
out is not decided any more: it is taken back, or it ends."""


def may_say(word: str, here: Phase) -> bool:
    """Whether a word makes sense in a phase."""
    return here in ALLOWED[word]


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
    UNPROVEN = "unproven"
    """Nobody has proven to be the person in time; nothing was looked for, given out or changed."""
    CATEGORIES = "categories"
    """Proven surely enough for the categories of what is held, and told of these; not for a copy, so there is none."""
    REFUSED = "refused"
    """Nothing of what was asked for is done, on a ground that the person was told."""
    NOT_DONE = "not_done"
    """No copy could be made, though nobody refused one: the receipts say what was given up."""
    PASSED_ON = "passed_on"
    """It belongs to another controller, which has it now and answers it (GDPR Art. 28(3)(e), 26)."""
    JOINED = "joined"
    """An earlier request of the same person asks the same, and its answer names both."""
