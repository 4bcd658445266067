"""Webhooks: which of what happens to a request others may hear, in which words, and how it is signed.

The one rule: a closed list of kinds and of fields; ids, words of closed lists and times alone. What must stay secret,
such as a hold, is in none of them, and no number tells that something lies in between.

Source of the form and the signature: Standard Webhooks 1.0 (standardwebhooks.com).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rights.request import Right
from rights.value import Value

Body = Mapping[str, Any]

_SAYS: Final[Mapping[str, tuple[str, Callable[[Body], dict[str, Any]]]]] = {
    "opened": ("request.received", lambda _: {}),
    "confirm_identity": ("request.identity_confirmed", lambda _: {}),
    "moved": ("request.moved", lambda body: {"phase": body["phase"]}),
    "deadline": ("request.due", lambda body: {"risk": body["risk"]}),
    "withdraw": ("request.withdrawn", lambda _: {}),
    "closed": ("request.closed", lambda body: {"conclusion": body["conclusion"]}),
    "reopened": ("request.reopened", lambda _: {}),
}
"""By kind of the journal's entry: the event's type, and what it says beside the request, its right and the time."""

KINDS: Final = frozenset(_SAYS)
"""The kinds of the journal's entries that somebody may hear of."""
TYPES: Final = tuple(said[0] for said in _SAYS.values())
"""The types of events."""


def kinds_of(types: Sequence[str]) -> frozenset[str]:
    """The kinds of the journal's entries that are told as these types; of none, all."""
    return frozenset(kind for kind, said in _SAYS.items() if not types or said[0] in types)


SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins, no secret
SECRET_BYTES: Final = range(24, 65)


class SecretError(ValueError):
    """A secret is none that a webhook can be signed with."""

    def __init__(self) -> None:
        super().__init__(
            f"a webhook's secret is {SECRET_PREFIX} and the base64 of 24 to 64 random bytes: habeas webhook secret "
            "makes one"
        )


class Event(Value):
    """What is sent."""

    id: str
    """The same however often it is sent: whoever has it already leaves it."""
    type: str
    at: datetime
    request_id: str
    right: Right | None
    says: Mapping[str, Any]

    def body(self) -> bytes:
        """As it is sent, the same bytes each time."""
        data = {"request": self.request_id, "right": self.right, **self.says} if self.request_id else {}
        said = {"type": self.type, "timestamp": self.at.isoformat(timespec="seconds"), "data": data}
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def event_of(kind: str, body: Body, entry_hash: bytes, request_id: str, right: Right, at: datetime) -> Event:
    """What is told of an entry of the journal.

    Its id is made of the entry's hash: the entry's number would tell how many others there are, and a hold's are
    among them.
    """
    name, says = _SAYS[kind]
    return Event(
        id=f"evt_{entry_hash.hex()[:32]}", type=name, at=at, request_id=request_id, right=right, says=says(body)
    )


def trial(random: bytes, at: datetime) -> Event:
    """An event that is about no request."""
    return Event(id=f"evt_{random.hex()}", type="habeas.test", at=at, request_id="", right=None, says={})


def key_of(secret: str) -> bytes:
    """The key in a secret.

    Raises:
        SecretError: there is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SecretError from None
    if not secret.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise SecretError
    return key


def new_secret(random: bytes) -> str:
    """A secret of so many random bytes."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def signed(event: Event, keys: Sequence[bytes], now: datetime) -> dict[str, str]:
    """The headers of an attempt: its id, when it was made, and a signature by each key, over both and the body.

    Whoever takes it in compares the time with its own clock, so that what was listened in on cannot be sent again.
    """
    stamp = str(int(now.timestamp()))
    text = f"{event.id}.{stamp}.".encode() + event.body()
    signatures = (base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": event.id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "content-type": "application/json",
    }
