"""What follows from a letter that has gone out: a receipt is acknowledged, a term is extended.

The one rule: a clock is moved by the notice that was sent, on the day on which it was, never by the wish to send one.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, func, literal_column, select

from ledger.clocks import Clocks, clocks_of
from ledger.errors import LedgerRefusal
from ledger.letters import LetterState, columns, queue_letter, read_letter, task_key, this
from ledger.models import entries, requests
from ledger.models_letters import letters
from ledger.tasks import put_task
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.deadlines import acting
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.reckoning import local_day
from rights.request import Phase

_OVER: Final = {LetterState.LEFT, LetterState.SENT, LetterState.POSTED}
"""Where a notice is on its way no more."""
MOVING: Final = frozenset({LetterKind.ACKNOWLEDGEMENT.value, LetterKind.EXTENSION_NOTICE.value})
"""Letters that move a clock once they are sent."""
_WRITTEN: Final = select(entries.c.body).where(
    entries.c.tenant == bindparam("of"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind == literal_column("'extension_written'"),
    entries.c.key == bindparam("letter"),
)
_ROW: Final = (
    select(requests)
    .where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("request_id"))
    .with_for_update(key_share=True)
)


class Told(Clocks):
    """Verbs on notices that move a clock."""

    def send_extension(
        self, request_id: str, event: ClockEvent, *, at: datetime, note: str | None, by: Mapping[str, str]
    ) -> tuple[str, date]:
        """Queue the notice of an extension; the letter's id and the due date that it names, as a day of the request's
        zone. The clock moves once the letter is sent. `note` are the reasons, as the person reads them.

        Raises:
            LedgerRefusal: the law does not allow it as things stand today, another notice is on its way, or the
                request is closed, withdrawn or unknown.
        """
        with self._begin() as connection:
            row, moved = self._turned(connection, request_id, event, at)
            its = (
                letters.c.tenant == self.tenant,
                letters.c.request_id == request_id,
                letters.c.kind == LetterKind.EXTENSION_NOTICE.value,
            )
            over = [state.value for state in _OVER]
            if under_way := connection.scalar(select(letters.c.id).where(*its, letters.c.state.not_in(over))):
                raise LedgerRefusal(f"a notice is on its way: see first what has become of the letter {under_way}")
            due = local_day(acting(moved).legal_due, row.zone)
            said = Particulars(ground=event.ground, reason=note, extended_due=due)
            letter = queue_letter(
                self,
                connection,
                request_id,
                LetterKind.EXTENSION_NOTICE,
                at,
                number=connection.scalar(select(func.count()).where(*its)) or 0,
                said=said.model_dump_json(exclude_none=True).encode(),
                post_by=min(day for clock in clocks_of(row) if (day := clock.notice_day) and day >= event.day),
            )
            assert letter  # noqa: S101 - it is queued, or put on a person's desk
            body = {"event": event.model_dump(mode="json", exclude_defaults=True), "by": dict(by)}
            self._journal(connection, "extension_written", body, at, request_id=request_id, key=letter)
        return letter, due


def lock_told(store: Clocks, connection: Connection, request_id: str | None) -> None:
    """Keep others from a request whose letter is about to be settled: before tasks and journal, as everywhere."""
    connection.execute(_ROW, {"of": store.tenant, "request_id": request_id})


def letter_told(store: Clocks, connection: Connection, letter: str, at: datetime, *, on: date | None = None) -> None:
    """Do what follows from a letter that was sent, in the transaction that says so; `on` is the day on which a person
    has brought it over. The caller holds the request (`lock_told`).

    What does not follow any more is no error: the letter has gone out.
    """
    found = read_letter(connection.execute(select(*columns).where(*this), {"of": store.tenant, "letter": letter}).one())
    if found.request_id is None or found.kind not in MOVING:
        return
    its = {"of": store.tenant, "request_id": found.request_id}
    row = connection.execute(_ROW, its).one()
    before = {event.turn for event in store._events(connection, found.request_id)}
    day = on or local_day(at, row.zone)
    over = row.phase == Phase.CLOSED or row.withdrawn_at is not None
    if found.kind == LetterKind.ACKNOWLEDGEMENT:
        if not over and Turn.ACKNOWLEDGED not in before and any(clock.acknowledge_by for clock in clocks_of(row)):
            _turn(store, connection, found.request_id, ClockEvent(turn=Turn.ACKNOWLEDGED, day=day), at)
        return
    written = connection.scalar(_WRITTEN, {**its, "letter": letter})
    if over or written is None or Turn.EXTENDED in before:
        return
    body = orjson.loads(written)
    event = ClockEvent.model_validate({**body["event"], "day": day})
    if not _turn(store, connection, found.request_id, event, at, body["by"]):
        key = task_key(found.request_id, found.kind, found.number)
        put_task(store, connection, found.request_id, key, Code.NOT_EXTENDED, found.kind, at)


def _turn(
    store: Clocks,
    connection: Connection,
    request_id: str,
    event: ClockEvent,
    at: datetime,
    by: Mapping[str, str] = {},
) -> bool:
    """Move a clock; False if what has happened since does not allow it. A refused turn has written nothing."""
    try:
        store.turn_clock_in(connection, request_id, event, at=at, by=by)
    except LedgerRefusal:
        return False
    return True
