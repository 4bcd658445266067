"""Requests: opened, listed, shown, taken back.

The one rule: identities come in bodies and never go out.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from starter.access import Action, Caller
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.inputs import ledger_id
from starter.pages import show_document
from starter.problems import ProblemCode, answers

router = APIRouter(prefix="/v1/requests", tags=["requests"])


@router.get("/{request_id}", operation_id="show_request", responses=answers(ProblemCode.NOT_FOUND))
def show(request_id: str, at: At, caller: Annotated[Caller, Depends(needs(Action.READ_REQUEST))]) -> dict[str, Any]:
    """How a request stands."""
    standing = at.ledger.standing(ledger_id(request_id, "request"))
    row = standing.request
    data_map = at.ledger.pinned_map(row.map_digest) if row.map_digest else None
    return show_document(standing, {}, now(), data_map)
