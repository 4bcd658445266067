"""Which right a text may be asking for, from its words.

The one rule: it proposes, and never decides. What is not recognised is a request all the same, and a text that may mean
several rights has them all proposed: the person is asked, and nobody chooses for them (GDPR Art. 12(2)).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from rights.lawfile import Strict, read_law, shipped
from rights.letters import Language
from rights.request import Right
from rights.value import Value

BETWEEN: Final = 2
"""Words that may stand between those of a phrase: "delete all of my data"."""
NEAR: Final = 8
"""Words around a word of `about` within which the data has to be named."""
_WORD: Final = re.compile(r"[^\W_]+")


class Said(Strict):
    """The words of a right in one language."""

    asks: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


class Recognition(Strict):
    """The file."""

    version: str
    source: str
    data: dict[Language, tuple[str, ...]]
    rights: dict[Right, dict[Language, Said]]


class Proposed(Value):
    """A right that a text may be asking for. Nothing of the text is in it."""

    right: Right
    languages: tuple[Language, ...]
    """In which its words were found."""
    plainly: bool
    """By words that say it by themselves, and not only near a word for data."""


class Recognised(Value):
    """What a text may be asking for."""

    proposed: tuple[Proposed, ...]
    """The plain ones first."""

    vague: bool = False
    """The data is named and no right is: access is proposed, since it takes nothing away, and the person is asked."""

    @property
    def ask_back(self) -> bool:
        """Whether the person has to be asked: no right was recognised, or more than one."""
        return self.vague or len(self.proposed) != 1

    def beyond(self, right: Right) -> tuple[Right, ...]:
        """The rights that the text may ask for as well as this one, by words of theirs."""
        return () if self.vague else tuple(one.right for one in self.proposed if one.right is not right)


@cache
def recognition_law() -> Recognition:
    """The words that ship with the engine."""
    return read_law(Recognition, "recognition.yaml", shipped("recognition.yaml"))


def recognise(text: str) -> Recognised:
    """Which rights a text may be asking for."""
    words = _words(text)
    law = recognition_law()
    data = {language: _places(words, names) for language, names in law.data.items()}
    found = []
    for right, by_language in law.rights.items():
        plain = [language for language, said in by_language.items() if _places(words, said.asks)]
        near = [
            language
            for language, said in by_language.items()
            if any(abs(at - its) <= NEAR for at in _places(words, said.about) for its in data[language])
        ]
        if plain or near:
            languages = tuple(dict.fromkeys((*plain, *near)))
            found.append(Proposed(right=right, languages=languages, plainly=bool(plain)))
    if not found and (named := tuple(language for language, places in data.items() if places)):
        return Recognised(proposed=(Proposed(right=Right.ACCESS, languages=named, plainly=False),), vague=True)
    return Recognised(proposed=tuple(sorted(found, key=lambda one: not one.plainly)))


def _words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return _WORD.findall(plain)


def _places(words: Sequence[str], phrases: Iterable[str]) -> list[int]:
    """Where any of the phrases begins."""
    there = set(words)
    found = []
    for phrase in (one.split() for one in phrases):
        if phrase[0].endswith("*") or phrase[0] in there:
            found += [at for at in range(len(words)) if _stands(words, at, phrase)]
    return found


def _stands(words: Sequence[str], at: int, phrase: Sequence[str]) -> bool:
    """Whether a phrase begins at a place, with few words in between."""
    if not _same(words[at], phrase[0]):
        return False
    for wanted in phrase[1:]:
        for after in range(at + 1, min(at + 2 + BETWEEN, len(words))):
            if _same(words[after], wanted):
                at = after
                break
        else:
            return False
    return True


def _same(word: str, wanted: str) -> bool:
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted
