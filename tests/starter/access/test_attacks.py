"""Attacks on who gets in: each is tried with real tokens against the real door, and opens nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from settings import Settings
from starter.callers import SESSION, STRANGERS
from starter.groups import ApiSettings
from starter.signin import HOME, own_path
from tests.fakes.issuer import Issuer, new_key
from tests.starter.access.conftest import AUDIENCE, OURS, URL, Door

PERSON: dict[str, Any] = {"aud": AUDIENCE, "roles": ["agent"]}
"""What an access token of a person has."""


def raw(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """A token that no library would make."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    said = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{said}.{part(sign(said.encode()))}"


def good_claims(issuer: Issuer, **more: Any) -> dict[str, Any]:
    at = int(time.time())
    return {"iss": issuer.url, "sub": "1", "exp": at + 300, "iat": at, **PERSON, **more}


def test_an_access_token_of_a_person_is_good_at_all(door: Door) -> None:
    """What the others of this file change one thing of."""
    me = door.bearer(door.issuer.token(**PERSON)).json()
    assert (me["roles"], me["is_system"]) == (["agent"], False)
    assert door.bearer(raw({"alg": "RS256"}, good_claims(door.issuer))).status_code == 401


def test_a_token_that_nobody_signed_opens_nothing(door: Door) -> None:
    algorithms = ("none", "None", "NONE", "nOnE", "", None, 5, ["RS256"])
    for alg, signature in itertools.product(algorithms, ("", "eA")):
        forged = raw({"alg": alg, "kid": "k1"}, good_claims(door.issuer)) + signature
        assert door.bearer(forged).status_code == 401, alg


def test_what_is_signed_with_the_public_key_as_a_shared_one_opens_nothing(door: Door) -> None:
    key = door.issuer.signing
    assert isinstance(key, RSAKey)
    forms = (
        key.as_pem(private=False),
        key.as_der(private=False),
        json.dumps(key.as_dict(private=False)).encode(),
    )
    digests: dict[str, Any] = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}
    for shared, (alg, digest) in itertools.product(forms, digests.items()):

        def sign(said: bytes, shared: bytes = shared, digest: Any = digest) -> bytes:
            return hmac.digest(shared, said, digest)

        forged = raw({"alg": alg, "kid": "k1"}, good_claims(door.issuer), sign)
        assert door.bearer(forged).status_code == 401
        door.issuer.forged = forged
        assert door.browser().sign_in().status_code == 401


def test_a_token_for_somebody_else_of_somebody_else_or_over_opens_nothing(door: Door) -> None:
    each: tuple[dict[str, Any], ...] = (
        {"aud": "habeas"},
        {"aud": "https://other.example"},
        {"aud": []},
        {"aud": None},
        {"aud": f"{AUDIENCE}/"},
        {"aud": {AUDIENCE: 1}},
        {"iss": "https://other.example"},
        {"iss": None},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
        {"sub": None},
        {"roles": []},
        {"roles": None},
    )
    for wrong in each:
        assert door.bearer(door.issuer.token(**{**PERSON, **wrong})).status_code == 401


def test_an_id_token_is_no_access_token(door: Door) -> None:
    assert door.bearer(door.issuer.token(roles=["agent"])).status_code == 401


def test_a_token_that_says_what_else_it_is_is_none_though_it_is_for_us(door: Door) -> None:
    """A provider that calls us by our address would make ID tokens for our audience."""
    for typ, status in (
        ("at+jwt", 200), ("application/at+JWT", 200), ("JWT", 200),
        ("id+jwt", 401), ("logout+jwt", 401), ("secevent+jwt", 401),
    ):  # fmt: skip
        assert door.bearer(door.issuer.token(**PERSON, header={"typ": typ})).status_code == status, typ
    others: tuple[dict[str, Any], ...] = ({"typ": "ID"}, {"typ": "Refresh"}, {"at_hash": "eA"}, {"c_hash": "eA"})
    for other in others:
        assert door.bearer(door.issuer.token(**PERSON, **other)).status_code == 401, other
    assert door.bearer(door.issuer.token(**PERSON, typ="Bearer")).status_code == 200


def test_an_audience_that_is_left_out_is_compared_as_well(door: Door) -> None:
    url = door.desk.settings.model_copy(update={"api": ApiSettings(url=AUDIENCE)}).model_dump()
    with pytest.raises(ValueError, match=r"oidc.client_id is api.url"):
        Settings.model_validate({**url, "oidc": {"issuer": door.issuer.url, "client_id": AUDIENCE}})


