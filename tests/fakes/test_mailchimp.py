"""The fake of Mailchimp: archiving keeps, permanent deletion is for ever, and errors look as the vendor's do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from starter.stack import Vendors
from tests.fakes.clients import member

NEWS, LOYALTY = "a1b2c3d4e5", "f6a7b8c9d0"
EMAIL = "clara.adler@example.org"
CLARA = f"/3.0/lists/{NEWS}/members/{member(EMAIL)}"


def test_permanent_deletion_is_once_and_for_ever(mailchimp: httpx2.Client) -> None:
    assert mailchimp.post(f"{CLARA}/actions/delete-permanent").status_code == 204
    assert mailchimp.get(CLARA).status_code == 404
    assert mailchimp.post(f"{CLARA}/actions/delete-permanent").status_code == 404
    again = mailchimp.post(f"/3.0/lists/{NEWS}/members", json={"email_address": EMAIL, "status": "subscribed"})
    assert (again.status_code, again.json()["title"]) == (400, "Forgotten Email Not Subscribed")
    put = mailchimp.put(CLARA, json={"email_address": EMAIL, "status_if_new": "subscribed"})
    assert (put.status_code, put.json()["title"]) == (400, "Forgotten Email Not Subscribed")


def test_archiving_keeps_the_person(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    assert mailchimp.delete(CLARA).status_code == 204
    assert mailchimp.get(CLARA).json()["status"] == "archived"
    assert mailchimp.delete(CLARA).status_code == 405
    assert EMAIL in str(vendors.dump("mailchimp"))
    assert mailchimp.post(f"{CLARA}/actions/delete-permanent").status_code == 204
    # The same person on another list is another member.
    assert member(EMAIL) not in vendors.dump("mailchimp")["members"][NEWS]


def test_a_person_is_on_several_lists(mailchimp: httpx2.Client) -> None:
    email = "ben.adler@example.org"  # written Ben.Adler there
    found = mailchimp.get("/3.0/search-members", params={"query": email}).json()["exact_matches"]
    assert {one["list_id"] for one in found["members"]} == {NEWS, LOYALTY}
    assert {one["email_address"] for one in found["members"]} == {"Ben.Adler@example.org"}
    lists = mailchimp.get("/3.0/lists", params={"email": email}).json()
    assert {one["id"] for one in lists["lists"]} == {NEWS, LOYALTY}
    mailchimp.post(f"/3.0/lists/{NEWS}/members/{member(email)}/actions/delete-permanent")
    found = mailchimp.get("/3.0/search-members", params={"query": email}).json()["exact_matches"]
    assert {one["list_id"] for one in found["members"]} == {LOYALTY}


def test_a_search_also_shows_others(mailchimp: httpx2.Client) -> None:
    found = mailchimp.get("/3.0/search-members", params={"query": "clara"}).json()
    assert found["exact_matches"]["total_items"] == 0
    assert found["full_search"]["total_items"] >= 1


@pytest.mark.parametrize("part", ["activity", "activity-feed", "tags", "notes", "events", "goals"])
def test_what_is_kept_about_a_member_goes_with_the_member(mailchimp: httpx2.Client, part: str) -> None:
    assert mailchimp.get(f"{CLARA}/{part}").raise_for_status().json()["total_items"] >= (part != "goals")
    mailchimp.post(f"{CLARA}/actions/delete-permanent")
    assert mailchimp.get(f"{CLARA}/{part}").status_code == 404


def test_unsubscribing_is_seen_and_lifted(mailchimp: httpx2.Client) -> None:
    assert mailchimp.patch(CLARA, json={"status": "unsubscribed"}).json()["status"] == "unsubscribed"
    assert mailchimp.get(CLARA).json()["status"] == "unsubscribed"
    assert mailchimp.patch(CLARA, json={"status": "subscribed"}).json()["status"] == "subscribed"


def test_an_address_can_be_changed(mailchimp: httpx2.Client) -> None:
    changed = mailchimp.patch(CLARA, json={"email_address": "new@example.org", "merge_fields": {"FNAME": "Cleo"}})
    assert changed.json()["full_name"] == "Cleo Adler"
    assert mailchimp.get(CLARA).status_code == 404
    assert mailchimp.get(f"/3.0/lists/{NEWS}/members/{member('new@example.org')}").status_code == 200


def test_pages_are_of_ten_unless_asked_otherwise(mailchimp: httpx2.Client) -> None:
    first = mailchimp.get(f"/3.0/lists/{NEWS}/members").json()
    assert (len(first["members"]), first["total_items"]) == (10, 20)
    rest = mailchimp.get(f"/3.0/lists/{NEWS}/members", params={"offset": 10, "count": 1000}).json()
    assert len({one["id"] for one in first["members"] + rest["members"]}) == 20


def test_an_answer_can_be_cut_down(mailchimp: httpx2.Client) -> None:
    lists = mailchimp.get("/3.0/lists", params={"fields": "lists.id,total_items"}).json()
    assert lists == {"lists": [{"id": NEWS}, {"id": LOYALTY}], "total_items": 2}
    member = mailchimp.get(CLARA, params={"exclude_fields": "merge_fields.PHONE,email_address"}).json()
    assert "email_address" not in member
    assert "PHONE" not in member["merge_fields"]
    assert member["merge_fields"]["FNAME"] == "Clara"


def test_the_eleventh_connection_is_refused(vendors: Vendors) -> None:
    key = vendors.credentials()["mailchimp"]["key"]
    vendors.fault("mailchimp", "slow", "ping", times=10, seconds=1)

    def call(_: int) -> int:
        return httpx2.get(vendors.url("mailchimp") + "/3.0/ping", auth=("any", key), timeout=10).status_code

    with ThreadPoolExecutor(11) as pool:
        codes = list(pool.map(call, range(11)))
    assert sorted(codes) == [200] * 10 + [429]
    assert call(0) == 200


@pytest.mark.parametrize(("auth", "code"), [(("any", "wrong-us1"), 401), (None, 401)])
def test_a_wrong_key_is_refused(vendors: Vendors, auth: Any, code: int) -> None:
    answer = httpx2.get(vendors.url("mailchimp") + "/3.0/lists", auth=auth)
    assert (answer.status_code, answer.json()["title"]) == (code, "API Key Invalid")
    assert answer.headers["content-type"].startswith("application/problem+json")
