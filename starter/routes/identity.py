"""Finding out whether the asker is the person.

The one rule: `proven` or not, and nothing that depends on whether anybody is known.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from rights.identity import Rung
from starter.access import Action, Caller
from starter.changing import Change, IfMatch, changes, said
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.inputs import ledger_id
from starter.problems import OF_REQUEST, ProblemCode, answers
from starter.proving import code_goes, status_document
from starter.routes.bodies import Body, RequestId, Text

router = APIRouter(prefix="/v1/requests/{request_id}/identity", tags=["identity"])

Confirming = Annotated[Change, Depends(changes(Action.CONFIRM_IDENTITY))]
Proves = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=60)], ...],
    Field(max_length=50, description="Of which identities that were given it is: email, email/2, or all."),
]


class Confirmation(Body):
    """Somebody has checked that the asker is the person."""

    proves: Proves = ()


class Attestation(Confirmation):
    """How the asker was seen to be the person."""

    rung: Literal["signed_in", "second_factor", "in_person", "document", "attested"]
    level: int = Field(default=0, ge=0, le=4, description="attested: how sure, from 0 to 4.")


class CodeWanted(Body):
    """A code is to be sent."""

    to: Literal["given", "file", "another", "post"] | None = Field(
        default=None, description="Where; the next step of the ladder unless said."
    )


class CodeSent(BaseModel):
    """A code is on its way, if there is a way; that is not told."""

    to: str
    number: int


class CodeTold(Body):
    """A code as it was read back."""

    code: str = Field(min_length=1, max_length=200)


class LeftOut(Body):
    """What nothing ties to who asks."""

    names: list[Annotated[str, Field(min_length=1, max_length=60)]] = Field(min_length=1, max_length=50)
    reason: Text


class Verdict(BaseModel):
    """Whether the asker is proven."""

    proven: bool


@router.get("", operation_id="show_identity", response_model=dict[str, Any], responses=answers(ProblemCode.NOT_FOUND))
def show(request_id: RequestId, at: At, caller: Annotated[Caller, Depends(needs(Action.READ_REQUEST))]) -> Response:
    """Whether the asker is proven, and what may be asked next."""
    row = at.ledger.request(ledger_id(request_id, "request"))
    return said(status_document(row, at.ledger.identity_state(row.id)))


@router.post("/confirm", operation_id="confirm_identity", response_model=Verdict, responses=answers(*OF_REQUEST))
def confirm(request_id: RequestId, body: Confirmation, change: Confirming, if_match: IfMatch = None) -> Response:
    """Attest that the asker is the person, as sure as one member of staff can be."""
    wanted = ledger_id(request_id, "request")

    def do() -> dict[str, Any]:
        ledger = change.at.ledger
        ledger.confirm_identity(wanted, at=now(), by=change.caller.staff, vouches=body.proves)
        return {"proven": ledger.request(wanted).confirmed}

    return change(do, see=f"/v1/requests/{wanted}/identity", of=wanted, if_match=if_match)


@router.post("/attest", operation_id="attest_identity", response_model=Verdict, responses=answers(*OF_REQUEST))
def attest(request_id: RequestId, body: Attestation, change: Confirming, if_match: IfMatch = None) -> Response:
    """Say how the asker was seen to be the person. In person, by a document and attested at level 4 it takes two
    people, one after the other."""
    wanted = ledger_id(request_id, "request")

    def do() -> dict[str, Any]:
        proven = change.at.ledger.attest(
            wanted, Rung(body.rung), by=change.caller.staff, at=now(), level=body.level, vouches=body.proves
        )
        return {"proven": proven}

    return change(do, see=f"/v1/requests/{wanted}/identity", of=wanted, if_match=if_match)


@router.post("/codes", operation_id="send_code", response_model=CodeSent, responses=answers(*OF_REQUEST))
def send_code(request_id: RequestId, body: CodeWanted, change: Confirming, if_match: IfMatch = None) -> Response:
    """Have a code sent. The answer is the same for people who are known and for people who are not."""
    wanted = change.at.ledger.request(ledger_id(request_id, "request")).id

    def do() -> dict[str, Any]:
        goes = code_goes(change.at.ledger.identity_state(wanted), body.to)
        number = change.at.ledger.ask_code(wanted, goes, at=now(), by=change.caller.staff)
        return {"to": goes, "number": number}

    return change(do, see=f"/v1/requests/{wanted}/identity", of=wanted, if_match=if_match)


@router.post("/codes/check", operation_id="check_code", response_model=Verdict, responses=answers(*OF_REQUEST))
def check_code(request_id: RequestId, body: CodeTold, change: Confirming, if_match: IfMatch = None) -> Response:
    """Compare a code that was read back."""
    wanted = ledger_id(request_id, "request")

    def do() -> dict[str, Any]:
        return {"proven": change.at.ledger.check_code(wanted, body.code, at=now(), by=change.caller.staff)}

    return change(do, see=f"/v1/requests/{wanted}/identity", of=wanted, if_match=if_match)


@router.post("/leave-out", operation_id="leave_out_identity", response_model=Verdict, responses=answers(*OF_REQUEST))
def leave_out(request_id: RequestId, body: LeftOut, change: Confirming, if_match: IfMatch = None) -> Response:
    """Take out of a request what nothing ties to who asks. Nothing is looked for by it."""
    wanted = ledger_id(request_id, "request")

    def do() -> dict[str, Any]:
        proven = change.at.ledger.leave_out(wanted, body.names, by=change.caller.staff, reason=body.reason, at=now())
        return {"proven": proven}

    return change(do, see=f"/v1/requests/{wanted}/identity", of=wanted, if_match=if_match)
