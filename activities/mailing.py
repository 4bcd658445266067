"""Letters sent, looked after, and brought to a person where mail cannot carry them.

The one rule: a letter goes out at most once. It is noted before the server gets its text, and settled by what the
server says; what was cut off in between is looked for among the copies, then asked about, and never sent on a guess.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson
import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calls import Beat, beating
from activities.letters import LetterIncomplete
from activities.mails import CAMPAIGN_HEADER, REQUEST_HEADER, Written, as_mail
from activities.mailsetup import LIFE, Mail
from activities.reports import Reader
from activities.smtp import PutOff, Refused, Session, Stopped, Unavailable, Unsure
from activities.tools import Tools
from activities.writing import Write, Writer
from connectors.errors import ConnectorError
from connectors.mailbox.session import Elsewhere
from ledger.letters import Channel, Letter
from rights.codes import Code
from rights.letterkinds import OF_DEMANDS, LetterKind
from rights.value import Value

BATCH: Final = 100
"""Letters handed over in one activity: some seconds of work."""
SOONEST, LATEST = timedelta(minutes=1), timedelta(hours=4)
"""How long a letter waits that the server has put off: 1, 2, 4 ... 240 minutes."""
ATTEMPTS: Final = 30
"""About four days, after which mail servers themselves give up; then a person is asked."""


class Sending(Value):
    """The workflow's time."""

    as_of: datetime


class Handed(Value):
    """What a round of sending did, in numbers."""

    sent: int = 0
    left: int = 0
    next_in_seconds: float = 0
    """When the first of those left may be sent."""


class Looked(Value):
    """What a round of looking found, in numbers."""

    bounced: int = 0
    settled: int = 0
    under_way: bool = False
    """Letters are queued, in doubt, or were sent lately enough to come back."""
    next_in_seconds: float = 0


