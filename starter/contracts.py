"""The end of a contract with a processor: the letter that asks for everything, and what is still awaited.

The one rule: whose contract is over and has not confirmed is said every time that somebody checks.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from ledger.contracts import Choice, ContractEnd
from ledger.ledger import Ledger
from ledger.notices import Answer
from rights.letterkinds import LetterKind
from rights.letters import Language, LetterFacts, Party
from rights.recipients import Recipient, Register
from starter.exits import Exit, Failure


def ask_for_all(
    ledger: Ledger, register: Register, handle: str, choice: Choice, *, day: date, at: datetime, by: str
) -> ContractEnd:
    """Note that a processor is asked for everything at the end of its contract.

    Raises:
        Failure: the register does not name it as a processor whose contract ends.
        LedgerRefusal: it was asked for the other thing before.
    """
    recipient = register.recipients.get(handle)
    if recipient is None or recipient.role != "processor" or recipient.basis.until is None:
        raise Failure(
            Exit.USAGE, "RECIPIENT: the register names no such processor whose contract ends: write basis.until"
        )
    ends = recipient.basis.until
    due = max(day, ends) + timedelta(days=recipient.answers_within_days)
    return ledger.end_contract(handle, ends, choice, due_on=due, owes=recipient.owes, at=at, by=by)


def letter_of(
    end: ContractEnd, recipient: Recipient, regime: str, *, written_on: date, language: Language
) -> LetterFacts:
    """What the letter to the processor says. There is nobody's data in it."""
    post = recipient.told_by.post
    return LetterFacts(
        kind=LetterKind.CONTRACT_ENDED,
        reference=f"{end.recipient}-{end.ends_on}",
        regime=regime,
        written_on=written_on,
        language=language,
        to=Party(name=recipient.name, address=post, email=recipient.told_by.email or ""),
        contract=recipient.basis.document,
        ends_on=end.ends_on,
        choice=end.choice,
        processors=tuple(one.name for one in recipient.processors) if "processors" in end.owes else (),
        proof=next((owed for owed in end.owes if owed != "processors"), None),
        respond_by=end.due_on,
    )


def still_open(register: Register, ends: Sequence[ContractEnd], day: date) -> dict[str, tuple[str, bool]]:
    """By recipient, what is still to be done about a contract that is over, and whether that is bad by now."""
    said: dict[str, tuple[str, bool]] = {}
    for handle, one in register.recipients.items():
        over = one.basis.until
        known = any(end.recipient == handle and end.ends_on == over for end in ends)
        if one.role == "processor" and over is not None and over < day and not known:
            said[handle] = (
                "its contract is over, and nobody has asked for all data to go or come back: habeas recipient end",
                True,
            )
    # What was asked last stands for what was asked before: it alone can be answered.
    for end in {end.recipient: end for end in ends}.values():
        known_as = register.recipients.get(end.recipient)
        goes_on = known_as is not None and known_as.basis.until != end.ends_on and known_as.basis.in_force(day)
        if end.settled or goes_on or end.recipient in said:
            continue
        what = f"asked to {end.choice} everything at the end of its contract on {end.ends_on}"
        if end.answer is Answer.REFUSED:
            said[end.recipient] = (f"{what}: it has refused", True)
        else:
            word = f", {end.answer} on {end.answered_on}" if end.answer else ""
            said[end.recipient] = (f"{what}{word}: its confirmation is awaited until {end.due_on}", end.due_on < day)
    return said
