"""What the HTTP API answers when it does not do what was asked: problem details (RFC 9457).

The one rule: a problem has a code, and one sentence that says what to do; nothing that was sent is repeated in it.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from enum import StrEnum
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from ledger.errors import CarriedOut, Changed, InProgress, KeyReused
from starter.access import NotAllowed, NotSignedIn
from starter.exits import Exit, explain

MEDIA: Final = "application/problem+json"
URN: Final = "urn:habeas:problem:"
"""What the type of every problem begins with; its code follows (docs/api.md lists them)."""


class ProblemCode(StrEnum):
    """What went wrong."""

    UNREADABLE = "unreadable"
    NOT_SIGNED_IN = "not_signed_in"
    SCOPE_MISSING = "scope_missing"
    ROLE_MISSING = "role_missing"
    SECOND_FACTOR_MISSING = "second_factor_missing"
    CROSS_SITE = "cross_site"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REFUSED = "refused"
    IN_PROGRESS = "in_progress"
    CARRIED_OUT = "carried_out"
    TOO_SLOW = "too_slow"
    CHANGED = "changed"
    TOO_LARGE = "too_large"
    MEDIA_TYPE = "media_type"
    UNUSABLE = "unusable"
    KEY_REUSED = "key_reused"
    TOO_MANY = "too_many"
    FAILED = "failed"
    AWAY = "away"


class Kind(NamedTuple):
    """A problem's status and title, the same each time."""

    status: int
    title: str


KINDS: Final[Mapping[ProblemCode, Kind]] = {
    ProblemCode.UNREADABLE: Kind(400, "The request cannot be read"),
    ProblemCode.NOT_SIGNED_IN: Kind(401, "Nobody is signed in"),
    ProblemCode.SCOPE_MISSING: Kind(403, "The token does not name this"),
    ProblemCode.ROLE_MISSING: Kind(403, "Another role does this"),
    ProblemCode.SECOND_FACTOR_MISSING: Kind(403, "A second factor is needed"),
    ProblemCode.CROSS_SITE: Kind(403, "Another site sent this"),
    ProblemCode.NOT_FOUND: Kind(404, "Not found"),
    ProblemCode.METHOD_NOT_ALLOWED: Kind(405, "Not done at this address"),
    ProblemCode.CARRIED_OUT: Kind(409, "It was carried out, and its answer is lost"),
    ProblemCode.TOO_SLOW: Kind(408, "Sent too slowly"),
    ProblemCode.REFUSED: Kind(409, "It makes no sense as things stand"),
    ProblemCode.IN_PROGRESS: Kind(409, "The same is being done just now"),
    ProblemCode.CHANGED: Kind(412, "Changed meanwhile"),
    ProblemCode.TOO_LARGE: Kind(413, "Too large"),
    ProblemCode.MEDIA_TYPE: Kind(415, "Another media type is needed"),
    ProblemCode.UNUSABLE: Kind(422, "What was sent cannot be used"),
    ProblemCode.KEY_REUSED: Kind(422, "The idempotency key belongs to something else"),
    ProblemCode.TOO_MANY: Kind(429, "Too many requests"),
    ProblemCode.FAILED: Kind(500, "An error that nobody foresaw"),
    ProblemCode.AWAY: Kind(503, "Something that is needed does not answer"),
}


class Flaw(BaseModel):
    """One part of a request that cannot be used."""

    at: str = Field(description="Where it is, such as body.identities.0.kind; a name that is not known here reads …")
    says: str = Field(description="What to send instead.")


