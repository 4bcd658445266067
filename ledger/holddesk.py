"""What holds ask of people: a second person, a review, an answer in counsel's words.

The one rule: nothing here is seen by a request's agents, and nothing that nobody answers is let go of: a hold that is
not confirmed stays in force, and somebody higher up is asked.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models import hold_subjects, holds, request_subjects, requests
from ledger.models_holds import hold_answers, hold_tasks, hold_terms
from ledger.notes import keep_note
from ledger.outbox import post
from ledger.requestrow import IS_OPEN
from ledger.store import Store
from rights.holds import ANSWER_BEFORE, ESCALATE_EVERY, STOPPED, Desk, Disclosure
from rights.value import Value

_its_holds = (hold_terms.c.tenant == holds.c.tenant) & (hold_terms.c.hold_id == holds.c.id)
_in_force: Final = (
    select(
        holds.c.id, hold_terms.c.review_on, hold_terms.c.confirm_by, hold_terms.c.confirmed_at, hold_terms.c.placed_by
    )
    .join(hold_terms, _its_holds)
    .where(holds.c.tenant == bindparam("of"), holds.c.released_at.is_(None))
)
_OPEN: Final[Select[Any]] = (
    select(*(c for c in hold_tasks.c if c.name not in {"tenant", "settled_at"}))
    .where(
        hold_tasks.c.tenant == bindparam("of"),
        hold_tasks.c.settled_at.is_(None),
        # What has ended by itself, or was taken back, is answered by nobody any more.
        ~select(requests.c.id)
        .where(
            requests.c.tenant == hold_tasks.c.tenant,
            requests.c.id == hold_tasks.c.about,
            (requests.c.phase == literal_column("'closed'")) | requests.c.withdrawn_at.is_not(None),
        )
        .exists(),
    )
    .order_by(hold_tasks.c.id)
)


def secret(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """Whether a hold must not be told on a day: `Terms.secret` in SQL."""
    return (hold_terms.c.disclosure == literal_column(f"'{Disclosure.COUNSEL_TEXT}'")) | (
        (hold_terms.c.disclosure == literal_column(f"'{Disclosure.AFTER}'"))
        & (hold_terms.c.tell_from.is_(None) | (hold_terms.c.tell_from > day))
    )


_TO_ANSWER: Final = (
    select(requests.c.id, requests.c.internal_due, func.min(holds.c.id).label("hold_id"))
    .join(
        request_subjects,
        (request_subjects.c.tenant == requests.c.tenant) & (request_subjects.c.request_id == requests.c.id),
    )
    .join(
        hold_subjects,
        (hold_subjects.c.tenant == request_subjects.c.tenant) & (hold_subjects.c.digest == request_subjects.c.digest),
    )
    .join(holds, (holds.c.tenant == hold_subjects.c.tenant) & (holds.c.id == hold_subjects.c.hold_id))
    .join(hold_terms, _its_holds)
    .where(
        requests.c.tenant == bindparam("of"),
        IS_OPEN,
        requests.c.right.in_([literal_column(f"'{right}'") for right in sorted(STOPPED)]),
        requests.c.withdrawn_at.is_(None),
        requests.c.internal_due <= bindparam("until"),
        secret(bindparam("day")),
        ~select(hold_answers.c.request_id)
        .where(hold_answers.c.tenant == requests.c.tenant, hold_answers.c.request_id == requests.c.id)
        .exists(),
    )
    .group_by(requests.c.id, requests.c.internal_due)
)


def put_on_desk(
    store: Store, connection: Connection, hold_id: str, about: str, code: Desk, due_at: datetime | None, at: datetime
) -> int:
    """Put a task of a hold on the desk; 0 if it lies there."""
    row = {"hold_id": hold_id, "about": about, "code": code.value, "level": 0, "opened_at": at, "due_at": due_at}
    return connection.execute(
        upsert(hold_tasks).on_conflict_do_nothing(), {**row, "tenant": store.tenant, "id": new_id(at)}
    ).rowcount


def settle_desk(
    store: Store, connection: Connection, at: datetime, *its: ColumnElement[bool], codes: Iterable[Desk] = Desk
) -> None:
    """Take tasks of holds off the desk."""
    lying = (hold_tasks.c.tenant == store.tenant, hold_tasks.c.settled_at.is_(None))
    asked = hold_tasks.c.code.in_([code.value for code in codes])
    connection.execute(update(hold_tasks).where(*lying, *its, asked).values(settled_at=at))


class HoldTask(Value):
    """What a hold asks of people, while nobody has done it."""

    id: str
    hold_id: str
    about: str
    """answer: the request; else empty."""
    code: Desk
    level: int
    """How often it was asked for in vain."""
    opened_at: datetime
    due_at: datetime | None


class HoldDesk(Store):
    """Verbs on these tasks."""

    def ask_about_holds(self, *, at: datetime) -> int:
        """Put on the desk what is due: a confirmation that is late, a review, an answer of counsel; how many are new,
        or have gone one level up."""
        asked = 0
        with self._look() as connection:
            standing = connection.execute(_in_force, {"of": self.tenant}).all()
        if not standing:
            return 0
        for hold in standing:
            if hold.confirmed_at is None and hold.confirm_by and hold.confirm_by <= at:
                asked += self._escalate(hold.id, hold.confirm_by, at)
            if hold.review_on and hold.review_on <= at.date():
                asked += self._ask(hold.id, "", Desk.REVIEW, None, at)
        with self._look() as connection:
            due = {"of": self.tenant, "until": at + ANSWER_BEFORE, "day": at.date()}
            to_answer = connection.execute(_TO_ANSWER, due).all()
        for row in to_answer:
            asked += self._ask(row.hold_id, row.id, Desk.ANSWER, row.internal_due, at)
        return asked

    def hold_tasks(self) -> list[HoldTask]:
        """What lies on that desk, the oldest first."""
        with self._look() as connection:
            return [HoldTask.model_validate(row._mapping) for row in connection.execute(_OPEN, {"of": self.tenant})]

    def answer_for(self, request_id: str, *, by: str, text: str, at: datetime) -> bool:
        """Note that counsel has answered a request that a secret hold touches, in their own words, which are sealed in
        its file. The engine writes no letter of its own for it; the request goes on to its end. False if that was noted
        before.

        Raises:
            LedgerRefusal: there is no such request, it is closed, or no hold that must stay secret touches it.
        """
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            far = {"of": self.tenant, "until": datetime.max.replace(tzinfo=at.tzinfo), "day": at.date()}
            touched = connection.execute(_TO_ANSWER.where(requests.c.id == bindparam("id")), far | {"id": request_id})
            if touched.first() is None:
                said = select(hold_answers.c.by).where(
                    hold_answers.c.tenant == self.tenant, hold_answers.c.request_id == request_id
                )
                if connection.execute(said).first():
                    return False
                raise LedgerRefusal("no request of this id waits for an answer of counsel")
            connection.execute(
                upsert(hold_answers), {"tenant": self.tenant, "request_id": request_id, "by": by, "at": at}
            )
            kept = keep_note(self, connection, request_id, "answer/counsel", text, at)
            settle_desk(self, connection, at, hold_tasks.c.about == request_id, codes=[Desk.ANSWER])
            post(connection, self.tenant, "wake", request_id, at)
            # Not among the request's own entries, which its agents read: only a hold has counsel answer.
            body = {"request": request_id, "by": by, **kept}
            self._journal(connection, "answered_by_counsel", body, at, key=request_id)
        return True

    def answered_by_counsel(self, request_id: str) -> bool:
        """Whether counsel has answered a request."""
        query = select(hold_answers.c.by).where(
            hold_answers.c.tenant == self.tenant, hold_answers.c.request_id == request_id
        )
        with self._look() as connection:
            return connection.execute(query).first() is not None

    def _ask(self, hold_id: str, about: str, code: Desk, due_at: datetime | None, at: datetime) -> int:
        with self._begin() as connection:
            made = put_on_desk(self, connection, hold_id, about, code, due_at, at)
            if made:
                body = {"hold": hold_id, "task": code, "about": about}
                self._journal(connection, "hold_task", body, at, key=hold_id)
        return made

    def _escalate(self, hold_id: str, confirm_by: datetime, at: datetime) -> int:
        """Ask for a late confirmation, one level up for each time that has passed in vain."""
        level = 1 + int((at - confirm_by) / ESCALATE_EVERY)
        here = (
            hold_tasks.c.tenant == self.tenant,
            hold_tasks.c.hold_id == hold_id,
            hold_tasks.c.code == Desk.UNCONFIRMED.value,
            hold_tasks.c.settled_at.is_(None),
        )
        with self._begin() as connection:
            made = put_on_desk(self, connection, hold_id, "", Desk.UNCONFIRMED, confirm_by, at)
            raised = connection.execute(
                update(hold_tasks).where(*here, hold_tasks.c.level < level).values(level=level)
            ).rowcount
            if raised:
                body = {"hold": hold_id, "task": Desk.UNCONFIRMED, "level": level}
                self._journal(connection, "hold_task", body, at, key=hold_id)
        return int(bool(made or raised))
