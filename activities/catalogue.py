"""The words of letters in each language, and the marks that keep them apart from what they are filled with.

The one rule: what comes from a request, a map or a setting is put between marks, whatever it is, and nothing in it can
make a paragraph, a tag, a direction or a line of a header.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined, Template, pass_context

from rights.ownlaw import own_words
from rights.yamlfile import Lines, load

VALUE, LINK, END, BREAK = "\ue000", "\ue001", "\ue002", "\ue003"
"""Around what is filled in, around an address to follow, after both; a line break inside of it."""
_MARKS: Final = frozenset((VALUE, LINK, END, BREAK))
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Controls of direction: where a text of the other direction stands, the layouts isolate it themselves."""


class Words(str):
    """A text of the catalogue, filled in. It is put as it is; whatever is not one is marked as a value."""

    __slots__ = ()


class NoWords(LookupError):
    """The catalogue of a language has no words for a code. Its text is the code's place, such as ``grounds.other``."""


def clean(value: str, *, lines: bool = False) -> str:
    """A value without controls, one line of it unless `lines`; everything that can be read stays."""
    text = "".join(map(_readable, value.replace("\r\n", "\n")))
    if lines:
        return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
    return " ".join(text.split())


def _readable(char: str) -> str:
    if char in "\n\u2028\u2029\x0b\x0c\x85":
        return "\n"
    if char in _MARKS or char in _TURNING:
        return ""
    kind = unicodedata.category(char)
    if kind == "Cc":
        return " "
    return "\ufffd" if kind in {"Cs", "Cn"} and not 0x20000 <= ord(char) <= 0x3FFFF else char


def _put(value: Any) -> str:
    """What Jinja puts in for an expression."""
    if isinstance(value, Words):
        return value
    if value is None:
        raise ValueError("a letter puts in a value that it was not given")
    return f"{VALUE}{clean(str(value))}{END}"


def _prose(value: str) -> Words:
    """A text that a person has written in several lines."""
    return Words(f"{VALUE}{clean(value, lines=True).replace(chr(10), BREAK)}{END}")


def _link(value: str) -> Words:
    return Words(f"{LINK}{clean(value)}{END}")


class Catalogue:
    """One language, in plain or in simple words."""

    def __init__(self, language: str, child: bool) -> None:
        self.language, self.child = language, child
        self.words: Mapping[str, Any] = _read(language, "words")
        self.elements: Mapping[str, Any] = _read(language, "elements")
        self._templates: dict[str, Template] = {}
        # What is made here is no HTML: the layout of that escapes what it prints.
        self._environment = Environment(  # noqa: S701
            undefined=StrictUndefined, finalize=_put, lstrip_blocks=True
        )
        self._environment.filters |= {
            "day": self.day,
            "moment": pass_context(lambda context, value: self.moment(value, context["zone"])),
            "span": self.span,
            "count": self.count,
            "word": self.word,
            "known": self.known,
            "listed": self.listed,
            "prose": _prose,
            "link": _link,
        }

    def say(self, path: str, /, **values: Any) -> Words:
        """A text of `words`, filled in.

        Raises:
            NoWords: it has none there.
        """
        found: Any = self.words
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return self._fill(path, found, values)

    def element(self, name: str, values: Mapping[str, Any]) -> Words:
        """An element of a letter, filled in.

        Raises:
            NoWords: it has none of this name.
            UndefinedError: it prints what it was not given.
        """
        return self._fill(f"elements.{name}", self.elements.get(name), values)

    def add_filter(self, name: str, filter_: Any) -> None:
        """Let texts use one more filter; it gets the context first."""
        self._environment.filters[name] = pass_context(filter_)

    def _fill(self, path: str, text: Any, values: Mapping[str, Any]) -> Words:
        if isinstance(text, Mapping) and "plain" in text:
            text = text.get("child", text["plain"]) if self.child else text["plain"]
        if not isinstance(text, str):
            raise NoWords(path)
        template = self._templates.get(text)
        if template is None:
            template = self._templates[text] = self._environment.from_string(text)
        return Words(template.render(values))

    def day(self, value: date) -> Words:
        """``26 November 2026``"""
        return self.say("day", day=self._digits(value.day), month=Words(self.words["months"][value.month - 1]),
                        year=self._digits(value.year))  # fmt: skip

    def moment(self, value: datetime, zone: str) -> Words:
        """``26 November 2026, 14:05 (Europe/Berlin)``"""
        local = value.astimezone(ZoneInfo(zone))
        return self.say("moment", day=self.day(local.date()), time=Words(f"{local:%H:%M}"), zone=Words(zone))

    def span(self, minutes: int) -> Words:
        """``15 minutes``, ``24 hours``, ``28 days``: the largest unit that is whole."""
        for unit, size in (("day", 1440), ("hour", 60)):
            if minutes % size == 0 and minutes > size:
                return self.count(minutes // size, unit)
        return self.count(minutes, "minute")

    def count(self, number: int, noun: str) -> Words:
        """``1 record``, ``1,200 records``"""
        one, other = self.words["counts"][noun]
        grouped = f"{number:,}".replace(",", self.words["thousands"])
        return Words(f"{grouped} {one if number in self.words['one'] else other}")

    def word(self, code: str, table: str) -> Words:
        """The words of a code; of a ground of the operator's own law, their words, which are no template.

        Raises:
            NoWords: the table has none.
        """
        if table == "grounds" and (own := own_words(code, self.language)):
            return Words(_put(own))
        return self.say(f"{table}.{code}")

    def known(self, text: str, table: str) -> str:
        """The words of a text that may be a code, or the text itself."""
        return self.word(text, table) if text in self.words[table] else text

    def listed(self, values: Sequence[str]) -> Words:
        """``one, two``"""
        return Words(", ".join(map(_put, values)))

    @staticmethod
    def _digits(number: int) -> Words:
        return Words(str(number))


def _read(language: str, name: str) -> Any:
    file = resources.files("activities") / "templates" / "letters" / language / f"{name}.yaml"
    return load(f"{language}/{name}.yaml", file.read_text(encoding="utf-8"), Lines(), "a catalogue is a list of texts")


@cache
def catalogue(language: str, child: bool = False) -> Catalogue:
    """The words of one language.

    Raises:
        FileErrors: they cannot be read.
    """
    return Catalogue(language, child)
