"""One process of the vendors for all tests here, begun anew for each; and clients without any code of ours."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from starter.stack import Vendors
from tests.fakes.clients import google_token


@pytest.fixture(scope="session")
def process() -> Iterator[Vendors]:
    with Vendors() as running:
        yield running


@pytest.fixture
def vendors(process: Vendors) -> Vendors:
    """With the first twenty customers of the demo's shop."""
    process.reset(people=20)
    return process


@pytest.fixture
def amplitude(vendors: Vendors) -> Iterator[httpx2.Client]:
    known = vendors.credentials()["amplitude"]
    with httpx2.Client(
        verify=False, base_url=vendors.url("amplitude"), auth=(known["api_key"], known["secret_key"])
    ) as client:
        yield client


@pytest.fixture
def organisation(vendors: Vendors) -> Iterator[httpx2.Client]:
    """Amplitude with the organisation's keys, as access requests need them."""
    known = vendors.credentials()["amplitude"]
    auth = (known["org_api_key"], known["org_secret_key"])
    with httpx2.Client(verify=False, base_url=vendors.url("amplitude"), auth=auth) as client:
        yield client


@pytest.fixture
def google(vendors: Vendors) -> Iterator[httpx2.Client]:
    headers = {"authorization": f"Bearer {google_token(vendors)}"}
    with httpx2.Client(verify=False, base_url=vendors.url("google"), headers=headers) as client:
        yield client


@pytest.fixture
def mailchimp(vendors: Vendors) -> Iterator[httpx2.Client]:
    auth = ("any", vendors.credentials()["mailchimp"]["key"])
    with httpx2.Client(verify=False, base_url=vendors.url("mailchimp"), auth=auth) as client:
        yield client


@pytest.fixture
def zendesk(vendors: Vendors) -> Iterator[httpx2.Client]:
    known = vendors.credentials()["zendesk"]
    auth = (f"{known['email']}/token", known["token"])
    with httpx2.Client(verify=False, base_url=vendors.url("zendesk"), auth=auth) as client:
        yield client


@pytest.fixture
def stripe(vendors: Vendors) -> Iterator[httpx2.Client]:
    headers = {"stripe-version": "2026-10-29.preview"}
    auth = (vendors.credentials()["stripe"]["key"], "")
    with httpx2.Client(verify=False, base_url=vendors.url("stripe"), auth=auth, headers=headers) as client:
        yield client
