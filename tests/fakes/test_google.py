"""The fake of Google Analytics takes what is well formed, says nothing of the outcome, and keeps its quotas."""

from __future__ import annotations

from typing import Any

import google.auth.exceptions
import httpx2
import pytest

from starter.stack import Vendors
from tests.fakes.clients import DELETION, EDIT, google_token

SUBMIT = "/v1alpha/properties/412345678:submitUserDeletion"
UPSERT = "/analytics/v3/userDeletion/userDeletionRequests:upsert"


def upsert(**changed: Any) -> dict[str, Any]:
    known = {"kind": "analytics#userDeletionRequest", "id": {"type": "USER_ID", "userId": "2"}}
    return {**known, "propertyId": "412345678", **changed}


def user(vendors: Vendors, ident: str = "2") -> dict[str, Any]:
    return dict(vendors.dump("google")["users"][ident])


@pytest.mark.parametrize("body", [{"userId": "2"}, {"userProvidedData": "clara.adler@example.org"}])
def test_the_person_is_hidden_in_three_days_and_erased_in_two_months(
    vendors: Vendors, google: httpx2.Client, body: dict[str, str]
) -> None:
    assert set(google.post(SUBMIT, json=body).raise_for_status().json()) == {"deletionRequestTime"}
    assert not user(vendors)["hidden"]
    vendors.advance("P3D")
    assert (user(vendors)["hidden"], user(vendors)["erased"]) == (True, False)
    vendors.advance("P63D")
    assert (user(vendors)["erased"], user(vendors)["events"]) == (True, 0)
    assert not user(vendors, "3")["hidden"]


def test_an_address_that_is_not_normalised_deletes_nobody(vendors: Vendors, google: httpx2.Client) -> None:
    assert google.post(SUBMIT, json={"userProvidedData": "Clara.Adler@example.org"}).status_code == 200
    vendors.advance("P70D")
    assert not user(vendors)["erased"]


def test_an_address_is_known_as_it_is_normalised(vendors: Vendors, google: httpx2.Client) -> None:
    # The shop knows this customer as Ben.Adler@example.org.
    assert google.post(SUBMIT, json={"userProvidedData": "ben.adler@example.org"}).status_code == 200
    vendors.advance("P70D")
    assert user(vendors, "1")["erased"]


def test_who_is_unknown_gets_the_same_answer(google: httpx2.Client) -> None:
    assert google.post(SUBMIT, json={"userId": "nobody"}).status_code == 200


def test_the_older_endpoint_does_the_same(vendors: Vendors, google: httpx2.Client) -> None:
    first = google.post(UPSERT, json=upsert()).raise_for_status().json()
    assert first["deletionRequestTime"]
    assert google.post(UPSERT, json=upsert()).status_code == 200  # again is harmless
    vendors.advance("P66D")
    assert user(vendors)["erased"]


@pytest.mark.parametrize("body", [{}, {"userId": "2", "clientId": "1.1"}, {"email": "a@example.org"}, {"userId": 2}])
def test_exactly_one_known_identifier_is_taken(google: httpx2.Client, body: dict[str, Any]) -> None:
    answer = google.post(SUBMIT, json=body)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("changed", [{"webPropertyId": "UA-1-1"}, {"id": {"type": "EMAIL", "userId": "2"}}])
def test_the_older_endpoint_refuses_what_is_not_its_own(google: httpx2.Client, changed: dict[str, Any]) -> None:
    assert google.post(UPSERT, json=upsert(**changed)).status_code == 400


def test_another_property_is_forbidden(google: httpx2.Client) -> None:
    assert google.post(SUBMIT.replace("412345678", "1"), json={"userId": "2"}).status_code == 403
    assert google.post(UPSERT, json=upsert(propertyId="1")).status_code == 403


def test_five_hundred_a_day(vendors: Vendors, google: httpx2.Client) -> None:
    vendors.freeze()
    codes = []
    for _ in range(250):
        codes += [google.post(SUBMIT, json={"userId": "2"}).status_code for _ in range(2)]
        vendors.advance("PT2S")
    assert codes == [200] * 500
    over = google.post(SUBMIT, json={"userId": "2"})
    assert (over.status_code, over.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    vendors.advance("PT24H")
    google.headers["authorization"] = f"Bearer {google_token(vendors)}"
    assert google.post(SUBMIT, json={"userId": "2"}).status_code == 200


def test_one_and_a_half_a_second(vendors: Vendors, google: httpx2.Client) -> None:
    vendors.freeze()
    assert [google.post(SUBMIT, json={"userId": "2"}).status_code for _ in range(4)] == [200, 200, 200, 429]
    # The older endpoint has quotas of its own, and another way to say so.
    codes = [google.post(UPSERT, json=upsert()).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 403]


def test_a_token_expires_after_an_hour(vendors: Vendors, google: httpx2.Client) -> None:
    vendors.advance("PT59M")
    assert google.post(SUBMIT, json={"userId": "2"}).status_code == 200
    vendors.advance("PT2M")
    refused = google.post(SUBMIT, json={"userId": "2"})
    assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(("scope", "submit", "older"), [(EDIT, 200, 403), (DELETION, 403, 200)])
def test_each_endpoint_wants_its_own_scope(vendors: Vendors, scope: str, submit: int, older: int) -> None:
    headers = {"authorization": f"Bearer {google_token(vendors, scope)}"}
    with httpx2.Client(base_url=vendors.url("google"), headers=headers) as client:
        assert client.post(SUBMIT, json={"userId": "2"}).status_code == submit
        assert client.post(UPSERT, json=upsert()).status_code == older


@pytest.mark.parametrize("changed", [{"client_email": "other@made-up-shop.example"}, {"private_key": "another"}])
def test_another_service_account_gets_no_token(vendors: Vendors, changed: dict[str, str]) -> None:
    info = vendors.credentials()["google"]["service_account"]
    if "private_key" in changed:
        with Vendors() as others:
            changed = {"private_key": others.credentials()["google"]["service_account"]["private_key"]}
    with pytest.raises(google.auth.exceptions.RefreshError):
        google_token(vendors, key=info | changed)
