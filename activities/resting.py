"""What an erasure had to leave in one system: locked away until it goes, and opened again once nothing of it stays.

The one rule: what is locked is what the ledger's receipts say has stayed, never more; and where it cannot be done the
request goes on, a person is asked, and nothing says that it was done.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from temporalio import activity

from activities.acting import Acting
from activities.calls import BEFORE_THE_WORK, FINAL_WORDS, FOR_A_PERSON, Beat, Doing, beating, by_word, make_ready, read
from activities.outcomes import Answer, receipt_for
from activities.tools import Tools
from ledger.steps import AtStep
from rights.codes import Code
from rights.deferred import NO_GROUNDS, Grounds
from rights.plan import Operation, Step
from rights.receipt import Certainty, Outcome, Receipt, newest, vouching
from rights.rests import NOTHING, Rest, asks_of, locked_away, rest_of


class RestingActivities:
    """Locks away and opens, each with a receipt of its own."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._acting = tools, Acting(tools)

    @activity.defn(name="see_to_rest", no_thread_cancel_exception=True)
    def see_to(self, doing: Doing) -> Receipt | None:
        """See to what has stayed in a system: open what was locked before, then lock away what stays now. The receipt
        of what came last; None where nothing was to be done. The step says which system, and no more."""
        ledger, step = self._tools.ledger, doing.step
        row = ledger.request(step.request_id)
        receipts = ledger.receipts(step.request_id)
        grounds = asks_of(self._tools.map_of(row)).get(step.system, NO_GROUNDS)
        rest = NOTHING if row.withdrawn or row.rests_opened else _rest(receipts, step.system, grounds)
        mine = [receipt for receipt in receipts if receipt.step.system == step.system]
        if rest.anything and (done := locked_away(mine)):
            # An attempt whose answer was lost has done it.
            return done
        receipt = None
        if step.system in row.rests:
            receipt = self._carry_out(
                _step(step, Operation.LIFT, receipts), doing, rest, seen=_seen(receipts, step.system)
            )
            if receipt.outcome.settled:
                ledger.unlock_rest(step.request_id, step.system, at=doing.as_of)
            elif receipt.code != Code.RULED_OUT:
                return receipt
        if rest.anything:
            receipt = self._carry_out(_step(step, Operation.RESTRICT, receipts), doing, rest)
        return receipt

    def _carry_out(self, step: Step, doing: Doing, rest: Rest, seen: Receipt | None = None) -> Receipt:
        tools, doing = self._tools, doing.model_copy(update={"step": step})
        known = read(tools, step)
        if known.word in FINAL_WORDS:
            return tools.ledger.keep_receipt(by_word(tools, step, known.word, doing.as_of))
        with beating() as beat:
            receipt = receipt_for(step, partial(self._act, doing, known, rest, beat, seen), doing.as_of)
        receipt = tools.ledger.keep_receipt(receipt)
        if step.operation is Operation.RESTRICT and not _locked(receipt):
            self._say_in_use(receipt, doing)
        return receipt

    def _act(self, doing: Doing, known: AtStep, rest: Rest, beat: Beat, seen: Receipt | None) -> Answer:
        step = doing.step
        ready = make_ready(self._tools, doing, known, beat, beside=True)
        call, answer = ready.call, None
        if step.operation is Operation.LIFT:
            went = {one.collection for one in call.work if seen is not None and not seen.tally.of(one.collection).found}
            work = tuple(one.model_copy(update={"gone": one.collection in went}) for one in call.work)
            answer = self._acting.lift(ready.connector, replace(call, work=work), step)
        else:
            locks = rest.locks(call.system, call.work)
            work = tuple(one.model_copy(update={"locks": one.collection in locks}) for one in call.work)
            answer = self._acting.restrict(ready.connector, replace(call, work=work), step)
        ready.answered(answer)
        return answer

    def _say_in_use(self, receipt: Receipt, doing: Doing) -> None:
        """Put on a person's desk that what stays is not locked away: not where the map has no way to, or the request
        itself waits, nor where a hold that must stay secret stands in the way, which looks like a busy system."""
        unable = receipt.outcome is Outcome.UNSUPPORTED and receipt.code == Code.UNSUPPORTED
        waits = receipt.code in BEFORE_THE_WORK
        if (receipt.outcome in FOR_A_PERSON and not (unable or waits)) or receipt.outcome is Outcome.NOTHING_HELD:
            step = receipt.step
            self._tools.ledger.open_task(step.request_id, step.key, Code.REST_IN_USE, step.system, at=doing.as_of)


def _rest(receipts: Sequence[Receipt], system: str, grounds: Grounds) -> Rest:
    good = vouching(receipts, Operation.ERASE)
    return rest_of(newest(good, Operation.ERASE).get(system), newest(good, Operation.VERIFY).get(system), grounds)


def _seen(receipts: Sequence[Receipt], system: str) -> Receipt | None:
    """The look after the last erasure of a system, where the system itself was looked into and it is carried out."""
    good = vouching(receipts, Operation.ERASE)
    act, seen = newest(good, Operation.ERASE).get(system), newest(good, Operation.VERIFY).get(system)
    carried_out = act is not None and act.outcome.settled and seen is not None and seen.outcome.settled
    return seen if carried_out and seen and seen.certainty is Certainty.VERIFIED else None


def _locked(receipt: Receipt) -> bool:
    return receipt.outcome is Outcome.DONE


def _step(step: Step, operation: Operation, receipts: Sequence[Receipt]) -> Step:
    """A step in a round of its own: what was settled before stays so."""
    mine = [r for r in receipts if (r.step.system, r.step.operation) == (step.system, operation)]
    rounds = [r.step.round for r in mine if r.outcome.settled]
    return step.model_copy(update={"operation": operation, "round": 1 + max(rounds, default=-1)})
