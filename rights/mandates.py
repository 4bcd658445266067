"""Who may ask for somebody else: agents, lawyers, parents, guardians, and those left behind by somebody who has died.

The one rule: nobody asks for another person without a mandate that covers the right and is in force; where the law of a
country is not sure, nobody's name is enough, and a person decides.
"""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Literal, Self

from pydantic import model_validator

from rights.identity import identity_law
from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.minors import parent_may_ask
from rights.parents import ParentRefusal, parent_laws
from rights.recipients import Country as Place
from rights.recipients import Handle, Refused, Register, families
from rights.request import Right
from rights.subject import IdentityError, parse_identity
from rights.terms import keep_until
from rights.yamlfile import read


class Kind(StrEnum):
    """How somebody comes to ask for another person."""

    AGENT = "agent"
    """An authorised agent: signed permission of the person."""
    ATTORNEY = "attorney"
    """A power of attorney."""
    LAWYER = "lawyer"
    PARENT = "parent"
    GUARDIAN = "guardian"
    SURVIVOR = "survivor"
    """Of somebody who has died."""


Relation = Literal["heir", "family", "appointee"]
"""Who asks after a death: whoever inherits, close family, or whoever the person has appointed."""


class MandateRefusal(ValueError):
    """A mandate that does not carry a request; one sentence that says why and what would."""


class Firm(Strict):
    """A firm that asks for the person: a controller of its own, to which data is given (EDPB 05/2021). A natural person
    acts for the person, and is none."""

    country: Place
    """Where it is."""
    recipient: Handle
    """Its name in the register of recipients, which is asked where it is abroad."""


class Mandate(Strict):
    """What a mandate says, as it is written down for a request. It may tell of people, so it is sealed."""

    kind: Kind
    scope: tuple[Right, ...]
    """The rights it covers."""
    signed: date
    expires: date | None = None
    """The last day on which it is in force; None: it has no end of its own."""
    answer_to: Literal["person", "representative"]
    """Who gets the answer."""
    representative: str = ""
    """Their name and address, as on an envelope; lines, or parts with commas between."""
    representative_email: str = ""
    """Where letters to them go; without it they are posted to the address."""
    firm: Firm | None = None
    """Whoever asks for the person is a firm."""
    reference: str = ""
    """Where the paper is: the number of a scan, of a court's order."""
    age: int | None = None
    """Of a child, in years."""
    country: str = ""
    """Of somebody who has died: their last residence, such as FR. Of a child: where they live; it may be left out."""
    law: str = ""
    """A law that gives parents rights of their own, under which they ask (`law/parents.yaml`), such as coppa."""
    relation: Relation | None = None
    died: date | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.representative_email:
            try:
                parse_identity("email", self.representative_email)
            except IdentityError as error:
                raise ValueError(f"representative_email: {error}") from None
        if not self.scope:
            raise ValueError("scope is empty: name the rights that the mandate covers, such as [access]")
        if self.expires and self.expires < self.signed:
            raise ValueError("expires lies before signed: correct one of them")
        if self.kind is Kind.PARENT and self.age is None:
            raise ValueError("age is missing: a parent asks for a child of a certain age")
        if self.kind is Kind.SURVIVOR and not (self.country and self.relation and self.died):
            raise ValueError("a survivor's mandate says country, relation and died")
        if self.law and self.law not in parent_laws().laws:
            known = ", ".join(sorted(parent_laws().laws))
            raise ValueError(
                f"'{self.law[:20]}' is no law on what parents may ask: write one of {known}, or leave it out"
            )
        if self.kind is not Kind.SURVIVOR and (self.relation or self.died):
            raise ValueError("relation and died belong to kind: survivor")
        if self.country and self.kind not in {Kind.SURVIVOR, Kind.PARENT}:
            raise ValueError("country belongs to kind: survivor, or parent")
        return self

    def carry(self, right: Right, today: date) -> None:
        """Whether it carries a request about a right on a day.

        Raises:
            MandateRefusal: it does not.
        """
        if right not in self.scope:
            raise MandateRefusal(f"the mandate does not cover {right}: ask for one that does")
        if self.signed > today:
            raise MandateRefusal("the mandate is signed in the future: correct signed")
        if self.expires and self.expires < today:
            raise MandateRefusal("the mandate has expired: ask for a new one")
        if self.law:
            try:
                parent_laws().laws[self.law].carry(self.kind, self.age, self.country, right)
            except ParentRefusal as refusal:
                raise MandateRefusal(str(refusal)) from None
        if self.kind is Kind.PARENT and self.age is not None and not parent_may_ask(self.age, self.country):
            where = "" if self.country else ", unless the country they live in says otherwise (country)"
            raise MandateRefusal(f"somebody of this age asks in their own name: open the request as theirs{where}")
        if self.kind is Kind.SURVIVOR:
            deceased_law().may(self.country, self.relation or "heir", right, self.died or today, today)

    def copy_refused(self, register: Register, today: date, regimes: Collection[str]) -> Refused | None:
        """Why a copy may not be handed to whom the answer goes; None if it may. To a firm abroad it is a transfer as to
        any other controller, and who is not in the register, or is there under another country, gets nothing."""
        over = self.expires is not None and self.expires < today
        if self.firm is None or self.answer_to == "person" or over:
            return None
        if all(self.firm.country in family.home for family in families(regimes)):
            return None
        known = register.recipients.get(self.firm.recipient)
        if known is None or known.country != self.firm.country:
            return Refused.UNKNOWN
        return register.refuses(self.firm.recipient, today, regimes)

    @property
    def asked_under(self) -> dict[str, str]:
        """The law on parents, and its provisions by right, as the journal has them; nothing where none is named."""
        if not self.law:
            return {}
        rights = parent_laws().laws[self.law].rights
        return {"law": self.law, "article": "; ".join(dict.fromkeys(rights[r] for r in self.scope if r in rights))}

    @property
    def envelope(self) -> str:
        """Name and address of the representative, a line each; empty if the mandate does not say."""
        return "\n".join(line.strip() for line in self.representative.replace("\n", ",").split(",") if line.strip())

    @property
    def to_confirm(self) -> bool:
        """Whether the person themselves confirms it, over a channel on file. Source: 11 CCR 7063(a)."""
        return identity_law().mandates[self.kind].confirmed


