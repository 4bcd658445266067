"""The fence in front of everything destructive, and the holds that close it.

The one rule: a hold, a withdrawal and a destructive call take turns (the locks of ledger/people.py). So either the
call's intent is committed before, and whoever places the hold is told that it may still be running, or it is refused.

How long a call may run is measured on the ledger's own clock: two workers' clocks need not agree.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    Connection,
    Interval,
    LargeBinary,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    select,
    update,
)

from ledger.errors import LedgerRefusal
from ledger.gates import closed_by, fence_columns, recourse
from ledger.ids import new_id
from ledger.models import entries, intents, request_subjects, requests
from ledger.models_followups import follow_ups
from ledger.models_restrictions import restrictions
from ledger.spared import blocking, held_by
from ledger.store import Store
from ledger.vault import Sealed
from rights.codes import Code
from rights.plan import Operation
from rights.receipt import Count, Tally
from rights.request import Phase

_FUSE_WINDOW: Final = timedelta(hours=1)
"""What `max_people_per_hour` counts over."""
_STOPS: Final = Operation.SUPPRESS
"""What only stops something: no hold stands in its way, since a hold is about what would be lost. All else of the fence
binds it."""
_LEAVES: Final = frozenset({_STOPS, Operation.RESTRICT, Operation.LIFT})
"""What leaves all rows that there are, and so opens no books: an erasure locks away what it has to leave, and opens it
again."""
_FUSED: Final = frozenset({Operation.ERASE, Operation.RECTIFY})
"""What the fuse counts."""


class FenceRefused(LedgerRefusal):
    """A destructive call must not happen now; `code` says why: hold, withdrawn, fuse, or what stands before the work
    (ledger/gates.py)."""

    def __init__(self, code: Code) -> None:
        super().__init__(f"the fence is closed: {code}")
        self.code = code


_its = (
    request_subjects.c.tenant == bindparam("tenant"),
    request_subjects.c.request_id == bindparam("request_id"),
)
_operation = func.split_part(intents.c.key, "/", 3)
_destroys = _operation.not_in([literal_column(f"'{one}'") for one in sorted(_LEAVES)])
_others = (
    select(func.count(intents.c.request_id.distinct()))
    .where(
        _operation.in_([literal_column(f"'{one}'") for one in sorted(_FUSED)]),
        intents.c.tenant == bindparam("tenant"),
        intents.c.system == bindparam("system"),
        intents.c.opened_at > bindparam("since"),
        intents.c.request_id != bindparam("request_id"),
    )
    .scalar_subquery()
)
_begun = (
    select(intents.c.id)
    .where(
        intents.c.tenant == bindparam("tenant"),
        intents.c.request_id == bindparam("request_id"),
        intents.c.system == bindparam("system"),
        _destroys,
    )
    .exists()
)
_lifting = (
    select(restrictions.c.lifting_at.is_not(None))
    .where(
        restrictions.c.tenant == bindparam("tenant"),
        restrictions.c.request_id == bindparam("request_id"),
        restrictions.c.lifted_at.is_(None),
    )
    .scalar_subquery()
)
_corrected = (
    select(follow_ups.c.request_id)
    .where(
        follow_ups.c.tenant == bindparam("tenant"),
        follow_ups.c.request_id == bindparam("request_id"),
        follow_ups.c.what == literal_column("'rectification'"),
        follow_ups.c.over_at.is_(None),
    )
    .exists()
)
_CHECK: Final = select(
    requests.c.phase,
    requests.c.withdrawn_at,
    _lifting.label("lifting"),
    _corrected.label("corrected"),
    *fence_columns(bindparam("request_id", type_=Text)),
    *blocking(),
    _others.label("others"),
    _begun.label("begun"),
).where(requests.c.tenant == bindparam("tenant"), requests.c.id == bindparam("request_id"))
_ENTER: Final = insert(intents).values(expires_at=func.clock_timestamp() + bindparam("limit", type_=Interval))
_EXIT: Final = (
    update(intents)
    .where(
        intents.c.tenant == bindparam("of"),
        intents.c.id == bindparam("intent"),
        intents.c.settled_at.is_(None),
    )
    .values(settled_at=bindparam("at"), how="counted", counted=bindparam("tally"))
    .returning(intents.c.request_id, intents.c.key)
)
_LOOKED: Final = (
    update(intents)
    .where(
        intents.c.tenant == bindparam("of"),
        intents.c.id == func.any(cast(bindparam("ids"), ARRAY(Text))),
        intents.c.settled_at.is_(None),
    )
    .values(settled_at=bindparam("at"), how="looked")
    .returning(intents.c.id, intents.c.request_id, intents.c.key)
)
_here = (
    intents.c.tenant == bindparam("tenant"),
    intents.c.request_id == bindparam("request_id"),
    intents.c.system == bindparam("system"),
)
_OPEN: Final = select(intents.c.id).where(*_here, intents.c.settled_at.is_(None)).order_by(intents.c.id)
_COUNTED: Final = select(intents.c.planned, intents.c.counted).where(*_here, _destroys)
_BEFORE: Final = select(entries.c.body).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind == "before",
    entries.c.key == bindparam("key"),
)
_TOUCHED: Final = (
    select(
        intents.c.system,
        func.max(intents.c.opened_at).label("at"),
        func.max(intents.c.expires_at).filter(intents.c.settled_at.is_(None)).label("until"),
        func.clock_timestamp().label("now"),
    )
    .where(intents.c.tenant == bindparam("tenant"), intents.c.request_id == bindparam("request_id"), _destroys)
    .group_by(intents.c.system)
    .order_by(intents.c.system)
)
_running = (intents.c.settled_at.is_(None), intents.c.expires_at > func.clock_timestamp())
_OF_REQUEST: Final = select(func.count()).where(
    intents.c.tenant == bindparam("tenant"),
    intents.c.request_id == bindparam("request_id"),
    *_running,
)
_OF_PEOPLE: Final = select(func.count()).where(
    intents.c.tenant == bindparam("tenant"),
    *_running,
    select(request_subjects.c.digest)
    .where(
        request_subjects.c.tenant == intents.c.tenant,
        request_subjects.c.request_id == intents.c.request_id,
        request_subjects.c.digest == func.any(bindparam("digests", type_=ARRAY(LargeBinary))),
    )
    .exists(),
)


def calls_of_request(connection: Connection, tenant: str, request_id: str) -> int:
    """How many of a request's destructive calls may be running, on a connection of the caller's."""
    where = {"tenant": tenant, "request_id": request_id}
    return connection.scalar(_OF_REQUEST, where) or 0


def calls_of_people(connection: Connection, tenant: str, digests: Sequence[bytes]) -> int:
    """How many destructive calls that concern any of these digests may be running."""
    return connection.scalar(_OF_PEOPLE, {"tenant": tenant, "digests": list(digests)}) or 0


class Touched(NamedTuple):
    """A system in which calls of a request were let through."""

    system: str
    at: datetime
    """When the last one was."""
    busy: timedelta
    """How long one of them may still be running; zero when none is."""


class Fence(Store):
    """Verbs around destructive calls."""

    def enter_fence(
        self,
        request_id: str,
        system: str,
        key: str,
        *,
        planned: Mapping[str, int],
        look: Tally,
        at: datetime,
        limit: timedelta,
        max_people_per_hour: int,
        operation: Operation = Operation.ERASE,
        spared: Sequence[str] = (),
    ) -> str:
        """Commit the intent of a destructive call, that ends within `limit` whatever happens; the intent's id.

        `planned` is the rows about to be changed per collection, `look` what was there before: of a request's first
        destructive call in a system it opens the books. LIFT puts back what was restricted: that goes on after the
        request is closed or taken back. SUPPRESS goes on under a hold, which is noted, and where the request stands
        still for an incident. RESTRICT goes on after the closing while the restriction is in force, and not once it is
        being lifted; RECTIFY while it is looked whether the correction
        lasts. The fuse for people erased stops none of these. `spared` are holds whose
        rows the call leaves as they are: any other that touches the system stops it.

        Raises:
            FenceRefused: a hold covers the person, the request is withdrawn, or the system's fuse has blown.
            LedgerRefusal: the request is closed or unknown.
        """
        intent, lifting, stops = new_id(at), operation is Operation.LIFT, operation is _STOPS
        with self._begin() as connection:
            self._people.lock_fence(connection, self.tenant, request_id, system)
            found = connection.execute(
                _CHECK,
                {
                    "tenant": self.tenant,
                    "request_id": request_id,
                    "system": system,
                    "since": at - _FUSE_WINDOW,
                    "spared": list(spared),
                    "day": at.date(),
                    **recourse(at),
                },
            ).first()
            if found is None:
                raise LedgerRefusal("there is no request of this id")
            if found.withdrawn_at and not lifting:
                raise FenceRefused(Code.WITHDRAWN)
            after = (operation is Operation.RESTRICT and found.lifting is False) or (
                operation is Operation.RECTIFY and found.corrected
            )
            if operation is Operation.RESTRICT and found.lifting:
                raise FenceRefused(Code.WITHDRAWN)
            if found.phase == Phase.CLOSED and not (lifting or after):
                raise LedgerRefusal("the request is closed: nothing is destroyed for it any more")
            if (code := held_by(found)) and not stops:
                raise FenceRefused(code)
            if not lifting and (code := closed_by(found)) and not (stops and code is Code.INCIDENT):
                raise FenceRefused(code)
            over = found.phase == Phase.CLOSED
            if not (lifting or stops or over) and found.others >= max_people_per_hour:
                raise FenceRefused(Code.FUSE)
            connection.execute(
                _ENTER,
                {
                    "tenant": self.tenant,
                    "id": intent,
                    "request_id": request_id,
                    "system": system,
                    "key": key,
                    "planned": dict(planned),
                    "opened_at": at,
                    "limit": limit,
                },
            )
            if not found.begun and operation not in _LEAVES:
                self._journal(
                    connection,
                    "before",
                    look.model_dump(mode="json"),
                    at,
                    request_id=request_id,
                    key=f"{request_id}/{system}",
                )
            body = {"intent": intent, "planned": dict(planned)} | ({"held": True} if found.held_told else {})
            self._journal(connection, "intent", body, at, request_id=request_id, key=key)
        return intent

    def exit_fence(self, intent: str, tally: Tally, *, at: datetime, sealed: Sealed | None = None) -> bool:
        """Commit what a call has changed; False if it was settled by looking meanwhile, and stays so.

        `sealed` is kept with it: what the system said of work that it goes on with.
        """
        counted = tally.model_dump(mode="json")
        with self._begin() as connection:
            found = connection.execute(_EXIT, {"of": self.tenant, "intent": intent, "tally": counted, "at": at}).first()
            if found is None:
                return False
            if sealed:
                key = self._vault.key(connection, found.request_id, sealed.purpose)
                self._vault.put(connection, found.request_id, key, sealed, at)
            body = {"intent": intent, "counted": counted}
            self._journal(connection, "counted", body, at, request_id=found.request_id, key=found.key)
        return True

    def open_intents(self, request_id: str, system: str) -> tuple[str, ...]:
        """Calls of a request in a system of which nobody knows what they changed: cut, or still running."""
        where = {"tenant": self.tenant, "request_id": request_id, "system": system}
        with self._look() as connection:
            return tuple(connection.scalars(_OPEN, where))

    def settle_by_looking(self, intent_ids: Sequence[str], *, at: datetime) -> int:
        """Settle calls that have ended by what was seen afterwards; how many. Their own counts stay unknown."""
        with self._begin() as connection:
            settled = connection.execute(_LOOKED, {"of": self.tenant, "ids": list(intent_ids), "at": at}).all()
            for row in settled:
                self._journal(
                    connection,
                    "looked",
                    {"intent": row.id},
                    at,
                    request_id=row.request_id,
                    key=row.key,
                )
        return len(settled)

    def before(self, request_id: str, system: str) -> Tally | None:
        """What was there before the first destructive call in a system; None if there was none."""
        with self._look() as connection:
            body = connection.scalar(
                _BEFORE,
                {
                    "tenant": self.tenant,
                    "request_id": request_id,
                    "key": f"{request_id}/{system}",
                },
            )
        return Tally.model_validate_json(body) if body else None

    def touched(self, request_id: str) -> list[Touched]:
        """The systems in which something of a request may have been destroyed."""
        where = {"tenant": self.tenant, "request_id": request_id}
        with self._look() as connection:
            rows = connection.execute(_TOUCHED, where).all()
        none = timedelta(0)
        return [Touched(row.system, row.at, max(none, row.until - row.now) if row.until else none) for row in rows]

    def deleted(self, request_id: str, system: str) -> dict[str, int | None]:
        """Rows that calls reported as changed, per collection, over all attempts and rounds.

        None where a call's count is unknown: it was settled by looking, or is not settled.
        """
        return self._sums(request_id, system, lambda count: count.changed)

    def pseudonymised(self, request_id: str, system: str) -> dict[str, int | None]:
        """Of those rows, how many bear a pseudonym now; None as above."""
        return self._sums(request_id, system, lambda count: count.pseudonymised)

    def _sums(self, request_id: str, system: str, rows: Callable[[Count], int]) -> dict[str, int | None]:
        where = {"tenant": self.tenant, "request_id": request_id, "system": system}
        with self._look() as connection:
            calls = connection.execute(_COUNTED, where).all()
        sums: dict[str, int | None] = {}
        for planned, counted in calls:
            if counted is None:
                sums |= dict.fromkeys(planned, None)
                continue
            tally = Tally.model_validate(counted)
            for name in {*planned, *(count.collection for count in tally.counts)}:
                so_far = sums.get(name, 0)
                sums[name] = None if so_far is None else so_far + rows(tally.of(name))
        return sums
