"""Reading: the record of requests, a line for each, as the journal had it at an entry of a number.

The one rule: it is folded from the journal, which outlives every file that is shredded and is never changed, so the
same number gives the same lines for ever; the vault is not opened.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import ARRAY, Connection, Text, bindparam, func, literal_column, select

from ledger.casefold import KINDS, Folded, fold
from ledger.clocks import Clocks
from ledger.head import Head, head_at
from ledger.ids import first_id
from ledger.models import entries, requests
from ledger.store import AnyRow
from rights.deadlines import Clock
from rights.metrics import Line, lines_of, remembering
from rights.regimes import Regime

PAGE: Final = 5_000
"""Entries read at once: some megabytes. A request that has more is read whole all the same."""
_up_to = (entries.c.tenant == bindparam("tenant"), entries.c.seq <= bindparam("head"))
_kind = entries.c.kind
_columns = (entries.c.request_id, _kind, entries.c.key, entries.c.at, entries.c.body)
_PAGE: Final = (
    select(*_columns)
    .where(
        *_up_to,
        _kind.in_(KINDS),
        entries.c.request_id > bindparam("after"),
        entries.c.request_id < bindparam("end"),
    )
    .order_by(entries.c.request_id, entries.c.seq)
    .limit(bindparam("most"))
)
"""Read along the index of requests, from any of them on: nothing is sorted."""
_CORRECTED: Final = (
    select(entries.c.request_id)
    .where(*_up_to, _kind == literal_column("'clock'"), entries.c.body.like('%"receipt_corrected"%'))
    .distinct()
)
"""What came in on another day than the one on which it was entered, which its id tells."""
_SAID: Final = (
    select(*_columns)
    .where(*_up_to, _kind.in_(KINDS), entries.c.request_id == func.any(bindparam("ids", type_=ARRAY(Text))))
    .order_by(entries.c.seq)
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
        return list(self.lines_at(first, last, None)[1])

    def lines_at(self, first: date, last: date, head: int | None, *, page: int = PAGE) -> tuple[Head, Iterator[Line]]:
        """The same as the journal had it at entry `head` (None: the newest), and which entry that is.

        Lines are read as they are taken, a page of entries at a time, each in a moment of its own: what stands up to
        an entry is the same at every one. Whoever takes them slowly holds up nobody.

        Raises:
            LedgerRefusal: there is no entry of that number yet.
        """
        with self._look() as connection:
            at = head_at(connection, self.tenant, head)
        return at, self._lines(at, first, last, page)

    def _lines(self, at: Head, first: date, last: date, size: int) -> Iterator[Line]:
        its = {"tenant": self.tenant, "head": at.seq}
        with self._look() as connection:
            carried = self.carried(connection, at)
            corrected = list(connection.scalars(_CORRECTED, its))
            rows = connection.execute(_SAID, {**its, "ids": corrected}).all() if corrected else []
        moved = sorted(fold(rows).items(), key=_came_in)
        laws: dict[str, Regime] = {}
        reckoning = remembering()
        for request_id, one in heapq.merge(moved, self._folded(its, first, last, set(corrected), size), key=_came_in):
            if first <= one.received <= last:
                clocks = one.clocks()
                its_laws = self._laws_then(clocks, laws)
                facts = one.facts(request_id, carried.get(request_id, ()))
                yield from lines_of(facts, clocks, its_laws, one.received, reckoning)

    def _folded(
        self, its: Mapping[str, Any], first: date, last: date, but: Collection[str], size: int
    ) -> Iterator[tuple[str, Folded]]:
        """The requests that were entered for days around a period, in the order of their ids, without some."""
        after = first_id(datetime.combine(first, time(0), UTC) - _ZONES)
        end = first_id(datetime.combine(last + timedelta(days=1), time(0), UTC) + _ZONES)
        most = size
        while True:
            with self._look() as connection:
                rows = connection.execute(_PAGE, {**its, "after": after, "end": end, "most": most}).all()
            whole = len(rows) < most
            # The last of a full page may go on in the next one.
            page = rows if whole else [row for row in rows if row.request_id != rows[-1].request_id]
            if page:
                yield from (pair for pair in fold(page).items() if pair[0] not in but)
                after, most = page[-1].request_id, size
            else:
                most *= 2
            if whole:
                return

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


def _came_in(pair: tuple[str, Folded]) -> tuple[int, str]:
    """By what requests are ordered: when they came in, as exactly as their ids say it, and their ids."""
    return int(pair[1].received_at.timestamp() * 1000), pair[0]


def _named(clocks: Sequence[Mapping[str, Any]] | None) -> list[str]:
    return [one["regime"] for one in clocks or ()]
