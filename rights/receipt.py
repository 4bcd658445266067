"""What was done and how certain it is: tallies, books and receipts. Counts and codes, never personal data.

The one rule: nothing is called erased unless a later look found only what is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from rights.plan import Operation, Step
from rights.value import Value


class Outcome(StrEnum):
    """How a step ended, or how it stands."""

    DONE = "done"
    NOTHING_HELD = "nothing_held"
    PENDING = "pending"
    RETAINED = "retained"
    """Something stays, on a ground and until a date that the receipt names."""
    HELD = "held"
    UNSUPPORTED = "unsupported"
    NEEDS_HUMAN = "needs_human"

    @property
    def settled(self) -> bool:
        """True when the step needs nothing more, by machine or by person."""
        return self in {Outcome.DONE, Outcome.NOTHING_HELD, Outcome.RETAINED}


OPENNESS = (
    Outcome.NEEDS_HUMAN,
    Outcome.UNSUPPORTED,
    Outcome.HELD,
    Outcome.PENDING,
    Outcome.RETAINED,
    Outcome.DONE,
    Outcome.NOTHING_HELD,
)
"""From the most open to the most closed: a step is as open as its most open collection."""


class Certainty(StrEnum):
    """How sure we are; the four are never merged."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    VERIFIED = "verified"
    """Looked again, by a path that the erasure did not cut, and found nothing but what is kept."""
    ATTESTED = "attested"


class Kept(Value):
    """Rows that stay: on which ground, until when (None: no date is known), how many."""

    ground: str
    until: date | None = None
    rows: int


class Count(Value):
    """What a call saw and did in one collection. All numbers are rows (objects, messages, profiles)."""

    collection: str
    found: int = 0
    erased: int = 0
    anonymised: int = 0
    pseudonymised: int = 0
    kept: tuple[Kept, ...] = ()
    unclean: int = 0
    """verify only: kept rows in which a field that was due to go is still filled."""
    mentions: int = 0
    """locate only: rows that are not known to be the person's, in which a text mentions them. Not among `found`."""
    searched: bool = True
    """locate only: False if the texts of the collection could not be searched in time."""
    rectified: int = 0
    """rectify only: rows in which a field says something else now. They are found as before, so they are not among
    those that count as changed."""

    @property
    def kept_rows(self) -> int:
        return sum(kept.rows for kept in self.kept)

    @property
    def changed(self) -> int:
        return self.erased + self.anonymised + self.pseudonymised

    @property
    def left(self) -> int:
        """verify only: rows that should be gone, and kept rows that are not clean."""
        return self.found - self.kept_rows + self.unclean

    @property
    def outcome(self) -> Outcome:
        """How an erasure stands in this collection, from what a look found."""
        if self.left:
            return Outcome.PENDING
        return Outcome.RETAINED if self.kept else Outcome.DONE


class Tally(Value):
    """A call's counts, one per collection."""

    counts: tuple[Count, ...] = ()

    @property
    def found(self) -> int:
        return sum(count.found for count in self.counts)

    @property
    def mentions(self) -> int:
        return sum(count.mentions for count in self.counts)

    @property
    def searched(self) -> bool:
        """Whether all texts that were to be searched were."""
        return all(count.searched for count in self.counts)

    @property
    def changed(self) -> int:
        return sum(count.changed for count in self.counts)

    @property
    def kept_rows(self) -> int:
        return sum(count.kept_rows for count in self.counts)

    @property
    def rectified(self) -> int:
        return sum(count.rectified for count in self.counts)

    @property
    def left(self) -> int:
        return sum(count.left for count in self.counts)

    def of(self, collection: str) -> Count:
        """The count of one collection; zeros if the call did not touch it."""
        for count in self.counts:
            if count.collection == collection:
                return count
        return Count(collection=collection)


def most_open(outcomes: Iterable[Outcome]) -> Outcome:
    """A step's outcome from its collections': the most open wins; none at all is nothing held."""
    return min(outcomes, key=OPENNESS.index, default=Outcome.NOTHING_HELD)


