"""Looking again long after: whether anything has come that a restriction is about, and whether corrections last.

The one rule: what came since is locked away as the rest was, behind the same fence; what was corrected and has come
back is a person's matter, for somebody may have written it on purpose.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from temporalio import activity

from activities.acting import Acting, left
from activities.calls import FINAL_WORDS, Beat, Doing, Ready, beating, by_word, keep, make_ready, read
from activities.corrections import Disputed, disputed
from activities.opening import Ask
from activities.outcomes import Answer, receipt_for
from activities.restricting import owed_in
from activities.tools import Tools
from connectors.errors import Unsupported
from connectors.protocol import Correction, Look, OldValues, Rectifies, Restricts
from ledger.followups import What
from ledger.requestrow import RequestRow
from ledger.steps import AtStep
from rights.codes import Code
from rights.plan import Operation, Step
from rights.portable import BY_HAND
from rights.receipt import Certainty, Count, Outcome, Receipt, Tally, newest
from rights.request import Right
from rights.restriction import Stage
from rights.value import Value

OPEN_AGAIN: Final = timedelta(days=1)
"""How soon it is looked again at what a person was asked about: it may be right by then."""
SEAL_AGAIN: Final = timedelta(hours=1)
"""How soon a copy that could not be made is tried again: a system that is away, or what a person has put right."""
OF_FOLLOW_UPS: Final = frozenset({Operation.RESTRICT, Operation.RECTIFY, Operation.VERIFY})
"""The operations that go on after a request is closed."""


class Due(Value):
    """What is to be looked at, in which systems."""

    locks: tuple[Step, ...] = ()
    """Where what came since is to be locked away."""
    corrects: tuple[Step, ...] = ()
    """Where somebody has ruled that it is corrected once more."""
    looks: tuple[Step, ...] = ()
    """Where it is looked whether a correction lasts."""
    uses: tuple[str, ...] = ()
    """Uses of what is restricted, whose copies are to be made."""
    open: bool = True
    """Something is looked at again for the request at all."""


class Seen(Value):
    """What came of a round of looks."""

    ask: Ask
    corrected: bool = False
    """Something was corrected once more."""
    lasting: bool = True
    """All that was corrected says so."""


class FollowingActivities:
    """Looks of closed requests, and of open ones."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._acting = tools, Acting(tools)

    @activity.defn(name="due_looks", no_thread_cancel_exception=True)
    def due(self, ask: Ask) -> Due:
        """Say what is to be looked at; carry out what was ruled on what an earlier look has asked."""
        ledger = self._tools.ledger
        open_ = {one.what for one in ledger.follow_ups(ask.request_id)}
        uses = self._to_seal(ask.request_id, ask.as_of)
        if not (open_ or uses):
            return Due(open=False)
        row = ledger.request(ask.request_id)
        # While it is open its own life carries out what is ruled.
        again = set() if row.phase.open else self._ruled(ask)
        receipts = ledger.receipts(ask.request_id)
        locks: tuple[Step, ...] = ()
        if What.RESTRICTION in open_:
            locks = self._locks(row, receipts) if self._in_force(ask.request_id) else ()
        if What.RECTIFICATION not in open_:
            return Due(locks=locks, uses=uses)
        looks = _steps(row, Operation.VERIFY, _corrected(receipts), receipts)
        corrects = _steps(row, Operation.RECTIFY, [s.system for s in looks if s.system in again], receipts)
        return Due(locks=locks, corrects=corrects, looks=looks, uses=uses)

    @activity.defn(name="look_again", no_thread_cancel_exception=True)
    def look(self, doing: Doing) -> bool:
        """Look again in one system, and lock away or correct what is to be; whether all is as it should be.

        Nothing is written down of a look that finds nothing new in what is restricted.
        """
        tools, step = self._tools, doing.step
        known = read(tools, step)
        with beating() as beat:
            receipt = receipt_for(step, partial(self._carry_out, doing, known, beat), doing.as_of)
        if receipt.code == Code.WITHDRAWN or receipt == _as_before(step, doing.as_of):
            # It is being lifted by now; or nothing has come.
            tools.ledger.settle_tasks(step.request_id, step.key, at=doing.as_of)
            return True
        receipt = keep(tools, doing, known, receipt)
        if receipt.outcome is Outcome.PENDING:
            tools.ledger.open_task(step.request_id, step.key, Code.CHANGED_BACK, step.system, at=doing.as_of)
        elif receipt.outcome.settled:
            tools.ledger.settle_tasks(step.request_id, step.key, at=doing.as_of)
        return receipt.outcome.settled

    @activity.defn(name="looked_again", no_thread_cancel_exception=True)
    def looked(self, seen: Seen) -> None:
        """Note that it was looked, and when that is next."""
        ledger, ask, terms = self._tools.ledger, seen.ask, self._tools.terms
        for one in ledger.follow_ups(ask.request_id):
            if one.what is What.RESTRICTION:
                # What could not be sealed yet is tried again by itself.
                soon = bool(self._to_seal(ask.request_id, ask.as_of))
                each = min(terms.look, SEAL_AGAIN) if soon else terms.look
                wait = each if self._in_force(ask.request_id) else None
            elif not seen.lasting:
                wait = OPEN_AGAIN
            else:
                wait = terms.lasting if seen.corrected else None
            next_on = ask.as_of + wait if wait else None
            ledger.looked(ask.request_id, one.what, at=ask.as_of, next_on=next_on)

    def _carry_out(self, doing: Doing, known: AtStep, beat: Beat) -> Answer:
        step = doing.step
        ready = make_ready(self._tools, doing, known, beat, beside=True)
        answer: Answer
        match step.operation:
            case Operation.RESTRICT:
                answer = self._lock(ready, doing)
            case Operation.RECTIFY:
                answer = self._acting.rectify(ready.connector, ready.call, step)
            case _:
                answer = self._back(ready)
        ready.answered(answer)
        return answer

    def _lock(self, ready: Ready, doing: Doing) -> Answer:
        """Lock away what has come since; nothing is done, and nothing said, where nothing has."""
        assert isinstance(ready.connector, Restricts)  # noqa: S101 - by `_locks`
        last = newest(self._tools.ledger.receipts(ready.step.request_id), Operation.RESTRICT).get(ready.step.system)
        kept_open = last is not None and not last.outcome.settled
        if not kept_open and not left(ready.connector.restrict, ready.call):
            return _as_before(ready.step, doing.as_of)
        return self._acting.restrict(ready.connector, ready.call, ready.step)

    def _back(self, ready: Ready) -> Look:
        """The rows in which what was corrected has come back; a row that says a third thing was changed on purpose."""
        if not isinstance(ready.connector, Rectifies):
            raise Unsupported(Code.UNSUPPORTED, ready.step.system)
        seen: list[OldValues] = []
        differing = left(ready.connector.rectify, replace(ready.call, keep=seen.append))
        if differing and changed_since(self._old(ready.step), seen, differing, ready.call.corrections):
            differing = {}
        return Look(Tally(counts=tuple(Count(collection=name, found=rows) for name, rows in differing.items())))

    def _old(self, step: Step) -> Disputed:
        """What stood there before it was corrected, as long as that is kept."""
        return disputed(self._tools.ledger, step.request_id, step.system)

    def _locks(self, row: RequestRow, receipts: Sequence[Receipt]) -> tuple[Step, ...]:
        """Where what came since is locked away: where something was, and where nothing of the person stood."""
        tools = self._tools
        acted = {name for name, r in newest(receipts, Operation.RESTRICT).items() if _by_the_engine(r)}
        nothing = {n for n, r in newest(receipts, Operation.LOCATE).items() if r.outcome is Outcome.NOTHING_HELD}
        if row.right is Right.RESTRICTION:
            meant = owed_in(tools, row).systems
            acted |= {name for name in nothing if meant is None or name in meant}
        elif row.right is Right.RECTIFICATION:
            acted |= nothing
        systems = tools.map_of(row).systems
        able = {name for name in acted if name in systems and isinstance(tools.connector(systems[name]), Restricts)}
        by_hand = {name for name in able if systems[name].connector in BY_HAND}
        return _steps(row, Operation.RESTRICT, sorted(able - by_hand), receipts)

    def _to_seal(self, request_id: str, at: datetime) -> tuple[str, ...]:
        if not self._in_force(request_id):
            return ()
        return tuple(use.id for use in self._tools.ledger.uses(request_id) if use.to_seal(at))

    def _in_force(self, request_id: str) -> bool:
        found = self._tools.ledger.restriction(request_id)
        return found is not None and found.stage not in {Stage.LIFTING, Stage.LIFTED}

    def _ruled(self, ask: Ask) -> set[str]:
        """Carry out what was ruled on what an earlier look has asked; the systems in which something is to be tried
        again."""
        ledger, again = self._tools.ledger, set()
        for key, word in ledger.rulings(ask.request_id).items():
            step = step_of(key)
            if step is None or step.operation not in OF_FOLLOW_UPS:
                continue
            if word in FINAL_WORDS:
                ledger.keep_receipt(by_word(self._tools, step, word, ask.as_of))
            else:
                again.add(step.system)
            ledger.settle_tasks(ask.request_id, key, at=ask.as_of)
        return again


