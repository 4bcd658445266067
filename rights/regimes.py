"""Regimes: what a law asks of the clock, as versioned data in `regimes/*.yaml`.

The one rule: a rule of law stands in data with its source, and a request is pinned to the digest of the text it was
opened under. It is a reading that an operator's counsel may correct, not advice.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from rights.lawfile import Strict
from rights.request import Right
from rights.terms import Term, check_span
from rights.yamlfile import read


class Earliest(Strict):
    """A reading of the same text under which the term ends sooner; the engine works towards that."""

    days_before: int = 0
    at_most_days: int | None = None


class Appeal(Strict):
    """How long the controller has to answer an appeal."""

    days: int
    extension_days: int = 0


Announced = Literal["announced"]
"""A law that lets the controller name the day itself, by notice within the term."""


class Regime(Strict):
    """The rules of one law, as far as the engine computes with them."""

    regime: str
    title: str
    version: str
    source: str
    confidence: Literal["high", "medium", "low"]
    """How sure we are of this reading."""
    enabled: bool = True
    """False: it ships for counsel to look at, and no request is opened under it."""
    rights: tuple[Right, ...]
    answer: Term
    """From receipt; the day of receipt is not counted."""
    answer_by_right: dict[Right, Term] = Field(default_factory=dict)
    rolls: bool = False
    """Whether a term that ends on a Saturday, Sunday or holiday ends with the next working day."""
    closed: tuple[str, ...] = ()
    """Spans of each year without working days, as MM-DD/MM-DD."""
    earliest: Earliest = Earliest()
    extension: Term | Announced | None = None
    """What a notice in time adds; months count from receipt, as one term with those of the answer."""
    acknowledge: Term | None = None
    identity: Literal["neither", "suspends", "restarts"] = "neither"
    """What asking for proof of identity does to the clock. `suspends`: it stands still if asked for without delay, and
    some will say that it does not, so the engine works towards the day it would be without."""
    clarification: Literal["neither", "suspends", "pauses"] = "neither"
    """The same for a clarification; `pauses`: the days from asking to having it do not count, by statute."""
    appeal: Appeal | None = None
    note: str = ""
    digest: str = ""

    @field_validator("closed")
    @classmethod
    def _spans(cls, closed: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(check_span, closed))

    @model_validator(mode="after")
    def _sure(self) -> Self:
        if self.confidence == "low" and self.enabled:
            raise ValueError("a reading of low confidence is not enabled: write enabled: false, or look it up")
        return self

    def answers(self, right: Right | None = None) -> Term:
        """How long it gives for a right."""
        return self.answer_by_right.get(right, self.answer) if right else self.answer


def read_regime(file: str, text: str) -> Regime:
    """Read one regime.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    found = read(Regime, file, text, "a regime is a list of key: value, from regime: NAME on")
    return found.model_copy(update={"digest": hashlib.sha256(text.encode()).hexdigest()})


_FOLDER: Final = resources.files("rights") / "regimes"

SHIPPED: Final = frozenset(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml"))
"""The regimes that ship with the engine, those that are not enabled among them."""


def _known(name: str) -> str:
    if name not in SHIPPED:
        raise ValueError(f"'{name}' is no regime: habeas deadline --list shows them")
    return name


RegimeName = Annotated[str, AfterValidator(_known)]
"""How a file of law names one that ships."""


def text_of(name: str) -> str:
    """The text of a regime that ships with the engine."""
    return (_FOLDER / f"{name}.yaml").read_text()


@cache
def regime(name: str) -> Regime:
    """Read one regime that ships with the engine.

    Raises:
        KeyError: there is no regime of that name.
    """
    if name not in SHIPPED:
        raise KeyError(name)
    return read_regime(f"{name}.yaml", text_of(name))


def titles(laws: Iterable[Regime]) -> str:
    """The titles of laws, as a person reads them."""
    return " and ".join(law.title for law in laws)
