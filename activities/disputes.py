"""The note that data is disputed, which stays with it after a correction was refused, and goes with it.

The one rule: it is written down before anybody is told of what was corrected, and before the request ends; it goes of
those systems alone in which nothing of the person is left.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from activities.tools import Tools
from ledger.requestrow import RequestRow
from rights.plan import Operation
from rights.receipt import Books, Certainty, Outcome, Receipt, newest
from rights.rectification import RectificationDetails
from rights.request import Conclusion, Right


def note_refused(tools: Tools, row: RequestRow, at: datetime, conclusion: Conclusion | None = None) -> None:
    """Note what a rectification has asked for and was refused, by field, or as a whole by its conclusion. Doing it
    again changes nothing."""
    if row.right is not Right.RECTIFICATION:
        return
    ledger = tools.ledger
    details = ledger.details(row.id, row.right)
    if not isinstance(details, RectificationDetails):
        return
    refused = details.refused(ledger.accuracy(row.id), whole=conclusion is Conclusion.REFUSED)
    if refused:
        # What several people may be known by would show one of them the other's word.
        shared = tools.pinned(row.map_digest).shared_kinds
        people = [one for one in ledger.identities(row.id) if one.kind not in shared]
        ledger.note_dispute(row.id, refused, people, statement=details.statement, at=at)


def end_erased(
    tools: Tools,
    row: RequestRow,
    at: datetime,
    conclusion: Conclusion,
    receipts: Iterable[Receipt],
    books: Mapping[str, Sequence[Books]],
) -> None:
    """Take the notes away of what an erasure has erased whole, system by system: what it was opened for may be one
    system of several, and another one may keep what it has. Doing it again changes nothing."""
    if row.right is not Right.ERASURE or conclusion not in {Conclusion.ANSWERED, Conclusion.IN_PART}:
        return
    pinned = tools.pinned(row.map_digest)
    # What is answered has left nothing in any system of its map; where nothing was found there is none to look at.
    gone = set(pinned.systems) if conclusion is Conclusion.ANSWERED else _emptied(list(receipts), books)
    if gone:
        tools.ledger.end_disputes(row.id, pinned.shared_kinds, gone, at=at)


def _emptied(receipts: Sequence[Receipt], books: Mapping[str, Sequence[Books]]) -> set[str]:
    """The systems of which the last look, or who has done it by hand, says that nothing is left."""
    seen = newest(receipts, Operation.VERIFY)
    return {
        name
        for name, act in newest(receipts, Operation.ERASE).items()
        if seen.get(name, act).outcome in {Outcome.DONE, Outcome.NOTHING_HELD}
        and (name in seen or act.certainty is Certainty.ATTESTED)
        and not any(count.pseudonymised for count in act.tally.counts)
        and all(one.closed and not one.kept and not one.pseudonymised for one in books.get(name, ()))
    }
