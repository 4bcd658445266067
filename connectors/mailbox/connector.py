"""A mailbox as a connector: locate, export, erase, verify, restrict, lift.

The one rule: every act looks for itself first. What an earlier look saw may have been moved, and what is erased, moved
or given is what this look has found.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby
from typing import Final

from connectors.errors import ConnectorError, NeedsHuman, Retryable, Unsupported
from connectors.fates import Fate, changes_of, tally_of
from connectors.mailbox import locking
from connectors.mailbox.account import Account
from connectors.mailbox.export import Exporting
from connectors.mailbox.look import Row, Search, Sight, anchors_of, candidates_of, doubts, fates, links_of
from connectors.mailbox.session import Elsewhere, Session
from connectors.mailbox.settings import Settings
from connectors.protocol import Call, Export, Look, Restricted
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Tally

MARK: Final = "Habeas-environment-"
"""A folder of this name and the environment's marks an account; only such a one is ever changed."""


class Mailbox:
    """One account. `reader` serves looks and exports, `writer` everything that changes, and the look that proves it."""

    def __init__(self, system: System, settings: Settings, reader: Account, writer: Account | None) -> None:
        self.system, self.settings, self.reader, self.writer = system, settings, reader, writer

    @property
    def spares(self) -> bool:
        """Rows that are to be retained are left alone."""
        return True

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence a call can still take effect."""
        return self.settings.longest

    def locate(self, call: Call) -> Look:
        """Find the person's messages in all folders, and what they are found by later. Changes nothing."""
        with self._session(self.reader, call) as session:
            return self._look(call, session, verifying=False)

    def verify(self, call: Call) -> Look:
        """Look again, by addresses and by the ids and digests of every message that was ever seen."""
        with self._session(self.writer or self.reader, call) as session:
            return self._look(call, session, verifying=True)

    def export(self, call: Call) -> Iterator[Export]:
        """Give a table in two forms, and each message as a file.

        Raises:
            NeedsHuman: messages are also other people's, and nobody has ruled which of them may be delivered.
        """
        with self._session(self.reader, call) as session:
            sight = self._see(call, session)
            unread = [row for row in sight.certain if row.others]
            if unread:
                raise NeedsHuman(
                    Code.THIRD_PARTIES, self.settings.collection, candidates=candidates_of(self.settings, unread)
                )
            yield from Exporting(call, self.settings, session, sight.certain).files()

    def probe(self, call: Call) -> None:
        """Log in, and out again, with both credentials."""
        for account in filter(None, (self.reader, self.writer)):
            with self._session(account, call):
                pass

    def mark(self, call: Call) -> str:
        """The environment that a folder names; several, if there are several such folders."""
        with self._session(self.writer or self.reader, call) as session:
            return ", ".join(_marks(session))

    def erase(self, call: Call) -> Tally:
        """Expunge the person's messages by number, in batches behind the fence."""
        with self._writing(call, "UIDPLUS") as session:
            sight = self._see(call, session)
            found = self._fates(call, sight)
            due = [(row, fate) for row, fate in zip(sight.certain, found, strict=True) if fate.due]
            before = tally_of(call.work, found, {})
            call.learn(links_of(call, self.settings, sight))
            done: list[Fate] = []
            try:
                for batch in self._batches(due):
                    call.beat()
                    self._expunge(call, session, batch, before, done)
            except Elsewhere:
                # A folder has gone or been replaced under us: what is left is found by the next look.
                trouble: ConnectorError = Retryable(Code.BUSY, self.system.system)
            except ConnectorError as error:
                trouble = error
            else:
                return _told(call, done, before)
        trouble.tally = _told(call, done, before)
        raise trouble

    @property
    def moves(self) -> bool:
        """What is restricted lies in another folder."""
        return True

    def restrict(self, call: Call) -> Restricted:
        """Move the person's messages to the locked folder, each marked with whose request it was."""
        if not self.settings.locked_folder:
            raise Unsupported(Code.UNSUPPORTED, self.system.system)
        with self._writing(call, "MOVE") as session:
            return locking.restrict(call, self.settings, session, self._see(call, session))

    def lift(self, call: Call) -> Tally:
        """Move back what this request had locked away, unless another request keeps it there."""
        with self._writing(call, "MOVE") as session:
            return locking.lift(call, self.settings, session)

    def _look(self, call: Call, session: Session, *, verifying: bool) -> Look:
        sight = Search(call, self.settings).see(session)
        found = self._fates(call, sight)
        tally = tally_of(call.work, found, doubts(self.settings, sight), verifying=verifying)
        return Look(
            tally,
            anchors_of(call, self.settings, sight),
            candidates_of(self.settings, sight.doubtful),
            links_of(call, self.settings, sight),
        )

    def _see(self, call: Call, session: Session) -> Sight:
        sight = Search(call, self.settings).see(session)
        sight.refuse_doubt(self.settings.collection)
        return sight

    def _fates(self, call: Call, sight: Sight) -> list[Fate]:
        return fates(call, self.settings, sight)

    def _batches(self, due: Sequence[tuple[Row, Fate]]) -> Iterator[list[tuple[Row, Fate]]]:
        for _, group in groupby(due, key=lambda pair: (pair[0].folder, pair[0].uidvalidity)):
            pairs = list(group)
            for start in range(0, len(pairs), self.settings.batch):
                yield pairs[start : start + self.settings.batch]

    def _expunge(
        self,
        call: Call,
        session: Session,
        batch: Sequence[tuple[Row, Fate]],
        before: Tally,
        done: list[Fate],
    ) -> None:
        """Expunge one batch inside the fence, and say what is gone by asking what is left."""
        row, _ = batch[0]
        told = session.open(row.folder, row.uidvalidity)
        if b"\\Deleted" not in told.get(b"PERMANENTFLAGS", (b"\\Deleted",)):
            raise NeedsHuman(Code.RIGHTS, self.settings.collection)
        uids = [row.uid for row, _ in batch]
        planned = {self.settings.collection: len(batch)}
        with session.within(self.settings.timeout), call.fence(planned, before) as intent:
            there = session.present(uids)
            refused: ConnectorError | None = None
            try:
                session.expunge(sorted(there)) if there else None
            except NeedsHuman as error:
                refused = error
            left = session.present(uids)
            gone = [fate for row, fate in batch if row.uid in there - left]
            intent.done(changes_of(call.work, gone))
            done += gone
        if left:
            raise refused or NeedsHuman(Code.RIGHTS, self.settings.collection)

    @contextmanager
    def _session(self, account: Account, call: Call) -> Iterator[Session]:
        call.beat()
        with Session(account, self.system.system, self.settings.timeout, self.settings.ca_file) as session:
            yield session

    @contextmanager
    def _writing(self, call: Call, *capabilities: str) -> Iterator[Session]:
        """A login that may change this account, on a server that can do what is asked for."""
        if self.writer is None:
            raise NeedsHuman(Code.NO_WRITER, self.system.system)
        with self._session(self.writer, call) as session:
            if not call.environment or _marks(session) != [call.environment]:
                raise NeedsHuman(Code.ENVIRONMENT, self.system.system)
            # In Gmail an expunge takes a label off, and the message stays.
            if not session.able(*capabilities) or session.able("X-GM-EXT-1"):
                raise Unsupported(Code.UNSUPPORTED, self.system.system)
            yield session


def _marks(session: Session) -> list[str]:
    """What the account's folders say of its environment."""
    names = [folder.last for folder in session.folders()]
    return [name.removeprefix(MARK) for name in names if name.startswith(MARK)]


def _told(call: Call, done: Sequence[Fate], before: Tally) -> Tally:
    """What an erasure did, with what was there before its first fence."""
    changes = changes_of(call.work, done)
    return Tally(
        counts=tuple(
            count.model_copy(update={"found": seen.found, "kept": seen.kept})
            for count, seen in zip(changes.counts, before.counts, strict=True)
        )
    )
