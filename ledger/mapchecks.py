"""The last comparison of the data map with its systems.

The one rule: there is one, the newest; who replaces it is handed the one before, to tell what is new.
"""

from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models import map_checks
from ledger.store import Store
from rights.mapcheck import MapCheck

_LAST: Final = select(map_checks.c.body).where(map_checks.c.tenant == bindparam("of"))
_insert = upsert(map_checks)
_KEEP: Final = _insert.on_conflict_do_update(
    index_elements=[map_checks.c.tenant],
    set_={"at": _insert.excluded.at, "body": _insert.excluded.body},
    where=map_checks.c.at <= _insert.excluded.at,
)


class MapChecks(Store):
    """The verbs on it."""

    def keep_map_check(self, check: MapCheck) -> MapCheck | None:
        """Keep a comparison in place of the last one, unless that is newer; the one that was there before."""
        with self._begin() as connection:
            last = connection.scalar(_LAST.with_for_update(), {"of": self.tenant})
            row = {"tenant": self.tenant, "at": check.at, "body": check.model_dump_json()}
            if connection.execute(_KEEP, row).rowcount:
                # What the next one replaces, a report of today has to find next year.
                unmapped = {system: dict(codes) for system, codes in check.unmapped.items()}
                body = {"data_map": check.digest, "systems": check.systems, "unmapped": unmapped}
                self._journal(connection, "map_checked", body, check.at)
        return MapCheck.model_validate_json(last) if last else None

    def map_check(self) -> MapCheck | None:
        """The last comparison; None before the first."""
        with self._look() as connection:
            last = connection.scalar(_LAST, {"of": self.tenant})
        return MapCheck.model_validate_json(last) if last else None
