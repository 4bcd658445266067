"""How calls say who they are: nothing, a header, a parameter, or a token fetched with a secret.

The one rule: a secret is put into a request and nowhere else; no repr, error or log shows one.
"""

import base64
import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode

import google.auth.exceptions
from google.oauth2 import service_account

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.http.schema import Auth, ClientCredentials, Google
from connectors.http.template import MissingError, Scope, header, inserted, places
from connectors.http.transport import Sent, Transport
from rights.codes import Code

EARLY_S: Final = 60
"""Seconds before its end that a token is not used any more."""
FORM: Final = "application/x-www-form-urlencoded"


def secrets_of(auth: Auth | None) -> tuple[str, ...]:
    """The names of the secrets that a way of logging in uses."""
    text = auth.model_dump_json() if auth else ""
    return tuple(dict.fromkeys(name for place, name in places(text) if place == "secret"))


class Login:
    """One way of logging in to one system."""

    def __init__(self, auth: Auth | None, scope: Scope, transport: Transport) -> None:
        self._auth, self._scope, self._transport = auth, scope, transport
        self._names = ", ".join(secrets_of(auth))
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Login({self._names!r})"

    @property
    def secrets(self) -> str:
        """The secrets that a person has to see to if the vendor refuses them, by name."""
        return self._names

    def sign(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The headers and the parameters that say who we are.

        Raises:
            NeedsHuman: a secret is not what it should be, or the vendor gives no token for it.
            Retryable: whoever gives tokens cannot be reached.
        """
        with suppress(MissingError):
            return self._signed(self._auth)
        raise NeedsHuman(Code.CREDENTIALS, self._names)

    def _signed(self, auth: Auth | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
        if auth is None:
            return {}, {}
        if auth.header:
            return {auth.header.name: header(auth.header.value, self._scope)}, {}
        if auth.query:
            return {}, {auth.query.name: inserted(auth.query.value, self._scope)}
        if auth.basic:
            pair = inserted(auth.basic.user, self._scope) + ":" + inserted(auth.basic.password, self._scope)
            return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}, {}
        token = header(auth.bearer, self._scope) if auth.bearer else self._fetched(auth)
        return {"authorization": f"Bearer {token}"}, {}

    def renew(self) -> bool:
        """Forget a fetched token, and say whether there was one."""
        with self._lock:
            had, self._token = bool(self._token), ""
            return had

    def _fetched(self, auth: Auth) -> str:
        seconds = 0.0
        with self._lock:
            if not self._token or time.monotonic() >= self._until:
                if auth.google:
                    self._token, seconds = self._of_google(auth.google)
                elif auth.client_credentials:
                    self._token, seconds = self._of_client(auth.client_credentials)
                self._until = time.monotonic() + seconds - EARLY_S
            return self._token

    def _of_client(self, client: ClientCredentials) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": inserted(client.id, self._scope),
            "client_secret": inserted(client.secret, self._scope),
        }
        body = urlencode(form | ({"scope": client.scope} if client.scope else {})).encode()
        answer = self._transport.send(
            Sent("POST", inserted(client.token_url, self._scope), {"content-type": FORM}, body)
        )
        if answer.status >= 500 or answer.status == 429:
            raise Retryable(Code.UNREACHABLE, "token")
        try:
            given: Any = json.loads(answer.body) if answer.status == 200 else {}
        except ValueError:
            given = {}
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not token:
            raise NeedsHuman(Code.CREDENTIALS, self._names)
        seconds = given.get("expires_in")
        return token, float(seconds) if isinstance(seconds, int | float) else 300.0

    def _of_google(self, account: Google) -> tuple[str, float]:
        failure: ConnectorError = NeedsHuman(Code.CREDENTIALS, self._names)
        try:
            info = json.loads(inserted(account.account, self._scope))
            credentials: Any = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                info, scopes=list(account.scopes)
            )
            credentials.refresh(self._ask)
            return str(credentials.token), 3600.0
        except google.auth.exceptions.RefreshError as error:
            if error.retryable:
                failure = Retryable(Code.UNREACHABLE, "token")
        except (google.auth.exceptions.GoogleAuthError, ValueError, TypeError, KeyError):
            pass
        raise failure

    def _ask(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: object,
    ) -> "_Answer":
        """Google's library asks by ours, so that its calls go to listed hosts only too."""
        answer = self._transport.send(Sent(method, url, headers or {}, body or b""))
        return _Answer(answer.status, answer.headers, answer.body)


class _Answer:
    """An answer as Google's library reads it."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status, self.headers, self.data = status, headers, data
