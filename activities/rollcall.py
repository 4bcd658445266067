"""Whom a system has, read page by page and compared with what the ledger remembers by token.

The one rule: identities are in memory for the length of a page, and only those that were recognised go on.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

from activities.calls import Beat
from activities.tools import Tools
from connectors.errors import Unsupported
from connectors.protocol import Connector
from connectors.rolls import Roll, Rolls
from rights.datamap import System
from rights.subject import Identity
from rights.suppression import comparables, told_apart

PAGE: Final = 500
"""Rows read at once; a few kilobytes of identities in memory."""

Found = dict[str, set[Identity]]
"""Of past requests, by id: who was recognised."""


class RollCall:
    """The list of all people of one system."""

    def __init__(self, tools: Tools, system: System, beat: Beat) -> None:
        self._connector: Connector | None = tools.connectors.get(system.system)
        self._system, self._beat = system, beat
        self._fields = {
            name: {f: about.identity for f, about in c.identities.items() if about.sharing == "unique"}
            for name, c in system.collections.items()
        }
        """By collection, the fields that tell one person from all others, and the kind of each."""
        self._casefold = {
            about.identity: about.casefold for c in system.collections.values() for about in c.identities.values()
        }

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of identity that tell one person from all others here."""
        return frozenset(kind for fields in self._fields.values() for kind in fields.values() if kind)

    @cached_property
    def listed(self) -> bool:
        """Whether the system can say whom it has.

        Raises:
            ConnectorError: it cannot be read for now.
        """
        first = next(((name, tuple(kinds)) for name, kinds in self._fields.items() if kinds), None)
        if first is None or not isinstance(self._connector, Rolls):
            return False
        try:
            # Of some kinds of database a connector can, and of others it cannot.
            self._connector.roll(Roll(self._system, *first, 1))
        except Unsupported:
            return False
        return True

    def recognised(self, of: Callable[[Sequence[Identity]], Sequence[Iterable[str]]]) -> Found:
        """Who of past requests is in the system; `of` gives the requests of each of some identities, in their order.

        Raises:
            ConnectorError: the system cannot be read for now.
        """
        found: defaultdict[str, set[Identity]] = defaultdict(set)
        for people in self._pages():
            for one, requests in zip(people, of(people), strict=True):
                for request_id in requests:
                    found[request_id].add(one)
        return dict(found)

    def several(self, people: Iterable[Identity]) -> bool:
        """Whether a token takes these for one person where the map tells them apart, so that they may be two."""
        known: defaultdict[str, set[str]] = defaultdict(set)
        for one in people:
            for form in comparables(one).values():
                known[form].add(told_apart(one, casefold=self._casefold.get(one.kind, False)))
        return any(len(forms) > 1 for forms in known.values())

    def _pages(self) -> Iterator[list[Identity]]:
        """The identities of everybody, page by page."""
        connector = self._connector
        if not isinstance(connector, Rolls):
            return
        for collection, kinds in self._fields.items():
            after: tuple[str, ...] = ()
            over = not kinds
            while not over:
                self._beat()
                page = connector.roll(Roll(self._system, collection, tuple(kinds), PAGE, after))
                yield [
                    Identity(kind, value)
                    for row in page.rows
                    for field, kind in kinds.items()
                    if kind and (value := row.get(field))
                ]
                over, after = page.over, page.last
