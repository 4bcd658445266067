"""Sending an event to a webhook, once.

The one rule: an event counts as taken in by a 2xx answer alone. Addresses are resolved and checked by us
(connectors/http/network.py), no redirect is followed, and no word of an answer is kept.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.errors import ConnectorError
from connectors.http.transport import Sent, Transport
from rights.codes import Code
from rights.webhooks import Event, signed

WITHIN: Final = timedelta(seconds=15)
"""How long a receiver may take for one event: it should note it and answer, and work afterwards."""
LARGEST: Final = 64 << 10
"""Bytes of an answer; nobody reads them."""
ASK_AGAIN_AT_MOST: Final = timedelta(hours=1)
"""The longest that a receiver may have itself left alone for by Retry-After."""


@dataclass(frozen=True)
class Hook:
    """A webhook of the settings, ready to be told."""

    name: str
    url: str = field(repr=False)
    keys: Sequence[bytes] = field(repr=False)
    """What is signed with: the present key, and the one before it while receivers change over."""
    kinds: frozenset[str]
    """Of the journal's entries that it hears of."""
    transport: Transport = field(repr=False)


class Refused(Exception):
    """An event was not taken in: the code, the status of the answer if there was one, and when to try again."""

    def __init__(self, code: Code, status: int | None = None, again: timedelta | None = None) -> None:
        super().__init__(code.value)
        self.code, self.status, self.again = code, status, again


def tell(hook: Hook, event: Event, now: datetime) -> int:
    """Send an event once; the status of the answer.

    Raises:
        Refused: it was not taken in, as far as can be known.
    """
    failed: Code
    try:
        answer = hook.transport.send(
            Sent("POST", hook.url, credentials=signed(event, hook.keys, now), body=event.body())
        )
    except ConnectorError as error:
        failed = Code(error.code)
    else:
        if 200 <= answer.status < 300:
            return answer.status
        raise Refused(Code.REFUSED, answer.status, _again(answer.headers.get("retry-after", "")))
    raise Refused(failed)


def _again(said: str) -> timedelta | None:
    """What a receiver says of when to try again, in seconds; a date, or a number that nobody means, says nothing."""
    return min(timedelta(seconds=int(said)), ASK_AGAIN_AT_MOST) if re.fullmatch(r"[0-9]{1,6}", said) else None
