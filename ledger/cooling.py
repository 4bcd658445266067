"""Cooling-off: an erasure waits for a while before it begins, and one click of the person stops it.

The one rule: while it runs, and while it is frozen, the fence lets nothing through; a stopped erasure goes on only by
the word of two people.
"""

import base64
import hmac
import re
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.channels import channels_on_file
from ledger.decisions import Decisions
from ledger.errors import LedgerRefusal
from ledger.gates import read_gates
from ledger.letters import queue_letter
from ledger.models import tasks
from ledger.models_deciding import coolings
from ledger.models_letters import letters
from ledger.outbox import post
from ledger.store import AnyRow, Store
from ledger.tasks import put_task, settle_tasks
from ledger.vault import Sealed
from rights.approvers import same_person
from rights.codes import Code
from rights.gate import Gate
from rights.letterkinds import LetterKind
from rights.letters import Particulars

Review = Literal["release", "withdraw"]
"""What becomes of a frozen erasure: it goes on, or it is taken back."""

_TOKEN: Final = re.compile(r"([0-9a-hjkmnp-tv-z]{26})\.([A-Za-z0-9_-]{27})\Z")
_POSTED_WITHIN: Final = timedelta(days=1)
"""A notice that comes after the wait stops nothing."""
_MARK_BYTES: Final = 20
"""160 bits of the keyed digest."""


