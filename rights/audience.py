"""What each reader may be told.

The one rule: a value of a person reaches an agent only masked, and nobody else at all. What must stay secret, such as
a hold, changes nothing in what the person is told: the work is outstanding, like any other that is not done.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from rights.backups import Backups
from rights.codes import Code
from rights.course import COURSES
from rights.holds import GROUND
from rights.plan import Operation, out_of_backups
from rights.receipt import Books, Certainty, Kept, Outcome, Receipt, found_nothing
from rights.request import Right
from rights.rests import all_locked, opened_again
from rights.value import Value


class State(StrEnum):
    """How far one system is, as the person is told."""

    NOTHING_FOUND = "nothing_found"
    DONE = "done"
    ACCEPTED = "accepted"
    OUTSTANDING = "outstanding"


PSEUDONYM: Final = "replaced by a pseudonym whose key is not destroyed yet"
"""The ground of a row that stays because its pseudonym can still be undone."""

_ID: Final = re.compile(r"(?<![0-9a-z])[0-7][0-9a-hjkmnp-tv-z]{25}(?![0-9a-z])")


def internal_ids(text: str, reference: str) -> list[str]:
    """Ids of this engine that a text for the outside names, but for the reader's own reference.

    An id of a hold, an authority's matter or a task tells by itself that there is one.
    """
    return [found for found in _ID.findall(text.lower()) if found != reference]


def hears_of_systems(right: Right, *, proven: bool) -> bool:
    """Whether the person is told of single systems. An opt-out, and an objection to marketing, need no proof, so
    whoever sends one could otherwise learn where somebody else is known."""
    return proven or COURSES[right].act is not Operation.SUPPRESS


class Told(Value):
    """What the person is told of one system, by its name in the data map."""

    system: str
    state: State
    certainty: Certainty | None = None
    """How sure `done` and `accepted` are."""
    found: int = 0
    """Records found."""
    ask_again: date | None = None
    """accepted: when the system is asked how it stands."""
    kept: tuple[Kept, ...] = ()
    """Records that stay: on which ground, until when, how many."""
    locked: bool = False
    """Of an erasure: all that stays is locked away until it goes. False: it is not known to be."""
    opened: bool = False
    """Of an erasure: what stays was locked away, and is not any more."""
    able: bool = True
    """False: the system has no way to, and it was not done by hand either."""


def interim(right: Right, systems: Iterable[str], receipts: Sequence[Receipt]) -> tuple[Told, ...]:
    """What the person may be told while the work goes on: of each system, what is done and how certain that is.

    `receipts` are all of the request, in the order they were written. Why something is outstanding is not told.
    """
    return tuple(_told(right, name, [r for r in receipts if r.step.system == name]) for name in systems)


def _told(right: Right, system: str, receipts: Sequence[Receipt]) -> Told:
    looks = [r for r in receipts if r.step.operation is Operation.LOCATE]
    found = max((look.tally.found for look in looks), default=0)
    told = Told(system=system, state=State.OUTSTANDING, found=found)
    act = COURSES[right].act
    acts = [r for r in receipts if r.step.operation in {act, Operation.VERIFY}]
    # The newest word counts: what a later look found is not done, whatever was said before. What is restricted or
    # corrected is found as ever.
    lasting = acts and act in {Operation.RESTRICT, Operation.RECTIFY}
    said = acts if lasting else [r for r in receipts if r in acts or (r in looks and r.tally.found)]
    if not said:
        return told.model_copy(update={"state": State.NOTHING_FOUND}) if found_nothing(looks) else told
    last = said[-1]
    if last.step.operation is Operation.LOCATE:
        return told
    if right is Right.ERASURE:
        update = {"locked": all_locked(receipts, last), "opened": opened_again(receipts)}
        told = told.model_copy(update=update)
    if last.outcome is Outcome.PENDING and last.certainty is Certainty.ACCEPTED:
        again = (last.at + timedelta(seconds=last.check_after_seconds or 0)).date()
        return told.model_copy(update={"state": State.ACCEPTED, "certainty": last.certainty, "ask_again": again})
    if not last.outcome.settled:
        return told.model_copy(update={"able": last.outcome is not Outcome.UNSUPPORTED})
    if last.outcome is Outcome.NOTHING_HELD and lasting:
        # A correction that found no row has corrected nothing.
        return told if found else told.model_copy(update={"state": State.NOTHING_FOUND})
    if keyed := sum(count.pseudonymised for r in said for count in r.tally.counts):
        # Nothing is called erased while the key of the pseudonym lives, and a look does not find such a row.
        pseudonym = Kept(ground=PSEUDONYM, rows=keyed)
        return told.model_copy(update={"kept": (pseudonym,)})
    kept = tuple(one for count in last.tally.counts for one in count.kept)
    return told.model_copy(update={"state": State.DONE, "certainty": last.certainty, "kept": kept})


AROUND = 8
"""Words shown, masked, on each side of what a text mentions."""


def excerpt(text: str, start: int, end: int) -> str:
    """What stands around a place in a text: the words masked, and the place itself as what it is.

    ``ask anna@example.org about it`` -> ``a··· ⟨mention⟩ a··· i···``.
    """
    before, after = text[:start].split(), text[end:].split()
    cut = [" ".join(map(mask, part)) for part in (before[-AROUND:], after[:AROUND])]
    return " ".join(filter(None, (cut[0], "⟨mention⟩", cut[1])))


class Lingering(Value):
    """What was erased and is still in backups."""

    until: date | None
    """The last day on which a backup can hold it; None: nobody knows."""
    beyond_use: str = ""
    """What is done until then so that it is not used, in the map's words."""


