"""Rectifying the person's rows: what they say is read and kept, written over by key, and looked at again.

The one rule: a row is written to in the transaction that has locked and read it, after what stood there was kept; and a
transaction whose rows do not say what they are to say, or are not found any more, does not commit.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from connectors.corrections import foreseen, identifies, names, require, told
from connectors.errors import ConnectorError, NeedsHuman
from connectors.protocol import Call, Correction, Key, OldValues
from connectors.sql import rectification
from connectors.sql.batching import Changes
from connectors.sql.changing import Changing
from connectors.sql.erasure import Batch
from connectors.sql.errors import Renumbered
from connectors.sql.look import Sight
from connectors.sql.programme import Programme
from connectors.sql.rectification import about
from connectors.sql.server import Database, Mode, Trouble, admitted
from connectors.sql.stepping import BATCH
from connectors.sql.steps import Steps
from connectors.sql.values import corrected
from rights.codes import Code
from rights.receipt import Count, Tally

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picked:
    """Rows to be written to by one correction, locked, with what stands in them."""

    correction: Correction
    old: dict[Key, dict[str, str | None]] = field(repr=False)


class Rectifying:
    """Corrections in one database."""

    def __init__(self, changing: Changing) -> None:
        self._changing, self._asking, self._writer = changing, changing.asking, changing.writer

    def rectify(self, call: Call) -> Tally:
        """Carry the corrections of a call out.

        Raises:
            NeedsHuman: as `Rectifies` says.
        """
        call.beat()
        require(call.system, call.corrections)
        known = foreseen(call)
        programme = self._asking.explained(self._writer, partial(self._asking.programme, self._writer, known))
        rectification.require(programme.scope, call.corrections)
        return _Rectification(self._changing, programme, call, known).carried_out()


class _Rectification:
    """One call's corrections, on their way."""

    def __init__(self, changing: Changing, programme: Programme | Steps, call: Call, known: Call) -> None:
        self._changing, self._writer = changing, changing.writer
        self._programme, self._statements = programme, programme.rectification
        self._call, self._known = call, known
        self._most = self._writer.limits.batch_rows
        # Of all transactions together: where a look goes step by step, the next ones need what it has seen.
        self._document = programme.document(known)
        self._done: Counter[str] = Counter()
        self._found: dict[str, int] = {}
        self._at: Correction | None = None
        """The correction whose statement runs."""

    def carried_out(self) -> Tally:
        try:
            left = self._explained(self._first)
            while left > 0:
                self._call.beat()
                written = self._explained(self._next)
                left = left - written if written else 0
            if self._done:
                self._explained(self._last_look)
        except ConnectorError as error:
            error.tally = self._tally()
            raise
        return self._tally()

    def _first(self) -> int:
        """Look, tell what the rows say, and write to as many as one transaction may; how many are left."""
        with self._begin(Mode.CHANGE) as session:
            admitted(session, self._call, end=self._call.cut_short)
            sight = self._see(session)
            due = self._survey(session)
            if not due:
                session.commit()
                return 0
            self._call.learn((*sight.links(self._known), *told(self._call)))
            return due - self._written(session)

    def _next(self) -> int:
        with self._begin(Mode.CHANGE) as session:
            admitted(session, self._call)
            return self._written(session)

    def _last_look(self) -> None:
        """Whatever a trigger at the commit, or somebody else, has made of the rows meanwhile."""
        with self._begin(Mode.LOOK) as session:
            self._see(session)
            due = self._survey(session, again=True)
            session.commit()
        if due and self._at:
            raise NeedsHuman(Code.CHANGED_BACK, about(self._at))

    def _written(self, session: Any) -> int:
        """Write to as many rows as one transaction may, and commit; how many."""
        picked = self._pick(session)
        rows = sum(len(some.old) for some in picked)
        if not picked:
            session.commit()
            return 0
        self._call.keep(_old_values(picked))
        planned = {name: len(keys) for name, keys in _keys(picked).items()}
        before = self._tally()
        act = partial(self._change, session, picked)
        change = partial(self._changing.watched, session, self._programme.scope, act)
        self._changing.passed(
            self._call, session, change, planned, before, lambda _: self._counted(planned), self._problem
        )
        self._done.update(planned)
        return rows

    def _pick(self, session: Any) -> list[Picked]:
        """Lock rows that do not say yet what they are to say, and read what they do."""
        picked: list[Picked] = []
        left = self._most
        for correction in self._call.corrections:
            name = correction.collection
            self._turn_to(session, correction)
            if left:
                self._programme.settle(session, name)
            size = len(self._programme.scope.system.collections[name].key)
            old: dict[Key, dict[str, str | None]] = {}
            for statement in self._statements.pick(correction) if left else ():
                for row in islice(session.rows(statement), left - len(old)):
                    said = zip(correction.values.items(), row[size:], strict=True)
                    old[row[:size]] = {one: before for (one, new), before in said if before != new}
            if any(part is None for key in old for part in key):
                raise NeedsHuman(Code.SCHEMA, name)  # a key that is nothing finds no row
            left -= len(old)
            if old:
                picked.append(Picked(correction, old))
        self._at = None
        return picked

    def _change(self, session: Any, picked: Sequence[Picked]) -> Changes:
        """Write, and look before it is too late to take it back."""
        session.hurry()
        changes: Changes = []
        for some in picked:
            self._turn_to(session, some.correction)
            session.give(BATCH, list(some.old))
            written = session.execute(self._statements.write(some.correction))
            changes.append((Batch(some.correction.collection, deleting=False), (written, 0)))
            ((there, due),) = session.rows(self._statements.check(some.correction))
            if due or there != len(some.old):
                raise NeedsHuman(Code.VALUE, about(some.correction, "the table makes something else of it"))
        for some in picked:
            if identifies(self._call.system, some.correction):
                self._refuse_loss(session, some)
        self._at = None
        return changes

    def _refuse_loss(self, session: Any, some: Picked) -> None:
        """Refuse to change by what rows are found so that nobody would find them any more."""
        self._see(session)
        session.give(BATCH, list(some.old))
        ((found,),) = session.rows(self._statements.again(some.correction))
        if found != len(some.old):
            raise NeedsHuman(Code.NOT_RECTIFIABLE, about(some.correction, "nobody would be found"))

    def _turn_to(self, session: Any, correction: Correction) -> None:
        """Have the statements that follow read the values of a correction."""
        self._at = correction
        for name, value in corrected(correction, self._programme.scope):
            session.give(name, value)

    def _see(self, session: Any) -> Sight:
        sight = self._programme.see(session)
        if sight.doubtful:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
        return sight

    def _survey(self, session: Any, *, again: bool = False) -> int:
        """How many rows do not say yet what they are to say, over all corrections.

        Raises:
            NeedsHuman: NO_ROW: a row that is named is not the person's.
        """
        left, at = 0, None
        named: dict[str, set[Key]] = defaultdict(set)
        for correction in self._call.corrections:
            name = correction.collection
            self._turn_to(session, correction)
            ((found, due),) = session.rows(self._statements.survey(correction))
            left, at = left + int(due), correction if due else at
            if again:
                continue
            if correction.key is not None:
                if not found:
                    raise NeedsHuman(Code.NO_ROW, name)
                named[name].add(correction.key)
            # Rows that several corrections are about count once.
            every = int(found) if correction.key is None else len(named[name])
            self._found[name] = max(self._found.get(name, 0), every)
        self._at = at
        return left

    def _begin(self, mode: Mode) -> Any:
        return self._writer.transaction(mode, self._call.session, self._document)

    def _explained(self, act: Callable[[], T]) -> T:
        """Do something, and say what goes wrong in the contract's words; raised outside of the handler, as ever."""
        try:
            return act()
        except Renumbered:
            self._changing.asking.forget()
            raise
        except self._writer.errors as error:
            trouble = error
        raise self._problem(self._writer, trouble)

    def _problem(self, database: Database, error: Exception) -> ConnectorError:
        """What a driver's error means, where it is about a value, or a right, of the correction that was under way."""
        kind = database.trouble(error)
        if self._at is not None and kind is Trouble.RIGHTS:
            return NeedsHuman(Code.RIGHTS, self._at.collection)
        if kind is Trouble.VALUE:
            said = self._changing.asking.problem(database, error).about
            if self._at is None:
                return NeedsHuman(Code.VALUE, said)
            constraint = said if "." in said and not said.endswith(names(self._at)) else ""
            return NeedsHuman(Code.VALUE, about(self._at, constraint))
        return self._changing.asking.problem(database, error)

    def _tally(self) -> Tally:
        return self._counted(self._done, self._found)

    def _counted(self, rectified: dict[str, int], found: dict[str, int] | None = None) -> Tally:
        there = found or {}
        return Tally(
            counts=tuple(
                Count(collection=name, found=there.get(name, 0), rectified=rectified.get(name, 0))
                for name in self._call.system.collections
            )
        )


def _keys(picked: Sequence[Picked]) -> dict[str, set[Key]]:
    keys: dict[str, set[Key]] = defaultdict(set)
    for some in picked:
        keys[some.correction.collection].update(some.old)
    return keys


def _old_values(picked: Sequence[Picked]) -> OldValues:
    old: dict[str, dict[Key, dict[str, str | None]]] = defaultdict(lambda: defaultdict(dict))
    for some in picked:
        for key, values in some.old.items():
            old[some.correction.collection][key].update(values)
    return {name: {key: dict(values) for key, values in rows.items()} for name, rows in old.items()}
