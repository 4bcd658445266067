"""What stays of an erasure that is carried out, and is put out of use until it goes.

The one rule: locked away is only what the erasure would have taken but for a hold or a duty that ends on a day; what
stays on any other ground, and where it is not known what stays, is left as it is (GDPR Art. 17(3)(b), (e) and 18;
California: 11 CCR 7022).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from rights.codes import Code
from rights.collection import Erase
from rights.datamap import System
from rights.deferred import comes_back
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
    whole: bool = False
    """A hold has stopped the erasure there as a whole."""

    @property
    def anything(self) -> bool:
        """Whether something stays that is come back to: what is not is not locked away, since nobody would open it."""
        return self.whole or bool(self.for_a_time)

    def locks(self, system: System, works: Iterable[Work]) -> tuple[str, ...]:
        """The collections whose rows of the person are locked away; `works` are as they would be without holds.

        A row that stays only because another one points to it is locked with that one, unless rows may point to it
        that would have stayed all the same.
        """
        does = {work.collection: work.erase for work in works}
        needed = _pointed_to(system, [name for name, erase in does.items() if erase is not Erase.DELETE])
        return tuple(name for name, erase in does.items() if self._locks(name, erase, shell=name not in needed))

    def _locks(self, name: str, erase: Erase, *, shell: bool) -> bool:
        if erase is Erase.RETAIN or not self.anything:
            return False
        if name in self.for_a_time:
            return True
        if self.whole:
            return shell or erase is Erase.REDACT
        return shell and erase is Erase.DELETE and name in self.kept


def locked_away(receipts: Sequence[Receipt]) -> Receipt | None:
    """Of one system's receipts, in their order, the one of what is locked away now; None: nothing is known to be."""
    acts = [r for r in receipts if r.step.operation in _ACTS]
    last = acts[-1] if acts else None
    locked = last is not None and last.step.operation is Operation.RESTRICT and last.outcome is Outcome.DONE
    return last if locked else None


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


def rest_of(act: Receipt | None, seen: Receipt | None) -> Rest:
    """What stays of one system, by its last erasure and the look after it; nothing while that is not carried out, or a
    person has seen to it."""
    if act is not None and act.outcome is Outcome.HELD and act.code == Code.HOLD:
        return Rest(whole=True)
    if act is None or seen is None or not act.outcome.settled or seen.outcome is not Outcome.RETAINED:
        return NOTHING
    counts = [count for count in seen.tally.counts if count.kept and not count.left and not _locked_itself(count)]
    return Rest(
        kept=tuple(count.collection for count in counts),
        for_a_time=tuple(count.collection for count in counts if all(map(comes_back, count.kept))),
    )
