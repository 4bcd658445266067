"""Every other noun of the HTTP API: identity, decisions, tasks, holds, deadlines, parcels, letters, systems, lists."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.parcel_names import parcel_name
from activities.store import FileStore
from rights.codes import Code
from rights.holds import Disclosure
from rights.request import Phase
from starter.access import Role
from starter.desk import Desk
from tests.starter.api.conftest import Api
from tests.starter.api.test_requests import ASKED, opened
from tests.starter.conftest import PERSON


def desk_of(api: Api) -> Desk:
    found: Desk = api.app.state.desk
    return found


# Identity.


def test_somebody_is_confirmed_by_a_person_and_never_by_a_system(api: Api) -> None:
    request_id = opened(api)

    assert api("GET", f"/v1/requests/{request_id}/identity").json()["proven"] is False
    refused = api("POST", f"/v1/requests/{request_id}/identity/confirm", json={}, by="t-all")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    done = api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})

    assert done.json() == {"proven": True}
    assert api("GET", f"/v1/requests/{request_id}/identity").json()["proven"] is True


def test_it_takes_a_second_factor(api: Api) -> None:
    api.known.person("s-plain", Role.AGENT, second_factor=False)
    request_id = opened(api)

    refused = api("POST", f"/v1/requests/{request_id}/identity/confirm", json={}, by="s-plain")

    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_missing")


def test_a_code_is_asked_for_and_a_wrong_one_proves_nothing(api: Api) -> None:
    request_id = opened(api)

    sent = api("POST", f"/v1/requests/{request_id}/identity/codes", json={"to": "given"})
    assert sent.json() == {"to": "given", "number": 1}
    checked = api("POST", f"/v1/requests/{request_id}/identity/codes/check", json={"code": "12345678"})

    assert checked.json() == {"proven": False}
    assert api("POST", f"/v1/requests/{request_id}/identity/codes", json={"to": PERSON}).status_code == 422


def test_a_visit_takes_two(api: Api) -> None:
    request_id = opened(api)
    said = {"rung": "in_person", "proves": ["email"]}

    first = api("POST", f"/v1/requests/{request_id}/identity/attest", json=said)
    second = api("POST", f"/v1/requests/{request_id}/identity/attest", json=said, by="s-approver")

    assert (first.json(), second.json()) == ({"proven": False}, {"proven": True})


def test_what_nothing_ties_is_left_out(api: Api) -> None:
    both = [*ASKED["identities"], {"kind": "email", "value": "other@example.org"}]
    request_id = opened(api, identities=both)

    done = api(
        "POST",
        f"/v1/requests/{request_id}/identity/leave-out",
        json={"names": ["email/2"], "reason": "another person's"},
    )

    assert done.status_code == 200, done.text
    assert api("GET", f"/v1/requests/{request_id}/identity").json()["given"] == ["email"]


# Decisions.


def test_a_list_of_grounds_names_what_each_needs(api: Api) -> None:
    request_id = opened(api)

    grounds = api("GET", f"/v1/requests/{request_id}/grounds").json()["grounds"]

    assert "gdpr_12_5_excessive" in grounds
    assert grounds["gdpr_12_5_excessive"]["needs"]


REFUSAL = {
    "word": "refuse",
    "ground": "gdpr_12_5_excessive",
    "evidence": {"reason": "you asked daily", "objective": "40 in a month", "subjective": "it says so"},
}


def test_a_refusal_takes_somebody_elses_word_and_their_seat(api: Api) -> None:
    request_id = opened(api)
    api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})

    made = api("POST", f"/v1/requests/{request_id}/decisions", json=REFUSAL)
    assert made.status_code == 201, made.text
    decision = made.json()
    assert decision["state"] == "proposed"
    assert "daily" not in made.text
    for role in decision["missing"]:
        word = "agree" if role == "dpo" else "approve"
        nobody = api("POST", f"/v1/decisions/{decision['id']}/{word}", json={}, by="s-approver")
        assert (nobody.status_code, nobody.json()["code"]) == (409, "refused")
        assert api("POST", f"/v1/decisions/{decision['id']}/{word}", json={}, by=f"s-{role}").status_code == 200

    shown = api("GET", f"/v1/requests/{request_id}/decisions").json()
    assert [(one["id"], one["state"]) for one in shown["decisions"]] == [(decision["id"], "in_force")]


def test_a_decision_on_what_has_changed_is_not_approved(api: Api) -> None:
    request_id = opened(api)
    api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})
    decision = api("POST", f"/v1/requests/{request_id}/decisions", json=REFUSAL).json()
    tag = api("GET", f"/v1/requests/{request_id}").headers["etag"]
    desk_of(api).ledger.note(request_id, "redriven", {}, at=datetime.now(UTC))

    stale = api("POST", f"/v1/decisions/{decision['id']}/drop", json={}, headers={"if-match": tag})
    assert stale.status_code == 412
    dropped = api("POST", f"/v1/decisions/{decision['id']}/drop", json={})

    assert dropped.json()["state"] == "dropped"


def test_a_proposal_that_does_not_fit_says_what_is_missing(api: Api) -> None:
    request_id = opened(api)

    for body in ({"word": "refuse"}, {"word": "refuse", "ground": "canary"}, {"word": "fee", "fee": "canary"}):
        refused = api("POST", f"/v1/requests/{request_id}/decisions", json=body)
        assert refused.status_code in {409, 422}
        assert "canary" not in refused.text


def test_a_preview_is_approved_as_it_was_seen(api: Api) -> None:
    request_id = opened(api)
    ledger, moment = desk_of(api).ledger, datetime.now(UTC)
    early = api("POST", f"/v1/requests/{request_id}/approve", json={}, by="s-approver")
    assert (early.status_code, early.json()["code"]) == (409, "refused")
    api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})
    for phase in (Phase.LOCATING, Phase.APPROVING):
        ledger.move(request_id, phase, at=moment)
    tag = api("GET", f"/v1/requests/{request_id}").headers["etag"]

    assert api("POST", f"/v1/requests/{request_id}/approve", json={}).status_code == 403, "no agent does"
    done = api("POST", f"/v1/requests/{request_id}/approve", json={}, headers={"if-match": tag}, by="s-approver")

    assert done.json() == {"approved": True, "new": True}
    assert ledger.request(request_id).approved


# Tasks.


def test_a_task_is_listed_and_ruled_once(api: Api) -> None:
    request_id = opened(api)
    step = f"{request_id}/shop/locate/0"
    task = desk_of(api).ledger.open_task(request_id, step, Code.MANUAL, "shop", at=datetime.now(UTC))

    (listed,) = api("GET", "/v1/tasks").json()["tasks"]
    assert (listed["id"], listed["code"]) == (task, "manual")
    path = f"/v1/requests/{request_id}/tasks/{task}/rule"
    assert api("POST", path, json={"word": "choose"}).status_code == 422
    assert api("POST", path, json={"word": "choose", "persons": [1]}).status_code == 409
    assert api("POST", path, json={"word": "done", "note": "by hand"}).json() == {"ruled": "done", "new": True}
    assert api("POST", path, json={"word": "done"}).json() == {"ruled": "done", "new": False}
    assert api("POST", path, json={"word": "retry"}).status_code == 409
    assert api("GET", "/v1/tasks", params={"request": request_id}).json() == {"tasks": [], "next": None}


def test_tasks_come_in_pages(api: Api) -> None:
    request_id = opened(api)
    ledger = desk_of(api).ledger
    made = [
        ledger.open_task(request_id, f"{request_id}/s{n}/locate/0", Code.MANUAL, "x", at=datetime.now(UTC))
        for n in range(3)
    ]
    first = api("GET", "/v1/tasks", params={"limit": 2}).json()
    rest = api("GET", "/v1/tasks", params={"limit": 2, "cursor": first["next"]}).json()

    assert [one["id"] for one in first["tasks"] + rest["tasks"]] == made
    assert rest["next"] is None


# Holds.

HOLD: dict[str, Any] = {"identities": ASKED["identities"], "text": "the matter of the ladder"}


def test_a_hold_takes_two_to_place_and_two_to_release(api: Api) -> None:
    placed = api("POST", "/v1/holds", json=HOLD | {"systems": ["shop"]}, by="s-counsel")
    assert placed.status_code == 201, placed.text
    hold = placed.json()
    assert (hold["in_force"], hold["placed_by"]) == (True, "s-counsel")
    assert "ladder" not in placed.text
    assert PERSON not in placed.text

    def ask(verb: str, by: str, **body: Any) -> Any:
        return api("POST", f"/v1/holds/{hold['id']}/{verb}", json=body, by=by)

    assert ask("confirm", "s-counsel").status_code == 409, "nobody confirms their own"
    assert ask("confirm", "s-delegate").json()["confirmed_by"] == "s-delegate"
    next_review = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    assert ask("review", "s-delegate", until=next_review).json()["review_on"] == next_review
    assert ask("release", "s-agent").status_code == 403
    assert ask("release", "s-counsel").json()["in_force"] is True
    assert ask("release", "s-delegate", note="settled").json()["in_force"] is False
    assert api("GET", "/v1/holds", by="s-auditor").json() == {"holds": [], "next": None}
    assert len(api("GET", "/v1/holds", params={"all": True}, by="s-auditor").json()["holds"]) == 1


def test_a_hold_that_is_sent_twice_is_placed_once(api: Api) -> None:
    headers = {"idempotency-key": "matter-9"}
    first = api("POST", "/v1/holds", json=HOLD, by="s-counsel", headers=headers)
    again = api("POST", "/v1/holds", json=HOLD, by="s-counsel", headers=headers)

    assert first.text == again.text
    assert len(api.deployment.rows("SELECT id FROM holds")) == 1
    assert PERSON not in api.deployment.everything()


def test_a_secret_hold_is_there_for_counsel_alone(api: Api) -> None:
    secret = HOLD | {"disclosure": Disclosure.COUNSEL_TEXT}
    hold = api("POST", "/v1/holds", json=secret, by="s-counsel").json()["id"]

    assert api("GET", f"/v1/holds/{hold}", by="s-counsel").status_code == 200
    absent = api("GET", "/v1/holds/01kap2v7q4m8w3x9yd5tgh6jzr", by="s-dpo")
    for by in ("s-dpo", "s-auditor", "s-delegate", "s-approver", "t-all"):
        hidden = api("GET", f"/v1/holds/{hold}", by=by)
        assert hidden.status_code == 404
        assert hidden.json()["detail"] == absent.json()["detail"]
        assert api("GET", "/v1/holds", by=by).json()["holds"] == []
    assert api("POST", f"/v1/holds/{hold}/confirm", json={}, by="s-delegate").status_code == 404


@pytest.mark.parametrize(
    "slip",
    [{"systems": ["canary"]}, {"collections": ["shop.canary"]}, {"categories": ["canary"]}, {"reason": "canary"}],
)
def test_a_hold_with_a_slip_holds_nothing(api: Api, slip: dict[str, Any]) -> None:
    refused = api("POST", "/v1/holds", json=HOLD | slip, by="s-counsel")

    assert refused.status_code == 422
    assert "canary" not in refused.text
    assert api.deployment.rows("SELECT id FROM holds") == []


# Deadlines.


def test_what_is_due_comes_in_its_order(api: Api) -> None:
    made = [opened(api) for _ in range(3)]

    assert api("GET", "/v1/deadlines/due").json()["requests"] == []
    first = api("GET", "/v1/deadlines/due", params={"days": 60, "limit": 2}).json()
    rest = api("GET", "/v1/deadlines/due", params={"days": 60, "limit": 2, "cursor": first["next"]}).json()

    assert [one["id"] for one in first["requests"] + rest["requests"]] == made
    assert rest["next"] is None


def test_a_laws_arithmetic_is_the_command_lines(api: Api) -> None:
    asked = {"received": "2025-01-31", "calendar": "DE", "identity_asked": "2025-02-03"}
    there = api("GET", "/v1/regimes/eu-gdpr/deadlines", params=asked)
    here = api.deployment(
        "deadline", "eu-gdpr", "--received", "2025-01-31", "--calendar", "DE", "--identity-asked", "2025-02-03",
        "--explain", "--json",
    )  # fmt: skip

    assert there.json() == here.json
    assert api("GET", "/v1/regimes").json() == api.deployment("deadline", "--list", "--json").json


@pytest.mark.parametrize(
    ("law", "asked", "status"),
    [
        ("canary", {"received": "2025-01-31"}, 404),
        ("eu-gdpr", {}, 422),
        ("eu-gdpr", {"received": "canary"}, 422),
        ("eu-gdpr", {"received": "2025-01-31", "calendar": "XX"}, 422),
        ("eu-gdpr", {"received": "2025-01-31", "identity_received": "2025-02-01"}, 422),
        ("eu-gdpr", {"received": "2025-01-31", "identity_asked": "2025-02-05", "identity_received": "2025-02-01"}, 422),
    ],
)
def test_days_that_cannot_be_are_refused(api: Api, law: str, asked: dict[str, str], status: int) -> None:
    refused = api("GET", f"/v1/regimes/{law}/deadlines", params=asked)

    assert refused.status_code == status
    assert "canary" not in refused.text


# Parcels and letters.

WHY = {"reason": "contact"}


def packed(api: Api) -> str:
    """An access request with a parcel, sealed bytes of which lie in the store."""
    request_id = opened(api, right="access")
    at = desk_of(api)
    at.ledger.case_key(request_id, "parcel", create=True)
    with FileStore(at.settings.parcels).write(parcel_name(request_id)) as out:
        out.write(b"sealed bytes" * 10_000)
    at.ledger.note(request_id, "parcel", {"digest": "ab" * 32, "rows": 3, "size": 120}, at=datetime.now(UTC))
    return request_id


def test_a_parcel_goes_out_sealed_and_to_people_alone(api: Api) -> None:
    request_id = packed(api)

    assert api("GET", f"/v1/requests/{opened(api)}/parcel").status_code == 404
    shown = api("GET", f"/v1/requests/{request_id}/parcel").json()
    assert (shown["rows"], shown["readable"], shown["sha256"]) == (3, True, "ab" * 32)
    for by in ("s-auditor", "t-all"):
        assert api("GET", f"/v1/requests/{request_id}/parcel/sealed", params=WHY, by=by).status_code == 403
    for reason in ({}, {"reason": "canary"}, {"reason": "handling"}):
        refused = api("GET", f"/v1/requests/{request_id}/parcel/sealed", params=reason)
        assert (refused.status_code, refused.json()["code"]) == (422, "unusable")
    # Somebody has followed a link: their session comes along, and the journal would say that it was them.
    for site in ("cross-site", "same-site"):
        led = api("GET", f"/v1/requests/{request_id}/parcel/sealed", params=WHY, headers={"sec-fetch-site": site})
        assert (led.status_code, led.json()["code"]) == (403, "cross_site")
    assert desk_of(api).ledger.reveals(request_id) == []
    taken = api("GET", f"/v1/requests/{request_id}/parcel/sealed", params=WHY)

    assert taken.content == b"sealed bytes" * 10_000
    assert taken.headers["content-type"] == "application/octet-stream"
    (shown,) = desk_of(api).ledger.reveals(request_id)
    assert (shown.what, shown.why, shown.by) == ("parcel", "contact", "s-agent")


def test_a_parcel_that_went_wrong_stands_still(api: Api) -> None:
    request_id = packed(api)

    sent: dict[str, Any] = {"json": {"note": f"{PERSON} got it"}, "headers": {"idempotency-key": "r-1"}}
    reported = api("POST", f"/v1/requests/{request_id}/parcel/report", **sent)

    assert reported.status_code == 201, reported.text
    assert PERSON not in reported.text
    assert api("GET", f"/v1/requests/{request_id}/parcel").json()["incident"] == reported.json()["incident"]["id"]
    assert api("GET", f"/v1/requests/{request_id}/parcel/sealed", params=WHY).status_code == 409
    # The process ended before it had kept its answer.
    made = json.dumps({"incident": reported.json()["incident"]["id"], "in_flight": 0})
    api.deployment.rows("UPDATE kept_answers SET answer = %s RETURNING 1", (f"made {made}",))
    again = api("POST", f"/v1/requests/{request_id}/parcel/report", **sent)
    assert again.json()["incident"]["id"] == reported.json()["incident"]["id"]
    assert len(api.deployment.rows("SELECT id FROM incidents")) == 1


def test_letters_are_states_and_times(api: Api) -> None:
    request_id = opened(api)
    api.deployment.setting("log", "json")
    assert api("GET", f"/v1/requests/{request_id}/letters").json() == {"letters": []}
    assert api("GET", "/v1/letters/canary@example.org").status_code == 404
    assert api("GET", f"/v1/letters/{request_id}.refusal.0").status_code == 404


# Systems, and lists held against the list.


def test_the_map_is_shown_without_how_its_systems_are_reached(api: Api) -> None:
    shown = api("GET", "/v1/map", by="s-engineer")

    assert list(shown.json()["systems"]) == ["shop"]
    assert "file:" not in shown.text
    assert "env:" not in shown.text


def test_systems_health_is_what_workers_found(api: Api) -> None:
    before = api("GET", "/v1/connectors/health", by="s-engineer").json()

    assert before["checked_at"] is None
    assert [(one["system"], one["connector"], one["waits"]) for one in before["systems"]] == [("shop", "sql", 0)]
    assert api("GET", "/v1/connectors/health", by="s-agent").status_code == 403


def stopped(api: Api, email: str) -> None:
    answer = api(
        "POST",
        "/v1/requests",
        json={
            "right": "objection",
            "identities": [{"kind": "email", "value": email}],
            "details": {"scope": "marketing"},
        },
    )
    assert answer.status_code == 202, answer.text


def test_one_value_and_a_list_are_held_against_what_people_have_stopped(api: Api) -> None:
    stopped(api, PERSON)
    asked = {"kind": "email", "value": PERSON.upper(), "use": "marketing"}
    assert api("POST", "/v1/suppression/check", json=asked).json()["barred"] is True
    assert api("POST", "/v1/suppression/check", json=asked | {"value": "b@example.org"}).json() == {
        "barred": False,
        "why": [],
        "since": None,
    }

    def rows() -> Any:
        yield "\ufeffname,mail\n".encode()
        for number in range(3_000):
            yield f'"a, b\nc",{PERSON if number == 1_999 else f"p{number}@example.org"}\r\n'.encode()
        yield "Ä,no address".encode()

    answer = api("POST", "/v1/suppression/check-csv", params={"column": "mail"}, content=rows())

    assert answer.text.splitlines() == ["row,why", "2000,marketing", "3001,unreadable"]
    assert (answer.headers["habeas-rows"], answer.headers["habeas-barred"]) == ("3001", "2")
    assert PERSON not in answer.text


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (b"mail\na@example.org\n", "canary"),
        (b"mail\n\xff\xfe\n", "mail"),
        (b"", "mail"),
        (b"x" * 3_000_000, "mail"),
        (b"mail\n" + b'"a\n",' * 300_000, "mail"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(api: Api, content: bytes, column: str) -> None:
    refused = api("POST", "/v1/suppression/check-csv", params={"column": column}, content=content)

    assert (refused.status_code, refused.json()["code"]) == (422, "unusable")
    assert "canary" not in refused.text


def test_a_calendar_that_is_none_is_refused_in_words_of_the_api(api: Api) -> None:
    refused = api("GET", "/v1/regimes/eu-gdpr/deadlines", params={"received": "2026-11-26", "calendar": "XX"})

    assert (refused.status_code, refused.json()["code"]) == (422, "unusable")
    assert "--" not in refused.json()["detail"]


def test_a_name_that_the_sender_made_up_does_not_come_back(api: Api) -> None:
    """Keys of a table may name somebody; the fields around them are ours, and are named."""
    request_id = opened(api)
    for path, body, at in (
        (f"/v1/requests/{request_id}/decisions", REFUSAL | {"leave_out": {PERSON: 5}}, "body.leave_out.…"),
        (f"/v1/requests/{request_id}/decisions", REFUSAL | {"evidence": {PERSON: "x"}}, "body.evidence.….…"),
        (f"/v1/requests/{request_id}/decisions", REFUSAL | {"word": 5}, "body.word"),
        ("/codec/default/decode", {"payloads": [{"metadata": {PERSON: 5}}]}, "body.payloads.0.metadata.…"),
    ):
        refused = api("POST", path, json=body, by="s-engineer" if path.startswith("/codec/") else "s-agent")

        assert refused.status_code == 422, refused.text
        assert at in {flaw["at"] for flaw in refused.json()["errors"]}, refused.text
        assert PERSON not in refused.text


def test_a_caller_without_the_action_is_refused_everywhere(api: Api) -> None:
    """Somebody with no role, and a system with no scope, on every route that asks who is there."""
    api.known.person("s-nobody")
    api.known.system("t-none")
    document = api.client.get("/openapi.json").json()
    ids = {"letter": "01kap2v7q4m8w3x9yd5tgh6jzr.refusal.0", "name": "eu-gdpr"}
    tried = 0
    for path, operations in document["paths"].items():
        for method in operations:
            if not path.startswith("/v1/") or path.startswith("/v1/account/") or path == "/v1/me":
                continue
            where = re.sub(r"{(\w+)}", lambda found: ids.get(found[1], "01kap2v7q4m8w3x9yd5tgh6jzr"), path)
            for by, code in (("s-nobody", "role_missing"), ("t-none", "scope_missing")):
                refused = api(method.upper(), where, by=by, json={} if method == "post" else None)
                assert (refused.status_code, refused.json()["code"]) == (403, code), (method, path, refused.text)
                tried += 1
    assert tried > 50
