"""Letters on their way: queued with the decision they tell of, sent once, bounced, posted.

The one rule: a letter is sent at most once for each word that asks for it. What may or may not have gone out is looked
for or asked about, never sent again on a guess.

A letter's id says what it is: ``CASE.kind.number``, so that the same letter cannot be queued twice.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, Date, DateTime, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models import outbox, requests, vault
from ledger.models_identity import identity_cases
from ledger.models_letters import letters
from ledger.outbox import post
from ledger.store import AnyRow, Store
from ledger.tasks import put_task
from ledger.vault import Sealed
from rights.codes import Code
from rights.value import Value

REPLY: Final = "channel"
"""The name in the vault (`working`) of where the asker is written to, unless a letter names another."""
REPRESENTATIVE: Final = "channel/representative"
"""The same of whoever asks for the person, where their mandate has the answer go to them."""
POST_WITHIN: Final = timedelta(days=3)
"""By when a letter is to be posted or handed over, where nothing closer is said: "without undue delay"."""
_DIGITS: Final = 32
"""Hexadecimal digits of a Message-ID: 128 bits of a keyed digest, which nobody guesses who has not had the mail."""


class LetterState(StrEnum):
    """Where a letter stands."""

    QUEUED = "queued"
    SENDING = "sending"
    """The server was about to be given the text; whether it has it is not settled yet."""
    UNSURE = "unsure"
    """It may have gone out or not, and nothing says which: a person is asked."""
    SENT = "sent"
    """The mail server has taken it on."""
    BOUNCED = "bounced"
    """Taken on, and could not be delivered."""
    REFUSED = "refused"
    """The mail server would not take it."""
    TO_POST = "to_post"
    """A person posts it, or hands it over."""
    POSTED = "posted"
    """A person has posted it or handed it over."""
    LEFT = "left"
    """A person has ruled that it is not sent."""


OF_LETTERS: Final = frozenset({Code.POST_OUT, Code.POST_IN, Code.BOUNCED, Code.MAIL_REFUSED, Code.MAIL_UNSURE})
"""Tasks about letters. They outlive the closing of their request."""


class Channel(NamedTuple):
    """Where somebody is written to. Personal: sealed, never printed."""

    kind: Literal["email", "post"]
    address: str
    """An e-mail address; or lines of a postal one."""
    name: str = ""

    def __repr__(self) -> str:
        return f"<a channel of kind {self.kind}>"

    def sealed(self) -> bytes:
        """As it lies in the vault."""
        return orjson.dumps([self.kind, self.address, self.name])

    @classmethod
    def unsealed(cls, data: bytes) -> "Channel":
        """Read back what `sealed` wrote."""
        return cls(*orjson.loads(data))


class Letter(Value):
    """A letter, without what it says and to whom."""

    id: str
    case_id: str
    request_id: str | None
    """None of a campaign's."""
    kind: str
    number: int
    language: str
    channel: str | None
    """The name of its channel in the vault; None where no way to send it is known."""
    state: LetterState
    code: str
    """Why, where it was put off, refused or returned: an SMTP or delivery status, or a word."""
    message_id: str
    """The left side of the mail's Message-ID."""
    tries: int
    attempts: int
    queued_at: datetime
    sending_at: datetime | None
    settled_at: datetime | None
    post_by: date | None


def letter_id(case_id: str, kind: str, number: int) -> str:
    """The id of a letter."""
    return f"{case_id}.{kind}.{number}"


def said_name(kind: str, number: int) -> str:
    """Under which name (`file`) what a decision has given a letter to say is sealed."""
    return f"letter/{kind}/{number}"


def text_name(kind: str, number: int) -> str:
    """Under which name (`file`) a letter is sealed as it was sent."""
    return f"letter/{kind}/{number}/text"


