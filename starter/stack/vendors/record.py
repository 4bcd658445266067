"""Every request that was seen, and what was answered: the tests' witness.

The one rule: no credential is written down; where one stood there is a digest of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from starter.stack.vendors.clock import Clock, zulu
from starter.stack.vendors.exchange import Answer, Ask

REMEMBERED: Final = 50_000
LONGEST: Final = 200_000
# An answer to the token endpoint, and the assertion sent there, are credentials themselves.
_SECRET_BODIES: Final = ("token",)


class Record:
    """The last requests, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._number = 0
        self._kept: list[dict[str, Any]] = []

    def add(
        self, vendor: str, operation: str, ask: Ask, answer: Answer | None, *, worked: bool, fault: str | None
    ) -> None:
        """Write one down; `worked` says that the vendor did what was asked, whatever reached the client."""
        self._number += 1
        text = _digest if operation in _SECRET_BODIES else _text
        self._kept.append(
            {
                "number": self._number,
                "at": zulu(self._clock.now()),
                "vendor": vendor,
                "operation": operation,
                "method": ask.method,
                "path": ask.path,
                "query": dict(ask.query),
                "headers": _without_credentials(ask.headers),
                "body": text(ask.body),
                "worked": worked,
                "fault": fault,
                "status": answer and answer.status,
                "answer_headers": dict(answer.headers) if answer else None,
                "answer": answer and text(answer.body),
            }
        )
        del self._kept[:-REMEMBERED]

    def select(self, vendor: str | None, operation: str | None, since: int) -> list[dict[str, Any]]:
        """Those of a vendor and an operation, if given, with a higher number."""
        wanted = {"vendor": vendor, "operation": operation}
        return [
            one
            for one in self._kept
            if one["number"] > since and all(value in (None, one[name]) for name, value in wanted.items())
        ]

    def clear(self) -> None:
        """Forget them; numbers go on."""
        self._kept.clear()


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
