"""What people say of what an erasure has left: that it must still be kept, that it is opened, that it goes now.

The one rule: nothing is opened or destroyed on one person's word; and what is kept without an end is asked about again
until somebody has said something.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from ledger.errors import LedgerRefusal
from ledger.models import requests, tasks
from ledger.models_deferred import deferrals
from ledger.models_rests import rest_locks, rest_words
from ledger.outbox import post
from ledger.rests import review_key
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from rights.approvers import same_person
from rights.codes import Code
from rights.request import Phase
from rights.restwords import OpenGround, RestWord
from rights.value import Value

_mine: Final = (rest_words.c.tenant == bindparam("of"), rest_words.c.request_id == bindparam("id"))
_LEFT: Final = (
    select(deferrals)
    .where(
        deferrals.c.tenant == bindparam("of"), deferrals.c.request_id == bindparam("id"), deferrals.c.over_at.is_(None)
    )
    .with_for_update()
)
_LOCKED: Final = (
    select(rest_locks.c.request_id, rest_locks.c.system, rest_locks.c.since)
    .where(rest_locks.c.tenant == bindparam("of"), rest_locks.c.over_at.is_(None))
    .order_by(rest_locks.c.request_id, rest_locks.c.system)
)


class Said(Value):
    """A word on what one request has left."""

    request_id: str
    word: RestWord
    ground: OpenGround | None = None
    asked_by: str
    asked_at: datetime
    agreed_by: str = ""
    agreed_at: datetime | None = None
    """None: it waits for a second person."""
    begun_at: datetime | None = None
    """When it began to be carried out."""


class RestLock(Value):
    """What is locked away of one request in one system."""

    request_id: str
    system: str
    since: datetime


class RestWords(Store):
    """Verbs of people on what erasures have left. `by` is a person, as an opaque staff id or a role."""

    def say_of_rest(
        self, request_id: str, word: RestWord, *, by: str, at: datetime, ground: OpenGround | None = None
    ) -> bool:
        """Ask that what a request has left is opened or goes now, or, as a second person, agree; whether it is agreed.

        Raises:
            LedgerRefusal: there is nothing that it could be said of, it was said before, or by the same person.
        """
        with self._begin() as connection:
            row, left = self._row_and_left(connection, request_id)
            words = self._words(connection, request_id)
            self._refuse_word(connection, row, left, word, words)
            said = words.get(word)
            if said is None:
                values = {"word": word.value, "ground": ground or "", "asked_by": by, "asked_at": at}
                connection.execute(insert(rest_words).values(tenant=self.tenant, request_id=request_id, **values))
                body = {"word": word, "ground": ground, "by": by}
                self._journal(connection, "rest_asked", body, at, request_id=request_id)
                return False
            if same_person(by) in {"", same_person(said.asked_by)}:
                raise LedgerRefusal("it takes a second person: whoever has asked for it is not one")
            if said.ground != ground:
                raise LedgerRefusal(
                    "the first person has named another ground: agree to that one, or take it back (habeas rest keep)"
                )
            # Of an open request its own run sees to it.
            open_ = row.phase != Phase.CLOSED
            agreed = {"agreed_by": by, "agreed_at": at, "begun_at": at if open_ else None}
            connection.execute(
                update(rest_words).where(*_mine, rest_words.c.word == word.value).values(**agreed),
                _its(self, request_id),
            )
            post(connection, self.tenant, "wake" if open_ else "deferred", request_id, at)
            body = {"word": word, "ground": said.ground, "asked_by": said.asked_by, "by": by}
            self._journal(connection, "rest_agreed", body, at, request_id=request_id)
        return True

    def keep_rest(self, request_id: str, *, by: str, ask_at: datetime, at: datetime) -> None:
        """Note that what a closed request has left must still be kept; somebody is asked again on another day. What one
        person has asked for is taken back.

        Raises:
            LedgerRefusal: nothing of it is kept without an end, or the day is not in the future.
        """
        if ask_at <= at:
            raise LedgerRefusal("the next review has to lie in the future")
        with self._begin() as connection:
            _, left = self._row_and_left(connection, request_id)
            words = self._words(connection, request_id)
            waiting = [said for said in words.values() if said.agreed_at is None]
            if (left is None or left.ask_at is None) and not waiting:
                raise LedgerRefusal("nothing of this request is kept without an end: nobody has to say that it stays")
            if RestWord.ERASE in words and words[RestWord.ERASE].agreed_at:
                raise LedgerRefusal("two people have said that it goes now: place a hold, if it must be kept")
            if left is not None and left.ask_at is not None:
                connection.execute(
                    update(deferrals)
                    .where(deferrals.c.tenant == self.tenant, deferrals.c.request_id == request_id)
                    .values(ask_at=ask_at)
                )
                settle_tasks(self, connection, at, tasks.c.step_key == review_key(request_id))
                post(connection, self.tenant, "deferred", request_id, at)
            connection.execute(
                delete(rest_words).where(*_mine, rest_words.c.agreed_at.is_(None)), _its(self, request_id)
            )
            body = {"ask_at": ask_at, "by": by, "taken_back": [said.word for said in waiting]}
            self._journal(connection, "rest_kept", body, at, request_id=request_id)

    def ask_of_rest(self, request_id: str, *, at: datetime) -> bool:
        """Ask a person, once, whether what a closed request has left must still be kept; whether that is new."""
        with self._begin() as connection:
            key = review_key(request_id)
            return put_task(self, connection, request_id, key, Code.REST_REVIEW, "what was left", at) is not None

    def rest_said(self, request_id: str) -> dict[RestWord, Said]:
        """What people have said of what a request has left."""
        with self._look() as connection:
            return self._words(connection, request_id)

    def rest_locks(self) -> list[RestLock]:
        """All that is locked away now, by request."""
        with self._look() as connection:
            return [RestLock.model_validate(row._mapping) for row in connection.execute(_LOCKED, {"of": self.tenant})]

    def _refuse_word(
        self,
        connection: Connection,
        row: AnyRow,
        left: AnyRow | None,
        word: RestWord,
        words: Mapping[RestWord, Said],
    ) -> None:
        if any(said.agreed_at and (said.word is word or said.word is RestWord.ERASE) for said in words.values()):
            raise LedgerRefusal("two people have said so already: it is done, or on its way")
        its = _LOCKED.where(rest_locks.c.request_id == bindparam("id"))
        locked = connection.execute(its, _its(self, row.id)).first() is not None
        if word is RestWord.ERASE:
            if row.phase != Phase.CLOSED:
                raise LedgerRefusal(
                    "the request is open: decide on it anew (habeas decision propose), or release the hold"
                )
            # Nor of what only a hold keeps, which may have to stay secret.
            if left is None or (left.ask_at is None and not locked):
                raise LedgerRefusal("this request has left nothing that could go: habeas rest list shows what has")
            return
        if not locked:
            raise LedgerRefusal("nothing of this request is locked away: habeas rest list shows what is")
        if row.phase == Phase.CLOSED and left is None:
            raise LedgerRefusal("another request carries on with what this one had left: habeas rest list shows which")

    def _row_and_left(self, connection: Connection, request_id: str) -> tuple[AnyRow, AnyRow | None]:
        query: Select[Any] = (
            select(requests.c.id, requests.c.phase)
            .where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("id"))
            .with_for_update(key_share=True)
        )
        row = connection.execute(query, _its(self, request_id)).first()
        if row is None:
            raise LedgerRefusal("there is no request of this id")
        return row, connection.execute(_LEFT, _its(self, request_id)).first()

    def _words(self, connection: Connection, request_id: str) -> dict[RestWord, Said]:
        rows = connection.execute(select(rest_words).where(*_mine), _its(self, request_id))
        found = [Said.model_validate({**row._mapping, "ground": row.ground or None}) for row in rows]
        return {said.word: said for said in found}


def _its(store: Store, request_id: str) -> dict[str, Any]:
    return {"of": store.tenant, "id": request_id}
