"""What each letter must say under which law, as data in `law/letters.yaml`.

The one rule: whoever asks what a letter says gets every element that the law wants of it, in order, and each is marked
as one that must be said or one that may.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, Self

from pydantic import BaseModel, Field, model_validator

from rights.lawfile import Strict, read_law, shipped
from rights.letterkinds import LetterKind, Result
from rights.letters import Authority, LetterFacts, Links, Office, Particulars
from rights.regimes import SHIPPED
from rights.request import Right
from rights.several import owed, owed_if, taken_only_if
from rights.value import Value
from rights.yamlfile import read


class Saying(Value):
    """One element of a letter."""

    element: str
    must: bool
    """False: said where what it needs is there, and else left out."""
    laws: tuple[str, ...] = ()
    """The laws under which it must be said; where none wants that, those under which it may be."""


class Element(Strict):
    """A piece of a letter: what it cannot be written without, and the rule that asks for it."""

    needs: tuple[str, ...]
    source: str = ""
    under_all: bool = False
    """Said only where every law of the request says it: it tells of something that serves us, such as a clock that
    stands still."""


class Says(Strict):
    """What a kind says, in order: always the same, or by result. A name that ends in ? may be left out."""

    says: tuple[str, ...] = ()
    results: dict[Result, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.says) is bool(self.results):
            raise ValueError("write says: [...], or results: with what is said for each; one of the two")
        return self


class Also(Strict):
    """What a regime, a right or a result changes. Every condition that is given has to hold."""

    regimes: tuple[str, ...]
    """Regimes, or families of them."""
    kinds: tuple[LetterKind, ...] = ()
    rights: tuple[Right, ...] = ()
    results: tuple[Result, ...] = ()
    with_: str | None = Field(default=None, alias="with")
    """Only where this element is said."""
    drops: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    source: str

    def applies(self, kind: LetterKind, right: Right | None, result: Result | None, said: Sequence[str]) -> bool:
        """Whether all of its conditions but the regime hold."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.rights or right in self.rights)
            and (not self.results or result in self.results)
            and (self.with_ is None or self.with_ in said)
        )


