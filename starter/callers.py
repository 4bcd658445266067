"""Who is at the door: people by their session or an access token of their provider, systems by a token.

The one rule: whoever is not let in hears the same answer, whether what they showed is unknown, over, revoked or badly
written. Who somebody is comes from what they show, and never from what they say.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

import structlog
from anyio import to_thread
from starlette.requests import HTTPConnection

from connectors.registry import resolve
from ledger.accesstokens import PREFIX
from ledger.ledger import Ledger
from starter.access import Caller, NotAllowed, NotSignedIn, Role
from starter.desk import Desk, now
from starter.groups import OidcSettings
from starter.limits import MOST, Buckets
from starter.people import SYSTEM, Refused, actions, person_of, see_client, system_of
from starter.provider import NotBelieved, Provider
from starter.signin import SignIn

SESSION: Final = "__Host-habeas"
"""The cookie of a session. Browsers keep one of this prefix to our very host, and take it by TLS alone."""
STRANGERS: Final = 60
"""How often in a minute somebody at one address may be nobody, or begin to sign in. What they would guess has 256 bits;
it is for what their tries cost."""
_SENTENCE: Final = "sign in, or send a token that is good: Authorization: Bearer TOKEN"
_LONGEST: Final = 16_384
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]+)?\Z")
"""With a port behind it, as some proxies write it."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger()


class Callers:
    """Tells who asks. `sign_in`: how people sign in; None: nobody does."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        url: str = "",
        oidc: OidcSettings | None = None,
        client_secret: str | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`url` is our own address."""
        self._ledger, self._clock, self._url, self._oidc = ledger, clock, url, oidc
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._provider = Provider(oidc.issuer, clock=clock) if oidc else None
        self.sign_in = (
            SignIn(ledger, self._provider, oidc, url=url, client_secret=client_secret, clock=clock)
            if oidc and self._provider
            else None
        )

    @classmethod
    def of(cls, at: Desk) -> "Callers":
        """As the settings say.

        Raises:
            SetupError: a secret is missing.
        """
        oidc, api = at.settings.oidc, at.settings.api
        secret = resolve(oidc.client_secret) if oidc and oidc.client_secret else None
        return cls(at.ledger, url=api.url if api else "", oidc=oidc, client_secret=secret)

    async def caller_of(self, request: HTTPConnection) -> Caller:
        """Who sent a request: a token in its header, and no cookie beside it, or a session.

        Raises:
            NotSignedIn: nobody who is known.
            NotAllowed: a page of somebody else's has their browser send it.
            Problem: too many of this address were nobody.
        """
        shown = request.headers.get("authorization") or request.cookies.get(SESSION)
        if not shown:
            raise NotSignedIn(_SENTENCE)  # it costs nothing, and any page can have a browser ask like this
        strangers: Buckets = request.app.state.strangers
        mark, address = hashlib.sha256(shown.encode()).digest(), address_of(request)
        if mark not in self._good:
            strangers.look(address)
        try:
            caller = await self._known(request)
        except NotSignedIn:
            self._good.pop(mark, None)
            strangers.take(address)
            raise
        # Whoever was let in is not slowed down by strangers of the same address.
        self._good[mark] = None
        self._good.move_to_end(mark)
        if len(self._good) > MOST:
            self._good.popitem(last=False)
        return caller

    async def _known(self, request: HTTPConnection) -> Caller:
        header = request.headers.get("authorization")
        if header is None:
            return await self._in_session(request)
        scheme, _, given = header.partition(" ")
        given = given.strip()
        if scheme.lower() == "bearer" and given.isascii() and len(given) <= _LONGEST:
            if given.startswith(PREFIX):
                return await self._by_token(given)
            if given.count(".") == 2:
                return await self._by_jwt(given)
        raise NotSignedIn(_SENTENCE)

    async def _by_token(self, secret: str) -> Caller:
        token = await to_thread.run_sync(lambda: self._ledger.access_token(secret, at=self._clock()))
        if token is None:
            raise NotSignedIn(_SENTENCE)
        return Caller(
            tenant=self._ledger.tenant,
            staff=SYSTEM + token.system,
            scopes=actions(token.scopes),
            is_system=True,
        )

    async def _by_jwt(self, token: str) -> Caller:
        """A system, or a person, by an access token of the provider's for this API (RFC 9068)."""
        if self._provider is None or self._oidc is None:
            raise NotSignedIn(_SENTENCE)
        tenant, oidc = self._ledger.tenant, self._oidc
        try:
            claims = await self._provider.claims(token, oidc.audience or self._url, access=True)
            if system := system_of(claims, oidc, tenant):
                staff, scopes = system
                return Caller(tenant=tenant, staff=staff, scopes=scopes, is_system=True)
            see_client(claims, oidc)
            person = await to_thread.run_sync(lambda: person_of(claims, oidc, tenant, self._ledger.staff_id_of))
        except NotBelieved as error:
            log.info("token_refused", why=error.why)
            raise NotSignedIn(_SENTENCE) from None
        except Refused as error:
            log.info("token_refused", why=error.code)
            raise NotSignedIn(_SENTENCE) from None
        return Caller(
            tenant=tenant, staff=person.staff, roles=person.roles, second_factor=person.strong(self._clock(), oidc)
        )

    async def _in_session(self, request: HTTPConnection) -> Caller:
        secret = request.cookies.get(SESSION)
        if not secret or self._oidc is None:
            raise NotSignedIn(_SENTENCE)
        oidc, at = self._oidc, self._clock()
        found = await to_thread.run_sync(lambda: self._ledger.session(secret, idle=oidc.idle_for, at=at))
        if found is None:
            raise NotSignedIn(_SENTENCE)
        if request.scope.get("method") not in _READS and not self._from_our_page(request):
            raise NotAllowed("cross_site", "send this from a page of this address")
        return Caller(
            tenant=self._ledger.tenant,
            staff=found.staff,
            # A role that the settings no longer give out is none.
            roles=frozenset(Role(name) for name in found.roles if name in set(oidc.roles.values())),
            second_factor=found.second_factor and at - found.signed_in_at < oidc.second_factor_for,
        )

    def _from_our_page(self, request: HTTPConnection) -> bool:
        """Whether a page of ours had the browser send it. Browsers say so, and a page cannot have them say something
        else; what says neither is no browser, and has no business with a cookie. At the codec server the page of the
        Temporal Web UI is as one of ours (starter/uiorigin.py)."""
        if getattr(request.state, "ui_origin", None):
            return True
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site is not None:
            return site == "same-origin" and origin in {None, self._url}
        return origin == self._url


def address_of(request: HTTPConnection) -> str:
    """Where a call comes from: kept in memory alone, for as long as it is counted. Behind proxies it is whom the first
    of ours has heard, and not what the caller says besides; of IPv6 the network, since whoever has one address there
    has all of it."""
    heard = request.client.host if request.client else ""
    proxies: int = request.app.state.proxies
    named = [one.strip() for line in request.headers.getlist("x-forwarded-for") for one in line.split(",")]
    return _place(named[-proxies] if 0 < proxies <= len(named) else heard) or _place(heard) or ""


def _place(text: str) -> str | None:
    """An IPv4 address, or the /64 of an IPv6 one; None if it is neither. A port behind it does not count."""
    found = _ADDRESS.match(text)
    try:
        address = ip_address(found[1] or found[2]) if found else ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), 64), strict=False))
