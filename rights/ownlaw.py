"""Grounds of laws that the engine does not ship: an operator's own file, of texts that their counsel has read.

The one rule: what takes something from a person says whose law it is, who has read it and when, what lifts it and its
last day; the words that the person is told are the operator's, and nothing is decided on it where there are none.
"""

import hashlib
import re
from collections.abc import Collection
from datetime import date
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from rights.approvers import StaffId
from rights.decision import Element, Ground, Limit, Role, adopt_grounds, law
from rights.lawfile import Confidence, Strict, read_law
from rights.letters import LANGUAGES, Language
from rights.regimes import RegimeName
from rights.terms import keep_until

PREFIX: Final = "own_"
"""What such a code begins with: none that ships ever does, so an upgrade takes no code away."""
_CODE: Final = re.compile(rf"{PREFIX}[a-z0-9_]{{2,60}}\Z")
LONGEST_READING: Final = 24
"""Months after which a reading has to be confirmed again."""

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500, pattern=r"^[^\x00-\x1f]+$")
]


class Verified(Strict):
    """Who has read the text of the law, and when."""

    by: StaffId
    day: date


class OwnGround(Ground):
    """A ground of the operator's file: one to leave a category out, or to refuse."""

    effect: Literal["exempt", "refuse"]
    confidence: Confidence = "high"
    regimes: tuple[RegimeName, ...] = Field(min_length=1)
    article: Line
    says: Line
    """For the staff; the person is told `words`."""
    needs: tuple[Element, ...] = (Element.REASON,)
    dpo: bool = True
    limit: Limit
    words: dict[Language, Line]
    verified: Verified

    @field_validator("approver", mode="before")
    @classmethod
    def _approves(cls, role: object) -> object:
        if role not in {Role.COUNSEL, Role.DELEGATE}:
            raise ValueError(f"write {Role.COUNSEL} or {Role.DELEGATE}: nobody else approves")
        return role

    @model_validator(mode="after")
    def _read_by_somebody(self) -> "OwnGround":
        if not self.words:
            raise ValueError(f"words: write what a letter says, in one of {', '.join(LANGUAGES)} at least")
        if not self.limit.lifted_when.strip():
            raise ValueError("limit.lifted_when: write what ends it for the person (GDPR Art. 23(2))")
        if self.limit.until < self.verified.day:
            raise ValueError("limit.until lies before the day on which it was verified: write its last day")
        latest = keep_until(self.verified.day, LONGEST_READING, 0, end_of_year=False)
        if self.limit.ends == "reading" and self.limit.until > latest:
            raise ValueError(
                f"a reading is confirmed again within {LONGEST_READING} months: "
                f"write a limit.until of {latest} or earlier, or ends: law if the law itself ends then"
            )
        return self


class OwnLaw(Strict):
    """The file."""

    version: str
    grounds: dict[str, OwnGround] = Field(min_length=1)
    text: str = Field(default="", exclude=True, repr=False)

    @field_validator("grounds")
    @classmethod
    def _apart(cls, grounds: dict[str, OwnGround]) -> dict[str, OwnGround]:
        for code in grounds:
            if not _CODE.match(code):
                raise ValueError(
                    f"a code here begins with {PREFIX}, then small letters, digits and _: write {PREFIX}fr_118, say"
                )
        return grounds

    @cached_property
    def digest(self) -> str:
        """Of the file's text, as it is kept with what is decided by it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def lacks_words(self, language: Language) -> list[str]:
        """The codes of which a letter in that language could say nothing."""
        return [code for code, ground in self.grounds.items() if language not in ground.words]


def read_own_law(file: str, text: str) -> OwnLaw:
    """Read an operator's own grounds.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(OwnLaw, file, text).model_copy(update={"text": text})


_ADOPTED: Final[list[OwnLaw]] = []


def adopt(own: OwnLaw | None) -> None:
    """Let this process decide by an operator's own grounds as well, in place of those it had before; None: by what
    ships alone. A process has one operator."""
    _ADOPTED[:] = [own] if own else []
    adopt_grounds(own.grounds if own else {})


def adopted_for(codes: Collection[str]) -> OwnLaw | None:
    """The operator's file, if one of these codes is of it."""
    return next((own for own in _ADOPTED if own.grounds.keys() & set(codes)), None)


def own_words(code: str, language: str) -> str | None:
    """What a letter in that language says of a code: None of one that ships, "" where the operator has no words."""
    ground = law().grounds.get(code)
    if not isinstance(ground, OwnGround):
        return None
    return next((said for one, said in ground.words.items() if one == language), "")


def unsayable(codes: Collection[str], language: str) -> str | None:
    """Why nothing can be decided on these codes where letters are in that language, in a sentence; None: it can."""
    for code in codes:
        if own_words(code, language) == "":
            return f"{code} has no words in '{language}', so no letter could say it: add them to the file of own law"
    return None
