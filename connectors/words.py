"""What a person is known by, as words to look for in texts, in every way they may be written there.

The one rule: whole words, and rather one text too many than one too few: a person decides what follows. Values become
regular expressions in which every character stands for itself.
"""

import html
import json
import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote

from connectors.protocol import Call
from rights.datamap import System
from rights.subject import Sharing, ignores_case, specific

MOST: Final = 500
"""Values searched for at most. Each text is compared with all of them; who has more is known here by keys of things."""
TOGETHER: Final = 100
"""Writings in one expression: PostgreSQL keeps 32 expressions ready, and compiles any other anew for each row."""
_ASCII: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
PYTHON: Final = r"[^\W_]"
POSIX: Final = "[[:alnum:]]"
"""A letter or digit, as an expression has it in Python, and in PostgreSQL and MariaDB."""
# A letter that belongs to an escape before a word is none of the word's: \n and \u00e4 in JSON, %3D in an address.
_ESCAPES: Final = (
    r"(?<=\\[bfnrtv])",
    r"(?<=\\u[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f])",
    "(?<=%[0-9A-Fa-f][0-9A-Fa-f])",
)


@dataclass(frozen=True)
class Words:
    """What is looked for, in every way it may be written."""

    exact: tuple[str, ...] = ()
    caseless: tuple[str, ...] = ()
    """Those of kinds of identity in which case makes no difference."""
    too_many: bool = False
    """There were more than may be searched for: nothing is."""

    def __bool__(self) -> bool:
        return bool(self.exact or self.caseless)

    def patterns(self, letter: str) -> tuple[list[str], list[str]]:
        """As regular expressions, exact ones and those that ignore case; `letter` is an expression for a letter or
        digit."""
        return list(_patterns(self.exact, letter)), list(_patterns(self.caseless, letter))

    @property
    def lowered(self) -> tuple[str, ...]:
        """In small letters, as one server or another has them: of ASCII alone, letter by letter, or of whole words."""
        every = (*self.exact, *self.caseless)
        ways = ((one.translate(_ASCII), "".join(char.lower()[0] for char in one), one.lower()) for one in every)
        return tuple(dict.fromkeys(form for forms in ways for form in forms))

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the first of them stands in a text."""
        matches = (pattern.search(text) for pattern in self._compiled)
        return min((match.span() for match in matches if match), default=None)

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], ...]:
        exact, caseless = self.patterns(PYTHON)
        return (*map(re.compile, exact), *(re.compile(one, re.IGNORECASE) for one in caseless))


def words_of(call: Call) -> Words:
    """What is searched for: all that the person is known by, but for hints, for what is too short
    (`rights.subject.specific`), and for kinds that this system only yields, which are names of things."""
    kinds = _things(call.system)
    known = {(one.kind, one.value.strip()) for one in call.identities if one.sharing is not Sharing.HINT}
    wanted = {(kind, text) for kind, text in known if kind not in kinds and specific(text) and _sayable(text)}
    if len(wanted) > MOST:
        return Words(too_many=True)
    exact, caseless = (
        tuple(
            dict.fromkeys(
                form for kind, value in sorted(wanted) if ignores_case(kind) is folds for form in _forms(value, folds)
            )
        )
        for folds in (False, True)
    )
    return Words(exact, caseless)


def _things(system: System) -> set[str]:
    """Kinds of identity that this system only yields."""
    fields = [about for collection in system.collections.values() for about in collection.fields.values()]
    found = {about.identity for c in system.collections.values() for about in c.identities.values()}
    return {about.yields for about in fields if about.yields and about.yields not in found}


def _sayable(value: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Cs"} for char in value)


def _forms(value: str, folds: bool) -> Iterator[str]:
    """A value as it is and in both forms of Unicode, as it stands in a text, in JSON, in an address and in HTML. Where
    case makes no difference, other than ASCII letters are given in all their cases: a database may not know them."""
    cases = (value, value.lower(), value.upper()) if folds and not value.isascii() else (value,)
    for case in cases:
        for text in (case, unicodedata.normalize("NFC", case), unicodedata.normalize("NFD", case)):
            escaped = json.dumps(text)[1:-1]
            yield text
            for one in (
                json.dumps(text, ensure_ascii=False)[1:-1],
                escaped,
                re.sub(r"\\u[0-9a-f]{4}", _upper, escaped),
            ):
                yield from (one, one.replace("/", r"\/"))
            address = quote(text, safe="")
            yield from (address, address.replace("%20", "+"), re.sub("%[0-9A-F]{2}", _lower, address))
            page = html.escape(text)
            yield from (
                page,
                page.replace("&#x27;", "&#39;"),
                page.replace("&#x27;", "&apos;"),
                html.escape(text, quote=False),
            )


def _upper(match: re.Match[str]) -> str:
    return r"\u" + match[0][2:].upper()


def _lower(match: re.Match[str]) -> str:
    return match[0].lower()


def _patterns(forms: Sequence[str], letter: str) -> Iterator[str]:
    """Several forms in one expression, those together that begin and end alike: with a letter or digit, or not."""
    alike: dict[tuple[bool, bool], list[str]] = {}
    for form in forms:
        alike.setdefault((form[0].isalnum(), form[-1].isalnum()), []).append(re.escape(form))
    for (begins, ends), those in alike.items():
        before = f"(?:{'|'.join((f'(?<!{letter})', *_ESCAPES))})" if begins else ""
        after = f"(?!{letter})" if ends else ""
        for start in range(0, len(those), TOGETHER):
            yield f"{before}(?:{'|'.join(those[start : start + TOGETHER])}){after}"
