"""A connector's answer, or its refusal, turned into a receipt.

The one rule: this is the only place that catches a `ConnectorError`. What can work later goes to Temporal as an error
with a code; everything else is a fact and becomes a receipt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio.exceptions import ApplicationError

from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable, Unsupported
from connectors.protocol import Look, Pending
from rights.codes import Code
from rights.plan import Operation, Step
from rights.receipt import Certainty, Outcome, Receipt, Tally


@dataclass(frozen=True, slots=True)
class Spooled:
    """What an export wrote: counts, the SHA-256 of it, hex, and its bytes."""

    tally: Tally
    digest: str
    size: int


Answer = Tally | Look | Pending | Spooled


def receipt_for(step: Step, work: Callable[[], Answer], at: datetime) -> Receipt:
    """Carry out a step's work and say how it ended.

    Raises:
        ApplicationError: the system is away or busy; Temporal tries again, after the time the system asked for.
    """
    try:
        answer = work()
    except Retryable as error:
        raise ApplicationError(str(error.code), type="Retryable", next_retry_delay=error.after) from None
    except Held as error:
        return _open(step, Outcome.HELD, error, at)
    except Unsupported as error:
        return _open(step, Outcome.UNSUPPORTED, error, at)
    except NeedsHuman as error:
        return _open(step, Outcome.NEEDS_HUMAN, error, at)
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


def _settled(step: Step, tally: Tally, answer: Answer, at: datetime) -> Receipt:
    certainty = Certainty.VERIFIED if step.operation is Operation.VERIFY else Certainty.COMPLETED
    outcome, code = _standing(step.operation, tally, undecided=isinstance(answer, Look) and bool(answer.candidates))
    return Receipt(step=step, outcome=outcome, certainty=certainty, tally=tally, code=code, at=at)


def _standing(operation: Operation, tally: Tally, *, undecided: bool) -> tuple[Outcome, str]:
    """What a tally means for an operation; `undecided` rows match, and nobody has said whose they are."""
    if undecided:
        return Outcome.NEEDS_HUMAN, Code.SEVERAL_PEOPLE
    if operation is Operation.LOCATE and not tally.found:
        return Outcome.NOTHING_HELD, ""
    if operation is Operation.VERIFY and tally.left:
        return Outcome.PENDING, Code.LEFT_BEHIND
    # A keyed pseudonym is not an erasure while its key lives.
    keyed = operation is Operation.ERASE and any(count.pseudonymised for count in tally.counts)
    if operation in {Operation.ERASE, Operation.VERIFY} and (tally.kept_rows or keyed):
        return Outcome.RETAINED, ""
    return Outcome.DONE, ""
