"""What people do beside the engine, and a hold stands in the way of: tasks done by hand, restrictions to be lifted, a
system that has another name now.

The one rule: they are asked what the fence asks, in the transaction that writes the word down; a hold that must stay
secret is spoken of as the fence speaks of it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Text, bindparam, func, literal_column, select

from ledger.errors import LedgerRefusal
from ledger.models import holds
from ledger.models_holds import hold_terms
from ledger.spared import answered, touching
from ledger.store import Store
from rights.codes import ADVICE, Code
from rights.holds import HOUSE, Holding, Scope, Terms
from rights.plan import Operation

Covers = Callable[[Scope, str], bool]
"""Whether a scope covers anything in a system, by a data map."""

BY_HAND: Final = frozenset({Code.MANUAL, Code.UNSUPPORTED})
"""Tasks by which people carry out themselves what the engine cannot."""
DESTROYS: Final = frozenset({Operation.ERASE, Operation.RECTIFY})
"""What of it a hold forbids: what would be lost, or written over."""

_tenant, _request, _system = (bindparam(name, type_=Text) for name in ("tenant", "request_id", "system"))
_TOUCHING: Final = select(
    touching(_tenant, _request, _system).label("holds"), answered(_tenant, _request).label("answered")
)
_PLACES: Final = (
    select(func.unnest(hold_terms.c.systems).label("system"), func.count().label("number"))
    .join(holds, (holds.c.tenant == hold_terms.c.tenant) & (holds.c.id == hold_terms.c.hold_id))
    .where(holds.c.tenant == bindparam("of"), holds.c.released_at.is_(None))
    .group_by(literal_column("1"))
    .order_by(literal_column("1"))
)


class HeldBack(LedgerRefusal):
    """A hold stands in the way; `code` says it in the word that everybody may read."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(f"{what}: {_WHY[code] if code in _WHY else ADVICE[code]}")
        self.code = code


_WHY: Final[Mapping[Code, str]] = {
    Code.HOLD: "a hold covers this person there, so nothing is destroyed while it is in force. What was done before "
    "it was placed is told to whoever has placed it",
    Code.QUEUED: "it waits for others, so that the system is asked once for many people",
    Code.DEFERRED: "it waits for a date",
}


def destroys_by_hand(code: Code, step_key: str) -> bool:
    """Whether a task is about destroying something by hand."""
    parts = step_key.split("/")
    return code in BY_HAND and len(parts) == 4 and parts[2] in DESTROYS


def held_back(
    store: Store, connection: Connection, request_id: str, system: str, at: datetime, covers: Covers | None = None
) -> Code | None:
    """Why nothing of a request's people may be destroyed in a system now, on a connection of the caller's; None: no
    hold stands in the way. `covers` tells what a scope covers there; None: whatever it can touch."""
    its = {"tenant": store.tenant, "request_id": request_id, "system": system}
    row = connection.execute(_TOUCHING, its).one()
    terms = [Terms.model_validate(one) for one in (row.holds or {}).values()]
    inside = [one for one in terms if covers is None or covers(one.scope, system)]
    if not inside:
        return None
    told = any(not one.secret(at.date()) for one in inside)
    return Holding(told=told, answered=row.answered).code


class HoldPlaces(Store):
    """Verbs that ask."""

    def held_back(self, request_id: str, system: str, *, at: datetime, covers: Covers | None = None) -> Code | None:
        """Why nothing of a request's people may be destroyed in a system now; None: no hold stands in the way."""
        with self._look() as connection:
            return held_back(self, connection, request_id, system, at, covers)

    def held_places(self) -> dict[str, int]:
        """The systems that holds in force name, each with how many do; the engine's own is none of the map."""
        with self._look() as connection:
            rows = connection.execute(_PLACES, {"of": self.tenant})
            return {row.system: row.number for row in rows if row.system != HOUSE}
