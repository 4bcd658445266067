"""Whether the API is alive, and ready.

The one rule: a probe waits for a moment at most, and Temporal's state is said and never needed.
"""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from starter.readiness import Readiness

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    alive: Literal[True] = True


class Ready(BaseModel):
    """What the API can reach."""

    ready: bool
    ledger: Literal["reachable", "away"]
    temporal: Literal["reachable", "away"]


@router.get("/healthz", operation_id="alive")
async def alive() -> Alive:
    """Whether the process answers."""
    return Alive()


@router.get(
    "/readyz", operation_id="ready", responses={503: {"model": Ready, "description": "The ledger does not answer"}}
)
async def ready(request: Request, response: Response) -> Ready:
    """Whether the ledger is reachable. Temporal's state is told, and not needed: what is opened meanwhile begins once
    it is back."""
    probe: Readiness = request.app.state.readiness
    reached = await probe()
    if not reached.ledger:
        response.status_code = 503
    return Ready(ready=reached.ledger, ledger=_said(reached.ledger), temporal=_said(reached.temporal))


def _said(there: bool) -> Literal["reachable", "away"]:
    return "reachable" if there else "away"