def test_people_act_by_the_clients_that_the_settings_name(open_door: Callable[..., Door]) -> None:
    door = open_door(clients=("desk",), systems=("web-shop",))
    each: tuple[tuple[dict[str, Any], int], ...] = (
        ({"client_id": "desk"}, 200), ({"azp": "desk"}, 200), ({"client_id": "till"}, 401), ({}, 401),
    )  # fmt: skip
    for said, status in each:
        assert door.bearer(door.issuer.token(**PERSON, **said)).status_code == status, said
    by_system = door.issuer.token(aud=AUDIENCE, client_id="web-shop", scope="requests:open")
    assert door.bearer(by_system).status_code == 200


def test_a_token_that_brings_its_own_key_opens_nothing(door: Door) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    theirs = new_key("k1")

    def sign(said: bytes) -> bytes:
        private: Any = theirs.private_key
        signature: bytes = private.sign(said, padding.PKCS1v15(), hashes.SHA256())
        return signature

    headers: tuple[dict[str, Any], ...] = (
        {"kid": "k2"},
        {"kid": "../../k1"},
        {"kid": {"k": 1}},
        {"jwk": theirs.as_dict(private=False)},
        {"jku": "http://127.0.0.1:9/jwks", "kid": "k2"},
        {"x5u": "http://127.0.0.1:9/cert", "kid": "k2"},
        {"crit": ["b64"], "b64": False},
        {"crit": ["exp"]},
    )
    for header in headers:
        forged = raw({"alg": "RS256", "kid": "k1", **header}, good_claims(door.issuer), sign)
        assert door.bearer(forged).status_code == 401


def test_keys_are_changed_under_way_and_the_old_one_is_believed_no_longer_than_an_hour(door: Door) -> None:
    from datetime import timedelta

    old, new = door.issuer.signing, new_key("k2")
    assert door.bearer(door.issuer.token(**PERSON)).status_code == 200
    door.clock.later = timedelta(minutes=2)
    door.issuer.published = [new]
    assert door.bearer(door.issuer.token(key=new, **PERSON)).status_code == 200, "found at once: its id is new"
    assert door.bearer(door.issuer.token(key=old, **PERSON)).status_code == 401


def test_a_flood_of_tokens_with_unknown_keys_costs_the_provider_one_look_a_minute(door: Door) -> None:
    door.bearer(door.issuer.token(**PERSON))
    stranger = new_key("stranger")
    before = door.issuer.fetches.count("/jwks")
    for number in range(30):
        named = door.issuer.token(key=stranger, header={"kid": f"k-{number}"}, **PERSON)
        assert door.bearer(named).status_code == 401
    assert door.issuer.fetches.count("/jwks") == before
    assert door.bearer(door.issuer.token(**PERSON)).status_code == 200, "who is known is let in meanwhile"


def test_keys_for_another_use_or_kind_are_not_taken(door: Door) -> None:
    of_all_uses = RSAKey.generate_key(2048, {"kid": "enc"})
    for_secrets = RSAKey.import_key({**of_all_uses.as_dict(private=False), "use": "enc"})
    of_curve = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})
    door.issuer.published = [for_secrets, of_curve]
    assert door.bearer(door.issuer.token(key=of_all_uses, **PERSON)).status_code == 401
    assert door.bearer(door.issuer.token(**PERSON)).status_code == 401, "k1 is another kind of key"
    assert door.bearer(door.issuer.token(key=of_curve, **PERSON)).status_code == 200


def test_what_comes_back_twice_is_taken_once(door: Door) -> None:
    browser = door.browser()
    given = door.issuer.visit(browser.leave(), roles=["agent"])
    assert browser.come_back(given).status_code == 303
    again = browser.come_back(given)
    assert again.status_code == 401
    assert SESSION not in str(again.headers.get_list("set-cookie"))


def test_a_code_of_somebody_else_is_not_taken_in(door: Door) -> None:
    """Login CSRF: a victim's browser is led to come back with the attacker's code; and a code that was stolen."""
    attacker, victim = door.browser(), door.browser()
    theirs = door.issuer.visit(attacker.leave(), sub="attacker", roles=["agent"])
    assert victim.come_back(theirs).status_code == 401, "with nothing begun"
    own = dict(parse_qsl(urlsplit(victim.leave()).query))
    assert victim.come_back(theirs).status_code == 401, "with its own begun"
    assert victim.come_back({**theirs, "state": own["state"]}).status_code == 401, "the code under its own state"
    assert victim.me().status_code == 401