class ProblemDetails(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(description="A URN that ends with the code.", examples=[f"{URN}not_found"])
    title: str
    status: int
    code: ProblemCode
    detail: str = Field(description="One sentence that says what to do.")
    trace: str = Field(description="Stands in our log as well: name it when you ask about this answer.")
    errors: list[Flaw] | None = Field(default=None, description="Of what cannot be used: each part.")
    see: str | None = Field(default=None, description="Of what was carried out: the address that tells how it is now.")


class Problem(Exception):
    """A request is answered with a problem; the text is its sentence."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        flaws: Sequence[Flaw] = (),
        see: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.headers, self.flaws, self.see = code, dict(headers or {}), tuple(flaws), see


def answer(problem: Problem, trace: str) -> JSONResponse:
    """A problem as it is sent."""
    kind = KINDS[problem.code]
    body: dict[str, Any] = {
        "type": f"{URN}{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "code": problem.code,
        "detail": str(problem),
        "trace": trace,
    }
    if problem.flaws:
        body["errors"] = [flaw.model_dump() for flaw in problem.flaws]
    if problem.see:
        body["see"] = problem.see
    return JSONResponse(body, kind.status, problem.headers, MEDIA)


_AS: Final[Mapping[Exit, ProblemCode]] = {
    Exit.USAGE: ProblemCode.UNUSABLE,
    Exit.NOT_FOUND: ProblemCode.NOT_FOUND,
    Exit.REFUSED: ProblemCode.REFUSED,
    Exit.AWAY: ProblemCode.AWAY,
}
"""The problem that stands for a command's exit code: both doors refuse the same things in the same words."""

_LEDGER: Final[Mapping[type[Exception], ProblemCode]] = {
    Changed: ProblemCode.CHANGED,
    KeyReused: ProblemCode.KEY_REUSED,
    CarriedOut: ProblemCode.CARRIED_OUT,
    InProgress: ProblemCode.IN_PROGRESS,
}


def problem_of(error: Exception, names: Set[str] = frozenset()) -> Problem:
    """What an error is answered with. What nobody foresaw says its class and place, and never its text. `names`: the
    fields of all bodies, which alone are named where one cannot be used."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotSignedIn):
        return Problem(ProblemCode.NOT_SIGNED_IN, str(error), headers={"www-authenticate": "Bearer"})
    if isinstance(error, NotAllowed):
        return Problem(ProblemCode(error.code), str(error))
    if isinstance(error, RequestValidationError):
        return _unusable(error.errors(), names)
    if isinstance(error, HTTPException):
        return _of_http(error)
    if code := next((code for known, code in _LEDGER.items() if isinstance(error, known)), None):
        return Problem(code, str(error), headers={"retry-after": "1"} if code is ProblemCode.IN_PROGRESS else None)
    ended, sentence = explain(error)
    if ended is Exit.AWAY:
        return Problem(ProblemCode.AWAY, sentence, headers={"retry-after": "5"})
    return Problem(_AS.get(ended, ProblemCode.FAILED), sentence)


_HTTP: Final[Mapping[int, tuple[ProblemCode, str]]] = {
    404: (ProblemCode.NOT_FOUND, "there is nothing at this address: /openapi.json lists those that there are"),
    405: (ProblemCode.METHOD_NOT_ALLOWED, "use one of the methods in the header Allow"),
    413: (ProblemCode.TOO_LARGE, "the body is too large: send less at once"),
    415: (ProblemCode.MEDIA_TYPE, "send the body as application/json, and say so in Content-Type"),
}


def _of_http(error: HTTPException) -> Problem:
    """What the framework refuses by itself; what stopped it while it read the body, is its cause."""
    if isinstance(error.__cause__, Problem):
        return error.__cause__
    code, sentence = _HTTP.get(
        error.status_code, (ProblemCode.UNREADABLE, "the body cannot be read: send JSON in UTF-8")
    )
    kept = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return Problem(code, sentence, headers=kept)


# What a value should be, from pydantic.

_SAID: Final = frozenset(
    {
        "string_too_short", "string_too_long", "string_pattern_mismatch", "string_type", "too_short", "too_long",
        "enum", "literal_error", "int_parsing", "int_type", "int_from_float", "bool_parsing", "bool_type",
        "greater_than_equal", "less_than_equal", "greater_than", "less_than", "model_attributes_type", "model_type",
        "dict_type", "list_type", "tuple_type", "date_type", "date_parsing", "date_from_datetime_inexact",
        "datetime_type", "datetime_parsing", "timezone_aware", "value_error", "finite_number", "multiple_of",
    }
)  # fmt: skip
"""Kinds of finding whose message has been read, and names what is expected and never what came."""
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known here: leave it out",
    "json_invalid": "is no JSON",
}


def _unusable(found: Sequence[Mapping[str, Any]], names: Set[str]) -> Problem:
    flaws = [Flaw(at=_place(one, names), says=says(one)) for one in found]
    if all(one["type"] == "json_invalid" for one in found):
        return Problem(ProblemCode.UNREADABLE, "the body is no JSON: send JSON in UTF-8")
    return Problem(ProblemCode.UNUSABLE, "send it again with what `errors` says of each part", flaws=flaws)


def _place(one: Mapping[str, Any], names: Set[str]) -> str:
    """Where it is. In a body whoever has sent it makes up the keys of a table, and fields that there are none of."""
    first, *rest = one["loc"]
    made_up = len(rest) - 1 if one["type"] == "extra_forbidden" else None
    shown = [
        str(part) if first != "body" or ((isinstance(part, int) or part in names) and number != made_up) else "…"
        for number, part in enumerate(rest)
    ]
    return ".".join([str(first), *shown])


def says(one: Mapping[str, Any]) -> str:
    """What to send instead, of a finding of pydantic's; never what was sent."""
    if one["type"] in _WORDS:
        return _WORDS[one["type"]]
    if one["type"] in _SAID:
        return str(one["msg"])
    return "cannot be used: /openapi.json says what stands here"


# What a route can answer, for its document.

_ALWAYS: Final = (ProblemCode.NOT_SIGNED_IN, ProblemCode.TOO_MANY, ProblemCode.FAILED, ProblemCode.AWAY)
CHANGING: Final = (
    ProblemCode.UNREADABLE, ProblemCode.TOO_LARGE, ProblemCode.UNUSABLE,
    ProblemCode.REFUSED, ProblemCode.IN_PROGRESS, ProblemCode.CARRIED_OUT, ProblemCode.KEY_REUSED,
)  # fmt: skip
"""What every route that changes something can answer."""
OF_REQUEST: Final = (ProblemCode.NOT_FOUND, ProblemCode.CHANGED, *CHANGING)
"""The same, of a request that is there already."""
_FORBIDDEN: Final = (
    ProblemCode.SCOPE_MISSING,
    ProblemCode.ROLE_MISSING,
    ProblemCode.SECOND_FACTOR_MISSING,
    ProblemCode.CROSS_SITE,
)


def answers(*codes: ProblemCode, roles: bool = True) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these problems and those that every route can answer, by status. `roles`: who may,
    is a question of roles and scopes."""
    return documented([*codes, *_ALWAYS, *(_FORBIDDEN if roles else ())])


def documented(codes: Iterable[ProblemCode]) -> dict[int | str, dict[str, Any]]:
    """Problems by status, each with its codes named."""
    by_status: dict[int | str, list[ProblemCode]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        status: {
            "description": "; ".join(f"{KINDS[code].title} (`{code}`)" for code in dict.fromkeys(of)),
            "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status, of in sorted(by_status.items(), key=lambda pair: str(pair[0]))
    }


async def as_problem(request: Request, error: Exception) -> JSONResponse:
    """The handler of what the framework raises."""
    names = _fields(request.app) if isinstance(error, RequestValidationError) else frozenset()
    return answer(problem_of(error, names), request.state.trace)


def _fields(app: FastAPI) -> frozenset[str]:
    """The names of all fields that a body can have, as the document has them."""
    schemas = app.openapi()["components"]["schemas"].values()
    return frozenset(name for schema in schemas for name in schema.get("properties", ()))
