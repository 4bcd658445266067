"""Letters and the mail server: what is to be sent, what was sent, what came back.

The one rule: before the server is given a letter it is noted here, and what it says is noted after; a letter between
the two is never sent again by itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Interval, bindparam, exists, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.clocks import Clocks
from ledger.demandmail import demand_letter_settled, keep_back_forbidden, lock_demand_of
from ledger.errors import LedgerRefusal
from ledger.letters import (
    POST_WITHIN,
    Channel,
    Letter,
    LetterState,
    columns,
    read_letter,
    task_key,
    text_name,
    this,
)
from ledger.models import tasks
from ledger.models_letters import letters, mailboxes
from ledger.stopped import stands_still
from ledger.tasks import put_task, settle_tasks
from ledger.told import MOVING, letter_told, lock_told
from ledger.vault import Sealed
from rights.codes import Code
from rights.letterkinds import OF_DEMANDS, LetterKind

_TASK: Final = {
    LetterState.UNSURE: Code.MAIL_UNSURE,
    LetterState.BOUNCED: Code.BOUNCED,
    LetterState.REFUSED: Code.MAIL_REFUSED,
    LetterState.TO_POST: Code.POST_OUT,
}
"""What a person is asked where a letter does not go on by itself."""

_ready = (letters.c.due_at.is_(None)) | (letters.c.due_at <= func.clock_timestamp())
_goes = ~stands_still(letters.c.tenant, letters.c.request_id)
"""Nothing is sent for a request that stands still for an incident."""
_queued = (letters.c.tenant == bindparam("of"), letters.c.state == literal_column("'queued'"), _goes)
_TO_SEND: Final = (
    select(*columns)
    .where(*_queued, _ready)
    # What somebody asked for goes before a campaign's thousands.
    .order_by(letters.c.kind == literal_column(f"'{LetterKind.POLICY_CHANGE}'"), letters.c.queued_at, letters.c.id)
    .limit(bindparam("most"))
)
_LEFT: Final = select(
    func.count(), func.min(func.coalesce(letters.c.due_at, letters.c.queued_at)), func.clock_timestamp()
).where(*_queued)
_SENDING: Final = (
    update(letters)
    .where(*this, letters.c.state == LetterState.QUEUED.value, _goes)
    .values(state=LetterState.SENDING.value, sending_at=func.clock_timestamp())
)
_IN_DOUBT: Final = (
    select(*columns)
    .where(
        letters.c.tenant == bindparam("of"),
        letters.c.state == literal_column("'sending'"),
        letters.c.sending_at <= func.clock_timestamp() - bindparam("older", type_=Interval),
    )
    .order_by(letters.c.sending_at)
    .limit(bindparam("most"))
)
_sent_since = (
    letters.c.state == literal_column("'sent'"),
    letters.c.settled_at > bindparam("since", type_=letters.c.settled_at.type),
)
_mine = letters.c.tenant == bindparam("of")
_UNDER_WAY: Final = select(
    exists().where(*_queued)
    | exists().where(_mine, letters.c.state == literal_column("'sending'"))
    | exists().where(_mine, *_sent_since)
)


class Mailroom(Clocks):
    """The verbs of sending."""

    # Looking.

    def letter(self, letter: str) -> Letter:
        """One letter.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        with self._look() as connection:
            row = connection.execute(select(*columns).where(*this), {"of": self.tenant, "letter": letter}).first()
        if row is None:
            raise LedgerRefusal("there is no letter of this id")
        return read_letter(row)

    def letters(self, case_id: str | None = None, *, states: Sequence[LetterState] = ()) -> list[Letter]:
        """Letters of requests, or of one case; those in certain states, if any are named. The oldest first."""
        query = select(*columns).where(letters.c.tenant == self.tenant)
        if case_id is None:
            query = query.where(letters.c.request_id.is_not(None))
        else:
            query = query.where(letters.c.case_id == case_id)
        if states:
            query = query.where(letters.c.state.in_([state.value for state in states]))
        with self._look() as connection:
            return [read_letter(row) for row in connection.execute(query.order_by(letters.c.queued_at, letters.c.id))]

    def letters_to_send(self, most: int) -> list[Letter]:
        """Letters that may be sent now, those of requests first."""
        with self._look() as connection:
            return [read_letter(row) for row in connection.execute(_TO_SEND, {"of": self.tenant, "most": most})]

    def letters_left(self) -> tuple[int, timedelta]:
        """How many letters are queued, and in how long the first of them may be sent."""
        with self._look() as connection:
            number, first, now = connection.execute(_LEFT, {"of": self.tenant}).one()
        return number, max(first - now, timedelta(0)) if first else timedelta(0)

    def letters_under_way(self, since: datetime) -> bool:
        """Whether a letter is queued, in doubt, or was sent so lately that it may still come back."""
        with self._look() as connection:
            return bool(connection.scalar(_UNDER_WAY, {"of": self.tenant, "since": since}))

    def letters_in_doubt(self, older: timedelta, most: int) -> list[Letter]:
        """Letters whose sending began longer ago and is not settled."""
        its = {"of": self.tenant, "older": older, "most": most}
        with self._look() as connection:
            return [read_letter(row) for row in connection.execute(_IN_DOUBT, its)]

    def letter_channels(self, batch: Sequence[Letter]) -> dict[str, Channel]:
        """Where letters go, by their ids; those whose channel is known, and not destroyed yet.

        Raises:
            VaultError: one was changed or moved, or its key-encryption key is gone.
        """
        wanted: defaultdict[str, list[str]] = defaultdict(list)
        for letter in batch:
            if letter.channel:
                wanted[letter.case_id].append(letter.channel)
        with self._look() as connection:
            found = {
                (case, name): data
                for case, names in wanted.items()
                for name, data in self._vault.get_all(connection, case, "working", *names).items()
            }
        return {
            letter.id: Channel.unsealed(data)
            for letter in batch
            if (data := found.get((letter.case_id, letter.channel or "")))
        }

    # Sending.

    def begin_sending(self, letter: Letter, text: bytes | None = None, *, at: datetime) -> bool:
        """Note that the server is about to be given a letter; False if it is not to be sent (any more).

        `text` is the letter as it goes out; it is sealed in the request's file in the same commit.
        """
        with self._begin() as connection:
            if not connection.execute(_SENDING, {"of": self.tenant, "letter": letter.id}).rowcount:
                return False
            if text is not None:
                key = self._vault.key(connection, letter.case_id, "file")
                sealed = Sealed("file", text_name(letter.kind, letter.number), text)
                self._vault.put(connection, letter.case_id, key, sealed, at)
        return True

    def letter_sent(self, letter: Letter, *, at: datetime) -> bool:
        """The server has taken the letter on; False if it was settled otherwise meanwhile."""
        return self._settle(letter, LetterState.SENT, {LetterState.SENDING, LetterState.UNSURE}, "", at)

    def letter_put_off(self, letter: Letter, code: str, delay: timedelta, *, at: datetime) -> None:
        """The server has not taken the letter and may later: it is queued for then, if it may still be sent."""
        values = {"state": LetterState.QUEUED.value, "code": code, "sending_at": None}
        with self._begin() as connection:
            demand = lock_demand_of(self, connection, letter) if letter.kind in OF_DEMANDS else None
            connection.execute(
                update(letters)
                .where(*this, letters.c.state.in_([LetterState.QUEUED.value, LetterState.SENDING.value]))
                .values(**values, due_at=func.clock_timestamp() + delay, attempts=letters.c.attempts + 1),
                {"of": self.tenant, "letter": letter.id},
            )
            if demand is not None:
                keep_back_forbidden(self, connection, demand, code, at)

    def letter_refused(self, letter: Letter, code: str, *, at: datetime) -> bool:
        """The server will not take the letter; a person is asked."""
        return self._settle(letter, LetterState.REFUSED, {LetterState.QUEUED, LetterState.SENDING}, code, at)

    def letter_unsure(self, letter: Letter, *, at: datetime) -> bool:
        """Nothing tells whether the letter went out; a person is asked."""
        return self._settle(letter, LetterState.UNSURE, {LetterState.SENDING}, "", at)

    def letter_to_post(self, letter: Letter, code: str, *, at: datetime) -> bool:
        """The letter cannot be sent by mail; a person posts it or hands it over."""
        return self._settle(letter, LetterState.TO_POST, {LetterState.QUEUED}, code, at)

    def letter_bounced(self, message_id: str, code: str, *, at: datetime) -> Letter | None:
        """A report says that a mail was not delivered; its letter, None if there is none that was sent so."""
        query = select(*columns).where(letters.c.tenant == bindparam("of"), letters.c.message_id == bindparam("mark"))
        with self._look() as connection:
            row = connection.execute(query, {"of": self.tenant, "mark": message_id}).first()
        if row is None:
            return None
        letter = read_letter(row)
        # One whose sending is in doubt has gone out, if it came back.
        was = {LetterState.SENT, LetterState.SENDING, LetterState.UNSURE}
        return letter if self._settle(letter, LetterState.BOUNCED, was, code, at) else None

    def _settle(self, letter: Letter, state: LetterState, was: set[LetterState], code: str, at: datetime) -> bool:
        post_by = (at + POST_WITHIN).date() if state is LetterState.TO_POST else None
        values: dict[str, object] = {"state": state.value, "code": code, "settled_at": at, "due_at": None}
        if post_by:
            values["post_by"] = post_by
        with self._begin() as connection:
            if state is LetterState.SENT and letter.kind in MOVING:
                lock_told(self, connection, letter.request_id)
            if letter.kind in OF_DEMANDS:
                lock_demand_of(self, connection, letter)
            done = connection.execute(
                update(letters)
                .where(
                    *this,
                    letters.c.state.in_([one.value for one in was]),
                    letters.c.message_id == letter.message_id,
                )
                .values(**values),
                {"of": self.tenant, "letter": letter.id},
            ).rowcount
            if not done:
                return False
            if letter.kind in OF_DEMANDS:
                demand_letter_settled(self, connection, letter, state, code, at)
                return True
            if letter.request_id is None:
                # A campaign's letters are counted, and journaled with its pages.
                return True
            key = task_key(letter.request_id, letter.kind, letter.number)
            settle_tasks(self, connection, at, tasks.c.step_key == key)
            if task := _TASK.get(state):
                put_task(self, connection, letter.request_id, key, task, letter.kind, at, due_on=post_by)
            body = {"letter": letter.id, "state": state, "code": code}
            self._journal(connection, "letter", body, at, request_id=letter.request_id)
            if state is LetterState.SENT:
                letter_told(self, connection, letter.id, at)
        return True

    # The mailbox of delivery reports.

    def mailbox_read(self, name: str) -> tuple[int, int] | None:
        """How far a mailbox was read: UIDVALIDITY, and the last UID; None if it never was."""
        query = select(mailboxes.c.uidvalidity, mailboxes.c.uid).where(
            mailboxes.c.tenant == self.tenant, mailboxes.c.name == name
        )
        with self._look() as connection:
            row = connection.execute(query).first()
        return (row.uidvalidity, row.uid) if row else None

    def keep_mailbox_read(self, name: str, uidvalidity: int, uid: int, *, at: datetime) -> None:
        """Note how far a mailbox was read."""
        row = {"uidvalidity": uidvalidity, "uid": uid, "read_at": at}
        with self._begin() as connection:
            connection.execute(
                upsert(mailboxes)
                .values(tenant=self.tenant, name=name, **row)
                .on_conflict_do_update(index_elements=[mailboxes.c.tenant, mailboxes.c.name], set_=row)
            )
