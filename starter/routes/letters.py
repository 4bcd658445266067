"""Letters: states and times; what one says only to who gives a reason, and on record.

The one rule: an address or a text leaves the vault by a reveal alone.
"""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel
from starlette.responses import Response

from ledger.letters import Letter as Row
from rights.reveals import Revealed
from starter.access import Action, Caller
from starter.changing import said
from starter.desk import Desk, now
from starter.doorkeeper import At, needs
from starter.inputs import ledger_id
from starter.outbox import letter_document, letter_id, text_of, told
from starter.problems import Problem, ProblemCode, answers
from starter.routes.bodies import Asked, Body, RequestId

router = APIRouter(prefix="/v1", tags=["letters"])

Reader = Annotated[Caller, Depends(needs(Action.READ_LETTER))]
LetterId = Annotated[str, Path(description="The letter's id: REQUEST.kind.number.")]


class Letter(BaseModel):
    """A letter, without what it says and to whom."""

    id: str
    request_id: str | None
    kind: str
    number: int
    language: str
    state: str
    code: str
    attempts: int
    queued_at: datetime
    settled_at: datetime | None
    post_by: date | None


class LetterText(BaseModel):
    """A letter as it was sent, or as it would be now."""

    id: str
    text: str


class Reason(Body):
    """Why somebody wants to see it."""

    reason: Asked


class Letters(BaseModel):
    """The letters of a request, the oldest first."""

    letters: list[Letter]


@router.get(
    "/requests/{request_id}/letters",
    operation_id="list_letters",
    response_model=Letters,
    responses=answers(ProblemCode.NOT_FOUND),
)
def list_(request_id: RequestId, at: At, caller: Reader) -> Response:
    """The letters of a request and how they stand, the oldest first."""
    row = at.ledger.request(ledger_id(request_id, "request"))
    found = told(at, at.ledger.letters(row.id))
    return said({"letters": [letter_document(letter) for letter in found]})


@router.get(
    "/letters/{letter}", operation_id="show_letter", response_model=Letter, responses=answers(ProblemCode.NOT_FOUND)
)
def show(letter: LetterId, at: At, caller: Reader) -> Response:
    """How a letter stands."""
    return said(letter_document(_listed(at, letter)))


@router.post(
    "/letters/{letter}/reveal",
    operation_id="reveal_letter",
    response_model=LetterText,
    responses=answers(
        ProblemCode.NOT_FOUND, ProblemCode.UNREADABLE, ProblemCode.TOO_LARGE, ProblemCode.UNUSABLE, ProblemCode.REFUSED
    ),
)
def reveal(
    letter: LetterId, body: Reason, at: At, caller: Annotated[Caller, Depends(needs(Action.REVEAL))]
) -> Response:
    """What a letter says, and to whom. It is on record before it is shown, with the reason and who asked."""
    found = _listed(at, letter)
    if found.request_id is None:
        raise Problem(ProblemCode.REFUSED, "this letter belongs to no request: habeas letter show prints it")
    at.ledger.reveal(found.request_id, Revealed.LETTER, body.reason, by=caller.staff, at=now())
    return said({"id": found.id, "text": text_of(at, found)})


def _listed(at: Desk, letter: str) -> Row:
    """A letter that may be listed.

    Raises:
        Problem: it is not there, or its being there would tell whether somebody is known.
    """
    found = told(at, [at.ledger.letter(letter_id(letter))])
    if not found:
        raise Problem(ProblemCode.NOT_FOUND, "there is no letter of this id: the list of its request has them")
    return found[0]
