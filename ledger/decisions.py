"""What people decide about a request: erasure approved, request taken back, a ruling on a task.

The one rule: a decision is recorded here first, with its note sealed; Temporal is told by the outbox, and a run that
never hears of it reads it here.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, Literal

from sqlalchemy import Connection, bindparam, select, update

from ledger.clocks import Clocks
from ledger.errors import LedgerRefusal
from ledger.eyes import refuse_same
from ledger.fence import calls_of_request
from ledger.heldback import Covers, HeldBack, destroys_by_hand, held_back
from ledger.letterdesk import rule_on_letter
from ledger.models import requests, tasks
from ledger.models_deciding import coolings
from ledger.models_followups import follow_ups
from ledger.notes import by_whom, keep_word
from ledger.outbox import post
from ledger.store import AnyRow
from ledger.tasks import put_task, settle_tasks
from ledger.vault import Sealed
from rights.codes import Code
from rights.course import COURSES
from rights.plan import Operation
from rights.request import Phase, Right, may_say

Ruling = Literal["retry", "give_up", "done", "choose"]
"""An agent's word on a task: try again; leave it and say so; it is done by hand; these rows are the person's."""

_ALONE: Final = {
    Code.INTERIM, Code.DEADLINE, Code.ACKNOWLEDGE, Code.NOT_EXTENDED, Code.UNDONE, Code.REST_IN_USE, Code.ALSO_ASKED,
}  # fmt: skip
"""Tasks that no step waits for: they are about the clock, about what nobody but a person can do once more, about what
an erasure has left, or about what else a text asks for."""
_AFTER: Final = {Code.UNDONE, Code.REST_IN_USE, Code.ALSO_ASKED}
"""Of these, what is ruled on when the request is over as well."""
_BY_HAND: Final = {Code.MANUAL, Code.UNSUPPORTED, Code.STATEMENT, Code.NOWHERE, Code.RETURNED, *_ALONE}
"""Only what the engine cannot look at again may be called done by a person's word."""

_LOOKS: Final = {Operation.RESTRICT, Operation.RECTIFY, Operation.VERIFY}
"""What is tried again after the closing (ledger/followups.py)."""

_CHOSEN_FROM: Final = {Code.SEVERAL_PEOPLE, Code.THIRD_PARTIES, Code.MENTIONS, Code.RESIDUE}
"""Tasks with rows to choose from."""
_ONLY_CHOSEN: Final = {Code.SEVERAL_PEOPLE}
"""Where trying again would only ask again."""
ELSEWHERE: Final = {
    Code.RESTRICTION_REVIEW: "keep the restriction (habeas restriction review) or have it lifted (lift)",
    Code.REST_REVIEW: "keep it (habeas rest keep), have it erased (habeas rest erase) or opened (habeas rest open)",
    Code.USE_TOLD: "tell the person, and enter it (habeas restriction use-told)",
    Code.ACCURACY: "decide on each field (habeas rectification decide)",
    Code.REVIEW: "a copy is delivered once somebody has gone through it (habeas review release)",
    Code.WEIGH: "weigh it and say so (habeas objection weigh)",
    Code.CONTESTED: "look at it again and say so (habeas automated decide)",
    Code.DECISION: "approve the decision, drop it, or propose one (habeas decision)",
    Code.CONSULTATION: "agree to the decision or dissent (habeas decision)",
    Code.FEE: "enter that the fee was paid (habeas decision paid), or was not (unpaid)",
    Code.STOPPED: "two agents say what becomes of it (habeas request review)",
    Code.UNTIED: "prove it (habeas identity send-code), vouch for it (attest --proves), or leave it out (leave-out)",
    Code.MINOR: "say whether it is a child's data (habeas minor rule)",
    Code.MINOR_IN_USE: "see to what the restriction waits on; it goes off the desk once the data is out of use",
    Code.MINOR_NOT_GONE: "see to what the erasure waits on; it goes off the desk once that is closed",
    Code.RECIPIENT: "enter what the recipient answers (habeas recipient answered)",
    Code.WORKED_OUT: "enter what became of it (habeas rectification remade)",
    Code.PUBLISHED: "enter which steps were taken (habeas recipient published)",
    Code.APPEAL: "decide on the appeal (habeas appeal decide)",
    Code.INCIDENT: "lift the incident, or close it (habeas incident)",
}
"""Tasks with a verb of their own."""

