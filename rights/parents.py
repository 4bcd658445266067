"""Laws that give parents rights of their own over a child's data, as data in `law/parents.yaml`.

The one rule: they say who may ask for what, and set no clock: a request has the term of the law it was opened under.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.minors import Age, CountryCode
from rights.request import Right
from rights.suppression import Scope

COPPA: Final = "coppa"


class ParentRefusal(ValueError):
    """A parent who may not ask for this under a law; one sentence that says why and what would do."""


class Service(Strict):
    """What a law says of ending the service to the child, which is another thing than deleting its data."""

    source: str
    says: str


class Consent(Strict):
    """By which ways a parent consents, each with its provision."""

    source: str
    ways: Mapping[str, str] = Field(min_length=1)


class ParentLaw(Strict):
    """One law."""

    title: str
    country: CountryCode
    under_age: Age
    """It is about children who are younger."""
    who: tuple[Literal["parent", "guardian"], ...] = Field(min_length=1)
    term: str
    """What it says of time. No number: a law that sets one is a regime."""
    rights: Mapping[Right, str] = Field(min_length=1)
    """What a parent may ask for, each with its provision."""
    refuses: tuple[Scope, ...] = ()
    """What an objection under it is to."""
    service: Service
    consent: Consent
    source: str
    confidence: Confidence

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (Right.OBJECTION in self.rights) is not bool(self.refuses):
            raise ValueError("an objection under it and what it refuses go together: write both, or neither")
        return self

    def carry(self, kind: str, age: int | None, country: str, right: Right) -> None:
        """Whether somebody may ask for a right under it.

        Args:
            kind: of their mandate.
            age: of the child, in years; None: not said.
            country: where the child lives; empty: not said.

        Raises:
            ParentRefusal: they may not.
        """
        if kind not in self.who:
            raise ParentRefusal(f"under {self.title} a parent asks: the mandate is of kind {' or '.join(self.who)}")
        if age is None or age >= self.under_age:
            raise ParentRefusal(
                f"{self.title} is about children under {self.under_age}: write the age, or leave law out"
            )
        if country and country.upper() != self.country:
            raise ParentRefusal(f"{self.title} is a law of {self.country}: correct country, or leave law out")
        if right not in self.rights:
            raise ParentRefusal(
                f"{self.title} gives no right of {right}, but of {', '.join(sorted(self.rights))}: leave law out"
            )


class ParentLaws(Strict):
    """The table."""

    version: str
    laws: Mapping[str, ParentLaw]


def read_parents(file: str, text: str) -> ParentLaws:
    """Read a table of laws on parents.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(ParentLaws, file, text)


@cache
def parent_laws() -> ParentLaws:
    """The table that ships with the engine."""
    return read_parents("parents.yaml", shipped("parents.yaml"))
