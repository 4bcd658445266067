"""Whose a shared row is, for connectors that hold rows in Python.

The one rule is that of `rights.sharing`: a row is somebody else's too as long as one of its links leads to a row that
is not this person's alone. A link that an erasure has cut leads nowhere, and a row of which an erasure has taken who
it was is nobody.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.derived import texts
from connectors.fates import Place, Row
from connectors.protocol import Call, Key
from connectors.strategies import clean, text
from rights import sharing
from rights.datamap import Collection as Mapped
from rights.datamap import Erase, Link, Strategy, System
from rights.plan import Work


def key_text(key: Key) -> str:
    """A key as an anchor has it: the value itself, or a JSON list of several."""
    return key[0] if len(key) == 1 else json.dumps(key)


def anchor_name(link: Link) -> str:
    """Under which name the keys of rows are sealed that were the person's by a link which an erasure may cut."""
    return f"{link.field}>{link.to}"


@dataclass(frozen=True, slots=True)
class Part:
    """A person's part in a row. Links are told by their places among `rights.sharing.owners`."""

    collection: Mapped = field(repr=False)
    mine: frozenset[int]
    """The links that lead to this person."""
    others: frozenset[int]
    """Those that lead to somebody else: none if nobody is left, or an agent has ruled that the row is this person's."""

    @property
    def shared(self) -> bool:
        return bool(self.others)

    @property
    def asks(self) -> bool:
        return self.shared and sharing.treatment(self.collection) == "ask"

    @property
    def cuttable(self) -> tuple[Link, ...]:
        """The links to this person that an erasure may cut."""
        links = sharing.owners(self.collection)
        return tuple(links[number] for number in sorted(self.mine) if sharing.cut(self.collection, links[number]))

    def given(self, column: str) -> bool:
        """Whether a field is handed over to the person."""
        if named := sharing.named(self.collection, column):
            return not self.mine.isdisjoint(named)
        return not self.shared or sharing.open_to_all(self.collection, column)

    def rewritten(self, column: str) -> bool:
        """Whether an erasure may rewrite a field, as far as it goes by whose it is."""
        if not self.shared:
            return True
        named = sharing.named(self.collection, column)
        redacts = sharing.treatment(self.collection) == "redact"
        return redacts and not self.mine.isdisjoint(named) and self.others.isdisjoint(named)

    def ground(self, row: Row) -> str:
        """Why a row that is somebody else's too is kept; empty if nothing of the person is left in it once its fields
        are rewritten."""
        fields = self.collection.fields
        mine = [column for column in fields if not self.mine.isdisjoint(sharing.named(self.collection, column))]
        rewritten = {column for column in mine if fields[column].rewritten and self.rewritten(column)}
        left = [fields[column] for column in mine if column not in rewritten and text(row.get(column))]
        if not rewritten or any((a.category or a.identity) and a.strategy is not Strategy.RETAIN for a in left):
            return sharing.GROUND
        return min((about.ground for about in left if about.strategy is Strategy.RETAIN), default="")


class Parts:
    """Finds a person's part in the rows of one collection.

    Args:
        certain: the person's rows of the collections that its links lead to.
        parts: the person's part in those of them that are shared themselves.
        scan: all rows of a collection, with their keys and what is derived from them.
    """

    def __init__(
        self,
        call: Call,
        system: System,
        name: str,
        certain: Mapping[str, Sequence[Row]],
        parts: Mapping[Place, Part],
        scan: Callable[[str], Sequence[tuple[Key, Row]]],
    ) -> None:
        works = {work.collection: work for work in call.work}
        self._collection = system.collections[name]
        # What is retained as it is has nothing written.
        self._writes = works[name].writes if works[name].erase is not Erase.RETAIN else ()
        self._ruled = call.rulings.mine.get(name, frozenset())
        self._links = sharing.owners(self._collection)
        self._mine: list[Collection[str]] = []
        self._others: list[Collection[str]] = []
        self._anchored: list[Collection[str]] = []
        anchors = call.anchors
        for link in self._links:
            parent, column = link.target
            mine = {value for row in certain[parent] for value in texts(row.get(column))}
            mine.update(filter(None, anchors.get(parent, {}).get(column, ())))
            self._mine.append(mine if link.shared else ())
            self._anchored.append(frozenset(anchors.get(name, {}).get(anchor_name(link), ())) if link.shared else ())
            about = system.collections[parent]
            keys = {tuple(text(row.get(field)) for field in about.key) for row in certain[parent]}
            alone = {key for key in keys if (part := parts.get((parent, key))) is None or not part.shared}
            nobody = _nobody(about, works[parent])
            rest = [row for key, row in scan(parent) if key not in alone and not nobody(row)]
            self._others.append({value for row in rest for value in texts(row.get(column))})

    def of(self, key: Key, row: Row) -> Part:
        """The person's part in a row."""
        mine, others = set[int](), set[int]()
        for number, link in enumerate(self._links):
            values = texts(row.get(link.field))
            if self._is_cut(link, row):
                # What somebody has written there since would be theirs.
                if key_text(key) in self._anchored[number]:
                    mine.add(number)
                continue
            if any(value in self._mine[number] for value in values):
                mine.add(number)
            if any(value in self._others[number] for value in values):
                others.add(number)
        part = Part(self._collection, frozenset(mine), frozenset(others))
        return replace(part, others=frozenset()) if part.asks and key in self._ruled else part

    def _is_cut(self, link: Link, row: Row) -> bool:
        bases = self._collection.bases(link.field)
        return any(write.field in bases and clean(write, row.get(write.field)) for write in self._writes)


def given(collection: Mapped, name: str, rows: Sequence[Row], parts: Mapping[Place, Part]) -> Iterator[Row]:
    """Rows as they are handed over: of one that is somebody else's too, the fields that are this person's, and nothing
    of one that an agent has ruled to be somebody else's."""
    for row in rows:
        part = parts.get((name, tuple(text(row.get(field)) for field in collection.key)))
        if part is None:
            yield row
        elif not part.asks:
            yield {column: row.get(column) if part.given(column) else None for column in collection.fields}


def _nobody(collection: Mapped, work: Work) -> Callable[[Row], bool]:
    """A test whether an erasure has taken of a row who it was."""
    identities = [name for name, about in collection.identities.items() if about.sharing != "hint"]
    if not identities or work.erase is Erase.RETAIN or not all(collection.rewritten(name) for name in identities):
        return lambda _: False
    return lambda row: all(clean(write, row.get(write.field)) for write in work.writes)
