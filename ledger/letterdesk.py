"""What people say about letters: sent anew, posted, handed over, come in, left.

The one rule: a letter is sent again only by a person's word, and as another mail.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from ledger.clocks import Clocks
from ledger.errors import LedgerRefusal
from ledger.letters import (
    OF_LETTERS,
    Letter,
    LetterState,
    call_for_letters,
    columns,
    letter_id,
    message_id,
    read_letter,
    task_key,
    this,
)
from ledger.models import requests, tasks
from ledger.models_incidents import incident_requests, incidents
from ledger.models_letters import letters
from ledger.notes import by_whom, keep_word
from ledger.store import Store
from ledger.tasks import put_task, settle_tasks
from ledger.told import letter_told, lock_told
from rights.codes import Code
from rights.letterkinds import OF_DEMANDS
from rights.reckoning import local_day

_AGAIN: Final = {LetterState.BOUNCED, LetterState.REFUSED, LetterState.UNSURE, LetterState.TO_POST}

_BROUGHT: Final = {Code.POST_OUT, Code.BOUNCED, Code.MAIL_REFUSED}
"""Tasks of which 'done' says that a person has brought the letter over."""

_FIND_TASK: Final = (
    select(tasks)
    .where(
        tasks.c.tenant == bindparam("tenant"),
        tasks.c.request_id == bindparam("request_id"),
        tasks.c.id == bindparam("task"),
        tasks.c.code.in_([code.value for code in OF_LETTERS]),
    )
    .with_for_update(key_share=True)
)


def rule_on_letter(
    store: Clocks,
    connection: Connection,
    request_id: str,
    task_id: str,
    ruling: str,
    *,
    at: datetime,
    note: str | None,
    by: str | None,
    on: date | None,
) -> bool | None:
    """Carry out a ruling on a task about a letter: done (on a day), retry or give_up; None if it is no such task.

    False if it was ruled so before.

    Raises:
        LedgerRefusal: the ruling makes no sense for it.
    """
    lock_told(store, connection, request_id)
    task = connection.execute(_FIND_TASK, {"tenant": store.tenant, "request_id": request_id, "task": task_id}).first()
    if task is None:
        return None
    if task.ruling == ruling:
        return False
    if task.settled_at:
        raise LedgerRefusal("the task is settled: nothing is left to rule on")
    if ruling == "choose":
        raise LedgerRefusal(f"'choose' does not answer a task '{task.code}': nothing is to be chosen")
    zone = _zone(store, connection, request_id)
    today = local_day(at, zone)
    if on and on > today:
        raise LedgerRefusal("the day of --on is still to come: say when it was done")
    day, code = on or today, Code(task.code)
    if ruling == "done" and code in _BROUGHT:
        _refuse_still(store, connection, request_id, day, zone)
    connection.execute(
        update(tasks).where(tasks.c.tenant == store.tenant, tasks.c.id == task_id).values(ruling=ruling, settled_at=at)
    )
    _, _, kind, number = task.step_key.split("/")
    body: dict[str, object] = {"task": task_id, "code": code, "word": ruling}
    body |= {**({"on": day} if ruling == "done" else {}), **by_whom(by)}
    if code is Code.POST_IN:
        if ruling == "retry":
            raise LedgerRefusal("post that is waited for comes in or does not: rule 'done' with --on, or 'give_up'")
    else:
        body |= _carried_out(store, connection, letter_id(request_id, kind, int(number)), code, ruling, at)
    _journal(store, connection, request_id, "letter_ruled", body, at, note, task.step_key)
    if ruling == "done" and code is not Code.POST_IN:
        letter_told(store, connection, letter_id(request_id, kind, int(number)), at, on=day)
    return True


def _zone(store: Store, connection: Connection, request_id: str) -> str:
    """Whose days those of a request's letters are: whoever posts one at night says so by their own calendar."""
    its = requests.c.tenant == store.tenant, requests.c.id == request_id
    return connection.scalar(select(requests.c.zone).where(*its)) or "UTC"