class MailActivities:
    """The work of the `letters` workflow."""

    def __init__(self, tools: Tools, write: Write | None = None) -> None:
        self._tools, self._mail = tools, tools.mail
        self._write = write or Writer(tools).write

    @activity.defn(name="send_letters", no_thread_cancel_exception=True)
    def send(self, sending: Sending) -> Handed:
        """Hand over the letters that are due, as many as the rate allows.

        Without mail in the settings each becomes a task: a person sends it.
        """
        ledger, mail = self._tools.ledger, self._mail
        if mail is None:
            for letter in ledger.letters_to_send(BATCH):
                ledger.letter_to_post(letter, "no_mail", at=sending.as_of)
            return self._left(0)
        batch = ledger.letters_to_send(min(BATCH, mail.per_minute))
        if not batch:
            return self._left(0)
        limit, minute = mail.per_minute, timedelta(minutes=1)
        if wait := ledger.take_turn("mail", "letters", len(batch), len(batch), limit, minute, timedelta(0)):
            return Handed(left=len(batch), next_in_seconds=wait.total_seconds())
        with beating() as beat:
            sent = self._hand_over(mail, batch, sending.as_of, beat)
        return self._left(sent)

    def _left(self, sent: int) -> Handed:
        number, delay = self._tools.ledger.letters_left()
        return Handed(sent=sent, left=number, next_in_seconds=delay.total_seconds())

    def _hand_over(self, mail: Mail, batch: Sequence[Letter], as_of: datetime, beat: Beat) -> int:
        channels = self._tools.ledger.letter_channels(batch)
        sent, trouble = 0, ""
        try:
            with Session(mail.server) as session:
                for letter in batch:
                    beat()
                    sent += self._send_one(mail, session, letter, channels, as_of)
        except Unsure:
            # This one is looked for; the others are still queued, for another login.
            return sent
        except Unavailable as error:
            trouble = error.code
        if trouble:
            structlog.get_logger().warning("mail_waits", code=trouble)
            raise ApplicationError(trouble, type="Retryable")
        return sent

    def _send_one(
        self, mail: Mail, session: Session, letter: Letter, channels: Mapping[str, Channel], as_of: datetime
    ) -> int:
        ledger, channel = self._tools.ledger, channels.get(letter.id)
        if channel is None or channel.kind != "email":
            ledger.letter_to_post(letter, "no_address", at=as_of)
            return 0
        try:
            written = self._write(letter, as_of)
        except (ValueError, LookupError, TypeError) as error:
            # A letter that cannot be written is a person's matter, and keeps no other waiting.
            lacks = sorted(error.missing) if isinstance(error, LetterIncomplete) else [type(error).__qualname__]
            structlog.get_logger().warning("letter_not_written", letter=letter.id, lacks=lacks)
            ledger.letter_refused(letter, "not_written", at=as_of)
            return 0
        extra = {REQUEST_HEADER: letter.request_id} if letter.request_id else {CAMPAIGN_HEADER: letter.case_id}
        if letter.kind in OF_DEMANDS:
            extra = {}
        # A campaign says the same to all, and a code is for whoever gets the mail and for nobody else.
        keeps = letter.kind not in {LetterKind.POLICY_CHANGE, LetterKind.IDENTITY_CODE}
        kept = _kept(channel, written) if keeps else None
        try:
            text = as_mail(mail.server, channel.address, channel.name, written, letter.message_id, as_of, extra)
            session.hand_over(channel.address, text, lambda: ledger.begin_sending(letter, kept, at=as_of))
        except Refused as refusal:
            ledger.letter_refused(letter, refusal.code, at=as_of)
        except PutOff as refusal:
            if letter.attempts + 1 >= ATTEMPTS:
                ledger.letter_refused(letter, refusal.code, at=as_of)
            else:
                delay = min(SOONEST * 2 ** min(letter.attempts, 10), LATEST)
                ledger.letter_put_off(letter, refusal.code, delay, at=as_of)
        except Stopped:
            # Somebody else has it. The line is closed, since that is the only way to take a mail back.
            raise Unsure(Code.BUSY) from None
        else:
            ledger.letter_sent(letter, at=as_of)
            return 1
        return 0

    @activity.defn(name="look_after_letters", no_thread_cancel_exception=True)
    def look_after(self, sending: Sending) -> Looked:
        """Settle letters whose sending was cut off, and read what came back.

        Raises:
            ApplicationError: the mailbox cannot be read for now.
        """
        ledger, mail = self._tools.ledger, self._mail
        bounced = settled = 0
        if mail and mail.mailbox:
            try:
                with beating(), Reader(mail.mailbox, ledger) as reader:
                    settled = self._find_copies(reader, sending.as_of)
                    for failure in reader.failures(sending.as_of, LIFE):
                        bounced += bool(ledger.letter_bounced(failure.message_id, failure.status, at=sending.as_of))
            except (ConnectorError, Elsewhere) as error:
                code = error.code if isinstance(error, ConnectorError) else Code.SCHEMA
                structlog.get_logger().warning("mailbox_waits", code=str(code))
                raise ApplicationError(str(code), type="Retryable") from None
        settled += self._ask_about(mail, sending.as_of)
        return Looked(
            bounced=bounced,
            settled=settled,
            under_way=ledger.letters_under_way(sending.as_of - LIFE) if mail and mail.mailbox else self._doubtful(),
            next_in_seconds=(mail.read_every if mail else LIFE).total_seconds(),
        )

    def _doubtful(self) -> bool:
        return bool(self._tools.ledger.letters_in_doubt(timedelta(0), 1)) or self._tools.ledger.letters_left()[0] > 0

    def _find_copies(self, reader: Reader, as_of: datetime) -> int:
        """Letters whose copy shows that they went out."""
        ledger = self._tools.ledger
        doubtful = ledger.letters_in_doubt(timedelta(0), BATCH)
        return sum(ledger.letter_sent(one, at=as_of) for one in doubtful if reader.has_copy(one.message_id))

    def _ask_about(self, mail: Mail | None, as_of: datetime) -> int:
        """Letters of which nothing tells whether they went out become a person's question."""
        patience = mail.patience if mail else timedelta(0)
        doubtful = self._tools.ledger.letters_in_doubt(patience, BATCH)
        return sum(self._tools.ledger.letter_unsure(one, at=as_of) for one in doubtful)


def _kept(channel: Channel, written: Written) -> bytes:
    """The letter as it is kept in the request's file."""
    said = {"to": channel.address, "subject": written.subject, "text": written.text, "html": written.html}
    return orjson.dumps(said)
