"""Restricting and lifting by a flag: set, looked at as the application, and taken back where it does not deny.

The one rule: a flag that somebody can look past is no restriction. Whether the application gets at a row is seen by
asking as the application, once the flags stand; where it does, they go again, and it is a task.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.finding import Finding
from connectors.protocol import Call, Key, Restricted
from connectors.sql import flags
from connectors.sql.application import Reaches
from connectors.sql.batching import Changes
from connectors.sql.changing import Changing
from connectors.sql.erasure import Batch
from connectors.sql.flags import Flag, Flagged
from connectors.sql.flagwork import Rows, Work, asking, working
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.server import admitted
from rights.codes import Code
from rights.receipt import Count, Tally

CHUNK: Final = 2_000
"""Keys that are asked about at once."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows that a restriction is about."""

    scope: Scope
    tables: Mapping[str, Flagged]
    keys: Mapping[str, Sequence[Key]]

    @property
    def parts(self) -> Iterator[tuple[Flagged, Sequence[Key]]]:
        for name, keys in self.keys.items():
            for at in range(0, len(keys), CHUNK):
                yield self.tables[name], keys[at : at + CHUNK]

    @property
    def tally(self) -> Tally:
        names = self.scope.system.collections
        return Tally(counts=tuple(Count(collection=name, found=len(self.keys.get(name, ()))) for name in names))


class Flagging:
    """The flags of one database."""

    def __init__(self, changing: Changing, wanted: Mapping[str, Flag], application: Reaches) -> None:
        self._changing, self._asking, self._writer = changing, changing.asking, changing.writer
        self._flags, self._application = wanted, application

    def restrict(self, call: Call) -> Restricted:
        """Flag the person's rows, and see that the application does not get at them any more.

        Raises:
            NeedsHuman: NOT_DENIED: it does, at the collection named. No flag of this request is left then.
        """
        found = self._asking.explained(self._writer, partial(self._set, call))
        try:
            for of, keys in found.parts:
                call.beat()
                reaches = partial(self._application.reaches, found.scope, of, keys)
                if self._asking.explained(self._application.database, reaches):
                    raise NeedsHuman(Code.NOT_DENIED, of.collection)
        except Retryable:
            raise  # it cannot be asked now: the flags stand, and the step comes again
        except ConnectorError:
            self.lift(call)
            raise
        return Restricted(found.tally, flags.state_of(call))

    def lift(self, call: Call) -> Tally:
        """Take this request's name out of all flags, wherever it stands."""
        return self._asking.explained(self._writer, partial(self._unset, call)).tally

    def findings(self) -> list[Finding]:
        """Columns that cannot be flags.

        Raises:
            ConnectorError: the database cannot be asked.
        """

        def looked() -> list[Finding]:
            catalogue = self._writer.catalogue(self._asking.system)
            with asking(self._writer) as raw:
                return [Finding("no_flag", said) for _, said in flags.gaps(raw, catalogue, self._flags)]

        return self._asking.explained(self._writer, looked)

    def _set(self, call: Call) -> _Found:
        def located(work: Work, of: Flagged) -> list[Key]:
            return work.located(of.collection)

        return self._changed(call, located, flags.with_mark, restricting=True)

    def _unset(self, call: Call) -> _Found:
        return self._changed(call, Work.bearing, flags.without_mark, restricting=False)

    def _changed(
        self,
        call: Call,
        find: Callable[[Work, Flagged], list[Key]],
        becomes: Callable[[Scope, Flagged], Sql],
        *,
        restricting: bool,
    ) -> _Found:
        """Find rows, and change the flags of those that do not have them as wanted yet, in one transaction."""
        call.beat()
        programme = self._asking.programme(self._writer, call)
        scope = programme.scope
        for name, table in scope.catalogue.tables.items():
            if not table.undoes:
                raise NeedsHuman(Code.SCHEMA, f"{name} (an engine without transactions)")
        with working(self._writer, call, programme) as work:
            admitted(work.session, call, end=call.cut_short)
            if restricting:
                sight = programme.see(work.session, lock=True)
                if sight.doubtful:
                    raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
            for place, _ in flags.gaps(work.raw, scope.catalogue, self._flags):
                raise NeedsHuman(Code.NOT_DENIED, place)
            wanted = {name: flag for name, flag in self._flags.items() if not restricting or scope.works[name].locks}
            tables = {name: flags.flagged(work.raw, scope, name, flag) for name, flag in wanted.items()}
            found = _Found(scope, tables, {name: find(work, of) for name, of in tables.items()})
            due = _Due(work, [(of, work.rows(of, keys)) for of, keys in found.parts], restricting)
            if due.planned:
                change = partial(self._changing.watched, work.session, scope, partial(due.change, becomes))
                self._changing.passed(call, work.session, change, due.planned, found.tally, lambda _: found.tally)
            else:
                work.session.commit()
        return found


class _Due:
    """Rows whose flag is not as wanted yet, and what else they hold."""

    def __init__(self, work: Work, seen: Sequence[tuple[Flagged, Rows]], restricting: bool) -> None:
        self._work = work
        self._parts = [
            (of, {key: held for key, (bears, held) in rows.items() if bears != restricting}) for of, rows in seen
        ]

    @property
    def planned(self) -> dict[str, int]:
        numbers: Counter[str] = Counter()
        for of, rows in self._parts:
            numbers[of.collection] += len(rows)
        return {name: number for name, number in numbers.items() if number}

    def change(self, becomes: Callable[[Scope, Flagged], Sql]) -> Changes:
        """Change the flags, and nothing else.

        Raises:
            NeedsHuman: SCHEMA: something else has changed with them, by a trigger, say.
        """
        self._work.hurry()
        for of, rows in self._parts:
            self._work.change(of, list(rows), becomes(self._work.scope, of))
            if {key: held for key, (_, held) in self._work.rows(of, list(rows)).items()} != rows:
                raise NeedsHuman(Code.SCHEMA, f"{of.collection} (more changes with the flag)")
        return [(Batch(of.collection, deleting=False), (len(rows), 0)) for of, rows in self._parts]
