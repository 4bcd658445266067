"""A session is over when it should be, is nobody else's, and does what a page of ours asks and no other page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from starter.access import Role
from starter.callers import SESSION
from tests.starter.access.conftest import OURS, URL, Door


def test_a_session_is_over_after_a_while_of_nothing(door: Door) -> None:
    browser = door.browser()
    browser.sign_in()
    for minutes in (20, 40, 60):
        door.clock.later = timedelta(minutes=minutes)
        assert browser.me().status_code == 200
    door.clock.later = timedelta(minutes=91)
    assert browser.me().status_code == 401


def test_a_session_is_over_at_its_end_however_busy_it_is(door: Door) -> None:
    browser = door.browser()
    browser.sign_in()
    for minutes in range(0, 480, 20):
        door.clock.later = timedelta(minutes=minutes)
        assert browser.me().status_code == 200
    door.clock.later = timedelta(minutes=481)
    assert browser.me().status_code == 401


def test_signing_out_ends_it_for_whoever_has_the_cookie(door: Door) -> None:
    browser, thief = door.browser(), door.browser()
    browser.sign_in()
    thief.client.cookies.set(SESSION, browser.session or "", "habeas.test")
    assert thief.me().status_code == 200
    assert browser.client.post("/signout", headers=OURS).status_code == 204
    assert browser.session is None
    assert thief.me().status_code == 401


def test_signing_in_anew_ends_the_session_that_was_there_and_makes_another(door: Door) -> None:
    browser, thief = door.browser(), door.browser()
    browser.sign_in(amr=["pwd"])
    first = browser.session or ""
    thief.client.cookies.set(SESSION, first, "habeas.test")
    browser.sign_in()
    assert browser.session != first
    assert thief.me().status_code == 401


def test_a_session_that_somebody_planted_is_not_taken_over(door: Door) -> None:
    browser = door.browser()
    browser.client.cookies.set(SESSION, "p" * 43, "habeas.test")
    browser.sign_in()
    assert browser.session != "p" * 43
    assert door.browser().client.get("/v1/me", headers={"cookie": f"{SESSION}={'p' * 43}"}).status_code == 401


def test_when_somebodys_role_changes_their_older_sessions_end(door: Door) -> None:
    before, same, stranger = door.browser(), door.browser(), door.browser()
    before.sign_in(roles=["approver"])
    stranger.sign_in(sub="sub-2", roles=["approver"])
    same.sign_in(roles=["approver"])
    assert before.me().status_code == 200, "the same roles: another browser of theirs"
    after = door.browser()
    after.sign_in(roles=["agent"])
    assert [one.me().status_code for one in (before, same, stranger, after)] == [401, 401, 200, 200]


def test_a_role_that_the_settings_no_longer_give_out_is_gone_at_once(open_door: Callable[..., Door]) -> None:
    before = open_door(roles={"a": "agent", "d": "dpo"})
    browser = before.browser()
    browser.sign_in(roles=["a", "d"])
    after = open_door(roles={"a": "agent"}).browser()
    after.client.cookies.set(SESSION, browser.session or "", "habeas.test")
    assert after.me().json()["roles"] == [Role.AGENT]


def test_sessions_are_ended_by_command_and_listed(door: Door) -> None:
    browser, other = door.browser(), door.browser()
    browser.sign_in()
    other.sign_in(sub="sub-2")
    staff = browser.me().json()["staff"]
    listed = door.deployment("session", "list", "--json").json["sessions"]
    assert {one["staff"] for one in listed} == {staff, other.me().json()["staff"]}
    assert door.deployment("session", "end", staff, "--by", "s-17", "--json").json == {"staff": staff, "ended": 1}
    assert (browser.me().status_code, other.me().status_code) == (401, 200)
    assert door.deployment("session", "end", staff, "--by", "s-17", "--json").json["ended"] == 0
    assert staff not in door.deployment("session", "list").out


CALLS: list[tuple[dict[str, str], bool]] = [
    (OURS, True),
    ({"origin": URL}, True),
    ({"sec-fetch-site": "same-origin"}, True),
    ({}, False),
    ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, False),
    ({"sec-fetch-site": "same-site", "origin": "https://other.habeas.test"}, False),
    ({"sec-fetch-site": "none"}, False),
    ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
    ({"sec-fetch-site": "cross-site", "origin": URL}, False),
    ({"origin": "null"}, False),
    ({"origin": f"{URL}.evil.example"}, False),
    ({"origin": "http://habeas.test"}, False),
    ({"referer": f"{URL}/"}, False),
]


def test_only_a_page_of_ours_changes_anything_by_somebodys_session(door: Door) -> None:
    for headers, taken in CALLS:
        browser = door.browser()
        browser.sign_in()
        answer = browser.client.post("/signout", headers=headers)
        assert answer.status_code == (204 if taken else 403)
        assert taken or answer.json()["code"] == "cross_site"
        assert browser.me().status_code == (401 if taken else 200)


def test_the_page_of_the_temporal_ui_reads_payloads_by_somebodys_session_and_does_nothing_else(door: Door) -> None:
    browser = door.browser()
    browser.sign_in(roles=["dpo"])
    page = {"origin": "http://127.0.0.1:8233", "sec-fetch-site": "cross-site"}
    evil = page | {"origin": "https://evil.example"}

    read, other = (
        browser.client.post("/codec/default/decode", json={"payloads": []}, headers=who) for who in (page, evil)
    )
    done = browser.client.post("/signout", headers=page)

    assert (read.status_code, other.status_code, done.status_code) == (200, 403, 403)


def test_what_is_read_needs_no_page_of_ours(door: Door) -> None:
    """A link in a mail leads here; what it shows is shown to whoever is signed in, and to no page."""
    browser = door.browser()
    browser.sign_in()
    answer = browser.client.get("/v1/me", headers={"sec-fetch-site": "cross-site", "origin": "https://evil.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_token_beside_a_cookie_is_what_counts(door: Door) -> None:
    browser = door.browser()
    browser.sign_in()
    assert browser.client.get("/v1/me", headers={"authorization": "Bearer nothing"}).status_code == 401


def test_the_journal_has_who_signed_in_with_which_roles(door: Door) -> None:
    browser = door.browser()
    browser.sign_in(roles=["dpo"])
    rows = door.deployment.rows("SELECT body::json FROM entries WHERE kind = 'access_signed_in'")
    assert rows == [({"staff": browser.me().json()["staff"], "roles": ["dpo"], "second_factor": True},)]
