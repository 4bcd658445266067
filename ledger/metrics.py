"""Reading: the record of requests, a line for each, as the journal had it at an entry of a number.

The one rule: it is folded from the journal, which outlives every file that is shredded and is never changed, so the
same number gives the same lines for ever; the vault is not opened.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, DateTime, bindparam, literal_column, select, union

from ledger.casefold import KINDS, fold
from ledger.clocks import Clocks
from ledger.head import Head, be_patient, head_at
from ledger.models import entries, requests
from ledger.store import AnyRow
from rights.deadlines import Clock
from rights.metrics import Line, lines_of
from rights.regimes import Regime

PAGE: Final = 5_000
"""Entries read at once: some megabytes."""
_up_to = (entries.c.tenant == bindparam("tenant"), entries.c.seq <= bindparam("head"))
_kind = entries.c.kind
_came_in = union(
    select(entries.c.request_id).where(
        *_up_to,
        _kind == literal_column("'opened'"),
        entries.c.at >= bindparam("since", type_=DateTime(timezone=True)),
        entries.c.at < bindparam("until", type_=DateTime(timezone=True)),
    ),
    # It came in on another day than the one on which it was entered.
    select(entries.c.request_id).where(
        *_up_to, _kind == literal_column("'clock'"), entries.c.body.like('%"receipt_corrected"%')
    ),
)
_columns = (entries.c.request_id, _kind, entries.c.key, entries.c.at, entries.c.body)
_SAID: Final = (
    select(*_columns).where(*_up_to, _kind.in_(KINDS), entries.c.request_id.in_(_came_in)).order_by(entries.c.seq)
)
_CARRIED: Final = (
    select(entries.c.seq, entries.c.body)
    .where(*_up_to, _kind == literal_column("'deferred_carried_out'"))
    .order_by(entries.c.seq)
)
_BEFORE: Final = (
    select(*_columns)
    .where(
        *_up_to,
        entries.c.request_id == bindparam("request_id"),
        _kind.in_(("proposed", "charged", "decided")),
    )
    .order_by(entries.c.seq)
)
_ASKED: Final = select(requests.c.regime, requests.c.clocks).where(requests.c.tenant == bindparam("tenant")).distinct()
_ZONES: Final = timedelta(hours=14)
"""How far a local day lies from that of UTC at most."""


class Metrics(Clocks):
    """The verbs that read it."""

    def request_lines(self, first: date, last: date) -> list[Line]:
        """A line for each request that came in between two days of its own zone, both included, and for each law that
        it is asked under; the oldest first."""
        return self.lines_at(first, last, None)[1]

    def lines_at(self, first: date, last: date, head: int | None) -> tuple[Head, list[Line]]:
        """The same as the journal had it at entry `head` (None: the newest), and which entry that is.

        Raises:
            LedgerRefusal: there is no entry of that number yet.
        """
        with self._frozen.begin() as connection:
            be_patient(connection)
            at = head_at(connection, self.tenant, head)
            its = {
                "tenant": self.tenant,
                "head": at.seq,
                "since": datetime.combine(first, time(0), UTC) - _ZONES,
                "until": datetime.combine(last + timedelta(days=1), time(0), UTC) + _ZONES,
            }
            carried = self.carried(connection, at)
            folded = fold(connection.execute(_SAID, its, execution_options={"yield_per": PAGE}))
        # Reckoning takes longer than a session may lie idle.
        laws: dict[str, Regime] = {}
        lines: list[Line] = []
        for request_id in sorted(folded, key=lambda one: (folded[one].received, one)):
            one = folded[request_id]
            if first <= one.received <= last:
                clocks = one.clocks()
                its_laws = self._laws_then(clocks, laws)
                lines += lines_of(one.facts(request_id, carried.get(request_id, ())), clocks, its_laws, one.received)
        return at, lines

    def _laws_then(self, clocks: Sequence[Clock], known: dict[str, Regime]) -> list[Regime]:
        """The laws of clocks, as they read when the clocks were started."""
        for clock in clocks:
            if clock.ruleset not in known:
                with self._look() as connection:
                    known[clock.ruleset] = self._law(connection, clock)
        return [known[clock.ruleset] for clock in clocks]

    def carried(self, connection: Connection, at: Head) -> dict[str, list[AnyRow]]:
        """What was decided on requests whose rest others carry out, by those others: it holds for them, too."""
        found: dict[str, list[AnyRow]] = {}
        for entry in connection.execute(_CARRIED, {"tenant": self.tenant, "head": at.seq}).all():
            body = orjson.loads(entry.body)
            its = {"tenant": self.tenant, "head": entry.seq, "request_id": body["request"]}
            found[body["by"]] = [*found.get(body["request"], ()), *connection.execute(_BEFORE, its).all()]
        return found

    def regimes_asked(self) -> frozenset[str]:
        """The laws under which there are requests."""
        with self._look() as connection:
            found = connection.execute(_ASKED, {"tenant": self.tenant}).all()
        return frozenset(name for row in found for name in (row.regime, *_named(row.clocks)))


def _named(clocks: Sequence[Mapping[str, Any]] | None) -> list[str]:
    return [one["regime"] for one in clocks or ()]
