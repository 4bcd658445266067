"""Calls that are cut off between the ledger's commit and their answer: never done twice, and truthfully answered.

The rule kept: what is cut is a real commit of a real database, and every route that changes something is cut, as the
app's own table has them: one that is added is not forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import httpx2
import psycopg
import pytest
from fastapi.routing import APIRoute

from ledger.answers import ANSWERING
from rights.codes import Code
from starter.access import Role
from starter.callers import SESSION
from starter.routes import ROUTERS
from tests.starter.api.conftest import Api
from tests.starter.api.test_client import running
from tests.starter.api.test_eyes import NEXT_REVIEW, previewed
from tests.starter.api.test_nouns import HOLD, REFUSAL, desk_of, packed
from tests.starter.api.test_requests import ASKED, opened
from tests.starter.conftest import Deployment


class Call(NamedTuple):
    """A call that changes something, with all that it needs there already."""

    path: str
    body: Mapping[str, Any] = {}
    by: str = "s-agent"


# What each route needs.


def withdrawn(api: Api) -> Call:
    return Call(f"/v1/requests/{opened(api)}/withdraw")


def identity(verb: str, body: Mapping[str, Any], api: Api) -> Call:
    both = [*ASKED["identities"], {"kind": "email", "value": "other@example.org"}]
    request_id = opened(api, identities=both)
    if verb == "codes/check":
        api("POST", f"/v1/requests/{request_id}/identity/codes", json={"to": "given"})
    return Call(f"/v1/requests/{request_id}/identity/{verb}", body)


def proposed(api: Api) -> Call:
    request_id = opened(api)
    api("POST", f"/v1/requests/{request_id}/identity/confirm", json={})
    return Call(f"/v1/requests/{request_id}/decisions", REFUSAL)


def spoken(verb: str, api: Api) -> Call:
    call = proposed(api)
    decision = api("POST", call.path, json=REFUSAL).json()
    seat = next((role for role in decision["missing"] if role != "dpo"), "delegate")
    if verb == "approve":  # the data protection officer is asked first
        api("POST", f"/v1/decisions/{decision['id']}/agree", json={}, by="s-dpo")
    by = {"approve": f"s-{seat}", "drop": "s-agent"}.get(verb, "s-dpo")
    return Call(f"/v1/decisions/{decision['id']}/{verb}", {"note": "read"}, by)


def approved(api: Api) -> Call:
    return Call(f"/v1/requests/{previewed(api)}/approve", {}, "s-approver")


def ruled(api: Api) -> Call:
    request_id = opened(api)
    step = f"{request_id}/shop/locate/0"
    task = desk_of(api).ledger.open_task(request_id, step, Code.MANUAL, "shop", at=datetime.now(UTC))
    return Call(f"/v1/requests/{request_id}/tasks/{task}/rule", {"word": "done"})


def placed(api: Api) -> Call:
    return Call("/v1/holds", HOLD, "s-counsel")


def of_hold(verb: str, body: Mapping[str, Any], api: Api) -> Call:
    hold = api("POST", "/v1/holds", json=HOLD, by="s-counsel").json()["id"]
    return Call(f"/v1/holds/{hold}/{verb}", body, "s-delegate")


def reported(api: Api) -> Call:
    return Call(f"/v1/requests/{packed(api)}/parcel/report")


CALLS: Final[Mapping[str, Callable[[Api], Call]]] = {
    "withdraw_request": withdrawn,
    "confirm_identity": partial(identity, "confirm", {"proves": ["all"]}),
    "attest_identity": partial(identity, "attest", {"rung": "in_person", "proves": ["email"]}),
    "send_code": partial(identity, "codes", {"to": "given"}),
    "check_code": partial(identity, "codes/check", {"code": "12345678"}),
    "leave_out_identity": partial(identity, "leave-out", {"names": ["email/2"], "reason": "another person's"}),
    "propose_decision": proposed,
    "approve_decision": partial(spoken, "approve"),
    "agree_to_decision": partial(spoken, "agree"),
    "dissent_from_decision": partial(spoken, "dissent"),
    "drop_decision": partial(spoken, "drop"),
    "approve_request": approved,
    "rule_on_task": ruled,
    "place_hold": placed,
    "confirm_hold": partial(of_hold, "confirm", {}),
    "review_hold": partial(of_hold, "review", NEXT_REVIEW),
    "release_hold": partial(of_hold, "release", {}),
    "report_parcel": reported,
}
"""Every route whose key is kept beside its change."""
FOUND_AGAIN: Final = {"place_hold", "report_parcel"}
"""Of them, those whose repeat is answered by what was made."""
OF_THE_REQUEST: Final = {"open_request", "open_own_request"}
"""Their key is a part of the request that they open: test_requests.py, test_account.py."""
WITHOUT: Final = {
    "stop_own_request": "what is stopped stays so, and says that it was (test_account.py)",
    "reveal_letter": "each reveal is one, and on record",
    "check_suppression": "changes nothing",
    "check_suppression_list": "changes nothing",
    "/signout": "a session that has ended has ended",
    "decode": "each look is one, and on record",
    "encode": "refuses",
}
"""Routes that are no GET and take no key, and why it is not missed."""


def test_every_route_that_changes_something_is_cut_here(api: Api) -> None:
    hung = [route for router in ROUTERS for route in router.routes]
    routes = [route for route in hung if isinstance(route, APIRoute) and (route.methods or set()) - {"GET", "HEAD"}]
    document = api.client.get("/openapi.json").json()["paths"]

    keyed = {
        operation["operationId"]
        for operations in document.values()
        for operation in operations.values()
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ()))
    }

    assert keyed == CALLS.keys() | OF_THE_REQUEST
    assert {route.operation_id or route.path for route in routes} == keyed | WITHOUT.keys()


# The cut.

WAITING: Final = 7_215
"""The advisory lock that an answer waits for, in the story of a process that is killed."""


@contextmanager
def lost(deployment: Deployment, instead: str) -> Iterator[None]:
    """Within it no answer is kept: the database does something else `instead`, behind the commit of the change. The
    transactions that note a change are counted."""
    deployment.rows(
        f"""
        CREATE SCHEMA aside CREATE TABLE noted (key bytea, tx xid8);
        CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.answer LIKE 'made %%' THEN INSERT INTO aside.noted VALUES (NEW.key, pg_current_xact_id());
            ELSIF NEW.answer IS NOT NULL THEN {instead}; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER lose BEFORE UPDATE ON kept_answers FOR EACH ROW EXECUTE FUNCTION lose();
        """
    )
    yield
    (per_call,) = zip(*deployment.rows("SELECT count(DISTINCT tx) FROM aside.noted GROUP BY key"), strict=True)
    assert set(per_call) == {1}, "a call is one transaction: of several, the first would be told as all of it"
    deployment.rows("DROP TRIGGER lose ON kept_answers; DROP FUNCTION lose; DROP SCHEMA aside CASCADE")


def done(deployment: Deployment) -> list[str]:
    """All that the ledger holds, but for what it remembers of calls and who looked in when."""
    rows = deployment.everything().splitlines()
    remembered = {row for (row,) in deployment.rows("SELECT t::text FROM kept_answers AS t UNION ALL "
                                                    "SELECT t::text FROM sessions AS t")}  # fmt: skip
    return sorted(row for row in rows if row not in remembered)


def sent(call: Call, name: str) -> dict[str, Any]:
    return {"json": dict(call.body), "headers": {"idempotency-key": f"k-{name}"}}


def is_told(api: Api, name: str, call: Call, again: Any) -> None:
    """What the repeat of a call that was cut off is answered."""
    if name in FOUND_AGAIN:
        assert again.status_code == 201, (name, again.text)
        assert again.headers["idempotency-replayed"] == "true"
        return
    assert (again.status_code, again.json()["code"]) == (409, "carried_out"), (name, again.text)
    look = api("GET", again.json()["see"], by=call.by)
    assert look.status_code == 200, (name, look.text)


def test_no_call_is_carried_out_twice_though_its_answer_was_lost(api: Api) -> None:
    calls = {name: need(api) for name, need in CALLS.items()}
    with lost(api.deployment, "RAISE EXCEPTION 'no room'"):
        for name, call in calls.items():
            before = done(api.deployment)
            cut = api("POST", call.path, by=call.by, **sent(call, name))
            assert cut.status_code >= 500, (name, cut.text)
            assert done(api.deployment) != before, f"{name} was carried out"
        soon = api("POST", calls["withdraw_request"].path, **sent(calls["withdraw_request"], "withdraw_request"))
        assert soon.json()["code"] in {"in_progress", "carried_out"}, soon.text
    time.sleep(ANSWERING.total_seconds())
    what_there_is = done(api.deployment)
    for name, call in calls.items():
        for _ in range(2):
            is_told(api, name, call, api("POST", call.path, by=call.by, **sent(call, name)))

    assert done(api.deployment) == what_there_is


def test_a_change_that_was_undone_leaves_no_note_and_is_made_by_the_next_call(api: Api) -> None:
    call = withdrawn(api)
    api.deployment.rows(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION refuse()
        """
    )
    assert api("POST", call.path, **sent(call, "w")).status_code >= 500
    api.deployment.rows("DROP TRIGGER refuse ON entries")

    again = api("POST", call.path, **sent(call, "w"))

    assert (again.status_code, again.json()) == (200, {"withdrawn": True, "in_flight": 0})


