"""People sign in by their provider, come back to a page of ours, and are who the claims say."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from starter.callers import SESSION
from starter.groups import OidcSettings
from tests.starter.access.conftest import OURS, URL, Door, cookie


def test_somebody_signs_in_and_is_who_the_claims_say(door: Door) -> None:
    browser = door.browser()
    back = browser.sign_in(back="/v1/me?x=1", roles=["agent", "dpo", "of-another-tool"], name="Canary Quill")
    assert (back.status_code, back.headers["location"]) == (303, "/v1/me?x=1")
    me = browser.me().json()
    assert me["roles"] == ["agent", "dpo"]
    assert (me["tenant"], me["is_system"], me["second_factor"]) == ("main", False, True)
    assert "letters:read" in me["may"]
    assert "tokens:manage" not in me["may"]


def test_the_provider_is_asked_as_the_standards_say(door: Door) -> None:
    browser = door.browser()
    asked = [parse_qs(urlsplit(browser.leave()).query) for _ in range(2)]
    for one in asked:
        assert one["redirect_uri"] == [f"{URL}/signin/callback"]
        assert one["code_challenge_method"] == ["S256"]
        assert one["scope"] == ["openid"]
        assert one["max_age"] == ["28800"]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) == 43


def test_what_a_browser_keeps_is_out_of_reach_of_scripts_and_other_hosts(door: Door) -> None:
    browser = door.browser()
    sent = browser.client.get("/signin")
    arrived = browser.sign_in()
    for name, answer in (("__Host-habeas-signin", sent), (SESSION, arrived)):
        kept = cookie(answer, name)
        assert kept["path"] == "/"
        assert kept["samesite"] == "lax"
        assert {"secure", "httponly"} <= kept.keys()
        assert "domain" not in kept
    assert "max-age" not in cookie(arrived)
    assert cookie(arrived, "__Host-habeas-signin")["max-age"] == "0"


def test_nothing_of_a_person_is_in_the_ledger_but_an_opaque_id(door: Door) -> None:
    browser = door.browser()
    browser.sign_in(sub="canary.quill@example.org", name="Canary Quill", email="canary.quill@example.org")
    staff = browser.me().json()["staff"]
    assert staff.startswith("p-")
    kept = door.deployment.everything().lower()
    assert staff in kept
    for word in ("canary", "quill", browser.session or "none"):
        assert word.lower() not in kept
    again = door.browser()
    again.sign_in(sub="canary.quill@example.org")
    assert again.me().json()["staff"] == staff
    other = door.browser()
    other.sign_in(sub="sub-2")
    assert other.me().json()["staff"] != staff


def test_the_staff_id_is_the_claims_where_the_settings_name_one(open_door: Callable[..., Door]) -> None:
    door = open_door(staff_claim="employee.number")
    browser = door.browser()
    browser.sign_in(employee={"number": "s-17"})
    assert browser.me().json()["staff"] == "s-17"


def test_a_name_an_address_or_a_systems_id_is_no_staff_id(open_door: Callable[..., Door]) -> None:
    door = open_door(staff_claim="staff")
    for staff in ("canary.quill@example.org", "004930123456789", "Canary Quill", "system-shop", "", None, 17, ["s-17"]):
        browser = door.browser()
        refused = browser.sign_in(staff=staff)
        assert refused.status_code == 403
        assert "staff id" in refused.json()["detail"]
        assert "canary" not in refused.text.lower()
        assert browser.me().status_code == 401


@pytest.mark.parametrize("claim", ["email", "user.preferred_username", "phone_number"])
def test_a_claim_that_tells_who_somebody_is_cannot_be_set_as_the_staff_id(claim: str) -> None:
    with pytest.raises(ValidationError, match="staff_claim names a claim that tells who somebody is"):
        OidcSettings(issuer="https://id.example.org", client_id="habeas", audience="api", staff_claim=claim)


def test_nobody_without_a_role_is_let_in(door: Door) -> None:
    for roles in ([], None, "admin", ["Agent", "AGENT"], {"agent": True}, [["agent"]]):
        browser = door.browser()
        refused = browser.sign_in(roles=roles)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
        assert browser.me().status_code == 401


def test_roles_come_from_the_claim_and_by_the_names_that_the_settings_say(open_door: Callable[..., Door]) -> None:
    door = open_door(roles_claim="realm_access.roles", roles={"privacy-desk": "agent", "legal": "counsel"})
    browser = door.browser()
    browser.sign_in(roles=["dpo"], realm_access={"roles": ["legal", "agent", "dpo"]})
    assert browser.me().json()["roles"] == ["counsel"]


def test_whose_staff_somebody_is_is_said_by_the_provider(open_door: Callable[..., Door]) -> None:
    door = open_door(tenant_claim="org", tenants={"Example Ltd": "main", "Other Ltd": "other"})
    for org, status in (("Example Ltd", 303), ("Other Ltd", 403), ("main", 403), (None, 403), ("", 403)):
        assert door.browser().sign_in(org=org).status_code == status, org


FACTORS: list[tuple[dict[str, Any], bool]] = [
    ({"amr": ["pwd"]}, False),
    ({"amr": ["pwd", "mfa"]}, True),
    ({"amr": "mfa"}, True),
    ({"amr": None}, False),
    ({"amr": [["mfa"]]}, False),
    ({"amr": ["pwd"], "acr": "gold"}, True),
    ({"amr": ["pwd"], "acr": "silver"}, False),
    ({"amr": ["pwd"], "acr": ["gold"]}, False),
    ({"auth_time": None}, False),
    ({"auth_time": True}, False),
    ({"auth_time": "1e9"}, False),
    ({"auth_time": 1e300}, False),
]


def test_a_second_factor_is_what_the_settings_say_and_only_if_it_is_known_when(open_door: Callable[..., Door]) -> None:
    door = open_door(second_factor_acr=("gold",))
    for claims, strong in FACTORS:
        browser = door.browser()
        assert browser.sign_in(**claims).status_code == 303
        assert browser.me().json()["second_factor"] is strong, claims


def test_a_second_factor_counts_for_an_hour_and_is_renewed_by_signing_in_anew(open_door: Callable[..., Door]) -> None:
    door = open_door(second_factor_acr=("gold",), idle_for="PT8H")
    browser = door.browser()
    browser.sign_in()
    door.clock.later = timedelta(minutes=61)
    assert browser.me().json()["second_factor"] is False
    asked = parse_qs(urlsplit(url := browser.leave(fresh=True)).query)
    assert (asked["max_age"], asked["prompt"], asked["acr_values"]) == (["0"], ["login"], ["gold"])
    old = browser.session
    seen = int(door.clock().timestamp())
    given = door.issuer.visit(url, roles=["agent"], acr="gold", auth_time=seen)
    assert browser.come_back(given).status_code == 401, "its clock is an hour behind ours, so this token is over"
    door.clock.later = timedelta(0)
    given = door.issuer.visit(browser.leave(fresh=True), roles=["agent"], acr="gold")
    assert browser.come_back(given).status_code == 303
    assert browser.me().json()["second_factor"] is True
    assert browser.session != old


@pytest.mark.parametrize("seen", [None, -3600])
def test_whoever_was_to_prove_anew_who_they_are_has_done_so_just_now(door: Door, seen: int | None) -> None:
    browser = door.browser()
    at = None if seen is None else int(door.clock().timestamp()) + seen
    assert browser.sign_in(fresh=True, auth_time=at).status_code == 401


def test_while_the_provider_is_away_people_are_told_so_and_who_is_in_stays_in(door: Door) -> None:
    browser = door.browser()
    browser.sign_in()
    door.issuer.away = True
    assert browser.me().status_code == 200
    door.clock.later = timedelta(hours=25)
    away = door.browser().client.get("/signin")
    assert (away.status_code, away.json()["code"]) == (503, "away")


# Authlib's client, of which half was made, says so when it is collected.
@pytest.mark.filterwarnings("ignore:.*OAuth2Client.__del__:pytest.PytestUnraisableExceptionWarning")
def test_a_file_of_authorities_that_cannot_be_read_is_a_provider_that_cannot_be_asked(
    open_door: Callable[..., Door], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = open_door()
    browser = door.browser()
    given = door.issuer.visit(browser.leave(), sub="sub-1", roles=["agent"])
    (tmp_path / "cert.pem").write_text("no certificate")
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(tmp_path / "cert.pem"))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    back = browser.come_back(given)
    door.clock.later = timedelta(hours=25)
    for away in (back, browser.client.get("/signin")):
        assert (away.status_code, away.json()["code"]) == (503, "away")
    gc.collect()


def test_without_a_provider_nobody_signs_in(deployment: object) -> None:
    from starlette.testclient import TestClient

    from starter.api import build_app
    from starter.callers import Callers
    from starter.desk import Desk, load_settings

    desk = Desk(load_settings(), pool=2)
    client = TestClient(build_app(desk, Callers.of(desk)), base_url=URL)
    assert client.get("/signin").status_code == 404
    assert client.get("/v1/me", headers={"cookie": f"{SESSION}=x", **OURS}).status_code == 401
    desk.ledger.close_connections()
