"""Whom a request is about: identities as a person or an agent gives them.

The one rule: an identity's value never shows in a repr, an error or a log.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Sharing(StrEnum):
    """How far an identity tells one person from another."""

    UNIQUE = "unique"
    SHARED = "shared"
    """Several people may have it (a family's e-mail, a household's phone): an agent decides."""
    HINT = "hint"
    """Only helps a person to look; never followed."""


class Assurance(StrEnum):
    """How the engine knows that the asker is the person."""

    NONE = "none"
    ATTESTED = "attested"
    """A member of staff or a calling system has checked and says so, by name of role."""


class IdentityError(ValueError):
    """An identity that cannot be used; the message says what to write and never quotes the value."""


CASELESS: Final = frozenset({"email"})
"""Kinds of which two values that differ in case alone are one identity. A mail host may tell Anna@ from anna@, and none
does. All other kinds are exact: of an object's key, a customer number or a device, `A.pdf` and `a.pdf` are two."""
KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_EMAIL: Final = re.compile(r"[^@\s\"<>(),;:\\]+@[^\W_](?:[\w.-]*[^\W_])?\Z")
"""Wide rather than narrow: apostrophes, letters of any script and international domains are people's own."""
_JOINERS: Final = "\u200c\u200d"
MAX_VALUE: Final = 320
"""Characters. The longest address SMTP carries (64 + @ + 255, RFC 5321 4.5.3.1); no key needs more."""
MAX_IDENTITIES: Final = 50
"""Per request. A person has a handful; more is a mistake or an attack."""


SPECIFIC: Final = 6
"""Characters from which on a value is looked for in texts. What is shorter stands in many that mean something else."""
SPECIFIC_MIXED: Final = 4
"""The same for values of more than one kind of character (letters, digits, others), such as `K-17`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One thing a person is known by in a system. Not a pydantic value: it is never written down in clear."""

    kind: str
    value: str = field(repr=False)
    sharing: Sharing = Sharing.UNIQUE


def ignores_case(kind: str) -> bool:
    """Whether case makes no difference to identities of a kind, where the data map does not say otherwise."""
    return kind in CASELESS


def specific(value: str) -> bool:
    """Whether a value says so much that a text in which it stands is likely about who bears it."""
    text = unicodedata.normalize("NFC", value)
    kinds = {"letter" if char.isalpha() else "digit" if char.isdigit() else "other" for char in text}
    return len(text) >= (SPECIFIC if len(kinds) < 2 else SPECIFIC_MIXED)


def comparable(value: str, *, casefold: bool) -> str:
    """A value in the form in which it is compared: the two ways of Unicode to write an accent are one."""
    text = unicodedata.normalize("NFC", value)
    return text.casefold() if casefold else text


def unseen(text: str) -> str:
    """A text without the characters that nobody sees, but for those two that tell words of some scripts apart."""
    return "".join(c for c in text if c in _JOINERS or unicodedata.category(c) != "Cf")


def parse_identity(kind: str, value: str) -> Identity:
    """Build an identity from what somebody typed.

    Texts are put in Unicode form NFC and stripped, an e-mail's domain is lower-cased; nothing else is changed, since
    some systems' keys are case-sensitive.

    Raises:
        IdentityError: the kind or the value cannot be used.
    """
    if not KIND.match(kind):
        raise IdentityError("an identity's kind is a lower-case word such as email or customer_id")
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise IdentityError(f"the {kind} is empty: give {kind}=VALUE")
    if len(text) > MAX_VALUE:
        raise IdentityError(f"the {kind} is longer than {MAX_VALUE} characters")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in text):
        raise IdentityError(f"the {kind} holds a control character: type it again without it")
    if kind == "email":
        if unseen(text) != text:
            # Copied along out of a document: nobody would be found by it, nor held, and nobody would see why.
            raise IdentityError("the email holds an invisible character: type it anew in place of copying it")
        if not _EMAIL.match(text) or ".." in text:
            raise IdentityError("the email is not an address of the form name@domain")
        local, _, domain = text.rpartition("@")
        text = f"{local}@{domain.lower()}"
    return Identity(kind, text)


def parse_identities(pairs: Iterable[tuple[str, str]]) -> tuple[Identity, ...]:
    """Build a request's identities; the same one given twice counts once.

    Raises:
        IdentityError: none is given, too many are, or one of them cannot be used.
    """
    identities = tuple(dict.fromkeys(parse_identity(kind, value) for kind, value in pairs))
    if not identities:
        raise IdentityError("no identity is given: add at least one, such as email=name@domain")
    if len(identities) > MAX_IDENTITIES:
        raise IdentityError(f"more than {MAX_IDENTITIES} identities are given: is this one person?")
    return identities
