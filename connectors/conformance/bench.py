"""What the suite asks of whoever tests a connector: a system to try it on, and a back door into it.

The one rule: nothing here goes through the connector. A bench that asks the connector what is there would believe
whatever the connector says.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol, TypeVar, runtime_checkable

from connectors.protocol import Connector, Key
from rights.datamap import System
from rights.plan import Operation
from rights.subject import Identity

AS_OF: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The moment of every call; seeds are dated by it."""
ENVIRONMENT: Final = "conformance"
"""The environment the calls come from."""

Dump = Mapping[str, Mapping[Key, Mapping[str, object]]]
"""All rows of the system, by collection and key, with the fields of the data map."""


@dataclass(frozen=True)
class Person:
    """Somebody the suite has made up. No two of them have an identity in common unless a promise is about that."""

    identities: tuple[Identity, ...] = field(repr=False)
    """One of each kind that the map names: an address for `email`, nine digits for any other kind."""
    text: str = field(repr=False)
    """What stands in the person's personal fields."""

    def of(self, kind: str) -> str:
        """The value of an identity.

        Raises:
            KeyError: the map has no such kind.
        """
        for identity in self.identities:
            if identity.kind == kind:
                return identity.value
        raise KeyError(kind)


class Bench(Protocol):
    """A system under test."""

    @property
    def connector(self) -> Connector: ...

    @property
    def system(self) -> System:
        """The system's part of the data map, as the connector got it."""

    def seed(self, person: Person, rows: int) -> None:
        """Put a person in whom the system does not know yet.

        Each subject collection gets one row with all the person's identities that it has fields for; the collections
        that hang on it get `rows` rows between them, at least one each. Every row that has a free personal field has
        `person.text` in at least one that is exported. No field that an erasure rewrites is empty, or already what
        the erasure would make of it. A field that `yields` has a text of its own in each row.
        """

    def rows(self, person: Person) -> Mapping[str, frozenset[Key]]:
        """The keys of a person's rows that are in the system now, by the bench's own books: a row that an erasure has
        emptied is still there, and still counts. Keys as `connectors.protocol.Key` has them."""

    def everything(self) -> Dump:
        """All rows, everybody's."""

    def outage(self) -> AbstractContextManager[None]:
        """Inside, the system cannot be reached."""

    def mark(self, environment: str) -> None:
        """Set the system's environment mark; the empty text takes it away."""


@runtime_checkable
class Refuses(Protocol):
    """The bench can make the system refuse the connector's credentials."""

    def refused(self) -> AbstractContextManager[None]:
        """Inside, the system answers, and lets nobody in."""


@runtime_checkable
class Shares(Protocol):
    """Two people of the system can have one identity in common."""

    @property
    def shares(self) -> str:
        """The kind of that identity, such as email. Seeding two people with the same one has to work."""


@runtime_checkable
class Arrives(Protocol):
    """The bench can write rows while a request is under way."""

    def arrive(self, person: Person) -> None:
        """Somebody writes one more row of this person, which no duty keeps: to what is there of the person, or to the
        system as if the person were new."""


@runtime_checkable
class Orphans(Protocol):
    """The bench can leave a row behind whose parent is gone."""

    def orphan(self, person: Person) -> None:
        """Write one row, which no duty keeps, that hangs on a row of this person which is not there any more."""


@runtime_checkable
class Overwrites(Protocol):
    """The bench can change a field of a row."""

    def overwrite(self, collection: str, key: Key, column: str, value: object) -> None:
        """Set the field."""


@runtime_checkable
class Dates(Protocol):
    """The bench can date rows that a duty keeps for a term."""

    def seed_dated(self, person: Person, collection: str, day: date) -> None:
        """Add a row of a person who has been seeded, with every field that a term is counted from on that day (UTC)."""


@runtime_checkable
class Waits(Protocol):
    """The bench can let time pass for the system."""

    def wait(self, delay: timedelta) -> None:
        """Let so much time pass: in a fake by its clock, elsewhere for real."""


@runtime_checkable
class Clocks(Protocol):
    """The system has a clock of its own."""

    def now(self) -> datetime:
        """The time at the system, which calls are then made at."""


@runtime_checkable
class Cuts(Protocol):
    """The bench can cut the connection at the worst moment."""

    def cut(self) -> AbstractContextManager[None]:
        """Inside, the system carries out the next destructive call, and the connection breaks before its answer."""


@runtime_checkable
class Denies(Protocol):
    """The bench has the credentials of an application that reads people's data."""

    def readable(self, person: Person) -> int:
        """How many of the person's rows that application can read at this moment."""


@runtime_checkable
class Contains(Protocol):
    """The bench sees what rows say, wherever a restriction has put them."""

    def contents(self, person: Person) -> object:
        """All that the person's rows say, and their times, in a form that can be compared; neither where they lie nor
        what a restriction marks them with."""


@runtime_checkable
class Reverts(Protocol):
    """The bench can make the system change back what is written to it."""

    def revert(self, collection: str, column: str) -> None:
        """From now on whatever is written into the field of a row that is there is what stood in it again, at once."""


@runtime_checkable
class Writes(Protocol):
    """The system lets only some of its fields be rectified."""

    @property
    def writable(self) -> Mapping[str, frozenset[str]]:
        """By collection."""


class Newcomer(Protocol):
    """A row that has come into the place of a restricted one."""

    def still_there(self) -> bool:
        """Whether it is there, as it was written."""

    def __call__(self) -> None:
        """Take it away again."""


@runtime_checkable
class Replaces(Protocol):
    """The bench can write a new row into the place that a restricted one has left."""

    def replace(self, person: Person) -> Newcomer:
        """Write a row with the key that one of the person's restricted rows had."""


Test = TypeVar("Test", bound=Callable[..., None])


def needs(*what: Operation | type) -> Callable[[Test], Test]:
    """Mark a promise that only a connector with these operations, on a bench with these abilities, can be held to."""

    def mark(test: Test) -> Test:
        test.needs = what  # type: ignore[attr-defined]
        return test

    return mark


def lacking(what: Operation | type, bench: Bench, can: frozenset[Operation]) -> str:
    """Why a promise does not apply; empty if it does."""
    if isinstance(what, Operation):
        return "" if what in can else f"the connector has no {what}"
    if isinstance(bench, what):
        return ""
    ability = (what.__doc__ or what.__name__).splitlines()[0]
    return f"the bench does not say: {ability}"
