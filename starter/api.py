"""The HTTP API: what systems and consoles ask for, over the same functions as the command line.

The one rule: nothing personal in an address, a log line or an error; and a request is received by one commit in the
ledger, whatever becomes of Temporal.
"""

import secrets
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starter.access import NotAllowed, NotSignedIn
from starter.callers import STRANGERS
from starter.desk import Desk
from starter.doorkeeper import Callers, caller_of
from starter.handoff import Handoffs
from starter.inputs import MAX_FILE
from starter.limits import Buckets
from starter.problems import Problem, ProblemCode, ProblemDetails, answer, as_problem, documented, problem_of
from starter.readiness import Readiness
from starter.routes import ROUTERS, STREAMS, account
from starter.spooling import AT_ONCE, Spooler
from starter.uiorigin import UiOrigin

log = structlog.get_logger()

_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer carries, unless its route says otherwise."""
_PER_MINUTE: Final = 6_000
BESIDE: Final = AT_ONCE + 1
"""Connections to the ledger for what has threads of its own: lists that are screened, and the probe."""
_HSTS: Final = "max-age=31536000; includeSubDomains"


def build_app(at: Desk, callers: Callers) -> FastAPI:
    """The whole API over a desk.

    Raises:
        SetupError: the keys of hand-offs cannot be read.
    """
    app = FastAPI(
        title="Habeas",
        version="1",
        description="Requests about people's data: open them, follow them, decide. docs/api.md is its manual.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    said = at.settings.api
    app.state.desk, app.state.callers = at, callers
    app.state.handoffs = Handoffs.of(at.ledger, at.settings.handoff, said.url) if said and at.settings.handoff else None
    app.state.buckets = Buckets(said.per_minute if said else _PER_MINUTE)
    # Apart: who fails at the one must not keep anybody of the same address from the other.
    app.state.strangers, app.state.signing_in = Buckets(STRANGERS), Buckets(STRANGERS)
    app.state.proxies = said.proxies if said and said.behind_proxy else 0
    app.state.readiness, app.state.spooler = Readiness(at), Spooler()
    secure = said is not None and said.url.startswith("https:")
    app.add_middleware(Porter, hsts=secure)
    app.add_middleware(UiOrigin, ui=at.settings.temporal_ui)
    for error in (HTTPException, RequestValidationError):
        app.add_exception_handler(error, as_problem)
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """As many threads as the ledger has connections: whoever comes later waits here, and not for a connection."""
    at: Desk = app.state.desk
    to_thread.current_default_thread_limiter().total_tokens = max(1, at.pool - BESIDE)
    yield


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the schema that all problems share."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            description=app.description,
            routes=app.routes,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["ProblemDetails"] = problem
        # What the framework would answer by itself, it does not here: every problem is one of ours.
        unusable = documented([ProblemCode.UNUSABLE])
        for operation in (one for path in document["paths"].values() for one in path.values()):
            if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                operation["responses"]["422"] = unusable[422]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


class Porter:
    """The first and last to touch a request: names it, times it, and sees that no error leaves as a traceback."""

    def __init__(self, app: ASGIApp, *, hsts: bool) -> None:
        self._app = app
        always = _HEADERS | ({"strict-transport-security": _HSTS} if hsts else {})
        self._headers = [(name.encode(), value.encode()) for name, value in always.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status = time.perf_counter(), 0
        trace = secrets.token_hex(8)
        scope.setdefault("state", {})["trace"] = trace

        async def answering(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.setdefault("headers", [])
                there = {name.lower() for name, _ in given}
                message["headers"] = [*given, *(pair for pair in self._headers if pair[0] not in there)]
            await send(message)

        try:
            await self._app(scope, _limited(scope, _of_the_known(scope, receive)), answering)
        except Exception as error:
            problem = problem_of(error)
            response = answer(problem, trace)
            if response.status_code >= 500:
                log.error("answer_failed", trace=trace, error=type(error).__qualname__, where=str(problem))
            if status:  # the answer is on its way: only the end of the connection can say that it is not whole
                raise
            await response(scope, receive, answering)
        finally:
            log.info(
                "answered",
                method=scope["method"],
                route=getattr(scope.get("route"), "path", ""),
                status=status,
                ms=round((time.perf_counter() - began) * 1000, 1),
                trace=trace,
            )


def _of_the_known(scope: Scope, receive: Receive) -> Receive:
    """What is received, once it is known who sends it: nobody else's body is read, let alone parsed.

    Raises (from it):
        Problem: they are not let in.
    """
    known = False

    async def receiving() -> Message:
        nonlocal known
        if not known:
            request = Request(scope)
            try:
                await (account.person_of if scope["path"].startswith(account.BELOW) else caller_of)(request)
            except (NotSignedIn, NotAllowed) as error:
                raise problem_of(error) from None
            known = True
        return await receive()

    return receiving


def _limited(scope: Scope, receive: Receive) -> Receive:
    """What is received, up to the limit of its route; before the body is read where its length is said.

    Raises (from either):
        Problem: there is more.
    """
    most = STREAMS.get(scope["path"], MAX_FILE)
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    read = 0
    if told.isdigit() and int(told) > most:
        raise _too_large(most)

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most)
        return message

    return receiving


def _too_large(most: int) -> Problem:
    # What is left of the body is not read, so nothing more can come over this connection.
    return Problem(
        ProblemCode.TOO_LARGE, f"the body is longer than {most:,} bytes: send less", headers={"connection": "close"}
    )
