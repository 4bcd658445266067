"""The HTTP API as a whole: who is let in, what problems look like, what every answer carries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from starter.access import Action, Role
from starter.problems import KINDS, MEDIA, URN
from tests.starter.api.conftest import Api

DOCS = Path(__file__).parents[3] / "docs"
OPEN_TO_ALL = {"/healthz", "/readyz"}
"""Routes that ask nobody who they are."""


def test_it_is_alive_and_ready_without_temporal(api: Api) -> None:
    assert api.client.get("/healthz").json() == {"alive": True}

    ready = api.client.get("/readyz")

    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "ledger": "reachable", "temporal": "away"}


def test_nobody_is_let_in_who_is_not_known(api: Api) -> None:
    for headers in ({}, {"authorization": "Bearer nobody"}, {"authorization": "Basic cw=="}):
        refused = api.client.get("/v1/requests/01kap2v7q4m8w3x9yd5tgh6jzr", headers=headers)

        assert refused.status_code == 401
        assert refused.json()["code"] == "not_signed_in"
        assert refused.headers["www-authenticate"] == "Bearer"


def test_nobody_of_another_tenant_is_let_in(api: Api) -> None:
    api.known.person("s-77", Role.AGENT, tenant="other")

    assert api("GET", "/v1/requests/01kap2v7q4m8w3x9yd5tgh6jzr", by="s-77").status_code == 401


def test_every_route_asks_who_is_there_but_those_that_are_listed(api: Api) -> None:
    document = api.client.get("/openapi.json").json()

    open_to_all = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if not operation.get("security")
    }

    assert open_to_all == OPEN_TO_ALL


def asked_for(api: Api) -> dict[str, set[str]]:
    """The action of each route, as the routes themselves tell a token without scopes that it would have to name it."""
    api.known.system("t-none")
    found: dict[str, set[str]] = {}
    for path, operations in api.client.get("/openapi.json").json()["paths"].items():
        where = re.sub(r"{\w+}", "01kap2v7q4m8w3x9yd5tgh6jzr", path)
        for method in operations:
            refused = api(method.upper(), where, by="t-none", json={} if method == "post" else None)
            if refused.status_code == 403:
                (action,) = re.findall(r"names ([a-z:-]+),", refused.json()["detail"])
                found.setdefault(action, set()).add(f"{method.upper()} {path}")
    return found


def test_the_manual_says_of_each_call_which_action_it_needs(api: Api) -> None:
    rows = re.findall(r"^\| `([a-z:-]+)` \| (`(?:GET|POST) .*) \|$", (DOCS / "api.md").read_text(), re.M)
    told = {action: set(re.findall(r"`((?:GET|POST) [^`]+)`", calls)) for action, calls in rows}

    versioned = {action: {call for call in calls if " /v1/" in call} for action, calls in asked_for(api).items()}
    assert told == {action: calls for action, calls in versioned.items() if calls}


def test_the_page_says_which_actions_no_route_asks_for(api: Api) -> None:
    _, _, after = (DOCS / "who-may.md").read_text().partition("No route asks for these yet")
    marked, _, _ = after.partition("## Systems")

    within = {Action.READ_SECRET_HOLD}  # asked by other routes, of what they may show
    assert set(re.findall(r"^\| `([a-z:-]+)` \|", marked, re.M)) == set(Action) - within - set(asked_for(api))


def test_what_is_not_there_is_a_problem(api: Api) -> None:
    for path in ("/v1/requests/01kap2v7q4m8w3x9yd5tgh6jzr", "/v1/requests/canary.quill@example.org", "/nowhere"):
        missing = api("GET", path)

        assert missing.status_code == 404
        assert missing.headers["content-type"] == MEDIA
        body = missing.json()
        assert body["type"] == f"{URN}not_found"
        assert body["code"] == "not_found"
        assert body["title"] == KINDS[body["code"]].title
        assert "canary" not in missing.text


def test_a_method_that_does_not_fit_names_those_that_do(api: Api) -> None:
    refused = api("DELETE", "/healthz")

    assert refused.status_code == 405
    assert refused.json()["code"] == "method_not_allowed"
    assert refused.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/openapi.json"])
def test_every_answer_is_kept_nowhere_and_shown_in_no_frame(api: Api, path: str) -> None:
    headers = api.client.get(path).headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_a_request_is_shown_without_whom_it_is_about(api: Api) -> None:
    opened = api.deployment.open()

    shown = api("GET", f"/v1/requests/{opened}")

    assert shown.status_code == 200
    assert shown.json()["request"]["id"] == opened
    assert "canary" not in shown.text
