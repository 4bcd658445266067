"""What a copy never holds: credentials everywhere, and what a law names beside them.

The one rule: it is never dropped in silence. What is withheld is named by collection and field, with what it is, so
that the person knows that it is held (11 CCR 7024(d)).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Final

from pydantic import field_validator

from rights.lawfile import Strict, read_law, shipped
from rights.regimes import RegimeName
from rights.value import Value

_FILE: Final = "withheld.yaml"
_IRI: Final = re.compile(r"(?:https?://w3id\.org/dpv/(?:dpv-)?pd(?:/owl)?#|dpv-pd:)")


class Item(Strict):
    """One kind of data that is held and not sent."""

    item: str
    """A code: credentials, social_security_number, ..."""
    says: str
    """What it is, as the person reads it."""
    source: str
    categories: tuple[str, ...]
    """Of the data map; each stands for all below it as well."""
    names: tuple[str, ...] = ()
    """Names of columns that most likely hold it."""

    @field_validator("categories")
    @classmethod
    def _some(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if not categories:
            raise ValueError("name at least one category: nothing would be withheld by this item")
        return tuple(map(_plain, categories))

    def covers(self, category: str | None) -> bool:
        """Whether a field of this category is withheld by it."""
        here = _plain(category or "")
        return any(here == known or here.startswith(f"{known}.") for known in self.categories)

    def looks_like(self, column: str) -> bool:
        """Whether a column of this name most likely holds it: the name is one of `names`, or ends with one."""
        words = "_".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", column)).lower()
        return any(words == name or words.endswith(f"_{name}") for name in self.names)


class Withheld(Value):
    """A field of the data map that a copy does not hold: names, never a value."""

    field: str
    item: str
    says: str
    source: str


class _Law(Strict):
    everywhere: tuple[Item, ...]
    regimes: dict[RegimeName, tuple[Item, ...]]


def read_withheld(file: str, text: str) -> _Law:
    """Read the file.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(_Law, file, text)


def items(regimes: Iterable[str]) -> tuple[Item, ...]:
    """What is withheld under any of these regimes, from the narrowest on; credentials always are."""
    law = _shipped()
    return (*law.everywhere, *(item for name in dict.fromkeys(regimes) for item in law.regimes.get(name, ())))


def every_item() -> Mapping[str, tuple[Item, ...]]:
    """All items, by the regime that asks for them; under an empty name those that are withheld everywhere."""
    law = _shipped()
    return {"": law.everywhere, **law.regimes}


def withheld(field: str, category: str | None, regimes: Collection[str]) -> Withheld | None:
    """Why a field is not sent under these regimes; None if it may be."""
    for item in items(regimes):
        if item.covers(category):
            return Withheld(field=field, item=item.item, says=item.says, source=item.source)
    return None


@cache
def _shipped() -> _Law:
    return read_withheld(_FILE, shipped(_FILE))


def _plain(category: str) -> str:
    """A category as it is compared: DPV's terms by their short name, letters small."""
    return _IRI.sub("pd:", category).strip().lower()
