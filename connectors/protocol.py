"""What a connector is: an ordinary object with `locate`, and a method for each further operation it is capable of.

A connector is sync, has no base class and is testable without Temporal or a ledger. The one rule of destruction: every
destructive call or batch stands inside ``with call.fence(planned, look) as intent:`` and reports `intent.done(tally)`;
what the fence refuses must not happen, and what it lets through must end within the limits that the connector itself
had set on the target *before* it entered the fence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from connectors.errors import ConnectorError
from rights.datamap import System
from rights.plan import Operation, Work
from rights.receipt import Certainty, Tally
from rights.subject import Identity
from rights.suppression import Scope

Anchors = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Per collection and field, the values (as text) by which rows are found again once the path to them is cut: the parent
keys that links use, and the keys of rows that are to be kept. Kept sealed in the vault."""

Key = tuple[str, ...]
"""A row's key: the values of the collection's `key` fields, as text, in the map's order."""


OldValues = Mapping[str, Mapping[Key, Mapping[str, str | None]]]
"""What a rectification is about to write over: by collection, row and field, the value as text, or None for nothing."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What fields of the person's rows in a collection are to say; of all of these rows, or of one."""

    collection: str
    values: Mapping[str, str | None] = field(repr=False)
    """By field, the new value as text, in the form in which looks give keys and anchors (ISO dates, plain digits, bytes
    as \\x and hexadecimal); None: nothing is to stand there."""
    key: Key | None = field(default=None, repr=False)
    """The one row that is meant; None: every row of the person in this collection."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several rows of a subject collection that match: is it the person?"""

    collection: str
    key: Key = field(repr=False)
    traits: Mapping[str, object] = field(repr=False, default_factory=dict)
    """Values that help an agent to tell; shown masked."""
    shown: Mapping[str, object] = field(repr=False, default_factory=dict)
    """What is shown as it is: a count, a key that tells nothing, a text that is masked already."""


@dataclass(frozen=True, slots=True)
class Rulings:
    """Which rows an agent has ruled to be the person's, and which to be somebody else's: rows of subject collections,
    rows in which a text mentions the person, and places of a residue."""

    mine: Mapping[str, frozenset[Key]] = field(default_factory=dict, repr=False)
    others: Mapping[str, frozenset[Key]] = field(default_factory=dict, repr=False)


class Intent(Protocol):
    """A destructive call that the fence has let through."""

    def done(self, tally: Tally, job: Mapping[str, str] | None = None) -> None:
        """Say what the call changed, once the target has committed it. Without it the intent stays open, and is
        settled by looking.

        `job` is what the system said of work that it goes on with by itself: it is kept in the same commit, so that a
        worker killed here does not ask for the work twice. The `Pending` that follows says the same.
        """


class Quota(Protocol):
    """Counts what all workers together ask of a system."""

    def __call__(self, name: str, cost: int, limit: int, window: timedelta) -> None:
        """Take `cost` of the `limit` that the system allows in any `window`; `name` tells one allowance from another.

        Raises:
            Retryable: not now; `after` says when this step's turn comes, which is kept for it.
        """


def no_quota(name: str, cost: int, limit: int, window: timedelta) -> None:
    """For calls made outside of the engine: nothing is counted."""


