"""The OpenID provider: where its doors are, its keys, and what its tokens say.

The one rule: what a token says is believed only if a key of the provider's signed it, with an algorithm of two keys,
for us, and it is not over. A token that is not believed says nothing, and not why.
"""

import json
from asyncio import Lock
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from pydantic import BaseModel, ValidationError

from starter.believing import ALGORITHMS, LEEWAY_S, header, only, usable
from starter.believing import NotBelieved as NotBelieved
from starter.desk import now

_FRESH: Final = timedelta(hours=1)
"""How long keys are taken as they were: a key that the provider takes out is believed no longer than that."""
_STALE: Final = timedelta(hours=24)
"""How long they are, while the provider does not answer."""
_COOL: Final = timedelta(minutes=1)
"""How long after a fetch an unknown key is unknown without another one: tokens that name keys cost the provider
nothing."""
_TIMEOUT_S: Final = 5.0
_LARGEST: Final = 500_000

_OF_ID_TOKENS: Final = frozenset({"at_hash", "c_hash"})
"""Claims that ID tokens alone have (OpenID Connect Core 1.0, 3.1.3.6 and 3.3.2.11)."""

log = structlog.get_logger()


class ProviderAway(Exception):
    """The provider does not answer, or not as one. The text is the sentence for whoever wanted to sign in."""

    def __init__(self) -> None:
        super().__init__("the provider that signs people in does not answer: try again")


class Doors(BaseModel):
    """Of the discovery document what is needed here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """One issuer. Its document and its keys are fetched when first needed, and kept."""

    def __init__(self, issuer: str, *, clock: Callable[[], datetime] = now) -> None:
        self.issuer: Final = issuer
        self._clock = clock
        self._doors: tuple[datetime, Doors] | None = None
        self._keys: tuple[datetime, tuple[Key, ...]] | None = None
        self._tried: datetime | None = None
        self._turn = Lock()

    async def doors(self) -> Doors:
        """Where to go.

        Raises:
            ProviderAway: it does not answer, or with what is no document of this issuer.
        """
        at = self._clock()
        if self._doors is None or at - self._doors[0] >= _FRESH:
            try:
                self._doors = at, await self._discover()
            except ProviderAway:
                if self._doors is None or at - self._doors[0] >= _STALE:
                    raise
        return self._doors[1]

    async def claims(self, token: str, audience: str, *, access: bool = False) -> dict[str, Any]:
        """What a token for an audience says. `access`: it has to be an access token, as far as it says what it is.

        Raises:
            NotBelieved: it is not the provider's, not for this audience, over, or not written as one.
            ProviderAway: its keys are not known, and cannot be had.
        """
        algorithm, kid = header(token)
        if algorithm not in ALGORITHMS:
            raise NotBelieved("algorithm")
        key = await self._key(algorithm, kid)
        try:
            found = jwt.decode(token, key, algorithms=[algorithm])
            jwt.JWTClaimsRegistry(
                now=int(self._clock().timestamp()),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": audience},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(found.claims)
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise NotBelieved(type(error).__name__) from None
        if access and not _for_access(found.header, found.claims):
            raise NotBelieved("typ")
        return dict(found.claims)

    async def _key(self, algorithm: str, kid: str | None) -> Key:
        """The one key that a header names.

        Raises:
            NotBelieved: there is none, or more than one could be meant.
        """
        if key := only(self._kept(), algorithm, kid):
            return key
        if key := only(await self._fetched(), algorithm, kid):
            return key
        raise NotBelieved("key")

    def _kept(self) -> tuple[Key, ...]:
        at = self._clock()
        return self._keys[1] if self._keys and at - self._keys[0] < _FRESH else ()

    async def _fetched(self) -> tuple[Key, ...]:
        """The keys as they are at the provider now, or a moment ago.

        Raises:
            ProviderAway: they cannot be had, and those that were are too old.
        """
        async with self._turn:
            at = self._clock()
            if self._tried is None or at - self._tried >= _COOL:
                self._tried = at
                try:
                    document = await _get((await self.doors()).jwks_uri)
                    self._keys = at, _usable(document)
                except ProviderAway:
                    log.warning("provider_away", what="keys")
            if self._keys is None or at - self._keys[0] >= _STALE:
                raise ProviderAway
            return self._keys[1]

    async def _discover(self) -> Doors:
        document = await _get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            doors = Doors.model_validate(document)
        except ValidationError:
            log.warning("provider_away", what="document")
            raise ProviderAway from None
        ways = {doors.authorization_endpoint, doors.token_endpoint, doors.jwks_uri}
        # A document of another issuer would have us believe that one's keys (OpenID Connect Discovery, 4.3); and
        # nothing of one that is reached by TLS is reached without.
        if doors.issuer != self.issuer or (
            self.issuer.startswith("https:") and not all(way.startswith("https:") for way in ways)
        ):
            log.warning("provider_away", what="issuer")
            raise ProviderAway
        return doors


def _usable(document: Any) -> tuple[Key, ...]:
    """The keys of a document that can have signed something."""
    if not (found := usable(document)):
        log.warning("provider_away", what="keys")
        raise ProviderAway
    return found


async def _get(url: str) -> Any:
    """A document of the provider's.

    Raises:
        ProviderAway: it cannot be had, is too large, or no JSON; or nobody's certificate can be believed here.
    """
    try:
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, headers={"accept": "application/json"}) as answer,
        ):
            answer.raise_for_status()
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _LARGEST:
                    raise ProviderAway
        return json.loads(body)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        raise ProviderAway from None
    except OSError as error:
        # Not the provider's fault: the file of authorities that it would be believed by cannot be read.
        log.warning("provider_away", what="authorities", error=type(error).__qualname__)
        raise ProviderAway from None


def _for_access(head: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Whether a token may be an access token: its header says that it is one (RFC 9068, 2.1) or no more than that it is
    a JWT, and nothing in it says that it is another."""
    kind = str(head.get("typ") or "jwt").lower().removeprefix("application/")
    inside = str(claims.get("typ") or "bearer").lower()
    return kind in {"at+jwt", "jwt"} and inside in {"bearer", "at+jwt", "jwt"} and not _OF_ID_TOKENS & claims.keys()
