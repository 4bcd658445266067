"""Who is let in at the HTTP API: each route says which action it is, and gets its caller.

The one rule: a route without `needs` is open to everybody, and there are few of those: tests/starter/api/test_api.py
lists them.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from structlog.contextvars import bind_contextvars

from starter.access import Action, Caller, NotAllowed, NotSignedIn, permit
from starter.desk import Desk
from starter.limits import Buckets

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token: of a system, or of a person who is signed in."
)


class Callers(Protocol):
    """Who knows the callers."""

    async def caller_of(self, request: Request) -> Caller:
        """Who is asking.

        Raises:
            NotSignedIn: nobody who is known here.
        """
        ...


def at_desk(request: Request) -> Desk:
    """The ledger, the map and the settings of this door."""
    desk: Desk = request.app.state.desk
    return desk


At = Annotated[Desk, Depends(at_desk)]


async def anybody(request: Request, _: Annotated[object, Security(_BEARER)] = None) -> Caller:
    """The dependency of a route that is open to whoever is known: gives the caller.

    Raises:
        NotSignedIn: it is nobody who is known here.
    """
    return await caller_of(request)


async def caller_of(request: Request) -> Caller:
    """Who makes a call: asked once for each, before its body is read.

    Raises:
        NotSignedIn: it is nobody who is known here.
        NotAllowed: a page of somebody else's has their browser send it.
        Problem: they have made too many calls.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    callers: Callers = request.app.state.callers
    caller = await callers.caller_of(request)
    desk: Desk = request.app.state.desk
    if caller.tenant != desk.settings.tenant:
        raise NotSignedIn("sign in at this address, or send a token that was made for it")
    buckets: Buckets = request.app.state.buckets
    # Each call is answered in a task of its own, so this ends with it; its log lines name whose it is.
    bind_contextvars(staff=caller.staff)
    buckets.take(caller.staff)
    request.state.caller = caller
    return caller


def needs(action: Action) -> Callable[..., Awaitable[Caller]]:
    """The dependency of a route that is this action: gives its caller.

    Raises (as the route is called):
        NotSignedIn: it is nobody who is known here.
        Problem: they have made too many calls.
        NotAllowed: the table does not open the action to them.
    """

    async def let_in(caller: Annotated[Caller, Depends(anybody)]) -> Caller:
        permit(caller, action)
        return caller

    return let_in


async def by_own_choice(request: Request) -> None:
    """The dependency of a route that is only read, and leaves a record of it: a session's cookie comes along when
    somebody follows a link of another site's, and no such site writes our journal in their name.

    Raises:
        NotAllowed: a page of somebody else's led them here.
    """
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise NotAllowed("cross_site", "send this from a page of this address")