def test_a_call_that_changes_nothing_is_answered_from_what_is_kept(api: Api) -> None:
    call = ruled(api)
    api("POST", call.path, json=dict(call.body))

    first = api("POST", call.path, **sent(call, "r"))
    again = api("POST", call.path, **sent(call, "r"))

    assert first.json() == again.json() == {"ruled": "done", "new": False}


def people(api: Api) -> Callable[..., Any]:
    """Ask a process as somebody who is signed in there."""
    now = datetime.now(UTC)
    secrets = {
        f"s-{role}": desk_of(api).ledger.open_session(
            f"s-{role}", [role], second_factor=True, signed_in_at=now, ends_at=now + timedelta(hours=1), at=now
        )
        for role in Role
    }

    def ask(port: str, call: Call, **more: Any) -> Any:
        headers = {"cookie": f"{SESSION}={secrets[call.by]}", "origin": "https://habeas.example.com"}
        return httpx2.post(
            f"http://127.0.0.1:{port}{call.path}",
            headers={**headers, **more.pop("headers", {})},
            timeout=60,
            **more,
        )

    return ask


def blocked(api: Api, count: int, by: str) -> None:
    """Wait until so many sessions of the ledger wait for a lock of a kind."""
    until = time.monotonic() + 60
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' AND wait_event = %s"
    while api.deployment.rows(query, (api.deployment.database.name, by)) != [(count,)]:
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_process_that_is_killed_between_commit_and_answer_is_told_of_by_the_next(api: Api) -> None:
    """kill -9 of `habeas api`, with a call of every route behind its commit, and one before it."""
    file = api.deployment.home / "habeas.toml"
    file.write_text(
        file.read_text().replace("[approvers]", "port = 0\nat_once = 30\n\n[approvers]")
        + '\n[oidc]\nissuer = "https://id.example.com"\nclient_id = "habeas"\n'
    )
    calls = {name: need(api) for name, need in CALLS.items()}
    early, ask = withdrawn(api), people(api)
    waiting = lost(api.deployment, f"PERFORM pg_advisory_xact_lock({WAITING})")
    with waiting, ThreadPoolExecutor(40) as together, running(api.deployment) as (port, process, _):
        with psycopg.connect(api.deployment.database.conninfo) as holding:
            holding.execute("SELECT pg_advisory_xact_lock(%s)", (WAITING,))
            cut = [together.submit(ask, port, call, **sent(call, name)) for name, call in calls.items()]
            blocked(api, len(calls), "advisory")
            holding.execute("SELECT 1 FROM chain_heads FOR UPDATE")
            cut.append(together.submit(ask, port, early, **sent(early, "early")))
            blocked(api, 1, "transactionid")
            process.kill()
            process.wait()
            for one in cut:
                assert isinstance(one.exception(30), httpx2.TransportError)
        # What its sessions had begun is undone once the server sees that nobody is there: not when, but that.
        over = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'habeas-ledger' AND state <> 'idle'"
        until = time.monotonic() + 60
        while api.deployment.rows(f"{over} AND datname = %s", (api.deployment.database.name,)) != [(0,)]:
            assert time.monotonic() < until
            time.sleep(0.1)
    what_there_is = done(api.deployment)
    with running(api.deployment) as (port, _, _):
        for name, call in calls.items():
            is_told(api, name, call, ask(port, call, **sent(call, name)))
        assert done(api.deployment) == what_there_is
        assert ask(port, early, **sent(early, "early")).json()["code"] == "in_progress"
        api.deployment.rows("UPDATE kept_answers SET at = at - interval '6 minutes' WHERE answer IS NULL")
        assert ask(port, early, **sent(early, "early")).json() == {"withdrawn": True, "in_flight": 0}
        assert len(api.deployment.rows("SELECT 1 FROM entries WHERE kind = 'withdraw'")) == 2
