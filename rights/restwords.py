"""What two people may say of what an erasure has left: that it is locked away no more, or that it goes now.

The one rule: it is opened only for what it is kept for, on a coded ground (`law/rest_openings.yaml`); for anything else
it stays locked away until it goes.
"""

from enum import StrEnum
from functools import cache

from pydantic import Field

from rights.lawfile import Confidence, Strict, read_law, shipped


class RestWord(StrEnum):
    """What becomes of it."""

    OPEN = "open"
    ERASE = "erase"


class OpenGround(StrEnum):
    """Why what is kept is locked away no more."""

    CLAIMS = "claims"
    OBLIGATION = "obligation"
    PUBLIC_INTEREST = "public_interest"
    EXPRESSION = "expression"
    EXCEPTION = "exception"
    """Of a law that denies deletion for a use, which cannot be made of what is locked."""
    MISTAKE = "mistake"


class _Opening(Strict):
    source: str
    says: str


class RestLaw(Strict):
    """The file."""

    version: str
    confidence: Confidence
    grounds: dict[OpenGround, _Opening] = Field(min_length=len(OpenGround))


@cache
def rest_law() -> RestLaw:
    """The grounds that ship with the engine."""
    return read_law(RestLaw, "rest_openings.yaml", shipped("rest_openings.yaml"))
