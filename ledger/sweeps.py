"""Steps gathered so that a system is touched once for many people.

The one rule: a step that has joined stays until its answer was fetched; a sweep that is killed leaves it in the queue.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import Interval, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.models import outbox, sweep_steps
from ledger.outbox import post
from ledger.store import Store
from rights.plan import Step

_this = (sweep_steps.c.tenant == bindparam("of"), sweep_steps.c.step_key == bindparam("key"))
_waiting = (sweep_steps.c.tenant == bindparam("tenant"), sweep_steps.c.answer.is_(None))
_FETCH: Final = delete(sweep_steps).where(*_this, sweep_steps.c.answer.is_not(None)).returning(sweep_steps.c.answer)
_JOIN: Final = upsert(sweep_steps).on_conflict_do_nothing().values(due_at=func.clock_timestamp())
_DUE: Final = (
    select(sweep_steps.c.doing, sweep_steps.c.attempts)
    .where(*_waiting, sweep_steps.c.system == bindparam("system"), sweep_steps.c.due_at <= func.clock_timestamp())
    .order_by(sweep_steps.c.due_at, sweep_steps.c.step_key)
    .limit(bindparam("most"))
)
_LEFT: Final = select(func.count(), func.min(sweep_steps.c.due_at) - func.clock_timestamp()).where(
    *_waiting, sweep_steps.c.system == bindparam("system")
)
_GATHERED: Final = select(
    func.count(),
    func.clock_timestamp() - func.min(sweep_steps.c.due_at),
    func.clock_timestamp() - func.max(sweep_steps.c.due_at),
).where(*_waiting, sweep_steps.c.system == bindparam("system"), sweep_steps.c.due_at <= func.clock_timestamp())
_ANSWER: Final = (
    update(sweep_steps)
    .where(*_this, sweep_steps.c.answer.is_(None))
    .values(answer=bindparam("said"))
    .returning(sweep_steps.c.request_id)
)
_PUT_OFF: Final = (
    update(sweep_steps)
    .where(*_this)
    .values(due_at=func.clock_timestamp() + bindparam("delay", type_=Interval), attempts=sweep_steps.c.attempts + 1)
)
_SYSTEMS: Final = select(sweep_steps.c.system).where(*_waiting).distinct()
_CALLED: Final = select(outbox.c.id).where(
    outbox.c.tenant == bindparam("tenant"),
    outbox.c.kind == "sweep",
    outbox.c.sent_at.is_(None),
    outbox.c.body["system"].astext == bindparam("system"),
)


class Waiting(NamedTuple):
    """A step in the queue."""

    doing: str
    """As it was given."""
    attempts: int
    """Sweeps that have put it off."""


class Sweeps(Store):
    """Verbs on the queues of sweeps, one for each system."""

    def fetch_swept(self, step_key: str) -> str | None:
        """A step's answer, taken out of the queue with it; None while there is none."""
        with self._begin() as connection:
            answer: str | None = connection.scalar(_FETCH, {"of": self.tenant, "key": step_key})
        return answer

    def join_sweep(self, step: Step, doing: str) -> None:
        """Put a step into its system's queue, and call for a sweep; no effect if it is there."""
        with self._begin() as connection:
            row = {"tenant": self.tenant, "step_key": step.key, "system": step.system}
            joined = connection.execute(_JOIN, {**row, "request_id": step.request_id, "doing": doing}).rowcount
            if joined and connection.execute(_CALLED, row).first() is None:
                at = connection.execute(select(func.clock_timestamp())).scalar_one()
                post(connection, self.tenant, "sweep", "", at, {"system": step.system})

    def sweep_due(self, system: str, most: int) -> list[Waiting]:
        """The steps of a system that may be swept now, those that wait longest first."""
        with self._look() as connection:
            rows = connection.execute(_DUE, {"tenant": self.tenant, "system": system, "most": most})
            return [Waiting(row.doing, row.attempts) for row in rows]

    def sweep_gathers(self, system: str, most: int, quiet: timedelta, longest: timedelta) -> timedelta:
        """How long to wait for more people: until `most` are there, nobody has come for `quiet`, or the first of them
        has waited for `longest`. Zero: no longer."""
        with self._look() as connection:
            its = {"tenant": self.tenant, "system": system}
            number, oldest, newest = connection.execute(_GATHERED, its).one()
        if not number or number >= most:
            return timedelta(0)
        left: timedelta = min(quiet - newest, longest - oldest)
        return max(left, timedelta(0))

    def sweep_left(self, system: str) -> tuple[int, timedelta]:
        """How many steps of a system wait, and in how long the first of them may be swept."""
        with self._look() as connection:
            number, delay = connection.execute(_LEFT, {"tenant": self.tenant, "system": system}).one()
        return number, max(delay or timedelta(0), timedelta(0))

    def answer_sweep(self, step_key: str, answer: str) -> None:
        """Answer a step, and wake its request."""
        with self._begin() as connection:
            of = {"of": self.tenant, "key": step_key, "said": answer}
            request_id = connection.scalar(_ANSWER, of)
            if request_id is not None:
                at = connection.execute(select(func.clock_timestamp())).scalar_one()
                post(connection, self.tenant, "swept", request_id, at)

    def put_off_sweep(self, step_keys: Sequence[str], delay: timedelta) -> None:
        """Leave steps for a later sweep."""
        with self._begin() as connection:
            for key in step_keys:
                connection.execute(_PUT_OFF, {"of": self.tenant, "key": key, "delay": delay})

    def leave_sweep(self, step_key: str) -> None:
        """Take a step out of its queue; nobody waits for it any more."""
        with self._begin() as connection:
            connection.execute(delete(sweep_steps).where(*_this), {"of": self.tenant, "key": step_key})

    def systems_to_sweep(self) -> list[str]:
        """Systems in whose queue somebody waits."""
        with self._look() as connection:
            return list(connection.scalars(_SYSTEMS, {"tenant": self.tenant}))
