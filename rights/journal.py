"""The journal of a request, as it is read: its entries, and words that stand in them.

The one rule: what an entry says is never written anew, so a word keeps the meaning that it had when it was written.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rights.deadlines import Clock
from rights.value import Value

RECEIPTS: Final = ("look", "receipt", "settled")
"""The kinds of entry that hold a receipt: of a look, of an act that is not done, and the one of an act that is."""

REPLAYED: Final = "replayed"
"""What the journal says instead of a proof of a request that carries another one out anew."""
DEFERRED: Final = "deferred"
"""The same of one that comes back to what an answered one had to leave."""
ASKED_AT: Final = "asked_at"
"""Of such a one, when the person asked for it: the day that letters name."""
CARRIED_ON: Final = frozenset({REPLAYED, DEFERRED})
"""Both are about what the map has of the earlier request's systems, and no more."""


class JournalEntry(Value):
    """An entry of the journal about one request."""

    seq: int
    kind: str
    key: str | None
    at: datetime
    body: Mapping[str, Any]


class NotClosedError(ValueError):
    """There is no evidence of a request that is open."""


def closing(entries: Sequence[JournalEntry]) -> JournalEntry:
    """The entry that closed the request.

    Raises:
        NotClosedError: none did, or it was opened again since.
    """
    for entry in reversed(entries):
        if entry.kind == "closed":
            return entry
        if entry.kind == "reopened":
            break
    raise NotClosedError


def clocks_in(entries: Iterable[JournalEntry]) -> tuple[Clock, ...]:
    """A request's clocks as the journal has them, after all that has moved them."""
    said: dict[str, Any] = {}
    for entry in entries:
        if entry.kind in {"opened", "clock"}:
            said |= entry.body
    own = {"zone": said["zone"], "holidays": said["holidays"], "received_at": said["received_at"]}
    if not said.get("clocks"):  # opened before there were several
        names = ("regime", "ruleset", "internal_due", "legal_due")
        return (Clock(**own, **{name: said[name] for name in names}),)
    return tuple(Clock.model_validate({**one, **own}) for one in said["clocks"])


def own_laws_in(entries: Iterable[JournalEntry]) -> set[str]:
    """The digests of an operator's own law that decisions stand on."""
    return {str(entry.body["law"]) for entry in entries if entry.kind == "proposed" and "law" in entry.body}
