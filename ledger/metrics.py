"""Reading: the record of requests, a line for each, as the journal has it.

The one rule: it is read from rows and journal, which outlive every file that is shredded; the vault is not opened.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import DateTime, bindparam, select

from ledger.clocks import Clocks, clocks_of
from ledger.letters import LetterState
from ledger.models import entries, requests
from ledger.standing import ROWS, request_row
from ledger.store import AnyRow
from rights.clockwork import ClockEvent
from rights.deadlines import Clock
from rights.decision import Word
from rights.metrics import Facts, Line, lines_of
from rights.reckoning import local_day
from rights.regimes import Regime

_received = (
    requests.c.received_at >= bindparam("since", type_=DateTime(timezone=True)),
    requests.c.received_at < bindparam("until", type_=DateTime(timezone=True)),
)
_ROWS: Final = ROWS.where(*_received).order_by(requests.c.received_at, requests.c.id)
_KINDS: Final = ("arrived", "clock", "weighed", "accuracy", "letter", "letter_ruled")
_SAID: Final = (
    select(entries.c.request_id, entries.c.kind, entries.c.at, entries.c.body)
    .join(requests, (requests.c.tenant == entries.c.tenant) & (requests.c.id == entries.c.request_id))
    .where(requests.c.tenant == bindparam("tenant"), *_received, entries.c.kind.in_(_KINDS))
    .order_by(entries.c.seq)
)
_ASKED: Final = select(requests.c.regime, requests.c.clocks).where(requests.c.tenant == bindparam("tenant")).distinct()
_ZONES: Final = timedelta(hours=14)
"""How far a local day lies from that of UTC at most."""
_OUT: Final = {LetterState.SENT, LetterState.POSTED}


class Metrics(Clocks):
    """The verb that reads it."""

    def request_lines(self, first: date, last: date) -> list[Line]:
        """A line for each request that came in between two days of its own zone, both included, and for each law that
        it is asked under; the oldest first."""
        its = {
            "tenant": self.tenant,
            "since": datetime.combine(first, time(0), UTC) - _ZONES,
            "until": datetime.combine(last + timedelta(days=1), time(0), UTC) + _ZONES,
        }
        laws: dict[str, Regime] = {}
        lines: list[Line] = []
        with self._frozen.begin() as connection:
            said: dict[str, list[AnyRow]] = defaultdict(list)
            for entry in connection.execute(_SAID, its):
                said[entry.request_id].append(entry)
            for row in connection.execute(_ROWS, its).all():
                clocks = clocks_of(row)
                received = local_day(row.received_at, row.zone)
                if not first <= received <= last:
                    continue
                for clock in clocks:
                    if clock.ruleset not in laws:
                        laws[clock.ruleset] = self._law(connection, clock)
                its_laws = [laws[clock.ruleset] for clock in clocks]
                lines += lines_of(_facts(row, clocks, said[row.id]), clocks, its_laws, received)
        return lines

    def regimes_asked(self) -> frozenset[str]:
        """The laws under which there are requests."""
        with self._look() as connection:
            found = connection.execute(_ASKED, {"tenant": self.tenant}).all()
        return frozenset(name for row in found for name in (row.regime, *_named(row.clocks)))


def _named(clocks: Sequence[Mapping[str, Any]] | None) -> list[str]:
    return [one["regime"] for one in clocks or ()]


def _facts(row: AnyRow, clocks: Sequence[Clock], said: Sequence[AnyRow]) -> Facts:
    """What rows and journal say of a request."""
    request = request_row(row)
    zone = clocks[0].zone
    grounds: list[str] = []
    if request.decided and request.decided.word in {Word.IN_PART, Word.REFUSE}:
        # What it was granted on is no ground of a denial.
        grounds += request.decided.codes
    letters: dict[str, date | None] = {}
    events: list[ClockEvent] = []
    came_in = ""
    for entry in said:
        body = orjson.loads(entry.body)
        match entry.kind:
            case "arrived":
                came_in = body["channel"]
            case "clock":
                events.append(ClockEvent.model_validate(body["event"]))
            case "weighed" if body["outcome"] == "overridden":
                grounds.append(body["ground"])
            case "accuracy":
                grounds += sorted(set(body["decided"]["refused"].values()))
            case "letter" | "letter_ruled" if "letter" in body:
                _take(letters, body, local_day(entry.at, zone))
    return Facts(
        request_id=request.id,
        right=request.right,
        conclusion=request.conclusion if request.closed_at else None,
        closed_on=local_day(request.closed_at, zone) if request.closed_at else None,
        came_in="" if came_in == "unknown" else came_in,
        grounds=tuple(ground for ground in grounds if ground),
        letters=_by_kind(letters),
        events=tuple(events),
    )


def _take(letters: dict[str, date | None], body: Mapping[str, Any], day: date) -> None:
    """Note what an entry says of a letter: when it went out, None while it has not, or has come back. One that a person
    has left unsent is none."""
    letter, state = body["letter"], body["state"]
    if state in _OUT:
        letters[letter] = date.fromisoformat(body["on"]) if body.get("on") else day
    elif state == LetterState.LEFT:
        letters.pop(letter, None)
    else:
        letters[letter] = None


def _by_kind(letters: Mapping[str, date | None]) -> dict[str, date | None]:
    """The first of each kind that went out. A letter's id is `CASE.kind.number`."""
    found: dict[str, date | None] = {}
    for letter, day in letters.items():
        kind = letter.split(".")[1]
        found[kind] = min((one for one in (found.get(kind), day) if one), default=None)
    return found