class Cooling(Decisions):
    """Verbs of cooling-off."""

    def waive_cooling(self, connection: Connection, request_id: str) -> None:
        """Note at the opening that the asker has signed in with a second factor: nothing is waited for."""
        row = {"tenant": self.tenant, "request_id": request_id, "state": "waived"}
        connection.execute(upsert(coolings).on_conflict_do_nothing(), row)

    def cool(self, request_id: str, until: datetime, *, at: datetime, sms: str = "", mail: bool = True) -> Gate:
        """Begin to cool off until a moment, or end it if that has come; how it stands. Safe to repeat.

        With the beginning the notice that tells how to stop it is queued, to every channel on file. Where none is
        known, or no mail is set up, a person posts it: a wait that nobody is told of protects nobody.
        """
        with self._begin() as connection:
            row = self._open_row(connection, request_id)
            gate = read_gates(connection, self.tenant, [request_id])[request_id]
            if gate.incident:
                # Neither begun nor ended while the request stands still for it: the notice would not go out.
                return gate
            if connection.execute(
                _BEGIN, {"tenant": self.tenant, "request_id": request_id, "state": "running", "until": until}
            ).rowcount:
                if until > at:
                    self._warn(connection, request_id, until, at, sms, mail)
                self._journal(connection, "cooling", {"until": until}, at, request_id=row.id)
            else:
                over = connection.execute(
                    update(coolings)
                    .where(*_its(self.tenant, request_id), coolings.c.state == "running", coolings.c.until <= at)
                    .values(state="over")
                ).rowcount
                if over:
                    self._journal(connection, "cooled", {}, at, request_id=row.id)
            return read_gates(connection, self.tenant, [request_id])[request_id]

    def _warn(
        self, connection: Connection, request_id: str, until: datetime, at: datetime, sms: str, mail: bool
    ) -> None:
        cooling = connection.execute(select(coolings).where(*_its(self.tenant, request_id))).one()
        said = Particulars(stop_until=cooling.until, stop_token=self._token(cooling))
        channels = channels_on_file(self, connection, request_id, sms=sms) if mail else []
        # Where it begins anew the notices of the first time keep their numbers.
        first = _next_number(self, connection, request_id)
        if channels:
            key = self._vault.key(connection, request_id, "working")
            for number, channel in enumerate(channels):
                sealed = Sealed("working", _channel(first + number), channel.sealed())
                self._vault.put(connection, request_id, key, sealed, at)
        for number in range(first, first + max(len(channels), 1)):
            queue_letter(
                self,
                connection,
                request_id,
                LetterKind.COOLING_OFF_NOTICE,
                at,
                number=number,
                said=said.model_dump_json(exclude_unset=True).encode(),
                channel=_channel(number),
                post_by=min(at + _POSTED_WITHIN, until).date(),
            )

    def stop_token(self, request_id: str) -> str | None:
        """The token that stops this erasure, for the notice to the person; None while none would.

        It names the request by its opaque id and nobody by anything, opens nothing else, and ends with the cooling-off.
        """
        with self._look() as connection:
            row = connection.execute(select(coolings).where(*_its(self.tenant, request_id))).first()
        return self._token(row) if row and row.state == "running" and row.until else None

    def _token(self, row: AnyRow) -> str:
        mark = self._people.mark(f"STOP\0{row.request_id}\0{row.until.isoformat()}")[:_MARK_BYTES]
        return f"{row.request_id}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"

    def stop(self, token: str, *, at: datetime) -> bool:
        """Freeze the erasure that a token names, and put it on a person's desk; False if it was stopped before.

        To be called by a deliberate act (a command, a POST) and never by looking at a page: mail readers and scanners
        open links by themselves.

        Raises:
            LedgerRefusal: the token is none, or its time is over. What it was, is not said.
        """
        found = _TOKEN.match(token.strip())
        if found is None:
            raise LedgerRefusal(_NOTHING_STOPS)
        return self._stop(found[1], token.strip(), at)

    def stop_for_person(self, request_id: str, *, at: datetime) -> bool:
        """The same without a token, for a door that knows by itself that it is the person (`starter.handoff`).

        Raises:
            LedgerRefusal: nothing cools off that could be stopped.
        """
        return self._stop(request_id, None, at)

    def _stop(self, request_id: str, token: str | None, at: datetime) -> bool:
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = connection.execute(
                select(coolings).where(*_its(self.tenant, request_id), coolings.c.until.is_not(None)).with_for_update()
            ).first()
            if row is None or (token and not hmac.compare_digest(self._token(row).encode(), token.encode())):
                raise LedgerRefusal(_NOTHING_STOPS if token else _NOTHING_COOLS)
            if row.state == "frozen":
                return False
            # While it stands still nothing of it is erased, so it can still be stopped.
            still = read_gates(connection, self.tenant, [request_id])[request_id].incident
            if row.state != "running" or (row.until <= at and not still):
                raise LedgerRefusal(_NOTHING_STOPS if token else _NOTHING_COOLS)
            self._open_row(connection, request_id)
            connection.execute(
                update(coolings).where(*_its(self.tenant, request_id)).values(state="frozen", stopped_at=at)
            )
            put_task(self, connection, request_id, f"{request_id}/erasure/review/0", Code.STOPPED, "erasure", at)
            post(connection, self.tenant, "wake", request_id, at)
            self._journal(connection, "stopped", {}, at, request_id=request_id)
        return True

    def review(self, request_id: str, word: Review, *, by: str, at: datetime, note: str | None = None) -> bool:
        """Say what becomes of a frozen erasure. The first of two agents proposes it, the second carries it out; True
        once it is.

        Raises:
            LedgerRefusal: it is not frozen, or the same agent speaks twice, or the two do not agree.
        """
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = self._undecided(connection, request_id)
            frozen = connection.execute(
                select(coolings).where(*_its(self.tenant, request_id), coolings.c.state == "frozen").with_for_update()
            ).first()
            if frozen is None:
                raise LedgerRefusal("the request is not frozen: nothing is to be reviewed")
            if frozen.review is None:
                connection.execute(
                    update(coolings).where(*_its(self.tenant, request_id)).values(review=word, review_by=by)
                )
                self._decide(connection, row, "review", {}, at, note, told={"word": word, "by": by}, tell=False)
                return False
            if same_person(frozen.review_by) == same_person(by):
                raise LedgerRefusal("this agent has spoken already: a second one has to look at it")
            if frozen.review != word:
                connection.execute(
                    update(coolings).where(*_its(self.tenant, request_id)).values(review=None, review_by=None)
                )
                self._decide(connection, row, "review_split", {}, at, note, told={"word": word, "by": by}, tell=False)
                return False
            connection.execute(update(coolings).where(*_its(self.tenant, request_id)).values(state="over"))
            its = (tasks.c.request_id == request_id, tasks.c.code == Code.STOPPED.value)
            settle_tasks(self, connection, at, *its, ruling=word)
            if word == "withdraw":
                self._decide(connection, row, "withdraw", {"withdrawn_at": at}, at, note, by=by)
                return True
            post(connection, self.tenant, "wake", request_id, at)
            self._decide(connection, row, "released", {}, at, note, told={"by": by}, tell=False)
        return True


def _next_number(store: Store, connection: Connection, request_id: str) -> int:
    """The number of the next notice."""
    notices = select(func.count()).where(
        letters.c.tenant == store.tenant,
        letters.c.request_id == request_id,
        letters.c.kind == LetterKind.COOLING_OFF_NOTICE.value,
    )
    return int(connection.scalar(notices) or 0)


def _channel(number: int) -> str:
    """The name in the vault (`working`) of where a notice goes."""
    return f"channel/cooling/{number}"


def _its(tenant: str, request_id: str) -> tuple[ColumnElement[bool], ...]:
    return (coolings.c.tenant == tenant, coolings.c.request_id == request_id)


_put: Final = upsert(coolings)
_BEGIN: Final = _put.on_conflict_do_update(
    index_elements=[coolings.c.tenant, coolings.c.request_id],
    # One that begins anew (ledger/standstill.py).
    where=(coolings.c.state == "running") & coolings.c.until.is_(None),
    set_={"until": _put.excluded.until},
)
_NOTHING_STOPS: Final = "this is no token that stops anything, or its time is over: write to the controller instead"
_NOTHING_COOLS: Final = "nothing can be stopped any more, or not yet: write to the controller instead"
