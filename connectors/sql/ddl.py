"""What stands in the text of a CREATE statement, and in no catalogue that a role may ask: CHECKs, ON DELETE, what a
trigger says.

The one rule: a text is taken apart as its server does it, so that a word in a string or in a comment is none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_PARTS: Final = r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z){sharp})
  | (?P<string>'(?:[^'{slash}]|''{escaped})*'?)
  | (?P<quoted>"(?:[^"]|"")*"?|`(?:[^`]|``)*`?{bracket})
  | (?P<word>[\w$]+)
  | (?P<other>\S)
"""


def _pattern(*, backslashes: bool, sharp: bool, brackets: bool) -> re.Pattern[str]:
    text = _PARTS.format(
        sharp=r"|\#[^\n]*" if sharp else "",
        slash=r"\\" if backslashes else "",
        escaped=r"|\\." if backslashes else "",
        bracket=r"|\[[^\]]*\]?" if brackets else "",
    )
    return re.compile(text, re.VERBOSE | re.DOTALL)


MARIADB: Final = _pattern(backslashes=True, sharp=True, brackets=False)
SQLITE: Final = _pattern(backslashes=False, sharp=False, brackets=True)
"""How each server takes a text apart."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a name in quotes, a string or a sign; never a comment."""

    kind: str
    text: str
    start: int
    end: int

    def says(self, word: str) -> bool:
        """Whether it is this word, in capitals or not."""
        return self.kind == "word" and self.text.lower() == word

    @property
    def name(self) -> str:
        """The name that a word or a name in quotes stands for; empty if it is neither."""
        if self.kind == "word":
            return self.text
        if self.kind != "quoted":
            return ""
        mark = self.text[0]
        return self.text[1:-1].replace(mark * 2, mark) if mark != "[" else self.text[1:-1]


def tokens(sql: str, how: re.Pattern[str]) -> list[Token]:
    """A text's parts in their order, without comments and blanks."""
    found = ((match.lastgroup or "", match) for match in how.finditer(sql))
    return [Token(kind, match[0], match.start(), match.end()) for kind, match in found if kind != "comment"]


def plain(sql: str, how: re.Pattern[str]) -> str:
    """A text as it runs: without comments, and with nothing in its strings."""
    return " ".join("''" if part.kind == "string" else part.text for part in tokens(sql, how))


def checks_of(create: str, how: re.Pattern[str]) -> tuple[str, ...]:
    """The condition of each CHECK of a CREATE TABLE, as it is written there."""
    parts = tokens(create, how)
    found = []
    for number, part in enumerate(parts[:-1]):
        if part.says("check") and parts[number + 1].text == "(":
            last = _closing(parts, number + 1)
            found.append(create[parts[number + 1].end : parts[last].start].strip())
    return tuple(found)


def delete_rules(create: str, how: re.Pattern[str]) -> dict[str, str]:
    """What ON DELETE says, by the name of the foreign key, in a CREATE TABLE in which each has one."""
    parts = tokens(create, how)
    rules: dict[str, str] = {}
    key = ""
    for number, part in enumerate(parts):
        if part.says("constraint"):
            key = parts[number + 1].name if number + 1 < len(parts) else ""
        elif part.says("references") and key:
            rules.setdefault(key, "")
        elif part.says("delete") and key in rules and parts[number - 1].says("on"):
            rules[key] = " ".join(following.text.upper() for following in _rule(parts[number + 1 :]))
    return rules


def calls(parts: Sequence[Token]) -> Iterator[str]:
    """The names that stand before a parenthesis, in small letters: functions, and whatever else is written so."""
    for part, following in pairwise(parts):
        if part.kind in {"word", "quoted"} and following.text == "(":
            yield part.name.lower()


def _closing(parts: Sequence[Token], opening: int) -> int:
    depth = 0
    for number in range(opening, len(parts)):
        depth += {"(": 1, ")": -1}.get(parts[number].text, 0) if parts[number].kind == "other" else 0
        if depth == 0:
            return number
    return len(parts) - 1


def _rule(parts: Sequence[Token]) -> Sequence[Token]:
    return parts[:1] if parts and parts[0].text.upper() in {"CASCADE", "RESTRICT"} else parts[:2]
