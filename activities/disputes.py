"""The note that data is disputed, which stays with it after a correction was refused.

The one rule: it is written down before anybody is told of what was corrected, and before the request ends.
"""

from datetime import datetime

from activities.tools import Tools
from ledger.standing import RequestRow
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
