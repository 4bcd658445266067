"""Clocks of requests: what they were opened under, and what has moved them since.

The one rule: a clock moves only by an event of the journal, reckoned by the text of the law that the request was opened
under, whatever the rules of today say.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.models import entries, requests, rulesets
from ledger.notes import keep_word
from ledger.outbox import post
from ledger.store import AnyRow, Store
from rights.approvers import same_person
from rights.clockwork import ClockEvent, NotAllowedError, Turn, turned
from rights.deadlines import Clock, acting
from rights.regimes import Regime, read_regime, text_of
from rights.request import Phase, Right

_KEEP: Final = upsert(rulesets).on_conflict_do_nothing()
_EVENTS: Final = (
    select(entries.c.body)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.request_id == bindparam("request_id"),
        entries.c.kind == literal_column("'clock'"),
    )
    .order_by(entries.c.seq)
)
_LOCK: Final = (
    select(requests)
    .where(requests.c.tenant == bindparam("tenant"), requests.c.id == bindparam("request_id"))
    .with_for_update(key_share=True)
)
_OWN: Final = {"zone", "holidays", "received_at"}
"""What all clocks of a request have in common, and the row has a column for."""


def keep_rulesets(connection: Connection, tenant: str, clocks: Iterable[Clock]) -> None:
    """Write the texts of the laws of clocks down that are just started."""
    for clock in clocks:
        keep_text(connection, tenant, clock.ruleset, text_of(clock.regime))


def keep_text(connection: Connection, tenant: str, digest: str, text: str) -> None:
    """Write the text of a law down by its digest, once."""
    connection.execute(_KEEP, {"tenant": tenant, "digest": digest, "body": text})


def clock_column(clocks: Sequence[Clock]) -> list[dict[str, Any]]:
    """What the row keeps of its clocks beside what they have in common."""
    return [clock.model_dump(mode="json", exclude=_OWN, exclude_defaults=True) for clock in clocks]


def clocks_of(row: AnyRow) -> tuple[Clock, ...]:
    """The clocks of a row of `requests`."""
    own = {"zone": row.zone, "holidays": tuple(row.holidays), "received_at": row.received_at}
    if row.clocks is None:  # opened before there were several
        dates = {"internal_due": row.internal_due, "legal_due": row.legal_due}
        return (Clock(regime=row.regime, ruleset=row.ruleset, **own, **dates),)
    return tuple(Clock.model_validate({**one, **own}) for one in row.clocks)


def laws_of(row: AnyRow) -> tuple[str, ...]:
    """The laws that a row of `requests` is asked under."""
    return (row.regime,) if row.clocks is None else tuple(one["regime"] for one in row.clocks)


class Clocks(Store):
    """Verbs on clocks."""

    def turn_clock(
        self, request_id: str, event: ClockEvent, *, at: datetime, note: str | None = None, by: Mapping[str, str] = {}
    ) -> Clock:
        """Write down what moves a request's clock, and move it; the acting clock after it.

        `note` is a free text, sealed in the request's file: the reasons of a notice, what was asked. `by` says who, as
        roles or opaque ids.

        Raises:
            LedgerRefusal: the law or the order of things does not allow it, the same person says and approves it, or
                the request is closed, withdrawn or unknown.
        """
        with self._begin() as connection:
            return self.turn_clock_in(connection, request_id, event, at=at, note=note, by=by)

    def turn_clock_in(
        self,
        connection: Connection,
        request_id: str,
        event: ClockEvent,
        *,
        at: datetime,
        note: str | None = None,
        by: Mapping[str, str] = {},
    ) -> Clock:
        """The same in a transaction of the caller's, so that it holds together with what it follows from."""
        if "approved" in by and same_person(by["approved"]) == same_person(by.get("said", "")):
            raise LedgerRefusal("who approves is somebody else than who says so: two people, not one")
        row, moved = self._turned(connection, request_id, event, at)
        due = acting(moved)
        dates: dict[str, object] = {
            "received_at": due.received_at,
            "internal_due": due.internal_due,
            "legal_due": due.legal_due,
            "clocks": clock_column(moved),
        }
        connection.execute(
            update(requests).where(requests.c.tenant == self.tenant, requests.c.id == request_id).values(**dates)
        )
        kept = keep_word(self, connection, request_id, note, at)
        post(connection, self.tenant, "clock", request_id, at)
        said = event.model_dump(mode="json", exclude_defaults=True)
        before = {"received_before": row.received_at} if event.turn is Turn.RECEIPT_CORRECTED else {}
        body = {"event": said, **dates, **before, **({"by": dict(by)} if by else {}), **kept}
        self._journal(connection, "clock", body, at, request_id=request_id)
        return due

    def _turned(
        self, connection: Connection, request_id: str, event: ClockEvent, at: datetime
    ) -> tuple[AnyRow, tuple[Clock, ...]]:
        """The request, which nobody else changes meanwhile, and its clocks as an event would leave them."""
        row = _still_open(connection.execute(_LOCK, {"tenant": self.tenant, "request_id": request_id}).first())
        clocks = clocks_of(row)
        laws = [self._law(connection, clock) for clock in clocks]
        try:
            return row, turned(clocks, laws, self._events(connection, request_id), event, Right(row.right), at)
        except NotAllowedError as error:
            raise LedgerRefusal(str(error)) from None

    def clock_events(self, request_id: str) -> list[ClockEvent]:
        """What has moved a request's clock, in the order it was written down."""
        with self._look() as connection:
            return self._events(connection, request_id)

    def _events(self, connection: Connection, request_id: str) -> list[ClockEvent]:
        bodies = connection.scalars(_EVENTS, {"tenant": self.tenant, "request_id": request_id})
        return [ClockEvent.model_validate(orjson.loads(body)["event"]) for body in bodies]

    def _law(self, connection: Connection, clock: Clock) -> Regime:
        body = connection.scalar(
            select(rulesets.c.body).where(rulesets.c.tenant == self.tenant, rulesets.c.digest == clock.ruleset)
        )
        # A request that was opened before the texts were kept goes by the text of today.
        return read_regime(f"{clock.regime}.yaml", body or text_of(clock.regime))


def _still_open(row: AnyRow | None) -> AnyRow:
    if row is None:
        raise LedgerRefusal("there is no request of this id")
    if row.phase == Phase.CLOSED:
        raise LedgerRefusal(f"the request was closed on {row.closed_at:%Y-%m-%d}: its clock is still")
    if row.withdrawn_at:
        raise LedgerRefusal(f"the request was withdrawn on {row.withdrawn_at:%Y-%m-%d}")
    return row
