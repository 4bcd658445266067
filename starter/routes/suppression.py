"""Whether somebody may be written to or brought in: one value, or a list as a stream.

The one rule: what comes back is a verdict by the number of a row; no value is repeated or kept.
"""

import codecs
import csv
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Final, Literal

from anyio import from_thread, to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from rights.subject import MAX_VALUE
from rights.suppression import Scope
from starter.access import Action, Caller
from starter.changing import said
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.problems import Problem, ProblemCode, answers
from starter.routes.bodies import Body
from starter.screening import LONGEST_ROW, Missing, NotRead, Tallied, screen_csv, screened

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
    responses=answers(ProblemCode.TOO_LARGE, ProblemCode.UNUSABLE)
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
    """Hold a CSV with a heading, in UTF-8, against the list. It is read as a stream and kept nowhere."""
    chunks = request.stream()

    def work() -> tuple[IO[bytes], Tallied]:
        tallied = Tallied()
        with ExitStack() as stack:
            out = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))
            out.write(b"row,why\r\n")
            for number, _, verdict in screen_csv(at.ledger, _lines(chunks), column, kind, use, at=now()):
                if number:
                    tallied.add(verdict)
                if verdict.barred:
                    out.write(f"{number},{' '.join(verdict.why)}\r\n".encode())
            out.seek(0)
            stack.pop_all()  # it is closed once it is sent
        return out, tallied

    try:
        out, tallied = await to_thread.run_sync(work)
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


def _lines(chunks: AsyncIterator[bytes]) -> Iterator[str]:
    """The lines of a body, in a thread, as they come in."""
    decode, rest = codecs.getincrementaldecoder("utf-8-sig")().decode, ""
    while (chunk := from_thread.run(_next, chunks)) is not None:
        *lines, rest = (rest + decode(chunk)).split("\n")
        for line in lines:
            yield f"{line}\n"
        if len(rest) > LONGEST_ROW:
            raise csv.Error
    if last := rest + decode(b"", final=True):
        yield last


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
