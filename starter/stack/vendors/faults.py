"""What can be made to go wrong at a vendor, once or some times, in the order asked for.

The one rule: a fault says for itself whether the vendor did the work, for that is what a client
cannot see and must find out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

import orjson
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from starter.stack.vendors.exchange import Answer, Ask, Vendor, reply

Kind = Literal[
    "rate_limited",  # 429 with Retry-After; nothing done
    "error",  # 500, or `status`; nothing done
    "error_after",  # the work is done, then 500
    "forbidden_text",  # 403 with a page of HTML instead of JSON; nothing done
    "unauthorised",  # 401 as this vendor says it; nothing done
    "timeout",  # the work is done, then silence for `seconds`, then the connection is cut
    "dropped",  # the connection is cut at once; nothing done
    "truncated",  # the work is done; half of the body arrives
    "slow",  # the right answer, `seconds` late
    "wrong_shape",  # the work is done; the body has other names (or is `body`)
    "delivered_twice",  # the request reaches the vendor twice; the second answer is sent
    "callback_twice",  # the next callback is sent twice
    "answer",  # `status`, `headers`, `body`; nothing done
]


@dataclass(config=ConfigDict(extra="forbid"))
class Fault:
    """One thing to go wrong: `times` times, at the operation, after `skip` right answers to it.

    `operation` is a name of the table in the package's docstring, or * for any. `seconds` are real ones.
    """

    vendor: str
    kind: Kind
    operation: str = "*"
    times: int = 1
    skip: int = 0
    seconds: float = 30
    retry_after: str | None = "2"
    status: int | None = None
    headers: dict[str, str] | None = None
    body: Any = None

    def refusal(self, vendor: Vendor) -> Answer | None:
        """What is answered in place of any work; None for the kinds that let the vendor work, or say nothing."""
        match self.kind:
            case "rate_limited":
                wait = {"retry-after": self.retry_after} if self.retry_after else {}
                return reply({"error": "Too Many Requests"}, self.status or 429, headers=wait)
            case "error":
                return Answer(self.status or 500, b"Internal Server Error", {"content-type": "text/plain"})
            case "forbidden_text":
                page = b"<html><head><title>Access Denied</title></head><body>You don't have permission.</body></html>"
                return Answer(403, page, {"content-type": "text/html"})
            case "unauthorised":
                return vendor.admit(Ask("GET", "/", {}, {}, {}, b""), "fault")
            case "answer":
                return reply(self.body, self.status or 200, headers=self.headers)
            case _:
                return None

    def bent(self, answer: Answer) -> Answer:
        """The same JSON under other names, as a vendor's unannounced change would have it; else a page."""
        if self.body is not None:
            return Answer(answer.status, orjson.dumps(self.body), answer.headers)
        try:
            known = orjson.loads(answer.body)
        except ValueError:
            return Answer(answer.status, b"<html><body>Moved</body></html>", answer.headers)
        changed = {f"x_{name}": one for name, one in known.items()} if isinstance(known, dict) else {"x_items": known}
        return Answer(answer.status, orjson.dumps(changed), answer.headers)


_FAULTS = TypeAdapter(list[Fault])


class Faults:
    """The queue: the first fault that fits an operation is the one that happens."""

    def __init__(self) -> None:
        self._queue: list[Fault] = []

    def add(self, wanted: object) -> None:
        """Queue one fault or a list of them, as JSON objects.

        Raises:
            ValueError: one of them is no fault.
        """
        self._queue += _FAULTS.validate_python(wanted if isinstance(wanted, list) else [wanted])

    def take(self, vendor: str, operation: str, *, callbacks: bool = False) -> Fault | None:
        """The fault that is due now, counted down; None for a right answer."""
        for fault in self._queue:
            fits = fault.vendor in (vendor, "*") and fault.operation in (operation, "*")
            if not fits or (fault.kind == "callback_twice") is not callbacks:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self._queue.remove(fault)
            return fault
        return None

    def dump(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        return [asdict(fault) for fault in self._queue]

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._queue.clear()
