"""An OpenID provider whose tokens say what a test wants, for what no honest provider says.

The rule kept: it answers over HTTP, and is as strict as the standards are with what is asked of it: a code is for one
exchange, by whoever has the verifier (PKCE, S256 alone), for the address it was given out for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

CLIENT = "habeas"


def new_key(kid: str) -> RSAKey:
    """A key of the provider's."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@dataclass
class Issuer:
    """One issuer: what it publishes, what it signs, and what was asked of it."""

    url: str = ""
    signing: Key = field(default_factory=lambda: new_key("k1"))
    published: list[Key] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    """Of the next ID token, over what is right; None takes a claim out."""
    forged: str = ""
    """The ID token itself, if the next one is not to be made."""
    away: bool = False
    fetches: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.published = [self.signing]

    def visit(self, url: str, **claims: Any) -> dict[str, str]:
        """What a browser that was sent here comes back with, once somebody with these claims has signed in."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code], self.claims = asked, claims
        return {"code": code, "state": asked["state"], "iss": self.url}

    def token(self, *, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token, right unless it is said otherwise."""
        at = int(time.time())
        said = {"iss": self.url, "sub": "sub-1", "aud": CLIENT, "exp": at + 300, "iat": at, "auth_time": at, **claims}
        signing = key or self.signing
        algorithm = "ES256" if isinstance(signing, ECKey) else "RS256"
        head = {"alg": algorithm, "kid": signing.kid, **(header or {})}
        return jwt.encode(head, {k: v for k, v in said.items() if v is not None}, signing, [str(head["alg"])])

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Give tokens for a code."""
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        token = self.forged or self.token(**{"nonce": asked["nonce"], **self.claims})
        return 200, {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": token}

    def document(self) -> dict[str, Any]:
        """What discovery finds."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers, on a port of this machine."""
    issuer = Issuer()

    class Doors(BaseHTTPRequestHandler):
        def say(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(503 if issuer.away else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            issuer.fetches.append(self.path)
            if self.path == "/jwks":
                return self.say(200, {"keys": [key.as_dict(private=False) for key in issuer.published]})
            if self.path == "/.well-known/openid-configuration":
                return self.say(200, issuer.document())
            return self.say(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            self.say(*issuer.exchange({name: values[0] for name, values in parse_qs(body).items()}))

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Doors)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
