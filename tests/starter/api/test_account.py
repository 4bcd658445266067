"""The door of the company's account page: a hand-off counts once, for us, and for its person alone."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from connectors.registry import SetupError
from rights.holds import Disclosure
from rights.request import Phase
from starter.desk import Desk
from starter.groups import HandoffSettings
from starter.handoff import Handoffs, read_keys
from tests.starter.api.conftest import Api
from tests.starter.conftest import PERSON

ISSUER = "https://shop.example.com"
HERE = "https://habeas.example.com"
KEY = ECKey.generate_key("P-256", parameters={"kid": "k-1"})
OTHER = ECKey.generate_key("P-256", parameters={"kid": "k-1"})
MINE = [{"kind": "email", "value": PERSON}]


@pytest.fixture
def account(api: Api) -> Callable[..., Any]:
    """Ask as somebody who is signed in at the shop; each call has a hand-off of its own."""
    file = api.deployment.home / "handoff-keys.json"
    file.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    at: Desk = api.app.state.desk
    api.app.state.handoffs = Handoffs.of(at.ledger, HandoffSettings(issuer=ISSUER, keys=file), HERE)

    def ask(
        method: str, path: str, *, token: str | None = None, claims: dict[str, Any] | None = None, **sent: Any
    ) -> Any:
        headers = {"authorization": f"Bearer {token or handoff(**claims or {})}", **sent.pop("headers", {})}
        return api.client.request(method, f"/v1/account/requests{path}", headers=headers, **sent)

    return ask


def handoff(key: Any = KEY, algorithm: str = "ES256", **claims: Any) -> str:
    """A hand-off of the person, with some of its claims replaced; None leaves one out."""
    now = int(time.time())
    said = {
        "iss": ISSUER, "aud": HERE, "sub": "u-1", "iat": now, "exp": now + 120, "jti": f"j-{time.monotonic_ns()}",
        "amr": ["pwd"], "identities": MINE,
    } | claims  # fmt: skip
    header = {"alg": algorithm, "kid": "k-1"}
    return jwt.encode(header, {name: v for name, v in said.items() if v is not None}, key, algorithms=[algorithm])


def cooling(api: Api, request_id: str) -> None:
    ledger, now = api.app.state.desk.ledger, datetime.now(UTC)
    ledger.cool(request_id, now + timedelta(hours=72), at=now)
    ledger.move(request_id, Phase.COOLING, at=now)


def test_somebody_asks_follows_and_stops_without_an_agent(api: Api, account: Callable[..., Any]) -> None:
    opened = account("POST", "", json={"right": "erasure"})
    assert opened.status_code == 202, opened.text
    request_id = opened.json()["id"]
    assert opened.headers["location"] == f"/v1/account/requests/{request_id}"
    assert api.deployment.rows("SELECT rung FROM identity_proofs") == [("signed_in",)]
    api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})
    cooling(api, request_id)

    seen = account("GET", f"/{request_id}").json()
    assert (seen["stands"], seen["stop_until"] is None) == ("can_be_stopped", False)
    assert account("POST", f"/{request_id}/stop").json() == {"stopped": True, "new": True}
    assert account("POST", f"/{request_id}/stop").json() == {"stopped": True, "new": False}

    (listed,) = account("GET", "").json()["requests"]
    assert listed["stands"] == "stopped"
    assert api.deployment.rows("SELECT state FROM coolings") == [("frozen",)]
    assert api.deployment.rows("SELECT code FROM tasks") == [("stopped",)]


def test_a_second_factor_hurries_an_erasure_and_no_single_one(api: Api, account: Callable[..., Any]) -> None:
    account("POST", "", json={"right": "erasure"}, claims={"amr": ["pwd"]})
    assert api.deployment.rows("SELECT state FROM coolings") == []

    account("POST", "", json={"right": "erasure"}, claims={"amr": ["pwd", "otp"]})
    assert api.deployment.rows("SELECT state FROM coolings") == [("waived",)]
    assert api.deployment.rows("SELECT confirmed_at IS NOT NULL FROM requests ORDER BY id") == [(False,), (True,)]


def test_nothing_is_stopped_that_does_not_wait(account: Callable[..., Any]) -> None:
    request_id = account("POST", "", json={"right": "access"}).json()["id"]

    refused = account("POST", f"/{request_id}/stop")

    assert (refused.status_code, refused.json()["code"]) == (409, "refused")


def test_what_was_opened_elsewhere_about_them_is_theirs_and_nobody_elses_is(
    api: Api, account: Callable[..., Any]
) -> None:
    mine = api.deployment.open()
    theirs = api.deployment.open(email="other@example.org")
    shared = api(
        "POST",
        "/v1/requests",
        json={"right": "access", "identities": [*MINE, {"kind": "email", "value": "other@example.org"}]},
    ).json()["id"]

    assert [one["id"] for one in account("GET", "").json()["requests"]] == [mine]
    for request_id in (theirs, shared, "01kap2v7q4m8w3x9yd5tgh6jzr"):
        for method, path in (("GET", f"/{request_id}"), ("POST", f"/{request_id}/stop")):
            hidden = account(method, path)
            assert hidden.status_code == 404
            assert hidden.json()["detail"] == "there is no request of this id"


def test_a_familys_address_shows_and_stops_nothing_of_who_else_has_it(api: Api, account: Callable[..., Any]) -> None:
    """The map says that several people may have an address: who signs in by it alone is not the one who asked."""
    theirs = api.deployment.open()
    cooling(api, theirs)
    at: Desk = api.app.state.desk
    file = api.deployment.home / "maps" / "shop.yaml"
    one = "identity: email, category: contact, channel: email"
    assert one in file.read_text()
    file.write_text(file.read_text().replace(one, "identity: email, category: contact, sharing: shared"))
    api.app.state.desk = shared = Desk(at.settings)

    assert shared.data_map.shared_kinds == {"email"}
    assert account("GET", "").json()["requests"] == []
    assert account("POST", f"/{theirs}/stop").status_code == 404
    assert api.deployment.rows("SELECT state FROM coolings") == [("running",)]
    shared.ledger.close_connections()


def test_a_hold_that_is_secret_changes_nothing_of_what_they_hear(api: Api, account: Callable[..., Any]) -> None:
    request_id = account("POST", "", json={"right": "erasure"}).json()["id"]
    before = account("GET", f"/{request_id}").json()

    body = {"identities": MINE, "text": "secret", "disclosure": Disclosure.COUNSEL_TEXT}
    assert api("POST", "/v1/holds", json=body, by="s-counsel").status_code == 201

    assert account("GET", f"/{request_id}").json() == before


def test_a_hand_off_is_good_for_one_call(account: Callable[..., Any]) -> None:
    token = handoff()
    assert account("GET", "", token=token).status_code == 200

    again = account("GET", "", token=token)

    assert (again.status_code, again.json()["code"]) == (401, "not_signed_in")


def test_the_same_again_with_a_new_hand_off_is_received_once(api: Api, account: Callable[..., Any]) -> None:
    headers = {"idempotency-key": "click-1"}
    first = account("POST", "", json={"right": "access"}, headers=headers)
    again = account("POST", "", json={"right": "access"}, headers=headers)
    other = account("POST", "", json={"right": "erasure"}, headers=headers)
    elsewhere = account("POST", "", json={"right": "access"}, headers=headers, claims={"sub": "u-2"})

    assert first.text == again.text
    assert other.json()["code"] == "key_reused"
    assert elsewhere.json()["id"] != first.json()["id"]
    assert len(api.deployment.rows("SELECT id FROM requests")) == 2


def _unsigned(algorithm: str) -> str:
    """A hand-off that says that nobody signed it, or that is signed with our public key as if that were a secret."""
    _, body, _ = handoff().split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "k-1"}).encode()).decode().rstrip("=")
    return f"{forged}.{body}."


FORGED: dict[str, Callable[[], str]] = {
    "no signature": lambda: _unsigned("none"),
    "cut": lambda: handoff().rsplit(".", 1)[0],
    "a key of somebody else's": lambda: handoff(OTHER),
    "our public key as a secret": lambda: handoff(OctKey.import_key(json.dumps(KEY.as_dict(private=False))), "HS256"),
    "another kind of key": lambda: handoff(RSAKey.generate_key(2048), "RS256"),
    "another curve": lambda: handoff(OKPKey.generate_key("Ed25519"), "Ed25519"),
    "another issuer": lambda: handoff(iss="https://evil.example.com"),
    "for somebody else": lambda: handoff(aud="https://other.example.com"),
    "for nobody": lambda: handoff(aud=None),
    "over": lambda: handoff(iat=int(time.time()) - 400, exp=int(time.time()) - 200),
    "for too long": lambda: handoff(exp=int(time.time()) + 3_600),
    "from tomorrow": lambda: handoff(iat=int(time.time()) + 86_400, exp=int(time.time()) + 86_460),
    "without an end": lambda: handoff(exp=None),
    "without a beginning": lambda: handoff(iat=None),
    "without its number": lambda: handoff(jti=None),
    "a number that is short": lambda: handoff(jti="1"),
    "of nobody": lambda: handoff(sub=None),
    "without identities": lambda: handoff(identities=[]),
    "with an identity that is none": lambda: handoff(identities=[{"kind": "email", "value": "canary"}]),
    "with an end that is no number": lambda: handoff(exp="canary"),
    "nonsense": lambda: "canary.quill.example",
    "long": lambda: handoff(sub="u", more="x" * 20_000),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_hand_off_that_is_not_to_be_believed_is_refused_alike(
    api: Api, account: Callable[..., Any], how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = account("POST", "", token=FORGED[how](), json={"right": "erasure"})

    assert refused.status_code == 401
    assert refused.json() | {"trace": ""} == {
        "type": "urn:habeas:problem:not_signed_in",
        "title": "Nobody is signed in",
        "status": 401,
        "code": "not_signed_in",
        "detail": "send a new hand-off, as Authorization: Bearer: each is good for one call and five minutes",
        "trace": "",
    }
    assert api.deployment.rows("SELECT id FROM requests") == []
    assert "canary" not in "".join(capsys.readouterr())


def test_clocks_may_be_half_a_minute_apart(account: Callable[..., Any]) -> None:
    ahead, behind = int(time.time()) + 20, int(time.time()) - 320
    assert account("GET", "", claims={"iat": ahead, "exp": ahead + 120}).status_code == 200
    assert account("GET", "", claims={"iat": behind, "exp": behind + 300}).status_code == 200


def test_a_token_of_a_system_opens_no_account_and_a_hand_off_no_desk(api: Api, account: Callable[..., Any]) -> None:
    assert account("GET", "", token="t-all").status_code == 401
    assert api("GET", "/v1/requests", by=handoff()).status_code == 401
    assert api.client.get("/v1/account/requests").status_code == 401


def test_without_the_settings_nobody_is_handed_over(api: Api) -> None:
    refused = api.client.get("/v1/account/requests", headers={"authorization": f"Bearer {handoff()}"})

    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": []}', json.dumps({"keys": [KEY.as_dict(private=True)]})])
def test_a_file_of_keys_that_cannot_stand_is_said_at_the_start(api: Api, text: str) -> None:
    file = api.deployment.home / "keys.json"
    file.write_text(text)

    with pytest.raises(SetupError, match=r"handoff\.keys"):
        read_keys(file)


def test_whoever_is_signed_in_may_not_ask_without_end(api: Api, account: Callable[..., Any]) -> None:
    api.app.state.buckets = type(api.app.state.buckets)(60, clock=lambda: 0.0)

    answers = [account("GET", "").status_code for _ in range(11)]

    assert answers == [200] * 10 + [429]
    assert account("GET", "", claims={"sub": "u-2"}).status_code == 200
