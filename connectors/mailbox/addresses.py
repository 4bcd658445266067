"""Whose a message is, read from its header: who wrote it, who got it, and who is only mentioned there.

The one rule: an address is taken whole, by the structure of its header, or it is no more than a mention, which is a
question for a person. `anna@shop.example` takes neither `joanna@shop.example` nor a display name that says Anna.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from email._parseaddr import AddressList  # type: ignore[import-not-found]
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from enum import IntEnum
from typing import Final

from rights.subject import Sharing

WRITERS: Final = ("From", "Sender", "Reply-To", "Return-Path", "Resent-From", "Resent-Sender")
RECEIVERS: Final = (
    *("To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"),
    *("Delivered-To", "X-Original-To", "Envelope-To"),
)
HEADERS: Final[Mapping[str, Sequence[str]]] = {"from": WRITERS, "to": RECEIVERS, "any": (*WRITERS, *RECEIVERS)}
"""Where an address is looked for, by the side of the conversation that the map counts as the person's."""
PARTICIPANTS: Final = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc")
"""Where people stand, and not only machines that passed the message on."""

_FOLD: Final = re.compile(rb"\r?\n(?=[ \t])")
_BREAK: Final = re.compile(rb"\r?\n|\r")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)')
_ANGLE: Final = re.compile(r"<([^<>]*)>")
_CORE: Final = re.compile(r"[!#-\[\]-~]+")
"""Printable ASCII without what would have to be quoted in a search."""

Header = Sequence[tuple[str, str]]
"""Names in lower case and unfolded values, in the message's order."""


def read_header(raw: bytes) -> Header:
    """Take a header apart, whatever is wrong with it: a line that is none is passed over, bytes that are not UTF-8 are
    taken for Latin-1."""
    lines = []
    for line in _BREAK.split(_FOLD.sub(b"", raw)):
        name, colon, value = line.partition(b":")
        if colon:
            lines.append((_text(name).strip().lower(), _text(value).strip()))
    return lines


def values(header: Header, *names: str) -> Iterator[str]:
    """The values of the headers with these names."""
    wanted = {name.lower() for name in names}
    return (value for name, value in header if name in wanted)


def decoded(value: str) -> str:
    """A value as people read it, with encoded words (RFC 2047) decoded as far as they can be."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def addresses(value: str) -> frozenset[str]:
    """The addresses of one header's value, in their plain form. Groups are opened; a display name gives none."""
    found = {plain(address) for _, address in AddressList(value).addresslist if "@" in address}
    if len(found) > 1:
        bare = _QUOTED.sub("", value)
        if len(found) > 1 + sum(map(bare.count, ",;:")):
            # More addresses than places for them: an unquoted name looks like one. What stands in brackets counts.
            return frozenset(plain(inner.strip()) for inner in _ANGLE.findall(bare) if "@" in inner)
    return frozenset(found)


def plain(address: str) -> str:
    """One form for all ways to write an address: no needless quotes, the domain in letters and lower case."""
    local, _, domain = unicodedata.normalize("NFC", address).rpartition("@")
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local}@{_letters(domain.strip().rstrip('.'))}"


def people(header: Header) -> frozenset[str]:
    """Everybody who takes part in the conversation, in plain form and folded case."""
    found: set[str] = set()
    for value in values(header, *PARTICIPANTS):
        found |= addresses(value)
    return frozenset(address.casefold() for address in found)


class Match(IntEnum):
    """How surely a header names the person."""

    NONE = 0
    MENTION = 1
    """The address stands there, but not as one."""
    SHARED = 2
    UNIQUE = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """One address that is looked for, for a field of the map."""

    field: str
    value: str = attribute(repr=False)
    casefold: bool
    sharing: Sharing

    @property
    def _plain(self) -> str:
        return self._fold(plain(self.value))

    def _fold(self, text: str) -> str:
        return text.casefold() if self.casefold else text

    def searched(self, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        """What to search which headers for, so that every message that has the address is found.

        It is the longest run of its letters that every server compares alike, in both ways to write the domain.
        Needless quotes around the part before the @ are looked for where people write most.
        """
        local, _, domain = plain(self.value).rpartition("@")
        forms = dict.fromkeys(self._core(f"{local}@{form}") for form in (domain, _ascii(domain)))
        quoted = f'{local}"@{_ascii(domain)}' if re.fullmatch(r"[\w.+-]+", local, re.ASCII) else ""
        for name in names:
            yield from ((name, form) for form in forms)
            if quoted and name in {"From", "To"}:
                yield name, quoted

    @staticmethod
    def _core(form: str) -> str:
        if form.isascii() and form.isprintable():
            return form
        return str(max(_CORE.findall(form), key=len))

    def match(self, lines: Sequence[str]) -> Match:
        """How surely these headers name the person."""
        wanted = self._plain
        mentioned = False
        for line in lines:
            if any(self._fold(address) == wanted for address in addresses(line)):
                return Match.SHARED if self.sharing is Sharing.SHARED else Match.UNIQUE
            mentioned = mentioned or self._mentioned(line)
        return Match.MENTION if mentioned else Match.NONE

    def _mentioned(self, line: str) -> bool:
        local, _, domain = plain(self.value).rpartition("@")
        for text in {line, decoded(line)}:
            folded = text.casefold()
            for form in {domain, _ascii(domain)}:
                token = re.escape(f"{local}@{form}".casefold())
                if re.search(rf"(?<![\w.!#$%&'*+/=?^`{{|}}~-]){token}(?![\w-]|\.\w)", folded):
                    return True
        return False


def _letters(domain: str) -> str:
    try:
        return str(domain.casefold().encode("ascii").decode("idna"))
    except UnicodeError:
        return domain.casefold()


def _ascii(domain: str) -> str:
    try:
        return bytes(domain.encode("idna")).decode()
    except UnicodeError:
        return domain


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
