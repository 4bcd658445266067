"""Signing in and out, and who one is.

The one rule: a browser is sent to the provider and to our own pages, and nowhere else.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from starter.access import Action, Caller, may
from starter.callers import SESSION, Callers, address_of
from starter.desk import now
from starter.doorkeeper import At, anybody
from starter.limits import Buckets
from starter.people import Refused
from starter.problems import Problem, ProblemCode, answers
from starter.provider import ProviderAway
from starter.signin import CALLBACK, SignIn

router = APIRouter(tags=["people"])

_BROWSER: Final = "__Host-habeas-signin"
"""The cookie of a sign-in on its way. It comes back with somebody whom another site sends here, so it is Lax."""


class Me(BaseModel):
    """Who is asking, and what they may do."""

    tenant: str
    staff: str = Field(description="What stands for them in the ledger.")
    is_system: bool
    roles: list[str]
    second_factor: bool = Field(description="Whether one was used, lately enough to count.")
    may: list[str] = Field(description="The actions that are open to them now.")


@router.get("/v1/me", operation_id="me", responses=answers())
async def me(caller: Annotated[Caller, Depends(anybody)]) -> Me:
    """Who is asking."""
    return Me(
        tenant=caller.tenant,
        staff=caller.staff,
        is_system=caller.is_system,
        roles=sorted(caller.roles),
        second_factor=caller.second_factor,
        may=[action.value for action in Action if may(caller, action)],
    )


@router.get("/signin", include_in_schema=False)
async def begin(
    request: Request, back: Annotated[str, Query()] = "", fresh: Annotated[bool, Query()] = False
) -> Response:
    """Send somebody to the provider."""
    try:
        departure = await _sign_in(request).begin(back, request.cookies.get(_BROWSER, ""), fresh=fresh)
    except ProviderAway as error:
        raise Problem(ProblemCode.AWAY, str(error), headers={"retry-after": "5"}) from None
    answer = RedirectResponse(departure.url, 303)
    _keep(answer, _BROWSER, departure.browser, max_age=600)
    return answer


@router.get(CALLBACK, include_in_schema=False)
async def finish(request: Request) -> Response:
    """Take somebody in who comes back from there."""
    try:
        arrival = await _sign_in(request).finish(
            request.query_params, request.cookies.get(_BROWSER, ""), request.cookies.get(SESSION, "")
        )
    except ProviderAway as error:
        raise Problem(ProblemCode.AWAY, str(error), headers={"retry-after": "5"}) from None
    except Refused as error:
        raise Problem(ProblemCode.ROLE_MISSING, str(error)) from None
    answer = RedirectResponse(arrival.back, 303)
    _keep(answer, SESSION, arrival.session)
    _keep(answer, _BROWSER, "", max_age=0)
    return answer


@router.post("/signout", include_in_schema=False)
def sign_out(request: Request, at: At, _: Annotated[Caller, Depends(anybody)]) -> Response:
    """End the session."""
    if secret := request.cookies.get(SESSION):
        at.ledger.end_session(secret, at=now())
    answer = Response(status_code=204)
    _keep(answer, SESSION, "", max_age=0)
    return answer


def _sign_in(request: Request) -> SignIn:
    callers = request.app.state.callers
    if not isinstance(callers, Callers) or callers.sign_in is None:
        raise Problem(ProblemCode.NOT_FOUND, "nobody signs in here: the group [oidc] of the settings is not set")
    signing_in: Buckets = request.app.state.signing_in
    signing_in.take(address_of(request))
    return callers.sign_in


def _keep(answer: Response, name: str, value: str, max_age: int | None = None) -> None:
    """Have the browser keep something: for us alone, by TLS alone, and out of reach of scripts; at 0 it forgets it."""
    answer.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")