class Answered(Told):
    """What the person is told of one system once the request is closed."""

    erased: int = 0
    """Records that are gone, or tell nothing of the person any more."""
    held: str = ""
    """Why it was not done, where a hold that may be told stood in the way of all of it: the ground."""
    backups: Lingering | None = None
    """None: nothing was erased, or there are no backups."""


def answer(
    right: Right,
    systems: Iterable[str],
    receipts: Sequence[Receipt],
    books: Mapping[str, Sequence[Books]],
    backups: Mapping[str, Backups | None],
    zone: str,
    held: Callable[[str], str] = lambda _system: GROUND,
) -> tuple[Answered, ...]:
    """What the person is told at the end. `backups` is what the map says of each system's; days are those of `zone`;
    `held` words the ground of a system that a hold has stopped, which only a hold that may be told is said to have."""
    stopped = _stopped(right, receipts)
    lingering = linger(receipts, books, backups, zone)
    known = (_with_books(told, books.get(told.system, ())) for told in interim(right, systems, receipts))
    return tuple(
        Answered(
            **dict(told),
            erased=_erased(books.get(told.system, ()), [r for r in receipts if r.step.system == told.system]),
            held=held(told.system) if told.state is State.OUTSTANDING and told.system in stopped else "",
            backups=lingering.get(told.system),
        )
        for told in known
    )


def _with_books(told: Told, books: Sequence[Books]) -> Told:
    """The same, by what only the books know: a call that was cut may have left pseudonyms that no receipt counts."""
    keyed = sum(book.pseudonymised for book in books)
    if not keyed or told.state is not State.DONE:
        return told
    kept = (*told.kept, Kept(ground=PSEUDONYM, rows=keyed))
    return told.model_copy(update={"state": State.OUTSTANDING, "certainty": None, "kept": kept})


def _stopped(right: Right, receipts: Sequence[Receipt]) -> frozenset[str]:
    """The systems whose last act says that a hold has stopped it. One that must stay secret is not said to."""
    last = {r.step.system: r for r in receipts if r.step.operation in {COURSES[right].act, Operation.VERIFY}}
    return frozenset(name for name, r in last.items() if r.outcome is Outcome.HELD and r.code == Code.HOLD)


def linger(
    receipts: Sequence[Receipt],
    books: Mapping[str, Sequence[Books]],
    backups: Mapping[str, Backups | None],
    zone: str,
) -> dict[str, Lingering]:
    """By system in which something was erased, and which has backups: how long they still hold it.

    Counted from the last erasure there, whatever became of it: no day that is told comes too early.
    """
    found = {}
    for name in dict.fromkeys(r.step.system for r in receipts):
        acts = [r for r in receipts if r.step.system == name and r.step.operation is Operation.ERASE]
        said = backups.get(name)
        # An attempt that was cut short has erased as well, and so has a person who says so: no count tells of them.
        by_hand = any(act.certainty is Certainty.ATTESTED for act in acts)
        changed = any(act.tally.changed for act in acts) or any(
            b.erased or b.pseudonymised for b in books.get(name, ())
        )
        if (by_hand or changed) and not (said and not said.exist):
            # Of a call that was cut, and never told of itself, the look after it tells.
            told = acts or [r for r in receipts if r.step.system == name and r.step.operation is Operation.VERIFY]
            last = max(one.at for one in told).astimezone(ZoneInfo(zone)).date()
            until = out_of_backups(said, last) if said else None
            found[name] = Lingering(until=until, beyond_use=said.beyond_use if said else "")
    return found


def _erased(books: Sequence[Books], receipts: Sequence[Receipt]) -> int:
    """By the books where they were closed, else by what the calls have said."""
    if books:
        return sum(book.erased for book in books)
    acts = [r for r in receipts if r.step.operation is Operation.ERASE]
    return sum(count.erased + count.anonymised for act in acts for count in act.tally.counts)


def mask(value: object) -> str:
    """Show enough of a value to tell candidates apart, never enough to learn it.

    The first character of each word stays, and a number or date keeps its first two: ``Anna Berg`` -> ``A··· B···``,
    ``anna@example.org`` -> ``a···@e···``, ``1984-02-01`` -> ``19······``. Of what is so short, or has so few values,
    that this would tell it, nothing stays.
    """
    if value is None:
        return "(empty)"
    text = str(value).strip()
    if not text:
        return "(empty)"
    if isinstance(value, bool):
        return "···"
    if text[0].isdigit() or text[0] in "+-":
        return (text[:2] if len(text) > 4 else "") + "······"
    if "@" in text and len(text) > 1:
        local, _, domain = text.partition("@")
        return "···@".join(part[:1] if len(part) > 1 else "" for part in (local, domain)) + "···"
    return " ".join((word[:1] if len(word) > 1 else "") + "···" for word in text.split()[:4])
