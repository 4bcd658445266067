"""Objection, opt-out, withdrawal of consent, review of a decision: what the asker says, and what follows from it.

The one rule: what the law makes absolute is not weighed, and what needs no proof is asked for none.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from rights.detail import Details
from rights.request import Right
from rights.suppression import ALL_USES, Scope, Source, Stop

Text = Annotated[str, StringConstraints(max_length=20_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]

OPT_OUT_LAW: Final = "us-ca-optout"
"""The law under which an opt-out of sale and sharing has its term."""
OPT_OUTS: Final = (
    Scope.SALE,
    Scope.SHARING,
    Scope.TARGETED_ADVERTISING,
    Scope.PROFILING,
    Scope.SENSITIVE,
    Scope.ANALYTICS,
)


GOES_WITH: Final[Mapping[Scope, tuple[Scope, ...]]] = {
    Scope.MARKETING: (Scope.MARKETING_PROFILING,),
    Scope.PROFILING: (Scope.MARKETING_PROFILING,),
    Scope.COLLECTION: ALL_USES,
}
"""What an objection takes with it without naming it: marketing "includes profiling to the extent that it is related to
such direct marketing" (GDPR Art. 21(2)), and whoever objects to profiling excepts none; and a parent refuses "further
use or future online collection" as a whole (16 CFR 312.6(a)(2))."""


class ObjectionDetails(Details):
    """An objection (GDPR Art. 21)."""

    scope: Literal[
        "marketing", "marketing_profiling", "profiling", "legitimate_interest", "research", "public_task", "collection"
    ]
    purposes: tuple[Name, ...] = ()
    """Only to these purposes, as the data map names them; none: to everything of the scope."""
    reasons: Text = ""
    """On grounds relating to the person's situation; no objection to marketing needs any."""

    @model_validator(mode="after")
    def _of_everything(self) -> Self:
        if self.refuses_collection and self.purposes:
            raise ValueError("a parent refuses further use and collection as a whole: leave purposes out")
        return self

    @property
    def refuses_collection(self) -> bool:
        """A parent refuses to permit further use and collection (16 CFR 312.6(a)(2)): nothing outweighs that, and only
        a parent may."""
        return self.scope == "collection"

    @property
    def absolute(self) -> bool:
        """Direct marketing stops, and profiling for it, whatever we hold against it (Art. 21(2), (3))."""
        return self.scope in {Scope.MARKETING, Scope.MARKETING_PROFILING}

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What is objected to, and what goes with it."""
        named = Scope(self.scope)
        return (named, *GOES_WITH.get(named, ()))


class OptOutDetails(Details):
    """An opt-out (Cal. Civ. Code 1798.120, 1798.121, and the laws of other states)."""

    of: Annotated[tuple[Scope, ...], Field(min_length=1)]
    source: Source = Source.PERSON

    @field_validator("of", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("of")
    @classmethod
    def _offered(cls, of: tuple[Scope, ...]) -> tuple[Scope, ...]:
        if other := set(of) - set(OPT_OUTS):
            raise ValueError(f"'{min(other)}' is no opt-out: write one of {', '.join(OPT_OUTS)}")
        return tuple(dict.fromkeys(of))


class ConsentWithdrawalDetails(Details):
    """A consent that is taken back (GDPR Art. 7(3))."""

    purposes: tuple[Name, ...] = ()
    """As the data map names them."""
    categories: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.purposes or self.categories):
            raise ValueError("say which consent is taken back: write purposes, or categories, of the data map")
        return self


class DecisionReviewDetails(Details):
    """A decision by automated means, to be looked at by a person (GDPR Art. 22(3))."""

    decision: Name
    """How the controller finds it again: a number, a date and a name."""
    contested: Text
    """What is wrong with it, in the person's words, and their point of view."""
    decided_by: Annotated[str, StringConstraints(max_length=200)] = ""
    """Who, by role, or which system has made it, where that is known; the reviewer is somebody else."""


def stop_of(details: Details) -> Stop:
    """What is to stop."""
    match details:
        case ObjectionDetails():
            return Stop(scopes=details.scopes, purposes=details.purposes)
        case OptOutDetails():
            return Stop(scopes=details.of)
        case ConsentWithdrawalDetails():
            return Stop(purposes=(*details.purposes, *details.categories), consent=True)
    return Stop()


def source_of(details: Details) -> Source:
    """Who has said so."""
    return details.source if isinstance(details, OptOutDetails) else Source.PERSON


def is_immediate(right: Right, details: Details | None) -> bool:
    """Whether it binds from the moment it is received, without proof and without being weighed: an opt-out
    (11 CCR 7026(d), 7060(b)), and an objection to direct marketing (GDPR Art. 21(3))."""
    return right is Right.OPT_OUT or (isinstance(details, ObjectionDetails) and details.absolute)


def is_weighed(details: Details | None) -> bool:
    """Whether the controller may show grounds that outweigh it (GDPR Art. 21(1), (6))."""
    return isinstance(details, ObjectionDetails) and not (details.absolute or details.refuses_collection)


def needs_parent(details: Details | None) -> bool:
    """Whether nobody but a parent may ask for it, with a mandate under a law that gives them the right."""
    return isinstance(details, ObjectionDetails) and details.refuses_collection