_LOCK: Final = (
    select(requests)
    .where(requests.c.tenant == bindparam("tenant"), requests.c.id == bindparam("request_id"))
    .with_for_update(key_share=True)
)
_FIND_TASK: Final = select(tasks.c.id).where(
    tasks.c.tenant == bindparam("tenant"),
    tasks.c.request_id == bindparam("request_id"),
    tasks.c.step_key == bindparam("step_key"),
    tasks.c.code == bindparam("code"),
    tasks.c.settled_at.is_(None),
)


class Decisions(Clocks):
    """Verbs of decisions and tasks. Each `note` is a free text, sealed in the request's file; `by` is an opaque staff
    id or a role, and stands in the journal as it is."""

    def approve(
        self, request_id: str, *, at: datetime, note: str | None = None, by: str | None = None, four_eyes: bool = True
    ) -> bool:
        """Approve the preview of an erasure; False if it was approved before. `four_eyes`: whoever opened the request,
        or vouched for the asker, does not (where it is known who).

        Raises:
            LedgerRefusal: there is no preview to approve, the same person would be both, or the request is closed,
                withdrawn or unknown.
        """
        with self._begin() as connection:
            row = self._undecided(connection, request_id)
            if not COURSES[Right(row.right)].destroys:
                raise LedgerRefusal(f"only what destroys data is approved; this request is about {row.right}")
            if row.approved_at:
                return False
            if not may_say("approve", Phase(row.phase)):
                raise LedgerRefusal(
                    f"the request is {row.phase}: there is nothing to approve before it is {Phase.APPROVING}"
                )
            if by and four_eyes:
                refuse_same(self, connection, request_id, by)
            self._decide(connection, row, "approve", {"approved_at": at}, at, note, by=by)
        return True

    def withdraw(self, request_id: str, *, at: datetime, note: str | None = None, by: str | None = None) -> int:
        """Take a request back. Nothing is destroyed by a call that starts after this; how many may still be running.

        Raises:
            LedgerRefusal: the request is closed or unknown.
        """
        with self._begin() as connection:
            self._people.lock_request(connection, self.tenant, request_id)
            row = self._open_row(connection, request_id)
            if frozen(connection, self.tenant, request_id):
                raise LedgerRefusal(
                    "the erasure was stopped and is frozen: two agents take it back with habeas request review"
                )
            flying = calls_of_request(connection, self.tenant, request_id)
            if row.withdrawn_at is None:
                self._let_go(connection, request_id, at)
                self._decide(connection, row, "withdraw", {"withdrawn_at": at}, at, note, by=by)
        return flying

    def _let_go(self, connection: Connection, request_id: str, at: datetime) -> None:
        """What goes with a request that is taken back, in the same transaction; here there is nothing."""

    def rule(
        self,
        request_id: str,
        task_id: str,
        ruling: Ruling,
        *,
        at: datetime,
        note: str | None = None,
        by: str | None = None,
        chosen: bytes | None = None,
        on: date | None = None,
        covers: Covers | None = None,
    ) -> bool:
        """Rule on a task; False if it was ruled so before. The task stays open until the ruling is carried out.

        `on` is the day on which what a person does was done, for 'done' about a letter; of today if it is not said.

        `chosen` goes with 'choose' alone: which rows are the person's and which are not, in the words of the activities
        that read it; it is sealed as ``rulings/SYSTEM`` among the working identities.

        What people destroy by hand passes no fence: 'done' of it is asked here whether a hold stands in the way.
        `covers` tells what a hold's scope covers in a system; None: whatever it can touch.

        Raises:
            HeldBack: a hold does.
            LedgerRefusal: the task is not open, the ruling makes no sense for it, or it was ruled otherwise.
        """
        with self._begin() as connection:
            if ruling == "done":
                self._people.lock_shredding(connection, self.tenant)
            ruled = rule_on_letter(self, connection, request_id, task_id, ruling, at=at, note=note, by=by, on=on)
            if ruled is not None:
                return ruled
            row = self._known_row(connection, request_id)
            task = connection.execute(
                select(tasks)
                .where(
                    tasks.c.tenant == self.tenant,
                    tasks.c.request_id == request_id,
                    tasks.c.id == task_id,
                )
                .with_for_update(key_share=True)
            ).first()
            after = task is not None and (_of_lifting(task) or task.code in _AFTER or self._of_look(connection, task))
            if not after:
                # A restriction is lifted, corrections are looked at, a backup is restored, and what an erasure had to
                # leave is seen to long after. And what was taken back is closed once it was looked at what had been
                # done.
                (_refuse_closed if task is not None and _of_account(task) else _refuse_over)(row)
            if task is None:
                raise LedgerRefusal("the request has no task of this id")
            if task.ruling == ruling:
                return False
            _refuse_ruling(task, ruling, chosen)
            if ruling == "done":
                self._refuse_held(connection, task, at, covers)
            # Nothing waits for it: with a person's word the task is settled.
            alone = task.code in _ALONE
            connection.execute(
                update(tasks)
                .where(tasks.c.tenant == self.tenant, tasks.c.id == task_id)
                .values(ruling=ruling, settled_at=at if alone else None)
            )
            if alone:
                self._decide(connection, row, _said_of(task.code, ruling), {}, at, note, by=by, tell=False)
                return True
            _, system, operation, round_ = task.step_key.split("/")
            if chosen is not None:
                key = self._vault.key(connection, request_id, "working")
                sealed = Sealed("working", f"rulings/{system}", chosen)
                self._vault.put(connection, request_id, key, sealed, at)
            told = {"system": system, "operation": Operation(operation), "round": int(round_), "word": ruling}
            self._decide(connection, row, "rule", {}, at, note, by=by, told=told, key=task.step_key)
        return True

    def open_task(self, request_id: str, step_key: str, code: Code, about: str, *, at: datetime) -> str:
        """Put a step on a person's desk; its id, also when the same task is there already.

        `about` is a name from the data map or a system's catalogue.
        """
        wanted = {
            "tenant": self.tenant,
            "request_id": request_id,
            "step_key": step_key,
            "code": code.value,
        }
        with self._begin() as connection:
            made = put_task(self, connection, request_id, step_key, code, about, at)
            found: str | None = made or connection.scalar(_FIND_TASK, wanted)
        # Settled between the two statements: then it is put there anew.
        return found or self.open_task(request_id, step_key, code, about, at=at)

    def settle_tasks(self, request_id: str, step_key: str, *, at: datetime) -> int:
        """Take a step's tasks off the desk: ruled and carried out, or needless; how many there were."""
        with self._begin() as connection:
            its = (tasks.c.request_id == request_id, tasks.c.step_key == step_key)
            settled = settle_tasks(self, connection, at, *its)
            if settled:
                body = {"tasks": settled}
                self._journal(connection, "tasks_settled", body, at, request_id=request_id, key=step_key)
        return settled

    def _refuse_held(self, connection: Connection, task: AnyRow, at: datetime, covers: Covers | None) -> None:
        """Refuse that something was destroyed by hand under a hold; no hold is placed meanwhile."""
        if not destroys_by_hand(Code(task.code), task.step_key):
            return
        system = task.step_key.split("/")[1]
        if code := held_back(self, connection, task.request_id, system, at, covers):
            raise HeldBack(code, f"the task in '{system}' cannot be called done")

    def _of_look(self, connection: Connection, task: AnyRow) -> bool:
        """Whether a task is about what is looked at again after the closing."""
        operation = task.step_key.split("/")[2]
        looked_at = select(follow_ups.c.request_id).where(
            follow_ups.c.tenant == self.tenant,
            follow_ups.c.request_id == task.request_id,
            follow_ups.c.over_at.is_(None),
        )
        return operation in _LOOKS and connection.execute(looked_at.limit(1)).first() is not None

    def _known_row(self, connection: Connection, request_id: str) -> AnyRow:
        """The request's row, which nobody else changes until the transaction ends."""
        row = connection.execute(_LOCK, {"tenant": self.tenant, "request_id": request_id}).first()
        if row is None:
            raise LedgerRefusal("there is no request of this id")
        return row

    def _open_row(self, connection: Connection, request_id: str) -> AnyRow:
        row = self._known_row(connection, request_id)
        _refuse_closed(row)
        return row

    def _undecided(self, connection: Connection, request_id: str) -> AnyRow:
        row = self._known_row(connection, request_id)
        _refuse_over(row)
        return row

    def _decide(
        self,
        connection: Connection,
        row: AnyRow,
        kind: str,
        changes: Mapping[str, datetime],
        at: datetime,
        note: str | None,
        *,
        by: str | None = None,
        told: Mapping[str, object] | None = None,
        key: str | None = None,
        tell: bool = True,
    ) -> None:
        """Write a decision down: row, sealed note, word to Temporal (which hears of nobody), journal."""
        if changes:
            connection.execute(
                update(requests).where(requests.c.tenant == self.tenant, requests.c.id == row.id).values(**changes)
            )
        kept = keep_word(self, connection, row.id, note, at)
        if tell:
            post(connection, self.tenant, kind, row.id, at, told)
        body = {**(told or {}), **by_whom(by), **kept}
        self._journal(connection, kind, body, at, request_id=row.id, key=key)


