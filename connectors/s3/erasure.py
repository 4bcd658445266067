"""Erasing: every version and delete marker by its id, every unfinished upload, in batches behind the fence.

The one rule: it is done when a look finds nothing that is due, and not when the store has accepted a request.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Call
from connectors.s3.lock import Locks
from connectors.s3.look import Due, Search, Survey
from connectors.s3.session import Row, Session
from connectors.s3.settings import Settings
from rights.codes import Code
from rights.receipt import Count, Tally

ROUNDS: Final = 4
"""How often it goes through what is there, if something is written again meanwhile or a deletion was not heeded."""
REMEMBERED: Final = 10_000
"""Rows of which it is remembered that the store has said they are gone."""
ABORTS: Final = 50
"""Uploads behind one fence: each is a request of its own."""


class Erasure:
    """One erasure."""

    def __init__(self, call: Call, settings: Settings, session: Session) -> None:
        self._call, self._settings, self._session = call, settings, session
        self._gone = 0
        self._heeded: set[Row] = set()
        """What the store has said is gone; not all of it, so that memory stays flat."""
        self._before = Survey(settings.collection)

    def run(self) -> Tally:
        """Erase, and say what was done.

        Raises:
            ConnectorError: something stays; it carries the tally so far.
        """
        self._before = last = self._survey()
        for _ in range(ROUNDS):
            if not last.going:
                break
            self._through()
            last = self._survey()
        else:
            if last.going:
                raise self._stopped(Retryable(Code.BUSY, self._settings.collection))
        if last.held:
            raise self._stopped(Held(Code.LEGAL_HOLD, self._settings.collection))
        return self._told(last)

    def _survey(self) -> Survey:
        survey = Search(self._call, self._settings, self._session).survey()
        survey.refuse_doubt()
        return survey

    def _through(self) -> None:
        """Go through everything once."""
        locks = Locks(self._session, self._call.as_of, self._call.beat)
        search = Search(self._call, self._settings, self._session)
        due = (one for group in search.dues(locks) for one in group if one.goes)
        try:
            for batch in _batches(due, self._settings.batch):
                self._call.beat()
                self._destroy(batch)
        except ConnectorError as error:
            trouble = error
        else:
            return
        raise self._stopped(trouble)

    def _destroy(self, batch: Sequence[Due]) -> None:
        """Destroy one batch inside the fence, and say what is gone."""
        rows = [due.row for due in batch]
        if not self._heeded.isdisjoint(rows):
            # It said so, and it is still there: whatever it says, nothing can be concluded from it.
            self._gone = 0
            raise NeedsHuman(Code.LEFT_BEHIND, self._settings.collection)
        planned = {self._settings.collection: len(rows)}
        uploads = rows[0].kind == "upload"
        refused: dict[Row, str] = {}
        with self._session.within(self._settings.timeout), self._call.fence(planned, self._before.tally) as intent:
            if uploads:
                for row in rows:
                    self._session.abort(row)
            else:
                refused = self._session.delete(rows, bypass=any(due.governed for due in batch))
            gone = len(rows) - len(refused)
            intent.done(Tally(counts=(Count(collection=self._settings.collection, erased=gone),)))
            self._gone += gone
            if len(self._heeded) < REMEMBERED:
                self._heeded.update(row for row in rows if row not in refused)
        if refused:
            self._explain(refused)

    def _explain(self, refused: dict[Row, str]) -> None:
        """Find out why the store keeps some. What has been locked meanwhile is counted by the next look."""
        locks = Locks(self._session, self._call.as_of, self._call.beat)
        for row, code in refused.items():
            self._call.beat()
            trouble = self._session.explain(code)
            if not (isinstance(trouble, NeedsHuman) and trouble.code is Code.RIGHTS and locks.of([row])):
                raise trouble

    def _stopped(self, trouble: ConnectorError) -> ConnectorError:
        trouble.tally = self._told(self._before)
        return trouble

    def _told(self, last: Survey) -> Tally:
        (kept,) = last.tally.counts
        return Tally(
            counts=(
                Count(
                    collection=self._settings.collection,
                    found=self._before.found,
                    erased=self._gone,
                    kept=kept.kept,
                ),
            )
        )


def _batches(dues: Iterator[Due], size: int) -> Iterator[list[Due]]:
    """Rows that are destroyed together: versions and markers by the thousand, uploads apart and by fewer."""
    waiting: dict[bool, list[Due]] = {True: [], False: []}
    for due in dues:
        upload = due.row.kind == "upload"
        waiting[upload].append(due)
        if len(waiting[upload]) >= (min(size, ABORTS) if upload else size):
            yield waiting[upload]
            waiting[upload] = []
    yield from filter(None, waiting.values())
