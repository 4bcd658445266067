"""Links to other systems: what the rows of a person say that they are known by elsewhere.

The one rule: exact values, each once, and only from rows that are the person's for certain. What several people may
have, and what an erasure wrote, is told to nobody.
"""

from functools import cached_property
from typing import Final

from connectors.errors import NeedsHuman
from connectors.fates import Row
from connectors.protocol import Call
from connectors.strategies import clean, text
from rights.codes import Code
from rights.datamap import Field
from rights.plan import Write
from rights.subject import Identity, comparable

MOST: Final = 100_000
"""Links that one look may tell of: all of them are held in memory, sealed together and handed to every later step of
the request. With more the look is a person's task; none is ever left out in silence."""


class Links:
    """Collects the links of one look."""

    def __init__(self, call: Call) -> None:
        self._system = call.system.system
        self._exact = {(one.kind, one.value) for one in call.identities}
        self._folded = {(one.kind, comparable(one.value, casefold=True)) for one in call.identities}
        self._found: list[Identity] = []
        self._call = call

    @cached_property
    def _writes(self) -> dict[tuple[str, str], Write]:
        return {(work.collection, write.field): write for work in self._call.work for write in work.writes}

    @cached_property
    def _told(self) -> dict[str, list[tuple[str, Field]]]:
        return {
            name: [(column, about) for column, about in collection.fields.items() if about.told]
            for name, collection in self._call.system.collections.items()
        }

    def add_row(self, collection: str, row: Row) -> None:
        """Take what one of the person's rows says; what an erasure wrote there is nothing.

        Raises:
            NeedsHuman: TOO_MANY_LINKS.
        """
        for column, about in self._told[collection]:
            write, value = self._writes.get((collection, column)), row.get(column)
            if not (write and clean(write, value)):
                self.add(about, value)

    def add(self, about: Field, value: object) -> None:
        """Take what a field of one of the person's rows holds; a list gives each of its values.

        Raises:
            NeedsHuman: TOO_MANY_LINKS.
        """
        if isinstance(value, list | tuple):
            for one in value:
                self.add(about, one)
            return
        # An object has names, and which of them is the identity the map cannot say.
        if isinstance(value, dict) or not (said := text(value)):
            return
        for kind, casefold in about.told.items():
            exact, folded = (kind, said), (kind, comparable(said, casefold=True))
            if exact in self._exact or (casefold and folded in self._folded):
                continue
            self._exact.add(exact)
            self._folded.add(folded)
            self._found.append(Identity(kind, said))
            if len(self._found) > MOST:
                raise NeedsHuman(Code.TOO_MANY_LINKS, self._system)

    @property
    def found(self) -> tuple[Identity, ...]:
        """Those that were not known, in the order in which they came."""
        return tuple(self._found)
