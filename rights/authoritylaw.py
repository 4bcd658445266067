"""What the law asks of a demand before anything is handed over, and the grounds on which it is decided, as data.

The one rule: each question and ground has its source, and what depends on a circumstance says on which.
"""

from enum import StrEnum
from functools import cache
from typing import Self

from pydantic import Field, model_validator

from rights.lawfile import Strict, read_law, shipped


class Circumstance(StrEnum):
    """What a question or a ground depends on."""

    ABROAD = "abroad"
    CLAUSES = "clauses"
    """The data came here under the standard contractual clauses."""
    GAG = "gag"
    EMERGENCY = "emergency"


class Word(StrEnum):
    """What is decided."""

    DISCLOSE = "disclose"
    IN_PART = "in_part"
    REFUSE = "refuse"
    CHALLENGE = "challenge"
    """Nothing is handed over while it is challenged; what becomes of it is another decision."""

    @property
    def gives(self) -> bool:
        """Whether anything is handed over."""
        return self in {Word.DISCLOSE, Word.IN_PART}


class Check(Strict):
    """A question that has to be answered."""

    asks: str
    source: str
    when: tuple[Circumstance, ...] = ()
    """All of these have to be so; none: it is always asked."""
    emergency: bool = False
    """It is answered before a disclosure in an emergency too; the others afterwards."""


class Ground(Strict):
    """One coded reason."""

    effects: tuple[Word, ...] = Field(min_length=1)
    source: str
    says: str
    when: tuple[Circumstance, ...] = ()
    fails: str | None = None
    """The question that was answered with no; of grounds to give nothing."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        gives = {word.gives for word in self.effects}
        if gives != {self.fails is None}:
            raise ValueError("a ground gives something, or says by `fails` which question was answered with no")
        return self


class AuthorityLaw(Strict):
    """The file."""

    version: str
    source: str
    checks: dict[str, Check]
    grounds: dict[str, Ground]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, ground in self.grounds.items():
            if ground.fails is not None and ground.fails not in self.checks:
                raise ValueError(f"{name} fails a question that is not there")
        return self


@cache
def authority_law() -> AuthorityLaw:
    """The questions and grounds that ship with the engine."""
    return read_law(AuthorityLaw, "authorities.yaml", shipped("authorities.yaml"))
