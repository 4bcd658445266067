"""Holds: what must stay although somebody asked for it to go, who says so, and what may be told of it.

The one rule: a hold keeps whole rows, as they are, of exactly what it names; where the data map cannot keep a part by
itself the whole system is kept, since what was kept can still be erased. A hold that must stay secret looks like work
that a system has not come to yet (GDPR Art. 17(3)(b) and (e), Art. 18(1)(c)).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

from pydantic import ValidationError, model_validator

from rights.codes import Code
from rights.collection import Erase
from rights.datamap import DataMap, System
from rights.plan import Keep, Work
from rights.receipt import Count, Outcome, Receipt, Tally
from rights.request import Right
from rights.value import Value

GROUND: Final = "legal hold"
"""The ground of what a hold keeps."""
OF_SYSTEM: Final = "legal hold of the system"
"""The ground of what a system itself holds, nobody knows until when: a legal hold that was put on it there."""
OBJECT_LOCK: Final = "object lock"
"""The ground of what a system itself holds until a day."""
HOUSE: Final = "habeas"
"""The system whose data is the engine's own: request files, copies, letters. A hold on everything covers it too."""
ASK_AGAIN: Final = timedelta(hours=1)
"""How soon a step is tried again that waits for its turn: one that a secret hold stops, and one that waits to be done
together with others'. The same for both, or the two could be told apart."""
CONFIRM_WITHIN: Final = timedelta(hours=72)
"""How long a second person has to confirm a hold before others are asked; a weekend, and a day."""
ESCALATE_EVERY: Final = timedelta(hours=24)
"""How often it is asked for again, one level up, while nobody confirms. The hold stays in force."""
REVIEW_AFTER: Final = timedelta(days=90)
"""When a hold is to be reviewed, where nobody says otherwise, and again after each review."""
ANSWER_BEFORE: Final = timedelta(days=7)
"""How long before its internal due date counsel is asked for the answer that a secret hold leaves to them."""
STOPPED: Final = frozenset({Right.ERASURE, Right.RECTIFICATION, Right.RESTRICTION})
"""The rights that a hold may keep from their end, so that a secret one leaves the answer to counsel: those that erase,
write over or lock away."""
_NEVER: Final = 12 * 8000
"""Months that lead past the calendar: a hold has no last day of its own."""


class Disclosure(StrEnum):
    """What the person may be told of a hold."""

    TELL = "tell"
    AFTER = "after"
    """Nothing before a day."""
    COUNSEL_TEXT = "counsel_text"
    """Nothing by the engine: counsel writes the answer."""


class Reason(StrEnum):
    """Why data is held, as a code; the words for it are sealed."""

    LITIGATION = "litigation"
    CLAIM = "claim"
    REGULATOR = "regulator"
    PRESERVATION = "preservation"
    AUDIT = "audit"


class Authority(StrEnum):
    """On whose word."""

    COUNSEL = "counsel"
    COURT = "court"
    REGULATOR = "regulator"
    LAW_ENFORCEMENT = "law_enforcement"
    BOARD = "board"


class Desk(StrEnum):
    """What a hold asks of people. Only those who work with holds see these, never a request's agents."""

    CONFIRM = "confirm"
    """A second person confirms it."""
    UNCONFIRMED = "unconfirmed"
    """Nobody has, in time: somebody higher up confirms it, or two people release it."""
    REVIEW = "review"
    """Its review is due."""
    ANSWER = "answer"
    """A request that a secret hold touches is to be answered, in counsel's words."""


DESK_SAYS: Final = {
    Desk.CONFIRM: "A second person looks at the hold and confirms it (habeas hold confirm), or has it released.",
    Desk.UNCONFIRMED: "Nobody has confirmed the hold in time. It stays in force; confirm it, or have it released.",
    Desk.REVIEW: "See whether the hold is still needed (habeas hold review), or have it released by two people.",
    Desk.ANSWER: "A hold that must stay secret leaves this answer to counsel: write to the person, then habeas hold "
    "answer. Until then the request stays open, like one whose system is slow.",
}


class Span(NamedTuple):
    """Days of which rows are held; None: however early, or late."""

    since: date | None
    until: date | None

    def within(self, other: "Span") -> bool:
        """Whether another has all of its days."""
        begins = other.since is None or (self.since is not None and self.since >= other.since)
        return begins and (other.until is None or (self.until is not None and self.until <= other.until))