def frozen(connection: Connection, tenant: str, request_id: str) -> bool:
    """Whether an erasure was stopped in its cooling-off, and waits for two agents."""
    query = select(coolings.c.state).where(coolings.c.tenant == tenant, coolings.c.request_id == request_id)
    return connection.scalar(query) == "frozen"


def _of_lifting(task: AnyRow) -> bool:
    return bool(task.step_key.split("/")[2] == Operation.LIFT)


def _of_account(task: AnyRow) -> bool:
    return bool(task.step_key.split("/")[2] == Operation.VERIFY)


def _refuse_closed(row: AnyRow) -> None:
    if row.phase == Phase.CLOSED:
        raise LedgerRefusal(f"the request was closed on {row.closed_at:%Y-%m-%d}")


def _refuse_over(row: AnyRow) -> None:
    """Refuse what nobody decides any more once a request is closed or withdrawn."""
    _refuse_closed(row)
    if row.withdrawn_at:
        raise LedgerRefusal(f"the request was withdrawn on {row.withdrawn_at:%Y-%m-%d}, or passed on then")


def _said_of(code: str, ruling: Ruling) -> str:
    """What the journal calls a person's word on a task that nothing waits for."""
    if code == Code.INTERIM:
        return "interim_sent" if ruling == "done" else "interim_left"
    return f"{code}_{'done' if ruling == 'done' else 'left'}"


