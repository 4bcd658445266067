"""Approvers: who may say a word on decisions, and who stands in for whom.

The one rule: people are named by an opaque staff id, never by a name or an address; and nobody has two seats, since
two who look have to be two people.
"""

import re
import unicodedata
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rights.decision import Role
from rights.subject import comparable

STAFF: Final = r"^[a-z0-9][a-z0-9-]{1,39}$"
StaffId = Annotated[str, StringConstraints(pattern=STAFF)]
"""An id that says nothing of whom it stands for outside of the controller's own records."""

_ADDRESS: Final = re.compile(r"[^\s@]@[^\s@]")
_NUMBER: Final = re.compile(r"(?<![\w-])[+(]{0,2}\d[\d ()/.\u2010-\u2015-]*\d(?![\w-])")
"""Digits, and what people write between those of a telephone number; no part of a longer word: HD-2026-001234."""
_SPACED, _BARE = 7, 9
"""From how many digits on it is taken for a telephone number: written as one, or as digits alone. Staff numbers of
digits alone have up to eight, often with zeros before them."""


def gives_away(who: str) -> bool:
    """Whether what somebody is called in the journal, for ever, has an e-mail address or a telephone number in it."""
    plain = unicodedata.normalize("NFKC", who)
    return bool(_ADDRESS.search(plain)) or any(_telephone(found.group()) for found in _NUMBER.finditer(plain))


def _telephone(run: str) -> bool:
    digits = sum(character.isdecimal() for character in run)
    return digits >= (_BARE if digits == len(run) else _SPACED)


def same_person(who: str) -> str:
    """The form in which two names of roles or staff are compared, where two have to be two: capitals, spaces and the
    ways to write an accent make no second person."""
    return " ".join(comparable(who, casefold=True).split())


class Seat(BaseModel):
    """One role: who holds it, and who stands in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: StaffId
    substitute: StaffId | None = None


class Approvers(BaseModel):
    """The roles of a controller."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counsel: Seat | None = None
    delegate: Seat | None = None
    dpo: Seat | None = None
    consult_days: int = Field(default=3, ge=0, le=14)
    """How long the data protection officer has to answer."""

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        """Source: GDPR Art. 38(6) for the data protection officer; the rest is what four eyes mean."""
        seats = [(role.value, seat) for role in Role if (seat := self.seat(role))]
        held = [(who, role) for role, seat in seats for who in (seat.holder, seat.substitute) if who]
        taken: dict[str, str] = {}
        for who, role in held:
            if who in taken:
                other = taken[who]
                where = f"{role} is its own substitute" if other == role else f"{other} and {role} are the same person"
                raise ValueError(f"{where}: nobody has two seats, name somebody else for one of them")
            taken[who] = role
        return self

    def seat(self, role: Role) -> Seat | None:
        """Who has a role; None: nobody is named."""
        found: Seat | None = getattr(self, role.value)
        return found

    def acts_as(self, staff: str, role: Role) -> bool | None:
        """Whether somebody acts in a role as its substitute (True) or its holder (False); None: in no way."""
        seat = self.seat(role)
        if seat is None or staff not in {seat.holder, seat.substitute}:
            return None
        return staff != seat.holder
