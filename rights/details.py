"""Details: what an asker says beyond who they are and which right they exercise.

The one rule: a model per right reads them strictly, so that a slip is refused at the door with its line; they are
sealed with the request, and no later than that is anything of them in the clear.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from rights.detail import Details as Details
from rights.erasing import ErasureDetails
from rights.objections import ConsentWithdrawalDetails, DecisionReviewDetails, ObjectionDetails, OptOutDetails
from rights.portability import PortabilityDetails
from rights.rectification import RectificationDetails
from rights.request import Right
from rights.restriction import RestrictionDetails
from rights.yamlfile import FileError, FileErrors, read

MODELS: Final[Mapping[Right, type[Details]]] = {
    Right.ERASURE: ErasureDetails,
    Right.PORTABILITY: PortabilityDetails,
    Right.RESTRICTION: RestrictionDetails,
    Right.RECTIFICATION: RectificationDetails,
    Right.OBJECTION: ObjectionDetails,
    Right.OPT_OUT: OptOutDetails,
    Right.CONSENT_WITHDRAWAL: ConsentWithdrawalDetails,
    Right.DECISION_REVIEW: DecisionReviewDetails,
}
"""The model of each right that takes details."""


def needs_details(right: Right) -> bool:
    """Whether a right cannot be carried out without more being said."""
    model = MODELS.get(right)
    if model is None:
        return False
    if right is Right.ERASURE:
        # Nobody owes a reason for it; where one is given, the ground is.
        return False
    try:
        model()
    except ValidationError:
        return True
    return False


def read_details(right: Right, file: str, text: str) -> Details:
    """Read a file of details.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    model = MODELS.get(right)
    if model is None:
        raise FileErrors([FileError(file, 1, "", f"a request about {right} takes no details: leave them out")])
    return read(model, file, text, f"the details of a request about {right} are a list of key: value", personal=True)


def details_of(right: Right, sealed: bytes) -> Details:
    """The details that were sealed with a request."""
    return MODELS[right].model_validate_json(sealed)
