"""What a person weighs: objections on grounds, and decisions to be looked at again.

The one rule: what came of it is said once, with the role that says so and its evidence sealed, and in the same commit
as the letter that tells the person; whoever made a decision does not review it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.decisions import Decisions
from ledger.errors import LedgerRefusal
from ledger.letters import queue_letter
from ledger.models import tasks
from ledger.models_suppression import weighings
from ledger.outbox import post
from ledger.tasks import put_task, settle_tasks
from ledger.vault import Sealed
from rights.approvers import same_person
from rights.codes import Code
from rights.weighing import OUTCOMES, Matter, Outcome, Weighing

EVIDENCE: Final = "weighing"
"""Under which name of the request's file it is sealed who has weighed, what was found, and on what evidence."""
CODES: Final[Mapping[Matter, Code]] = {Matter.OBJECTION: Code.WEIGH, Matter.DECISION: Code.CONTESTED}

_its = (weighings.c.tenant == bindparam("of"), weighings.c.request_id == bindparam("id"))
_FIND: Final = select(weighings).where(*_its)
_OPEN: Final = upsert(weighings).on_conflict_do_nothing()
_LATE: Final = (
    update(weighings)
    .where(*_its, weighings.c.outcome.is_(None), weighings.c.overdue_at.is_(None))
    .values(overdue_at=bindparam("at"))
)


class Weighings(Decisions):
    """Verbs on them."""

    def open_weighing(self, request_id: str, matter: Matter, *, at: datetime, due_at: datetime) -> bool:
        """Put a matter on a person's desk, with a day of its own; False if it is there."""
        row = {
            "tenant": self.tenant,
            "request_id": request_id,
            "matter": matter.value,
            "opened_at": at,
            "due_at": due_at,
        }
        with self._begin() as connection:
            if not connection.execute(_OPEN, row).rowcount:
                return False
            key, due_on = weighing_key(request_id), due_at.date()
            put_task(self, connection, request_id, key, CODES[matter], matter.value, at, due_on=due_on)
            body = {"matter": matter, "due_at": due_at}
            self._journal(connection, "weighing", body, at, request_id=request_id)
        return True

    def weighing(self, request_id: str) -> Weighing | None:
        """The matter of a request; None if it has none."""
        with self._look() as connection:
            row = connection.execute(_FIND, {"of": self.tenant, "id": request_id}).first()
        return Weighing.model_validate(row._mapping) if row else None

    def weigh(
        self,
        request_id: str,
        outcome: Outcome,
        *,
        by: str,
        evidence: str,
        at: datetime,
        ground: str = "",
        approved_by: str = "",
        letter: str = "",
        said: bytes | None = None,
    ) -> bool:
        """Say what came of a matter; False if that was said before. `by` and `approved_by` are roles, sealed.

        `letter` is the kind that tells the person, and `said` what it says beyond the record; none: no letter is sent.

        Raises:
            LedgerRefusal: nothing is to be weighed, something else was said before, or the outcome is none of these.
        """
        with self._begin() as connection:
            row = self._undecided(connection, request_id)
            found = connection.execute(_FIND.with_for_update(), {"of": self.tenant, "id": request_id}).first()
            if found is None:
                raise LedgerRefusal("nothing of this request is to be weighed (yet)")
            if approved_by and same_person(approved_by) == same_person(by):
                raise LedgerRefusal("who approves is somebody else than who has weighed it: two people, not one")
            if outcome not in OUTCOMES[Matter(found.matter)]:
                raise LedgerRefusal(
                    f"write one of {', '.join(OUTCOMES[Matter(found.matter)])}: it is about {found.matter}"
                )
            if found.outcome:
                if found.outcome == outcome:
                    return False
                raise LedgerRefusal(f"it was said to be {found.outcome} on {found.decided_at:%Y-%m-%d}")
            connection.execute(
                update(weighings)
                .where(weighings.c.tenant == self.tenant, weighings.c.request_id == request_id)
                .values(outcome=outcome.value, ground=ground, decided_at=at)
            )
            settle_tasks(self, connection, at, tasks.c.step_key == weighing_key(request_id), ruling="done")
            file = {"by": by, "approved_by": approved_by, "evidence": evidence}
            key = self._vault.key(connection, request_id, "file")
            self._vault.put(connection, request_id, key, Sealed("file", EVIDENCE, orjson.dumps(file)), at)
            if letter:
                queue_letter(self, connection, request_id, letter, at, said=said)
            post(connection, self.tenant, "wake", row.id, at)
            body = {"outcome": outcome, "ground": ground, "approved": bool(approved_by)}
            self._journal(connection, "weighed", body, at, request_id=request_id)
        return True

    def note_weighing_late(self, request_id: str, *, at: datetime) -> bool:
        """Note that a matter is past its day; False if that was noted, or it is weighed."""
        with self._begin() as connection:
            late = connection.execute(_LATE, {"of": self.tenant, "id": request_id, "at": at}).rowcount
            if late:
                self._journal(connection, "weighing_late", {}, at, request_id=request_id)
        return bool(late)


def weighing_key(request_id: str) -> str:
    """What the task about a matter hangs on."""
    return f"{request_id}/weighing/weigh/0"
