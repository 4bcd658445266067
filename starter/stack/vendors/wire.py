"""The connection itself: requests read whole, answers sent, cut in half, or not sent at all.

The one rule: an answer that is cut leaves nothing behind on the connection, which ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from starter.stack.child import HOST
from starter.stack.vendors.exchange import Answer, Ask


async def asked(request: Request, prefix: str, in_flight: int) -> Ask:
    """The request, with its path behind the prefix."""
    return Ask(
        method=request.method,
        path=request.url.path.removeprefix(prefix),
        params={name: str(value) for name, value in request.path_params.items()},
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=await request.body(),
        in_flight=in_flight,
    )


def response(answer: Answer) -> Response:
    """The whole of the answer."""
    return Response(answer.body or None, answer.status, dict(answer.headers))


class Cut(Response):
    """Half of an answer, or nothing of it, and the end of the connection."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        if self._answer is None:
            transport.abort()
        else:
            headers = {**self._answer.headers, "content-length": str(len(self._answer.body))}
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": self._answer.status, "headers": raw})
            half = self._answer.body[: len(self._answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            transport.close()
        # The server learns on its next turn that the connection is gone, and sends nothing after that.
        while (await receive())["type"] != "http.disconnect":
            pass


async def silence(request: Request, seconds: float) -> None:
    """Say nothing until the client gives up, or for so long."""
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass


class DroppingProtocol(H11Protocol):
    """Hands the connection to the application, which may cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def sockets(port: int) -> list[socket.socket]:
    """127.0.0.1, and ::1 where there is one: the other host name may mean either."""
    listening = [socket.create_server((HOST, port), backlog=256)]
    with contextlib.suppress(OSError):
        listening.append(socket.create_server(("::1", port), family=socket.AF_INET6, backlog=256))
    for one in listening:
        # Connections inherit it; without it each answer waits 40 ms for the client's acknowledgement.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
