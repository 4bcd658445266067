"""Parcels: what is handed over, as it lies sealed; and reporting one that went wrong.

The one rule: what goes out here is sealed still, and whoever takes it is one who may open it.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from activities.parcel_names import parcel_name
from activities.store import FileStore
from ledger.incidents import About
from ledger.standing import KeyState, Standing
from rights.incidentlaw import Kind
from rights.incidents import Origin
from rights.journal import JournalEntry
from rights.reveals import Revealed
from starter.access import Action, Caller
from starter.changing import Change, IfMatch, changes, said
from starter.desk import Desk, now
from starter.doorkeeper import At, by_own_choice, needs
from starter.incidents import incident_document
from starter.inputs import ledger_id
from starter.problems import OF_REQUEST, Problem, ProblemCode, answers
from starter.routes.bodies import Asked, Noted, RequestId

router = APIRouter(prefix="/v1/requests/{request_id}/parcel", tags=["parcels"])

_PIECE: Final = 1 << 16


class Parcel(BaseModel):
    """A parcel: counts and digests."""

    request_id: str
    packed_at: datetime
    sha256: str = Field(description="Of the ZIP that is sealed in it.")
    rows: int
    kept_until: datetime | None
    readable: bool = Field(description="Its key is there still.")
    incident: str | None = Field(description="The incident that it stands still for; nobody opens it then.")


class Reported(BaseModel):
    """An incident is opened."""

    incident: dict[str, Any]
    in_flight: int


@router.get("", operation_id="show_parcel", response_model=Parcel, responses=answers(ProblemCode.NOT_FOUND))
def show(request_id: RequestId, at: At, caller: Annotated[Caller, Depends(needs(Action.READ_REQUEST))]) -> Response:
    """What lies ready to be handed over, without what is in it."""
    standing, packed, key = _parcel(at, request_id)
    document = {
        "request_id": standing.request.id,
        "packed_at": packed.at,
        "sha256": packed.body["digest"],
        "rows": packed.body["rows"],
        "kept_until": key.keep_until if key else None,
        "readable": key is not None and key.shredded_at is None,
        "incident": standing.request.incident,
    }
    return said(document)


@router.get(
    "/sealed",
    operation_id="get_sealed_parcel",
    response_class=StreamingResponse,
    dependencies=[Depends(by_own_choice)],
    responses=answers(ProblemCode.NOT_FOUND, ProblemCode.REFUSED, ProblemCode.UNUSABLE)
    | {200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def sealed(
    request_id: RequestId,
    at: At,
    caller: Annotated[Caller, Depends(needs(Action.OPEN_PARCEL))],
    reason: Annotated[Asked, Query(description="Why you take it.")],
) -> StreamingResponse:
    """The sealed bytes of a parcel, as they lie in the store. `habeas parcel open` opens them. It is on record before
    the first of them goes out, with the reason and who asked."""
    standing, _, key = _parcel(at, request_id)
    if standing.request.incident:
        raise Problem(ProblemCode.REFUSED, "an incident has this parcel stand still: see to the incident first")
    if key is None or key.shredded_at:
        raise Problem(ProblemCode.NOT_FOUND, "the parcel's key was destroyed on its day: nothing can open it any more")
    with ExitStack() as opening:
        # Opened here, so that one that is not there is a problem and no broken answer.
        source = opening.enter_context(FileStore(at.settings.parcels).read(parcel_name(standing.request.id)))
        at.ledger.reveal(standing.request.id, Revealed.PARCEL, reason, by=caller.staff, at=now())
        stack = opening.pop_all()

    def pieces() -> Iterator[bytes]:
        with stack:
            while piece := source.read(_PIECE):
                yield piece

    return StreamingResponse(pieces(), media_type="application/octet-stream")


@router.post(
    "/report", operation_id="report_parcel", status_code=201, response_model=Reported, responses=answers(*OF_REQUEST)
)
def report(
    request_id: RequestId,
    body: Noted,
    change: Annotated[Change, Depends(changes(Action.RULE))],
    if_match: IfMatch = None,
) -> Response:
    """Say that a parcel went to the wrong person, or holds somebody else's data. An incident is opened at once: nobody
    opens the parcel any more, the request stands still, and the hours to tell the authority run from now."""
    wanted, at = ledger_id(request_id, "request"), change.at

    def do() -> dict[str, Any]:
        moment = now()
        opened = at.ledger.open_incident(
            Kind.WRONG_RECIPIENT,
            About(parcels=(wanted,)),
            aware_at=moment,
            regime=at.settings.regime,
            zone=at.zone,
            by=change.caller.staff,
            note=body.note,
            at=moment,
            origin=Origin.PARCEL,
        )
        return {"incident": incident_document(opened.incident, moment), "in_flight": opened.in_flight}

    def again(made: Mapping[str, Any]) -> dict[str, Any]:
        incident = at.ledger.incident(made["incident"])
        return {"incident": incident_document(incident, now()), "in_flight": made["in_flight"]}

    return change(do, 201, see=f"/v1/requests/{wanted}", of=wanted, if_match=if_match, again=again)


def _parcel(at: Desk, request_id: str) -> tuple[Standing, JournalEntry, KeyState | None]:
    standing = at.ledger.standing(ledger_id(request_id, "request"))
    packed = [event for event in standing.events if event.kind == "parcel"]
    if not packed:
        raise Problem(ProblemCode.NOT_FOUND, "this request has no parcel, or none yet: its standing says how it is")
    return standing, packed[-1], next((key for key in standing.keys if key.purpose == "parcel"), None)
