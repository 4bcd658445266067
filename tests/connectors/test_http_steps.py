"""The steps of a vendor file, one by one, against a small server that says what a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.conformance.gate import Gate
from connectors.errors import Held, NeedsHuman, Retryable, Unsupported
from connectors.http import build
from connectors.http.connector import HttpConnector
from connectors.protocol import Call, Correction, OldValues, Pending
from rights.codes import Code
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.receipt import Tally
from rights.request import Right
from rights.subject import Identity
from rights.suppression import Scope

Reply = tuple[int, Any]
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)

HEAD = """
habeas: connector/v1
name: small
about: a vendor as small as it can be
base: https://small.example
secrets: {id: {about: id}, secret: {about: secret}}
auth: none
collections:
  people:
    about: people
    key: [id]
    several: true
    fields: {id: id, email: email}
    find:
      - by: email
        steps:
"""
TAIL = """
    erase:
      steps: [{call: "DELETE /people/{row.id}", answer: none}]
unsupported: {restrict: no way, suppress: no way, rectify: no way}
"""
MAP = """
system: small
owner: us
connector: http
backups: none
collections:
  people: {key: [id], fields: {id: {}, email: {category: contact, identity: email}}}
"""
ANNA = "anna@example.org"


class Server(ThreadingHTTPServer):
    """Answers by a function of method, path and query, and remembers what was asked."""

    daemon_threads = True
    answer: Callable[[str, str, dict[str, str]], Reply]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.logins: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _any(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
        self.server.logins.append(self.headers.get("authorization", ""))
        status, body = self.server.answer(self.command, parts.path, query)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _any

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Small:
    """A connector for a file made of these steps."""

    def __init__(
        self, server: Server, path: Path, find: str, tail: str = TAIL, head: str = HEAD, map_text: str = MAP
    ) -> None:
        file = path / "small.yaml"
        file.write_text(head + "\n".join("          " + line for line in find.strip().splitlines()) + tail)
        (system,) = read_map({"map.yaml": map_text}).systems.values()
        options = {
            "vendor": str(file),
            "base_url": f"http://127.0.0.1:{server.server_port}",
            "private": ["127.0.0.1"],
            "environment": "test",
        }
        self.system: System = system.model_copy(update={"options": options})
        self.connector: HttpConnector = build(self.system, {"id": "me", "secret": "hush"})

    def call(self, **more: Any) -> Call:
        works = make_plan(Right.ERASURE, DataMap.of({"small": self.system}), AT).of("small").works
        return Call(
            key="k",
            as_of=AT,
            system=self.system,
            work=works,
            identities=(Identity("email", ANNA),),
            beat=lambda: None,
            fence=more.pop("fence", Gate()),
            environment="test",
            **more,
        )

    def found(self) -> int:
        try:
            return self.connector.locate(self.call()).tally.found
        finally:
            self.connector.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield running
        running.shutdown()


def people(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": number, "email": ANNA if number % 2 else "ben@example.org"} for number in numbers]


PAGED = "- {{call: GET /people, rows: people, paginate: {way}}}"


@pytest.mark.parametrize(
    ("way", "param"),
    [
        ("{offset: {param: skip, size: 3, size_param: take, items: people}}", "skip"),
        ("{page: {param: page, first: 1, size: 3, items: people}}", "page"),
        ("{cursor: {param: after, from: next, more: more}}", "after"),
    ],
)
def test_a_long_answer_is_read_to_its_end(server: Server, tmp_path: Path, way: str, param: str) -> None:
    def answer(method: str, path: str, query: dict[str, str]) -> Reply:
        at = int(query.get(param, 0))
        start = (at - 1) * 3 if param == "page" else at
        rows = people(*range(10)[start : start + 3])
        return 200, {"people": rows, "next": start + 3, "more": start + 3 < 10}

    server.answer = answer

    assert Small(server, tmp_path, PAGED.format(way=way)).found() == 5
    assert len(server.asked) == 4


def test_links_are_followed_on_the_same_server_alone(server: Server, tmp_path: Path) -> None:
    home = f"http://127.0.0.1:{server.server_port}"
    server.answer = lambda method, path, query: (
        200,
        {"people": people(1), "next": f"{home}/more" if path == "/people" else "https://evil.example/x"},
    )

    with pytest.raises(NeedsHuman) as caught:
        Small(server, tmp_path, PAGED.format(way="{link: {next: next}}")).found()

    assert caught.value.code is Code.SHAPE
    assert "another server" in caught.value.about
    assert len(server.asked) == 2


def test_the_same_page_again_is_no_end(server: Server, tmp_path: Path) -> None:
    server.answer = lambda method, path, query: (200, {"people": people(1), "next": "same"})

    with pytest.raises(NeedsHuman) as caught:
        Small(server, tmp_path, PAGED.format(way="{cursor: {param: after, from: next}}")).found()

    assert caught.value.code is Code.SHAPE


def test_more_pages_than_expected_are_a_task_and_nothing_is_left_out(server: Server, tmp_path: Path) -> None:
    numbers = iter(range(1, 100))
    server.answer = lambda method, path, query: (200, {"people": people(1), "next": next(numbers)})

    with pytest.raises(NeedsHuman) as caught:
        Small(server, tmp_path, PAGED.format(way="{cursor: {param: after, from: next}, most: 5}")).found()

    assert caught.value.code is Code.TOO_LARGE


def test_a_search_is_not_believed(server: Server, tmp_path: Path) -> None:
    found = [{"id": 1, "email": "Anna@Example.org"}, {"id": 2, "email": "anna@example.org.evil.example"}]
    server.answer = lambda method, path, query: (200, [*found, {"id": 3, "email": None}])

    assert Small(server, tmp_path, '- {call: GET /people, query: {q: "{by.value}"}, rows: "@"}').found() == 1


@pytest.mark.parametrize("body", [{}, {"people": {}}, {"people": [3]}, {"people": [{"email": ANNA}]}, [], None])
def test_an_answer_of_another_shape_finds_not_nobody_but_a_task(server: Server, tmp_path: Path, body: Any) -> None:
    server.answer = lambda method, path, query: (200, body)

    with pytest.raises(NeedsHuman) as caught:
        Small(server, tmp_path, "- {call: GET /people, rows: people}").found()

    assert caught.value.code is Code.SHAPE
    assert caught.value.about.startswith("collections.people")


def test_json_that_breaks_off_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.answer = lambda method, path, query: (200, b'{"people": [')

    with pytest.raises(Retryable):
        Small(server, tmp_path, "- {call: GET /people, rows: people}").found()


def test_an_unknown_status_is_a_task(server: Server, tmp_path: Path) -> None:
    server.answer = lambda method, path, query: (418, {})

    with pytest.raises(NeedsHuman) as caught:
        Small(server, tmp_path, "- {call: GET /people, rows: people}").found()

    assert caught.value.about == "collections.people.find[0].steps[0]: status 418"


UNTIL_EMPTY = """
    erase:
      steps:
        - until_empty: visits
          steps:
            - {call: GET /visits, query: {of: "{row.id}"}, save: {visits: "[]"}}
            - {call: POST /delete, json: {visits: "{saved.visits}"}, answer: none}
          most: 4
