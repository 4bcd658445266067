"""A database as a connector: locate, export, erase, verify; restrict and lift where the map asks for them.

The one rule: the database does the work. This module opens a transaction, hands over a statement that was made from the
data map, and passes on counts; it decides nothing about rows.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, LiteralString, TypeVar

from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from connectors.finding import Finding, Severity
from connectors.protocol import Call, Export, Look, Restricted
from connectors.sql import erasure, replication, restriction
from connectors.sql.attempt import attempt
from connectors.sql.catalogue import Catalogue
from connectors.sql.drift import drift
from connectors.sql.erasure import Batch
from connectors.sql.export import Reader, files
from connectors.sql.hazards import hazards
from connectors.sql.limits import Limits
from connectors.sql.look import Sight
from connectors.sql.programme import Programme, Programmes
from connectors.sql.server import Database, Mode, Session, Trouble
from connectors.sql.session import Database as PostgreSQL
from connectors.sql.steps import Steps
from connectors.trial import Trial
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Tally

T = TypeVar("T")
Changes = list[tuple[Batch, tuple[int, int]]]
Begin = Callable[[], AbstractContextManager[Any]]


class SqlConnector:
    """One database. `reader` serves looks and exports, `writer` erasures and the look that proves them. Has `restrict`
    and `lift` only where rows can be denied to the application."""

    def __init__(
        self, system: System, reader: Database, writer: Database | None, limits: Limits, *, restricts: bool = False
    ) -> None:
        self.system, self.reader, self.writer, self.limits = system, reader, writer, limits
        self._programmes = Programmes(system, limits.batch_rows, restricts=restricts)
        if restricts:
            self.restrict, self.lift = self._restrict, self._lift
        self._catalogue: Catalogue | None = None
        self._reading = threading.Lock()

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence a call can still take effect; the server sees to it."""
        return self.limits.longest

    @property
    def ends_cut_calls(self) -> bool:
        """The session of a cut attempt is known by its application_name, and ended before anything is looked at."""
        return True

    @property
    def derives(self) -> bool:
        """What is derived is read, and circles are followed."""
        return True

    def locate(self, call: Call) -> Look:
        """Count this person's rows, and find the anchors. Changes nothing."""
        self._await_copy()
        return self._explained(self.reader, lambda: self._look(self.reader, call, verifying=False))

    def verify(self, call: Call) -> Look:
        """Look again, where the erasure was made: a copy might not have heard of it, or might have lost less."""
        database = self.writer or self.reader
        return self._explained(database, lambda: self._look(database, call, verifying=True))

    def export(self, call: Call) -> Iterator[Export]:
        """Stream two files per collection, JSON lines and a table, all of one moment."""
        self._await_copy()
        return self._streamed(self.reader, self._files(call))

    def erase(self, call: Call) -> Tally:
        """Delete and rewrite: up to `batch_rows` rows in one transaction, more in several, children before parents.

        The tally's `found` and `kept` are the look before the first fence.
        """
        writer = self.writer
        if writer is None:
            raise NeedsHuman(Code.NO_WRITER, self.system.system)
        return self._explained(writer, lambda: self._erase(writer, call))

    def attempt(self, call: Call) -> Trial:
        """Carry the erasure out and take it back; nothing stays, and no fence is entered.

        Raises:
            ConnectorError: the database cannot even be looked at.
        """
        writer = self.writer
        if writer is None:
            raise NeedsHuman(Code.NO_WRITER, self.system.system)
        programme = self._explained(writer, lambda: self._programme(writer, call))
        if not isinstance(writer, PostgreSQL) or isinstance(programme, Steps):
            tally = self._explained(writer, lambda: self._look(writer, call, verifying=False)).tally
            return Trial(tally, not_tried="an erasure is tried on PostgreSQL alone so far")
        try:
            return self._explained(writer, lambda: attempt(writer, call, programme))
        except ConnectorError as error:
            refusal, about = error.code, error.about
        tally = self._explained(writer, lambda: self._look(writer, call, verifying=False)).tally
        return Trial(tally, refusal=refusal, refused_at=about)

    def check(self) -> list[Finding]:
        """What does not fit between the map, the database and the roles, each as a sentence that says what to do.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        found = self._explained(self.reader, lambda: list(self.reader.findings(self.system, self.writer)))
        writer = self.writer
        if isinstance(writer, PostgreSQL) and self._programmes.restricts:
            found += self._explained(writer, lambda: restriction.findings(self.system, writer))
        return found

    def survey(self) -> list[Finding]:
        """What stands in the database beside the map: drift, personal data that no path reaches, triggers.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        reader = self.reader
        if not isinstance(reader, PostgreSQL):
            said = "tables and triggers beside the map are looked for on PostgreSQL alone so far: compare them by hand"
            return [Finding("not_surveyed", said, Severity.NOTE)]
        return self._explained(reader, lambda: [*hazards(self.system, reader), *drift(self.system, reader)])

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for database in filter(None, (self.reader, self.writer)):
            database.close()

    def _await_copy(self) -> None:
        """Let a reader that is a copy come as far as the primary was when the step began: one that lags behind would
        say that nothing is held of somebody whose rows it has not heard of yet.

        Raises:
            Retryable: it lags too far behind to be waited for here.
        """
        writer, reader = self.writer, self.reader
        if not (isinstance(writer, PostgreSQL) and isinstance(reader, PostgreSQL)) or writer.server == reader.server:
            return
        there = self._explained(writer, lambda: _ask(writer, replication.POSITION))
        until = time.monotonic() + replication.PATIENCE
        while there and not self._explained(reader, lambda: _ask(reader, replication.REACHED, there)):
            if time.monotonic() > until:
                raise Retryable(Code.BUSY, self.system.system)
            time.sleep(replication.POLL)

    def _look(self, database: Database, call: Call, *, verifying: bool) -> Look:
        call.beat()
        programme = self._programme(database, call)
        with database.transaction(Mode.LOOK, call.session, programme.document(call)) as session:
            sight = programme.see(session)
            session.commit()
        return sight.look(call, sight.tally(call.work, verifying=verifying))

    def _files(self, call: Call) -> Iterator[Export]:
        call.beat()
        programme = self._programme(self.reader, call)
        with self.reader.transaction(Mode.EXPORT, call.session, programme.document(call)) as session:
            reader = Reader(self._streamed(self.reader, programme.lines(session)))
            if reader.doubtful:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, reader.doubtful)
            for file in files(programme.exporting, reader):
                yield replace(file, pages=_beating(call, file.pages))
            session.commit()

    def _erase(self, writer: Database, call: Call) -> Tally:
        call.beat()
        if erasure.keyed(call.work) and not call.pseudonym_key:
            raise ValueError("a pseudonym needs a key")
        programme = self._programme(writer, call)
        for name in erasure.lockable(programme.scope):
            if not programme.scope.catalogue.tables[name].undoes:
                raise NeedsHuman(Code.SCHEMA, f"{name} (an engine without transactions)")
        begin = partial(writer.transaction, Mode.CHANGE, call.session, programme.document(call))
        done: Changes = []
        with begin() as session:
            _admitted(session, call, end=call.cut_short)
            sight = programme.see(session, lock=True)
            if sight.doubtful:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
            call.learn(sight.links(call))
            before, planned = sight.tally(call.work), sight.planned
            whole = sum(planned.values()) <= self.limits.batch_rows
            if planned and whole:
                change = partial(programme.carry_out, session, programme.batches, None)
                done = self._pass(call, session, change, planned, before, partial(erasure.tally, call.work))
            else:
                session.commit()
        if planned and not whole:
            self._in_batches(writer, begin, call, programme, sight, before, done)
        return erasure.tally(call.work, done, before)

    def _restrict(self, call: Call) -> Restricted:
        """List the person's rows, so that the policies of their tables deny them to everybody but the engine."""
        return self._listing(call, self._list)

    def _lift(self, call: Call) -> Tally:
        """Take what this request has listed off the list; what another has, stays on it."""
        return self._listing(call, self._unlist)

    def _listing(self, call: Call, act: Callable[[Call, Session, Programme], T]) -> T:
        """Do something about the list in one transaction."""
        writer = self.writer
        if writer is None:
            raise NeedsHuman(Code.NO_WRITER, self.system.system)

        def acted() -> T:
            call.beat()
            programme = self._programme(writer, call)
            if isinstance(programme, Steps):
                raise Unsupported(Code.UNSUPPORTED, self.system.system)
            asked = restriction.asked(call, programme.scope)
            with writer.transaction(Mode.CHANGE, call.session, asked) as session:
                _admitted(session, call, end=call.cut_short)
                return act(call, session, programme)

        return self._explained(writer, acted)

    def _list(self, call: Call, session: Any, programme: Programme) -> Restricted:
        sight = programme.see(session, lock=True)
        if sight.doubtful:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
        # Only now: nobody can drop a policy of a table that this transaction has looked at.
        restriction.require(session.connection, self.system, programme.scope.catalogue)
        tally = restriction.tally(self.system, {name: seen["found"] for name, seen in sight.seen.items()})
        due = dict(zip(self.system.collections, session.row(programme.restriction.due), strict=True))
        if any(due.values()):
            self._pass(call, session, partial(session.row, programme.restriction.enter), due, tally, lambda _: tally)
        else:
            session.commit()
        return Restricted(tally, restriction.state_of(call))

    def _unlist(self, call: Call, session: Any, programme: Programme) -> Tally:
        (entries,) = session.row(programme.restriction.entered)
        due = restriction.by_collection(programme.scope, entries)
        tally = restriction.tally(self.system, due)
        if entries:
            self._pass(call, session, partial(session.row, programme.restriction.take_out), due, tally, lambda _: tally)
        else:
            session.commit()
        return tally

    def _in_batches(
        self,
        writer: Database,
        begin: Begin,
        call: Call,
        programme: Programme | Steps,
        sight: Sight,
        before: Tally,
        done: Changes,
    ) -> None:
        """Change what a look has seen, one transaction after the other; what comes in meanwhile is found by verify."""

        def carry_out(part: tuple[Batch, ...], planned: dict[str, int], rows: int | None) -> Changes:
            with begin() as session:
                _admitted(session, call)
                change = partial(programme.carry_out, session, part, rows)
                return self._pass(call, session, change, planned, before, partial(erasure.tally, call.work))

        most = self.limits.batch_rows
        try:
            for part in programme.parts:
                call.beat()
                if part[0].collection in programme.scope.circles:
                    planned = sight.planned_of(part)
                    if planned:
                        done += self._explained(writer, partial(carry_out, part, planned, None))
                    continue
                (batch,) = part
                left = sight.due(batch)
                while left > 0:
                    call.beat()
                    planned = {batch.collection: min(left, most)}
                    changes = self._explained(writer, partial(carry_out, part, planned, most))
                    done += changes
                    ((_, (rows, _)),) = changes
                    left = left - rows if rows else 0
        except ConnectorError as error:
            error.tally = erasure.tally(call.work, done, before)
            raise

    def _pass(
        self,
        call: Call,
        session: Session,
        change: Callable[[], T],
        planned: dict[str, int],
        before: Tally,
        tell: Callable[[T], Tally],
    ) -> T:
        """Change rows inside the fence, and commit; `tell` says what a change has done."""
        database = session.database
        with call.fence(planned, before) as intent:
            try:
                changes = change()
                session.commit()
            except database.errors as error:
                trouble = error
            else:
                intent.done(tell(changes))
                return changes
            if session.undone:
                intent.done(Tally())
            raise self._problem(database, trouble)

    def _programme(self, database: Database, call: Call) -> Programme | Steps:
        catalogue = self._catalogue
        if catalogue is None:
            with self._reading:
                catalogue = self._catalogue or self._read(database)
        return self._programmes.of(call, catalogue)

    def _read(self, database: Database) -> Catalogue:
        catalogue = database.catalogue(self.system)
        catalogue.require(self.system)
        self._catalogue = catalogue
        return catalogue

    def _explained(self, database: Database, act: Callable[[], T]) -> T:
        """Do something, and say what goes wrong in the contract's words. Raised outside of the handler, so that the
        driver's own error, which may quote a value, does not hang on as its context."""
        try:
            return act()
        except database.errors as error:
            trouble = error
        raise self._problem(database, trouble)

    def _streamed(self, database: Database, items: Iterator[T]) -> Iterator[T]:
        try:
            yield from items
        except database.errors as error:
            trouble = error
        else:
            return
        raise self._problem(database, trouble)

    def _problem(self, database: Database, error: Exception) -> ConnectorError:
        problem = database.explain(error, self.system.system, self._covers)
        try:
            trouble = database.trouble(error)
            if trouble is Trouble.RIGHTS:
                return database.refused(self.system) or problem
            if trouble is Trouble.SCHEMA:
                return self._changed(database) or problem
        except ConnectorError as found:
            return found
        except database.errors:
            pass  # it cannot be asked any more: what is known has to do
        return problem

    def _changed(self, database: Database) -> ConnectorError | None:
        """A table that has changed since it was looked up is looked up again, for the next attempt."""
        with self._reading:
            old, self._catalogue = self._catalogue, None
            new = self._read(database)
        return Retryable(Code.BUSY, self.system.system) if new != old else None

    def _covers(self, schema: str, table: str, constraint: str) -> bool:
        catalogue = self._catalogue
        return catalogue is not None and catalogue.covers(self.system, schema, table, constraint)


def _ask(database: PostgreSQL, question: LiteralString, *values: object) -> Any:
    """The one value that a server answers about itself."""
    with database.plain() as connection:
        (value,) = connection.execute(question, values).fetchone()
    return value


def _admitted(session: Session, call: Call, *, end: bool = False) -> None:
    """Refuse a database that is not marked with the worker's environment, or in which another attempt is at work."""
    if not call.environment or session.environment != call.environment:
        raise NeedsHuman(Code.ENVIRONMENT, call.system.system)
    if not session.alone(call.session, end=end):
        raise Retryable(Code.BUSY, call.system.system)


def _beating(call: Call, pages: Iterator[bytes]) -> Iterator[bytes]:
    for page in pages:
        call.beat()
        yield page
