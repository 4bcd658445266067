"""Why an erasure is owed (GDPR Art. 17(1)): what the asker has said, and what is on record where nobody has said it.

The one rule: a ground is on record only if somebody has stated it, with who has; where nobody has, that is what stands
there, and the erasure waits for none.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from rights.decision import grounds_for
from rights.detail import Details
from rights.request import Right

NONE_STATED: Final = "none_stated"
"""What the journal has of an erasure whose asker gives no ground."""


class Why(StrEnum):
    """On which ground the asker wants it erased, GDPR Art. 17(1)(a) to (f)."""

    NOT_NEEDED = "not_needed"
    """(a) It is no longer needed for what it was collected for."""
    CONSENT_WITHDRAWN = "consent_withdrawn"
    """(b) They have taken back their consent."""
    OBJECTION = "objection"
    """(c) They have objected to its being used."""
    UNLAWFUL = "unlawful"
    """(d) It was used unlawfully."""
    LEGAL_OBLIGATION = "legal_obligation"
    """(e) A law obliges us to erase it."""
    CHILD = "child"
    """(f) It was collected from a child for an online service."""

    @property
    def code(self) -> str:
        """Its ground among those of decisions (`law/grounds.yaml`)."""
        return f"gdpr_17_1_{_LETTERS[self]}"


_LETTERS: Final[Mapping[Why, str]] = MappingProxyType(dict(zip(Why, "abcdef", strict=True)))


class ErasureDetails(Details):
    """What a request about erasure may say; under no law does anything have to be."""

    ground: Why
    note: Annotated[str, StringConstraints(max_length=20_000)] = Field(default="", repr=False)
    """In their words."""


def stated_ground(right: Right, details: Details | None) -> str:
    """What the journal has of the ground that the asker gives: a word of `Why`, NONE_STATED, or "" of other rights."""
    if right is not Right.ERASURE:
        return ""
    return details.ground.value if isinstance(details, ErasureDetails) else NONE_STATED


def provision_of(word: str, regimes: Collection[str]) -> str | None:
    """The provision of what an asker has stated; None where none of the laws it is asked under has such a ground."""
    if word not in set(Why):
        return None
    found = (grounds_for(Right.ERASURE, [law]).get(Why(word).code) for law in regimes)
    return next((ground.article for ground in found if ground), None)
