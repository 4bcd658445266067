"""Replays: what was asked for since a backup, carried out anew in the system that was restored from it.

The one rule: how far one is stands here, not in the run: a killed worker goes on, and nothing is opened twice.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, case, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models import entries, intents, requests, tasks
from ledger.models_restore import known_systems, reopenings, replayed, replays
from ledger.models_restrictions import restrictions
from ledger.outbox import post
from ledger.relooks import whole
from ledger.requestrow import IS_OPEN
from ledger.store import Store
from rights.course import COURSES
from rights.journal import CARRIED_ON
from rights.request import Right
from rights.value import Value

_FIRST: Final = "quarantining"
_ENDED: Final = ("clean", "unsure", "dry")
"""How one ends; before, it is quarantining, applying or waiting."""
_ACTS: Final = (
    Right.RESTRICTION,
    Right.RECTIFICATION,
    Right.OBJECTION,
    Right.OPT_OUT,
    Right.CONSENT_WITHDRAWAL,
)
"""Rights beside erasure that have changed something in a system."""
_restricted = (
    select(restrictions.c.request_id)
    .where(
        restrictions.c.tenant == requests.c.tenant,
        restrictions.c.request_id == requests.c.id,
        restrictions.c.lifted_at.is_(None),
    )
    .exists()
)
_did = func.split_part(entries.c.key, "/", 3)
_last_act = (
    select(func.max(entries.c.at))
    .where(
        entries.c.tenant == requests.c.tenant,
        entries.c.request_id == requests.c.id,
        entries.c.kind == literal_column("'settled'"),
        func.split_part(entries.c.key, "/", 2) == bindparam("system"),
        # What is closed has done what its right is about: an objection that was refused had restricted, and no more.
        or_(
            _did == case({right.value: str(COURSES[right].act) for right in _ACTS}, value=requests.c.right),
            requests.c.closed_at.is_(None) & _did.in_(("restrict", "rectify", "suppress", "erase")),
        ),
        entries.c.at >= bindparam("since"),
    )
    .scalar_subquery()
)
_OTHERS: Final = (
    select(
        requests.c.id,
        requests.c.right,
        requests.c.closed_at,
        whole(requests.c.tenant, requests.c.id).label("known"),
        _restricted.label("restricted"),
        _last_act.label("acted_at"),
    )
    .where(
        requests.c.tenant == bindparam("of"),
        requests.c.right.in_([right.value for right in _ACTS]),
        _last_act.is_not(None),
        # What a replay has opened itself is no past request of this one.
        ~select(replayed.c.replay_id)
        .where(
            replayed.c.tenant == requests.c.tenant,
            replayed.c.replay_id == bindparam("replay"),
            replayed.c.by_request == requests.c.id,
            replayed.c.request_id != replayed.c.by_request,
        )
        .exists(),
    )
    .order_by(requests.c.id)
)
_RUNNING: Final = (
    select(requests.c.id)
    .where(
        requests.c.tenant == bindparam("of"),
        requests.c.right == literal_column("'erasure'"),
        IS_OPEN,
        requests.c.withdrawn_at.is_(None),
        # What a replay has opened itself is no past request.
        ~select(replayed.c.replay_id)
        .where(
            replayed.c.tenant == requests.c.tenant,
            replayed.c.by_request == requests.c.id,
            replayed.c.request_id != replayed.c.by_request,
        )
        .exists(),
        ~select(reopenings.c.system)
        .where(
            reopenings.c.tenant == requests.c.tenant,
            reopenings.c.request_id == requests.c.id,
            reopenings.c.system == bindparam("system"),
        )
        .exists(),
        select(intents.c.id)
        .where(
            intents.c.tenant == requests.c.tenant,
            intents.c.request_id == requests.c.id,
            intents.c.system == bindparam("system"),
        )
        .exists(),
    )
    .order_by(requests.c.id)
)
_WITHIN: Final = (
    # An erasure that was at work at that very moment: the backup may have half of it.
    select(func.count(intents.c.request_id.distinct())).where(
        intents.c.tenant == bindparam("of"),
        intents.c.system == bindparam("system"),
        intents.c.opened_at <= bindparam("since"),
        func.coalesce(intents.c.settled_at, intents.c.expires_at) >= bindparam("since"),
    )
)
_it = func.split_part(entries.c.key, "/", 2)
_GONE: Final = (
    # By what a system was called when it was done: whether that is the one that was restored, only people know.
    select(func.count(requests.c.id.distinct()))
    .join(entries, (entries.c.tenant == requests.c.tenant) & (entries.c.request_id == requests.c.id))
    .where(
        requests.c.tenant == bindparam("of"),
        requests.c.right.in_([right.value for right in _ACTS]),
        _restricted | (requests.c.right != literal_column("'restriction'")),
        entries.c.kind == literal_column("'settled'"),
        entries.c.at >= bindparam("since"),
        _it.in_(select(known_systems.c.system).where(known_systems.c.tenant == bindparam("of"))),
        _it.not_in(bindparam("names", expanding=True)),
    )
)
_CHILDREN: Final = (
    select(
        requests.c.id,
        requests.c.phase,
        requests.c.conclusion,
        select(func.count())
        .where(
            tasks.c.tenant == requests.c.tenant,
            tasks.c.request_id == requests.c.id,
            tasks.c.settled_at.is_(None),
        )
        .scalar_subquery()
        .label("tasks"),
        (replayed.c.request_id == replayed.c.by_request).label("again"),
    )
    .join(replayed, (replayed.c.tenant == requests.c.tenant) & (replayed.c.by_request == requests.c.id))
    .where(replayed.c.tenant == bindparam("of"), replayed.c.replay_id == bindparam("id"))
    .distinct()
)
_with_told = replays.c.report.op("||")(bindparam("told", type_=replays.c.report.type))


def anew_key(replay_id: str, request_id: str) -> str:
    """The idempotency key under which a replay opens a past request anew."""
    return f"replay/{replay_id}/{request_id}"


class Replay(Value):
    """One replay as it stands. Names, codes and counts only."""

    id: str
    system: str
    since: datetime | None
    """Of when the backup is; None: the system is new to the map."""
    state: str
    begun_at: datetime
    ended_at: datetime | None = None
    report: dict[str, Any]

    @property
    def over(self) -> bool:
        return self.state in _ENDED


class PastAct(Value):
    """A request of another right than erasure that has changed something in a system."""

    request_id: str
    right: Right
    closed: bool
    known: bool
    """Whether its vault still says whom it is about, and what was to be done."""
    in_force: bool
    """False of a restriction that was lifted since."""
    acted_at: datetime
    """When it last did so."""


class Child(Value):
    """A request that carries something out anew."""

    request_id: str
    open: bool
    conclusion: str | None
    waits: bool
    """A person is asked."""
    again: bool
    """It is the past request itself, opened again; else a new one."""


class Replays(Store):
    """Verbs on replays."""

    def begin_replay(self, system: str, since: datetime | None, *, dry: bool, by: str, at: datetime) -> str:
        """Have past requests carried out anew in a system; the replay's id.

        Raises:
            LedgerRefusal: one of this system is under way.
        """
        made = new_id(at)
        with self._begin() as connection:
            busy = select(replays.c.id).where(
                replays.c.tenant == self.tenant, replays.c.system == system, replays.c.ended_at.is_(None)
            )
            connection.execute(
                select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("turn"), 0))),
                {"turn": f"{self.tenant}/replay/{system}"},
            )
            if connection.scalar(busy.limit(1)):
                raise LedgerRefusal("a replay of this system is under way: habeas replay list")
            connection.execute(
                insert(replays),
                {
                    "tenant": self.tenant,
                    "id": made,
                    "system": system,
                    "since": since,
                    "state": _FIRST,
                    "begun_at": at,
                    "report": {"dry": dry},
                },
            )
            post(connection, self.tenant, "replay", "", at, {"replay": made})
            body = {"replay": made, "system": system, "since": since, "dry": dry, "by": by}
            self._journal(connection, "replay_begun", body, at)
        return made

    def replay(self, replay_id: str) -> Replay:
        """A replay.

        Raises:
            LedgerRefusal: there is none of this id.
        """
        query = select(replays).where(replays.c.tenant == self.tenant, replays.c.id == replay_id)
        with self._look() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise LedgerRefusal("there is no replay of this id")
        return Replay.model_validate(row, from_attributes=True)

    def replays(self, *, under_way_only: bool = False) -> list[Replay]:
        """All replays, the newest first."""
        query = select(replays).where(replays.c.tenant == self.tenant).order_by(replays.c.id.desc())
        if under_way_only:
            query = query.where(replays.c.ended_at.is_(None))
        with self._look() as connection:
            return [Replay.model_validate(row, from_attributes=True) for row in connection.execute(query)]

    def note_replay(self, replay_id: str, state: str, report: Mapping[str, object], *, at: datetime) -> None:
        """Note how far a replay is; what is told of it is added to what was. Once it has ended it stays so."""
        ended = state in _ENDED
        with self._begin() as connection:
            done = connection.execute(
                update(replays)
                .where(replays.c.tenant == self.tenant, replays.c.id == replay_id, replays.c.ended_at.is_(None))
                .values(
                    state=state,
                    report=_with_told,
                    ended_at=at if ended else None,
                ),
                {"told": dict(report)},
            ).rowcount
            if done and ended:
                body = {"replay": replay_id, "state": state, **report}
                self._journal(connection, "replay_ended", body, at)

    def other_acts(self, replay_id: str, system: str, since: datetime) -> list[PastAct]:
        """Requests of other rights than erasure that have changed something in a system since a time, without those
        that this replay has opened anew."""
        with self._look() as connection:
            its = {"of": self.tenant, "replay": replay_id, "system": system, "since": since}
            rows = connection.execute(_OTHERS, its)
            return [
                PastAct(
                    request_id=row.id,
                    right=row.right,
                    closed=row.closed_at is not None,
                    known=row.known,
                    in_force=row.restricted or row.right != Right.RESTRICTION,
                    acted_at=row.acted_at,
                )
                for row in rows
            ]

    def acts_in_systems_gone(self, since: datetime, names: Iterable[str]) -> int:
        """How many requests of other rights than erasure have changed something, since a time, in a system that the
        data map has no more; `names` are those that it has."""
        with self._look() as connection:
            its = {"of": self.tenant, "since": since, "names": list(names)}
            return connection.scalar(_GONE, its) or 0

    def running_erasures(self, system: str) -> list[str]:
        """Open erasures that have begun to destroy in a system."""
        with self._look() as connection:
            return list(connection.scalars(_RUNNING, {"of": self.tenant, "system": system}))

    def erasures_within(self, system: str, moment: datetime) -> int:
        """How many erasures were at work in a system at a moment."""
        with self._look() as connection:
            its = {"of": self.tenant, "system": system, "since": moment}
            return connection.scalar(_WITHIN, its) or 0

    def note_replayed(self, replay_id: str, request_id: str, by_request: str, *, at: datetime) -> None:
        """Note which request carries a past one out anew; no effect if it is noted."""
        with self._begin() as connection:
            row = {"replay_id": replay_id, "request_id": request_id, "by_request": by_request}
            new = connection.execute(upsert(replayed).on_conflict_do_nothing(), {"tenant": self.tenant, **row}).rowcount
            if new:
                self._journal(connection, "replayed", row, at, request_id=request_id)

    def replay_children(self, replay_id: str) -> list[Child]:
        """The requests that a replay has opened, or opened again."""
        with self._look() as connection:
            rows = connection.execute(_CHILDREN, {"of": self.tenant, "id": replay_id})
            return [
                Child(
                    request_id=row.id,
                    open=row.phase != "closed",
                    conclusion=row.conclusion,
                    waits=row.tasks > 0,
                    again=row.again,
                )
                for row in rows
            ]

    def note_admitted(self, replay_id: str, *, by: str, at: datetime) -> None:
        """Note that somebody has let those in again who were kept out."""
        with self._begin() as connection:
            connection.execute(
                update(replays)
                .where(replays.c.tenant == self.tenant, replays.c.id == replay_id)
                .values(report=_with_told),
                {"told": {"quarantine": "lifted by a person"}},
            )
            self._journal(connection, "replay_admitted", {"replay": replay_id, "by": by}, at)

    def opened_anew(self, replay_id: str, request_id: str) -> str | None:
        """The request that a replay has opened for a past one; None if it has not."""
        mark = self._people.idempotency(anew_key(replay_id, request_id))
        query = select(requests.c.id).where(requests.c.tenant == self.tenant, requests.c.idempotency == mark)
        with self._look() as connection:
            found: str | None = connection.scalar(query)
        return found

    def new_systems(self, names: Iterable[str]) -> list[str]:
        """Of the systems of the data map, those that are new to it; none while none is known."""
        query = select(known_systems.c.system).where(known_systems.c.tenant == self.tenant)
        with self._look() as connection:
            known = set(connection.scalars(query))
        return sorted(set(names) - known) if known else []

    def know_systems(self, names: Iterable[str], *, at: datetime) -> None:
        """Take note of the systems of the data map."""
        rows = [{"tenant": self.tenant, "system": name, "at": at} for name in names]
        with self._begin() as connection:
            new = connection.execute(
                upsert(known_systems).on_conflict_do_nothing().returning(known_systems.c.system), rows
            ).scalars()
            if told := sorted(new):
                self._journal(connection, "systems_known", {"systems": told}, at)

    def limited(self, request_id: str) -> bool:
        """Whether a request carries another one out anew, in the systems of the map it was opened with and in no
        other."""
        return self.carried_on(request_id) in CARRIED_ON

    def carried_on(self, request_id: str) -> str | None:
        """What the journal says instead of a proof, of a request that was opened without one (`CARRIED_ON`)."""
        query = select(entries.c.body).where(
            entries.c.tenant == self.tenant, entries.c.request_id == request_id, entries.c.kind == "opened"
        )
        with self._look() as connection:
            body = connection.scalar(query)
        return orjson.loads(body).get("assurance") if body else None
