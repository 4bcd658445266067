"""Restriction of processing (GDPR Art. 18): on which ground, for how long, and how it ends.

The one rule: whoever obtained a restriction is told before it is lifted, Art. 18(3); so a restriction ends in steps:
asked, told, a term that runs from there, lifted.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from rights.datamap import DataMap
from rights.detail import Details
from rights.value import Value

Note = Annotated[str, StringConstraints(max_length=20_000)]
"""A text somebody typed."""


class Ground(StrEnum):
    """Why processing is restricted, Art. 18(1)(a) to (d)."""

    ACCURACY = "accuracy"
    """(a) The person contests the accuracy, for as long as it takes to verify it."""
    UNLAWFUL = "unlawful"
    """(b) The processing is unlawful, and the person wants it restricted rather than erased."""
    CLAIMS = "claims"
    """(c) We need the data no longer; the person does, for legal claims."""
    OBJECTION = "objection"
    """(d) The person has objected, and it is not settled yet whose grounds weigh more."""

    @property
    def article(self) -> str:
        """The provision."""
        return f"GDPR Art. 18(1)({_LETTERS[self]})"


_LETTERS: Final[Mapping[Ground, str]] = MappingProxyType(
    {Ground.ACCURACY: "a", Ground.UNLAWFUL: "b", Ground.CLAIMS: "c", Ground.OBJECTION: "d"}
)


class Ended(StrEnum):
    """Why a restriction is to be lifted."""

    VERIFIED = "verified"
    """The accuracy has been verified, or what was wrong is corrected."""
    WEIGHED = "weighed"
    """Whose grounds weigh more is settled."""
    NOT_NEEDED = "not_needed"
    """The reason has gone: the claims are settled, the processing is lawful now."""
    ASKED = "asked"
    """The person wants it lifted, or has taken the request back."""


class Stage(StrEnum):
    """Where a restriction stands."""

    IN_FORCE = "in_force"
    TELLING = "telling"
    """It is to be lifted, and the person is not told yet."""
    NOTICE = "notice"
    """The person was told, and the term runs."""
    LIFTING = "lifting"
    LIFTED = "lifted"


class RestrictionDetails(Details):
    """What a request about restriction says."""

    ground: Ground
    systems: tuple[str, ...] = ()
    """The systems of the data map that it is about; none named: all."""
    review_on: date | None = None
    """When it is to be reviewed; not said: after the deployment's own term."""
    note: Note = Field(default="", repr=False)

    def require(self, data_map: DataMap) -> None:
        for name in self.systems:
            if name not in data_map.systems:
                raise ValueError(f"systems: the data map has no such system: write some of {_list(data_map.systems)}")

    def covers(self, system: str) -> bool:
        """Whether a system is to be restricted."""
        return not self.systems or system in self.systems


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))


class Restriction(Value):
    """A restriction as the ledger has it. Everything but `lifted` is a restriction in force."""

    request_id: str
    ground: Ground
    since: datetime
    review_on: datetime
    """When somebody has to look whether it is still needed."""
    reviewed_at: datetime | None = None
    lift_reason: Ended | None = None
    lift_asked_at: datetime | None = None
    notice_days: int | None = None
    """How many days lie between telling the person and lifting."""
    letter: str | None = None
    """The letter that tells the person."""
    told_at: datetime | None = None
    lift_on: datetime | None = None
    """The earliest moment of lifting; None until the person is told."""
    lifting_at: datetime | None = None
    lifted_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        if self.lifted_at:
            return Stage.LIFTED
        if self.lifting_at:
            return Stage.LIFTING
        if self.told_at:
            return Stage.NOTICE
        return Stage.TELLING if self.lift_asked_at else Stage.IN_FORCE
