"""Who is at the door: systems by a token of theirs.

The one rule: whoever is not let in hears the same answer, whether what they showed is unknown, over, revoked or badly
written.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from anyio import to_thread
from starlette.requests import HTTPConnection

from ledger.accesstokens import PREFIX
from ledger.ledger import Ledger
from starter.access import PEOPLE_ONLY, Action, Caller, NotSignedIn
from starter.desk import now

_SENTENCE: Final = "sign in, or send a token that is good: Authorization: Bearer TOKEN"
SYSTEM: Final = "system-"
"""What the id of a system begins with in the ledger, and nobody else's."""
_LONGEST: Final = 16_384


class Callers:
    """Tells who asks."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], datetime] = now) -> None:
        self._ledger, self._clock = ledger, clock

    async def caller_of(self, request: HTTPConnection) -> Caller:
        """Who sent a request.

        Raises:
            NotSignedIn: nobody who is known.
        """
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.isascii() or len(given) > _LONGEST:
            raise NotSignedIn(_SENTENCE)
        return await self._system(given.strip())

    async def _system(self, secret: str) -> Caller:
        if not secret.startswith(PREFIX):
            raise NotSignedIn(_SENTENCE)
        token = await to_thread.run_sync(lambda: self._ledger.access_token(secret, at=self._clock()))
        if token is None:
            raise NotSignedIn(_SENTENCE)
        return Caller(
            tenant=self._ledger.tenant,
            staff=SYSTEM + token.system,
            scopes=actions(token.scopes),
            is_system=True,
        )


def actions(scopes: tuple[str, ...]) -> frozenset[Action]:
    """The actions that scopes name; a name that this version does not have opens nothing, nor what people alone do."""
    return frozenset(one for one in Action if one.value in scopes) - PEOPLE_ONLY
