"""How one and the same identity may be written: a mailbox's domain in letters or in ASCII, a phone number's digits.

The one rule: every way given here names the same mailbox or number whoever reads it. What only the reader's own country
makes the same (030 1234567) is completed where it comes from, and never looked for: in another country's system it is
somebody else's.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from rights.subject import Identity

PHONES: Final = frozenset({"phone", "mobile", "telephone", "fax", "whatsapp"})
"""Kinds of identity that are phone numbers."""
_DIGITS: Final = re.compile(r"\D")
_TRUNK: Final = re.compile(r"\(0\)")
_ACE: Final = "xn--"
"""What a label of an international domain begins with where it is written in ASCII (RFC 5890, 2.3.2.5)."""
_NO_LABEL: Final = frozenset(".@ ")


def spellings(identities: Iterable[Identity], calling_code: str = "") -> tuple[Identity, ...]:
    """Identities as systems may have them, each as it was given first: an address with an international domain in
    letters and in ASCII (anna@bücher.example, anna@xn--bcher-kva.example); a phone number as E.164, with 00 before the
    country, and spaced as its country does (+49301234567, 0049301234567, +49 30 1234567; ITU-T E.123). A national
    number is completed by `calling_code` ("+49"), and without it stays as it is."""
    found: dict[Identity, None] = {}
    for one in identities:
        found[one] = None
        if one.kind == "email":
            letters = in_letters(one.value)
            found |= {replace(one, value=text): None for text in (letters, _by_label(letters, _a_label))}
        elif one.kind in PHONES:
            found |= {replace(one, value=text): None for text in _numbers(one.value, calling_code)}
    return tuple(found)


def in_letters(address: str) -> str:
    """An address with an international domain in letters, whichever way it is written (RFC 5890)."""
    return _by_label(address, _u_label)


def e164(text: str, calling_code: str) -> str:
    """A phone number as +COUNTRY NUMBER without anything between; digits alone where the country is not known."""
    plus = text.startswith("+")
    digits = _DIGITS.sub("", _TRUNK.sub("", text) if plus or text.startswith("00") else text)
    if plus:
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if calling_code:
        return f"{calling_code}{digits.removeprefix('0')}"
    return digits


def _numbers(text: str, calling_code: str) -> tuple[str, ...]:
    number = e164(unicodedata.normalize("NFKC", text), calling_code)
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        # No country, or none that there is: nobody can say how else it is written.
        return ()
    spaced = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    return number, f"00{number.removeprefix('+')}", spaced


def _by_label(address: str, written: Callable[[str], str]) -> str:
    local, at, host = address.rpartition("@")
    return f"{local}{at}{'.'.join(map(written, host.split('.')))}"


def _u_label(label: str) -> str:
    if not label.lower().startswith(_ACE):
        return label
    try:
        letters = label[len(_ACE) :].encode("ascii").decode("punycode")
    except ValueError:
        return label
    # What only looks like one may come to anything: no system is handed a character that none can keep.
    return letters if letters.isprintable() and _NO_LABEL.isdisjoint(letters) else label


def _a_label(label: str) -> str:
    return label if label.isascii() else f"{_ACE}{label.lower().encode('punycode').decode('ascii')}"