class Scope(Value):
    """What a hold covers of the people it names; nothing said of a kind: all of it."""

    systems: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    """As ``system.collection``."""
    categories: tuple[str, ...] = ()
    """A collection with a field of such a category is held, whole rows of it."""
    since: date | None = None
    """Rows of this day and later, by the one column from which the map counts duties to keep; without one, or with
    several, all rows, and so a row without a date. A day begins before midnight UTC in much of the world, so the day
    before is held as well."""
    until: date | None = None
    """Rows of this day and earlier, by the same column. A day ends after midnight UTC elsewhere, so the day after is
    held as well."""

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if self.since and self.until and self.until < self.since:
            raise ValueError("a hold's last day lies before its first one, so that it would hold nothing")
        return self

    @property
    def span(self) -> "Span | None":
        """The days it is about; None: all."""
        return Span(self.since, self.until) if self.since or self.until else None

    @property
    def places(self) -> tuple[str, ...]:
        """The systems it can touch; none named: any."""
        named = dict.fromkeys((*self.systems, *(one.partition(".")[0] for one in self.collections)))
        return tuple(named)

    def touches(self, system: str) -> bool:
        """Whether anything in a system may be held."""
        return not self.places or system in self.places

    def held(self, system: System) -> frozenset[str]:
        """The collections of a system that it covers: all, where it names one that this map does not have. Maps are
        changed while holds last, and nobody can tell what that one is called in this map."""
        if not self.touches(system.system):
            return frozenset()
        named = {c for s, _, c in (one.partition(".") for one in self.collections) if s == system.system}
        if not named <= system.collections.keys():
            return frozenset(system.collections)
        whole = system.system in self.systems or not (self.systems or self.collections)
        found = set(system.collections) if whole else named
        if self.categories:
            found = {name for name in found if not system.collections[name].categories.isdisjoint(self.categories)}
        return frozenset(found)

    def covered(self, pinned: System, today: System) -> frozenset[str]:
        """The collections that it covers of a system as a request is pinned to it: by that map, and by today's, in
        whose names and categories people place holds. What only today's map has may be one of them by a new name, so
        that all are held."""
        now = self.held(today)
        return self.held(pinned) | now if now <= pinned.collections.keys() else frozenset(pinned.collections)


EVERYTHING: Final = Scope()


class Terms(Value):
    """What a hold is about, without whom. Codes, names of the map and dates only."""

    scope: Scope = EVERYTHING
    reason: Reason = Reason.LITIGATION
    authority: Authority = Authority.COUNSEL
    disclosure: Disclosure = Disclosure.TELL
    tell_from: date | None = None
    """AFTER: the day from which it may be told."""
    review_on: date | None = None

    def secret(self, day: date) -> bool:
        """Whether it must not be told on a day (UTC)."""
        if self.disclosure is Disclosure.AFTER:
            return self.tell_from is None or day < self.tell_from
        return self.disclosure is Disclosure.COUNSEL_TEXT


class Holding(Value):
    """The holds in force that touch one request in one system."""

    scopes: Mapping[str, Scope] = {}
    """By hold."""
    reasons: Mapping[str, frozenset[Reason]] = {}
    """Why those that may be told keep what they do, by collection."""
    told: bool = False
    """One of them may be told."""
    secret: bool = False
    """One of them must not be told, and counsel has not answered the request yet."""
    answered: bool = False
    """Counsel has."""

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.scopes)

    @property
    def code(self) -> Code:
        """Why a call that they stop is not made, in the word that everybody may read."""
        if self.told:
            return Code.HOLD
        return Code.DEFERRED if self.answered else Code.QUEUED


NOTHING: Final = Holding()


def spare(
    data_map: DataMap, system: str, scopes: Sequence[Scope], *, today: System | None = None
) -> tuple[DataMap, Mapping[str, tuple[Span, ...]]] | None:
    """The map under holds, for one system: what is held is retained there, by this map and by `today`'s (None: the
    same). With it, per collection held only in part, the days of which rows are held.

    What the map cannot say (rows that stay would point to rows that cannot) keeps the whole system; None where not even
    that can be said, or nothing is held there.
    """
    about = data_map.systems[system]
    held: dict[str, tuple[Span, ...] | None] = {}
    for scope in scopes:
        for name in scope.covered(about, today or about):
            # By one column: of several, nobody has said which day is meant.
            columns = {rule.after for rule in about.collections[name].retention}
            span = scope.span if len(columns) == 1 else None
            before = held.get(name, ())
            # Of two holds the one that keeps more counts.
            held[name] = None if span is None or before is None else _joined(before, span)
    if not held:
        return None
    days = {name: spans for name, spans in held.items() if spans is not None}
    spared = _retained(about, held.keys() - days.keys())
    if spared is None:
        spared, days = _retained(about, about.collections.keys()), {}
    if spared is None:
        return None
    return data_map.model_copy(update={"systems": {**data_map.systems, system: spared}}), days