def test_a_sign_in_that_another_browser_has_begun_is_not_finished(door: Door) -> None:
    one, other = door.browser(), door.browser()
    given = door.issuer.visit(one.leave(), roles=["agent"])
    other.leave()
    assert other.come_back(given).status_code == 401
    assert one.come_back(given).status_code == 303


def test_an_id_token_that_was_not_made_for_this_sign_in_signs_nobody_in(door: Door) -> None:
    for claims in (
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": 7},
        {"aud": "another"},
        {"aud": ["habeas", "another"]},
        {"aud": ["habeas", "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://other.example"},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"sub": None},
        {"sub": 7},
    ):
        browser = door.browser()
        refused = browser.sign_in(**claims)
        assert (refused.status_code, refused.json()["code"]) == (401, "not_signed_in")
        assert browser.me().status_code == 401


def test_an_id_token_of_another_sign_in_signs_nobody_in(door: Door) -> None:
    first, second = door.browser(), door.browser()
    asked = dict(parse_qsl(urlsplit(first.leave()).query))
    door.issuer.forged = door.issuer.token(roles=["agent"], nonce=asked["nonce"])
    assert second.sign_in().status_code == 401


def test_an_answer_of_another_provider_is_not_taken(door: Door) -> None:
    for said in (
        {"iss": "https://other.example"},
        {"iss": None},
        {"error": "access_denied"},
    ):
        browser = door.browser()
        came = {**door.issuer.visit(browser.leave(), roles=["agent"]), **said}
        assert browser.come_back({name: value for name, value in came.items() if value is not None}).status_code == 401


def test_nobody_is_led_to_another_place(door: Door) -> None:
    for back in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/%0d%0aset-cookie:x=y/\r\nx: y",
        "/x\ny",
        "http:/evil.example",
        " /x",
        "",
        "/" + "a" * 2_000,
    ):
        arrived = door.browser().sign_in(back=back)
        assert (arrived.status_code, arrived.headers["location"]) == (303, HOME)


