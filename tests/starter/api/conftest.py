"""The HTTP API over a deployment's ledger, in this process; no Temporal answers.

The rule kept: it is asked as a client asks it, over HTTP, and what it did is read over a connection of the test's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from starter.access import Action, Caller, NotSignedIn, Role
from starter.api import build_app
from starter.desk import Desk, load_settings
from tests.starter.conftest import Deployment

GROUPS = """
[api]
url = "https://habeas.example.com"

[approvers]
counsel = {holder = "s-counsel"}
delegate = {holder = "s-delegate"}
dpo = {holder = "s-dpo"}
"""


@dataclass
class Known:
    """Callers whose token is their id."""

    callers: dict[str, Caller] = field(default_factory=dict)

    async def caller_of(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.callers:
            raise NotSignedIn("send a token")
        return self.callers[token]

    def person(self, staff: str, *roles: Role, second_factor: bool = True, tenant: str = "main") -> str:
        """Somebody who has signed in; their token."""
        self.callers[staff] = Caller(tenant=tenant, staff=staff, roles=frozenset(roles), second_factor=second_factor)
        return staff

    def system(self, name: str, *scopes: Action) -> str:
        """A system's token."""
        self.callers[name] = Caller(tenant="main", staff=name, scopes=frozenset(scopes), is_system=True)
        return name


@dataclass
class Api:
    """The API, and who may call it."""

    deployment: Deployment
    app: FastAPI
    known: Known
    client: TestClient

    def __call__(self, method: str, path: str, *, by: str = "s-agent", **sent: Any) -> Any:
        """Ask as somebody."""
        headers = {"authorization": f"Bearer {by}", **sent.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **sent)


@pytest.fixture
def api(deployment: Deployment) -> Iterator[Api]:
    """The API over a fresh deployment, known to one of each role and to a system that may do all a system may."""
    file = deployment.home / "habeas.toml"
    file.write_text(file.read_text() + GROUPS)
    at = Desk(load_settings(), pool=8)
    known = Known()
    for role in Role:
        known.person(f"s-{role}", role)
    known.system("t-all", *Action)
    app = build_app(at, known)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(deployment, app, known, client)
    at.ledger.close_connections()
