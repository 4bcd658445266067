"""Whatever is sent is answered as a vendor would, and leaves the vendor able to answer the next."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starter.stack import Vendors
from tests.fakes.clients import member

odd: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=5), st.just("2"))
values = st.recursive(odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))


def objects(*names: str) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), values) | values


MEMBER = f"/3.0/lists/a1b2c3d4e5/members/{member('clara.adler@example.org')}"
BODIES = {
    "amplitude": ("POST", "/api/2/deletions/users", objects("user_ids", "amplitude_ids", "ignore_invalid_id")),
    "organisation": ("POST", "/api/2/dsar/requests", objects("userId", "amplitudeId", "startDate", "endDate")),
    "google": ("POST", "/v1alpha/properties/412345678:submitUserDeletion", objects("userId", "clientId", "email")),
    "mailchimp": ("PATCH", MEMBER, objects("status", "merge_fields", "email_address", "tags")),
    "zendesk": ("PUT", "/api/v2/users/900000000002", objects("user", "name")),
    "stripe": ("POST", "/v1/privacy/redaction_jobs", objects("objects", "validation_behavior")),
}
READS = {
    "amplitude": "/api/2/usersearch?user=2",
    "organisation": "/api/2/dsar/requests/53367",
    "google": None,
    "mailchimp": "/3.0/search-members?query=adler",
    "zendesk": "/api/v2/users/search?query=adler",
    "stripe": "/v1/customers",
}


@pytest.mark.parametrize("who", BODIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_odd_bodies_are_answered(
    vendors: Vendors, request: pytest.FixtureRequest, who: str, data: st.DataObject
) -> None:
    client: httpx2.Client = request.getfixturevalue(who)
    method, path, bodies = BODIES[who]
    vendors.advance("PT2S")
    body = data.draw(bodies)
    if who == "stripe" and isinstance(body, dict):
        form = {f"{name}[customers][]": str(value) for name, value in body.items()}
        answer = client.request(method, path, data=form)
    else:
        answer = client.request(method, path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code < 500
    assert answer.status_code != 401 or who == "google"  # its token runs out
    for read in filter(None, [READS[who]]):
        assert client.get(read).status_code < 500
    assert vendors.dump("amplitude" if who == "organisation" else who)