def read_mandate(file: str, text: str) -> Mandate:
    """Read a mandate that somebody has written down.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read(Mandate, file, text, "a mandate is a list of key: value, from kind: on", personal=True)


class Country(Strict):
    """Who may ask for the dead of a country."""

    source: str
    confidence: Confidence
    enabled: bool = True
    may: Mapping[Relation, tuple[Right, ...]]
    years: int | None = None
    """For how long after the death."""
    note: str = ""

    @model_validator(mode="after")
    def _sure(self) -> Self:
        if self.confidence == "low" and self.enabled:
            raise ValueError("a reading of low confidence is not enabled: write enabled: false, or look it up")
        return self


class DeceasedLaw(Strict):
    """The table."""

    version: str
    countries: Mapping[str, Country]

    def may(self, country: str, relation: Relation, right: Right, died: date, today: date) -> None:
        """Whether somebody may ask.

        Raises:
            MandateRefusal: they may not, or it is not sure enough for the engine.
        """
        law = self.countries.get(country.upper())
        if law is None or not law.enabled:
            raise MandateRefusal(
                "who may ask for the dead of this country is not sure, so it is off: counsel decides, and somebody "
                "attests it by role (habeas request confirm-identity)"
            )
        if right not in law.may.get(relation, ()):
            raise MandateRefusal(f"in this country {relation} may not ask for {right} after a death: refuse, with this")
        if law.years is not None and today > keep_until(died, 12 * law.years, 0, end_of_year=False):
            raise MandateRefusal(f"the law of this country protects the dead for {law.years} years, which have passed")


def read_deceased(file: str, text: str) -> DeceasedLaw:
    """Read a table of the deceased.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(DeceasedLaw, file, text)


@cache
def deceased_law() -> DeceasedLaw:
    """The table that ships with the engine."""
    return read_deceased("deceased.yaml", shipped("deceased.yaml"))
