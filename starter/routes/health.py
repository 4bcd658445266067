"""Whether the API is alive, and ready.

The one rule: a probe waits for a moment at most, and Temporal's state is said and never needed.
"""

import socket
from contextlib import closing
from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from starter.desk import Desk
from starter.doorkeeper import At

router = APIRouter(tags=["health"])

_PROBE_S: Final = 2.0


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
def ready(at: At, response: Response) -> Ready:
    """Whether the ledger is reachable. Temporal's state is told, and not needed: what is opened meanwhile begins once
    it is back."""
    there = _ledger(at)
    if not there:
        response.status_code = 503
    return Ready(ready=there, ledger="reachable" if there else "away", temporal=_temporal(at))


def _ledger(at: Desk) -> bool:
    try:
        at.ledger.backlog()
    except Exception:  # noqa: BLE001 - whatever it is, the ledger cannot be worked with
        return False
    return True


def _temporal(at: Desk) -> Literal["reachable", "away"]:
    host, _, port = at.settings.temporal_address.rpartition(":")
    try:
        with closing(socket.create_connection((host, int(port)), timeout=_PROBE_S)):
            return "reachable"
    except (OSError, ValueError):
        return "away"
