"""The fake's own doors: clock, seed, record, and what survives a restart."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest

from starter.stack import HOST, StackError, Vendors
from starter.stack.vendors.seeding import completed, shop_people, stripe_id
from tests.conftest import Database
from tests.fakes.clients import member

DEMO = Path(__file__).parents[2] / "starter" / "demo"


def test_the_clock_runs_and_jumps(vendors: Vendors) -> None:
    before = vendors.now
    assert abs((before - datetime.now(UTC)).total_seconds()) < 5
    vendors.advance("P30D")
    assert 30 <= (vendors.now - before).total_seconds() / 86_400 < 30.01
    time.sleep(0.05)
    assert vendors.now > before


def test_a_frozen_clock_moves_only_when_told(vendors: Vendors) -> None:
    vendors.advance("PT5H")
    vendors.freeze()
    before = vendors.now
    time.sleep(0.05)
    assert vendors.now == before
    vendors.advance("PT1M")
    assert (vendors.now - before).total_seconds() == 60
    vendors.freeze(False)
    time.sleep(0.05)
    assert 60 < (vendors.now - before).total_seconds() < 65


@pytest.mark.parametrize("by", ["-P1D", "tomorrow", ""])
def test_the_clock_does_not_go_back(vendors: Vendors, by: str) -> None:
    with pytest.raises(StackError):
        vendors.advance(by)


def test_state_survives_a_kill(tmp_path: Path) -> None:
    with Vendors(tmp_path / "kept", people=5) as vendors:
        auth = ("amplitude-project-key", "amplitude-project-secret")
        jobs = vendors.url("amplitude") + "/api/2/deletions/users"
        made = httpx2.post(jobs, json={"user_ids": ["2"]}, auth=auth).json()
        key = vendors.credentials()["google"]
        vendors.advance("P8D")
        mailchimp = vendors.url("mailchimp") + f"/3.0/lists/a1b2c3d4e5/members/{member('clara.adler@example.org')}"
        before, pid = vendors.now, vendors.pid
        # The last thing before the kill: what was answered is kept.
        assert httpx2.delete(mailchimp, auth=("any", "mailchimp-key-us1")).status_code == 204
        vendors.kill()
        assert not psutil.pid_exists(pid)
        vendors.start()
        assert httpx2.get(mailchimp, auth=("any", "mailchimp-key-us1")).json()["status"] == "archived"
        assert vendors.credentials()["google"] == key
        assert 0 <= (vendors.now - before).total_seconds() < 60
        assert [one["day"] for one in vendors.dump("amplitude")["jobs"]] == [made["day"]]
        assert len(vendors.dump("stripe")["customers"]) == 5  # not seeded again
        vendors.advance("P6D")
        assert "2" not in {one["user_id"] for one in vendors.dump("amplitude")["users"].values()}
    assert (tmp_path / "kept" / "vendors.json").stat().st_mode & 0o077 == 0


def test_without_a_home_nothing_is_left() -> None:
    with Vendors(people=2) as vendors:
        home = vendors.home
        assert not (home / "vendors.json").exists()
    assert not home.exists()


def test_it_listens_on_loopback_alone(vendors: Vendors) -> None:
    listening = psutil.Process(vendors.pid).net_connections("inet")
    assert {one.laddr.ip for one in listening if one.status == psutil.CONN_LISTEN} <= {HOST, "::1"}


def test_people_can_be_added_and_linked(vendors: Vendors, stripe: httpx2.Client, zendesk: httpx2.Client) -> None:
    person = {"id": "4711", "email": "new.person@example.org", "name": "New Person", "open_tickets": 1}
    assert vendors.seed([person]) == dict.fromkeys(("google", "amplitude", "mailchimp", "zendesk", "stripe"), 1)
    assert stripe.get(f"/v1/customers/{stripe_id('4711')}").json()["metadata"] == {"shop_id": "4711"}
    [found] = zendesk.get("/api/v2/users/search", params={"external_id": "4711"}).json()["users"]
    assert found["email"] == "new.person@example.org"
    assert vendors.dump("amplitude")["users"][str(completed(person)["amplitude_id"])]["user_id"] == "4711"


def test_people_can_be_known_to_some_vendors_only(vendors: Vendors) -> None:
    assert vendors.seed([{"id": "4712", "vendors": ["stripe"]}])["mailchimp"] == 0
    assert vendors.seed([{"id": "4713"}], ["zendesk"]) == {"zendesk": 1}
    assert stripe_id("4713") not in vendors.dump("stripe")["customers"]


def test_the_same_seed_gives_the_same_people() -> None:
    assert shop_people(300) == shop_people(300)
    assert len({one["email"].lower() for one in shop_people(2000)}) == 2000
    assert {one["stripe_id"][:4] for one in shop_people(300)} == {"cus_"}


def test_the_people_are_those_of_the_demos_shop(database: Database) -> None:
    with psycopg.connect(database.conninfo) as shop:
        shop.execute((DEMO / "shop.sql").read_bytes())
        rows = shop.execute(
            "SELECT id::text, email, full_name, phone, 'cus_' || substr(md5('stripe' || id), 1, 14)"
            " FROM customers ORDER BY customers.id"
        ).fetchall()
    ours = [(one["id"], one["email"], one["name"], one["phone"], one["stripe_id"]) for one in shop_people(2000)]
    assert rows == ours


def test_the_record_has_every_request_and_no_credential(vendors: Vendors, stripe: httpx2.Client) -> None:
    stripe.post("/v1/customers", data={"email": "x@example.org"}, headers={"idempotency-key": "k"})
    httpx2.get(vendors.url("stripe") + "/v1/customers", headers={"authorization": "Bearer sk_wrong_secret"})
    httpx2.get(vendors.url("stripe") + "/v1/nothing", auth=("sk_test_fake", ""))
    made, refused, unknown = vendors.traffic("stripe")
    assert (made["method"], made["path"], made["body"]) == ("POST", "/v1/customers", "email=x%40example.org")
    assert made["headers"]["idempotency-key"] == "k"
    assert [one["status"] for one in (made, refused, unknown)] == [200, 401, 404]
    assert [one["worked"] for one in (made, refused, unknown)] == [True, False, False]
    text = str(vendors.traffic())
    assert "sk_wrong_secret" not in text
    assert "sk_test_fake" not in text
    assert "Basic sha256:" in text


def test_the_record_of_google_has_neither_assertion_nor_token(vendors: Vendors, google: httpx2.Client) -> None:
    google.post("/v1alpha/properties/412345678:submitUserDeletion", json={"userId": "2"})
    text = str(vendors.traffic("google"))
    assert len(vendors.traffic("google")) == 2
    assert "assertion=" not in text
    assert "ya29" not in text
    assert "PRIVATE KEY" not in str(vendors.dump("google"))


def test_a_new_world_forgets_the_old_one(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.advance("P9D")
    vendors.fault("mailchimp", "error")
    vendors.reset()
    assert abs((vendors.now - datetime.now(UTC)).total_seconds()) < 5
    assert mailchimp.get("/3.0/search-members", params={"query": "adler"}).json()["exact_matches"]["members"] == []
    assert len(vendors.traffic()) == 1


def test_what_was_asked_of_the_old_world_is_not_done_in_the_new(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    place = f"/3.0/lists/a1b2c3d4e5/members/{member('clara.adler@example.org')}"
    vendors.fault("mailchimp", "slow", "member.delete", seconds=0.5)
    with pytest.raises(httpx2.ReadTimeout):
        mailchimp.post(f"{place}/actions/delete-permanent", timeout=httpx2.Timeout(30, read=0.1))
    vendors.reset(people=3)
    time.sleep(0.7)
    assert mailchimp.get(place).status_code == 200
