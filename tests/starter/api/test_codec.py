"""The codec server: who may read is shown what a run holds, what is gone is said, and no page but the UI's may ask."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from structlog.testing import capture_logs
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from ledger.ledger import Ledger
from rights.request import Conclusion
from starter.access import SECOND_FACTOR, TABLE, Action, Caller, Role
from starter.desk import Desk, now
from starter.uiorigin import origins
from tests.starter.api.conftest import Api
from workflows.wire import HistoryKeys, SealingCodec

DECODE = "/codec/default/decode"
UI = "http://127.0.0.1:8233"
SAID = Payload(metadata={"encoding": b"json/plain"}, data=b'{"phase":"locating"}')


def ledger_of(api: Api) -> Ledger:
    at: Desk = api.app.state.desk
    return at.ledger


def sealed(api: Api, run: str) -> dict[str, Any]:
    """What Temporal has of `SAID` in a run, as its JSON has it."""
    ledger = ledger_of(api)
    ledger.case_key(run.rpartition("/")[2], "history", create=True)
    codec = SealingCodec(HistoryKeys(ledger.history_key))
    context = WorkflowSerializationContext(namespace="default", workflow_id=run)
    (payload,) = asyncio.run(codec.with_context(context).encode([SAID]))
    return MessageToDict(payload)


def opened(api: Api, *payloads: dict[str, Any], by: str = "s-dpo", **sent: Any) -> list[str]:
    """The texts that come back."""
    answer = api("POST", DECODE, by=by, json={"payloads": list(payloads)}, **sent)
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(one["data"]).decode() for one in answer.json()["payloads"]]


def run_of(api: Api) -> str:
    return f"access/main/{api.deployment.open()}"


def test_a_payload_is_opened_by_the_run_that_it_names(api: Api) -> None:
    first, second = sealed(api, run_of(api)), sealed(api, run_of(api))
    plain = MessageToDict(Payload(metadata={"encoding": b"json/plain"}, data=b'"the server\'s own"'))

    assert opened(api, first, plain, second) == [SAID.data.decode(), '"the server\'s own"', SAID.data.decode()]


def test_what_its_key_is_gone_of_is_said_and_the_rest_is_read(api: Api) -> None:
    run, other = run_of(api), run_of(api)
    gone, there = sealed(api, run), sealed(api, other)
    assert opened(api, gone) == [SAID.data.decode()]
    request, ledger, at = run.rpartition("/")[2], ledger_of(api), now()
    ledger.withdraw(request, at=at)
    ledger.close(
        request,
        Conclusion.WITHDRAWN,
        books={},
        at=at,
        working_until=at,
        file_until=at,
        parcel_until=at,
        disputed_until=at,
    )
    ledger.shred(request, ["history"], as_of=at)

    assert opened(api, gone, there) == ['"[key destroyed]"', SAID.data.decode()]


def test_what_is_not_ours_or_was_changed_is_said_too(api: Api) -> None:
    run, other = run_of(api), run_of(api)
    moved, changed, nameless, theirs = (sealed(api, run) for _ in range(4))
    sealed(api, other)
    moved["metadata"]["habeas-run"] = base64.b64encode(other.encode()).decode()
    *most, last = base64.b64decode(changed["data"])
    changed["data"] = base64.b64encode(bytes([*most, last ^ 1])).decode()
    del nameless["metadata"]["habeas-run"]
    theirs["metadata"]["habeas-run"] = base64.b64encode(b"access/somebody-else/01kap2v7q4m8w3x9yd5tgh6jzr").decode()

    says = opened(api, moved, changed, nameless, theirs)

    assert [said.split(" ")[0:2] for said in says] == [
        ['"[cannot', "be"], ['"[cannot', "be"], ['"[sealed', "by"], ['"[of', "another"],
    ]  # fmt: skip


@pytest.mark.parametrize("role", Role)
def test_who_the_table_lets_decode_does_and_nobody_else(api: Api, role: Role) -> None:
    payload = sealed(api, run_of(api))

    answer = api("POST", DECODE, by=f"s-{role}", json={"payloads": [payload]})

    assert answer.status_code == (200 if role in TABLE[Action.DECODE] else 403)


def test_one_factor_alone_does_not_do_and_a_system_needs_the_scope(api: Api) -> None:
    assert Action.DECODE in SECOND_FACTOR
    weak = api.known.person("s-9", Role.DPO, second_factor=False)
    system, other = api.known.system("t-1", Action.DECODE), api.known.system("t-2", Action.READ_REQUEST)

    said = [api("POST", DECODE, by=who, json={"payloads": []}).status_code for who in (weak, system, other)]

    assert said == [403, 200, 403]
    assert api.client.post(DECODE, json={"payloads": []}).status_code == 401


def test_nothing_is_sealed_for_anybody(api: Api) -> None:
    refused = api("POST", "/codec/default/encode", by="s-dpo", json={"payloads": [MessageToDict(SAID)]})

    assert refused.status_code == 409


def test_another_namespace_and_a_header_that_says_another_are_refused(api: Api) -> None:
    assert api("POST", "/codec/nowhere/decode", by="s-dpo", json={"payloads": []}).status_code == 404
    headers = {"x-namespace": "canary"}
    refused = api("POST", DECODE, by="s-dpo", json={"payloads": []}, headers=headers)
    assert refused.status_code == 422
    assert "canary" not in refused.text


@pytest.mark.parametrize(
    "body",
    [
        {"payloads": [{"data": "no base64 at all!"}]},
        {"payloads": [{"metadata": {"encoding": "%%%"}}]},
        {"payloads": [{}] * 1001},
        {"payloads": "canary"},
        {"payloads": [{"data": "A" * 1_200_000}]},
    ],
)
def test_what_is_no_payload_or_too_much_is_a_problem(api: Api, body: dict[str, Any]) -> None:
    refused = api("POST", DECODE, by="s-dpo", json=body)

    assert refused.status_code in {413, 422}
    assert "canary" not in refused.text


def test_each_time_is_a_line_of_the_log_without_what_was_read(api: Api) -> None:
    run = run_of(api)
    payload = sealed(api, run)

    with capture_logs() as lines:
        opened(api, payload, payload)

    (line,) = [line for line in lines if line["event"] == "decoded"]
    assert {key: line[key] for key in ("staff", "payloads", "runs", "unopened")} == {
        "staff": "s-dpo",
        "payloads": 2,
        "runs": [run],
        "unopened": 0,
    }
    assert "locating" not in json.dumps(lines, default=str)


def ask_first(api: Api, origin: str, path: str = DECODE) -> Any:
    """What a browser asks before a page of another origin may send with a token."""
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-namespace",
    }
    return api.client.options(path, headers=asked)


def test_the_page_of_the_ui_may_send_with_its_session_or_token(api: Api) -> None:
    for origin in (UI, "http://localhost:8233"):
        first = ask_first(api, origin)
        then = api("POST", DECODE, by="s-dpo", json={"payloads": []}, headers={"origin": origin})
        nobody = api.client.post(DECODE, json={"payloads": []}, headers={"origin": origin})

        assert first.status_code == 200
        assert {"authorization", "content-type", "x-namespace"} <= set(
            first.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
        )
        for answer in (first, then, nobody):  # a refusal can be read, too: the UI shows it
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:8234", "https://127.0.0.1:8233", "http://canary.example", "null", f"{UI}.canary.example"],
)
def test_no_other_page_may(api: Api, origin: str) -> None:
    first = ask_first(api, origin)
    then = api("POST", DECODE, by="s-dpo", json={"payloads": []}, headers={"origin": origin})

    assert first.status_code == 400
    assert "access-control-allow-origin" not in {*first.headers, *then.headers}


def test_the_ui_page_may_read_nothing_else_of_ours(api: Api) -> None:
    shown = api("GET", "/v1/requests/01kap2v7q4m8w3x9yd5tgh6jzr", headers={"origin": UI})

    assert "access-control-allow-origin" not in shown.headers
    assert "access-control-allow-origin" not in ask_first(api, UI, "/v1/requests").headers


def test_an_origin_is_scheme_name_and_port() -> None:
    assert origins("https://temporal.example.com/ui") == ("https://temporal.example.com",)
    assert origins(None) == ()


def test_the_origin_of_the_ui_is_told_to_who_knows_the_callers(api: Api) -> None:
    """A session is believed from the UI's page too, at the codec server alone."""
    seen: list[Any] = []

    async def caller_of(request: Any) -> Caller:
        seen.append(getattr(request.state, "ui_origin", None))
        return api.known.callers["s-dpo"]

    api.app.state.callers = type("Seen", (), {"caller_of": staticmethod(caller_of)})()
    for origin, path in ((UI, DECODE), ("http://canary.example", DECODE)):
        api.client.post(path, json={"payloads": []}, headers={"origin": origin})
    api.client.get("/go/overdue", headers={"origin": UI}, follow_redirects=False)

    assert seen == [UI, None, None]
