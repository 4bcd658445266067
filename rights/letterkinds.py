"""The kinds of letters, and which of them tells how a request ended.

The one rule: every end has one letter that tells it, or none, where another letter does.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rights.request import Conclusion, Right


class LetterKind(StrEnum):
    """Every letter that the engine writes."""

    ACKNOWLEDGEMENT = "acknowledgement"
    IDENTITY_CODE = "identity_code"
    IDENTITY_NEEDED = "identity_needed"
    """What is asked of whom, and why."""
    REMINDER = "reminder"
    """We still wait for what a letter before has asked."""
    LAPSE = "lapse"
    """Nothing came: the request rests, and this is how to go on with it."""
    EXTENSION_NOTICE = "extension_notice"
    CLARIFICATION_ASKED = "clarification_asked"
    INTERIM_ANSWER = "interim_answer"
    COOLING_OFF_NOTICE = "cooling_off_notice"
    FEE_ASKED = "fee_asked"
    """A reasonable fee, instead of a refusal; nothing is done before it is paid."""
    ANSWER_ACCESS = "answer_access"
    ANSWER_CATEGORIES = "answer_categories"
    """To who is proven surely enough for the categories of what is held, and not for a copy."""
    ANSWER_PORTABILITY = "answer_portability"
    ANSWER_ERASURE = "answer_erasure"
    ANSWER_RESTRICTION = "answer_restriction"
    RESTRICTION_TO_BE_LIFTED = "restriction_to_be_lifted"
    ANSWER_RECTIFICATION = "answer_rectification"
    ANSWER_OBJECTION = "answer_objection"
    ANSWER_OPT_OUT = "answer_opt_out"
    ANSWER_CONSENT_WITHDRAWAL = "answer_consent_withdrawal"
    ANSWER_DECISION_REVIEW = "answer_decision_review"
    NOTHING_HELD = "nothing_held"
    REFUSAL = "refusal"
    EXCESSIVE_REFUSAL = "excessive_refusal"
    """Manifestly unfounded or excessive: both elements of C-526/24 are in it."""
    APPEAL_RECEIVED = "appeal_received"
    APPEAL_OUTCOME = "appeal_outcome"
    RECIPIENT_NOTICE = "recipient_notice"
    """To a recipient of the data, not to the person."""
    FORWARDED_REQUEST = "forwarded_request"
    """To the controller that a request belongs to."""
    CONTRACT_ENDED = "contract_ended"
    """To a processor: everything is to be erased, or given back."""
    DEMAND_NOTICE = "demand_notice"
    """To the person: an authority has demanded their data."""
    DEMAND_TO_EXPORTER = "demand_to_exporter"
    """The same to whoever has given us the data under the standard contractual clauses."""
    PASSED_ON = "passed_on"
    """To the person: who has the request now, and answers it."""
    RECIPIENTS_LIST = "recipients_list"
    MINOR_RESTRICTED = "minor_restricted"
    """A minor's data does not move until somebody has looked at it."""
    MINOR_CLEARED = "minor_cleared"
    """It is no minor's data: it is given free."""
    TRANSMISSION_DONE = "transmission_done"
    POLICY_CHANGE = "policy_change"
    WITHDRAWN = "withdrawn"

    @property
    def to_person(self) -> bool:
        """False for those that go to a recipient of the data, or to whoever gave it."""
        return self not in _TO_OTHERS


_TO_OTHERS: Final = {
    LetterKind.RECIPIENT_NOTICE,
    LetterKind.FORWARDED_REQUEST,
    LetterKind.CONTRACT_ENDED,
    LetterKind.DEMAND_TO_EXPORTER,
}
OF_DEMANDS: Final = frozenset({LetterKind.DEMAND_NOTICE, LetterKind.DEMAND_TO_EXPORTER})
"""Letters of a case that is no request."""


class Result(StrEnum):
    """What became of what was asked for."""

    DONE = "done"
    IN_PART = "in_part"
    NOT_DONE = "not_done"
    """Of copies: none could be made, and none was refused."""
    REFUSED = "refused"


ANSWERS: Final[Mapping[Right, LetterKind]] = MappingProxyType(
    {right: LetterKind(f"answer_{right.value.replace('-', '_')}") for right in Right}
)
"""By right, the letter that carries the answer where something was done."""


RESULTS: Final[Mapping[Conclusion, Result]] = MappingProxyType(
    {
        Conclusion.ANSWERED: Result.DONE,
        Conclusion.IN_PART: Result.IN_PART,
        Conclusion.NOT_DONE: Result.NOT_DONE,
        Conclusion.REFUSED: Result.REFUSED,
    }
)
"""What an answer says of an end, where what was decided on single fields, or weighed, does not say it closer."""
TOLD_BEFORE: Final = frozenset({LetterKind.LAPSE, LetterKind.REFUSAL, LetterKind.PASSED_ON})
"""Letters of an end that were sent with what has led to it: at the end there is nothing more to say."""


def answer_kind(right: Right, conclusion: Conclusion, *, decided: bool = False) -> LetterKind | None:
    """The letter that tells how a request ended; None where another request's letter does. `decided`: it was refused
    as a whole, by a decision, and not on what was weighed or found in it."""
    match conclusion:
        case Conclusion.NOTHING_HELD:
            return LetterKind.NOTHING_HELD
        case Conclusion.WITHDRAWN:
            return LetterKind.WITHDRAWN
        case Conclusion.UNPROVEN:
            return LetterKind.LAPSE
        case Conclusion.CATEGORIES:
            return LetterKind.ANSWER_CATEGORIES
        case Conclusion.PASSED_ON:
            return LetterKind.PASSED_ON
        case Conclusion.JOINED:
            return None
        case Conclusion.REFUSED if decided:
            return LetterKind.REFUSAL
    return ANSWERS[right]
