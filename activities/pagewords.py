"""The words of a copy's page and README, in the languages of letters (`templates/parcel`).

The one rule: what is filled in was made fit for the page before, and is never read as words; a word that a language
lacks is a slip of ours, and no page is made without it.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from activities.catalogue import catalogue
from rights.letters import Language
from rights.yamlfile import Lines, load

_FOLDER: Final = Path(__file__).with_name("templates") / "parcel"


class PageWords:
    """One language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._letters = catalogue(language)
        name = f"{language}.yaml"
        top = "the words of a page are a list of texts"
        self._words: Mapping[str, Any] = load(name, (_FOLDER / name).read_text(encoding="utf-8"), Lines(), top)

    def say(self, name: str, /, **values: str) -> str:
        """A text, filled in.

        Raises:
            KeyError: there is none of this name, or it is filled with something else.
        """
        return str(self._words[name]).format_map(values)

    def of(self, table: str, code: str, /, **values: str) -> str:
        """The words of a code, filled in.

        Raises:
            KeyError: the table has none.
        """
        return str(self._words[table][code]).format_map(values)

    def withheld(self, item: str, otherwise: str) -> str:
        """What is held and not sent, by the letters' words for it; of an item without any, what the law says."""
        return str(self._letters.words["withheld"].get(item, otherwise))

    def number(self, number: int) -> str:
        """``1,200``"""
        return f"{number:,}".replace(",", str(self._letters.words["thousands"]))

    def count(self, number: int, noun: str) -> str:
        """``1 row``, ``1,200 rows``"""
        one, other = self._words["counts"][noun]
        return f"{self.number(number)} {one if number in self._letters.words['one'] else other}"

    def day(self, day: date) -> str:
        """``26 November 2026``"""
        return str(self._letters.day(day))


@cache
def page_words(language: Language) -> PageWords:
    """The words of one language.

    Raises:
        FileErrors: they cannot be read.
    """
    return PageWords(language)
