"""Requests: opened, listed, shown, taken back; and what happened to them.

The one rule: identities come in bodies and never go out.
"""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from rights.details import MODELS, Details
from rights.journal import JournalEntry
from rights.request import Conclusion, Phase, Right
from rights.subject import MAX_IDENTITIES
from starter.access import Action, Caller
from starter.changing import Change, IfMatch, changes, etag, said
from starter.cursors import DEFAULT, Cursor, Limit, behind, no_cursor, page
from starter.desk import Desk, now, rules
from starter.doorkeeper import At, needs
from starter.inputs import ledger_id
from starter.pages import request_document, show_document
from starter.problems import CHANGING, OF_REQUEST, Flaw, Problem, ProblemCode, answers, says
from starter.routes.bodies import PLAIN, Body, Given, Noted, RequestId
from starter.standing import as_it_stands
from starter.submit import MAX_TEXT, submit
from starter.timeline import sentence

router = APIRouter(prefix="/v1/requests", tags=["requests"])

Reader = Annotated[Caller, Depends(needs(Action.READ_REQUEST))]
_ENTRY: Final = re.compile(r"[0-9]{1,18}\Z")


class NewRequest(Body):
    """What somebody asks for."""

    right: Right
    identities: list[Given] = Field(min_length=1, max_length=MAX_IDENTITIES)
    details: dict[str, Any] | None = Field(
        default=None,
        description="What the asker says beyond who they are: `habeas request rights` says what each right takes.",
    )
    text: str | None = Field(
        default=None, max_length=MAX_TEXT, pattern=PLAIN, description="Its words as they came in; kept sealed."
    )
    regimes: list[str] = Field(
        default=[], max_length=5, description="The laws it is asked under, where that is not the one of the settings."
    )


class Opened(BaseModel):
    """A request that was received."""

    id: str
    right: Right
    received_at: datetime
    standing: str = Field(description="Where it is followed.")


class RequestLine(BaseModel):
    """A request in a list."""

    id: str
    right: Right
    regime: str
    regimes: list[str]
    phase: Phase
    received_at: datetime
    internal_due: datetime
    legal_due: datetime
    risk: str | None
    confirmed_at: datetime | None
    approved_at: datetime | None
    withdrawn_at: datetime | None
    closed_at: datetime | None
    conclusion: Conclusion | None


class RequestPage(BaseModel):
    """A page of requests, the newest first."""

    requests: list[RequestLine]
    next: str | None = Field(description="The cursor of the next page; null: there is none.")


class Standing(BaseModel):
    """How a request stands."""

    model_config = ConfigDict(extra="allow")

    request: RequestLine
    waits_for: str | None = Field(description="What it waits for from a person: a code.")
    held: bool
    in_flight: int
    systems: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    kept_until: list[dict[str, Any]]


class Withdrawn(BaseModel):
    """It is taken back."""

    withdrawn: bool
    in_flight: int = Field(description="Calls that destroy something and may still be running.")


class Line(BaseModel):
    """An entry of the journal in words."""

    entry: int
    at: datetime
    kind: str
    says: str


class Timeline(BaseModel):
    """What happened to a request, the oldest first."""

    lines: list[Line]
    next: str | None


@router.post(
    "",
    operation_id="open_request",
    status_code=202,
    response_model=Opened,
    responses=answers(*CHANGING)
    | {202: {"headers": {"Location": {"description": "Where it is followed.", "schema": {"type": "string"}}}}},
)
def open_(body: NewRequest, change: Annotated[Change, Depends(changes(Action.OPEN_REQUEST))]) -> Response:
    """Receive a request: one commit, also while Temporal is away. It is on record once this has answered."""
    given = [(one.kind, one.value) for one in body.identities]
    opened = submit(
        change.at.ledger,
        change.at.data_map,
        rules(change.at.settings),
        body.right,
        given,
        received_at=now(),
        text=body.text,
        details=details_of(body.right, body.details),
        regimes=body.regimes,
        by=change.caller.staff,
        **once(change.at, change.caller.staff, change.key, change.body),
    )
    return accepted(change.at, opened.request_id)