class LetterLaw(Strict):
    """The whole file."""

    families: dict[str, tuple[str, ...]]
    elements: dict[str, Element]
    kinds: dict[LetterKind, Says]
    also: tuple[Also, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if missing := sorted(set(LetterKind) - set(self.kinds)):
            raise ValueError(f"kinds: {missing[0]} is missing: say what it says")
        for family, names in self.families.items():
            if unknown := sorted(set(names) - SHIPPED):
                raise ValueError(f"families: {family} names {unknown[0]}, which is no regime")
        for rule in self.also:
            if unknown := sorted(set(rule.regimes) - SHIPPED - set(self.families)):
                raise ValueError(f"also: {unknown[0]} is neither a regime nor a family of them")
        said = [name for kind in self.kinds.values() for names in (kind.says, *kind.results.values()) for name in names]
        said += [name for rule in self.also for name in (*rule.says, *rule.drops, *filter(None, (rule.with_,)))]
        if unknown := sorted({name.rstrip("?") for name in said} - set(self.elements)):
            raise ValueError(f"{unknown[0]} is no element: describe it under elements, or write one that is there")
        for name, element in self.elements.items():
            if unknown := sorted({need for need in element.needs if not _known(need)}):
                raise ValueError(f"elements: {name} needs {unknown[0]}, which no letter is given")
        return self

    def regimes_of(self, names: Sequence[str]) -> frozenset[str]:
        """The regimes behind names of regimes and families."""
        return frozenset(regime for name in names for regime in self.families.get(name, (name,)))


AUTHORITY: Final = "authority"
_COMPUTED: Final = frozenset({AUTHORITY, "why", "why_in_part", "way_to_stop"})
_NESTED: Final[Mapping[str, type[BaseModel]]] = {
    "office": Office,
    "links": Links,
}


def _known(need: str) -> bool:
    first, _, rest = need.partition(".")
    if rest:
        return first in _NESTED and rest in _NESTED[first].model_fields
    return need in _COMPUTED or need in LetterFacts.model_fields


def read_letter_law(file: str, text: str) -> LetterLaw:
    """Read what letters say.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(LetterLaw, file, text)


def read_particulars(file: str, text: str) -> Particulars:
    """Read what a decision gives a letter.

    Raises:
        FileErrors: what is wrong, each with file, line and path; no value is quoted.
    """
    top = "what a decision gives a letter is a list of key: value, such as reason: ..."
    return read(Particulars, file, text, top, personal=True)


@cache
def letter_law() -> LetterLaw:
    """What ships with the engine."""
    return read_letter_law("letters.yaml", shipped("letters.yaml"))


def sayings(
    kind: LetterKind, regimes: str | Sequence[str], right: Right | None = None, result: Result | None = None
) -> list[Saying]:
    """What a letter says, in order; the data protection officer comes last in every one.

    Under several laws it says what any of them wants: what one leaves out another may ask for (`rights.several`).

    Raises:
        ValueError: the kind needs a result, and this is none that it knows.
    """
    asked = (regimes,) if isinstance(regimes, str) else tuple(dict.fromkeys(regimes))
    says = letter_law().kinds[kind]
    if says.results and result not in says.results:
        raise ValueError(f"a letter {kind} says what came of it: give result, one of {', '.join(says.results)}")
    names = says.results[result] if says.results and result else says.says
    each = {regime: _under(regime, names, kind, right, result) for regime in asked}
    found = []
    for name in owed(each.values()):
        under = [name in said for said in each.values()]
        if letter_law().elements[name].under_all and not taken_only_if(under):
            continue
        must = owed_if(said.get(name, False) for said in each.values())
        laws = tuple(regime for regime, said in each.items() if said.get(name, not must) is must and name in said)
        found.append(Saying(element=name, must=must, laws=laws))
    return [*found, Saying(element="dpo", must=True, laws=asked)]


def _under(
    regime: str, names: Sequence[str], kind: LetterKind, right: Right | None, result: Result | None
) -> dict[str, bool]:
    """What one law wants said, in order, each with whether it must be."""
    law = letter_law()
    must = {name.rstrip("?"): not name.endswith("?") for name in names}
    for rule in law.also:
        if regime in law.regimes_of(rule.regimes) and rule.applies(kind, right, result, tuple(must)):
            for name in rule.drops:
                must.pop(name, None)
            must |= {name.rstrip("?"): not name.endswith("?") for name in rule.says}
    must.pop("dpo", None)
    return must


def lacking(element: str, facts: LetterFacts, office: Office, laws: Sequence[str] = ()) -> list[str]:
    """What an element needs and is not there, as it is called in `law/letters.yaml`. `laws` are those that ask for it;
    else the one that was named first."""
    asked = tuple(laws) or (facts.regime,)
    return [need for need in letter_law().elements[element].needs if not _there(need, facts, office, asked)]


def authorities(saying: Saying, office: Office) -> tuple[Authority | None, ...]:
    """The authorities that an element is said of, each once; a single None of one that names none. Of an element that
    may be left out, those that are known."""
    if AUTHORITY not in letter_law().elements[saying.element].needs:
        return (None,)
    return owed([office.authorities[law]] for law in saying.laws if law in office.authorities)


def _there(need: str, facts: LetterFacts, office: Office, laws: Sequence[str]) -> bool:
    match need:
        case "authority":
            return all(law in office.authorities for law in laws)
        case "why":
            return bool(facts.ground or (facts.reason and facts.reason.strip()))
        case "way_to_stop":
            return bool(facts.links.stop or (facts.stop_token and facts.stop_token.strip()))
        case "why_in_part":
            return bool(facts.reason and facts.reason.strip()) or any(system.kept for system in facts.systems)
    first, _, rest = need.partition(".")
    value = getattr({"office": office, "links": facts.links}[first], rest) if rest else getattr(facts, need)
    # 0 and False say something, and so does an empty list of recipients: there are none.
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and (value != () or need == "recipients")


def results_of(kind: LetterKind) -> tuple[Result | None, ...]:
    """The results that a kind tells apart; None for one that does not."""
    return tuple(letter_law().kinds[kind].results) or (None,)


PARTICULARS: Final = frozenset(Particulars.model_fields)
"""What a decision gives; the rest of a letter's facts is read from the request and its map."""