def settled_as(code: Code, step_key: str) -> Code:
    """The code by which a task is settled: a notice that could not be sent is settled by what its recipient answers, as
    one that was, and no step waits for it."""
    return Code.RECIPIENT if code is Code.EGRESS and step_key.split("/")[1] == "recipient" else code


def words_for(code: Code) -> tuple[Ruling, ...]:
    """What can be ruled on a task, beyond a choice of rows; nothing where it has a verb of its own."""
    if code in ELSEWHERE:
        return ()
    words: list[Ruling] = ["give_up"]
    if code not in {Code.APPROVAL, *_ALONE, *_ONLY_CHOSEN}:
        words.insert(0, "retry")
    if code in _BY_HAND:
        words.append("done")
    return tuple(words)


def _refuse_ruling(task: AnyRow, ruling: Ruling, chosen: bytes | None) -> None:
    code = settled_as(Code(task.code), task.step_key)
    if task.settled_at:
        raise LedgerRefusal("the task is settled: nothing is left to rule on")
    if task.ruling:
        raise LedgerRefusal(f"the task was ruled '{task.ruling}', which is being carried out")
    if code in ELSEWHERE:
        raise LedgerRefusal(f"a task '{code}' is not ruled on: {ELSEWHERE[code]}")
    if ruling == "choose" and code not in _CHOSEN_FROM:
        raise LedgerRefusal(f"'choose' does not answer a task '{code}': nothing is to be chosen")
    if ruling not in {"choose", "give_up"} and code in _ONLY_CHOSEN:
        raise LedgerRefusal(f"'{ruling}' does not answer a task '{code}': rule 'choose' or 'give_up'")
    if (chosen is not None) != (ruling == "choose"):
        raise LedgerRefusal("'choose' needs the rows that are the person's, and nothing else does")
    if ruling == "done" and code not in _BY_HAND:
        raise LedgerRefusal(f"a task '{code}' is not done by saying so: the engine looks for itself; rule 'retry'")
    if ruling == "retry" and code in _ALONE:
        raise LedgerRefusal("this is for a person to do: rule 'done' once it is, or 'give_up'")
    if ruling == "retry" and code is Code.APPROVAL:
        raise LedgerRefusal("the step waits for approval: approve the request instead")
