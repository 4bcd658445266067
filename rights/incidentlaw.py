"""What laws ask of a controller that is aware of a personal data breach, as data: hours, kinds, ways to tell people.

The one rule: each has its source; a law of which we know no number of hours has our default, and that is said of it.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import RegimeName


class Kind(StrEnum):
    """What has happened."""

    WRONG_RECIPIENT = "wrong_recipient"
    ACCESS = "access"
    ALTERATION = "alteration"
    LOSS = "loss"
    RESIDUE = "residue"
    """Data that was answered as erased is there again: the engine's own finding."""


class Breaks(StrEnum):
    """Which side of security is broken (GDPR Art. 4(12); EDPB Guidelines 9/2022)."""

    CONFIDENTIALITY = "confidentiality"
    INTEGRITY = "integrity"
    AVAILABILITY = "availability"


class How(StrEnum):
    """How the people were told, or on which ground they are not (GDPR Art. 34)."""

    EACH = "each"
    PUBLIC = "public"
    UNINTELLIGIBLE = "unintelligible"
    AVERTED = "averted"


class _Within(Strict):
    hours: int = Field(ge=1, le=24 * 90)
    source: str
    confidence: Confidence


class _Kind(Strict):
    breaks: tuple[Breaks, ...]
    says: str
    source: str


class _How(Strict):
    tells: bool
    """False: it is a ground for telling nobody."""
    says: str
    source: str


class _Asks(Strict):
    """What the ledger cannot know of Art. 33(3), and asks a person."""

    nature: str
    people: str
    consequences: str
    measures: str


class Within(NamedTuple):
    """A term, and whose it is."""

    hours: int
    regimes: tuple[str, ...]
    """The laws that set it; none: it is our default, and no law of which we know the number."""
    source: str


class IncidentLaw(Strict):
    """The file."""

    version: str
    remind: tuple[int, ...]
    default: _Within
    regimes: dict[RegimeName, _Within]
    kinds: dict[Kind, _Kind]
    people: dict[How, _How]
    asks: _Asks

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.kinds) != set(Kind) or set(self.people) != set(How):
            raise ValueError("every kind, and every way to tell people, stands there once")
        if list(self.remind) != sorted(set(self.remind), reverse=True) or min(self.remind, default=1) < 1:
            raise ValueError("remind: hours before the end, the most first")
        return self

    def within(self, regimes: Iterable[str]) -> Within:
        """The shortest term under several laws. A law that is not listed counts with the default."""
        named = tuple(dict.fromkeys(regimes))
        terms = {name: self.regimes.get(name, self.default) for name in named} or {"": self.default}
        least = min(term.hours for term in terms.values())
        whose = tuple(name for name, term in terms.items() if term.hours == least and name in self.regimes)
        source = self.regimes[whose[0]].source if whose else self.default.source
        return Within(least, whose, source)


@cache
def incident_law() -> IncidentLaw:
    """The law on personal data breaches that ships with the engine."""
    return read_law(IncidentLaw, "incidents.yaml", shipped("incidents.yaml"))
