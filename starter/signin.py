"""Signing in: to the provider and back, and what a browser is given for it.

The one rule: what comes back is taken once, from the browser that was sent, and leads to a page of our own. What a
browser keeps is a secret; the proof keys of a sign-in (nonce, PKCE) are made of it and are nowhere else.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import httpx2
import structlog
from anyio import to_thread
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2 import OAuth2Error

from ledger.ledger import Ledger
from ledger.sessions import Begun
from starter.access import NotSignedIn
from starter.desk import now
from starter.groups import OidcSettings
from starter.people import Person, person_of
from starter.provider import NotBelieved, Provider, ProviderAway

CALLBACK: Final = "/signin/callback"
HOME: Final = "/v1/me"
"""Where somebody is taken who did not say where to."""
_AWAY_AT_MOST: Final = timedelta(minutes=10)
_TIMEOUT_S: Final = 10.0
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%?-][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?\Z")
"""A path of ours, with what is asked of it: one slash first, so that it names no other place (`//`, `/\\`)."""
_LONGEST: Final = 1_000
_AGAIN: Final = "signing in did not work out: try again from the beginning"

log = structlog.get_logger()


class Departure(NamedTuple):
    """Where a browser goes, and what it keeps meanwhile."""

    url: str
    browser: str


class Arrival(NamedTuple):
    """What a browser gets once somebody has signed in, and where it goes."""

    session: str
    back: str


class SignIn:
    """Signs people in by one provider."""

    def __init__(
        self,
        ledger: Ledger,
        provider: Provider,
        settings: OidcSettings,
        *,
        url: str,
        client_secret: str | None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`url` is our own address, that people come back to."""
        self._ledger, self._provider, self._settings, self._clock = ledger, provider, settings, clock
        self._callback, self._client_secret = url + CALLBACK, client_secret

    async def begin(self, back: str, browser: str, *, fresh: bool) -> Departure:
        """Send somebody to the provider. `browser` is what theirs keeps, if it does; `fresh`: they are to prove anew
        who they are, by a second factor.

        Raises:
            ProviderAway: it does not answer.
        """
        doors = await self._provider.doors()
        at, state = self._clock(), secrets.token_urlsafe(32)
        kept = browser if _SECRET.match(browser) else secrets.token_urlsafe(32)
        # max_age has the provider say when it saw the person (auth_time), without which no second factor counts.
        more: dict[str, str] = {"max_age": str(int(self._settings.session_for.total_seconds()))}
        if fresh:
            more = {"max_age": "0", "prompt": "login"}
            if self._settings.second_factor_acr:
                more["acr_values"] = " ".join(self._settings.second_factor_acr)
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                doors.authorization_endpoint,
                state=state,
                nonce=_derived(kept, state, "nonce"),
                code_verifier=_derived(kept, state, "verifier"),
                **more,
            )
        await to_thread.run_sync(
            lambda: self._ledger.begin_sign_in(
                state, kept, back=own_path(back), fresh=fresh, at=at, ends_at=at + _AWAY_AT_MOST
            )
        )
        return Departure(str(url), kept)

    async def finish(self, given: Mapping[str, str], browser: str, session: str) -> Arrival:
        """Take somebody in who comes back with `given`; `session` is what their browser had before.

        Raises:
            NotSignedIn: they did not go from here, come a second time, or the provider does not vouch for them.
            Refused: it does, and they are nobody here.
            ProviderAway: it does not answer.
        """
        state, code = given.get("state", ""), given.get("code", "")
        begun = await to_thread.run_sync(lambda: self._ledger.take_sign_in(state, browser, at=self._clock()))
        if begun is None:
            raise _not("state")
        doors = await self._provider.doors()
        said_by = given.get("iss")
        if said_by != self._provider.issuer and (
            said_by is not None or doors.authorization_response_iss_parameter_supported
        ):
            raise _not("issuer")  # RFC 9207: an answer of another provider's
        if given.get("error") or not code:
            raise _not("denied")
        claims = await self._claims(doors.token_endpoint, code, state, browser)
        person = await to_thread.run_sync(
            lambda: person_of(claims, self._settings, self._ledger.tenant, self._ledger.staff_id_of)
        )
        return Arrival(await self._open(person, begun, session), begun.back)

    async def _claims(self, door: str, code: str, state: str, browser: str) -> Mapping[str, Any]:
        """What the ID token says that a code is exchanged for.

        Raises:
            NotSignedIn: the provider gives none for it, or one that is not to be believed.
        """
        try:
            async with self._client() as client:
                answer = await client.fetch_token(
                    door, grant_type="authorization_code", code=code, code_verifier=_derived(browser, state, "verifier")
                )
            token = answer["id_token"]
            if not isinstance(token, str):
                raise _not("token")
            claims = await self._provider.claims(token, self._settings.client_id)
        except (OAuthError, OAuth2Error, KeyError, TypeError):
            raise _not("code") from None
        except NotBelieved as error:
            raise _not(error.why) from None
        except (httpx2.HTTPError, OSError, ValueError):
            raise ProviderAway from None
        nonce, party = claims.get("nonce"), claims.get("azp")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode(), _derived(browser, state, "nonce").encode()
        ):
            raise _not("nonce")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if party != self._settings.client_id and (several or party is not None):
            raise _not("azp")  # made for somebody else as well, or for them
        return claims

    async def _open(self, person: Person, begun: Begun, session: str) -> str:
        at = self._clock()
        if begun.fresh and not (person.seen_at and person.seen_at >= begun.begun_at - timedelta(minutes=1)):
            raise _not("not_fresh")
        return await to_thread.run_sync(
            lambda: self._ledger.open_session(
                person.staff,
                person.roles,
                second_factor=person.second_factor and person.seen_at is not None,
                signed_in_at=person.seen_at or at,
                ends_at=at + self._settings.session_for,
                at=at,
                instead_of=session or None,
            )
        )

    def _client(self) -> Any:
        return AsyncOAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._client_secret,
            scope=" ".join(dict.fromkeys(("openid", *self._settings.scopes))),
            redirect_uri=self._callback,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
        )


def own_path(text: str) -> str:
    """A path of our own, to come back to; what names another place, or none, is home."""
    return text if len(text) <= _LONGEST and _PATH.match(text) else HOME


def _derived(browser: str, state: str, what: str) -> str:
    """A proof key of one sign-in: 43 characters (RFC 7636, 4.1) that nobody has who has not the browser's secret."""
    digest = hmac.digest(browser.encode(), f"{what}\n{state}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _not(why: str) -> NotSignedIn:
    log.warning("sign_in_refused", why=why)
    return NotSignedIn(_AGAIN)
