"""Minors: up to what age a parent or guardian speaks for a child, by country; and the lane of data that is a child's.

The one rule: no child loses a right because of a parent's. Where a law is not clear about who asks, either may, and
a reading of low confidence never shuts a child out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from rights.identity import identity_law
from rights.lawfile import Confidence, Strict, read_law, shipped

Age = Annotated[int, Field(ge=0, le=18)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1, such as FR."""


class ChildLaw(Strict):
    """The ages of one country, in years."""

    consent_from: Age
    own_name_from: Age | None = None
    source: str
    confidence: Confidence

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.own_name_from is not None:
            if self.own_name_from > self.consent_from:
                raise ValueError("own_name_from is above consent_from: who consents alone asks alone")
            if self.confidence == "low":
                raise ValueError("a reading of low confidence shuts no child out: leave own_name_from out")
        return self


class Source(StrEnum):
    """Who says that data is a child's. Nobody has to prove it to have the data put out of use."""

    STAFF = "staff"
    PARENT = "parent"
    SYSTEM = "system"
    """Such as a check of ages, or an import."""


class Indication(StrEnum):
    """What a second person has gone by who says that data is a child's. No document is asked of the child."""

    AGE_ON_FILE = "age_on_file"
    DOCUMENT_SEEN = "document_seen"
    """That somebody else has shown, such as a parent or a school; nobody keeps it."""
    GUARDIAN = "guardian"
    """What a parent or guardian has said."""
    CONTENT = "content"
    """What the data itself says."""


class LaneLaw(Strict):
    """The terms of a report that data is a child's, from the report on."""

    answer_hours: Annotated[int, Field(ge=1, le=7 * 24)]
    """Within so many it is put out of use, ruled on, and erased or given free."""
    restrict_minutes: Annotated[int, Field(ge=1, le=24 * 60)]
    """Within so many from the report it is out of use; else somebody is asked to see to it."""
    ruling_hours: Annotated[int, Field(ge=1, le=48)]
    """Each time so many have passed without a ruling it is asked for again, one level up."""
    purge_hours: Annotated[int, Field(ge=1, le=7 * 24)]
    """Within so many from the ruling that it is a child's it is erased; else somebody is asked to see to it."""
    review_days: Annotated[int, Field(ge=1, le=365)]
    """When it is looked at what is still out of use, since a hold or a duty to keep it has kept it."""
    source: str
    confidence: Confidence

    @property
    def within(self) -> timedelta:
        return timedelta(hours=self.answer_hours)

    @property
    def restrict_within(self) -> timedelta:
        """From the report on."""
        return timedelta(minutes=self.restrict_minutes)

    @property
    def purge_within(self) -> timedelta:
        """From the ruling on."""
        return timedelta(hours=self.purge_hours)

    def asked_in_vain(self, reported_at: datetime, at: datetime) -> int:
        """How often a ruling was asked for in vain by a moment."""
        return max(int((at - reported_at) / timedelta(hours=self.ruling_hours)), 0)


class MinorsLaw(Strict):
    """The table."""

    version: str
    countries: Mapping[CountryCode, ChildLaw]
    lane: LaneLaw

    def own_name_from(self, country: str = "") -> int:
        """From which age a child asks in their own name; `country` empty: not known.

        Source: the country's (`law/minors.yaml`); else `law/identity.yaml`.
        """
        law, usual = self.countries.get(country.upper()), identity_law().minors.own_name_from
        if law is None:
            return usual
        return min(usual, law.consent_from) if law.own_name_from is None else law.own_name_from

    def parent_until(self, country: str = "") -> int:
        """Up to which age a parent may ask for a child.

        Source: GDPR Art. 8(1), by member state; else as `own_name_from`.
        """
        law = self.countries.get(country.upper())
        return law.consent_from if law else identity_law().minors.own_name_from


def read_minors(file: str, text: str) -> MinorsLaw:
    """Read a table of minors.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(MinorsLaw, file, text)


@cache
def minors_law() -> MinorsLaw:
    """The table that ships with the engine."""
    return read_minors("minors.yaml", shipped("minors.yaml"))


def needs_guardian(age: int, country: str = "") -> bool:
    """Whether a child of an age is asked for by a parent or guardian, and cannot ask in their own name.

    Source: GDPR Art. 8, Recital 38; COPPA (under 13); Cal. Civ. Code 1798.120(c); national law.
    """
    return age < minors_law().own_name_from(country)


def parent_may_ask(age: int, country: str = "") -> bool:
    """Whether a parent may ask for a child of an age; the child may too, unless `needs_guardian`."""
    return age < minors_law().parent_until(country)
