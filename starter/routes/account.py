"""The door of the company's own account page: people who are signed in there ask for themselves.

The one rule: somebody hears of what is about them alone, in the words that are for them: no hold, no incident and no
other person's request changes anything of it.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.responses import Response

from ledger.requestrow import RequestRow
from rights.gate import Gate
from rights.request import Conclusion, Phase, Right
from rights.tying import ALL
from starter.access import NotSignedIn
from starter.callers import address_of
from starter.changing import IdempotencyKey, said
from starter.desk import Desk, now, rules
from starter.doorkeeper import At
from starter.handoff import Handoffs, Person
from starter.inputs import ledger_id
from starter.limits import Buckets
from starter.problems import CHANGING, Problem, ProblemCode, answers
from starter.routes.bodies import PLAIN, Body, RequestId
from starter.routes.requests import Opened, accepted, details_of, once
from starter.submit import MAX_TEXT, submit

BELOW: Final = "/v1/account/"
router = APIRouter(prefix="/v1/account/requests", tags=["account"])

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="handoff",
    bearerFormat="JWT",
    description="A hand-off: signed by the company's account page, good for one call (docs/api.md).",
)
_MOST: Final = 100


async def signed_in(request: Request, _: Annotated[object, Security(_BEARER)] = None) -> Person:
    """The dependency of these routes: gives who is signed in.

    Raises:
        Problem: no hand-offs are taken here, or there were too many calls.
        NotSignedIn: the hand-off is not to be believed, or was used before.
    """
    return await person_of(request)


async def person_of(request: Request) -> Person:
    """Whose hand-off comes with a call: asked once for each, before its body is read.

    Raises:
        Problem: no hand-offs are taken here, or there were too many calls.
        NotSignedIn: the hand-off is not to be believed, or was used before.
    """
    known: Person | None = getattr(request.state, "person", None)
    if known is not None:
        return known
    handoffs: Handoffs | None = request.app.state.handoffs
    if handoffs is None:
        raise Problem(ProblemCode.NOT_FOUND, "no account page hands people over here: the settings have no [handoff]")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotSignedIn("send a hand-off, as Authorization: Bearer")
    buckets: Buckets = request.app.state.buckets
    strangers: Buckets = request.app.state.strangers
    address = address_of(request)
    try:
        person = await to_thread.run_sync(
            lambda: handoffs.take(token.strip(), at=now(), count=lambda subject: buckets.take(f"account/{subject}"))
        )
    except NotSignedIn:
        strangers.take(address)
        raise
    request.state.person = person
    return person


SignedIn = Annotated[Person, Depends(signed_in)]


class OwnRequest(Body):
    """What somebody asks for, for themselves: the identities are those of the hand-off."""

    right: Right
    details: dict[str, Any] | None = None
    text: str | None = Field(default=None, max_length=MAX_TEXT, pattern=PLAIN)


class OwnStanding(BaseModel):
    """How a request stands, for whom it is about."""

    id: str
    right: Right
    received_at: datetime
    stands: Literal["to_be_proven", "in_work", "can_be_stopped", "stopped", "withdrawn", "closed"]
    stop_until: datetime | None = Field(description="can_be_stopped: until when.")
    answer_by: datetime | None = Field(description="When the answer is due by law; null once it is closed.")
    conclusion: Conclusion | None


class OwnStandings(BaseModel):
    """Somebody's requests, the newest first; the last hundred."""

    requests: list[OwnStanding]


class Stopped(BaseModel):
    """An erasure is stopped: nothing was erased, and two people look at it."""

    stopped: bool
    new: bool


@router.post(
    "",
    operation_id="open_own_request",
    status_code=202,
    response_model=Opened,
    responses=answers(ProblemCode.NOT_FOUND, *CHANGING, roles=False),
)
async def open_(
    request: Request, body: OwnRequest, at: At, person: SignedIn, idempotency_key: IdempotencyKey = None
) -> Response:
    """Receive a request of whoever is signed in. What the company says of them counts as proof: with a second factor an
    erasure begins without waiting."""
    return await to_thread.run_sync(_opened, at, person, body, idempotency_key, await request.body())


@router.get(
    "",
    operation_id="list_own_requests",
    response_model=OwnStandings,
    responses=answers(ProblemCode.NOT_FOUND, roles=False),
)
def list_(at: At, person: SignedIn) -> Response:
    """The requests of whoever is signed in: those about their identities and nobody else's, whoever opened them."""
    rows = at.ledger.requests_of(person.identities, limit=_MOST, shared=at.data_map.shared_kinds)
    return said({"requests": [_standing(row, at.ledger.gate(row.id)) for row in rows]})


@router.get(
    "/{request_id}",
    operation_id="show_own_request",
    response_model=OwnStanding,
    responses=answers(ProblemCode.NOT_FOUND, roles=False),
)
def show(request_id: RequestId, at: At, person: SignedIn) -> Response:
    """How one of them stands."""
    row = _own(at, person, request_id)
    return said(_standing(row, at.ledger.gate(row.id)))


@router.post(
    "/{request_id}/stop",
    operation_id="stop_own_request",
    response_model=Stopped,
    responses=answers(ProblemCode.NOT_FOUND, ProblemCode.REFUSED, roles=False),
)
def stop(request_id: RequestId, at: At, person: SignedIn) -> Response:
    """Stop an erasure before it begins. It is frozen then, and goes on only by the word of two people."""
    row = _own(at, person, request_id)
    return said({"stopped": True, "new": at.ledger.stop_for_person(row.id, at=now())})


def _opened(at: Desk, person: Person, body: OwnRequest, key: str | None, sent: bytes) -> Response:
    moment = now()
    opened = submit(
        at.ledger,
        at.data_map,
        rules(at.settings),
        body.right,
        [(one.kind, one.value) for one in person.identities],
        received_at=moment,
        text=body.text,
        details=details_of(body.right, body.details),
        proof=person.proof(moment),
        proves=[ALL],
        **once(at, f"account/{hashlib.sha256(person.subject.encode()).hexdigest()}", key, sent),
    )
    return accepted(at, opened.request_id, "/v1/account/requests")


def _own(at: Desk, person: Person, request_id: str) -> RequestRow:
    """A request of somebody's own.

    Raises:
        Problem: it is not there, or not theirs; which, is not said.
    """
    wanted, shared = ledger_id(request_id, "request"), at.data_map.shared_kinds
    found = at.ledger.requests_of(person.identities, request_id=wanted, shared=shared)
    if not found:
        raise Problem(ProblemCode.NOT_FOUND, "there is no request of this id")
    return found[0]


def _standing(row: RequestRow, gate: Gate) -> dict[str, Any]:
    stands = _stands(row, gate)
    return {
        "id": row.id,
        "right": row.right,
        "received_at": row.clock.received_at,
        "stands": stands,
        "stop_until": gate.cooling_until if stands == "can_be_stopped" else None,
        "answer_by": row.clock.legal_due if row.phase.open else None,
        "conclusion": row.conclusion,
    }


def _stands(row: RequestRow, gate: Gate) -> str:
    if not row.phase.open:
        return "closed"
    if row.withdrawn:
        return "withdrawn"
    if row.phase is Phase.CONFIRMING and not row.confirmed:
        return "to_be_proven"
    if gate.cooling == "frozen":
        return "stopped"
    if gate.cooling == "running" and gate.cooling_until and gate.cooling_until > now():
        return "can_be_stopped"
    return "in_work"
