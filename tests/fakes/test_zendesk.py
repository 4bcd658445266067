"""The fake of Zendesk: two steps, a status that takes days, and tickets that outlive their requester."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from starter.stack import Vendors

CLARA = 900_000_000_002
OPEN = 900_000_000_007  # has a ticket that is not closed


def statuses(client: httpx2.Client, user: int) -> dict[str, list[str]]:
    rows = client.get(f"/api/v2/users/{user}/compliance_deletion_statuses").raise_for_status().json()
    shown: dict[str, list[str]] = {}
    for row in rows["compliance_deletion_statuses"]:
        shown.setdefault(row["application"], []).append(row["action"])
    return shown


def find(client: httpx2.Client, **query: str) -> list[dict[str, Any]]:
    return list(client.get("/api/v2/users/search.json", params=query).raise_for_status().json()["users"])


def test_permanent_deletion_only_after_the_soft_one(vendors: Vendors, zendesk: httpx2.Client) -> None:
    assert zendesk.delete(f"/api/v2/deleted_users/{CLARA}").status_code == 404
    assert zendesk.delete(f"/api/v2/users/{CLARA}").json()["user"]["active"] is False
    assert zendesk.get(f"/api/v2/users/{CLARA}").json()["user"]["email"] == "clara.adler@example.org"
    assert find(zendesk, external_id="2") == []
    assert zendesk.delete(f"/api/v2/users/{CLARA}").status_code == 404
    assert statuses(zendesk, CLARA) == {}
    assert zendesk.delete(f"/api/v2/deleted_users/{CLARA}").status_code == 200
    assert zendesk.get(f"/api/v2/users/{CLARA}").status_code == 404
    assert zendesk.delete(f"/api/v2/deleted_users/{CLARA}").status_code == 404
    assert "clara.adler@example.org" not in str(vendors.dump("zendesk")["users"])


def test_it_is_over_only_when_every_product_is_complete(vendors: Vendors, zendesk: httpx2.Client) -> None:
    zendesk.delete(f"/api/v2/users/{CLARA}")
    zendesk.delete(f"/api/v2/deleted_users/{CLARA}")
    assert statuses(zendesk, CLARA) == {"all": ["request_deletion"]}
    vendors.advance("PT2H")
    both = ["started", "complete"]
    assert statuses(zendesk, CLARA) == {"all": ["request_deletion"], "support": both, "explore": ["started"]}
    vendors.advance("P3D")
    done = statuses(zendesk, CLARA)
    assert {name: done[name] for name in done if name != "all"} == dict.fromkeys(("support", "explore", "chat"), both)
    assert zendesk.get("/api/v2/users/1/compliance_deletion_statuses").status_code == 404


def test_an_open_ticket_blocks_until_it_is_closed(vendors: Vendors, zendesk: httpx2.Client) -> None:
    refused = zendesk.delete(f"/api/v2/users/{OPEN}")
    assert (refused.status_code, refused.json()["error"]) == (422, "RecordInvalid")
    tickets = zendesk.get(f"/api/v2/users/{OPEN}/tickets/requested").json()["tickets"]
    [waiting] = [one["id"] for one in tickets if one["status"] != "closed"]
    zendesk.put(f"/api/v2/tickets/{waiting}", json={"ticket": {"status": "solved"}})
    assert zendesk.delete(f"/api/v2/users/{OPEN}").status_code == 422  # solved is not closed
    zendesk.put(f"/api/v2/tickets/{waiting}", json={"ticket": {"status": "closed"}})
    assert zendesk.delete(f"/api/v2/users/{OPEN}").status_code == 200


def test_what_was_written_in_tickets_stays(vendors: Vendors, zendesk: httpx2.Client) -> None:
    [ticket, *_] = zendesk.get(f"/api/v2/users/{CLARA}/tickets/requested").json()["tickets"]
    zendesk.delete(f"/api/v2/users/{CLARA}")
    zendesk.delete(f"/api/v2/deleted_users/{CLARA}")
    comments = zendesk.get(f"/api/v2/tickets/{ticket['id']}/comments").json()["comments"]
    assert "Clara Adler" in comments[0]["body"]
    for comment in comments:
        body = {"ticket_id": ticket["id"], "text": "Clara Adler"}
        assert zendesk.put(f"/api/v2/comment_redactions/{comment['id']}", json=body).status_code == 200
    comments = zendesk.get(f"/api/v2/tickets/{ticket['id']}/comments").json()["comments"]
    assert "Clara" not in str(comments)


def test_a_ticket_is_deleted_in_two_steps_too(vendors: Vendors, zendesk: httpx2.Client) -> None:
    [ticket, *_] = zendesk.get(f"/api/v2/users/{CLARA}/tickets/requested").json()["tickets"]
    assert zendesk.delete(f"/api/v2/deleted_tickets/{ticket['id']}").status_code == 404
    assert zendesk.delete(f"/api/v2/tickets/{ticket['id']}").status_code == 204
    assert str(ticket["id"]) in vendors.dump("zendesk")["tickets"]
    assert zendesk.delete(f"/api/v2/deleted_tickets/{ticket['id']}").status_code == 200
    assert str(ticket["id"]) not in vendors.dump("zendesk")["tickets"]


def test_the_bin_is_emptied_after_thirty_days(vendors: Vendors, zendesk: httpx2.Client) -> None:
    zendesk.delete(f"/api/v2/users/{CLARA}")
    vendors.advance("P29D")
    assert zendesk.get(f"/api/v2/deleted_users/{CLARA}").json()["deleted_user"]["email"]
    vendors.advance("P1D")
    assert zendesk.get(f"/api/v2/deleted_users/{CLARA}").status_code == 404
    [gone] = zendesk.get("/api/v2/deleted_users").json()["deleted_users"]
    assert (gone["name"], gone["email"]) == ("Permanently Deleted User", None)


def test_people_are_found_by_address_and_by_the_shops_id(zendesk: httpx2.Client) -> None:
    assert [one["id"] for one in find(zendesk, query="email:clara.adler@example.org")] == [CLARA]
    assert [one["id"] for one in find(zendesk, external_id="2")] == [CLARA]
    assert find(zendesk, query="email:clara.adler@example.or") == []
    assert len(find(zendesk, query="adler")) > 1  # words find others as well


def test_the_primary_address_is_an_identity_and_nobody_elses(zendesk: httpx2.Client) -> None:
    rows = zendesk.get(f"/api/v2/users/{CLARA}/identities").raise_for_status().json()["identities"]
    (primary,) = [row for row in rows if row["primary"]]
    url = f"/api/v2/users/{CLARA}/identities/{primary['id']}"
    other = zendesk.get(f"/api/v2/users/{OPEN}").json()["user"]["email"]

    assert zendesk.put(url, json={"identity": {"value": other}}).status_code == 422
    assert zendesk.put(url, json={"identity": {"value": ""}}).status_code == 422
    assert zendesk.put(url, json={"identity": {"value": "Clara@example.net"}}).status_code == 200
    assert zendesk.get(f"/api/v2/users/{CLARA}").json()["user"]["email"] == "clara@example.net"


def test_a_user_can_be_suspended(zendesk: httpx2.Client) -> None:
    changed = zendesk.put(f"/api/v2/users/{CLARA}", json={"user": {"suspended": True}})
    assert changed.json()["user"]["suspended"] is True
    assert find(zendesk, external_id="2")[0]["suspended"] is True


@pytest.mark.parametrize("first", ["?per_page=7", "?page[size]=7"])
def test_pages_lead_to_each_other(zendesk: httpx2.Client, first: str) -> None:
    url, seen = f"/api/v2/users{first}", []
    while url:
        page = zendesk.get(url).raise_for_status().json()
        seen += [one["id"] for one in page["users"]]
        url = page["next_page"] if "next_page" in page else page["links"]["next"]
    assert (len(seen), len(set(seen))) == (20, 20)


def test_permanent_deletions_are_limited(vendors: Vendors, zendesk: httpx2.Client) -> None:
    vendors.freeze()
    codes = [zendesk.delete("/api/v2/deleted_users/1").status_code for _ in range(701)]
    assert codes == [404] * 700 + [429]
    refused = zendesk.delete("/api/v2/deleted_users/1")
    assert int(refused.headers["retry-after"]) > 0
    vendors.advance("PT1M")
    assert zendesk.get("/api/v2/users").status_code == 200
    assert zendesk.delete("/api/v2/deleted_users/1").status_code == 429
    vendors.advance("PT10M")
    assert zendesk.delete("/api/v2/deleted_users/1").status_code == 404


def test_a_wrong_token_is_refused(vendors: Vendors) -> None:
    url = vendors.url("zendesk") + "/api/v2/users"
    assert httpx2.get(url, auth=("agent@shop.example/token", "wrong")).status_code == 401
    # The agent's own password is not the token.
    assert httpx2.get(url, auth=("agent@shop.example", "zendesk-token")).status_code == 401
