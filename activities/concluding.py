"""The word that a request ends with, of what was done for it and seen.

The one rule: it is the most modest word that the receipts allow. "Answered" takes every system done, and each erasure
looked at again, or attested.
"""

from activities.restricting import Owed
from ledger.requestrow import RequestRow
from rights import weighing
from rights.course import COURSES
from rights.plan import Operation
from rights.receipt import Books, Certainty, Outcome, Receipt, found_nothing, newest
from rights.request import Conclusion, Right
from rights.value import Value
from rights.weighing import Matter, Weighing


class Given(Value):
    """What of a copy was given: of access and portability."""

    parcel: bool = False
    categories: bool = False


def weighed_to(row: RequestRow, weighed: Weighing | None) -> Conclusion | None:
    """What a person has made of it: an objection that is outweighed is refused, and a review is its own answer."""
    if row.withdrawn or weighed is None or weighed.outcome is None:
        return None
    if weighed.matter is Matter.DECISION:
        return Conclusion.ANSWERED
    return Conclusion.REFUSED if weighed.outcome is weighing.Outcome.OVERRIDDEN else None


def conclude(
    row: RequestRow,
    receipts: list[Receipt],
    books: dict[str, tuple[Books, ...]],
    owed: Owed,
    given: Given,
    *,
    passed_on: bool,
) -> Conclusion:
    """The most modest word that the receipts allow."""
    if row.withdrawn:
        return Conclusion.PASSED_ON if passed_on else Conclusion.WITHDRAWN
    if row.declined:
        return Conclusion.REFUSED
    if row.lead:
        return Conclusion.JOINED
    course = COURSES[row.right]
    located, erased, verified = (newest(receipts, op) for op in (Operation.LOCATE, Operation.ERASE, Operation.VERIFY))
    acted = newest(receipts, course.act) if course.act else {}
    looks = [r for r in receipts if r.step.operation is Operation.LOCATE]
    if located and all(found_nothing([r for r in looks if r.step.system == name]) for name in located):
        return Conclusion.NOTHING_HELD
    if not row.confirmed:
        return Conclusion.CATEGORIES if given.categories else Conclusion.UNPROVEN
    if owed.wholly:
        return Conclusion.REFUSED
    if course.packages and not given.parcel:
        return Conclusion.NOT_DONE
    ends = [verified.get(name, r) for name, r in acted.items()]
    unsettled = [r for r in located.values() if r.outcome is not Outcome.NOTHING_HELD and not r.outcome.settled]
    # A pseudonym is no erasure while its key lives, and a look does not find what was rewritten. The books know also of
    # calls that were cut before they could tell what they had changed.
    keyed = any(c.pseudonymised for r in receipts if r.step.operation is Operation.ERASE for c in r.tally.counts)
    keyed = keyed or any(book.pseudonymised for of in books.values() for book in of)
    # By all looks: since a system was seen to hold something it may have left the map, or a newer look found less.
    holding = {r.step.system for r in looks if r.may_hold and r.outcome.settled}
    if owed.systems is not None:
        holding = set(owed.systems) if row.right is Right.RECTIFICATION else holding & set(owed.systems)
    # A correction that found no row has corrected nothing.
    done = {Outcome.DONE} | ({Outcome.NOTHING_HELD} if row.right is not Right.RECTIFICATION else set())
    whole = (
        (bool(ends) or row.right is Right.RECTIFICATION)
        and not owed.refused
        and not (row.decided and row.decided.parts)
        and not keyed
        and not unsettled
        and holding <= acted.keys()
        and all(r.outcome.settled for r in erased.values())
        and all(r.outcome in done for r in ends)
        and all(book.closed and not book.kept for of in books.values() for book in of)
        and all(verified.get(n) is not None or r.certainty is Certainty.ATTESTED for n, r in erased.items())
    )
    return Conclusion.ANSWERED if whole else Conclusion.IN_PART
