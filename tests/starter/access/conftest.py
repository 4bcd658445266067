"""The HTTP API with its own Callers over a deployment's ledger, and an issuer whose tokens say what a test wants.

The rule kept: a browser is a browser: it keeps cookies, follows no redirect by itself, and says what site it is on.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from starter.api import build_app
from starter.callers import SESSION, Callers
from starter.desk import Desk, load_settings
from starter.groups import ApiSettings, OidcSettings
from tests.fakes.issuer import CLIENT, Issuer, issuing
from tests.starter.conftest import Deployment

_numbers = itertools.count(1)
URL = "https://habeas.test"
AUDIENCE = URL
OURS = {"origin": URL, "sec-fetch-site": "same-origin"}
"""What a browser says of a call that a page of ours has it send."""


@dataclass
class Clock:
    """The time, and what was added to it."""

    later: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


@dataclass
class Browser:
    """Somebody's browser."""

    client: TestClient
    issuer: Issuer

    def leave(self, back: str = "", *, fresh: bool = False) -> str:
        """Begin to sign in; the provider's address."""
        sent = self.client.get("/signin", params={"back": back, "fresh": fresh})
        assert sent.status_code == 303, sent.text
        return str(sent.headers["location"])

    def come_back(self, given: dict[str, str]) -> Any:
        """Come back with what the provider has given."""
        return self.client.get("/signin/callback", params=given)

    def sign_in(self, *, back: str = "", fresh: bool = False, **claims: Any) -> Any:
        """The whole way; somebody is an agent by two factors unless the claims say otherwise."""
        said = {"sub": "sub-1", "roles": ["agent"], "amr": ["pwd", "mfa"], **claims}
        return self.come_back(self.issuer.visit(self.leave(back, fresh=fresh), **said))

    def me(self) -> Any:
        """Who is signed in here, as the API says."""
        return self.client.get("/v1/me")

    @property
    def session(self) -> str | None:
        """The cookie of the session."""
        return self.client.cookies.get(SESSION)


@dataclass
class Door:
    """The API, its issuer, its clock."""

    deployment: Deployment
    issuer: Issuer
    desk: Desk
    app: FastAPI
    clock: Clock = field(default_factory=Clock)

    def browser(self, address: str | None = None) -> Browser:
        """Somebody else's browser, at an address of its own unless it is said."""
        client = TestClient(
            self.app,
            base_url=URL,
            follow_redirects=False,
            raise_server_exceptions=False,
            client=(address or f"192.0.2.{next(_numbers)}", 50_000),
        )
        return Browser(client, self.issuer)

    def bearer(self, token: str, address: str | None = None) -> Any:
        """Ask by a token."""
        return self.browser(address).client.get("/v1/me", headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@pytest.fixture
def open_door(deployment: Deployment, issuer: Issuer) -> Iterator[Callable[..., Door]]:
    """Builds the API with these settings of [oidc]."""
    desks: list[Desk] = []

    def build(tenant: str = "main", **oidc: Any) -> Door:
        group = OidcSettings(**{"issuer": issuer.url, "client_id": CLIENT, "audience": AUDIENCE, **oidc})
        settings = load_settings().model_copy(
            update={"oidc": group, "api": ApiSettings(url=URL), "environment": "dev", "tenant": tenant}
        )
        desk, clock = Desk(settings, pool=4), Clock()
        desks.append(desk)
        callers = Callers(desk.ledger, url=URL, oidc=group, clock=clock)
        return Door(deployment, issuer, desk, build_app(desk, callers), clock)

    yield build
    for desk in desks:
        desk.ledger.close_connections()


@pytest.fixture
def door(open_door: Callable[..., Door]) -> Door:
    return open_door()


def cookie(answer: Any, name: str = SESSION) -> dict[str, str]:
    """The attributes of a cookie as it was set, in lower case; its value under the empty name."""
    for line in answer.headers.get_list("set-cookie"):
        first, *rest = re.split(r";\s*", line)
        if first.startswith(f"{name}="):
            pairs = (part.partition("=") for part in rest)
            return {"": first.partition("=")[2], **{key.lower(): value for key, _, value in pairs}}
    return {}
