"""The OpenID provider: where its doors are, its keys, and what its tokens say.

The one rule: what a token says is believed only if a key of the provider's signed it, with an algorithm of two keys,
for us, and it is not over. A token that is not believed says nothing, and not why.
"""

import base64
import json
from asyncio import Lock
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from pydantic import BaseModel, ValidationError

from starter.desk import now

ALGORITHMS: Final[Mapping[str, str]] = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""What a signature may be made with, each with its kind of key. None of them has one key for both sides: with one that
has, whoever knows the provider's public keys could sign."""
LEEWAY_S: Final = 30
"""How far two clocks may be apart."""
_FRESH: Final = timedelta(hours=1)
"""How long keys are taken as they were: a key that the provider takes out is believed no longer than that."""
_STALE: Final = timedelta(hours=24)
"""How long they are, while the provider does not answer."""
_COOL: Final = timedelta(minutes=1)
"""How long after a fetch an unknown key is unknown without another one: tokens that name keys cost the provider
nothing."""
_TIMEOUT_S: Final = 5.0
_LARGEST: Final = 500_000

log = structlog.get_logger()


class ProviderAway(Exception):
    """The provider does not answer, or not as one. The text is the sentence for whoever wanted to sign in."""

    def __init__(self) -> None:
        super().__init__("the provider that signs people in does not answer: try again")


class NotBelieved(Exception):
    """A token is not to be believed. `why` is a word for the log: nobody else is told."""

    def __init__(self, why: str) -> None:
        super().__init__("this token is not good here")
        self.why = why


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

    async def claims(self, token: str, audience: str) -> dict[str, Any]:
        """What a token for an audience says.

        Raises:
            NotBelieved: it is not the provider's, not for this audience, over, or not written as one.
            ProviderAway: its keys are not known, and cannot be had.
        """
        algorithm, kid = _header(token)
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
        return dict(found.claims)

    async def _key(self, algorithm: str, kid: str | None) -> Key:
        """The one key that a header names.

        Raises:
            NotBelieved: there is none, or more than one could be meant.
        """
        if key := _only(self._kept(), algorithm, kid):
            return key
        if key := _only(await self._fetched(), algorithm, kid):
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


def _header(token: str) -> tuple[str, str | None]:
    """Algorithm and key id of a token, read before anything of it is believed."""
    try:
        head = token.split(".", 1)[0]
        said = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        algorithm, kid = said["alg"], said.get("kid")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NotBelieved("header") from None
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise NotBelieved("header")
    return algorithm, kid


def _only(known: tuple[Key, ...], algorithm: str, kid: str | None) -> Key | None:
    """The one key that can be meant; None where there is none, or several."""
    found = [
        key
        for key in known
        if key.key_type == ALGORITHMS[algorithm]
        and kid in {None, key.kid}
        and key.get("alg") in {None, algorithm}
        and key.get("use") in {None, "sig"}
    ]
    return found[0] if len(found) == 1 else None


def _usable(document: Any) -> tuple[Key, ...]:
    """The keys of a document that can have signed something; others are passed over."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = []
    for one in listed if isinstance(listed, list) else ():
        try:
            if one["kty"] in set(ALGORITHMS.values()):
                found.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not found:
        log.warning("provider_away", what="keys")
        raise ProviderAway
    return tuple(found)


async def _get(url: str) -> Any:
    """A document of the provider's.

    Raises:
        ProviderAway: it cannot be had, is too large, or no JSON.
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
