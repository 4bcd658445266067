"""What a person may take elsewhere (GDPR Art. 20): what they have provided, on consent or for a contract, by machine.

The one rule: what the data map does not say is not ported, and is named as not ported with the reason. What was worked
out from other data, and what somebody else has provided, stays (WP 242 rev.01, II).
"""

import re
from enum import StrEnum
from typing import Final, Literal

from rights.collection import Collection
from rights.datamap import System
from rights.fields import Origin
from rights.request import Right
from rights.value import Value

_CONSENT: Final = re.compile(
    r"\s*(?:(?:explicit )?consent|einwilligung|consentement|consentimiento"
    r"|(?:gdpr )?art\.? ?(?:6\(1\)\(a\)|9\(2\)\(a\)))(?![a-z])",
    re.IGNORECASE,
)
_CONTRACT: Final = re.compile(
    r"\s*(?:contract|vertrag|contrat|contrato|(?:gdpr )?art\.? ?6\(1\)\(b\))(?![a-z])", re.IGNORECASE
)
BY_HAND: Final = frozenset({"manual"})
"""Connectors to what people keep: not processed by automated means (Art. 20(1)(b))."""


class Why(StrEnum):
    """Why a field is not ported."""

    UNSTATED = "unstated"
    DERIVED = "derived"
    THIRD_PARTY = "third_party"
    BASIS = "basis"
    BY_HAND = "by_hand"

    @property
    def says(self) -> str:
        return _SAYS[self]


_SAYS: Final = {
    Why.UNSTATED: "it is not stated where it comes from",
    Why.DERIVED: "we have worked it out ourselves",
    Why.THIRD_PARTY: "somebody else has provided it",
    Why.BASIS: "it is held neither on consent nor for a contract",
    Why.BY_HAND: "it is not processed by automated means",
}


class NotPorted(Value):
    """A field that stays, and why."""

    field: str
    why: Why


class Ported(Value):
    """What of a collection a person may take along."""

    fields: tuple[str, ...] = ()
    """What they have provided, and the keys that hold its rows together."""
    left: tuple[NotPorted, ...] = ()
    files: bool = False
    """Whether its files go along as well."""

    @property
    def anything(self) -> bool:
        return bool(self.fields) or self.files


def basis(lawful_basis: str) -> Literal["consent", "contract"] | None:
    """Which of the two bases that Art. 20(1)(a) asks for a text of the map begins with: the word, in English, German,
    French or Spanish, or the article (6(1)(a), 9(2)(a), 6(1)(b)). A text that begins otherwise names neither."""
    if _CONSENT.match(lawful_basis):
        return "consent"
    return "contract" if _CONTRACT.match(lawful_basis) else None


def looked_into(right: Right, system: System) -> bool:
    """Whether a request has anything to look for in a system. What people keep by hand never goes along (Art.
    20(1)(b)), so nobody is asked to look there for somebody who takes their data elsewhere."""
    return right is not Right.PORTABILITY or system.connector not in BY_HAND


def ported(system: System, name: str) -> Ported:
    """What of one collection goes along. Keys and links of the map that name no category go with the rows they hold
    together; without them nobody could put the rows back in order (WP 242 rev.01: metadata)."""
    collection = system.collections[name]
    everywhere = Why.BY_HAND if system.connector in BY_HAND else None
    if not everywhere and basis(collection.lawful_basis) is None:
        everywhere = Why.BASIS
    why = {
        field: everywhere or _why(collection.fields[field].origin or collection.origin) for field in _data(collection)
    }
    taken = {field for field, reason in why.items() if reason is None}
    if taken:
        taken |= {field for field in _structure(collection) if why.get(field) in {None, Why.UNSTATED}}
    return Ported(
        fields=tuple(field for field in collection.fields if field in taken),
        left=tuple(
            NotPorted(field=field, why=reason) for field, reason in why.items() if reason and field not in taken
        ),
        files=not everywhere and _why(collection.origin) is None,
    )


def origin(collection: Collection, field: str) -> Origin | None:
    """Where a field comes from, as the map has it."""
    return collection.fields[field].origin or collection.origin


def _data(collection: Collection) -> tuple[str, ...]:
    return tuple(name for name, field in collection.fields.items() if field.export)


def _structure(collection: Collection) -> set[str]:
    """Keys and links without a category."""
    names = {*collection.key, *(base for link in collection.links for base in collection.bases(link.field))}
    fields = collection.fields
    return {name for name in names if not fields[name].category and not fields[name].identity and fields[name].export}


def _why(said: Origin | None) -> Why | None:
    match said:
        case Origin.PROVIDED | Origin.OBSERVED:
            return None
        case Origin.DERIVED:
            return Why.DERIVED
        case Origin.THIRD_PARTY:
            return Why.THIRD_PARTY
    return Why.UNSTATED