class Fence(Protocol):
    """Asks whether a destructive call may happen now."""

    def __call__(self, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        """Enter with the rows about to be changed per collection, and the last look before.

        Raises (on entering):
            Held: a hold or a withdrawal is in force.
            NeedsHuman: the fuse of this system has blown.
        """


def untold(links: tuple[Identity, ...]) -> None:
    """For calls made outside of the engine: nobody learns anything."""


def forgotten(anchors: Anchors) -> None:
    """For calls made outside of the engine: nothing is remembered."""


def unkept(old: OldValues) -> None:
    """For calls made outside of the engine: nobody keeps them."""


@dataclass(frozen=True, slots=True)
class Call:
    """One step as handed to a connector, with the personal data filled in.

    It lives inside one activity and cannot be serialised: `beat` and `fence` see to that.
    """

    key: str
    """Idempotency key; the same for every attempt. Opaque, may be shown to the target (a header)."""
    as_of: datetime
    system: System
    work: tuple[Work, ...]
    """One per collection of the system."""
    identities: tuple[Identity, ...] = field(repr=False)
    beat: Callable[[], None] = field(repr=False)
    """Still alive. Call it once per page or batch; raises when the step is to stop. Never the guard of anything."""
    fence: Fence = field(repr=False)
    anchors: Anchors = field(default_factory=dict, repr=False)
    rulings: Rulings = field(default_factory=Rulings, repr=False)
    session: str = "habeas"
    """An opaque name, up to 31 characters, for all attempts and rounds of this request in this system; shown to the
    target (application_name), so that a cut attempt's session can be found and ended."""
    environment: str = ""
    """The worker's environment; an erasure refuses a target that is not marked with the same."""
    cut_short: bool = False
    """An earlier attempt of this very step was cut between fence and count: its session in the target must have ended
    before anything is counted."""
    pseudonym_key: bytes = field(default=b"", repr=False)
    """Random per request, destroyed with its last step."""
    job: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What this operation's last `Pending` said of the work under way; empty when none is."""
    restricted: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the last `Restricted` said of where this person's data is locked away, until it was lifted."""
    restricted_too: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """lift only: the same of other requests that keep this person's data locked away here. What they have locked as
    well stays so; a system in which that can be told by itself needs none of it."""
    quota: Quota = field(default=no_quota, repr=False)
    learn: Callable[[tuple[Identity, ...]], None] = field(default=untold, repr=False)
    """Takes what the rows that `erase` is about to change say of the person, before the first fence: a row that came in
    since the last look takes its links along when it goes. What a row that came in later still says is told within the
    fence, before anything is committed; the fence is then entered anew. `rectify` tells what its rows say, before and
    after."""
    remember: Callable[[Anchors], None] = field(default=forgotten, repr=False)
    """Takes the anchors of the rows that `erase` is about to change, before the first fence: a row that came in since
    the last look would go, and nothing would lead to what hangs on it. Those of a row that came in later still are
    given within the fence, before anything is committed."""
    corrections: tuple[Correction, ...] = field(default=(), repr=False)
    """What `rectify` is to write; the same for every attempt."""
    keep: Callable[[OldValues], None] = field(default=unkept, repr=False)
    """Takes the values that `rectify` is about to write over, before the fence of the very call that does. When it
    returns they are kept for good; what it raises stops the call."""


@dataclass(frozen=True, slots=True)
class Look:
    """What locate or verify saw."""

    tally: Tally
    anchors: Anchors = field(default_factory=dict, repr=False)
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)
    """Rows of which it is not known whether they are the person's: there are several in a collection, or the only one
    is matched by a shared identity, or stands unruled beside a ruled one. The tally counts them; nothing follows from
    them."""
    links: tuple[Identity, ...] = field(default=(), repr=False)
    """Further unique identities found, for links to other systems."""
    certainty: Certainty = Certainty.VERIFIED
    """verify only: VERIFIED if it looked, COMPLETED if the system's own status is all there is, ATTESTED if there is
    nothing to ask and the term that the system names has passed."""


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One way to reach a person, as the directory has it. Never shown to whoever asks."""

    channel: str
    """email, phone or post."""
    value: str = field(repr=False)
    """The address or number; of `post` the lines of an address."""
    place: str
    """collection.field."""
    changed_at: datetime | None = None
    """When it was changed last; None: it was not, or the directory does not say."""
    beside: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)
    """Kind and value of what stands in the same row and tells one person from all others."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The system accepted the work, or cannot tell yet. The same operation is called again after the time named, with
    the same key and with `job`; nobody waits for it meanwhile but a timer."""

    check_after: timedelta
    tally: Tally = field(default_factory=Tally)
    job: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the connector needs to ask how the work stands (a job's id, the day it was asked for). Kept sealed."""


@dataclass(frozen=True, slots=True)
class Restricted:
    """What was locked away, and how to find and lift it."""

    tally: Tally
    state: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where it is, and what lifting must put back. Kept sealed, and handed to every later call as `restricted`."""
    without: tuple[str, ...] = ()
    """The collections in which rows of the person stay open, since the system has no way to lock them away."""


@dataclass(frozen=True, slots=True)
class Export:
    """One collection's file of an export, streamed by the system itself where it can."""

    collection: str
    media_type: str
    """application/x-ndjson (one JSON object per line, exact types; every collection has one), text/csv (RFC 4180 with
    a header line; formulas neutralised), or that of a file with a name."""
    pages: Iterator[bytes] = field(repr=False)
    """Pages of any size; must be read to the end before the next Export is taken."""
    name: str = field(default="", repr=False)
    """For a system that holds files (objects, messages): the file's own name, which may have slashes and any
    characters. Empty for the collection's table, which lists the files and what is known of each."""


@runtime_checkable
class Connector(Protocol):
    """One system that holds personal data."""

    def locate(self, call: Call) -> Look:
        """Count this person's rows, and find the anchors. Changes nothing."""


@runtime_checkable
class Channels(Connector, Protocol):
    """Can say how to reach a person, and no more than that."""

    def channels(self, call: Call) -> tuple[ContactPoint, ...]:
        """Read the contact points of who is certainly meant: the fields that the map marks with `channel`, and what
        leads to them. Nobody has proven anything yet. Changes nothing.

        Raises:
            NeedsHuman: SEVERAL_PEOPLE: it is open who is meant, so nobody is told of.
        """


