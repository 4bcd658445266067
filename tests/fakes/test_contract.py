"""Everything the fake says, and takes, is as the vendor's document has it; and the check can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from starter.stack import Vendors
from starter.stack.vendors.seeding import stripe_id
from tests.fakes.contract import BEYOND, DOCUMENTED, check

Exchange = dict[str, Any]


def amplitude_scenario(vendors: Vendors, amplitude: httpx2.Client, organisation: httpx2.Client) -> None:
    jobs, requests = "/api/2/deletions/users", "/api/2/dsar/requests"
    body = {"user_ids": ["2", 3], "amplitude_ids": [300_000_000_004], "requester": "a", "ignore_invalid_id": "true"}
    job = amplitude.post(jobs, json=body).json()
    vendors.advance("PT2S")
    amplitude.post(jobs, json={"user_ids": ["5"], "delete_from_org": "true", "include_mapped_user_ids": "true"})
    vendors.advance("PT2S")
    amplitude.post(jobs, json={"user_ids": ["nobody"]})
    amplitude.post(jobs, json={"user_ids": ["6"]})  # too soon
    vendors.advance("PT2S")
    amplitude.delete(f"{jobs}/300000000004/{job['day']}")
    number = organisation.post(requests, json={"userId": "2", "startDate": "2020-01-01", "endDate": "2030-01-01"})
    other = {"amplitudeId": 300_000_000_003, "startDate": "2020-01-01", "endDate": "2030-01-01"}
    organisation.post(requests, json=other)
    for wait in ("PT1S", "PT1H", "P1D", "P12D", "P3D"):
        vendors.advance(wait)
        amplitude.get(jobs, params={"start_day": "2026-10-01", "end_day": "2027-03-01"})
        status = organisation.get(f"{requests}/{number.json()['requestId']}").json()
        for url in status["urls"]:
            organisation.get(url)
    vendors.advance("PT2S")
    amplitude.get(jobs, params={"start_day": "2026-10-01"})
    httpx2.get(vendors.url("amplitude") + jobs)
    amplitude.get("/api/2/usersearch", params={"user": "3"})


def google_scenario(google: httpx2.Client) -> None:
    submit = "/v1alpha/properties/412345678:submitUserDeletion"
    upsert = "/analytics/v3/userDeletion/userDeletionRequests:upsert"
    for body in ({"userId": "2"}, {"userProvidedData": "clara.adler@example.org"}, {"userId": "2", "clientId": "1"}):
        google.post(submit, json=body)
    for kind in ("USER_ID", "CLIENT_ID", "EMAIL"):
        request: Exchange = {
            "kind": "analytics#userDeletionRequest",
            "id": {"type": kind, "userId": "2"},
            "propertyId": "412345678",
        }
        google.post(upsert, json=request)


def stripe_scenario(vendors: Vendors, stripe: httpx2.Client) -> None:
    jobs, form = "/v1/privacy/redaction_jobs", "objects[customers][]"
    good = stripe.post(jobs, data={form: [stripe_id("2"), stripe_id("3")], "validation_behavior": "fix"}).json()["id"]
    bad = stripe.post(jobs, data={"objects[customers][0]": stripe_id("4")}).json()["id"]
    stripe.post(jobs, data={form: "cus_nobody"})
    stripe.post(f"{jobs}/{good}/run")
    vendors.advance("PT1M")
    for job in (good, bad):
        stripe.get(f"{jobs}/{job}", params={"expand[]": "objects"})
        stripe.get(f"{jobs}/{job}/validation_errors")
    stripe.post(f"{jobs}/{good}/run")
    stripe.post(f"{jobs}/{bad}/validate")
    vendors.advance("PT30M")
    stripe.post(f"{jobs}/{bad}/cancel")
    stripe.get(f"{jobs}/{good}", headers={"authorization": "Bearer sk_test_fake"})
    stripe.get("/v1/customers")


@pytest.fixture
def record(
    vendors: Vendors,
    amplitude: httpx2.Client,
    organisation: httpx2.Client,
    google: httpx2.Client,
    stripe: httpx2.Client,
) -> Callable[[str], list[Exchange]]:
    """The traffic of a scenario that touches each of a vendor's documented endpoints."""

    def recorded(vendor: str) -> list[Exchange]:
        match vendor:
            case "amplitude":
                amplitude_scenario(vendors, amplitude, organisation)
            case "google":
                google_scenario(google)
            case _:
                stripe_scenario(vendors, stripe)
        return vendors.traffic(vendor)

    return recorded


@pytest.mark.parametrize("vendor", DOCUMENTED)
def test_the_fake_speaks_as_documented(record: Callable[[str], list[Exchange]], vendor: str) -> None:
    found = check(vendor, record(vendor))
    assert found.faults == []
    assert found.undocumented <= BEYOND[vendor]


# Each operation of the documents, with each answer that they give it and a scenario can bring about.
SEEN = {
    "amplitude": {
        *(f"deletion.{what}" for what in ("create 200", "create 400", "create 429", "list 200", "revoke 200")),
        *("access.create 202", "access.status 200", "access.output 302"),
    },
    "google": {"delete 200", "upsert 200"},
    "stripe": {
        *(f"jobs.{step} 200" for step in ("create", "get", "run", "validate", "cancel", "errors")),
        *("jobs.create 400", "jobs.run 400"),
    },
}


@pytest.mark.parametrize("vendor", DOCUMENTED)
def test_every_documented_answer_is_seen(record: Callable[[str], list[Exchange]], vendor: str) -> None:
    assert check(vendor, record(vendor)).checked == SEEN[vendor]


@pytest.mark.parametrize(
    ("vendor", "operation", "part", "old", "new"),
    [
        ("amplitude", "deletion.create", "answer", '"status"', '"state"'),
        ("amplitude", "deletion.create", "answer", "staging", "pending"),
        ("amplitude", "deletion.create", "body", "user_ids", "users"),
        ("amplitude", "access.create", "answer", "requestId", "request_id"),
        ("amplitude", "access.create", "body", "startDate", "start"),
        ("amplitude", "deletion.list", "query", "start_day", "from"),
        ("google", "delete", "body", "userId", "user_id"),
        ("google", "delete", "answer", "deletionRequestTime", "time"),
        ("google", "upsert", "answer", "Z", ""),
        ("stripe", "jobs.create", "body", "customers", "clients"),
        ("stripe", "jobs.create", "body", "fix", "repair"),
        ("stripe", "jobs.run", "answer", "redacting", "running"),
    ],
)
def test_a_difference_is_found(
    record: Callable[[str], list[Exchange]], vendor: str, operation: str, part: str, old: str, new: str
) -> None:
    exchange = next(one for one in record(vendor) if one["operation"] == operation and one["worked"])
    assert check(vendor, [exchange]).faults == []
    bent = copy.deepcopy(exchange)
    if part == "query":
        bent["query"] = {name.replace(old, new): value for name, value in bent["query"].items()}
    else:
        bent[part] = bent[part].replace(old, new)
    assert bent[part] != exchange[part]
    [fault] = check(vendor, [bent]).faults
    assert fault.startswith(operation)


def test_a_request_without_a_credential_is_found(record: Callable[[str], list[Exchange]]) -> None:
    exchange = next(one for one in record("amplitude") if one["operation"] == "deletion.create" and one["worked"])
    del exchange["headers"]["authorization"]
    assert len(check("amplitude", [exchange]).faults) == 1
