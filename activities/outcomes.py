"""A connector's answer, or its refusal, turned into a receipt.

The one rule: this is the only place that catches a `ConnectorError`. What can work later goes to Temporal as an error
with a code; everything else is a fact and becomes a receipt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from connectors.errors import ConnectorError, Held, Retryable, Unsupported
from connectors.protocol import Look, Pending
from rights.codes import Code
from rights.holds import left_open, put_off
from rights.plan import Operation, Step
from rights.receipt import Certainty, Outcome, Receipt, Tally

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spooled:
    """What an export wrote: counts, the SHA-256 of it, hex, and its bytes."""

    tally: Tally
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Learned:
    """An answer, and which systems are to be looked into with what was learnt on the way."""

    answer: "Answer"
    look_again: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """The step waits to be done together with others'."""

    check_after: timedelta


Answer = Tally | Look | Pending | Spooled | Learned | Queued | Receipt
"""A receipt is one that a sweep has made."""


def receipt_for(step: Step, work: Callable[[], Answer], at: datetime) -> Receipt:
    """Carry out a step's work and say how it ended.

    Raises:
        ApplicationError: the system is away or busy; Temporal tries again, after the time the system asked for.
    """
    return receipt_of(step, answer_of(work), at)


def answer_of(work: Callable[[], T]) -> T | ConnectorError:
    """Do something that a connector may refuse."""
    try:
        return work()
    except ConnectorError as error:
        return error


def as_kept(held: Held, operation: Operation) -> Tally | Look:
    """What a system's own hold keeps, as an answer: what stays is said, and not waited for any longer."""
    return Look(held.tally) if operation.look else held.tally


def receipt_of(step: Step, answer: Answer | ConnectorError, at: datetime) -> Receipt:
    """What an answer, or a refusal, means.

    Raises:
        ApplicationError: the system is away or busy.
    """
    match answer:
        case Receipt():
            return answer
        case Learned():
            return receipt_of(step, answer.answer, at).model_copy(update={"look_again": answer.look_again})
        case Retryable():
            raise ApplicationError(str(answer.code), type="Retryable", next_retry_delay=answer.after) from None
        case Held():
            return _held(_open(step, Outcome.HELD, answer, at))
        case Unsupported():
            return _open(step, Outcome.UNSUPPORTED, answer, at)
        case ConnectorError():
            return _open(step, Outcome.NEEDS_HUMAN, answer, at)
        case Queued():
            return Receipt(
                step=step,
                outcome=Outcome.PENDING,
                code=Code.QUEUED,
                check_after_seconds=int(answer.check_after.total_seconds()),
                at=at,
            )
    if isinstance(answer, Pending):
        return Receipt(
            step=step,
            outcome=Outcome.PENDING,
            certainty=Certainty.ACCEPTED,
            tally=answer.tally,
            check_after_seconds=int(answer.check_after.total_seconds()),
            at=at,
        )
    tally = answer if isinstance(answer, Tally) else answer.tally
    receipt = _settled(step, tally, answer, at)
    if isinstance(answer, Spooled):
        return receipt.model_copy(update={"digest": answer.digest, "size": answer.size})
    return receipt


def _open(step: Step, outcome: Outcome, error: ConnectorError, at: datetime) -> Receipt:
    return Receipt(step=step, outcome=outcome, code=error.code, about=error.about, tally=error.tally, at=at)


def _held(stopped: Receipt) -> Receipt:
    """What is written of a step that a hold has stopped: of one that must stay secret, nothing that names it."""
    veiled = {Code.QUEUED: put_off, Code.DEFERRED: left_open}
    return veiled[Code(stopped.code)](stopped) if stopped.code in veiled else stopped


_NOTHING_HELD = {Operation.LOCATE, Operation.RECTIFY, Operation.RESTRICT, Operation.SUPPRESS}
_LOOKED_AT = {Operation.VERIFY, Operation.RESTRICT, Operation.LIFT}
"""What is looked at again: of these a look says how sure it is."""


def _settled(step: Step, tally: Tally, answer: Tally | Look | Spooled, at: datetime) -> Receipt:
    certainty = Certainty.COMPLETED
    if step.operation in _LOOKED_AT and isinstance(answer, Look):
        certainty = answer.certainty
    outcome, code = _standing(step.operation, tally, undecided=isinstance(answer, Look) and bool(answer.candidates))
    return Receipt(step=step, outcome=outcome, certainty=certainty, tally=tally, code=code, at=at)


def _standing(operation: Operation, tally: Tally, *, undecided: bool) -> tuple[Outcome, str]:
    """What a tally means for an operation; `undecided` rows match, and nobody has said whose they are."""
    if undecided:
        return Outcome.NEEDS_HUMAN, Code.SEVERAL_PEOPLE
    nothing = not (tally.found or tally.mentions) and tally.searched
    if operation in _NOTHING_HELD and nothing:
        return Outcome.NOTHING_HELD, ""
    if operation is Operation.VERIFY and tally.left:
        return Outcome.PENDING, Code.LEFT_BEHIND
    # A keyed pseudonym is not an erasure while its key lives.
    keyed = operation is Operation.ERASE and any(count.pseudonymised for count in tally.counts)
    if operation in {Operation.ERASE, Operation.VERIFY} and (tally.kept_rows or keyed):
        return Outcome.RETAINED, ""
    return Outcome.DONE, ""