unsupported: {restrict: no way, suppress: no way, rectify: no way}
"""


def test_until_empty_goes_on_to_the_end_and_sends_no_empty_list(server: Server, tmp_path: Path) -> None:
    visits = list(range(7))

    def answer(method: str, path: str, query: dict[str, str]) -> Reply:
        if path == "/delete":
            del visits[:3]
        return 200, people(1) if path == "/people" else visits[:3]

    server.answer = answer
    small, gate = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', UNTIL_EMPTY), Gate()

    tally = small.connector.erase(small.call(fence=gate))

    small.connector.close()
    assert isinstance(tally, Tally)
    assert (tally.changed, visits, len(gate.passages)) == (1, [], 1)
    sent = [json.loads(body) for body in server.bodies if body]
    assert [len(body["visits"]) for body in sent] == [3, 3, 1]


def test_until_empty_without_an_end_is_a_task_and_not_done(server: Server, tmp_path: Path) -> None:
    server.answer = lambda method, path, query: (200, people(1))
    small, gate = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', UNTIL_EMPTY), Gate()

    with pytest.raises(NeedsHuman) as caught:
        small.connector.erase(small.call(fence=gate))

    small.connector.close()
    assert caught.value.code is Code.TOO_LARGE
    assert [passage.tally for passage in gate.passages] == [None], "the intent stays open"


STOPS = """
    erase:
      steps: [{call: "DELETE /people/{row.id}", answer: none}]
    suppress:
      stops: [marketing]
      steps: [{call: "POST /block", json: {id: "{row.id}"}, answer: none}]
