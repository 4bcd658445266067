"""What webhooks have still to be told, read from the journal itself.

The one rule: each webhook has its place in the journal, which moves on only behind what it has taken in: nothing is
lost, whatever dies, and what was told and not noted is told again under the same id. Entries are committed in the
order of their numbers (ledger/chain.py), so that none turns up behind a place.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.models import chain_heads, entries, requests
from ledger.models_webhooks import webhook_cursors
from ledger.store import Store
from rights.request import Right
from rights.value import Value
from rights.webhooks import Event, event_of

_WINDOW: Final = 2_000
"""Entries of the journal looked through at once for those that somebody may hear of."""

_its = (webhook_cursors.c.tenant == bindparam("of"), webhook_cursors.c.name == bindparam("hook"))
_PLACE: Final = select(webhook_cursors.c.position).where(*_its)
_HEAD: Final = select(chain_heads.c.seq).where(chain_heads.c.tenant == bindparam("of"))
_BEGIN: Final = upsert(webhook_cursors).on_conflict_do_nothing()
_MOVE: Final = (
    update(webhook_cursors).where(*_its).values(position=func.greatest(webhook_cursors.c.position, bindparam("to")))
)
_EVENTS: Final = (
    select(entries.c.seq, entries.c.kind, entries.c.body, entries.c.hash, entries.c.request_id, entries.c.at)
    .add_columns(requests.c.right)
    .join(requests, (requests.c.tenant == entries.c.tenant) & (requests.c.id == entries.c.request_id))
    .where(
        entries.c.tenant == bindparam("of"),
        entries.c.seq > bindparam("after"),
        entries.c.seq <= bindparam("until"),
        entries.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(entries.c.seq)
    .limit(bindparam("most"))
)


class Untold(Value):
    """An event that a webhook has not taken in yet, and its place in the journal."""

    after: int
    """Where the webhook was when this was read."""
    place: int
    event: Event


class WebhookStanding(Value):
    """How far a webhook is."""

    name: str
    behind: int
    """Events that it has not taken in."""
    told_at: datetime | None
    failing_since: datetime | None
    attempts: int
    """In a row that failed."""
    code: str | None
    status: int | None


class Webhooks(Store):
    """The verbs on them; a webhook that is new is told of what happens from then on."""

    def untold(self, hook: str, kinds: Collection[str], most: int) -> list[Untold]:
        """What a webhook has still to be told, the oldest first; what nobody may hear of is passed over."""
        with self._begin() as connection:
            head = connection.scalar(_HEAD, {"of": self.tenant}) or 0
            place = connection.scalar(_PLACE, {"of": self.tenant, "hook": hook})
            if place is None:
                connection.execute(_BEGIN, {"tenant": self.tenant, "name": hook, "position": head})
                return []
            begun, found = place, list[Untold]()
            while place < head and not found:
                until = min(place + _WINDOW, head)
                found = self._tellable(connection, kinds, place, until, most)
                place = place if found else until
            if place > begun:
                connection.execute(_MOVE, {"of": self.tenant, "hook": hook, "to": place})
        return found

    def _tellable(
        self, connection: Connection, kinds: Collection[str], after: int, until: int, most: int
    ) -> list[Untold]:
        asked = {"of": self.tenant, "after": after, "until": until, "kinds": sorted(kinds), "most": most}
        return [
            Untold(
                after=after,
                place=row.seq,
                event=event_of(
                    row.kind, orjson.loads(row.body), bytes(row.hash), row.request_id, Right(row.right), row.at
                ),
            )
            for row in connection.execute(_EVENTS, asked)
        ]

    def webhooks_behind(self, hooks: Mapping[str, Collection[str]]) -> dict[str, int]:
        """Which of these webhooks, each with the kinds it hears of, have something to be told, and from which place."""
        return {hook: found[0].place for hook, kinds in hooks.items() if (found := self.untold(hook, kinds, 1))}

    def webhook_told(self, hook: str, told: Untold, *, at: datetime) -> None:
        """Note that a webhook has taken an event in, and so all before it; without effect if it is being told again."""
        moved = _MOVE.where(webhook_cursors.c.position >= told.after).values(
            told_at=at, failing_since=None, attempts=0, code=None, status=None
        )
        with self._begin() as connection:
            connection.execute(moved, {"of": self.tenant, "hook": hook, "to": told.place})

    def webhook_failed(self, hook: str, code: str, status: int | None, *, at: datetime) -> None:
        """Note that an attempt to tell a webhook has failed."""
        failed = (
            update(webhook_cursors)
            .where(*_its)
            .values(
                failing_since=func.coalesce(webhook_cursors.c.failing_since, at),
                attempts=webhook_cursors.c.attempts + 1,
                code=code,
                status=status,
            )
        )
        with self._begin() as connection:
            connection.execute(failed, {"of": self.tenant, "hook": hook})

    def tell_again(self, hook: str, since: datetime) -> None:
        """Have a webhook told once more of all that happened since then, under the same ids.

        Raises:
            LedgerRefusal: no webhook of this name was told of anything yet.
        """
        first = select(func.min(entries.c.seq)).where(entries.c.tenant == self.tenant, entries.c.at >= since)
        with self._begin() as connection:
            if connection.scalar(_PLACE, {"of": self.tenant, "hook": hook}) is None:
                raise LedgerRefusal("no webhook of this name was told of anything yet: habeas webhook list names them")
            if (seq := connection.scalar(first)) is not None:
                back = func.least(webhook_cursors.c.position, seq - 1)
                connection.execute(
                    update(webhook_cursors).where(*_its).values(position=back), {"of": self.tenant, "hook": hook}
                )

    def webhooks(self, hooks: Mapping[str, Collection[str]]) -> list[WebhookStanding]:
        """How far these webhooks are; one that no worker has seen yet has nothing behind it."""
        found = []
        for hook, kinds in hooks.items():
            behind = (
                select(func.count())
                .where(
                    entries.c.tenant == self.tenant,
                    entries.c.kind.in_(sorted(kinds)),
                    entries.c.request_id.is_not(None),
                    entries.c.seq > webhook_cursors.c.position,
                )
                .correlate(webhook_cursors)
                .scalar_subquery()
            )
            query = select(webhook_cursors, behind.label("behind")).where(*_its)
            with self._look() as connection:
                row = connection.execute(query, {"of": self.tenant, "hook": hook}).first()
            unknown = {"name": hook, "behind": 0, "attempts": 0} | dict.fromkeys(
                ("told_at", "failing_since", "code", "status")
            )
            found.append(WebhookStanding.model_validate(unknown if row is None else dict(row._mapping)))
        return found
