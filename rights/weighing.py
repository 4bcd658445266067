"""What a person weighs or looks at again: objections on grounds, decisions by automated means.

The one rule: whoever asked is overridden only on a ground that the law gives for what they objected to, and by two
people; and nobody reviews their own decision.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import RegimeName
from rights.several import due_first
from rights.suppression import Scope
from rights.terms import keep_until
from rights.value import Value

Days = Annotated[int, Field(ge=1, le=90)]


class Matter(StrEnum):
    """What lies on the desk."""

    OBJECTION = "objection"
    DECISION = "decision"


class Outcome(StrEnum):
    """What came of it."""

    UPHELD = "upheld"
    """The objection is; or the decision is: it stands."""
    OVERRIDDEN = "overridden"
    """The objection is: grounds of the controller's weigh more."""
    CHANGED = "changed"
    """The decision is another one now."""
    ANNULLED = "annulled"
    """The decision no longer stands."""


OUTCOMES: dict[Matter, tuple[Outcome, ...]] = {
    Matter.OBJECTION: (Outcome.UPHELD, Outcome.OVERRIDDEN),
    Matter.DECISION: (Outcome.UPHELD, Outcome.CHANGED, Outcome.ANNULLED),
}


class Weighing(Value):
    """A matter on a person's desk. Codes and dates; evidence is sealed."""

    request_id: str
    matter: Matter
    opened_at: datetime
    due_at: datetime
    outcome: Outcome | None = None
    ground: str = ""
    decided_at: datetime | None = None


class _Term(Strict):
    days: Days
    source: str
    confidence: Confidence
    note: str = ""
    from_: date | None = Field(default=None, alias="from")


class _Reviews(Strict):
    version: str
    default: _Term
    regimes: dict[RegimeName, _Term]

    @model_validator(mode="after")
    def _sure(self) -> Self:
        for name, term in self.regimes.items():
            if term.confidence == "low" and term.days > self.default.days:
                raise ValueError(
                    f"'{name}': a reading of low confidence makes nobody wait longer than the default does"
                )
        return self


class Ground(Strict):
    """What may outweigh an objection."""

    article: str
    says: str
    scopes: tuple[Scope, ...]
    letter: str = ""


class _Rest(Strict):
    months: Annotated[int, Field(ge=0, le=120)]
    source: str


class _Resting(_Rest):
    scopes: tuple[Scope, ...]


class _NotAsked(Strict):
    default: _Rest
    of: tuple[_Resting, ...]


class _Objections(Strict):
    version: str
    weighing: _Term
    grounds: dict[str, Ground]
    not_asked_again: _NotAsked


@cache
def reviews() -> _Reviews:
    """The law on reviews."""
    return read_law(_Reviews, "review.yaml", shipped("review.yaml"))


@cache
def objections() -> _Objections:
    """The law on objections."""
    return read_law(_Objections, "objection.yaml", shipped("objection.yaml"))


def due(matter: Matter, regimes: Iterable[str], opened_at: datetime, internal_due: datetime | None) -> datetime:
    """By when somebody has to have weighed it, by the shortest term of the laws; never later than the answer is due by
    our own reckoning, unless that day has passed already."""
    day = opened_at.date()
    terms = [objections().weighing if matter is Matter.OBJECTION else _review(regime, day) for regime in regimes]
    own = due_first(opened_at + timedelta(days=term.days) for term in terms)
    return min(own, internal_due) if internal_due and internal_due > opened_at else own


def _review(regime: str, on: date) -> _Term:
    law = reviews()
    term = law.regimes.get(regime, law.default)
    return law.default if term.from_ and on < term.from_ else term


def grounds_for(scope: Scope) -> dict[str, Ground]:
    """The grounds that may outweigh an objection to something; none for marketing, which is absolute."""
    return {name: ground for name, ground in objections().grounds.items() if scope in ground.scopes}


def outweighs(code: str, scope: Scope) -> bool:
    """Whether a request may be refused on a ground that objects to something: what outweighs objections does so only
    to what the law gives it for, and never to direct marketing.

    Source: GDPR Art. 21(1), (3), (6).
    """
    weighed = [ground for ground in objections().grounds.values() if ground.letter == code]
    return not weighed or any(scope in ground.scopes for ground in weighed)


def asked_not_before(scopes: Iterable[Scope], confirmed_at: datetime, zone: str) -> date | None:
    """The first day on which somebody who has opted out may be asked for consent again; None where no term is set."""
    law = objections().not_asked_again
    months = [one.months for scope in scopes for one in law.of if scope in one.scopes] or [law.default.months]
    if not max(months):
        return None
    return keep_until(confirmed_at.astimezone(ZoneInfo(zone)).date(), max(months), 0, end_of_year=False)