unsupported: {restrict: no way, rectify: no way}
"""


def test_an_opt_out_at_a_vendor_is_asked_of_the_fence_first(server: Server, tmp_path: Path) -> None:
    server.answer = lambda method, path, query: (200, people(1, 3) if path == "/people" else {})
    small, gate = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', STOPS), Gate()

    with pytest.raises(Held):
        small.connector.suppress(small.call(fence=Gate(refuse=Held(Code.WITHDRAWN), refuse_at=2)))
    blocked = server.asked.count("POST /block")
    tally = small.connector.suppress(small.call(fence=gate))

    small.connector.close()
    assert blocked == 1, "the second was not let through"
    assert (tally.found, [passage.planned for passage in gate.passages]) == (2, [{"people": 1}] * 2)


@pytest.mark.parametrize(("stops", "done"), [(("marketing",), True), (("marketing", "marketing_profiling"), False)])
def test_a_use_that_a_vendor_cannot_stop_is_not_passed_over_because_it_stops_another(
    server: Server, tmp_path: Path, stops: tuple[str, ...], done: bool
) -> None:
    server.answer = lambda method, path, query: (200, people(1, 3) if path == "/people" else {})
    small = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', STOPS)
    call = small.call(fence=Gate())
    wanted = tuple(Scope(one) for one in stops)
    call = replace(call, work=tuple(work.model_copy(update={"stops": wanted}) for work in call.work))

    if done:
        small.connector.suppress(call)
    else:
        with pytest.raises(Unsupported):
            small.connector.suppress(call)

    small.connector.close()
    assert server.asked.count("POST /block") == 2, "what it can stop is stopped in any case"


def test_a_client_logs_in_once_and_again_when_its_token_ends(server: Server, tmp_path: Path) -> None:
    tokens = iter(["first", "second", "third"])
    good = {"first"}

    def answer(method: str, path: str, query: dict[str, str]) -> Reply:
        if path == "/token":
            return 200, {"access_token": next(tokens), "expires_in": 3600}
        return (200, people(1)) if server.logins[-1].removeprefix("Bearer ") in good else (401, {})

    server.answer = answer
    url = f"http://127.0.0.1:{server.server_port}/token"
    auth = f'auth: {{client_credentials: {{token_url: "{url}", id: "{{secret.id}}", secret: "{{secret.secret}}"}}}}'
    small = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', head=HEAD.replace("auth: none", auth))

    for accepted in ({"first"}, {"first"}, {"second"}):
        good.clear()
        good.update(accepted)
        assert small.connector.locate(small.call()).tally.found == 1
    good.clear()
    with pytest.raises(NeedsHuman) as caught:
        small.connector.locate(small.call())

    small.connector.close()
    assert (caught.value.code, caught.value.about) == (Code.CREDENTIALS, "id, secret")
    assert sum(asked == "POST /token" for asked in server.asked) == 3
    assert b"hush" in server.bodies[0]
    assert "hush" not in str(caught.value) + repr(vars(small.connector))


POLLED = """
    erase:
      steps:
        - {call: "DELETE /people/{row.id}", answer: none}
        - poll: GET /jobs/{row.id}
          state: state
          states: {running: [running], done: [done]}
          every: 1d
          deadline: 9d
