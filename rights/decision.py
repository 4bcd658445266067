"""Decisions: granted, granted in part or refused, each on a coded ground, with what has to be on record for it.

The one rule: nothing is refused or kept without a ground of the law that the request is made under, the texts that this
ground needs, and somebody else's approval. The grounds are data (`law/grounds.yaml`): a reading that an operator's
counsel may correct, not advice.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from rights.fees import Fee
from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import RegimeName
from rights.request import Right
from rights.several import owed_if, taken_only_if
from rights.terms import Term
from rights.value import Value


class Role(StrEnum):
    """Who has a say in a decision."""

    COUNSEL = "counsel"
    DELEGATE = "delegate"
    """Whom the controller has named to decide for it."""
    DPO = "dpo"
    """Is consulted, may dissent on record, and approves nothing."""


class Word(StrEnum):
    """What was decided."""

    GRANT = "grant"
    IN_PART = "in_part"
    """All but the categories that are exempted, each on its ground."""
    REFUSE = "refuse"
    FEE = "fee"
    """A reasonable fee instead of a refusal: it waits, and is carried out once that is paid; unpaid, it is refused on
    the same ground."""


class Element(StrEnum):
    """A text that has to be on record."""

    REASON = "reason"
    """Why, in the words that the person is told."""
    OBJECTIVE = "objective"
    """C-526/24: circumstances that show that the purpose of the rules is not met."""
    SUBJECTIVE = "subjective"
    """C-526/24: what shows the intention to gain an advantage by artificial means."""
    LAW = "law"
    """The provision."""


class DecisionError(ValueError):
    """A decision that cannot stand; one sentence that says what to do."""


class Limit(Strict):
    """That a ground is a limit which a state has set (GDPR Art. 23), and for how long it may be decided on."""

    state: str = Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
    """As ISO 3166 has it; of a state of a federation too (US-TX)."""
    until: date
    """The last day."""
    ends: Literal["law", "reading"]
    """Why then: the law says so, or the reading of it has to be confirmed by then."""
    lifted_when: str


class Ground(Strict):
    """One coded reason."""

    effect: Literal["grant", "exempt", "refuse"]
    confidence: Confidence
    """How sure we are of the provision, and of what it says."""
    enabled: bool = True
    """Off: it is not proposed, and nothing is decided on it."""
    whole: bool = False
    """Of what exempts a category: whether the law lets the whole request be refused on it as well."""
    regimes: tuple[RegimeName, ...] = ()
    """Empty: every law."""
    rights: tuple[Right, ...]
    article: str
    says: str
    needs: tuple[Element, ...] = ()
    approver: Literal[Role.COUNSEL, Role.DELEGATE] | None = None
    dpo: bool = False
    fee: str = ""
    """Of what refuses: the provision by which a fee may be asked for instead; empty where none may."""
    limit: Limit | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Ground":
        if self.confidence == "low" and self.enabled:
            raise ValueError("a reading of low confidence takes nothing: write enabled: false, or look it up")
        if self.limit and (self.effect == "grant" or not self.regimes):
            raise ValueError("a limit takes something, and under a law that it names: write effect: exempt and regimes")
        if self.fee and self.effect != "refuse":
            raise ValueError("a fee is asked for instead of a refusal: take fee out, or write effect: refuse")
        if self.whole and self.effect != "exempt":
            raise ValueError("whole: true is said of what exempts: what refuses refuses the whole request anyhow")
        if self.effect != "grant" and (self.approver is None or Element.REASON not in self.needs):
            raise ValueError("what takes something from the person needs an approver, and a reason to tell")
        return self

    @property
    def effects(self) -> tuple[str, ...]:
        """What can be decided on it."""
        return (self.effect, "refuse") if self.whole else (self.effect,)

    def applies(self, right: Right, regimes: Collection[str]) -> bool:
        """Whether it is a ground for this right under these laws: what takes something away has to be one under each,
        and what grants it under any (`rights.several`)."""
        if not self.enabled:
            return False
        if right not in self.rights or not self.regimes:
            return right in self.rights
        under = [regime in self.regimes for regime in regimes]
        return owed_if(under) if self.effect == "grant" else taken_only_if(under)


class Recourse(Strict):
    """How long what was asked for is kept for the person's remedies: in months, or in days."""

    months: int = 0
    days: int = 0
    source: str

    @model_validator(mode="after")
    def _possible(self) -> "Recourse":
        Term(months=self.months, days=self.days)
        return self

    @property
    def lasts(self) -> timedelta:
        """No shorter than the law's: a month is its longest, and the last of the days counts as a whole."""
        return timedelta(days=31 * self.months if self.months else self.days + 1)


class Grounds(Strict):
    """The file."""

    version: str
    source: str
    grounds: dict[str, Ground]
    recourse: dict[str, Recourse] = Field(default_factory=dict)


_OPERATORS: Final[dict[str, Ground]] = {}


@cache
def law() -> Grounds:
    """The grounds that ship with the engine, those of the laws of states among them, and the operator's own
    (`rights.ownlaw`)."""
    ours = read_law(Grounds, "grounds.yaml", shipped("grounds.yaml"))
    return ours.model_copy(update={"grounds": ours.grounds | limits().grounds | _OPERATORS})


def adopt_grounds(grounds: Mapping[str, Ground]) -> None:
    """Take an operator's own grounds into the law of this process, in place of those it had before."""
    _OPERATORS.clear()
    _OPERATORS.update(grounds)
    law.cache_clear()


