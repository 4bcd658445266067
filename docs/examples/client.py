"""A client of Habeas' HTTP API, to copy into your own program. It needs httpx2 and pydantic, and nothing of Habeas.

    with Habeas("https://habeas.example.com", token) as habeas:
        opened = habeas.open("erasure", {"email": "name@example.org"}, key="form-17")
        habeas.standing(opened.id).request.phase

The one rule: a call that changes something has a key, so that it can be sent again when no answer came; and is sent
again here, a few times, when the other side says that it may be.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict

M = TypeVar("M", bound=BaseModel)
AGAIN = {409: {"in_progress"}, 429: {"too_many"}, 503: {"away"}}
"""Problems after which the same call may be sent again."""


class Answer(BaseModel):
    """What comes back; fields that a later version adds are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Opened(Answer):
    """A request that was received."""

    id: str
    right: str
    received_at: datetime


class Request(Answer):
    """A request in a list."""

    id: str
    right: str
    phase: str
    received_at: datetime
    legal_due: datetime
    risk: str | None
    conclusion: str | None


class Standing(Answer):
    """How a request stands. `version` goes back with a change that is to be made on just this."""

    request: Request
    waits_for: str | None
    held: bool
    version: str = ""


class Withdrawn(Answer):
    """A request that is taken back."""

    withdrawn: bool
    in_flight: int


class Line(Answer):
    """Something that happened."""

    at: datetime
    kind: str
    says: str


class Hold(Answer):
    """A legal hold."""

    id: str
    in_force: bool
    in_flight: int


class Barred(Answer):
    """Whether somebody may be written to, or brought in."""

    barred: bool
    why: list[str]


class Problem(Exception):
    """The API has not done it, or (`carried_out`) has, and cannot say any more what it had answered: `see` is where to
    look. `code` is for programs, the text for people."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("detail", "the answer is none of Habeas' own: is the address right?")))
        self.status, self.code = status, str(body.get("code", ""))
        self.trace, self.errors = str(body.get("trace", "")), body.get("errors", [])
        self.see = str(body.get("see", ""))


class Habeas:
    """The API at one address, for one token. `tries`: how often a call is sent, at most."""

    def __init__(self, url: str, token: str, *, tries: int = 4, **options: Any) -> None:
        self._tries = tries
        self._http = httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, **options)

    def open(self, right: str, identities: Mapping[str, str], *, key: str | None = None, **more: Any) -> Opened:
        """Open a request. `key` is your own name for it: given again, it is the same request.

        Raises:
            Problem: it was not received.
        """
        given = [{"kind": kind, "value": value} for kind, value in identities.items()]
        return self._change(Opened, "/v1/requests", {"right": right, "identities": given, **more}, key=key)

    def standing(self, request: str) -> Standing:
        """How a request stands."""
        answer = self._send("GET", f"/v1/requests/{request}")
        found = Standing.model_validate_json(answer.content)
        return found.model_copy(update={"version": answer.headers["etag"]})

    def requests(self, **narrowed: Any) -> Iterator[Request]:
        """All requests, the newest first; `right`, `phase` and `open` narrow it."""
        for row in self._pages("/v1/requests", "requests", narrowed):
            yield Request.model_validate(row)

    def due(self, days: int = 7) -> Iterator[Request]:
        """What is due by law within some days, the most pressing first."""
        for row in self._pages("/v1/deadlines/due", "requests", {"days": days}):
            yield Request.model_validate(row)

    def timeline(self, request: str) -> Iterator[Line]:
        """What happened to a request."""
        for row in self._pages(f"/v1/requests/{request}/timeline", "lines", {}):
            yield Line.model_validate(row)

    def withdraw(self, request: str, *, note: str | None = None, seen: Standing | None = None) -> Withdrawn:
        """Take a request back; with `seen`, only if it stands as it did then (else a problem `changed`)."""
        return self._change(Withdrawn, f"/v1/requests/{request}/withdraw", {"note": note}, seen=seen)

    def place_hold(self, identities: Mapping[str, str], text: str, *, key: str | None = None, **terms: Any) -> Hold:
        """Let nothing be destroyed of somebody's."""
        given = [{"kind": kind, "value": value} for kind, value in identities.items()]
        return self._change(Hold, "/v1/holds", {"identities": given, "text": text, **terms}, key=key)

    def check(self, kind: str, value: str, use: str = "marketing") -> Barred:
        """Whether somebody may be written to (`marketing`, ...) or brought in (`import`)."""
        asked = {"kind": kind, "value": value, "use": use}
        return Barred.model_validate_json(self._send("POST", "/v1/suppression/check", json=asked).content)

    def barred_rows(self, lines: Iterator[bytes] | Sequence[bytes], column: str, use: str = "marketing") -> list[int]:
        """The numbers of the rows of a CSV that may not be used. It is sent as a stream, and once."""
        asked = {"column": column, "use": use}
        answer = self._http.post("/v1/suppression/check-csv", params=asked, content=iter(lines))
        if answer.is_error:
            raise _problem(answer)
        return [int(line.split(",")[0]) for line in answer.text.splitlines()[1:]]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _change(
        self, model: type[M], path: str, body: Any, *, key: str | None = None, seen: Standing | None = None
    ) -> M:
        headers = {"idempotency-key": key or secrets.token_urlsafe(18)}
        if seen is not None:
            headers["if-match"] = seen.version
        return model.model_validate_json(self._send("POST", path, json=body, headers=headers).content)

    def _pages(self, path: str, name: str, asked: Mapping[str, Any]) -> Iterator[Any]:
        cursor: dict[str, str] = {}
        while True:
            page = self._send("GET", path, params={**asked, **cursor}).json()
            yield from page[name]
            if not page["next"]:
                return
            cursor = {"cursor": page["next"]}

    def _send(self, method: str, path: str, **sent: Any) -> httpx2.Response:
        for number in range(1, self._tries + 1):
            last = number == self._tries
            try:
                answer = self._http.request(method, path, **sent)
            except httpx2.TransportError:
                if last:
                    raise
                time.sleep(0.2 * 2**number)
                continue
            if not answer.is_error:
                return answer
            problem = _problem(answer)
            if last or problem.code not in AGAIN.get(answer.status_code, set()):
                raise problem
            time.sleep(min(float(answer.headers.get("retry-after", 1)), 30))
        raise AssertionError("the last try returns or raises")


def _problem(answer: httpx2.Response) -> Problem:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    return Problem(answer.status_code, body if isinstance(body, dict) else {})
