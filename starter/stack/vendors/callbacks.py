"""What a vendor sends of its own accord: Stripe's events on its redaction jobs, signed as Stripe signs.

The one rule: an event is sent until it is taken, so it may come twice; who takes it must not mind.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from starter.stack.vendors.exchange import Vendor
from starter.stack.vendors.faults import Faults

SECRET: Final = "whsec_fake"  # noqa: S105 - of the fake
EVERY_S: Final = 0.1
LIMIT_S: Final = 5.0


class Callbacks:
    """Sends the vendors' events to the addresses given, in order, from a task of its own."""

    def __init__(
        self, vendors: Mapping[str, Vendor], faults: Faults, record: Callable[[str, str, bytes, int | None], None]
    ) -> None:
        self._vendors, self._faults, self._record = vendors, faults, record
        self._urls: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    def send_to(self, urls: Mapping[str, str]) -> None:
        """Send events from now on to these addresses, by vendor; to none where nothing is given.

        Raises:
            ValueError: a vendor has no callbacks, or an address is not HTTP.
        """
        if not urls.keys() <= {"stripe"} or not all(url.startswith("http://") for url in urls.values()):
            raise ValueError("Only Stripe calls back here, and only by plain HTTP.")
        self._urls = dict(urls)
        for name in urls:
            self._vendors[name].state["events"].clear()
        if self._urls and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            for name, url in list(self._urls.items()):
                vendor = self._vendors[name]
                vendor.settle()
                events = vendor.state["events"]
                while events and await self._sent(name, url, events[0]):
                    events.pop(0)

    async def _sent(self, name: str, url: str, event: Mapping[str, Any]) -> bool:
        fault = self._faults.take(name, "callback", callbacks=True)
        taken = [await self._send(name, url, orjson.dumps(event)) for _ in range(2 if fault else 1)]
        return all(taken)

    async def _send(self, name: str, url: str, body: bytes) -> bool:
        at = int(time.time())
        signature = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "stripe-signature": f"t={at},v1={signature}"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - plain HTTP, see send_to

        def post() -> int | None:
            with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310
                return int(answer.status)
            return None

        status = await asyncio.to_thread(post)
        self._record(name, url, body, status)
        return status is not None
