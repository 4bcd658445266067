"""What all workers together ask of a system, within what it allows.

The one rule: in no window of the length named is more taken than allowed, whenever the system itself begins its
windows; and turns come in the order in which they were asked for. Times are the ledger's own clock's.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from ledger.models import quota_uses
from ledger.store import Store

_of = (quota_uses.c.tenant == bindparam("tenant"), quota_uses.c.name == bindparam("name"))
_LOCK: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("lock"), 0)))
_NOW: Final = select(func.clock_timestamp())
_RESERVED: Final = (
    select(quota_uses.c.id, quota_uses.c.at)
    .where(*_of, quota_uses.c.key == bindparam("key"), quota_uses.c.units_left >= bindparam("cost"))
    .order_by(quota_uses.c.at)
    .limit(1)
)
_DRAW: Final = (
    update(quota_uses)
    .where(quota_uses.c.tenant == bindparam("of"), quota_uses.c.id == bindparam("use"))
    .values(units_left=quota_uses.c.units_left - bindparam("drawn"))
)
_PURGE: Final = delete(quota_uses).where(
    quota_uses.c.tenant == bindparam("of"), quota_uses.c.name == bindparam("name_"), quota_uses.c.at < bindparam("old")
)
# The newest first: as many as leave no room for the units wanted; the last of them has to be out of the window.
_sums = (
    select(
        quota_uses.c.at,
        func.sum(quota_uses.c.cost).over(order_by=(quota_uses.c.at.desc(), quota_uses.c.id.desc())).label("sum"),
    )
    .where(*_of)
    .subquery()
)
_FULL: Final = select(_sums.c.at).where(_sums.c.sum > bindparam("room")).order_by(_sums.c.at.desc()).limit(1)
_LAST: Final = select(func.max(quota_uses.c.at)).where(*_of)


class Quotas(Store):
    """The verb that takes a turn."""

    def take_turn(
        self, name: str, key: str, cost: int, block: int, limit: int, window: timedelta, patience: timedelta
    ) -> timedelta:
        """Take `cost` units of the `limit` in any `window`; how long to wait first.

        Zero: it is taken. Else ask again after that time with the same `key`, for which it is kept: `cost` units, or
        `block` of them if the wait is longer than `patience`.

        Raises:
            ValueError: the cost is more than is ever allowed.
        """
        if cost > limit:
            raise ValueError(f"one call costs {cost} of {limit}, which is more than is ever allowed")
        its = {"tenant": self.tenant, "of": self.tenant, "name": name, "name_": name, "key": key, "cost": cost}
        with self._begin() as connection:
            connection.execute(_LOCK, {"lock": f"{self.tenant}/quota/{name}"})
            now: datetime = connection.execute(_NOW).scalar_one()
            if reserved := connection.execute(_RESERVED, its).first():
                if reserved.at > now:
                    return timedelta(seconds=(reserved.at - now).total_seconds())
                connection.execute(_DRAW, {"of": self.tenant, "use": reserved.id, "drawn": cost})
                return timedelta(0)
            connection.execute(_PURGE, {**its, "old": now - window})
            last = connection.scalar(_LAST, its) or now
            at = max(now, last, self._room(connection, its, limit - cost, window, now))
            keeps = at - now > patience
            if keeps:
                block = min(max(block, cost), limit)
                at = max(at, self._room(connection, its, limit - block, window, now))
            connection.execute(
                insert(quota_uses),
                {
                    "tenant": self.tenant,
                    "name": name,
                    "key": key,
                    "at": at,
                    "cost": block if keeps else cost,
                    "units_left": block if keeps else cost if at > now else 0,
                },
            )
        return at - now

    @staticmethod
    def _room(connection: Connection, its: dict[str, object], room: int, window: timedelta, now: datetime) -> datetime:
        """From when on so many units at most are in the window."""
        full = connection.scalar(_FULL, {**its, "room": room})
        return now if full is None else full + window
