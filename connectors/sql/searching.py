"""Searching the texts that the map marks, and asking a person about what mentions somebody.

The one rule: what there is no time for is said to be unsearched, and never taken to mention nobody.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from connectors.mentioned import Mentions, candidate, counted, refuse_mentions
from connectors.protocol import Call, Look
from connectors.sql.asking import Asking
from connectors.sql.server import Database, Mode, Trouble
from connectors.words import Words, words_of
from rights.receipt import Tally


class Searching:
    """Searches the texts of one system."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._names: Final = tuple(name for name, c in asking.system.collections.items() if c.searched)

    def counted(self, database: Database, call: Call, look: Look) -> Look:
        """A look with the number of mentions in each collection; none while it is open whose its own rows are."""
        return look if look.candidates else counted(look, self.search(database, call, look))

    def refuse(self, database: Database, call: Call, look: Look | None = None) -> None:
        """Put on a person's desk what mentions the person.

        Raises:
            NeedsHuman: MENTIONS, with the first rows of each collection, or NOT_SEARCHED.
        """
        refuse_mentions(self.search(database, call, look), look.tally if look else Tally())

    def search(self, database: Database, call: Call, look: Look | None = None) -> Iterator[Mentions]:
        """Search each collection that has texts to search, by what is known of the person and by what a look has just
        learnt.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        if look is not None:
            call = replace(call, identities=(*call.identities, *look.links), anchors=look.anchors)
        for name in self._names:
            yield self._search(database, call, name)

    def _search(self, database: Database, call: Call, name: str) -> Mentions:
        call.beat()
        words = words_of(call)
        if words.too_many:
            return Mentions(name, searched=False)
        if not words:
            return Mentions(name)
        programme = self._asking.explained(database, lambda: self._asking.programme(database, call))
        try:
            with database.transaction(Mode.LOOK, call.session, programme.document(call)) as session:
                rows = programme.mentions(session, name)
                session.commit()
        except database.errors as error:
            trouble = error
        else:
            return self._mentions(name, rows, words)
        if database.trouble(trouble) is Trouble.TIME:
            return Mentions(name, searched=False)
        raise self._asking.problem(database, trouble)

    def _mentions(self, name: str, rows: list[tuple[Any, ...]], words: Words) -> Mentions:
        collection = self._asking.system.collections[name]
        size = len(collection.key)
        candidates = tuple(
            candidate(
                name,
                list(zip(collection.key, row[1 : size + 1], strict=True)),
                list(zip(collection.searched, row[size + 1 :], strict=True)),
                words,
            )
            for row in rows
        )
        return Mentions(name, rows[0][0] if rows else 0, candidates)
