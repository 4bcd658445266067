"""A PostgreSQL database as a connector: locate, export, erase, verify.

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

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.finding import Finding
from connectors.protocol import Call, Export, Look
from connectors.sql import erasure, replication
from connectors.sql.attempt import attempt
from connectors.sql.catalogue import Catalogue, read_catalogue
from connectors.sql.check import findings, refused
from connectors.sql.drift import drift
from connectors.sql.erasure import Batch
from connectors.sql.errors import RIGHTS, explain, schema_changed, sqlstate
from connectors.sql.export import Reader, files
from connectors.sql.hazards import hazards
from connectors.sql.limits import Limits
from connectors.sql.look import Sight, sight_of
from connectors.sql.programme import Programme, Programmes
from connectors.sql.session import Database, Mode, Session
from connectors.sql.statement import Statement
from connectors.trial import Trial
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Tally

T = TypeVar("T")
Changes = list[tuple[Batch, tuple[int, int]]]
Begin = Callable[[], AbstractContextManager[Session]]


class SqlConnector:
    """One database. `reader` serves looks and exports, `writer` erasures and the look that proves them."""

    def __init__(self, system: System, reader: Database, writer: Database | None, limits: Limits) -> None:
        self.system, self.reader, self.writer, self.limits = system, reader, writer, limits
        self._programmes = Programmes(system)
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
        return self._explained(self.reader, lambda: list(findings(self.system, self.reader, self.writer)))

    def survey(self) -> list[Finding]:
        """What stands in the database beside the map: drift, personal data that no path reaches, triggers.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        return self._explained(
            self.reader, lambda: [*hazards(self.system, self.reader), *drift(self.system, self.reader)]
        )

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
        writer = self.writer
        if writer is None or writer.server == self.reader.server:
            return
        there = self._explained(writer, lambda: _ask(writer, replication.POSITION))
        until = time.monotonic() + replication.PATIENCE
        while there and not self._explained(self.reader, lambda: _ask(self.reader, replication.REACHED, there)):
            if time.monotonic() > until:
                raise Retryable(Code.BUSY, self.system.system)
            time.sleep(replication.POLL)

    def _look(self, database: Database, call: Call, *, verifying: bool) -> Look:
        call.beat()
        programme = self._programme(database, call)
        with database.transaction(Mode.LOOK, call.session, programme.document(call)) as session:
            sight = sight_of(programme.scope, session.row(programme.look))
            session.commit()
        return sight.look(call, sight.tally(call.work, verifying=verifying))

    def _files(self, call: Call) -> Iterator[Export]:
        call.beat()
        programme = self._programme(self.reader, call)
        with self.reader.transaction(Mode.EXPORT, call.session, programme.document(call)) as session:
            reader = Reader(self._streamed(self.reader, session.stream(programme.export)))
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
        begin = partial(writer.transaction, Mode.CHANGE, call.session, programme.document(call))
        done: Changes = []
        with begin() as session:
            _marked(session, call)
            if call.cut_short and not session.end_others(call.session):
                raise Retryable(Code.BUSY, self.system.system)
            sight = sight_of(programme.scope, session.row(programme.locking_look))
            if sight.doubtful:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, sight.doubtful)
            call.learn(sight.links(call))
            before, planned = sight.tally(call.work), sight.planned
            whole = sum(planned.values()) <= self.limits.batch_rows
            if planned and whole:
                done = self._pass(call, session, programme.change, programme.batches, planned, before)
            else:
                session.commit()
        if planned and not whole:
            self._in_batches(writer, begin, call, programme, sight, before, done)
        return erasure.tally(call.work, done, before)

    def _in_batches(
        self,
        writer: Database,
        begin: Begin,
        call: Call,
        programme: Programme,
        sight: Sight,
        before: Tally,
        done: Changes,
    ) -> None:
        """Change what a look has seen, one transaction after the other; what comes in meanwhile is found by verify."""

        def carry_out(part: tuple[Batch, ...], planned: dict[str, int], statement: Statement) -> Changes:
            with begin() as session:
                _marked(session, call)
                return self._pass(call, session, statement, part, planned, before)

        most = self.limits.batch_rows
        try:
            for part in programme.parts:
                call.beat()
                if part[0].collection in programme.scope.circles:
                    planned = sight.planned_of(part)
                    if planned:
                        done += self._explained(writer, partial(carry_out, part, planned, programme.together(part)))
                    continue
                (batch,) = part
                left = sight.due(batch)
                while left > 0:
                    call.beat()
                    planned = {batch.collection: min(left, most)}
                    changes = self._explained(writer, partial(carry_out, part, planned, programme.some(batch, most)))
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
        statement: Statement,
        batches: tuple[Batch, ...],
        planned: dict[str, int],
        before: Tally,
    ) -> Changes:
        """Change rows inside the fence, and commit."""
        with call.fence(planned, before) as intent:
            try:
                row = session.row(statement)
                session.commit()
            except (psycopg.Error, SQLAlchemyError) as error:
                trouble = error
            else:
                changes: Changes = [
                    (batch, (row[2 * number], row[2 * number + 1])) for number, batch in enumerate(batches)
                ]
                intent.done(erasure.tally(call.work, changes))
                return changes
            if session.undone:
                intent.done(Tally())
            raise self._problem(session.database, trouble)

    def _programme(self, database: Database, call: Call) -> Programme:
        catalogue = self._catalogue
        if catalogue is None:
            with self._reading:
                catalogue = self._catalogue or self._read(database)
        return self._programmes.of(call, catalogue)

    def _read(self, database: Database) -> Catalogue:
        with database.plain() as connection:
            catalogue = read_catalogue(connection, self.system)
        catalogue.require(self.system)
        self._catalogue = catalogue
        return catalogue

    def _explained(self, database: Database, act: Callable[[], T]) -> T:
        """Do something, and say what goes wrong in the contract's words. Raised outside of the handler, so that the
        driver's own error, which may quote a value, does not hang on as its context."""
        try:
            return act()
        except (psycopg.Error, SQLAlchemyError) as error:
            trouble = error
        raise self._problem(database, trouble)

    def _streamed(self, database: Database, items: Iterator[T]) -> Iterator[T]:
        try:
            yield from items
        except (psycopg.Error, SQLAlchemyError) as error:
            trouble = error
        else:
            return
        raise self._problem(database, trouble)

    def _problem(self, database: Database, error: psycopg.Error | SQLAlchemyError) -> ConnectorError:
        problem = explain(error, self.system.system, self._covers)
        try:
            if sqlstate(error) == RIGHTS:
                return refused(self.system, database) or problem
            if schema_changed(error):
                return self._changed(database) or problem
        except ConnectorError as found:
            return found
        except (psycopg.Error, SQLAlchemyError):
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


def _ask(database: Database, question: LiteralString, *values: object) -> Any:
    """The one value that a server answers about itself."""
    with database.plain() as connection:
        (value,) = connection.execute(question, values).fetchone()
    return value


def _marked(session: Session, call: Call) -> None:
    """Refuse a database that is not marked with the worker's environment."""
    if not call.environment or session.environment != call.environment:
        raise NeedsHuman(Code.ENVIRONMENT, call.system.system)


def _beating(call: Call, pages: Iterator[bytes]) -> Iterator[bytes]:
    for page in pages:
        call.beat()
        yield page
