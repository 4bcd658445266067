"""Nobody holds up others: who may not, who asks whether we are ready, and who sends slowly."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from starter.callers import STRANGERS
from starter.problems import Problem, ProblemCode
from starter.readiness import Readiness
from starter.spooling import AT_ONCE, Spooler
from tests.starter.api.conftest import Api
from tests.starter.api.test_account import account as account
from tests.starter.api.test_requests import opened

TOKENS: tuple[dict[str, str], ...] = ({}, {"authorization": "Bearer nobody"})


@pytest.mark.parametrize("headers", TOKENS)
@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_nobodys_body_is_read(api: Api, headers: dict[str, str], body: bytes) -> None:
    for path in ("/v1/requests", "/v1/holds", "/v1/suppression/check-csv", "/codec/default/decode"):
        refused = api.client.post(path, content=body, headers={"content-type": "application/json", **headers})

        assert (refused.status_code, refused.json()["code"]) == (401, "not_signed_in"), path
        assert refused.headers["www-authenticate"] == "Bearer"


def test_nobodys_body_is_read_at_the_account_either_and_they_are_counted(api: Api, account: Callable[..., Any]) -> None:
    sent = {"content": b"{", "headers": {"content-type": "application/json"}}
    said = [account("POST", "", token="x.y.z", **sent).status_code for _ in range(STRANGERS)]

    assert said[0] == 401
    assert said[-1] == 429
    assert account("GET", "").status_code == 200, "whoever is handed over is not kept waiting"


def test_a_call_is_counted_once_though_it_is_asked_twice_who_makes_it(api: Api) -> None:
    api.app.state.buckets = type(api.app.state.buckets)(60, clock=lambda: 0.0)
    said = [api("POST", "/v1/suppression/check", json={}).status_code for _ in range(11)]

    assert said.count(429) == 1


def test_many_who_ask_whether_it_is_ready_hold_up_nobody_while_temporal_says_nothing(api: Api) -> None:
    """A port whose queue is full takes no connection and refuses none."""
    desk = api.app.state.desk
    api.app.state.readiness = Readiness(desk, patience=90)  # far longer than any call here takes
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        desk.settings = desk.settings.model_copy(update={"temporal_address": f"127.0.0.1:{port}"})
        with ThreadPoolExecutor(40) as together:
            asked = [together.submit(api.client.get, "/readyz") for _ in range(39)]
            time.sleep(0.3)  # so that they are under way
            assert api("GET", "/v1/requests").status_code == 200
            assert not any(one.done() for one in asked), "the call was answered while all of them waited"
            silent.close()  # now it refuses
            answers = [one.result().json() for one in asked]
        for one in queued:
            one.close()

    assert {json.dumps(one) for one in answers} == {
        json.dumps({"ready": True, "ledger": "reachable", "temporal": "away"})
    }


def test_temporal_is_asked_once_for_all_who_ask_whether_it_is_ready(api: Api) -> None:
    desk = api.app.state.desk
    with socket.create_server(("127.0.0.1", 0), backlog=64) as temporal:
        port = temporal.getsockname()[1]
        desk.settings = desk.settings.model_copy(update={"temporal_address": f"127.0.0.1:{port}"})
        with ThreadPoolExecutor(40) as together:
            asked = [together.submit(api.client.get, "/readyz") for _ in range(39)]
            assert all(one.result().json()["temporal"] == "reachable" for one in asked)
        temporal.setblocking(False)
        met = 0
        with suppress(BlockingIOError):
            while True:
                temporal.accept()[0].close()
                met += 1

    assert 1 <= met < 39, "what one probe has found is told to all who ask within some seconds"


def test_a_list_that_trickles_in_is_refused_and_holds_no_thread(api: Api) -> None:
    """As the server has it: pieces come when they come."""

    async def come(times: list[float]) -> AsyncIterator[bytes]:
        for pause in times:
            await asyncio.sleep(pause)
            yield b"mail\n" * 10

    async def take(spooler: Spooler, times: list[float]) -> int:
        async with spooler.taken(come(times)) as body:
            return len(body.read())

    async def story() -> None:
        for times in ([0.0, 5.0], [0.04] * 50):
            with pytest.raises(Problem) as refused:
                await take(Spooler(stall_s=0.2, slowest=100_000), times)
            assert refused.value.code is ProblemCode.TOO_SLOW
        assert await take(Spooler(stall_s=0.2, slowest=100_000), [0] * 5) == 250

        spooler = Spooler(stall_s=5, slowest=1)
        slow = [asyncio.create_task(take(spooler, [0.3])) for _ in range(AT_ONCE)]
        await asyncio.sleep(0.05)
        with pytest.raises(Problem) as beyond:
            await take(spooler, [0])
        assert beyond.value.code is ProblemCode.TOO_MANY
        assert await asyncio.gather(*slow) == [50] * AT_ONCE
        assert await take(spooler, [0]) == 50, "a place is free again"

    asyncio.run(story())


def test_a_list_waits_for_a_place_and_not_for_those_who_work(api: Api) -> None:
    """While all places are taken, the answer is 429, and other calls go on."""
    spooler: Spooler = api.app.state.spooler
    places = [object() for _ in range(AT_ONCE)]
    for place in places:
        api.client.portal.call(spooler._places.acquire_on_behalf_of_nowait, place)  # type: ignore[union-attr]
    refused = api("POST", "/v1/suppression/check-csv", content=b"email\na@example.org\n")

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many")
    assert refused.headers["retry-after"]
    assert opened(api)
    for place in places:
        api.client.portal.call(spooler._places.release_on_behalf_of, place)  # type: ignore[union-attr]
    assert api("POST", "/v1/suppression/check-csv", content=b"email\na@example.org\n").text == "row,why\r\n"
