"""The fake of Stripe: validated before it is run, redacted and not gone, once for each idempotency key."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from starter.stack import Vendors
from starter.stack.vendors.seeding import stripe_id

JOBS = "/v1/privacy/redaction_jobs"
CLARA, PENDING, SUBSCRIBED = stripe_id("2"), stripe_id("4"), stripe_id("5")


def make(client: httpx2.Client, *customers: str, **more: str) -> httpx2.Response:
    return client.post(JOBS, data={"objects[customers][]": list(customers), **more})


def made(client: httpx2.Client, *customers: str, **more: str) -> str:
    return str(make(client, *customers, **more).raise_for_status().json()["id"])


def status(client: httpx2.Client, job: str) -> str:
    return str(client.get(f"{JOBS}/{job}").raise_for_status().json()["status"])


def test_a_job_runs_only_when_it_is_validated(vendors: Vendors, stripe: httpx2.Client) -> None:
    vendors.freeze()
    job = made(stripe, CLARA)
    assert status(stripe, job) == "created"
    assert stripe.post(f"{JOBS}/{job}/run").status_code == 400
    vendors.advance("PT5S")
    assert status(stripe, job) == "validating"
    assert stripe.post(f"{JOBS}/{job}/run").status_code == 400
    vendors.advance("P9D")
    assert status(stripe, job) == "ready"  # and stays so: nothing runs by itself
    assert "clara.adler@example.org" in str(vendors.dump("stripe"))
    assert stripe.post(f"{JOBS}/{job}/run").json()["status"] == "redacting"
    assert stripe.post(f"{JOBS}/{job}/cancel").status_code == 400
    vendors.advance("PT11M")
    assert status(stripe, job) == "succeeded"
    assert stripe.post(f"{JOBS}/{job}/run").status_code == 400


def test_objects_survive_redacted(vendors: Vendors, stripe: httpx2.Client) -> None:
    before = stripe.get("/v1/charges", params={"customer": CLARA}).json()["data"]
    job = made(stripe, CLARA)
    vendors.advance("PT1M")
    stripe.post(f"{JOBS}/{job}/run").raise_for_status()
    vendors.advance("PT11M")
    customer = stripe.get(f"/v1/customers/{CLARA}").raise_for_status().json()
    assert {customer[name] for name in ("email", "name", "phone")} == {"[redacted]"}
    after = stripe.get("/v1/charges", params={"customer": CLARA}).json()["data"]
    assert [(one["id"], one["amount"]) for one in after] == [(one["id"], one["amount"]) for one in before]
    for one in ("clara", "Clara", "+49 30 1008782"):
        assert one not in str({kind: rows for kind, rows in vendors.dump("stripe").items() if kind != "jobs"})
    assert stripe.get("/v1/customers", params={"email": "clara.adler@example.org"}).json()["data"] == []
    assert stripe.post(f"/v1/customers/{CLARA}", data={"email": "a@example.org"}).status_code == 400


@pytest.mark.parametrize("customer", [PENDING, SUBSCRIBED])
def test_what_is_not_at_its_end_stops_the_job(vendors: Vendors, stripe: httpx2.Client, customer: str) -> None:
    job = made(stripe, customer)
    vendors.advance("PT1M")
    assert status(stripe, job) == "failed"
    [error] = stripe.get(f"{JOBS}/{job}/validation_errors").json()["data"]
    assert error["code"] == "invalid_state"
    ident = error["erroring_object"]["id"]
    if error["erroring_object"]["object_type"] == "payment_intent":
        stripe.post(f"/v1/payment_intents/{ident}/cancel").raise_for_status()
    else:
        stripe.delete(f"/v1/subscriptions/{ident}").raise_for_status()
    assert stripe.post(f"{JOBS}/{job}/validate").json()["status"] == "validating"
    vendors.advance("PT1M")
    assert status(stripe, job) == "ready"
    assert stripe.get(f"{JOBS}/{job}/validation_errors").json()["data"] == []


def test_fixing_ends_what_is_unfinished_when_the_job_runs(vendors: Vendors, stripe: httpx2.Client) -> None:
    job = made(stripe, PENDING, validation_behavior="fix")
    vendors.advance("PT1M")
    assert status(stripe, job) == "ready"
    stripe.post(f"{JOBS}/{job}/run").raise_for_status()
    vendors.advance("PT11M")
    payments = stripe.get("/v1/payment_intents", params={"customer": PENDING}).json()["data"]
    assert "requires_payment_method" not in {one["status"] for one in payments}


def test_one_customer_is_in_one_job_at_a_time(vendors: Vendors, stripe: httpx2.Client) -> None:
    first = made(stripe, CLARA)
    vendors.advance("PT1M")
    second = made(stripe, CLARA)
    vendors.advance("PT1M")
    assert status(stripe, second) == "failed"
    [error] = stripe.get(f"{JOBS}/{second}/validation_errors").json()["data"]
    assert error["code"] == "locked_by_other_job"
    assert stripe.post(f"{JOBS}/{first}/cancel").json()["status"] == "canceling"
    stripe.post(f"{JOBS}/{second}/validate")
    vendors.advance("PT1M")
    assert (status(stripe, first), status(stripe, second)) == ("canceled", "ready")


def test_a_job_takes_ten_objects(vendors: Vendors, stripe: httpx2.Client) -> None:
    customers = [stripe_id(str(n)) for n in range(1, 12)]
    assert make(stripe, *customers).status_code == 400
    assert make(stripe, *customers[:10]).status_code == 200


def test_jobs_are_of_a_preview_version(stripe: httpx2.Client) -> None:
    assert make(stripe, "cus_nobody").status_code == 400
    stripe.headers["stripe-version"] = "2026-10-29.clover"
    assert make(stripe, CLARA).status_code == 400


def test_the_same_key_makes_one_job(vendors: Vendors, stripe: httpx2.Client) -> None:
    form = {"objects[customers][]": CLARA}
    first, second = (stripe.post(JOBS, data=form, headers={"idempotency-key": "k1"}) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(vendors.dump("stripe")["jobs"]) == 1
    other = stripe.post(JOBS, data={"objects[customers][]": PENDING}, headers={"idempotency-key": "k1"})
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    vendors.advance("P1DT1H")
    third = stripe.post(JOBS, data=form, headers={"idempotency-key": "k1"})
    assert third.json()["id"] != first.json()["id"]


def test_without_a_key_each_call_counts(vendors: Vendors, stripe: httpx2.Client) -> None:
    made(stripe, CLARA)
    made(stripe, CLARA)
    assert len(vendors.dump("stripe")["jobs"]) == 2


def test_customers_are_found_by_search_and_by_list(vendors: Vendors, stripe: httpx2.Client) -> None:
    def searched(query: str) -> list[str]:
        answer = stripe.get("/v1/customers/search", params={"query": query}).raise_for_status()
        return [one["id"] for one in answer.json()["data"]]

    assert searched("email:'CLARA.adler@example.org'") == [CLARA]
    assert searched('metadata["shop_id"]:"2"') == [CLARA]
    assert len(searched("name~'adler'")) > 1
    assert stripe.get("/v1/customers/search", params={"query": "clara"}).status_code == 400
    # The list minds capitals: the shop knows this customer as Ben.Adler@example.org.
    assert stripe.get("/v1/customers", params={"email": "ben.adler@example.org"}).json()["data"] == []
    assert searched("email:'ben.adler@example.org'") == [stripe_id("1")]


def test_a_new_customer_is_searchable_after_a_minute(vendors: Vendors, stripe: httpx2.Client) -> None:
    form = {"email": "new@example.org", "metadata[shop_id]": "77"}
    ident = stripe.post("/v1/customers", data=form).json()["id"]
    query = {"query": "email:'new@example.org'"}
    assert stripe.get("/v1/customers/search", params=query).json()["data"] == []
    vendors.advance("PT2M")
    assert [one["id"] for one in stripe.get("/v1/customers/search", params=query).json()["data"]] == [ident]


def test_a_deleted_customer_leaves_a_stub(stripe: httpx2.Client) -> None:
    assert stripe.delete(f"/v1/customers/{CLARA}").json()["deleted"] is True
    assert stripe.get(f"/v1/customers/{CLARA}").json() == {"id": CLARA, "object": "customer", "deleted": True}
    assert stripe.delete(f"/v1/customers/{CLARA}").status_code == 404


def test_lists_lead_on(stripe: httpx2.Client) -> None:
    seen: list[str] = []
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"]:
        after = {"starting_after": seen[-1]} if seen else {}
        page = stripe.get("/v1/customers", params={"limit": 7, **after}).json()
        seen += [one["id"] for one in page["data"]]
    assert (len(seen), len(set(seen))) == (20, 20)


def test_what_a_job_is_about_is_shown_on_demand(stripe: httpx2.Client) -> None:
    job = made(stripe, CLARA)
    assert "objects" not in stripe.get(f"{JOBS}/{job}").json()
    shown = stripe.get(f"{JOBS}/{job}", params={"expand[]": "objects"}).json()
    assert shown["objects"] == {"customers": [CLARA]}


def test_a_hundred_a_second(vendors: Vendors, stripe: httpx2.Client) -> None:
    vendors.freeze()
    answers = [stripe.get(f"/v1/customers/{CLARA}") for _ in range(101)]
    assert [one.status_code for one in answers] == [200] * 100 + [429]
    assert answers[100].headers["stripe-rate-limited-reason"]


@pytest.mark.parametrize("auth", [("sk_test_wrong", ""), None])
def test_a_wrong_key_is_refused(vendors: Vendors, auth: Any) -> None:
    answer = httpx2.get(vendors.url("stripe") + "/v1/customers", auth=auth)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "invalid_request_error")
