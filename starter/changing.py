"""A call that changes something: carried out once for its idempotency key, and only on what its caller has seen.

The one rule: what is asked, by whom and on which version is known before anything is done.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Header, Request
from starlette.responses import Response

from ledger.errors import CarriedOut, Changed
from ledger.versions import only_if
from starter.access import Action, Caller
from starter.desk import Desk, now
from starter.doorkeeper import needs
from starter.problems import Problem, ProblemCode
from starter.show import jsonable

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Your name for this call. Sent again with the same body within a day, it is answered as it was and "
        "nothing is done; with another one, it is refused.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        description="The ETag of the request as you saw it. If anything has happened to it since, nothing is done.",
    ),
]
_TAG: Final = re.compile(r'"([0-9]{1,18})"\Z')
_STALE: Final = "something has happened to the request since you looked: get it again, and decide on what it is now"


def etag(version: int) -> str:
    """A version of a request as HTTP names it."""
    return f'"{version}"'


def written(document: Any) -> bytes:
    """A document as JSON."""
    return orjson.dumps(document, default=jsonable)


def said(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A document as an answer."""
    return Response(written(document), status, dict(headers or {}), "application/json")


@dataclass(frozen=True)
class Change:
    """One call: who makes it, and what it says."""

    at: Desk
    caller: Caller
    path: str
    body: bytes
    key: str | None

    def __call__(
        self,
        do: Callable[[], Any],
        status: int = 200,
        *,
        see: str,
        of: str = "",
        if_match: str | None = None,
        again: Callable[[Mapping[str, Any]], Any] | None = None,
    ) -> Response:
        """Carry it out, which is one verb of the ledger; its answer. `see`: the address that tells what it has changed.
        `of`: the request whose version is named by `if_match`. `again`: the answer, of what was made by a call that was
        cut off.

        Raises:
            Changed: the request has gone on since.
            KeyReused, InProgress: so say the ledger's own verbs (`ledger.answers`).
            Problem: the call was cut off when it was carried out already, and nothing tells its answer.
        """

        def carried_out() -> str:
            with seen(of, if_match):
                return written(do()).decode()

        if self.key is None:
            return Response(carried_out(), status, media_type="application/json")
        asked = self.path.encode() + b"\0" + self.body
        told = (lambda what: written(again(what)).decode()) if again else None
        try:
            answer, before = self.at.ledger.once(self.caller.staff, self.key, asked, carried_out, at=now(), again=told)
        except CarriedOut as error:
            raise Problem(ProblemCode.CARRIED_OUT, f"{error}, at the address in `see`", see=see) from None
        headers = {"idempotency-replayed": "true"} if before else {}
        return Response(answer, status, headers, "application/json")


def seen(request_id: str, if_match: str | None) -> AbstractContextManager[None]:
    """Hold the verbs within to the version of a request that the caller has seen, if they named one.

    Raises:
        Changed: what they named is no version.
    """
    if if_match is None or if_match.strip() == "*":
        return nullcontext()
    tags = [_TAG.match(part.strip()) for part in if_match.split(",")]
    versions = [int(tag[1]) for tag in tags if tag]
    if not versions:
        raise Changed(_STALE)
    return only_if(request_id, max(versions))


def changes(action: Action) -> Callable[..., Awaitable[Change]]:
    """The dependency of a route that changes something, and is this action."""
    let_in = needs(action)

    async def begin(
        request: Request, caller: Annotated[Caller, Depends(let_in)], idempotency_key: IdempotencyKey = None
    ) -> Change:
        desk: Desk = request.app.state.desk
        return Change(desk, caller, request.url.path, await request.body(), idempotency_key)

    return begin
