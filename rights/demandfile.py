"""A demand of an authority as somebody enters it, in one YAML file.

The one rule: codes, names and days apart from what people wrote, which is sealed.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from rights.demanddays import Days
from rights.lawfile import Strict
from rights.letters import Language
from rights.recipients import Country, Handle

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Place = Annotated[str, StringConstraints(pattern=r"^[^.\s]+\.[^\s]+$")]
"""SYSTEM.COLLECTION, as the data map has them."""


class Kind(StrEnum):
    """What the authority has sent."""

    COURT_ORDER = "court_order"
    WARRANT = "warrant"
    PRODUCTION_ORDER = "production_order"
    SUBPOENA = "subpoena"
    REQUEST = "request"
    """It asks, and does not order."""


class Gag(StrEnum):
    """Whether the person may hear of it."""

    NONE = "none"
    UNTIL = "until"
    OPEN = "open"
    """Forbidden until somebody lifts it."""


class Reach(Strict):
    """Where somebody is written to."""

    name: str = Field(default="", max_length=200)
    email: str | None = Field(default=None, pattern=r"^[^@\s]{1,64}@[^@\s]{1,255}$")
    post: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.email) is bool(self.post):
            raise ValueError("write one of: email, post")
        return self


class Said(Strict):
    """A demand as somebody enters it, in one YAML file."""

    authority: Handle
    """Its name in the register of recipients."""
    country: Country
    kind: Kind
    basis: Text
    """The provision that it names."""
    reference: Text | None = None
    """Its file number."""
    demanded: tuple[Place, ...] = Field(min_length=1)
    dates: Days | None = None
    """Only rows of these days are demanded."""
    due_on: date
    gag: Gag = Gag.NONE
    gag_until: date | None = None
    """until: the last day on which the person may not hear of it."""
    gag_basis: Text | None = None
    """The provision that forbids it."""
    clauses: bool = False
    """The data came here under the standard contractual clauses."""
    exporter: Handle | None = None
    """clauses: whoever gave us the data, by its name in the register of recipients."""
    emergency: bool = False
    person: Reach | None = None
    """Where the person is written to; without it a person of ours posts the letter."""
    language: Language | None = None
    """Of the letters; else that of the settings."""

    @model_validator(mode="after")
    def _exporter(self) -> Self:
        if self.exporter and not self.clauses:
            raise ValueError("exporter goes with clauses: true, since only under these it is told")
        return self

    @model_validator(mode="after")
    def _gag(self) -> Self:
        if (self.gag is Gag.UNTIL) != (self.gag_until is not None):
            raise ValueError("gag_until goes with gag: until, and that with gag_until")
        if (self.gag is Gag.NONE) != (self.gag_basis is None):
            raise ValueError("a gag has its gag_basis, and nothing else has: who forbids to tell says by which law")
        return self

    @property
    def texts(self) -> dict[str, str]:
        """What people wrote; it is sealed."""
        found = {"basis": self.basis, "reference": self.reference, "gag_basis": self.gag_basis}
        return {name: text for name, text in found.items() if text}