def _retained(system: System, names: Collection[str]) -> System | None:
    body: dict[str, Any] = system.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for name in names:
        body["collections"][name] |= {"erase": Erase.RETAIN.value, "ground": GROUND}
    try:
        return System.model_validate(body)
    except ValidationError:
        return None


def _joined(spans: tuple[Span, ...], more: Span) -> tuple[Span, ...]:
    """Some days and more, without those that others have."""
    if any(more.within(one) for one in spans):
        return spans
    return (*(one for one in spans if not one.within(more)), more)


def of_days(works: Sequence[Work], system: System, days: Mapping[str, tuple[Span, ...]]) -> tuple[Work, ...]:
    """Work that leaves rows of some days as they are, in the collections named."""
    return tuple(
        work.model_copy(update={"keeps": (*(_keep(system, work, span) for span in days[work.collection]), *work.keeps)})
        if work.collection in days and work.erase is not Erase.RETAIN
        else work
        for work in works
    )


def _keep(system: System, work: Work, span: Span) -> Keep:
    column = system.collections[work.collection].retention[0].after
    first, last = span.since or date.min, span.until
    # A row of the first day's first hours in Berlin or Tokyo bears the day before by UTC, and one of the last day's
    # last hours in New York the day after.
    first -= timedelta(days=first > date.min)
    if last is not None:
        last += timedelta(days=last < date.max)
    begins = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Keep(ground=GROUND, column=column, cutoff=begins, last=last, months=_NEVER)


def as_held(
    receipt: Receipt,
    holding: Holding,
    ground: Callable[[Collection[Reason]], str] = lambda _reasons: GROUND,
    *,
    due: bool,
) -> Receipt:
    """What a receipt says of work that left something because of holds. `ground` words it, with the provision of the
    law, by the reasons of holds that may be told.

    Before the answer is due a hold that may be told is waited for; when it is, what stays is said with its ground.
    A secret one is a step that a system has not come to yet, with nothing of the hold in its counts.
    """
    if not any(kept.ground == GROUND for count in receipt.tally.counts for kept in count.kept):
        return receipt
    bare = receipt.model_copy(update={"tally": _without(receipt.tally), "certainty": None})
    if holding.told and not due:
        return bare.model_copy(update={"outcome": Outcome.HELD, "code": str(Code.HOLD), "about": receipt.step.system})
    if holding.secret:
        return put_off(bare)
    if holding.answered:
        return left_open(bare)
    return receipt.model_copy(update={"tally": _worded(receipt.tally, holding, ground)})


def put_off(receipt: Receipt) -> Receipt:
    """A step that is tried again later, as any is that a system has put off."""
    seconds = int(ASK_AGAIN.total_seconds())
    return receipt.model_copy(
        update={"outcome": Outcome.PENDING, "code": str(Code.QUEUED), "about": "", "check_after_seconds": seconds}
    )


def left_open(receipt: Receipt) -> Receipt:
    """A step that the answer of counsel has ended, and of which nothing says that it was held."""
    return receipt.model_copy(update={"outcome": Outcome.PENDING, "code": str(Code.DEFERRED), "about": ""})


def _worded(tally: Tally, holding: Holding, ground: Callable[[Collection[Reason]], str]) -> Tally:
    # Where the whole system is kept so that a part can be, all of them are why.
    everyone = frozenset().union(*holding.reasons.values())

    def worded(count: Count) -> Count:
        said = ground(sorted(holding.reasons.get(count.collection, everyone)))
        kept = (one.model_copy(update={"ground": said}) if one.ground == GROUND else one for one in count.kept)
        return count.model_copy(update={"kept": tuple(kept)})

    return Tally(counts=tuple(map(worded, tally.counts)))


def _without(tally: Tally) -> Tally:
    return Tally(counts=tuple(_bare(count) for count in tally.counts))


def _bare(count: Count) -> Count:
    kept = tuple(one for one in count.kept if one.ground != GROUND)
    return count.model_copy(update={"kept": kept})
