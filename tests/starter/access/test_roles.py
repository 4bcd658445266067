"""Every role against every action, through the real door, signed in by a real OpenID provider in a process of its own.

The rule kept: what is expected is the table (starter/access.py), and what is asked is the API.
"""

import re
import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.testclient import TestClient

from starter.access import PEOPLE_ONLY, SECOND_FACTOR, TABLE, Action, Caller, Role
from starter.api import build_app
from starter.callers import Callers
from starter.desk import Desk, load_settings
from starter.doorkeeper import needs
from starter.groups import ApiSettings, OidcSettings
from starter.stack.people import CLIENT, SECRET, People, staff
from tests.starter.access.conftest import URL
from tests.starter.conftest import Deployment

_numbers = iter(range(1, 250))


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with People() as running:
        yield running


@pytest.fixture
def app(deployment: Deployment, people: People) -> Iterator[FastAPI]:
    """The API, and a route for each action, which not all have one of their own."""
    oidc = OidcSettings(issuer=people.issuer, client_id=CLIENT, staff_claim="staff_id")
    settings = load_settings().model_copy(update={"oidc": oidc, "api": ApiSettings(url=URL, per_minute=60_000)})
    desk = Desk(settings, pool=4)
    app = build_app(desk, Callers(desk.ledger, url=URL, oidc=oidc, client_secret=SECRET))
    probes = APIRouter(prefix="/probe")
    for action in Action:

        @probes.get(f"/{action.value}")
        async def probe(caller: Annotated[Caller, Depends(needs(action))]) -> str:
            return caller.staff

    app.include_router(probes)
    yield app
    desk.ledger.close_connections()


def signed_in(app: FastAPI, people: People, subject: str, **claims: Any) -> TestClient:
    """A browser in which somebody has gone to the provider and back."""
    people.describe(subject, claims)
    browser = TestClient(
        app,
        base_url=URL,
        follow_redirects=False,
        client=(f"192.0.2.{next(_numbers)}", 1),
        raise_server_exceptions=False,
    )
    there = browser.get("/signin").headers["location"]
    assert there.startswith(people.issuer)
    back = httpx2.post(there, data={"sub": subject}, follow_redirects=False).headers["location"]
    assert back.startswith(f"{URL}/signin/callback?")
    assert browser.get(back).status_code == 303
    return browser


def answer(browser: TestClient, action: Action, **more: Any) -> str:
    """The id of who may, or the code of the refusal."""
    said = browser.get(f"/probe/{action.value}", **more)
    return str(said.json()) if said.status_code == 200 else str(said.json()["code"])


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("factors", [1, 2])
def test_a_role_may_do_what_the_table_opens_to_it_and_nothing_else(
    app: FastAPI, people: People, role: Role, factors: int
) -> None:
    claims = staff(role) | {"amr": ["pwd", "mfa"][:factors]}
    browser = signed_in(app, people, f"{role}-{factors}", **claims)
    expected = {
        action: "role_missing"
        if role not in TABLE[action]
        else "second_factor_missing"
        if action in SECOND_FACTOR and factors == 1
        else f"s-{role}"
        for action in Action
    }
    assert {action: answer(browser, action) for action in Action} == expected


def test_whoever_has_several_roles_may_what_any_of_them_may(app: FastAPI, people: People) -> None:
    claims = staff(Role.AUDITOR) | {"roles": ["auditor", "engineer"]}
    browser = signed_in(app, people, "both", **claims)
    may = {action for action in Action if answer(browser, action) == "s-auditor"}
    assert may == {action for action in Action if TABLE[action] & {Role.AUDITOR, Role.ENGINEER}}


def test_a_second_factor_that_was_shown_long_ago_is_asked_for_anew(app: FastAPI, people: People) -> None:
    claims = staff(Role.APPROVER) | {"auth_time": int(time.time()) - 3_700}
    browser = signed_in(app, people, "long-ago", **claims)
    assert answer(browser, Action.APPROVE) == "second_factor_missing"
    assert answer(browser, Action.PROPOSE) == "s-approver"


def test_a_system_may_what_its_token_names_and_never_what_people_answer_for(
    app: FastAPI, deployment: Deployment
) -> None:
    names = [action for action in Action if action not in PEOPLE_ONLY]
    scopes = [word for action in names[::2] for word in ("--scope", action.value)]
    made = deployment("token", "make", "shop", *scopes, "--until", "2027-05-31", "--by", "s-1", "--json").json
    headers = {"authorization": f"Bearer {made['token']}"}
    browser = TestClient(app, base_url=URL)
    expected = {action: "system-shop" if action in names[::2] else "scope_missing" for action in Action}
    assert {action: answer(browser, action, headers=headers) for action in Action} == expected


def test_no_route_of_the_api_is_open_to_who_is_not_signed_in(app: FastAPI) -> None:
    """Whatever its method and path: who is there is asked before anything of what was sent is looked at."""
    stranger = TestClient(app, base_url=URL, raise_server_exceptions=False)
    document = stranger.get("/openapi.json").json()
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if {"token": []} in operation.get("security", ()):
                asked += 1
                filled = re.sub(r"\{[^}]*\}", "01kap2v7q4m8w3x9yd5tgh6jzr", path)
                refused = stranger.request(method, filled).status_code
                assert refused in {401, 429}, (method, path)
    assert asked > len(Action)