@runtime_checkable
class Exports(Connector, Protocol):
    """Can give the person's rows."""

    def export(self, call: Call) -> Iterator[Export] | Pending:
        """Stream all the person's rows as of one moment. Changes nothing."""


@runtime_checkable
class Erases(Connector, Protocol):
    """Can erase, and look again by anchors."""

    def erase(self, call: Call) -> Tally | Pending:
        """Delete or rewrite what the work says, converging: erasing what is gone is success.

        The tally's `found` is the look before this attempt's first fence.
        """

    def verify(self, call: Call) -> Look | Pending:
        """Look again by identities and by anchors, in each collection directly, and at kept rows' fields.

        `Pending` when the system needs time before a look can tell.

        Raises:
            NeedsHuman: nothing is left of what is certain, but MENTIONS: texts mention the person and nobody has ruled
                whose they are; NOT_SEARCHED: texts could not be searched; RESIDUE: the person stands where no map
                leads. With the tally, and the candidates to choose from.
        """


@runtime_checkable
class Restricts(Connector, Protocol):
    """Can lock the person's data away, so that nobody but the engine reads or changes it, and put it back."""

    def restrict(self, call: Call) -> Restricted:
        """Lock away, converging. The content and its times stay as they are; looks still find it, exports still give
        it, and an erasure takes it."""

    def lift(self, call: Call) -> Tally:
        """Put back what `call.restricted` says, exactly as it was, converging.

        Raises:
            NeedsHuman: something new stands in the place; nothing of it is overwritten.
        """


@runtime_checkable
class Moves(Restricts, Protocol):
    """Locks data away in another place, which every look has to be told of, whichever request it is for."""

    @property
    def moves(self) -> bool: ...


@runtime_checkable
class Rectifies(Connector, Protocol):
    """Can correct what fields of the person's rows say."""

    def rectify(self, call: Call) -> Tally:
        """Write what `call.corrections` say into the fields that they name, converging: a row that says so already is
        left alone. Each old value is given to `call.keep` before it is written over, and what was written is looked at
        again. The tally's `found` is the rows that are to say it, `rectified` those that were changed for it.

        Raises:
            NeedsHuman: NOT_RECTIFIABLE, the field cannot be written to; VALUE, the system does not take the value; in
                both cases nothing was changed. NO_ROW, the row that is named is not the person's. CHANGED_BACK, the
                field says something else again.
        """


@runtime_checkable
class Suppresses(Connector, Protocol):
    """Can stop the system from using the person's data for something, or from collecting more, by an entry that
    outlives the erasure."""

    def suppress(self, call: Call) -> Tally:
        """Stop what the `stops` of each work say, converging, and look again: the tally's `found` is the rows that say
        so then. Where `stops` is None, stop collecting. No hold stands in its way: nothing is destroyed by it.

        Raises:
            Unsupported: a collection in which something is to stop has no way to; what could be stopped is.
        """


@runtime_checkable
class Batches(Erases, Protocol):
    """Can erase many people in one call to the system."""

    @property
    def batch(self) -> int:
        """How many people one call takes."""

    def erase_many(self, calls: Sequence[Call]) -> Sequence[Tally | Pending | ConnectorError]:
        """Erase several people, each behind a fence of their own; a refusal takes only that person out.

        One answer for each call, in their order: what `erase` would have returned, or raised. What it raises itself
        concerns them all.
        """


@runtime_checkable
class Looks(Connector, Protocol):
    """Can look for many people in one call to the system."""

    def locate_many(self, calls: Sequence[Call]) -> Sequence[Look | ConnectorError]:
        """Look for several people, each by a call of their own. Changes nothing.

        One answer for each call, in their order: what `locate` would have returned, or raised. What it raises itself
        concerns them all.
        """


@runtime_checkable
class Stops(Suppresses, Protocol):
    """Knows by itself what its system can stop, whether or not the map says what it is used for."""

    @property
    def stops(self) -> Mapping[str, frozenset[Scope]]:
        """By collection."""


@runtime_checkable
class Connects(Protocol):
    """Builds a connector: what an entry point of the group `habeas.connectors` names."""

    def __call__(self, system: System, secrets: Mapping[str, str]) -> Connector:
        """Build without connecting. `secrets` holds the resolved values of the map's `connection`.

        Raises:
            ValueError: an option of the map is unknown or wrong; the text says what to write.
        """


_METHODS = {operation: operation.value for operation in Operation}


def capabilities(connector: Connector) -> frozenset[Operation]:
    """The operations this connector has a method for; nothing is declared twice."""
    return frozenset(operation for operation, name in _METHODS.items() if callable(getattr(connector, name, None)))
