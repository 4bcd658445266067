"""A database as a connector: locate, export, erase, rectify, verify; restrict and lift where the map asks for them.

The one rule: the database does the work. This module opens a transaction, hands over a statement that was made from the
data map, and passes on counts; it decides nothing about rows.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from connectors.directory import Directory
from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from connectors.finding import Finding
from connectors.optouts import marking, refuse_unmarked
from connectors.protocol import Call, ContactPoint, Export, Look, Pending
from connectors.rolls import Roll, RollPage
from connectors.sql import replication, restriction, searchable, trying
from connectors.sql.application import Reaches
from connectors.sql.asking import Asking
from connectors.sql.attempt import attempt
from connectors.sql.changing import Changing
from connectors.sql.export import Reader, files
from connectors.sql.flagging import Flagging
from connectors.sql.flags import Flag
from connectors.sql.gate import Gate
from connectors.sql.limits import Limits
from connectors.sql.listing import Listing
from connectors.sql.locating import Locating
from connectors.sql.programme import Programmes
from connectors.sql.rectifying import Rectifying
from connectors.sql.residue import Residue
from connectors.sql.roll import read_page
from connectors.sql.searching import Searching
from connectors.sql.server import Database, Mode
from connectors.sql.session import Database as PostgreSQL
from connectors.sql.sqlite.session import Database as SQLite
from connectors.sql.steps import Steps
from connectors.sql.survey import survey
from connectors.trial import Trial
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Tally


class SqlConnector:
    """One database. `reader` serves looks and exports, `writer` erasures and the look that proves them. Has `restrict`
    and `lift` only where rows can be denied to the application, `suppress` where rows have a field for it, and
    `locate_many` where many looks are one statement each."""

    def __init__(
        self,
        system: System,
        reader: Database,
        writer: Database | None,
        limits: Limits,
        *,
        restricts: bool = False,
        residue: bool = False,
        accepted: Collection[str] = (),
        replica: PostgreSQL | None = None,
        flagged: tuple[Mapping[str, Flag], Reaches] | None = None,
    ) -> None:
        self.system, self.reader, self.writer, self.limits = system, reader, writer, limits
        self._restricts = restricts
        self._asking = Asking(system, Programmes(system, limits.batch_rows, restricts=restricts))
        self._searching = Searching(self._asking)
        self._residue = Residue(self._asking, reader) if residue and isinstance(reader, PostgreSQL) else None
        self._changing = Changing(self._asking, writer, limits.batch_rows, accepted) if writer else None
        self._replica: replication.Replica | None = None
        if replica and isinstance(writer, PostgreSQL):
            self._replica = replication.Replica(replica, writer, self._asking)
        if isinstance(reader, PostgreSQL):
            self._locating = Locating(self._asking, reader)
            self.locate_many = self._locate_many
        if restricts and self._changing:
            listing = Listing(self._changing)
            self.restrict, self.lift = listing.restrict, listing.lift
            self.locks_beside = True
        if system.marks_opt_outs:
            self.suppress = self._suppress
        self._flagging = Flagging(self._changing, *flagged) if flagged and self._changing else None
        self._application = flagged[1].database if flagged else None
        self._directory = Directory(system, lambda part: SqlConnector(part, reader, None, limits).export)
        if isinstance(writer, PostgreSQL):
            gate = Gate(system, writer, self._asking)
            self.shut, self.admit = gate.shut, gate.admit
        if self._flagging:
            self.restrict, self.lift = self._flagging.restrict, self._flagging.lift

    @property
    def spares(self) -> bool:
        """Rows that are to be retained are left alone."""
        return True

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence a call can still take effect; the server sees to it."""
        return self.limits.longest

    @property
    def ends_cut_calls(self) -> bool:
        """The session of a cut attempt is known by its application_name, and ended before anything is looked at."""
        return True

    @property
    def searches(self) -> bool:
        """Texts that the map marks are searched."""
        return True

    @property
    def derives(self) -> bool:
        """What is derived is read, and circles are followed."""
        return True

    @property
    def shares(self) -> bool:
        """Rows that are somebody else's too are told from those that are not."""
        return True

    @property
    def flags(self) -> bool:
        """Fields that the map names under `opt_out` are written."""
        return True

    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        """How to reach the person: one statement over the columns that the map marks, and those that lead there."""
        return self._directory.points(call)

    def roll(self, roll: Roll) -> RollPage:
        """A page of all rows of a collection, in the order of its key.

        Raises:
            Unsupported: MariaDB compares numbers with texts inexactly, so rows might be passed over.
        """
        if not isinstance(self.reader, PostgreSQL | SQLite):
            raise Unsupported(Code.UNSUPPORTED, self.system.system)
        try:
            return read_page(self.reader, roll)
        except self.reader.errors as error:
            trouble = self.reader.explain(error, self.system.system, lambda *_: True)
        # Out here, so that the driver's own error does not hang on ours: it may quote a value.
        raise trouble

    def locate(self, call: Call) -> Look:
        """Count this person's rows, and find the anchors. Changes nothing."""
        self._await_copy()
        return self._searching.counted(self.reader, call, self._look(self.reader, call, verifying=False))

    def _locate_many(self, calls: Sequence[Call]) -> list[Look | ConnectorError]:
        """Look for many people in one transaction; each answer is what `locate` would give, or raise."""
        self._await_copy()
        looks = self._locating.locate_many(calls)
        if not self.system.searches:
            return looks
        return [self._with_mentions(call, look) for call, look in zip(calls, looks, strict=True)]

    def _with_mentions(self, call: Call, look: Look | ConnectorError) -> Look | ConnectorError:
        if isinstance(look, ConnectorError):
            return look
        try:
            return self._searching.counted(self.reader, call, look)
        except ConnectorError as error:
            if error.code is Code.UNREACHABLE:
                raise
            return error

    def verify(self, call: Call) -> Look | Pending:
        """Look again, where the erasure was made: a copy might not have heard of it, or might have lost less. And in
        the replica that the map names, once it has come past the erasure. Then search the texts that the map marks,
        and for what is left."""
        database, looking = self.writer or self.reader, partial(self._look, verifying=True)
        look = self._replica.verify(call, looking) if self._replica else looking(database, call)
        if isinstance(look, Pending) or look.candidates or look.tally.left:
            return look
        self._searching.refuse(database, call, look)
        if self._residue is None:
            return look
        self._await_copy()
        return replace(look, tally=self._residue.refuse(call, look))

    def export(self, call: Call) -> Iterator[Export]:
        """Stream two files per collection, JSON lines and a table, all of one moment."""
        self._await_copy()
        self._searching.refuse(self.reader, call)
        return self._asking.streamed(self.reader, self._files(call))

    def erase(self, call: Call) -> Tally:
        """Delete and rewrite: up to `batch_rows` rows in one transaction, more in several, children before parents.

        The tally's `found` and `kept` are the look before the first fence.
        """
        changing = self._writing()
        return self._asking.explained(changing.writer, partial(changing.erase, call))

    def rectify(self, call: Call) -> Tally:
        """Write the fields that the corrections name, by key: up to `batch_rows` rows in one transaction, more in
        several. The old values are given away to be kept first."""
        return Rectifying(self._writing()).rectify(call)

    def _suppress(self, call: Call) -> Tally:
        """Set the fields that the map names under `opt_out`, and look at them again. An erasure sets none: its rows go,
        or say nothing of anybody."""
        marked = marking(call)
        tally = Rectifying(self._writing()).rectify(marked) if marked.corrections else Tally()
        if any(work.stops for work in call.work):
            refuse_unmarked(call, self._look(self._writing().writer, call, verifying=False).tally)
        return tally

    def attempt(self, call: Call) -> Trial:
        """Carry the erasure out and take it back; nothing stays, and no fence is entered.

        Raises:
            ConnectorError: the database cannot even be looked at.
        """
        reader, writer, asking = self.reader, self._writing().writer, self._asking
        programme = asking.explained(writer, partial(asking.programme, writer, call))
        try:
            if isinstance(programme, Steps):
                return asking.explained(writer, partial(trying.attempt, reader, writer, call, programme))
            if isinstance(writer, PostgreSQL):
                return asking.explained(writer, partial(attempt, writer, call, programme))
            raise TypeError("a kind of server on which nothing is tried")
        except ConnectorError as error:
            refusal, about = error.code, error.about
        tally = self._look(writer, call, verifying=False).tally
        return Trial(tally, refusal=refusal, refused_at=about)

    def check(self) -> list[Finding]:
        """What does not fit between the map, the database and the roles, each as a sentence that says what to do.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        asking, reader, writer = self._asking, self.reader, self.writer
        found = asking.explained(reader, lambda: list(reader.findings(self.system, writer)))
        if isinstance(reader, PostgreSQL) and (self.system.searches or self._residue):
            searched = partial(searchable.findings, self.system, reader, residue=self._residue is not None)
            found += asking.explained(reader, lambda: list(searched()))
        if isinstance(writer, PostgreSQL) and self._restricts:
            found += asking.explained(writer, partial(restriction.findings, self.system, writer))
        if self._flagging:
            found += self._flagging.findings()
        return found + (self._replica.findings() if self._replica else [])

    def mark(self, call: Call) -> str:
        """The environment mark that the database bears; empty if nobody has set one.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        database = self.writer or self.reader
        return self._asking.explained(database, database.mark)

    def survey(self) -> list[Finding]:
        """What stands in the database beside the map: drift, personal data that no path reaches, triggers.

        Raises:
            ConnectorError: the database cannot be asked.
        """
        reader = self.reader
        return self._asking.explained(reader, lambda: list(survey(self.system, reader)))

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for database in filter(None, (self.reader, self.writer, self._application)):
            database.close()
        if self._replica:
            self._replica.copy.close()

    def _writing(self) -> Changing:
        if self._changing is None:
            raise NeedsHuman(Code.NO_WRITER, self.system.system)
        return self._changing

    def _await_copy(self) -> None:
        """Let a reader that is a copy come as far as the primary was when the step began: one that lags behind would
        say that nothing is held of somebody whose rows it has not heard of yet.

        Raises:
            Retryable: it lags too far behind to be waited for here.
        """
        writer, reader, explained = self.writer, self.reader, self._asking.explained
        if not (isinstance(writer, PostgreSQL) and isinstance(reader, PostgreSQL)) or writer.server == reader.server:
            return
        there = explained(writer, lambda: replication.answer(writer, replication.POSITION))
        until = time.monotonic() + replication.PATIENCE
        while there and not explained(reader, lambda: replication.answer(reader, replication.REACHED, there)):
            if time.monotonic() > until:
                raise Retryable(Code.BUSY, self.system.system)
            time.sleep(replication.POLL)

    def _look(self, database: Database, call: Call, *, verifying: bool) -> Look:
        def looked() -> Look:
            call.beat()
            programme = self._asking.programme(database, call)
            with database.transaction(Mode.LOOK, call.session, programme.document(call)) as session:
                sight = programme.see(session)
                session.commit()
            return sight.look(call, sight.tally(call.work, verifying=verifying))

        return self._asking.explained(database, looked)

    def _files(self, call: Call) -> Iterator[Export]:
        call.beat()
        programme = self._asking.programme(self.reader, call)
        with self.reader.transaction(Mode.EXPORT, call.session, programme.document(call)) as session:
            reader = Reader(self._asking.streamed(self.reader, programme.lines(session)))
            if reader.doubtful:
                raise NeedsHuman(Code.SEVERAL_PEOPLE, reader.doubtful)

            def copy(name: str, table: bool) -> Iterator[bytes]:
                return self._asking.streamed(self.reader, programme.copied(session, name, table))

            for file in files(programme.exporting, reader, copy):
                yield replace(file, pages=_beating(call, file.pages))
            session.commit()


def _beating(call: Call, pages: Iterator[bytes]) -> Iterator[bytes]:
    for page in pages:
        call.beat()
        yield page