class Limits(Grounds):
    """The file of limits that states have set."""

    @field_validator("grounds")
    @classmethod
    def _limited(cls, grounds: dict[str, Ground]) -> dict[str, Ground]:
        for code, ground in grounds.items():
            if ground.limit is None:
                raise ValueError(f"{code} has no limit: say whose law it is, and until when anything is decided on it")
        return grounds


@cache
def limits() -> Limits:
    """The limits that ship with the engine."""
    return read_law(Limits, "limits.yaml", shipped("limits.yaml"))


class Exempt(Value):
    """A category of the data map that the decision leaves out."""

    category: str
    ground: str


class Decided(Value):
    """What a decision says: codes and names of the data map. The texts of its evidence are in the vault."""

    word: Word
    ground: str = ""
    """Of a grant, a refusal or a fee; a grant in part has them in its parts."""
    parts: tuple[Exempt, ...] = ()
    fee: Fee | None = None
    """What is asked for, of a fee; it stays on record where an unpaid one has become a refusal."""

    @property
    def codes(self) -> tuple[str, ...]:
        """All grounds, each once."""
        return tuple(dict.fromkeys(filter(None, (self.ground, *(part.ground for part in self.parts)))))

    @property
    def exempted(self) -> dict[str, str]:
        """The ground of each category that is left out, by its code."""
        return {part.category: part.ground for part in self.parts}


class Needs(Value):
    """What a decision still needs before it is in force."""

    approvers: tuple[Role, ...]
    consult: bool


def article(code: str) -> str:
    """The provision of a ground; the code itself if it has left the file since."""
    ground = law().grounds.get(code)
    return ground.article if ground else code


def fee_article(code: str) -> str:
    """The provision by which a fee is asked for on a ground."""
    ground = law().grounds.get(code)
    return ground.fee if ground else code


def ended(decided: Decided, day: date) -> str | None:
    """What keeps a decision from coming into force on a day: a limit that has ended by then, in a sentence; None where
    nothing does."""
    for code in decided.codes:
        ground = law().grounds.get(code)
        if ground and ground.limit and day > ground.limit.until:
            why = "its law has ended" if ground.limit.ends == "law" else "its reading had to be confirmed by then"
            return f"nothing is decided on {code} after {ground.limit.until} ({why}): take another ground, or grant it"
    return None


def grounds_for(right: Right, regimes: Collection[str]) -> dict[str, Ground]:
    """The grounds there are for a right under all of these laws, by code."""
    return {code: ground for code, ground in law().grounds.items() if ground.applies(right, regimes)}


_EFFECT: Final[Mapping[Word, str]] = {
    Word.GRANT: "grant",
    Word.IN_PART: "exempt",
    Word.REFUSE: "refuse",
    Word.FEE: "refuse",
}


def _require_whole(decided: Decided) -> None:
    """See that a decision says what its word needs, and nothing that belongs to another."""
    if decided.word is Word.IN_PART:
        if not decided.parts or decided.ground:
            raise DecisionError(
                "a grant in part names the categories that it leaves out, each with its ground: CATEGORY=GROUND"
            )
        if len({part.category for part in decided.parts}) < len(decided.parts):
            raise DecisionError("a category is left out on one ground: name it once")
    elif decided.parts:
        raise DecisionError(
            f"only a grant in part leaves categories out: write in_part, or take them out of '{decided.word}'"
        )
    elif decided.word in {Word.REFUSE, Word.FEE} and not decided.ground:
        raise DecisionError("a refusal stands on a coded ground: habeas decision grounds lists them")
    if (decided.word is Word.FEE) is not (decided.fee is not None):
        raise DecisionError("a fee names its amount, and nothing else has one: fee, with --fee as 'EUR 12.50'")


def check(
    decided: Decided, right: Right, regimes: Collection[str], evidence: Collection[str], on: date = date.max
) -> Needs:
    """Whether a decision can stand on its grounds and on the texts that are on record; what it needs then.

    `on` is the day of the decision; without it nothing stands that ends on a day.

    Raises:
        DecisionError: it cannot; nothing was decided.
    """
    _require_whole(decided)
    there = grounds_for(right, regimes)
    found = []
    for code in decided.codes:
        ground = there.get(code)
        if ground is None or _EFFECT[decided.word] not in ground.effects:
            raise DecisionError(
                f"there is no such ground to {_WORDS[decided.word]} {right} under {' and '.join(regimes)}: "
                "habeas decision grounds lists those there are"
            )
        if decided.word is Word.FEE and not ground.fee:
            raise DecisionError(f"no fee may be asked for on {code}: refuse on it, or grant what is asked")
        found.append(ground)
    if over := ended(decided, on):
        raise DecisionError(over)
    needed = dict.fromkeys(element for ground in found for element in ground.needs)
    if missing := [element for element in needed if element not in evidence]:
        raise DecisionError(f"{_WHY[missing[0]]}: give --evidence {missing[0]}=FILE")
    return Needs(
        approvers=tuple(dict.fromkeys(Role(ground.approver) for ground in found if ground.approver)),
        consult=any(ground.dpo for ground in found),
    )


_WORDS: Final[Mapping[Word, str]] = {
    Word.GRANT: "grant",
    Word.IN_PART: "leave a category out of",
    Word.REFUSE: "refuse",
    Word.FEE: "ask for a fee for",
}
_WHY: Final[Mapping[Element, str]] = {
    Element.REASON: "the person is told why, so the reason has to be on record",
    Element.OBJECTIVE: "an abuse needs both elements of C-526/24, and the objective one is not on record "
    "(circumstances that show that the purpose of the rules is not met)",
    Element.SUBJECTIVE: "an abuse needs both elements of C-526/24, and the subjective one is not on record "
    "(what shows the intention to gain an advantage by artificial means)",
    Element.LAW: "the provision has to be on record",
}
