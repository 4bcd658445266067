"""The worker's health port, on a real Temporal and a real ledger."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.client import Client

from rights.mapcheck import Found, MapCheck, Severity
from settings import Settings
from starter.desk import now, open_ledger
from starter.health import Health
from starter.stack import HOST, Postgres, Temporal, free_port
from starter.temporal import bare_client
from tests.starter.conftest import Deployment

Asked = tuple[int, str, str]
"""Status, content type, body."""


def ask(port: int, path: str, method: str = "GET") -> Asked:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def during(
    deployment: Deployment, temporal: Temporal, do: Callable[[Callable[..., Awaitable[Asked]]], Awaitable[None]]
) -> None:
    """Serve health for the deployment while `do` asks."""
    deployment.setting("temporal_address", temporal.address)
    port = free_port()

    async def serve() -> None:
        settings = Settings.load()
        ledger = open_ledger(settings)
        client: Client = await bare_client(settings)
        async with Health(HOST, port, client, ledger, None):
            await do(lambda *arguments: asyncio.to_thread(ask, port, *arguments))
        ledger.close_connections()

    asyncio.run(serve())


def test_a_healthy_worker_is_alive_and_ready(deployment: Deployment, temporal_server: Temporal) -> None:
    async def look(asked: Callable[..., Awaitable[Asked]]) -> None:
        assert (await asked("/livez"))[0] == 200
        assert await asked("/readyz") == (200, "text/plain; charset=utf-8", "temporal ok, ledger ok\n")

    during(deployment, temporal_server, look)


def test_metrics_count_what_the_ledger_holds(deployment: Deployment, temporal_server: Temporal) -> None:
    deployment.open(right="access")
    deployment.open(right="erasure")
    late = deployment.open(right="erasure")
    deployment.rows("UPDATE requests SET clocks = NULL, legal_due = now() - interval '1 day' WHERE id = %s", [late])

    drift = Found(system="shop", severity=Severity.ERROR, code="missing_column", what="no column a.b", todo="mend")
    settings = Settings.load()
    ledger = open_ledger(settings)
    ledger.keep_map_check(MapCheck(at=now() - timedelta(hours=2), digest="d" * 64, systems=1, found=(drift,)))
    ledger.close_connections()

    async def look(asked: Callable[..., Awaitable[Asked]]) -> None:
        status, kind, body = await asked("/metrics")
        assert status == 200
        assert kind.startswith("text/plain; version=0.0.4")
        assert 'habeas_open_requests{phase="received",right="access",risk="on_track"} 1.0' in body
        assert 'habeas_open_requests{phase="received",right="erasure",risk="overdue"} 1.0' in body
        assert "habeas_overdue_requests 1.0" in body
        assert "habeas_outbox_backlog 3.0" in body
        assert 'habeas_map_findings{severity="error"} 1.0' in body
        assert 'habeas_map_findings{severity="warning"} 0.0' in body
        assert re.search(r"habeas_map_check_age_seconds 72\d\d\.", body)
        assert "@" not in body

    during(deployment, temporal_server, look)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/readyz?verbose", "GET", 200),
        ("/livez", "HEAD", 200),
        ("/livez", "POST", 405),
        ("/../etc", "GET", 404),
    ],
)
def test_other_requests_are_answered_plainly(
    deployment: Deployment, temporal_server: Temporal, path: str, method: str, status: int
) -> None:
    async def look(asked: Callable[..., Awaitable[Asked]]) -> None:
        assert (await asked(path, method))[0] == status

    during(deployment, temporal_server, look)


def test_a_worker_without_temporal_is_alive_and_not_ready(deployment: Deployment) -> None:
    with Temporal() as mortal:

        async def look(asked: Callable[..., Awaitable[Asked]]) -> None:
            assert (await asked("/readyz"))[0] == 200
            await asyncio.to_thread(mortal.kill)
            status, _, body = await asked("/readyz")
            assert (status, body) == (503, "temporal away, ledger ok\n")
            assert (await asked("/livez"))[0] == 200

        during(deployment, mortal, look)


def test_a_worker_without_its_ledger_is_not_ready(
    deployment: Deployment, temporal_server: Temporal, postgres: Postgres
) -> None:
    async def look(asked: Callable[..., Awaitable[Asked]]) -> None:
        await asyncio.to_thread(postgres.drop_database, deployment.database.name)
        status, _, body = await asked("/readyz")
        assert (status, body) == (503, "temporal ok, ledger away\n")
        assert (await asked("/metrics"))[0] == 503

    during(deployment, temporal_server, look)


def test_a_blocked_event_loop_is_not_called_alive(
    deployment: Deployment, temporal_server: Temporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is lowered, so that the test need not block for ten seconds."""
    monkeypatch.setattr("starter.health.STALLED", -1.0)

    async def look(asked: Callable[..., Awaitable[Asked]]) -> None:
        assert (await asked("/livez"))[0] == 503

    during(deployment, temporal_server, look)