columns: Final = [letters.c[name] for name in Letter.model_fields]
this: Final = (letters.c.tenant == bindparam("of"), letters.c.id == bindparam("letter"))
_QUEUE: Final = upsert(letters).on_conflict_do_nothing().returning(letters.c.id)
_named = select(vault.c.name).where(
    vault.c.tenant == bindparam("tenant"),
    vault.c.case_id == bindparam("case_id"),
    vault.c.purpose == literal_column("'working'"),
)
_case = (identity_cases.c.tenant == bindparam("tenant"), identity_cases.c.request_id == bindparam("case_id"))
_WHERE_TO: Final = select(
    _named.where(vault.c.name == bindparam("channel")).exists().label("known"),
    _named.where(vault.c.name == literal_column(f"'{REPRESENTATIVE}'")).exists().label("theirs"),
    # A mandate that is over carries nothing more to anybody, by the calendar of whoever asks.
    select(identity_cases.c.answer_to)
    .join(requests, (requests.c.tenant == identity_cases.c.tenant) & (requests.c.id == identity_cases.c.request_id))
    .where(
        *_case,
        (identity_cases.c.mandate_expires.is_(None))
        | (
            identity_cases.c.mandate_expires
            >= cast(func.timezone(requests.c.zone, bindparam("at", type_=DateTime(timezone=True))), Date)
        ),
    )
    .scalar_subquery()
    .label("answer_to"),
)
_CALLED: Final = select(outbox.c.id).where(
    outbox.c.tenant == bindparam("tenant"), outbox.c.kind == "letters", outbox.c.sent_at.is_(None)
)


def task_key(request_id: str, kind: str, number: int) -> str:
    """What the tasks about a letter of a request hang on."""
    return f"{request_id}/letter/{kind}/{number}"


def call_for_letters(store: Store, connection: Connection, at: datetime) -> None:
    """Have queued letters sent, unless the word to do so is on its way."""
    if connection.execute(_CALLED, {"tenant": store.tenant}).first() is None:
        post(connection, store.tenant, "letters", "", at)


def message_id(store: Store, letter: str, tries: int) -> str:
    """The left side of a letter's Message-ID: the same for every attempt, another one once a person sends it anew."""
    return store._people.mark(f"LETTER\0{letter}\0{tries}").hex()[:_DIGITS]


def queue_letter(
    store: Store,
    connection: Connection,
    request_id: str,
    kind: str,
    at: datetime,
    *,
    number: int = 0,
    said: bytes | None = None,
    channel: str = REPLY,
    language: str = "",
    post_by: date | None = None,
    only_if_known: bool = False,
) -> str | None:
    """Queue a letter of a request, in the transaction of what it tells of; its id.

    The same kind and number of a request is the same letter: queued once, whatever comes later. To be called before the
    transaction writes to the journal, since all others wait for that.

    Args:
        number: counts letters of one kind, such as reminders.
        said: what the decision gives the letter to say (`rights.letters.Particulars` as JSON); sealed in the file.
        channel: the name in the vault (`working`) of the address, as `Channel.sealed` wrote it; without it, where the
            asker is written to: that is whoever asks for the person, if a mandate in force says so.
        language: of the letter; empty for the deployment's.
        post_by: by when it is to be posted, where nobody can be written to electronically.
        only_if_known: queue nothing (and return None) where the channel is not known; else a person posts the letter.
    """
    its = {"tenant": store.tenant, "case_id": request_id, "channel": channel, "at": at}
    found = connection.execute(_WHERE_TO, its).one()
    known = found.known
    if channel == REPLY and found.answer_to == "representative":
        # Not to the person, also where only a person knows how to reach who asks for them.
        only_if_known = only_if_known and not (known or found.theirs)
        channel, known = REPRESENTATIVE, found.theirs
    if not known and only_if_known:
        return None
    letter = letter_id(request_id, kind, number)
    state = LetterState.QUEUED if known else LetterState.TO_POST
    by = None if known else post_by or (at + POST_WITHIN).date()
    row = {
        "tenant": store.tenant,
        "id": letter,
        "case_id": request_id,
        "request_id": request_id,
        "kind": str(kind),
        "number": number,
        "language": language,
        "channel": channel if known else None,
        "state": state.value,
        "message_id": message_id(store, letter, 0),
        "queued_at": at,
        "post_by": by,
    }
    if connection.scalar(_QUEUE, row) is None:
        return letter
    if said is not None:
        key = store._vault.key(connection, request_id, "file")
        store._vault.put(connection, request_id, key, Sealed("file", said_name(kind, number), said), at)
    if known:
        call_for_letters(store, connection, at)
    else:
        about = task_key(request_id, kind, number)
        put_task(store, connection, request_id, about, Code.POST_OUT, str(kind), at, due_on=by)
    store._journal(connection, "letter", {"letter": letter, "state": state}, at, request_id=request_id)
    return letter


def read_letter(row: AnyRow) -> Letter:
    """A letter from a row of `columns`."""
    return Letter.model_validate(row._mapping)