def _refuse_still(store: Store, connection: Connection, request_id: str, day: date, zone: str) -> None:
    """Refuse that a letter was brought to the person while its request stands still: that it went out before is known
    by its day."""
    since = connection.scalar(
        select(func.min(incidents.c.opened_at))
        .join(
            incident_requests,
            (incident_requests.c.tenant == incidents.c.tenant) & (incident_requests.c.incident_id == incidents.c.id),
        )
        .where(
            incidents.c.tenant == store.tenant,
            incident_requests.c.request_id == request_id,
            incident_requests.c.stopped,
        )
    )
    if since is not None and day >= local_day(since, zone):
        raise LedgerRefusal(
            "the request stands still for an incident, so no letter of it goes out: post it once that is lifted; "
            "one that was posted before takes --on with that day"
        )


def _carried_out(
    store: Store, connection: Connection, letter: str, code: Code, ruling: str, at: datetime
) -> dict[str, object]:
    """Do with a letter what was ruled; what the journal says of it."""
    its = {"of": store.tenant, "letter": letter}
    if ruling == "retry":
        _again(store, connection, read_letter(connection.execute(select(*columns).where(*this), its).one()), at)
        return {"letter": letter, "state": LetterState.QUEUED}
    if ruling == "give_up":
        state = LetterState.LEFT
    else:
        # Unsure, and found to have gone out: then it was sent. Else a person has brought it over.
        state = LetterState.SENT if code is Code.MAIL_UNSURE else LetterState.POSTED
    connection.execute(update(letters).where(*this).values(state=state.value, settled_at=at), its)
    return {"letter": letter, "state": state}


def _again(store: Store, connection: Connection, letter: Letter, at: datetime) -> None:
    if letter.channel is None:
        raise LedgerRefusal("no mail address of this person is known, so nothing can be sent: post the letter")
    tries = letter.tries + 1
    done = connection.execute(
        update(letters)
        .where(*this, letters.c.state.in_([one.value for one in _AGAIN]))
        .values(
            state=LetterState.QUEUED.value,
            tries=tries,
            attempts=0,
            message_id=message_id(store, letter.id, tries),
            code="",
            due_at=None,
            sending_at=None,
            settled_at=None,
            post_by=None,
        ),
        {"of": store.tenant, "letter": letter.id},
    ).rowcount
    if not done:
        raise LedgerRefusal(f"the letter is {letter.state}: only one that did not arrive is sent again")
    if letter.request_id:
        settle_tasks(store, connection, at, tasks.c.step_key == task_key(letter.request_id, letter.kind, letter.number))
    call_for_letters(store, connection, at)


def _journal(
    store: Store,
    connection: Connection,
    request_id: str,
    kind: str,
    body: Mapping[str, object],
    at: datetime,
    note: str | None,
    key: str | None = None,
) -> None:
    """Journal what a person has said; the note goes to the request's file."""
    kept = keep_word(store, connection, request_id, note, at)
    store._journal(connection, kind, {**body, **kept}, at, request_id=request_id, key=key)


class LetterDesk(Store):
    """The verbs of people."""

    # What people say.

    def resend_letter(self, letter: str, *, at: datetime, note: str | None = None, by: str | None = None) -> None:
        """Send a letter anew, as another mail.

        Raises:
            LedgerRefusal: there is none of this id, no mail address is known, or it is under way or was not returned.
        """
        with self._begin() as connection:
            row = connection.execute(select(*columns).where(*this), {"of": self.tenant, "letter": letter}).first()
            if row is None:
                raise LedgerRefusal("there is no letter of this id")
            found = read_letter(row)
            if found.kind in OF_DEMANDS:
                raise LedgerRefusal("a letter about a demand is posted where mail failed: habeas authority letter")
            _again(self, connection, found, at)
            if found.request_id:
                said = {"letter": found.id, "state": LetterState.QUEUED, **by_whom(by)}
                _journal(self, connection, found.request_id, "letter_resent", said, at, note)

    def expect_post(self, request_id: str, what: str, by: date, *, at: datetime) -> None:
        """Wait for something to come in by post until a day: a task with that date. `what` is a code such as mandate.

        Raises:
            LedgerRefusal: there is no such request.
        """
        with self._begin() as connection:
            there = select(requests.c.id).where(requests.c.tenant == self.tenant, requests.c.id == request_id)
            if connection.scalar(there) is None:
                raise LedgerRefusal("there is no request of this id")
            put_task(self, connection, request_id, task_key(request_id, what, 0), Code.POST_IN, what, at, due_on=by)
