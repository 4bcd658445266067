"""Restriction of processing (GDPR Art. 18): on which ground, for how long, and how it ends.

The one rule: whoever obtained a restriction is told before it is lifted, Art. 18(3); so a restriction ends in steps:
asked, told, a term that runs from there, lifted.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from rights.datamap import DataMap, System
from rights.detail import Details
from rights.value import Value

Note = Annotated[str, StringConstraints(max_length=20_000)]
"""A text somebody typed."""


class Ground(StrEnum):
    """Why processing is restricted, Art. 18(1)(a) to (d)."""

    ACCURACY = "accuracy"
    """(a) The person contests the accuracy, for as long as it takes to verify it."""
    UNLAWFUL = "unlawful"
    """(b) The processing is unlawful, and the person wants it restricted rather than erased."""
    CLAIMS = "claims"
    """(c) We need the data no longer; the person does, for legal claims."""
    OBJECTION = "objection"
    """(d) The person has objected, and it is not settled yet whose grounds weigh more."""
    MINOR = "minor"
    """It is said to be the data of a child, which is put out of use before anybody looks into that; no ground of
    Art. 18, and the engine's way to Art. 17(1)(f)."""

    @property
    def article(self) -> str:
        """The provision."""
        return "GDPR Art. 17(1)(f)" if self is Ground.MINOR else f"GDPR Art. 18(1)({_LETTERS[self]})"


_LETTERS: Final[Mapping[Ground, str]] = MappingProxyType(
    {Ground.ACCURACY: "a", Ground.UNLAWFUL: "b", Ground.CLAIMS: "c", Ground.OBJECTION: "d"}
)


class Ended(StrEnum):
    """Why a restriction is to be lifted."""

    VERIFIED = "verified"
    """The accuracy has been verified, or what was wrong is corrected."""
    WEIGHED = "weighed"
    """Whose grounds weigh more is settled."""
    NOT_NEEDED = "not_needed"
    """The reason has gone: the claims are settled, the processing is lawful now."""
    ASKED = "asked"
    """The person wants it lifted, or has taken the request back."""


class Stage(StrEnum):
    """Where a restriction stands."""

    IN_FORCE = "in_force"
    TELLING = "telling"
    """It is to be lifted, and the person is not told yet."""
    NOTICE = "notice"
    """The person was told, and the term runs."""
    LIFTING = "lifting"
    LIFTED = "lifted"


class Extent(Value):
    """What of a person's data is restricted; nothing named: all of it.

    Systems lock whole records away (rows, objects, messages). Where categories are named, every record that has a field
    of one of them is locked whole, and what else stands in it is restricted as well (`beyond`).
    """

    systems: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    """SYSTEM.COLLECTION; together with the systems."""
    categories: tuple[str, ...] = ()
    """Of what systems and collections name, or of all, only what is of these categories."""

    def locks(self, system: System) -> tuple[str, ...]:
        """The collections of a system whose records are locked away."""
        return tuple(name for name in system.collections if self._named(system, name) and self._has(system, name))

    def covers(self, system: System) -> bool:
        """Whether anything of a system is to be restricted."""
        return bool(self.locks(system))

    def beyond(self, system: System) -> dict[str, tuple[str, ...]]:
        """By collection that is locked away, the categories that are restricted with it though nobody asked for them;
        `other` stands for fields that the map puts into none, but for keys and links."""
        found = {}
        for name in self.locks(system) if self.categories else ():
            collection = system.collections[name]
            held = {*collection.key, *(base for link in collection.links for base in collection.bases(link.field))}
            said = {f.category or OTHER for n, f in collection.fields.items() if f.category or n not in held}
            if more := tuple(sorted(one for one in said if not self._is(one))):
                found[name] = more
        return found

    def _named(self, system: System, name: str) -> bool:
        everywhere = not (self.systems or self.collections)
        return everywhere or system.system in self.systems or f"{system.system}.{name}" in self.collections

    def _has(self, system: System, name: str) -> bool:
        fields = system.collections[name].fields.values()
        return not self.categories or any(field.category and self._is(field.category) for field in fields)

    def _is(self, category: str) -> bool:
        """Whether a category is one of those named, or stands under one: user.contact.email under user.contact."""
        return any(category == one or category.startswith(f"{one}.") for one in self.categories)


class Locked(Value):
    """What is locked away in a system where it is not all of it."""

    system: str
    collections: tuple[str, ...]
    beyond: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By collection, what is restricted with it since records are locked whole."""


def locked_by(extent: Extent, systems: Iterable[System]) -> tuple[Locked, ...]:
    """What an extent comes to, by system in which it comes to anything; nothing where it is everything."""
    if extent == Extent():
        return ()
    return tuple(
        Locked(system=one.system, collections=extent.locks(one), beyond=extent.beyond(one))
        for one in systems
        if extent.covers(one)
    )


OTHER: Final = "other"
"""What a letter calls fields that have no category."""


class RestrictionDetails(Details):
    """What a request about restriction says."""

    ground: Ground
    systems: tuple[str, ...] = ()
    """The systems of the data map that it is about; no system and no collection named: all."""
    collections: tuple[str, ...] = ()
    """Collections that it is about, as SYSTEM.COLLECTION."""
    categories: tuple[str, ...] = ()
    """Categories of the data map that it is about; none named: all."""
    review_on: date | None = None
    """When it is to be reviewed; not said: after the deployment's own term."""
    note: Note = Field(default="", repr=False)

    @property
    def extent(self) -> Extent:
        return Extent(systems=self.systems, collections=self.collections, categories=self.categories)

    def require(self, data_map: DataMap) -> None:
        for name in self.systems:
            if name not in data_map.systems:
                raise ValueError(f"systems: the data map has no such system: write some of {_list(data_map.systems)}")
        for name in self.collections:
            system, _, collection = name.partition(".")
            if system not in data_map.systems or collection not in data_map.systems[system].collections:
                raise ValueError("collections: the data map has no such collection: write SYSTEM.COLLECTION")
        systems = data_map.systems.values()
        for category in self.categories:
            alone = Extent(categories=(category,))
            if not any(alone.covers(system) for system in systems):
                raise ValueError("categories: no field of the data map is of such a category: write one that is")
        if not any(self.extent.covers(system) for system in systems):
            raise ValueError("categories: nothing under the systems and collections named is of these categories")


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))


class Restriction(Value):
    """A restriction as the ledger has it. Everything but `lifted` is a restriction in force."""

    request_id: str
    ground: Ground
    since: datetime
    review_on: datetime
    """When somebody has to look whether it is still needed."""
    reviewed_at: datetime | None = None
    lift_reason: Ended | None = None
    lift_asked_at: datetime | None = None
    notice_days: int | None = None
    """How many days lie between telling the person and lifting."""
    letter: str | None = None
    """The letter that tells the person."""
    told_at: datetime | None = None
    lift_on: datetime | None = None
    """The earliest moment of lifting; None until the person is told."""
    lifting_at: datetime | None = None
    lifted_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        if self.lifted_at:
            return Stage.LIFTED
        if self.lifting_at:
            return Stage.LIFTING
        if self.told_at:
            return Stage.NOTICE
        return Stage.TELLING if self.lift_asked_at else Stage.IN_FORCE
