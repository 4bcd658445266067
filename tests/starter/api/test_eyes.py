"""What takes two people takes two people: no token stands in for one of them, and who did what is on record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rights.codes import Code
from rights.request import Phase
from starter.access import Action
from starter.desk import Desk, load_settings
from tests.starter.api.conftest import Api
from tests.starter.api.test_nouns import HOLD, REFUSAL, desk_of
from tests.starter.api.test_requests import ASKED, opened

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


# Whoever brought an erasure about does not approve it.


def previewed(api: Api, *, opened_by: str = "s-agent", confirmed_by: str = "s-agent") -> str:
    """A request whose preview waits for somebody to approve it."""
    asked = api("POST", "/v1/requests", json=ASKED, by=opened_by)
    assert asked.status_code == 202, asked.text
    request_id = str(asked.json()["id"])
    done = api("POST", f"/v1/requests/{request_id}/identity/confirm", json={}, by=confirmed_by)
    assert done.json() == {"proven": True}
    for phase in (Phase.LOCATING, Phase.APPROVING):
        desk_of(api).ledger.move(request_id, phase, at=datetime.now(UTC))
    return request_id


@pytest.mark.parametrize("who", [{"opened_by": "s-approver"}, {"confirmed_by": "s-approver"}])
def test_whoever_opened_or_vouched_does_not_approve_and_somebody_else_does(api: Api, who: dict[str, str]) -> None:
    request_id = previewed(api, **who)
    path = f"/v1/requests/{request_id}/approve"

    refused = api("POST", path, json={}, by="s-approver")

    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert "somebody else approves" in refused.json()["detail"]
    assert not desk_of(api).ledger.request(request_id).approved
    assert api("POST", path, json={}, by="s-dpo").json() == {"approved": True, "new": True}


def test_whoever_entered_one_of_two_words_for_the_asker_is_refused_as_well(api: Api) -> None:
    request_id = opened(api)
    said = {"rung": "in_person", "proves": ["email"]}
    for by in ("s-approver", "s-agent"):
        api("POST", f"/v1/requests/{request_id}/identity/attest", json=said, by=by)
    for phase in (Phase.LOCATING, Phase.APPROVING):
        desk_of(api).ledger.move(request_id, phase, at=datetime.now(UTC))

    assert api("POST", f"/v1/requests/{request_id}/approve", json={}, by="s-approver").status_code == 409


def test_a_team_of_one_says_so_in_its_settings(api: Api) -> None:
    file = api.deployment.home / "habeas.toml"
    file.write_text(f"four_eyes = false\n{file.read_text()}")
    alone = api.app.state.desk = Desk(load_settings())
    request_id = previewed(api, opened_by="s-approver", confirmed_by="s-approver")

    done = api("POST", f"/v1/requests/{request_id}/approve", json={}, by="s-approver")

    assert done.json() == {"approved": True, "new": True}
    alone.ledger.close_connections()


def test_names_that_are_typed_are_compared_too(api: Api) -> None:
    request_id = opened(api)
    at = api.deployment
    at("request", "confirm-identity", request_id, "--by", "Privacy Desk")
    taken = at.open("--confirmed-by", "desk", "--taken-by", "mail room")
    for phase in (Phase.LOCATING, Phase.APPROVING):
        desk_of(api).ledger.move(request_id, phase, at=datetime.now(UTC))

    refused = at("request", "approve", request_id, "--by", "privacy  desk")

    assert refused.code == 5, refused
    assert at("request", "approve", request_id, "--by", "team lead").code == 0
    for phase in (Phase.LOCATING, Phase.APPROVING):
        desk_of(api).ledger.move(taken, phase, at=datetime.now(UTC))
    assert at("request", "approve", taken, "--by", "desk").code == 5
    assert at("request", "approve", taken, "--by", "Mail room").code == 5
    assert at("request", "approve", taken, "--by", "team lead").code == 0


# Who did it is on record.


def test_the_journal_and_the_timeline_say_who_did_it(api: Api) -> None:
    request_id = opened(api)
    path = f"/v1/requests/{request_id}"
    task = desk_of(api).ledger.open_task(
        request_id, f"{request_id}/shop/locate/0", Code.MANUAL, "shop", at=datetime.now(UTC)
    )
    api("POST", f"{path}/identity/codes", json={"to": "given"}, by="s-agent")
    api("POST", f"{path}/identity/codes/check", json={"code": "12345678"}, by="s-approver")
    api("POST", f"{path}/identity/confirm", json={}, by="s-agent")
    api("POST", f"{path}/tasks/{task}/rule", json={"word": "done"}, by="s-approver")
    api("POST", f"{path}/withdraw", json={"note": "she called"}, by="s-agent")

    rows = api.deployment.rows("SELECT kind, body::jsonb ->> 'by' FROM entries ORDER BY seq")
    by = {kind: who for kind, who in rows if who}
    assert by == {
        "opened": "s-agent",
        "code_asked": "s-agent",
        "code_checked": "s-approver",
        "confirm_identity": "s-agent",
        "rule": "s-approver",
        "withdraw": "s-agent",
    }
    lines = {line["kind"]: line["says"] for line in api("GET", f"{path}/timeline").json()["lines"]}
    assert lines["rule"] == "A person ruled: done. By s-approver."
    assert lines["withdraw"] == "The person took the request back. By s-agent."
    told = api.deployment.rows("SELECT body::text FROM outbox")
    assert all("s-a" not in body for (body,) in told), "Temporal hears of nobody"
