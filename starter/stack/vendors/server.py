"""The process: one port, a path for each vendor, the object store under another host name, and the controls.

The one rule: what a client sees of a vendor comes from the vendor's module or from a fault that was asked
for; the controls are a back door that no client of a vendor needs. Listens on loopback alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from starter.stack.child import HOST
from starter.stack.vendors import amplitude, google, mailchimp, stripe, zendesk
from starter.stack.vendors.callbacks import SECRET as CALLBACK_SECRET
from starter.stack.vendors.callbacks import Callbacks
from starter.stack.vendors.clock import Clock, zulu
from starter.stack.vendors.exchange import Answer, Ask, Operation, Vendor, reply
from starter.stack.vendors.faults import Fault, Faults, bent
from starter.stack.vendors.seeding import completed, shop_people

OTHER_HOST: Final = "localhost"
REMEMBERED: Final = 50_000
LONGEST: Final = 200_000
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# An answer to the token endpoint, and the assertion sent there, are credentials themselves.
_SECRET_BODIES: Final = ("token",)


class Fake:
    """All vendors, their clock, what is to go wrong, and the record of all requests."""

    def __init__(self, port: int, saved: Path | None = None) -> None:
        base = f"http://{HOST}:{port}"
        self.clock = Clock()
        self.faults = Faults()
        self.traffic: list[dict[str, Any]] = []
        self._saved = saved
        self._numbers = 0
        self._in_flight: Counter[str] = Counter()
        self._google = google.Google(self.clock, f"{base}/google")
        self._amplitude = amplitude.Amplitude(
            self.clock, f"{base}/amplitude", f"http://{OTHER_HOST}:{port}/store/amplitude"
        )
        vendors: Sequence[Vendor] = (
            self._google,
            self._amplitude,
            mailchimp.Mailchimp(self.clock),
            zendesk.Zendesk(self.clock, f"{base}/zendesk"),
            stripe.Stripe(self.clock),
        )
        self.vendors = {vendor.name: vendor for vendor in vendors}
        self.callbacks = Callbacks(self.vendors, self.faults, self._record_callback)
        self._blank = {vendor.name: orjson.dumps(vendor.state) for vendor in vendors}
        if saved and saved.exists():
            state = orjson.loads(saved.read_bytes())
            self.clock.load(state["clock"])
            for name, held in state["vendors"].items():
                self.vendors[name].load(held)

    @property
    def fresh(self) -> bool:
        """Whether there is no saved state that it went on from."""
        return not (self._saved and self._saved.exists())

    def seed(self, people: Sequence[Mapping[str, Any]], only: Sequence[str] | None = None) -> dict[str, int]:
        """Add people to the vendors that know them; returns how many each took."""
        chosen = only or list(self.vendors)
        taken = {
            name: self.vendors[name].seed([one for one in people if name in completed(one)["vendors"]])
            for name in chosen
        }
        self.save()
        return taken

    def reset(self) -> None:
        """A new world at the machine's own time; the credentials stay."""
        self.clock.load({"ahead_s": 0, "frozen": None})
        self.faults.clear()
        self.traffic.clear()
        self.callbacks.send_to({})
        key = {part: self._google.state[part] for part in ("key", "key_id")}
        for name, vendor in self.vendors.items():
            vendor.load(orjson.loads(self._blank[name]) | (key if name == "google" else {}))
        self.save()

    def credentials(self) -> dict[str, Any]:
        """What a client needs to be let in, by vendor."""
        return {
            "google": {"service_account": self._google.service_account(), "property": google.PROPERTY},
            "amplitude": {
                "api_key": amplitude.PROJECT_KEY[0],
                "secret_key": amplitude.PROJECT_KEY[1],
                "org_api_key": amplitude.ORG_KEY[0],
                "org_secret_key": amplitude.ORG_KEY[1],
            },
            "mailchimp": {"key": mailchimp.KEY, "lists": mailchimp.LISTS},
            "zendesk": {"email": zendesk.AGENT, "token": zendesk.TOKEN},
            "stripe": {"key": stripe.KEY, "callback_secret": CALLBACK_SECRET},
        }

    def save(self) -> None:
        """Write the state to its file, if it has one; whole or not at all."""
        if self._saved is None:
            return
        vendors = {name: vendor.state for name, vendor in self.vendors.items()}
        fresh = self._saved.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as out:
            out.write(orjson.dumps({"clock": self.clock.dump(), "vendors": vendors}))
        fresh.rename(self._saved)

    def dump(self) -> dict[str, Any]:
        """The state of each vendor as of now, without what is secret."""
        hidden = ("spent", "key", "key_id", "tokens", "keys")
        for vendor in self.vendors.values():
            vendor.settle()
        return {
            name: {part: value for part, value in vendor.state.items() if part not in hidden}
            for name, vendor in self.vendors.items()
        }

    # Vendors

    def routes(self) -> list[Route]:
        """The vendors' endpoints, the object store, and what no vendor has."""
        routes = []
        for vendor in self.vendors.values():
            for operation in vendor.operations():
                endpoint = self._endpoint(vendor, operation)
                routes.append(Route(f"/{vendor.name}{operation.path}", endpoint, methods=[operation.method]))
            rest = Operation("unknown", "*", "/{rest:path}", vendor.unknown)
            routes.append(Route(f"/{vendor.name}{rest.path}", self._endpoint(vendor, rest), methods=_METHODS))
        routes.append(Route("/store/amplitude/{signature}.gz", self._store, methods=["GET"]))
        return routes

    def _endpoint(self, vendor: Vendor, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._in_flight[vendor.name] += 1
            try:
                ask = await _asked(request, f"/{vendor.name}", self._in_flight[vendor.name])
                fault = self.faults.take(vendor.name, operation.name)
                return await self._answer(request, vendor, operation, ask, fault)
            finally:
                self._in_flight[vendor.name] -= 1

        return endpoint

    async def _answer(
        self, request: Request, vendor: Vendor, operation: Operation, ask: Ask, fault: Fault | None
    ) -> Response:
        refused = _instead(fault, vendor)
        if refused is not None:
            self._record(vendor.name, operation.name, ask, refused, worked=False, fault=fault)
            return _response(refused)
        if fault and fault.kind == "dropped":
            self._record(vendor.name, operation.name, ask, None, worked=False, fault=fault)
            return _Cut(b"")
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "delivered_twice":
            self._work(vendor, operation, ask, fault)
        answer = self._work(vendor, operation, ask, fault)
        match fault.kind if fault else None:
            case "timeout":
                await _silence(request, fault.seconds if fault else 0)
                return _Cut(b"")
            case "error_after":
                return Response("Internal Server Error", (fault and fault.status) or 500)
            case "truncated":
                return _Cut(answer.body, answer)
            case "wrong_shape":
                body = fault.body if fault and fault.body is not None else bent(orjson.loads(answer.body or b"{}"))
                return _response(Answer(answer.status, orjson.dumps(body), answer.headers))
            case _:
                return _response(answer)

    def _work(self, vendor: Vendor, operation: Operation, ask: Ask, fault: Fault | None) -> Answer:
        """Let the vendor do it, and write that down."""
        vendor.settle()
        refusal = vendor.admit(ask, operation.name)
        answer = refusal or operation.handle(ask)
        worked = refusal is None and answer.status < 400
        self._record(vendor.name, operation.name, ask, answer, worked=worked, fault=fault)
        self.save()
        return answer

    async def _store(self, request: Request) -> Response:
        ask = await _asked(request, "/store", 1)
        body = self._amplitude.stored(ask.params["signature"])
        if "authorization" in ask.headers:
            # A signed address and a credential at once: the store takes only one of them.
            refused = b"<Error><Code>InvalidArgument</Code></Error>"
            answer = Answer(400, refused, {"content-type": "application/xml"})
        elif body is None:
            answer = Answer(403, b"<Error><Code>AccessDenied</Code></Error>", {"content-type": "application/xml"})
        else:
            answer = Answer(200, body, {"content-type": "application/gzip"})
        fault = self.faults.take("store", "download")
        self._record("store", "download", ask, answer, worked=answer.status < 400, fault=fault)
        if fault and fault.kind == "truncated":
            return _Cut(answer.body, answer)
        return _response(answer)

    def _record(
        self, vendor: str, operation: str, ask: Ask, answer: Answer | None, *, worked: bool, fault: Fault | None
    ) -> None:
        self._numbers += 1
        secret = operation in _SECRET_BODIES
        self.traffic.append(
            {
                "number": self._numbers,
                "at": zulu(self.clock.now()),
                "vendor": vendor,
                "operation": operation,
                "method": ask.method,
                "path": ask.path,
                "query": dict(ask.query),
                "headers": _without_credentials(ask.headers),
                "body": _digest(ask.body) if secret else _text(ask.body),
                "worked": worked,
                "fault": fault and fault.kind,
                "status": answer and answer.status,
                "answer_headers": dict(answer.headers) if answer else None,
                "answer": answer and (_digest(answer.body) if secret else _text(answer.body)),
            }
        )
        del self.traffic[:-REMEMBERED]

    def _record_callback(self, vendor: str, url: str, body: bytes, status: int | None) -> None:
        ask = Ask("POST", url, {}, {}, {}, body)
        answer = None if status is None else Answer(status)
        self._record(vendor, "callback", ask, answer, worked=answer is not None, fault=None)


class Controls:
    """The back door, under `/_control/`."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    def routes(self) -> list[Route]:
        """Its endpoints."""
        known: Sequence[tuple[str, str, Callable[[Request, Any], Any]]] = (
            ("health", "GET", lambda *_: {"ok": True}),
            ("clock", "GET", lambda *_: self._clock()),
            ("clock", "POST", self._move_clock),
            ("faults", "GET", lambda *_: self._fake.faults.dump()),
            ("faults", "POST", self._add_faults),
            ("faults", "DELETE", lambda *_: self._fake.faults.clear()),
            ("seed", "POST", self._seed),
            ("reset", "POST", lambda *_: self._fake.reset()),
            ("dump", "GET", self._dump),
            ("traffic", "GET", self._traffic),
            ("traffic", "DELETE", lambda *_: self._fake.traffic.clear()),
            ("callbacks", "POST", lambda _, body: self._fake.callbacks.send_to(body)),
            ("credentials", "GET", lambda *_: self._fake.credentials()),
        )
        return [Route(f"/_control/{path}", _controlled(do), methods=[method]) for path, method, do in known]

    def _clock(self) -> dict[str, Any]:
        return {"now": self._fake.clock.now().isoformat()}

    def _move_clock(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        if "frozen" in body:
            self._fake.clock.freeze(bool(body["frozen"]))
        if "advance" in body:
            self._fake.clock.advance(body["advance"])
        self._fake.dump()
        self._fake.save()
        return self._clock()

    def _add_faults(self, request: Request, body: Any) -> list[dict[str, Any]]:
        self._fake.faults.add(body)
        return self._fake.faults.dump()

    def _seed(self, request: Request, body: dict[str, Any]) -> dict[str, int]:
        people = body["people"] if "people" in body else shop_people(int(body["count"]))
        return self._fake.seed(people, body.get("vendors"))

    def _dump(self, request: Request, body: Any) -> Any:
        state = self._fake.dump()
        return state[request.query_params["vendor"]] if "vendor" in request.query_params else state

    def _traffic(self, request: Request, body: Any) -> list[dict[str, Any]]:
        wanted = {name: request.query_params.get(name) for name in ("vendor", "operation")}
        since = int(request.query_params.get("since", 0))
        return [
            one
            for one in self._fake.traffic
            if one["number"] > since and all(value in (None, one[name]) for name, value in wanted.items())
        ]


def _controlled(do: Callable[[Request, Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            given = await request.body()
            return _response(reply(do(request, orjson.loads(given) if given else {})))
        except (KeyError, TypeError, ValueError) as error:
            return _response(reply({"error": f"{type(error).__name__}: {error}"}, 400))

    return endpoint


def application(fake: Fake) -> Starlette:
    """The ASGI application."""
    return Starlette(routes=[*fake.routes(), *Controls(fake).routes()])


# On the wire


async def _asked(request: Request, prefix: str, in_flight: int) -> Ask:
    return Ask(
        method=request.method,
        path=request.url.path.removeprefix(prefix),
        params={name: str(value) for name, value in request.path_params.items()},
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=await request.body(),
        in_flight=in_flight,
    )


def _instead(fault: Fault | None, vendor: Vendor) -> Answer | None:
    """The answer of a fault for which nothing is done."""
    match fault.kind if fault else None:
        case "rate_limited":
            wait = {"retry-after": fault.retry_after} if fault and fault.retry_after else {}
            return reply({"error": "Too Many Requests"}, (fault and fault.status) or 429, headers=wait)
        case "error":
            return Answer((fault and fault.status) or 500, b"Internal Server Error", {"content-type": "text/plain"})
        case "forbidden_text":
            page = b"<html><head><title>Access Denied</title></head><body>You don't have permission.</body></html>"
            return Answer(403, page, {"content-type": "text/html"})
        case "unauthorised":
            stranger = Ask("GET", "/", {}, {}, {}, b"")
            return vendor.admit(stranger, "fault")
        case "answer":
            assert fault is not None  # noqa: S101 - by the line above
            return reply(fault.body, fault.status or 200, headers=fault.headers)
        case _:
            return None


def _response(answer: Answer) -> Response:
    return Response(answer.body or None, answer.status, dict(answer.headers))


class _Cut(Response):
    """Half of an answer, or nothing of it, and the end of the connection."""

    def __init__(self, body: bytes, answer: Answer | None = None) -> None:
        super().__init__(body)
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


async def _silence(request: Request, seconds: float) -> None:
    """Say nothing until the client gives up, or for so long."""
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass


class _Protocol(H11Protocol):
    """Hands the connection to the application, which may cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def _text(body: bytes) -> str:
    if len(body) > LONGEST:
        return f"cut: {_digest(body)}, {len(body)} bytes"
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(body).decode()


def _digest(body: bytes | str) -> str:
    raw = body.encode() if isinstance(body, str) else body
    return "sha256:" + hashlib.sha256(raw).hexdigest()[:16]


def _without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    shown = dict(headers)
    if "authorization" in shown:
        kind, _, secret = shown["authorization"].partition(" ")
        shown["authorization"] = f"{kind} {_digest(secret)}"
    return shown


def _sockets(port: int) -> list[socket.socket]:
    """127.0.0.1, and ::1 where there is one: the other host name may mean either."""
    listening = [socket.create_server((HOST, port), backlog=256)]
    with contextlib.suppress(OSError):
        listening.append(socket.create_server(("::1", port), family=socket.AF_INET6, backlog=256))
    for one in listening:
        # Connections inherit it; without it each answer waits 40 ms for the client's acknowledgement.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def main() -> None:
    """Serve until SIGTERM."""
    words = argparse.ArgumentParser(prog="python -m starter.stack.vendors.server", description=__doc__)
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--state", type=Path, help="go on from this file, and keep the state in it")
    words.add_argument("--people", type=int, default=0, help="customers of the demo's shop to begin with")
    given = words.parse_args()
    fake = Fake(given.port, given.state)
    if given.people and fake.fresh:
        fake.seed(shop_people(given.people))
    config = uvicorn.Config(
        application(fake),
        http=_Protocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=_sockets(given.port))


if __name__ == "__main__":
    main()
