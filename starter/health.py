"""The worker's health port: /livez, /readyz and /metrics.

The one rule: a probe never waits for what it asks about longer than a moment, and tells nothing of anybody: words,
counts and names from closed lists.
"""

import asyncio
import time
import urllib.error
import urllib.request
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from temporalio.client import Client

from ledger.ledger import Ledger
from starter.gauges import LedgerMetrics

TICK: Final = 0.5
"""Seconds between two looks of the event loop at its own watch."""
STALLED: Final = 10.0
"""Seconds of lag past which a process is no longer called alive: nothing that the loop does takes a tenth of it."""
PROBE: Final = 2.0
"""Seconds that /readyz gives Temporal and the ledger; probes usually wait for 1 to 5."""
SCRAPE: Final = 8.0
"""Seconds that /metrics gives the ledger; Prometheus waits for 10."""
_REQUEST_BYTES: Final = 8192
"""The longest request that is read; a probe sends a hundred."""
_REASON: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

log = structlog.get_logger()


class Health:
    """A small HTTP server beside the worker; without a port it does nothing."""

    def __init__(self, host: str, port: int | None, client: Client, ledger: Ledger, metrics_port: int | None) -> None:
        self._host, self._port = host, port
        self._client, self._ledger, self._metrics_port = client, ledger, metrics_port
        self._registry = CollectorRegistry()
        self._registry.register(LedgerMetrics(ledger))
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ticked = time.monotonic()

    async def __aenter__(self) -> Self:
        if self._port is not None:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_REQUEST_BYTES)
            self._watch = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _tick(self) -> None:
        while True:
            self._ticked = time.monotonic()
            await asyncio.sleep(TICK)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PROBE)
            method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
            status, kind, body = await self._answer(method, rest.split(" ")[0].split("?")[0])
            writer.write(
                f"HTTP/1.1 {status} {_REASON[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(b"" if method == "HEAD" else body)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _answer(self, method: str, path: str) -> Answer:
        if method not in {"GET", "HEAD"}:
            return _text(405, "only GET and HEAD are answered here")
        match path:
            case "/livez":
                lag = time.monotonic() - self._ticked - TICK
                return _text(503 if lag > STALLED else 200, f"alive, event loop lag {max(lag, 0):.1f} s")
            case "/readyz":
                return await self._ready()
            case "/metrics":
                return await self._metrics()
        return _text(404, "here are /livez, /readyz and /metrics")

    async def _ready(self) -> Answer:
        temporal, ledger = await asyncio.gather(self._temporal_answers(), self._ledger_answers())
        words = [f"temporal {'ok' if temporal else 'away'}", f"ledger {'ok' if ledger else 'away'}"]
        return _text(200 if temporal and ledger else 503, ", ".join(words))

    async def _temporal_answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE):
                return await self._client.service_client.check_health()
        except Exception as error:  # noqa: BLE001 - whatever it is, Temporal does not answer
            log.debug("temporal_away", error=type(error).__qualname__)
            return False

    async def _ledger_answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE):
                await asyncio.to_thread(self._ledger.backlog)
        except Exception as error:  # noqa: BLE001 - whatever it is, the ledger does not answer
            log.debug("ledger_away", error=type(error).__qualname__)
            return False
        return True

    async def _metrics(self) -> Answer:
        """Ours, and behind them the SDK's own, which listens on a port of its own."""
        try:
            async with asyncio.timeout(SCRAPE):
                ours = await asyncio.to_thread(generate_latest, self._registry)
        except Exception as error:  # noqa: BLE001 - a scrape that fails is seen by who scrapes
            log.warning("metrics_fail", error=type(error).__qualname__)
            return _text(503, "the ledger does not answer")
        sdk = await asyncio.to_thread(_fetch, self._metrics_port) if self._metrics_port else b""
        return 200, CONTENT_TYPE_PLAIN_0_0_4, ours + sdk


def _text(status: int, said: str) -> Answer:
    return status, "text/plain; charset=utf-8", f"{said}\n".encode()


def _fetch(port: int) -> bytes:
    """The SDK's metrics; nothing while they cannot be had."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PROBE) as answer:
            body: bytes = answer.read()
    except (OSError, urllib.error.URLError):
        return b""
    return body
