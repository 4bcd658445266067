"""Whether somebody may be written to or brought in: one value, or a list as a stream.

The one rule: what comes back is a verdict by the number of a row; no value is repeated or kept.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from io import TextIOWrapper
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from ledger.ledger import Ledger
from rights.subject import MAX_VALUE
from rights.suppression import Scope
from starter.access import Action, Caller
from starter.changing import said
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.problems import Problem, ProblemCode, answers
from starter.routes.bodies import Body
from starter.screening import Missing, NotRead, Tallied, lines_of, screen_csv, screened
from starter.spooling import Spooler

router = APIRouter(prefix="/v1/suppression", tags=["suppression"])

CSV: Final = "/v1/suppression/check-csv"
MOST: Final = 1 << 30
"""Bytes of a list; a thousand of its rows are in memory at a time."""
_IN_MEMORY: Final = 1 << 20
"""Bytes of verdicts that are kept in memory, before they go to a file; there are numbers and codes in them."""
_PIECE: Final = 1 << 16

Checker = Annotated[Caller, Depends(needs(Action.CHECK_SUPPRESSION))]
Use = Literal["import"] | Scope
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$", description="What the value is: email, phone ...")]


class Asked(Body):
    """One value, and what it is to be used for."""

    kind: Kind
    value: str = Field(min_length=1, max_length=MAX_VALUE)
    use: Use = Field(
        default=Scope.MARKETING, description="import: nobody who was erased comes back; or the scope it is used for."
    )


class Barred(BaseModel):
    """Whether it may be used."""

    barred: bool
    why: list[str] = Field(description="Scopes that were stopped, `erased`, or `unreadable`.")
    since: datetime | None


@router.post(
    "/check",
    operation_id="check_suppression",
    response_model=Barred,
    responses=answers(ProblemCode.UNREADABLE, ProblemCode.TOO_LARGE, ProblemCode.UNUSABLE),
)
def check(body: Asked, at: At, caller: Checker) -> Response:
    """Whether one person may be written to, or brought in."""
    (verdict,) = screened(at.ledger, body.kind, [body.value], body.use, at=now())
    return said({"barred": verdict.barred, "why": verdict.why, "since": verdict.since})


@router.post(
    "/check-csv",
    operation_id="check_suppression_list",
    response_class=StreamingResponse,
    responses=answers(ProblemCode.TOO_LARGE, ProblemCode.TOO_SLOW, ProblemCode.UNUSABLE)
    | {
        200: {
            "description": "The rows that may not be used, as CSV: `row` counts from 1 on; `why` has codes.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
            "headers": {
                "Habeas-Rows": {"description": "Rows that were asked about.", "schema": {"type": "integer"}},
                "Habeas-Barred": {"description": "Of these, barred.", "schema": {"type": "integer"}},
            },
        }
    },
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def check_csv(
    request: Request,
    at: At,
    caller: Checker,
    column: Annotated[str, Query(min_length=1, max_length=100, description="The column with the values.")] = "email",
    kind: Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,30}$")] = "email",
    use: Use = Scope.MARKETING,
) -> StreamingResponse:
    """Hold a CSV with a heading, in UTF-8, against the list. It is kept nowhere; while it is worked on it lies in a
    file without a name."""
    spooler: Spooler = request.app.state.spooler
    try:
        async with spooler.taken(request.stream()) as body:
            out, tallied = await spooler.work(lambda: _screened(at.ledger, body, column, kind, use))
    except Missing:
        raise Problem(ProblemCode.UNUSABLE, "the heading of the CSV has no column of the name in `column`") from None
    except NotRead as error:
        raise Problem(ProblemCode.UNUSABLE, str(error)) from None

    def pieces() -> Iterator[bytes]:
        with out:
            while piece := out.read(_PIECE):
                yield piece

    headers = {"habeas-rows": str(tallied.rows), "habeas-barred": str(tallied.barred)}
    return StreamingResponse(pieces(), media_type="text/csv", headers=headers)


def _screened(ledger: Ledger, body: IO[bytes], column: str, kind: str, use: str) -> tuple[IO[bytes], Tallied]:
    """The rows that are barred, as a CSV that is closed once it is sent, and how many there are."""
    tallied = Tallied()
    with ExitStack() as stack:
        out = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))
        out.write(b"row,why\r\n")
        text = TextIOWrapper(body, encoding="utf-8-sig", newline="")
        stack.callback(text.detach)  # whoever has opened it closes it
        for number, _, verdict in screen_csv(ledger, lines_of(text), column, kind, use, at=now()):
            if number:
                tallied.add(verdict)
            if verdict.barred:
                out.write(f"{number},{' '.join(verdict.why)}\r\n".encode())
        out.seek(0)
        text.detach()
        stack.pop_all()
    return out, tallied
