"""Decisions: proposed, approved, dropped; and the preview of an erasure, approved.

The one rule: whoever proposes does not approve, and codes are all that is answered with.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from rights.decision import Decided, Element, Exempt, Role, Word, grounds_for
from rights.fees import read_fee
from starter.access import Action, Caller
from starter.changing import Change, IfMatch, changes, said
from starter.deciding import decision_document, grounds_document
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.inputs import ledger_id
from starter.problems import OF_REQUEST, Flaw, Problem, ProblemCode, answers
from starter.proposing import proposed, spoken_of
from starter.routes.bodies import Body, Noted, RequestId, Text

router = APIRouter(prefix="/v1", tags=["decisions"])

Reader = Annotated[Caller, Depends(needs(Action.READ_REQUEST))]
Approving = Annotated[Change, Depends(changes(Action.APPROVE))]
Proposing = Annotated[Change, Depends(changes(Action.PROPOSE))]
DecisionId = Annotated[str, Path(description="The decision's id.", examples=["01kap30c2m6n8r1v5t9w4x7yzb"])]


class Proposal(Body):
    """What is proposed."""

    word: Word
    ground: str = Field(default="", max_length=100, description="grant, refuse, fee: the coded ground.")
    leave_out: dict[str, str] = Field(
        default={}, max_length=100, description="in_part: a category of the data map, and the ground it is left out on."
    )
    evidence: dict[Element, Text] = Field(default={}, description="Texts that the ground needs; they are kept sealed.")
    fee: str | None = Field(default=None, max_length=40, examples=["EUR 12.50"])


class Decision(BaseModel):
    """A decision as it stands: codes, names of the map and staff ids."""

    model_config = ConfigDict(extra="allow")

    id: str
    request_id: str
    state: Literal["proposed", "charged", "in_force", "dropped", "replaced"]
    proposed_by: str
    missing: list[Role] = Field(description="Whose word it still needs.")


class Decisions(BaseModel):
    """All decisions on a request."""

    request_id: str
    answered_with: str | None
    answers_too: list[str]
    decisions: list[Decision]


class Approved(BaseModel):
    """What is to be erased is approved."""

    approved: bool
    new: bool = Field(description="It was not so before.")


@router.get(
    "/requests/{request_id}/grounds",
    operation_id="list_grounds",
    response_model=dict[str, Any],
    responses=answers(ProblemCode.NOT_FOUND),
)
def grounds(request_id: RequestId, at: At, caller: Reader) -> Response:
    """The coded grounds on which a request can be decided, with what each needs and who approves it."""
    row = at.ledger.request(ledger_id(request_id, "request"))
    return said(grounds_document(grounds_for(row.right, row.regimes)))


@router.get(
    "/requests/{request_id}/decisions",
    operation_id="list_decisions",
    response_model=Decisions,
    responses=answers(ProblemCode.NOT_FOUND),
)
def show(request_id: RequestId, at: At, caller: Reader) -> Response:
    """The decisions on a request: codes, who has said what, and what is missing."""
    row = at.ledger.request(ledger_id(request_id, "request"))
    document = {
        "request_id": row.id,
        "answered_with": row.lead,
        "answers_too": [one.request_id for one in at.ledger.answered_with(row.id)],
        "decisions": [decision_document(one, {}) for one in at.ledger.decisions_of(row.id)],
    }
    return said(document)


@router.post(
    "/requests/{request_id}/decisions",
    operation_id="propose_decision",
    status_code=201,
    response_model=Decision,
    responses=answers(*OF_REQUEST),
)
def propose(request_id: RequestId, body: Proposal, change: Proposing, if_match: IfMatch = None) -> Response:
    """Propose a decision. While it is weighed nothing of the request is destroyed; what takes something from the person
    needs the approval of somebody else."""
    wanted, decided = ledger_id(request_id, "request"), _decided(body)

    def do() -> dict[str, Any]:
        made = proposed(change.at, wanted, decided, body.evidence, by=change.caller.staff, moment=now())
        return decision_document(made, {})

    return change(do, 201, see=_decisions(wanted), of=wanted, if_match=if_match)


@router.post(
    "/decisions/{decision_id}/approve",
    operation_id="approve_decision",
    response_model=Decision,
    responses=answers(*OF_REQUEST),
)
def approve(decision_id: DecisionId, body: Noted, change: Approving, if_match: IfMatch = None) -> Response:
    """Approve a decision, in the seat of counsel or delegate, or standing in for them."""
    return _speak(decision_id, "approve", (Role.COUNSEL, Role.DELEGATE), body.note, change, if_match)


@router.post(
    "/decisions/{decision_id}/agree",
    operation_id="agree_to_decision",
    response_model=Decision,
    responses=answers(*OF_REQUEST),
)
def agree(decision_id: DecisionId, body: Noted, change: Approving, if_match: IfMatch = None) -> Response:
    """Agree to a decision, as data protection officer."""
    return _speak(decision_id, "agree", (Role.DPO,), body.note, change, if_match)


class Dissent(Body):
    """Why it should not be."""

    note: Text


@router.post(
    "/decisions/{decision_id}/dissent",
    operation_id="dissent_from_decision",
    response_model=Decision,
    responses=answers(*OF_REQUEST),
)
def dissent(decision_id: DecisionId, body: Dissent, change: Approving, if_match: IfMatch = None) -> Response:
    """Dissent on record, as data protection officer. It keeps nobody from approving."""
    return _speak(decision_id, "dissent", (Role.DPO,), body.note, change, if_match)


@router.post(
    "/decisions/{decision_id}/drop",
    operation_id="drop_decision",
    response_model=Decision,
    responses=answers(*OF_REQUEST),
)
def drop(decision_id: DecisionId, body: Noted, change: Proposing, if_match: IfMatch = None) -> Response:
    """Take a proposed decision off the table; the request goes on as if it had not been made."""
    wanted = ledger_id(decision_id, "decision")

    def do() -> dict[str, Any]:
        dropped = change.at.ledger.drop_decision(wanted, by=change.caller.staff, at=now(), note=body.note)
        return decision_document(dropped, {})

    request_id = change.at.ledger.decision(wanted).request_id
    return change(do, see=_decisions(request_id), of=request_id, if_match=if_match)


@router.post(
    "/requests/{request_id}/approve",
    operation_id="approve_request",
    response_model=Approved,
    responses=answers(*OF_REQUEST),
)
def approve_request(request_id: RequestId, body: Noted, change: Approving, if_match: IfMatch = None) -> Response:
    """Approve the preview of an erasure. With If-Match it is the one that was looked at, and no newer one."""
    wanted = ledger_id(request_id, "request")

    def do() -> dict[str, Any]:
        staff, four_eyes = change.caller.staff, change.at.settings.four_eyes
        new = change.at.ledger.approve(wanted, at=now(), note=body.note, by=staff, four_eyes=four_eyes)
        return {"approved": True, "new": new}

    return change(do, see=f"/v1/requests/{wanted}", of=wanted, if_match=if_match)


def _decisions(request_id: str) -> str:
    return f"/v1/requests/{request_id}/decisions"


def _speak(
    decision_id: str,
    word: Literal["approve", "agree", "dissent"],
    roles: tuple[Role, ...],
    note: str | None,
    change: Change,
    if_match: str | None,
) -> Response:
    wanted = ledger_id(decision_id, "decision")

    def do() -> dict[str, Any]:
        spoken = spoken_of(change.at, wanted, word, roles, by=change.caller.staff, note=note, moment=now())
        return decision_document(spoken, {})

    request_id = change.at.ledger.decision(wanted).request_id
    return change(do, see=_decisions(request_id), of=request_id, if_match=if_match)


def _decided(body: Proposal) -> Decided:
    try:
        amount = read_fee(body.fee) if body.fee else None
    except ValueError as error:
        raise Problem(
            ProblemCode.UNUSABLE, "the fee cannot be used", flaws=[Flaw(at="body.fee", says=str(error))]
        ) from None
    parts = tuple(Exempt(category=name, ground=code) for name, code in body.leave_out.items())
    return Decided(word=body.word, ground=body.ground, parts=parts, fee=amount)
