"""Requests over the HTTP API: received in one commit without Temporal, repeated safely, followed, taken back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from starter.access import Action
from tests.starter.api.conftest import Api
from tests.starter.conftest import PERSON

ASKED: dict[str, Any] = {"right": "erasure", "identities": [{"kind": "email", "value": PERSON}]}


def opened(api: Api, **more: Any) -> str:
    answer = api("POST", "/v1/requests", json=ASKED | more)
    assert answer.status_code == 202, answer.text
    request_id: str = answer.json()["id"]
    return request_id


def test_a_request_is_on_record_once_it_is_answered_though_temporal_is_away(api: Api) -> None:
    answer = api("POST", "/v1/requests", json=ASKED | {"text": f"I am {PERSON}, erase me"})

    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == body["standing"] == f"/v1/requests/{body['id']}"
    assert api.deployment.rows("SELECT id, phase FROM requests") == [(body["id"], "received")]
    assert api.deployment.rows("SELECT kind FROM outbox WHERE sent_at IS NULL") == [("start",)]
    assert PERSON not in answer.text + api.deployment.everything()


def test_it_is_one_commit(api: Api) -> None:
    opened(api)  # the law's text is kept with the first
    (before,) = api.deployment.rows("SELECT pg_current_xact_id()::text::bigint")[0]

    opened(api)

    (after,) = api.deployment.rows("SELECT pg_current_xact_id()::text::bigint")[0]
    assert after - before == 2, "its own, and the one of this question"


def test_the_same_again_is_answered_alike_and_received_once(api: Api) -> None:
    headers = {"idempotency-key": "order-17"}
    with ThreadPoolExecutor(4) as together:
        answers = list(together.map(lambda _: api("POST", "/v1/requests", json=ASKED, headers=headers), range(8)))

    assert {(one.status_code, one.text, one.headers["location"]) for one in answers} == {
        (202, answers[0].text, answers[0].headers["location"])
    }
    assert len(api.deployment.rows("SELECT id FROM requests")) == 1


@pytest.mark.parametrize("other", [{"right": "access"}, {"text": "more"}, {"regimes": ["uk-gdpr"]}])
def test_a_key_with_another_body_is_refused(api: Api, other: dict[str, Any]) -> None:
    headers = {"idempotency-key": "order-17"}
    api("POST", "/v1/requests", json=ASKED, headers=headers)

    refused = api("POST", "/v1/requests", json=ASKED | other, headers=headers)

    assert refused.status_code == 422
    assert refused.json()["code"] == "key_reused"
    assert len(api.deployment.rows("SELECT id FROM requests")) == 1


def test_a_key_is_its_callers_own(api: Api) -> None:
    headers = {"idempotency-key": "1"}
    one = api("POST", "/v1/requests", json=ASKED, headers=headers, by="s-agent")
    other = api("POST", "/v1/requests", json=ASKED, headers=headers, by="t-all")

    assert one.json()["id"] != other.json()["id"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"right": "canary", "identities": [{"kind": "email", "value": "canary.quill@example.org"}]}',
        b'{"right": "erasure", "identities": []}',
        b'{"right": "erasure", "identities": [{"kind": "canary.quill@example.org", "value": "x"}]}',
        b'{"right": "erasure", "identities": [{"kind": "email", "value": "canary.quill@"}]}',
        b'{"right": "erasure", "identities": [{"kind": "shoe", "value": "canary.quill"}]}',
        b'{"right": "erasure", "identities": [{"kind": "email", "value": "a@b.example"}], "canary@example.org": 1}',
        b'{"right": "erasure", "identities": [{"kind": "email", "value": "a@b.example"}], "regimes": ["canary"]}',
        b'{"right": "erasure", "identities": [{"kind": "email", "value": "a@b.example"}], "details": {"canary": 1}}',
        b'{"right": "rectification", "identities": [{"kind": "email", "value": "a@b.example"}], '
        b'"details": {"canary": "quill"}}',
        b'{"right": "rectification", "identities": [{"kind": "email", "value": "a@b.example"}]}',
        b'{"right": "erasure", "identities": [{"kind": "email", "value": "a@b.example"}], "text": "canary\\u0000"}',
    ],
)
def test_what_cannot_be_used_says_what_to_do_and_repeats_nothing(api: Api, body: bytes) -> None:
    refused = api("POST", "/v1/requests", content=body, headers={"content-type": "application/json"})

    assert refused.status_code in {400, 422}
    assert refused.json()["code"] in {"unreadable", "unusable"}
    assert len(refused.json()["detail"]) > 10
    for typed in ("canary", "quill", "shoe"):
        assert typed not in refused.text
    assert api.deployment.rows("SELECT id FROM requests") == []


def test_a_body_that_is_too_large_is_not_read(api: Api) -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(1_000):
            sent.append(number)
            yield b"x" * 10_000

    sent: list[int] = []
    for content in (b"x" * 1_100_000, pieces()):
        refused = api("POST", "/v1/requests", content=content, headers={"content-type": "application/json"})

        assert refused.status_code == 413
        assert refused.json()["code"] == "too_large"


def test_only_json_is_taken(api: Api) -> None:
    refused = api("POST", "/v1/requests", data={"right": "erasure"})

    assert refused.status_code in {415, 422}
    assert api.deployment.rows("SELECT id FROM requests") == []


def test_pages_are_whole_though_requests_come_in_meanwhile(api: Api) -> None:
    mine = [opened(api) for _ in range(5)]
    seen, cursor = [], None
    while True:
        answer = api("GET", "/v1/requests", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [row["id"] for row in answer["requests"]]
        opened(api)
        if not (cursor := answer["next"]):
            break

    assert seen == sorted(mine, reverse=True)


@pytest.mark.parametrize("cursor", ["nonsense", "WyJ0aW1lbGluZSIsIjEiXQ", "W10", "bnVsbA"])
def test_a_cursor_of_something_else_is_refused(api: Api, cursor: str) -> None:
    refused = api("GET", "/v1/requests", params={"cursor": cursor})

    assert refused.status_code == 422
    assert refused.json()["code"] == "unusable"


def forged(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("part", ["²", "٣", "-1", "9" * 30, "x\0y", "", "x" * 200, "+1", "0001-01-01T00:00:00+23:59"])
def test_a_cursor_that_was_forged_is_refused_or_finds_nothing(api: Api, part: str) -> None:
    request_id = opened(api)

    for path, cursor in (
        (f"/v1/requests/{request_id}/timeline", forged("lines", part)),
        ("/v1/requests", forged("requests", part)),
        ("/v1/tasks", forged("tasks", part)),
        ("/v1/holds", forged("holds", part)),
        ("/v1/deadlines/due", forged("requests-due", part, part)),
        ("/v1/deadlines/due", forged("requests-due", "2026-11-27T00:00:00+00:00", part)),
    ):
        answer = api("GET", path, params={"cursor": cursor}, by="s-dpo")
        assert answer.status_code in {200, 422}, (path, answer.text)
        if not part.isascii() or "\0" in part:
            assert (answer.status_code, answer.json()["code"]) == (422, "unusable")


def test_what_a_hold_changes_is_shown_though_the_version_is_the_same(api: Api) -> None:
    request_id = opened(api)
    seen = api("GET", f"/v1/requests/{request_id}")
    held = api("POST", "/v1/holds", json={"identities": ASKED["identities"], "text": "a suit"}, by="s-counsel")
    assert held.status_code == 201, held.text

    again = api("GET", f"/v1/requests/{request_id}", headers={"if-none-match": seen.headers["etag"]})

    assert (again.status_code, again.json()["held"]) == (200, True)


def test_a_list_is_narrowed(api: Api) -> None:
    erasure, access = opened(api), opened(api, right="access")
    api("POST", f"/v1/requests/{access}/withdraw", json={})

    def ids(**params: Any) -> list[str]:
        return [row["id"] for row in api("GET", "/v1/requests", params=params).json()["requests"]]

    assert ids(right="erasure") == [erasure]
    assert ids(phase="received", open=True) == [access, erasure]
    assert ids(phase="closed") == []
    assert api("GET", "/v1/requests", params={"right": "canary"}).status_code == 422


def test_what_is_seen_has_a_version_and_only_that_is_changed(api: Api) -> None:
    request_id = opened(api)
    seen = api("GET", f"/v1/requests/{request_id}")
    tag = seen.headers["etag"]
    api.deployment("request", "confirm-identity", request_id, "--by", "desk")

    for stale in (tag, "W/" + tag, '"nonsense"', "nonsense"):
        refused = api("POST", f"/v1/requests/{request_id}/withdraw", json={}, headers={"if-match": stale})
        assert refused.status_code == 412
        assert refused.json()["code"] == "changed"
    assert api.deployment.rows("SELECT withdrawn_at FROM requests") == [(None,)]

    now = api("GET", f"/v1/requests/{request_id}")
    done = api("POST", f"/v1/requests/{request_id}/withdraw", json={}, headers={"if-match": now.headers["etag"]})
    assert done.json() == {"withdrawn": True, "in_flight": 0}


def test_a_change_that_is_sent_twice_is_carried_out_once(api: Api) -> None:
    request_id = opened(api)
    tag = api("GET", f"/v1/requests/{request_id}").headers["etag"]
    sent: dict[str, Any] = {"json": {"note": "by phone"}, "headers": {"idempotency-key": "w-1", "if-match": tag}}

    first = api("POST", f"/v1/requests/{request_id}/withdraw", **sent)
    again = api("POST", f"/v1/requests/{request_id}/withdraw", **sent)

    assert first.status_code == again.status_code == 200
    assert first.text == again.text
    assert again.headers["idempotency-replayed"] == "true"
    assert len(api.deployment.rows("SELECT seq FROM entries WHERE kind = 'withdraw'")) == 1
    other = api("POST", f"/v1/requests/{request_id}/withdraw", json={}, headers={"idempotency-key": "w-1"})
    assert other.json()["code"] == "key_reused"


def test_a_hold_of_a_call_that_was_cut_off_is_found_and_not_placed_again(api: Api) -> None:
    sent: dict[str, Any] = {
        "json": {"identities": ASKED["identities"], "text": "a suit"},
        "headers": {"idempotency-key": "h-1"},
        "by": "s-counsel",
    }
    first = api("POST", "/v1/holds", **sent)
    made = {"hold": first.json()["id"]}
    api.deployment.rows("UPDATE kept_answers SET answer = %s RETURNING 1", (f"made {json.dumps(made)}",))

    again = api("POST", "/v1/holds", **sent)

    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(api.deployment.rows("SELECT id FROM holds")) == 1


def test_what_happened_is_told_in_words(api: Api) -> None:
    request_id = opened(api)
    api("POST", f"/v1/requests/{request_id}/withdraw", json={"note": f"{PERSON} called"})

    first = api("GET", f"/v1/requests/{request_id}/timeline", params={"limit": 1}).json()
    rest = api("GET", f"/v1/requests/{request_id}/timeline", params={"cursor": first["next"]}).json()

    assert first["lines"][0]["says"].startswith("Received: a request for erasure under eu-gdpr")
    assert "The person took the request back. By s-agent." in [line["says"] for line in rest["lines"]]
    assert rest["next"] is None
    assert PERSON not in str(rest)


def test_a_system_does_what_its_token_names(api: Api) -> None:
    api.known.system("t-shop", Action.OPEN_REQUEST)
    request_id = api("POST", "/v1/requests", json=ASKED, by="t-shop").json()["id"]

    refused = api("GET", f"/v1/requests/{request_id}", by="t-shop")

    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"


def test_whoever_asks_too_often_is_told_when_to_come_back(api: Api) -> None:
    api.app.state.buckets = type(api.app.state.buckets)(60, clock=lambda: 0.0)
    answers = [api("GET", "/v1/requests") for _ in range(12)]

    assert [one.status_code for one in answers] == [200] * 10 + [429] * 2
    assert answers[-1].json()["code"] == "too_many"
    assert answers[-1].headers["retry-after"] == "1"
    assert api("GET", "/v1/requests", by="t-all").status_code == 200, "others are not kept waiting"
