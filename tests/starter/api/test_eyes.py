"""What takes two people takes two people: no token stands in for one of them, and who did what is on record."""

from __future__ import annotations

import pytest

from starter.access import Action
from tests.starter.api.conftest import Api
from tests.starter.api.test_nouns import HOLD, REFUSAL
from tests.starter.api.test_requests import opened

NEXT_REVIEW = {"until": "2027-01-25"}


@pytest.mark.parametrize(("verb", "body"), [("confirm", {}), ("review", NEXT_REVIEW)])
def test_a_systems_token_places_a_hold_and_is_never_the_second_person(
    api: Api, verb: str, body: dict[str, str]
) -> None:
    """Whoever knows the token and is counsel would confirm their own hold, or by a review take back another's word to
    release it."""
    hold = api("POST", "/v1/holds", json=HOLD, by="s-counsel").json()["id"]
    api.known.system("t-holds", Action.PLACE_HOLD, Action.CONFIRM_HOLD, Action.READ_HOLD)
    placed = api("POST", "/v1/holds", json=HOLD, by="t-holds")
    assert placed.status_code == 201, placed.text

    refused = api("POST", f"/v1/holds/{hold}/{verb}", json=body, by="t-holds")

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert api("POST", f"/v1/holds/{hold}/{verb}", json=body, by="s-delegate").status_code == 200


def test_no_system_proposes_a_decision_that_a_person_who_knows_its_token_then_approves(api: Api) -> None:
    request_id = opened(api)
    api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})

    refused = api("POST", f"/v1/requests/{request_id}/decisions", json=REFUSAL, by="t-all")

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert api("POST", f"/v1/requests/{request_id}/decisions", json=REFUSAL).status_code == 201
