"""A request's present state: its row, with what is in force of what hangs on it.

The one rule: whoever reads requests reads them by these statements, so that all see the same state.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, Text, bindparam, func, literal_column, select

from ledger.clocks import clocks_of
from ledger.models import requests, tasks
from ledger.models_deciding import decisions, links
from ledger.models_rests import rest_locks, rest_words
from ledger.stopped import stopped_by
from ledger.store import AnyRow
from rights.deadlines import Clock, acting
from rights.decision import Decided, Word
from rights.request import Conclusion, Phase, Right
from rights.restwords import RestWord
from rights.value import Value


class RequestRow(Value):
    """A request's present state."""

    id: str
    right: Right
    regime: str
    phase: Phase
    clock: Clock
    """The acting one, where there are several."""
    clocks: tuple[Clock, ...]
    map_digest: str | None
    confirmed_at: datetime | None
    approved_at: datetime | None
    """The approval of the present preview; a look that is taken anew asks for a new one."""
    withdrawn_at: datetime | None
    closed_at: datetime | None
    conclusion: Conclusion | None
    ruled: bool
    """An agent has ruled on a task and the ruling is not carried out yet."""

    decided: Decided | None = None
    """The decision in force; None: nobody has opened one, and what a proven person asks for is granted."""

    lead: str | None = None
    """The earlier request whose answer names this one too."""

    rests: tuple[str, ...] = ()
    """The systems in which what an erasure had to leave is locked away."""

    rests_opened: bool = False
    """Two people have said that it is to be locked away no more."""

    incident: str | None = None
    """The incident that it stands still for."""

    @property
    def regimes(self) -> tuple[str, ...]:
        """The laws it is asked under, the one that was named first before others."""
        return tuple(clock.regime for clock in self.clocks)

    @property
    def declined(self) -> bool:
        """Whether a decision refuses it as a whole."""
        return self.decided is not None and self.decided.word is Word.REFUSE

    @property
    def confirmed(self) -> bool:
        return self.confirmed_at is not None

    @property
    def approved(self) -> bool:
        return self.approved_at is not None

    @property
    def withdrawn(self) -> bool:
        return self.withdrawn_at is not None


_ruled = (
    select(tasks.c.id)
    .where(
        tasks.c.tenant == requests.c.tenant,
        tasks.c.request_id == requests.c.id,
        tasks.c.settled_at.is_(None),
        tasks.c.ruling.is_not(None),
    )
    .exists()
    .label("ruled")
)
_decided = (
    select(decisions.c.body)
    .where(
        decisions.c.tenant == requests.c.tenant,
        decisions.c.request_id == requests.c.id,
        decisions.c.state == literal_column("'in_force'"),
    )
    .scalar_subquery()
    .label("decided")
)
_answered_with = (
    select(links.c.lead_id)
    .where(links.c.tenant == requests.c.tenant, links.c.request_id == requests.c.id, links.c.ended_at.is_(None))
    .scalar_subquery()
    .label("lead")
)
_rests = func.array(
    select(rest_locks.c.system)
    .where(
        rest_locks.c.tenant == requests.c.tenant,
        rest_locks.c.request_id == requests.c.id,
        rest_locks.c.over_at.is_(None),
    )
    .order_by(rest_locks.c.system)
    .scalar_subquery(),
    type_=ARRAY(Text),
).label("rests")
_opened = (
    select(rest_words.c.word)
    .where(
        rest_words.c.tenant == requests.c.tenant,
        rest_words.c.request_id == requests.c.id,
        rest_words.c.word == literal_column(f"'{RestWord.OPEN}'"),
        rest_words.c.agreed_at.is_not(None),
    )
    .exists()
    .label("rests_opened")
)
_stands_still = stopped_by(requests.c.tenant, requests.c.id).label("incident")
ROWS: Final = select(requests, _ruled, _decided, _answered_with, _stands_still, _rests, _opened).where(
    requests.c.tenant == bindparam("tenant")
)
ROW: Final = ROWS.where(requests.c.id == bindparam("id"))
# Said outright, not as a parameter: else a prepared statement could not use the partial index.
IS_OPEN = requests.c.phase != literal_column("'closed'")


def request_row(row: AnyRow) -> RequestRow:
    """A row of `ROWS` as a value."""
    clocks = clocks_of(row)
    return RequestRow(
        id=row.id,
        right=row.right,
        regime=row.regime,
        phase=row.phase,
        clock=acting(clocks),
        clocks=clocks,
        map_digest=row.map_digest,
        confirmed_at=row.confirmed_at,
        approved_at=row.approved_at,
        withdrawn_at=row.withdrawn_at,
        closed_at=row.closed_at,
        conclusion=row.conclusion,
        ruled=row.ruled,
        lead=row.lead,
        incident=row.incident,
        decided=Decided.model_validate(row.decided) if row.decided else None,
        rests=tuple(row.rests),
        rests_opened=row.rests_opened,
    )
