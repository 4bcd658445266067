"""Reading: who is owed an answer by a day.

The one rule: it asks the ledger alone and what it asks is small, so it can be asked each minute, by whoever watches
from outside, with every worker and Temporal stopped.
"""

from collections import defaultdict
from datetime import datetime
from typing import Final

from sqlalchemy import DateTime, bindparam, literal_column, select

from ledger.letters import LetterState
from ledger.models import requests
from ledger.models_letters import letters
from ledger.requestrow import IS_OPEN, ROWS, RequestRow, request_row
from ledger.store import Store
from rights.board import NEEDS_NO_ANSWER
from rights.metrics import answering, fate_of
from rights.value import Value

_by_then = requests.c.legal_due <= bindparam("until", type_=DateTime(timezone=True))
_closed = requests.c.phase == literal_column("'closed'")
_OPEN: Final = ROWS.where(IS_OPEN, _by_then).order_by(requests.c.legal_due, requests.c.id)
_GONE: Final = (LetterState.SENT.value, LetterState.POSTED.value)
_WAITING: Final = tuple(state.value for state in LetterState if state not in {*_GONE, LetterState.LEFT})
_lies_here = (
    select(letters.c.request_id)
    .where(
        letters.c.tenant == requests.c.tenant,
        letters.c.request_id == requests.c.id,
        letters.c.state.in_(_WAITING),
    )
    .exists()
)
_UNSENT: Final = ROWS.where(_closed, _by_then, _lies_here).order_by(requests.c.legal_due, requests.c.id)
_LETTERS: Final = select(letters.c.request_id, letters.c.kind, letters.c.state).where(
    letters.c.tenant == bindparam("tenant"), letters.c.request_id.in_(bindparam("ids", expanding=True))
)


class Owed(Value):
    """Somebody who is owed an answer."""

    request: RequestRow
    unsent: bool
    """All is done and the request closed, and the letter that answers has not gone out, or has come back."""


class DueDates(Store):
    """The verb that reads it."""

    def owed_by(self, until: datetime) -> list[Owed]:
        """Requests whose legal due date lies before a moment and that are not answered, the first due first."""
        its = {"tenant": self.tenant, "until": until}
        with self._frozen.begin() as connection:
            found = [Owed(request=request_row(row), unsent=False) for row in connection.execute(_OPEN, its)]
            closed = [request_row(row) for row in connection.execute(_UNSENT, its)]
            written: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
            if closed:
                wanted = {"tenant": self.tenant, "ids": [row.id for row in closed]}
                for letter in connection.execute(_LETTERS, wanted):
                    written[letter.request_id][letter.kind].add(letter.state)
        found += [Owed(request=row, unsent=True) for row in closed if _unsent(row, written[row.id])]
        return sorted(found, key=lambda one: (one.request.clock.legal_due, one.request.id))


def _unsent(row: RequestRow, written: dict[str, set[str]]) -> bool:
    if row.conclusion is None or fate_of(row.conclusion) in NEEDS_NO_ANSWER:
        return False
    states = set[str]().union(*(written.get(kind, set()) for kind in answering(row.right, row.conclusion)))
    return bool(states & set(_WAITING)) and not states & set(_GONE)
