"""What passes between a client and a vendor of the fake, and what a vendor is to the server.

The one rule: a vendor's state is plain JSON, so that it can be dumped, saved and loaded as it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl

import orjson

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, read whole. Header names are in small letters; `query` keeps the last of equal names."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    in_flight: int = 1
    """Requests that this vendor is working on now, this one included."""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ValueError: it is not one.
        """
        value = orjson.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("The body is not an object.")
        return value

    def form(self) -> list[tuple[str, str]]:
        """The fields of a form body, in order."""
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    def basic(self) -> tuple[str, str] | None:
        """User and password of HTTP Basic, or None."""
        kind, _, given = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user, password

    def bearer(self) -> str | None:
        """The token of a Bearer authorization, or None."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, whole."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(body: Any, status: int = 200, kind: str = JSON, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, orjson.dumps(body), {"content-type": kind, **(headers or {})})


class Operation(NamedTuple):
    """One endpoint: `name` is what faults and the record call it; `path` is a Starlette template."""

    name: str
    method: str
    path: str
    handle: Callable[[Ask], Answer]


class Vendor(Protocol):
    """One vendor: its endpoints and its state. Everything is synchronous and runs in one thread."""

    name: str
    state: dict[str, Any]

    def operations(self) -> Sequence[Operation]: ...

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        """The vendor's refusal for wrong credentials or a spent allowance; None when it takes the request."""

    def unknown(self, ask: Ask) -> Answer:
        """The vendor's answer to a path that it does not have."""

    def settle(self) -> None:
        """Bring the state to the clock's present: jobs run, results expire."""

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        """Add or replace these people; returns how many."""

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
