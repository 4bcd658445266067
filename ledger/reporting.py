"""Reading for reports: all requests, holds, notices and comparisons of the map, as the journal had them at an entry.

The one rule: set by set, from entries up to a number, which are never changed; nothing is read from a row that is.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ARRAY, Connection, DateTime, Text, bindparam, column, func, literal_column, select

from ledger.casefold import KINDS, fold
from ledger.head import Head, be_patient, head_at
from ledger.metrics import PAGE, Metrics
from ledger.models import entries
from ledger.notices import Answer
from ledger.store import AnyRow
from rights.board import WAITING_FOR, Facts, HoldFact, Matched, Unconfirmed, Waits, late_ones, overdue_ones
from rights.holds import Terms
from rights.journal import RECEIPTS
from rights.receipt import Outcome
from rights.reports import Case, Period
from rights.request import Phase
from rights.ropa import MapUse

_up_to = (entries.c.tenant == bindparam("tenant"), entries.c.seq <= bindparam("head"))
_kind = entries.c.kind
_CASES: Final = (
    select(entries.c.request_id, _kind, entries.c.key, entries.c.at, entries.c.body)
    .where(
        *_up_to,
        _kind.in_(KINDS),
        # The most frequent letter, and none that answers.
        ~((_kind == literal_column("'letter'")) & entries.c.body.like("%.acknowledgement.%")),
    )
    .order_by(entries.c.seq)
)
_OF_MAP_HOLDS_NOTICES: Final = ("hold_placed", "hold_released", "map_checked", "recipient_told", "recipient_answered")
_BESIDE: Final = (
    select(entries.c.request_id, _kind, entries.c.key, entries.c.at, entries.c.body)
    .where(*_up_to, _kind.in_(_OF_MAP_HOLDS_NOTICES))
    .order_by(entries.c.seq)
)
_WHY: Final = (
    select(entries.c.request_id, _kind, entries.c.body)
    .where(
        *_up_to,
        entries.c.request_id == func.any(bindparam("ids", type_=ARRAY(Text))),
        _kind.in_(("moved", "stood_still", "went_on", *RECEIPTS)),
    )
    .order_by(entries.c.seq)
)
_passed = (
    func.unnest(bindparam("ids", type_=ARRAY(Text)), bindparam("dues", type_=ARRAY(DateTime(timezone=True))))
    .table_valued(column("id", Text), column("due", DateTime(timezone=True)), name="passed")
    .render_derived()
)
_WHERE_IT_PASSED: Final = select(
    _passed.c.id,
    # Of each by itself, along the index of requests: the journal is not sorted for it.
    select(entries.c.body)
    .where(
        *_up_to,
        entries.c.request_id == _passed.c.id,
        _kind == literal_column("'moved'"),
        entries.c.at <= _passed.c.due,
    )
    .order_by(entries.c.seq.desc())
    .limit(1)
    .scalar_subquery()
    .label("body"),
)
_BOUND: Final = (
    select(entries.c.body, func.min(entries.c.at).label("first"), func.count().label("bound"))
    .where(
        *_up_to,
        _kind == literal_column("'map_pinned'"),
        entries.c.at >= bindparam("first", type_=DateTime(timezone=True)),
        entries.c.at < bindparam("after", type_=DateTime(timezone=True)),
    )
    .group_by(entries.c.body)
    .order_by(literal_column("first"), entries.c.body)
)


class Reporting(Metrics):
    """The verbs that read for reports. `head` is the number of an entry, None the newest.

    All raise LedgerRefusal where there is no entry of that number yet.
    """

    def journal_head(self, head: int | None = None) -> Head:
        """An entry of the journal."""
        with self._look() as connection:
            return head_at(connection, self.tenant, head)

    def cases(self, head: int | None = None) -> tuple[Head, list[Case]]:
        """All requests, the oldest first."""
        with self._frozen.begin() as connection:
            be_patient(connection)
            at = head_at(connection, self.tenant, head)
            carried = self.carried(connection, at)
            folded = fold(connection.execute(_CASES, self._until(at), execution_options={"yield_per": PAGE}))
        # Reckoning takes longer than a session may lie idle.
        cases = [one.case(request_id, carried.get(request_id, ())) for request_id, one in folded.items()]
        return at, sorted(cases, key=lambda case: (case.received, case.id))

    def board_facts(self, period: Period, head: int | None = None) -> tuple[Head, Facts]:
        """All that a board is told of."""
        at, cases = self.cases(head)
        late = late_ones(cases, period)
        open_late = [case.id for case in overdue_ones(cases, at.at) if case.conclusion is None] if at.at else []
        # In a transaction of its own: what stands up to an entry is the same in every one after it.
        with self._frozen.begin() as connection:
            be_patient(connection)
            holds, unconfirmed, matched = self._beside(connection, at)
            waits, passed_in = self._waits(connection, at, open_late), self._passed_in(connection, at, late)
        facts = Facts(
            cases=cases, waits=waits, passed_in=passed_in, holds=holds, unconfirmed=unconfirmed, matched=matched
        )
        return at, facts

    def maps_in(self, period: Period, zone: str, head: int | None = None) -> tuple[Head, list[MapUse]]:
        """The data maps that requests were bound to in a period of a zone, the first use first."""
        first, after = (
            datetime.combine(day, time(0), ZoneInfo(zone)) for day in (period.first, period.last + timedelta(days=1))
        )
        with self._frozen.begin() as connection:
            be_patient(connection)
            at = head_at(connection, self.tenant, head)
            found = connection.execute(_BOUND, {**self._until(at), "first": first, "after": after}).all()
        return at, [
            MapUse(data_map=orjson.loads(row.body)["digest"], first=row.first, bound=row.bound) for row in found
        ]

    def _beside(self, connection: Connection, at: Head) -> tuple[list[HoldFact], list[Unconfirmed], Matched | None]:
        """Holds in force, what recipients have not confirmed, and the last comparison of the map."""
        holds: dict[str, tuple[datetime, Terms]] = {}
        told: dict[tuple[str, str], dict[str, Unconfirmed]] = {}
        matched: Matched | None = None
        for entry in connection.execute(_BESIDE, self._until(at)):
            body = orjson.loads(entry.body)
            match entry.kind:
                case "hold_placed":
                    holds[body["hold"]] = (entry.at, Terms.model_validate(body["terms"]))
                case "hold_released":
                    holds.pop(body["hold"], None)
                case "recipient_told" if _awaited(body):
                    one = Unconfirmed(
                        body["recipient"], body["operation"], entry.at.date(), date.fromisoformat(body["due_on"])
                    )
                    told.setdefault((entry.request_id, one.recipient), {})[one.operation] = one
                case "recipient_answered" if body["answer"] != Answer.CONFIRMED_ALONE:
                    told.pop((entry.request_id, body["recipient"]), None)
                case "map_checked":
                    matched = Matched(at=entry.at, **body)
        today = at.at.date() if at.at else date.min
        facts = [HoldFact(placed_at, terms.secret(today)) for placed_at, terms in holds.values()]
        return facts, [one for of in told.values() for one in of.values()], matched

    def _waits(self, connection: Connection, at: Head, late: Sequence[str]) -> dict[str, Waits]:
        """Why what is open and overdue is not answered, as whoever works on it reads it."""
        if not late:
            return {}
        why = {request_id: _Why() for request_id in late}
        for entry in connection.execute(_WHY, {**self._until(at), "ids": late}):
            why[entry.request_id].take(entry)
        return {request_id: one.waits() for request_id, one in why.items()}

    def _passed_in(self, connection: Connection, at: Head, late: Sequence[Case]) -> dict[str, str]:
        """In which phase the due date has passed."""
        if not late:
            return {}
        its = {**self._until(at), "ids": [case.id for case in late], "dues": [case.due for case in late]}
        rows = connection.execute(_WHERE_IT_PASSED, its)
        found = {row.id: orjson.loads(row.body)["phase"] for row in rows if row.body}
        return {case.id: found.get(case.id, str(Phase.RECEIVED)) for case in late}

    def _until(self, at: Head) -> dict[str, Any]:
        return {"tenant": self.tenant, "head": at.seq}


def _awaited(body: Mapping[str, Any]) -> bool:
    """Whether an entry that says what a recipient was told leaves something to be confirmed. Of a recipient that is a
    system of ours, older entries do not say so: its step's receipt does."""
    if body["how"] == "system" and "answer" not in body:
        return False
    return body.get("answer") in {None, Answer.CONFIRMED_ALONE.value}


class _Why:
    """What the journal says of what a request waits for."""

    def __init__(self) -> None:
        self._phase = Phase.RECEIVED
        self._still: set[str] = set()
        self._open: dict[tuple[str, str], str] = {}

    def take(self, entry: AnyRow) -> None:
        body = orjson.loads(entry.body)
        match entry.kind:
            case "moved":
                self._phase = Phase(body["phase"])
            case "stood_still":
                self._still.add(body["incident"])
            case "went_on":
                self._still.discard(body["incident"])
            case _:
                step = (body["step"]["system"], body["step"]["operation"])
                outcome = Outcome(body["outcome"])
                if outcome.settled:
                    self._open.pop(step, None)
                else:
                    self._open[step] = body.get("code") or str(outcome)

    def waits(self) -> Waits:
        """In a word: an incident before a person, a person before a system, a system before the phase."""
        if self._still:
            return Waits("incident")
        if self._phase in WAITING_FOR:
            return Waits(WAITING_FOR[self._phase])
        if self._open:
            (system, _), code = next(iter(self._open.items()))
            return Waits(code, system)
        return Waits(str(self._phase))
