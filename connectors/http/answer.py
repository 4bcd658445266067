"""What an answer means: the rules of the file first, then what every server means by its status.

The one rule: an answer that no rule describes means nothing. It is a person's matter, by its place in the file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.http.steps import Request, Rule, Status
from connectors.http.template import searched
from connectors.http.transport import Received
from rights.codes import Code

WAIT: Final = timedelta(seconds=30)
"""Before the next try at a vendor that is busy and does not say for how long."""
LONGEST_WAIT: Final = timedelta(days=1)
"""More than this no vendor asks for in earnest."""
_NOT_JSON: Final = object()
_BUILT_IN: Final = (
    Rule(status=429, then="throttle"),
    Rule(status=[408, 425, "5xx"], then="retry"),
    Rule(status=[401, 403], then="blocked"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer, or that there is nothing."""

    body: Any = field(default=None, repr=False)
    absent: bool = False


def understood(
    received: Received, request: Request, rules: Sequence[Rule], secrets: str, where: str
) -> Answer | ConnectorError:
    """What an answer to the request at `where` in the file means; `secrets` are what the request was signed with."""
    body = _body(received) if request.answer == "json" else None
    rule = next((rule for rule in (*request.errors, *rules) if _fits(rule, received, body)), None)
    if rule is None and _is_status(request.expect, received.status):
        return _good(received, body, where)
    rule = rule or next((rule for rule in _BUILT_IN if _fits(rule, received, body)), None)
    if rule is None:
        return NeedsHuman(Code.SHAPE, f"{where}: status {received.status}")
    match rule.then:
        case "absent":
            return Answer(absent=True)
        case "throttle":
            return Retryable(Code.BUSY, where, after=_after(received) or rule.wait or WAIT)
        case "retry":
            return Retryable(Code.UNREACHABLE, where, after=_after(received) or rule.wait)
        case "blocked":
            return NeedsHuman(Code.CREDENTIALS, rule.secret or secrets)
        case "refused":
            return NeedsHuman(Code.REFUSED, where)


def _good(received: Received, body: object, where: str) -> Answer | ConnectorError:
    if body is not _NOT_JSON:
        return Answer(body)
    if "json" in received.headers.get("content-type", ""):
        # It says that it is JSON and is not, so it broke off on its way: what it was to say is not known.
        return Retryable(Code.UNREACHABLE, where)
    return NeedsHuman(Code.SHAPE, f"{where}: not JSON")


def _body(received: Received) -> object:
    if not received.body:
        return None
    try:
        return json.loads(received.body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _is_status(wanted: Status, status: int) -> bool:
    texts = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
    return str(status) in texts or f"{status // 100}xx" in texts


def _fits(rule: Rule, received: Received, body: object) -> bool:
    is_json = body is not _NOT_JSON and body is not None
    if rule.status is not None and not _is_status(rule.status, received.status):
        return False
    if rule.json_ is not None and rule.json_ is not is_json:
        return False
    return not rule.body or (is_json and bool(searched(rule.body, body, {})))


def _after(received: Received) -> timedelta | None:
    """What Retry-After says: seconds, or a date, which the vendor's own clock is read for."""
    text = received.headers.get("retry-after", "").strip()
    if text.isdecimal() and len(text) < 10:
        return min(timedelta(seconds=int(text)), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(received.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(timedelta(0), wait), LONGEST_WAIT)
