"""Data maps that requests are pinned to, and the plans made on them.

The one rule: what a request was planned on stays readable, word for word, however the map changes later.
"""

import hashlib
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.models import maps, plans, requests
from ledger.store import Store
from rights.datamap import DataMap
from rights.plan import Plan

_KEEP_MAP: Final = upsert(maps).on_conflict_do_nothing()
_PIN: Final = (
    update(requests)
    .where(
        requests.c.tenant == bindparam("of"),
        requests.c.id == bindparam("request_id"),
        requests.c.map_digest.is_distinct_from(bindparam("digest")),
    )
    .values(map_digest=bindparam("digest"))
)
_KEEP_PLAN: Final = upsert(plans).on_conflict_do_nothing()
_NEWEST: Final = (
    select(plans.c.body)
    .where(plans.c.tenant == bindparam("tenant"), plans.c.request_id == bindparam("request_id"))
    .order_by(plans.c.round.desc())
    .limit(1)
)


def newest_plan(connection: Connection, tenant: str, request_id: str) -> Plan | None:
    """The plan of the newest round, on a connection of the caller's."""
    body = connection.scalar(_NEWEST, {"tenant": tenant, "request_id": request_id})
    return Plan.model_validate_json(body) if body else None


def keep_map(connection: Connection, tenant: str, data_map: DataMap, kept: set[str]) -> None:
    """Write a data map down, unless its digest is among those known to be `kept`."""
    if data_map.digest not in kept:
        connection.execute(_KEEP_MAP, {"tenant": tenant, "digest": data_map.digest, "body": data_map.canonical()})


class Plans(Store):
    """Verbs on maps and plans."""

    def pin_map(self, request_id: str, data_map: DataMap, *, at: datetime) -> None:
        """Pin a request to a data map; no effect if it is pinned to this one."""
        with self._begin() as connection:
            keep_map(connection, self.tenant, data_map, self._kept_maps)
            pinned = connection.execute(
                _PIN, {"of": self.tenant, "request_id": request_id, "digest": data_map.digest}
            ).rowcount
            if pinned:
                self._journal(
                    connection,
                    "map_pinned",
                    {"digest": data_map.digest},
                    at,
                    request_id=request_id,
                )
        self._kept_maps.add(data_map.digest)

    def pinned_map(self, digest: str) -> DataMap:
        """The data map of a digest. The caller keeps it: reading one takes milliseconds.

        Raises:
            LedgerRefusal: no request was ever pinned to it.
        """
        query = select(maps.c.body).where(maps.c.tenant == self.tenant, maps.c.digest == digest)
        with self._look() as connection:
            body = connection.scalar(query)
        if body is None:
            raise LedgerRefusal("no request was ever pinned to a data map of this digest")
        return DataMap.restore(body)

    def keep_plan(self, request_id: str, round: int, plan: Plan, *, at: datetime) -> None:
        """Keep the plan of a round; the first one that was kept for a round stays."""
        body = plan.model_dump_json()
        with self._begin() as connection:
            kept = connection.execute(
                _KEEP_PLAN,
                {
                    "tenant": self.tenant,
                    "request_id": request_id,
                    "round": round,
                    "body": body,
                    "at": at,
                },
            ).rowcount
            if kept:
                digest = hashlib.sha256(body.encode()).hexdigest()
                self._journal(
                    connection,
                    "planned",
                    {"round": round, "map": plan.map_digest, "plan": digest},
                    at,
                    request_id=request_id,
                )

    def plan(self, request_id: str) -> Plan | None:
        """The plan of the newest round; None before there is one."""
        with self._look() as connection:
            return newest_plan(connection, self.tenant, request_id)
