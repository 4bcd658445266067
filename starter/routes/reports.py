"""Reports, and how far the webhooks are.

The one rule: a report is the command line's, byte for byte; what must stay secret is counted only for who may read it.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from ledger.webhooks import WebhookStanding
from rights.board import Board
from rights.population import Population
from rights.reports import Period, PeriodError
from rights.ropa import Ropa
from rights.yearly import Annual
from starter.access import Action, Caller, permit
from starter.changing import said
from starter.doorkeeper import At, needs
from starter.printing import made, printed, sent
from starter.problems import Problem, ProblemCode, answers
from starter.reporting import Recorded, sources
from starter.webhooks import build_hooks

router = APIRouter(prefix="/v1", tags=["reports"])

Name = Literal["board", "register", "annual-ccpa", "ropa", "population"]


class Webhooks(BaseModel):
    """How far each webhook is."""

    webhooks: list[WebhookStanding]


@router.get(
    "/reports/{name}",
    operation_id="make_report",
    response_model=Board | Recorded | Annual | Ropa | Population,
    responses={200: {"content": {"text/csv": {}}}, **answers(ProblemCode.REFUSED)},
)
def make(
    at: At,
    caller: Annotated[Caller, Depends(needs(Action.READ_REPORT))],
    name: Name,
    period: Annotated[str, Query(pattern=r"^\d{4}(-Q[1-4]|-\d{2})?$", description="2026, 2026-Q4 or 2026-11.")],
    head: Annotated[
        int | None, Query(ge=1, le=2**53, description="As of this entry of the journal; its present head unless given.")
    ] = None,
    for_counsel: Annotated[bool, Query(description="Count secret holds, too: for counsel alone.")] = False,
    form: Annotated[Literal["json", "csv"], Query(alias="as")] = "json",
) -> Response:
    """A report, reproducible at the entry of the journal that its stamp names."""
    if for_counsel:
        permit(caller, Action.READ_SECRET_HOLD)
    try:
        of = Period.read(period)
    except PeriodError as error:
        raise Problem(ProblemCode.UNUSABLE, f"period: {error}") from None
    # Whether it can be made is known here, so that one that cannot be is a problem and no broken answer.
    report = made(sources(at), name, of, head, for_counsel=for_counsel)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    return StreamingResponse(sent(printed(report, form)), media_type=kind)


@router.get("/webhooks", operation_id="list_webhooks", response_model=Webhooks, responses=answers())
def webhooks(at: At, caller: Annotated[Caller, Depends(needs(Action.MANAGE_WEBHOOKS))]) -> Response:
    """How far each webhook is: what it has not taken in, and since when and why it fails. No addresses, no secrets."""
    hooks = build_hooks(at.settings.webhooks)
    found = at.ledger.webhooks({name: hook.kinds for name, hook in hooks.items()})
    return said({"webhooks": [one.model_dump(mode="json") for one in found]})