class Books(Value):
    """The account of one collection over all attempts and rounds: what was there, what is left.

    `before` is the last look before the first destructive call, `arrived` what came in afterwards, `kept` and `after`
    what the closing look found. ``erased`` counts rows that no longer exist or no longer tell anything of the person;
    `pseudonymised` those that still would to whoever has the request's key, and so are not erased.
    """

    collection: str
    before: int
    arrived: int = 0
    kept: int = 0
    after: int
    pseudonymised: int = 0
    derived: bool = False
    """True when a crash hid an attempt's own count: the number is then derived by looking."""

    @property
    def erased(self) -> int:
        return self.before + self.arrived - self.after - self.pseudonymised

    @property
    def closed(self) -> bool:
        """Only the kept rows are left; the one condition under which a text may say erased."""
        return self.after == self.kept


def keep_books(
    before: Tally,
    changed: Mapping[str, int | None],
    after: Tally,
    pseudonymised: Mapping[str, int | None] = MappingProxyType({}),
) -> tuple[Books, ...]:
    """Close the books of one system.

    `changed` is, per collection, the rows that destructive calls reported as changed (deleted, or rewritten so that a
    look no longer finds them), over all attempts; None where an attempt was cut and its count is unknown. Rows that
    arrived after `before` are the ones changed or left beyond it; with an unknown count only those that the last look
    can prove. `pseudonymised` is how many of the changed rows bear a pseudonym, for collections where that can be; None
    where that count is unknown: then every row that has gone is taken for one, since the weaker word is never wrong.
    """
    books = []
    names = dict.fromkeys([c.collection for c in before.counts] + [c.collection for c in after.counts])
    for name in names:
        first, last = before.of(name).found, after.of(name)
        deleted = changed.get(name, 0)
        arrived = max(0, (deleted or 0) + last.found - first)
        gone = first + arrived - last.found
        keyed = pseudonymised.get(name, 0)
        books.append(
            Books(
                collection=name,
                before=first,
                arrived=arrived,
                kept=last.kept_rows - last.unclean,
                after=last.found,
                pseudonymised=gone if keyed is None else min(keyed, gone),
                derived=deleted is None,
            )
        )
    return tuple(books)


class Receipt(Value):
    """What happened to one step. Safe in Temporal, in logs and in letters."""

    step: Step
    outcome: Outcome
    certainty: Certainty | None = None
    tally: Tally = Tally()
    code: str = ""
    """Why it is not done, as a word from `rights.codes`; the advice for people is looked up by it."""
    about: str = ""
    """What it concerns, as a name from the data map or the system's catalogue: a table, a role. Never a value."""
    check_after_seconds: int | None = None
    digest: str | None = None
    """export only: SHA-256 over what was written, hex."""
    size: int | None = None
    """export only: the bytes written."""
    look_again: tuple[str, ...] = ()
    """locate, erase and verify: systems that know people by a kind of identity of which new ones were found."""
    at: datetime

    @property
    def may_hold(self) -> bool:
        """locate only: whether the system is to be worked on. A person's word says that they have looked, not what is
        there; and of what mentions the person somebody has to say whose it is."""
        tally = self.tally
        return tally.found > 0 or tally.mentions > 0 or not tally.searched or self.certainty is Certainty.ATTESTED

    @property
    def exported(self) -> bool:
        """export only: whether there is something written to be packed; what was copied by hand is handed over so."""
        return self.outcome.settled and self.certainty is not Certainty.ATTESTED


def vouching(receipts: Sequence[Receipt], act: Operation | None) -> list[Receipt]:
    """Receipts in their order, without the looks at a system that were made before the last act in it: they do not
    vouch for what was done, or was to be done, since."""
    acted = {receipt.step.system: n for n, receipt in enumerate(receipts) if receipt.step.operation is act}
    return [
        receipt
        for n, receipt in enumerate(receipts)
        if receipt.step.operation is not Operation.VERIFY or n > acted.get(receipt.step.system, -1)
    ]


def newest(receipts: Iterable[Receipt], *operations: Operation) -> dict[str, Receipt]:
    """The last receipt of an operation, or of one of several, by system."""
    return {receipt.step.system: receipt for receipt in receipts if receipt.step.operation in operations}


def found_nothing(looks: Sequence[Receipt]) -> bool:
    """Whether looks at one system, in their order, have found nobody: the last one says so, and none before it has
    found anything, since after an erasure a run that was started anew finds nothing. One that could not tell, before
    credentials were put right or it was ruled whose rows these are, counts no more."""
    return bool(looks) and looks[-1].outcome is Outcome.NOTHING_HELD and not any(look.may_hold for look in looks)