@given(st.text(alphabet="/\\.:@?#%\t\n\r \x00eé-", max_size=8))
def test_a_path_of_ours_is_ours_as_browsers_read_it(text: str) -> None:
    from urllib.parse import urljoin

    path = own_path(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert urlsplit(urljoin(f"{URL}/signin", path)).netloc == "habeas.test"
    assert path.isascii()
    assert path.isprintable()


def test_nobody_becomes_somebody_else_by_what_they_send(door: Door) -> None:
    for sent in (
        {"json": {"roles": ["dpo"], "second_factor": True, "tenant": "other", "staff": "s-1"}},
        {"params": {"roles": "dpo", "staff": "s-1", "tenant": "other"}},
        {"headers": {"x-roles": "dpo", "x-forwarded-user": "s-1", "x-tenant": "other"}},
    ):
        browser = door.browser()
        browser.sign_in(amr=["pwd"])
        before = browser.me().json()
        assert browser.client.request("GET", "/v1/me", **sent).json() == before


def test_no_claim_of_a_person_makes_them_a_system_and_none_of_a_system_a_person(open_door: Callable[..., Door]) -> None:
    door = open_door(systems=("web-shop",))
    person = door.bearer(door.issuer.token(**PERSON, scope="requests:open tokens:manage", client_id="till")).json()
    assert person["is_system"] is False
    assert "tokens:manage" not in person["may"]
    scope = "requests:open tokens:manage decisions:approve nothing:known"
    system = door.bearer(door.issuer.token(**PERSON, scope=scope, client_id="web-shop", amr=["mfa"])).json()
    assert (system["staff"], system["is_system"]) == ("system-web-shop", True)
    assert (system["roles"], system["may"]) == ([], ["requests:open"])


def test_a_token_of_another_tenants_people_opens_nothing(open_door: Callable[..., Door]) -> None:
    door = open_door(tenant_claim="org", systems=("web-shop",))
    for org, status in (("main", 200), ("other", 401), (None, 401), (["main"], 200), ({"main": 1}, 401)):
        assert door.bearer(door.issuer.token(**PERSON, org=org)).status_code == status
        by_system = door.issuer.token(aud=AUDIENCE, client_id="web-shop", scope="requests:open", org=org)
        assert door.bearer(by_system).status_code == status


def test_a_session_of_one_tenant_opens_nothing_at_another_in_the_same_database(open_door: Callable[..., Door]) -> None:
    browser, other = open_door().browser(), open_door(tenant="other").browser()
    browser.sign_in()
    assert browser.me().status_code == 200
    other.client.cookies.set(SESSION, browser.session or "", "habeas.test")
    assert other.me().status_code == 401


def test_what_stands_in_the_ledger_opens_nothing(door: Door) -> None:
    """Somebody has read the database."""
    door.browser().sign_in()
    made = door.deployment(
        *("token", "make", "shop", "--scope", "requests:read", "--until", "2027-05-31", "--by", "s-17", "--json")
    ).json
    assert door.bearer(made["token"]).status_code == 200
    digests = door.deployment.rows("SELECT digest FROM sessions UNION ALL SELECT digest FROM access_tokens")
    assert len(digests) == 2
    for (digest,) in digests:
        for text in (bytes(digest).hex(), base64.urlsafe_b64encode(bytes(digest)).rstrip(b"=").decode()):
            assert door.bearer(f"habeas_{text}").status_code == 401
            headers = {"cookie": f"{SESSION}={text}", **OURS}
            assert door.browser().client.get("/v1/me", headers=headers).status_code == 401


def test_whoever_tries_and_tries_is_told_to_wait_and_others_of_their_address_get_in(door: Door) -> None:
    good = door.issuer.token(**PERSON)
    here = "192.0.2.250"
    assert door.bearer(good, here).status_code == 200
    said = [door.bearer("habeas_no", here).status_code for _ in range(STRANGERS)]
    assert said[0] == 401
    assert said[-1] == 429
    assert door.bearer("habeas_no", here).headers["retry-after"]
    assert door.bearer(good, here).status_code == 200
    assert door.browser(here).client.get("/signin").status_code == 303, "who fails here may sign in there"
    tried = [door.browser(here).client.get("/signin").status_code for _ in range(STRANGERS)]
    assert tried[-1] == 429
    assert door.browser().client.get("/signin").status_code == 303


def test_a_token_that_is_not_known_to_be_good_is_not_looked_up_for_whoever_tries_too_often(door: Door) -> None:
    here = "192.0.2.251"
    for _ in range(STRANGERS):
        door.bearer("habeas_no", here)

    refused = door.bearer(door.issuer.token(**PERSON), here)

    assert refused.status_code == 429, "it costs no look at the ledger or the provider"
    assert door.bearer(door.issuer.token(**PERSON)).status_code == 200


def test_a_picture_on_another_page_keeps_nobody_from_signing_in(door: Door) -> None:
    browser = door.browser("192.0.2.252")
    for _ in range(STRANGERS):
        assert browser.me().status_code == 401
    assert browser.sign_in().status_code == 303
    assert browser.me().status_code == 200


def test_behind_a_proxy_it_is_the_caller_who_is_slowed_down(door: Door) -> None:
    door.app.state.proxies = 1
    client = door.browser("10.0.0.1").client

    def asked(heard: str) -> int:
        headers = {"authorization": "Bearer habeas_no", "x-forwarded-for": heard}
        return int(client.get("/v1/me", headers=headers).status_code)

    # What stands further left is the caller's own word.
    said = [asked(f"198.51.100.{number}, 2001:db8::{number:x}") for number in range(STRANGERS)]
    assert said[-1] == 429
    assert asked("2001:db8::ffff:1") == 429, "the same network"
    assert asked("2001:db8:0:1::1") == 401
    assert asked("192.0.2.9:4711") == 401
    assert client.get("/signin", headers={"x-forwarded-for": "2001:db8::1"}).status_code == 303


def test_without_a_proxy_nobody_says_where_they_are(door: Door) -> None:
    client = door.browser("192.0.2.253").client
    said = [
        client.get(
            "/v1/me", headers={"authorization": "Bearer habeas_no", "x-forwarded-for": f"198.51.100.{number}"}
        ).status_code
        for number in range(STRANGERS)
    ]
    assert said[-1] == 429


def test_an_answer_never_says_why(door: Door) -> None:
    forged = new_key("k1")
    shown = [
        "habeas_no",
        "x",
        door.issuer.token(key=forged, **PERSON),
        door.issuer.token(**{**PERSON, "exp": 5}),
        door.issuer.token(**{**PERSON, "roles": []}),
    ]
    answers = [door.bearer(token) for token in shown]
    assert {(one.status_code, one.json()["detail"], one.headers["www-authenticate"]) for one in answers} == {
        (401, answers[0].json()["detail"], "Bearer")
    }


def test_a_discovery_document_of_another_issuer_is_not_believed(open_door: Callable[..., Door]) -> None:
    door = open_door()
    door.issuer.url = "https://other.example"
    sent = door.browser().client.get("/signin")
    assert sent.status_code == 503
    assert "other.example" not in sent.text