def step_of(key: str) -> Step | None:
    """The step of a key; None of what is no step on a system."""
    request_id, system, operation, number = key.split("/")
    if operation not in set(Operation) or not number.isdigit():
        return None
    return Step(request_id=request_id, system=system, operation=Operation(operation), round=int(number))


def _as_before(step: Step, at: datetime) -> Receipt:
    """What a look says that has found nothing new. It is not kept."""
    return Receipt(step=step, outcome=Outcome.NOTHING_HELD, at=at)


def _steps(
    row: RequestRow, operation: Operation, systems: Iterable[str], receipts: Sequence[Receipt]
) -> tuple[Step, ...]:
    """A step in each system that nobody has given up, in a round of its own: what was settled before stays so."""
    steps = []
    for name in systems:
        mine = [r for r in receipts if (r.step.system, r.step.operation) == (name, operation)]
        if mine and mine[-1].code == Code.RULED_OUT:
            continue
        rounds = [r.step.round for r in mine if r.outcome.settled]
        number = 1 + max(rounds, default=-1) if not operation.look else max((r.step.round for r in mine), default=0)
        steps.append(Step(request_id=row.id, system=name, operation=operation, round=number))
    return tuple(steps)


def _corrected(receipts: Sequence[Receipt]) -> list[str]:
    """The systems in which the engine has corrected something."""
    return [
        name
        for name, r in newest(receipts, Operation.RECTIFY).items()
        if _by_the_engine(r) and r.outcome is Outcome.DONE
    ]


def _by_the_engine(receipt: Receipt) -> bool:
    """Whether something was done, and by no person: what people do they look at themselves."""
    return receipt.certainty is not Certainty.ATTESTED and receipt.code != Code.RULED_OUT


def changed_since(
    old: Disputed, seen: Sequence[OldValues], differing: Mapping[str, int], corrections: Sequence[Correction]
) -> bool:
    """Whether all rows that differ say something that never stood there before the correction: then somebody has
    written it since. Where what stood there is not kept any more, or not all rows were seen, it is not known."""
    wanted = {(one.collection, field): value for one in corrections for field, value in one.values.items()}
    stood: defaultdict[tuple[str, str], set[str | None]] = defaultdict(set)
    for name, rows in old.items():
        for field, before in (pair for values in rows.values() for pair in values.items()):
            stood[name, field].update(before)
    now = {(name, key): values for part in seen for name, some in part.items() for key, values in some.items()}
    says = [((name, field), value) for (name, _), values in now.items() for field, value in values.items()]
    others = [(place, value) for place, value in says if value != wanted.get(place)]
    return len(now) >= sum(differing.values()) and all(
        place in stood and value not in stood[place] for place, value in others
    )