unsupported: {restrict: no way, suppress: no way, rectify: no way}
"""


@pytest.mark.parametrize(("given", "seconds"), [({}, 86400), ({"every": "15m"}, 900)])
def test_work_is_asked_for_as_often_as_the_map_says(
    server: Server, tmp_path: Path, given: dict[str, str], seconds: int
) -> None:
    server.answer = lambda method, path, query: (200, {"state": "running"} if "jobs" in path else people(1))
    small = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', POLLED)
    small.connector.close()
    connector = build(
        small.system.model_copy(update={"options": {**small.system.options, **given}}), {"id": "me", "secret": "hush"}
    )

    pending = connector.erase(small.call())

    connector.close()
    assert isinstance(pending, Pending)
    assert pending.check_after.total_seconds() == seconds


def test_how_often_is_a_time(server: Server, tmp_path: Path) -> None:
    small = Small(server, tmp_path, '- {call: GET /people, rows: "@"}', POLLED)
    small.connector.close()
    options = {**small.system.options, "every": "often"}

    with pytest.raises(ValueError, match="options: every: write a time as a number and s, m, h or d"):
        build(small.system.model_copy(update={"options": options}), {"id": "me", "secret": "hush"})


CORRECTABLE = """
      - by: id
        steps:
          - {call: "GET /people/{by.value}", rows: "[@]"}
    erase:
      steps: [{call: "DELETE /people/{row.id}", answer: none}]
    rectify:
      fields: [email, city]
      steps: [{call: "POST /people/{row.id}", json: {email: "{new.email?}", city: "{new.city?}"}, answer: none}]
unsupported: {restrict: no way, suppress: no way}
"""
CITIES = HEAD.replace("    several: true\n", "").replace("email: email}", "email: email, city: city}")
CITY_MAP = MAP.replace("identity: email}}", "identity: email}, city: {category: contact}}")


class Lagging:
    """A vendor whose search goes on showing what stood there before, and finds nobody by what stands there now."""

    def __init__(self) -> None:
        self.shown = {"id": 7, "email": ANNA, "city": "Ulm"}
        self.held = dict(self.shown)

    def __call__(self, method: str, path: str, query: dict[str, str]) -> Reply:
        if path == "/people":
            return 200, [self.shown] if query["email"] == self.shown["email"] else []
        return 200, self.held


@pytest.fixture
def lagging(server: Server, tmp_path: Path) -> tuple[Small, Lagging]:
    vendor = Lagging()
    server.answer = vendor
    find = 'call: GET /people\nquery: {email: "{by.value}"}\nrows: "[@][]"'.replace("\n", "\n  ")
    return Small(server, tmp_path, f"- {find}", CORRECTABLE, CITIES, CITY_MAP), vendor


def test_REC_01_what_a_lagging_search_shows_is_neither_kept_nor_believed(
    lagging: tuple[Small, Lagging], server: Server
) -> None:
    small, vendor = lagging
    vendor.held["city"] = "Bonn"
    kept = list[OldValues]()

    def answer(method: str, path: str, query: dict[str, str]) -> Reply:
        if method == "POST":
            vendor.held |= json.loads(server.bodies[-1])
            return 200, {}
        return vendor(method, path, query)

    server.answer = answer
    new = {"email": "quartz@example.org", "city": "Köln"}

    tally = small.connector.rectify(small.call(corrections=(Correction("people", new),), keep=kept.append))

    assert (tally.rectified, vendor.held, vendor.shown["city"]) == (1, {"id": 7, **new}, "Ulm")
    assert kept == [{"people": {("7",): {"email": ANNA, "city": "Bonn"}}}]
    again = small.call(corrections=(Correction("people", new),), fence=Gate(refuse=Held(Code.HOLD)))
    assert small.connector.rectify(again).rectified == 0, "as long as it lags, too"


def test_REC_01_a_vendor_that_says_yes_and_does_nothing_is_not_believed(lagging: tuple[Small, Lagging]) -> None:
    small, _ = lagging
    corrections = (Correction("people", {"city": "Köln"}),)

    with pytest.raises(NeedsHuman) as caught:
        small.connector.rectify(small.call(corrections=corrections))

    assert (caught.value.code, caught.value.about) == (Code.CHANGED_BACK, "people.city")


@pytest.mark.parametrize("value", [None, ""])
def test_what_cannot_be_emptied_is_a_persons_and_nothing_is_written(
    lagging: tuple[Small, Lagging], server: Server, value: str | None
) -> None:
    small, _ = lagging

    with pytest.raises(NeedsHuman) as caught:
        small.connector.rectify(small.call(corrections=(Correction("people", {"city": value}),)))

    assert (caught.value.code, caught.value.about) == (Code.VALUE, "people.city")
    assert not [one for one in server.asked if one.startswith("POST")]