@router.get("", operation_id="list_requests", responses=answers(ProblemCode.UNUSABLE), response_model=RequestPage)
def list_(
    at: At,
    caller: Reader,
    open: Annotated[bool, Query(description="Only those that are not closed.")] = False,
    right: Right | None = None,
    phase: Phase | None = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List requests, the newest first."""
    place = behind("requests", cursor, 1)
    rows = at.ledger.requests(
        open_only=open, right=right, phase=phase, before=place[0] if place else None, limit=limit + 1
    )
    moment = now()
    return said(page("requests", rows, limit, lambda row: (row.id,), lambda row: request_document(row, moment)))


@router.get(
    "/{request_id}",
    operation_id="show_request",
    response_model=Standing,
    responses=answers(ProblemCode.NOT_FOUND)
    | {200: {"headers": {"ETag": {"description": "Its version, for If-Match.", "schema": {"type": "string"}}}}},
)
def show(request_id: RequestId, at: At, caller: Reader) -> Response:
    """How a request stands: what was done in each system, what waits for a person, until when what is kept."""
    wanted = ledger_id(request_id, "request")
    # Read first: what comes between makes the version too old, and never too new. No 304 is answered by it: a hold, a
    # risk or a task's state changes what is shown, and not the version of the request.
    tag = etag(at.ledger.version(wanted))
    moment = now()
    shown = as_it_stands(at, wanted, moment)
    document = show_document(shown.standing, shown.candidates, moment, shown.data_map)
    return said(document, headers={"etag": tag})


@router.post(
    "/{request_id}/withdraw", operation_id="withdraw_request", response_model=Withdrawn, responses=answers(*OF_REQUEST)
)
def withdraw(
    request_id: RequestId,
    body: Noted,
    change: Annotated[Change, Depends(changes(Action.WITHDRAW))],
    if_match: IfMatch = None,
) -> Response:
    """Take a request back. No call that destroys anything starts after this."""
    wanted = ledger_id(request_id, "request")

    def do() -> dict[str, Any]:
        flying = change.at.ledger.withdraw(wanted, at=now(), note=body.note, by=change.caller.staff)
        return {"withdrawn": True, "in_flight": flying}

    return change(do, see=f"/v1/requests/{wanted}", of=wanted, if_match=if_match)


@router.get(
    "/{request_id}/timeline",
    operation_id="show_timeline",
    response_model=Timeline,
    responses=answers(ProblemCode.NOT_FOUND, ProblemCode.UNUSABLE),
)
def timeline(request_id: RequestId, at: At, caller: Reader, limit: Limit = DEFAULT, cursor: Cursor = None) -> Response:
    """What happened to a request, in plain words: a line for each entry of the journal, the oldest first."""
    wanted = at.ledger.request(ledger_id(request_id, "request")).id
    place = behind("lines", cursor, 1)
    if place and not _ENTRY.match(place[0]):
        raise no_cursor()
    found = at.ledger.happened(wanted, after=int(place[0]) if place else 0, limit=limit + 1)
    return said(page("lines", found, limit, lambda one: (str(one.seq),), _line))


# What it takes.


def details_of(right: Right, said_of: dict[str, Any] | None) -> Details | None:
    """What the asker says beyond who they are.

    Raises:
        Problem: it cannot be used.
    """
    if said_of is None:
        return None
    model = MODELS.get(right)
    if model is None:
        flaws = [Flaw(at="body.details", says="a request about this right takes no details: leave them out")]
    else:
        try:
            return model.model_validate(said_of)
        except ValidationError as error:
            known = set(model.model_fields)
            flaws = [
                # Other names in a path may be the sender's own.
                Flaw(at=".".join(["body.details", *(str(n) for n in one["loc"] if n in known)]), says=says(one))
                for one in error.errors(include_input=False, include_url=False)
            ]
    raise Problem(ProblemCode.UNUSABLE, "send it again with what `errors` says of its details", flaws=flaws)


def once(at: Desk, caller: str, key: str | None, body: bytes) -> dict[str, Any]:
    """The idempotency key of a call that opens a request, and what tells another call under it: the ledger keeps both
    in the commit that opens."""
    if key is None:
        return {}
    own = hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()
    return {"idempotency_key": f"api/{own}", "asked": at.ledger.asked_mark(body)}


def accepted(at: Desk, request_id: str, under: str = "/v1/requests") -> Response:
    """The answer to whoever has opened a request; the same whenever it is given."""
    row = at.ledger.request(request_id)
    standing = f"{under}/{row.id}"
    document = {"id": row.id, "right": row.right, "received_at": row.clock.received_at, "standing": standing}
    return said(document, 202, {"location": standing})


def _line(entry: JournalEntry) -> dict[str, Any]:
    # That a hold which must stay secret was in force is nothing for whoever reads a request.
    plain = entry.model_copy(update={"body": {**entry.body, "held": False}}) if entry.kind == "intent" else entry
    return {"entry": entry.seq, "at": entry.at, "kind": entry.kind, "says": sentence(plain)}
