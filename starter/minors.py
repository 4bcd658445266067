"""A report that data is a child's: out of use at once, and an erasure that waits for a second person's word.

The one rule: the restriction comes first, so that whatever dies in between, nobody goes on using the data.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ledger.ledger import Ledger
from ledger.letters import Channel
from ledger.minors import MinorReport
from rights.datamap import DataMap
from rights.erasing import ErasureDetails, Why
from rights.minors import Source, minors_law
from rights.request import Right
from rights.restriction import Ground, RestrictionDetails
from rights.subject import IdentityError, parse_identity
from rights.value import Value
from starter.submit import Lane, Rules, SubmissionError, submit

MAX_KEY: Final = 150
"""Characters of a caller's name for a report: two requests' names are made of it."""


class Lanes(Value):
    """The two requests of a report."""

    erasure: str
    restriction: str
    new: bool


def report(
    ledger: Ledger,
    data_map: DataMap,
    rules: Rules,
    identities: Sequence[tuple[str, str]],
    *,
    source: Source,
    by: str,
    at: datetime,
    parent: str | None = None,
    key: str | None = None,
    text: str | None = None,
    regimes: Sequence[str] = (),
) -> Lanes:
    """Receive a report. Nobody proves anything, and no document is asked of the child.

    Args:
        identities: pairs of kind and value, as of every request.
        by: who reports it, by role; they do not rule on it.
        parent: the e-mail address of a parent or guardian, where it is known: told that the report is here, no more.
        key: the caller's name for this report; given again, it finds the same one, and completes it.
        text: the report as it came in; kept sealed with the erasure.

    Raises:
        SubmissionError: something cannot stand; nothing was started.
        LedgerRefusal: the key belongs to another report.
    """
    lane, address = Lane(minors_law().lane.within), None
    if parent is not None:
        try:
            address = Channel("email", parse_identity("email", parent).value)
        except IdentityError as error:
            raise SubmissionError(f"the parent's address: {error}") from None
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise SubmissionError(f"an idempotency key of a report has 1 to {MAX_KEY} characters")
    restriction = submit(
        ledger,
        data_map,
        rules,
        Right.RESTRICTION,
        identities,
        received_at=at,
        details=RestrictionDetails(ground=Ground.MINOR),
        idempotency_key=key and f"minor/restriction/{key}",
        regimes=regimes,
        lane=lane,
    )
    erasure = submit(
        ledger,
        data_map,
        rules,
        Right.ERASURE,
        identities,
        received_at=at,
        text=text,
        details=ErasureDetails(ground=Why.CHILD),
        idempotency_key=key and f"minor/erasure/{key}",
        regimes=regimes,
        lane=lane._replace(report=MinorReport(source, by, restriction.request_id, address if rules.letters else None)),
    )
    return Lanes(erasure=erasure.request_id, restriction=restriction.request_id, new=erasure.new)
