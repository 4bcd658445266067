"""The process: one port, a path for each vendor, the object store under another host name, and the controls.

The one rule: what a client sees of a vendor comes from the vendor's module or from a fault that was asked
for; the controls are a back door that no client of a vendor needs. Listens on loopback alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from starter.stack.child import HOST
from starter.stack.vendors import amplitude, google, mailchimp, stripe, zendesk
from starter.stack.vendors.callbacks import SECRET as CALLBACK_SECRET
from starter.stack.vendors.callbacks import Callbacks
from starter.stack.vendors.clock import Clock
from starter.stack.vendors.exchange import Answer, Ask, Operation, Vendor, reply
from starter.stack.vendors.faults import Fault, Faults
from starter.stack.vendors.record import Record
from starter.stack.vendors.seeding import VENDORS, shop_people
from starter.stack.vendors.wire import Cut, DroppingProtocol, asked, response, silence, sockets

OTHER_HOST: Final = "localhost"
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Fake:
    """All vendors, their clock, what is to go wrong, and the record of all requests."""

    def __init__(self, port: int, saved: Path | None = None) -> None:
        base = f"http://{HOST}:{port}"
        self.clock = Clock()
        self.faults = Faults()
        self.record = Record(self.clock)
        self._saved = saved
        self._worlds = 0
        self._in_flight: Counter[str] = Counter()
        self._google = google.Google(self.clock, f"{base}/google")
        self._amplitude = amplitude.Amplitude(self.clock, f"{base}/amplitude", f"http://{OTHER_HOST}:{port}/store")
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
            name: self.vendors[name].seed([one for one in people if name in (one.get("vendors") or VENDORS)])
            for name in chosen
        }
        self.save()
        return taken

    def reset(self) -> None:
        """A new world at the machine's own time; the credentials stay."""
        self._worlds += 1
        self.clock.load({"ahead_s": 0, "frozen": None})
        self.faults.clear()
        self.record.clear()
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
        store: Vendor = amplitude.Store(self._amplitude)
        for vendor in (*self.vendors.values(), store):
            for operation in vendor.operations():
                endpoint = self._endpoint(vendor, operation)
                routes.append(Route(f"/{vendor.name}{operation.path}", endpoint, methods=[operation.method]))
            rest = Operation("unknown", "*", "/{rest:path}", vendor.unknown)
            routes.append(Route(f"/{vendor.name}{rest.path}", self._endpoint(vendor, rest), methods=_METHODS))
        return routes

    def _endpoint(self, vendor: Vendor, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._in_flight[vendor.name] += 1
            try:
                ask = await asked(request, f"/{vendor.name}", self._in_flight[vendor.name])
                fault = self.faults.take(vendor.name, operation.name)
                return await self._answer(request, vendor, operation, ask, fault)
            finally:
                self._in_flight[vendor.name] -= 1

        return endpoint

    async def _answer(
        self, request: Request, vendor: Vendor, operation: Operation, ask: Ask, fault: Fault | None
    ) -> Response:
        if fault is None:
            return response(self._work(vendor, operation, ask, None))
        refusal = fault.refusal(vendor)
        if refusal is not None or fault.kind == "dropped":
            self.record.add(vendor.name, operation.name, ask, refusal, worked=False, fault=fault.kind)
            return Cut() if refusal is None else response(refusal)
        if fault.kind == "slow":
            world = self._worlds
            await asyncio.sleep(fault.seconds)
            if world != self._worlds:  # it was asked of a world that is no more
                return Cut()
        if fault.kind == "delivered_twice":
            self._work(vendor, operation, ask, fault)
        answer = self._work(vendor, operation, ask, fault)
        match fault.kind:
            case "timeout":
                await silence(request, fault.seconds)
                return Cut()
            case "error_after":
                return Response("Internal Server Error", fault.status or 500)
            case "truncated":
                return Cut(answer)
            case "wrong_shape":
                return response(fault.bent(answer))
            case _:
                return response(answer)

    def _work(self, vendor: Vendor, operation: Operation, ask: Ask, fault: Fault | None) -> Answer:
        """Let the vendor do it, and write that down."""
        vendor.settle()
        refusal = vendor.admit(ask, operation.name)
        try:
            answer = refusal or operation.handle(ask)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # Fields of a kind that nobody sends: each vendor calls that a bad request, in its own words.
            answer = reply({"error": "Bad Request"}, 400)
        worked = refusal is None and answer.status < 400
        self.record.add(vendor.name, operation.name, ask, answer, worked=worked, fault=fault.kind if fault else None)
        self.save()
        return answer

    def _record_callback(self, vendor: str, url: str, body: bytes, status: int | None) -> None:
        ask = Ask("POST", url, {}, {}, {}, body)
        answer = None if status is None else Answer(status)
        self.record.add(vendor, "callback", ask, answer, worked=answer is not None, fault=None)


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
            ("traffic", "DELETE", lambda *_: self._fake.record.clear()),
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
        wanted = request.query_params
        return self._fake.record.select(wanted.get("vendor"), wanted.get("operation"), int(wanted.get("since", 0)))


def _controlled(do: Callable[[Request, Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            given = await request.body()
            return response(reply(do(request, orjson.loads(given) if given else {})))
        except (KeyError, TypeError, ValueError) as error:
            return response(reply({"error": f"{type(error).__name__}: {error}"}, 400))

    return endpoint


def application(fake: Fake) -> Starlette:
    """The ASGI application."""
    return Starlette(routes=[*fake.routes(), *Controls(fake).routes()])


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
        http=DroppingProtocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=sockets(given.port))


if __name__ == "__main__":
    main()
