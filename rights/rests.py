"""What stays of an erasure that is carried out, and is put out of use until it goes.

The one rule: locked away is only what is come back to: what a hold or a duty that ends on a day has kept, and what is
kept without an end because of a decision, a duty, or a map that wants it out of use, of which somebody is asked on a
day. Where it is not known what stays, it is left as it is (GDPR Art. 17(3)(b), (e) and 18; California: 11 CCR 7022).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from rights.codes import Code
from rights.collection import Erase
from rights.datamap import DataMap, System
from rights.deferred import NO_GROUNDS, Grounds, asked_about, comes_back
from rights.holds import OBJECT_LOCK, OF_SYSTEM
from rights.plan import Operation, Work
from rights.receipt import Count, Outcome, Receipt
from rights.value import Value


class Rest(Value):
    """What stays in one system."""

    kept: tuple[str, ...] = ()
    """The collections with rows that stay on a ground, and nothing else of the person in them."""
    for_a_time: tuple[str, ...] = ()
    """Those of them in which holds keep all of these, or duties that end on a day."""
    asked: tuple[str, ...] = ()
    """Others in which something is kept without an end, and somebody is asked about it."""
    whole: bool = False
    """A hold has stopped the erasure there as a whole."""

    @property
    def anything(self) -> bool:
        """Whether something stays that is come back to: what is not is not locked away, since nobody would open it."""
        return self.whole or bool(self.for_a_time) or bool(self.asked)

    def locks(self, system: System, works: Iterable[Work]) -> tuple[str, ...]:
        """The collections whose rows of the person are locked away; `works` are as they would be without holds.

        A row that stays only because another one points to it is locked with that one, unless rows may point to it
        that would have stayed all the same.
        """
        does = {work.collection: work.erase for work in works}
        in_use = [name for name, erase in does.items() if erase is not Erase.DELETE and name not in self.asked]
        needed = _pointed_to(system, in_use)
        return tuple(
            name
            for name, erase in does.items()
            if self._locks(name, erase, shell=name not in needed, out=system.collections[name].out_of_use)
        )

    def _locks(self, name: str, erase: Erase, *, shell: bool, out: bool) -> bool:
        if not self.anything or (erase is Erase.RETAIN and not out):
            return False
        if name in self.for_a_time or name in self.asked:
            return True
        if self.whole:
            return shell or out or erase is Erase.REDACT
        return shell and erase is Erase.DELETE and name in self.kept


def locked_away(receipts: Sequence[Receipt]) -> Receipt | None:
    """Of one system's receipts, in their order, the one of what is locked away now; None: nothing is known to be."""
    acts = [r for r in receipts if r.step.operation in _ACTS]
    last = acts[-1] if acts else None
    locked = last is not None and last.step.operation is Operation.RESTRICT and last.outcome is Outcome.DONE
    return last if locked else None


def opened_again(receipts: Sequence[Receipt]) -> bool:
    """Whether what stays of one system was locked away and is not any more."""
    acts = [r for r in receipts if r.step.operation in _ACTS]
    return bool(acts) and acts[-1].step.operation is Operation.LIFT and acts[-1].outcome is Outcome.DONE


def all_locked(receipts: Sequence[Receipt], seen: Receipt) -> bool:
    """Whether everything of one system that the last word on it says to stay is locked away."""
    if (lock := locked_away(receipts)) is None:
        return False
    locked = {count.collection for count in lock.tally.counts if count.found}
    if seen.tally.counts:
        return {count.collection for count in seen.tally.counts if count.kept} <= locked
    # Stopped as a whole, before anything was counted: what the last look had found stays.
    looks = [receipt.tally for receipt in receipts if receipt.step.operation is Operation.LOCATE]
    return bool(looks) and {count.collection for count in looks[-1].counts if count.found} <= locked


def _locked_itself(count: Count) -> bool:
    """Whether the system itself holds rows there, so that nothing is to be changed in it."""
    return any(kept.ground in {OF_SYSTEM, OBJECT_LOCK} for kept in count.kept)


def _pointed_to(system: System, names: Iterable[str]) -> set[str]:
    """The collections that rows of some point to, and those that these point to."""
    found: set[str] = set()
    ahead = list(names)
    while ahead:
        targets = {link.target[0] for link in system.collections[ahead.pop()].links} - found
        found |= targets
        ahead += targets
    return found


_ACTS: Final = frozenset({Operation.ERASE, Operation.RESTRICT, Operation.LIFT})
NOTHING: Final = Rest()


def asks_of(data_map: DataMap) -> dict[str, dict[str, tuple[str, ...]]]:
    """By system, the grounds without an end on which what stays is put out of use, and asked about: all of a collection
    that the map, or a decision, wants out of use; elsewhere those of duties, where a row has no day to count from."""
    found = {}
    for name, system in data_map.systems.items():
        of = {
            place: one.grounds if one.out_of_use else tuple(dict.fromkeys(rule.ground for rule in one.retention))
            for place, one in system.collections.items()
            if one.out_of_use or (one.retention and one.erase is not Erase.RETAIN)
        }
        if of:
            found[name] = of
    return found


def rest_of(act: Receipt | None, seen: Receipt | None, grounds: Grounds = NO_GROUNDS) -> Rest:
    """What stays of one system, by its last erasure and the look after it; nothing while that is not carried out, or a
    person has seen to it. `grounds`: those of this system (`asks_of`)."""
    if act is not None and act.outcome is Outcome.HELD and act.code == Code.HOLD:
        return Rest(whole=True)
    if act is None or seen is None or not act.outcome.settled or seen.outcome is not Outcome.RETAINED:
        return NOTHING
    counts = [count for count in seen.tally.counts if count.kept and not count.left and not _locked_itself(count)]
    for_a_time = tuple(count.collection for count in counts if all(map(comes_back, count.kept)))
    return Rest(
        kept=tuple(count.collection for count in counts),
        for_a_time=for_a_time,
        asked=tuple(
            count.collection for count in counts if count.collection not in for_a_time and _is_asked(count, grounds)
        ),
    )


def _is_asked(count: Count, grounds: Grounds) -> bool:
    """Whether all that stays there is come back to, some of it because somebody is asked: else the lock of the one
    would keep what stays in use as well."""
    return all(comes_back(kept) or asked_about(count.collection, kept, grounds) for kept in count.kept)
