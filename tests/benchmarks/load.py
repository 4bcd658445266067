"""Calls of the HTTP API at a fixed rate, as `habeas api` answers them beside a working engine.

A call is measured from the moment at which it was due, so that a server that falls behind is not spared by clients that
wait for it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import psutil

from tests.world import ROOT, World

RATE: float = 50
"""Calls in a second."""
_AT_ONCE = 64


@dataclass(frozen=True)
class Seen:
    """What came of a load."""

    submit_p95: float
    status_p95: float
    refused: int
    submit_cpu: float
    """Of the API's process, a call."""
    status_cpu: float
    accepted: int
    accepted_wall: float
    lost: int
    drained: float
    """Seconds from the first of them until Temporal had been told of the last."""


def measure(world: World, seconds: int, submits: int) -> Seen:
    """Submits and looks at a fixed rate, each for some seconds; then `submits` at the rate of 5,000 in a minute."""
    moment = datetime.now(UTC)
    _, token = world.ledger.make_access_token(
        "bench", ["requests:open", "requests:read"], ends_at=moment + timedelta(days=1), by="s-1", at=moment
    )
    with served(world) as (url, process):
        return asyncio.run(_measure(world, url, token, process, seconds, submits))


@contextmanager
def served(world: World) -> Iterator[tuple[str, psutil.Process]]:
    """`habeas api` as its own process."""
    ready = world.home / "api.port"
    environment = {"HABEAS_API__URL": "http://localhost", "HABEAS_API__PORT": "0", "HABEAS_LOG": "json"}
    with (world.home / "api.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "starter.cli", "api", "--ready-file", str(ready)],
            cwd=ROOT,
            env={**os.environ, **world.environment, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 60
        while not (ready.exists() and ready.read_text()):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((world.home / "api.log").read_text())
            time.sleep(0.05)
        yield f"http://127.0.0.1:{ready.read_text()}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


async def _measure(world: World, url: str, token: str, process: psutil.Process, seconds: int, submits: int) -> Seen:
    limits = httpx2.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as client:

        async def submit(number: int) -> httpx2.Response:
            given = [{"kind": "email", "value": f"load{number}@shop.example"}]
            body = {"right": "access", "identities": given}
            return await client.post("/v1/requests", json=body, headers={"idempotency-key": f"{time.time_ns()}"})

        calls = int(RATE * seconds)
        await at_rate(submit, 100, RATE)  # pools and plans
        before = _cpu(process)
        submitted = await at_rate(submit, calls, RATE)
        between = _cpu(process)
        ids = [answer.json()["id"] for answer, _ in submitted if answer.status_code == 202]

        async def look(number: int) -> httpx2.Response:
            return await client.get(f"/v1/requests/{ids[number % len(ids)]}")

        middle = _cpu(process)
        looked = await at_rate(look, calls, RATE)
        after = _cpu(process)
        start = time.monotonic()
        stormed = await at_rate(submit, submits, 5_000 / 60)
        wall = time.monotonic() - start
    accepted = [answer.json()["id"] for answer, _ in stormed if answer.status_code == 202]
    await asyncio.to_thread(_drained, world)
    drained = time.monotonic() - start
    query = "SELECT count(*) FROM unnest(%s::text[]) id WHERE NOT EXISTS (SELECT 1 FROM requests r WHERE r.id = id.id)"
    (lost,) = world.query(query, [*ids, *accepted])[0]
    return Seen(
        submit_p95=p95(submitted),
        status_p95=p95(looked),
        refused=sum(answer.is_error for answer, _ in (*submitted, *looked, *stormed)),
        submit_cpu=(between - before) / calls,
        status_cpu=(after - middle) / calls,
        accepted=len(accepted),
        accepted_wall=wall,
        lost=int(lost),
        drained=drained,
    )


def _drained(world: World) -> None:
    """Wait until nothing is left to tell Temporal."""
    until = time.monotonic() + 900
    while world.ledger.backlog() and time.monotonic() < until:
        time.sleep(0.5)


async def at_rate(
    call: Callable[[int], Awaitable[httpx2.Response]], calls: int, rate: float
) -> list[tuple[httpx2.Response, float]]:
    """So many calls at a rate, whether earlier ones are answered or not; each with its seconds from when it was due."""
    begin = time.monotonic()

    async def one(number: int) -> tuple[httpx2.Response, float]:
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        answer = await call(number)
        return answer, time.monotonic() - due

    return list(await asyncio.gather(*(one(number) for number in range(calls))))


def p95(answered: Sequence[tuple[httpx2.Response, float]]) -> float:
    """What nineteen of twenty do not exceed."""
    return statistics.quantiles([seconds for _, seconds in answered], n=20)[18]


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
