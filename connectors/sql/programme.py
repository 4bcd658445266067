"""The statements for one way of working on a system.

The one rule: a statement is made once, on first use, and kept as long as the map's works and the database's tables stay
as they are; only dates and people differ from call to call, and they are not in it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from connectors.errors import NeedsHuman
from connectors.protocol import Call
from connectors.sql import erasure, mentions, rectification, slices
from connectors.sql.catalogue import Catalogue
from connectors.sql.dialects import DIALECTS
from connectors.sql.erasure import Batch
from connectors.sql.export import Exporting, Lines
from connectors.sql.look import Sight, look, sight_of
from connectors.sql.restriction import Statements
from connectors.sql.scope import Scope
from connectors.sql.session import Session
from connectors.sql.slices import Slice
from connectors.sql.statement import Statement, compiled, copying
from connectors.sql.steps import Steps
from connectors.sql.taken import Carried
from connectors.sql.values import document
from rights.codes import Code
from rights.datamap import Erase, System
from rights.plan import Work

Shape = tuple[Any, ...]

LISTED: Final = 500_000
"""Keys that are listed at a time: some megabytes, as the texts that they come in."""
MOST_KEPT: Final = 16
"""Programmes kept per system. Each way of working on a map has one, and there are only a few."""


class Programme:
    """All statements made from the same works on the same tables."""

    def __init__(
        self, system: System, works: Mapping[str, Work], catalogue: Catalogue, batch_rows: int, *, restricts: bool
    ) -> None:
        self.scope, self._batch_rows = Scope(system, works, catalogue, restricts), batch_rows
        self._some: dict[tuple[Batch, int], Statement] = {}
        self._of_list: dict[Batch, Statement] = {}
        self._keys: dict[Batch, Statement] = {}
        self._hanging: dict[Slice, Statement] = {}
        self._slices: dict[Slice, Statement] = {}
        self._together: dict[tuple[Batch, ...], Statement] = {}
        self._mentions: dict[str, Statement] = {}
        self._copies: dict[tuple[str, bool], Statement] = {}

    def document(self, call: Call) -> str:
        """All values of a call, as the statements read them."""
        return written(document(call, self.scope))

    def see(self, session: Session, *, lock: bool = False) -> Sight:
        """Look; and, if so wished, hold what others hang on, so that nobody can add a child to it."""
        return sight_of(self.scope, session.row(self.locking_look if lock else self.look))

    def carry_out(self, session: Session, batches: Sequence[Batch], rows: int | None) -> Carried:
        """Change all that several kinds of change would, or at most `rows` rows of one."""
        row = session.row(self.together(tuple(batches)) if rows is None else self.some(batches[0], rows))
        return _carried(batches, row)

    def carry_out_list(self, session: Session, batch: Batch) -> Carried:
        """Change the rows of one kind of change whose keys the document lists."""
        return _carried([batch], session.row(self.of_list(batch)))

    def hanging(self, session: Session, slice_: Slice, most: int) -> list[int]:
        """How many rows hang on the keys in the document, for each collection of a slice, to one more than `most`."""
        if not slice_.below:
            return []
        if slice_ not in self._hanging:
            self._hanging[slice_] = compiled(slices.hanging(self.scope, slice_, most))
        return list(session.row(self._hanging[slice_]))

    def carry_out_slice(self, session: Session, slice_: Slice) -> Carried:
        """Delete the rows whose keys are in the document, with all that hangs on them."""
        if slice_ not in self._slices:
            self._slices[slice_] = compiled(slices.change(self.scope, slice_))
        return _carried(slice_.batches, session.row(self._slices[slice_]))

    @cached_property
    def slices(self) -> list[Slice]:
        return slices.slices(self.scope)

    def listed(self, batch: Batch) -> bool:
        """Whether a kind of change may go by lists of keys."""
        return erasure.listed(self.scope, batch)

    def keys(self, session: Session, batch: Batch, rows: int) -> list[str]:
        """The keys of rows that one kind of change would change, in lists of `rows`, each a JSON text of `Listed`."""
        if batch not in self._keys:
            self._keys[batch] = compiled(erasure.keys(self.scope, batch, max(LISTED, rows), rows))
        return [found for (found,) in session.rows(self._keys[batch])]

    def lines(self, session: Session) -> Lines:
        """The lines of all files of an export, but for those of collections that are to be copied."""
        return session.stream(self.export)

    def mentions(self, session: Session, name: str) -> list[tuple[Any, ...]]:
        """The rows of a collection in which a text mentions the person: see `mentions.question`."""
        if name not in self._mentions:
            self._mentions[name] = compiled(mentions.question(self.scope, name))
        return session.ask(self._mentions[name].text.decode())

    def copied(self, session: Session, name: str, table: bool) -> Iterator[bytes]:
        """The pages of one file that is copied."""
        if (name, table) not in self._copies:
            select, quotes = self.exporting.copied(name, table=table)
            self._copies[name, table] = copying(select, quotes, table=table)
        statement = self._copies[name, table]
        if table:
            return session.copy(statement, b"\r\n")
        return map(_once, session.copy(statement, b"\n"))

    @cached_property
    def look(self) -> Statement:
        return compiled(look(self.scope))

    @cached_property
    def locking_look(self) -> Statement:
        """A look after which nobody can add a child to what was found, until the transaction ends."""
        return compiled(look(self.scope, erasure.pointed_to(self.scope)))

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(batch for part in self.parts for batch in part)

    @cached_property
    def parts(self) -> tuple[tuple[Batch, ...], ...]:
        return tuple(erasure.parts(self.scope))

    @cached_property
    def change(self) -> Statement:
        return self.together(self.batches)

    def together(self, part: tuple[Batch, ...]) -> Statement:
        """Several changes in one statement."""
        if part not in self._together:
            self._together[part] = compiled(erasure.change(self.scope, part))
        return self._together[part]

    def some(self, batch: Batch, rows: int) -> Statement:
        """One batch of one kind of change."""
        if (batch, rows) not in self._some:
            self._some[batch, rows] = compiled(erasure.some(self.scope, batch, rows))
        return self._some[batch, rows]

    def of_list(self, batch: Batch) -> Statement:
        """One batch, of keys that are listed."""
        if batch not in self._of_list:
            self._of_list[batch] = compiled(erasure.of_list(self.scope, batch))
        return self._of_list[batch]

    @cached_property
    def restriction(self) -> Statements:
        return Statements(self.scope)

    @cached_property
    def rectification(self) -> rectification.Statements:
        return rectification.Statements(self.scope, self._batch_rows)

    def settle(self, session: Session, name: str) -> None:
        """Nothing to do: whoever locks here looks in the same statement."""

    @cached_property
    def exporting(self) -> Exporting:
        return Exporting(self.scope)

    @cached_property
    def export(self) -> Statement:
        return compiled(self.exporting.statement())


class Programmes:
    """The programmes of one system."""

    def __init__(self, system: System, batch_rows: int, *, restricts: bool = False) -> None:
        self._system, self._batch_rows, self.restricts = system, batch_rows, restricts
        self._kept: dict[Shape, Programme | Steps] = {}

    def of(self, call: Call, catalogue: Catalogue) -> Programme | Steps:
        """The programme for a call's works.

        Raises:
            NeedsHuman: MAP_CHANGED: the works are of another map; SCHEMA: a strategy does not fit a column.
        """
        system = self._system
        ours, theirs = system.collections, call.system.collections
        if theirs is not ours and theirs != ours:
            raise NeedsHuman(Code.MAP_CHANGED, system.system)
        works = {work.collection: work for work in call.work}
        if works.keys() != ours.keys():
            raise NeedsHuman(Code.MAP_CHANGED, system.system)
        shape = tuple(_shape(work) for work in call.work)
        programme = self._kept.get(shape)
        if programme is None or programme.scope.catalogue is not catalogue:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            programme = self._kept[shape] = self._made(works, catalogue)
        return programme

    def _made(self, works: Mapping[str, Work], catalogue: Catalogue) -> Programme | Steps:
        retained = {"writes": (), "keeps": ()}
        # What is retained as it is has nothing written and no term.
        works = {n: w.model_copy(update=retained) if w.erase is Erase.RETAIN else w for n, w in works.items()}
        if DIALECTS[catalogue.engine].stepwise:
            return Steps(self._system, works, catalogue, self._batch_rows)
        return Programme(self._system, works, catalogue, self._batch_rows, restricts=self.restricts)


def written(values: Mapping[str, object]) -> str:
    """A document as the server gets it."""
    return json.dumps(values, ensure_ascii=False)


def _carried(batches: Sequence[Batch], row: Sequence[Any]) -> Carried:
    """Read the row that changes give: three columns for each."""
    parts = [(batch, row[3 * number : 3 * number + 3]) for number, batch in enumerate(batches)]
    told: dict[str, dict[str, list[Any]]] = {}
    for batch, (_, _, said) in parts:
        for label, values in (said or {}).items():
            told.setdefault(batch.collection, {}).setdefault(label, []).extend(values or ())
    return Carried([(batch, (rows, kept)) for batch, (rows, kept, _) in parts], told)


def _once(page: bytes) -> bytes:
    """What COPY gives in its text format: each backslash stands there twice. Most pages have none."""
    return page.replace(b"\\\\", b"\\") if b"\\" in page else page


def _shape(work: Work) -> Shape:
    """A work without what differs from day to day."""
    keeps = tuple(
        (k.ground, k.column, k.begins, k.last is None, k.months, k.days, k.end_of_year, k.writes) for k in work.keeps
    )
    return (work.collection, work.export, work.erase, work.ground, work.writes, keeps, work.locks)
