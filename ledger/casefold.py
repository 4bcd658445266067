"""What the journal says of requests, folded as its entries pass.

The one rule: an entry is read once and let go, so a hundred thousand requests fit into memory; what is said of a
request is what its last entries say.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from ledger.clocks import clocks_of
from ledger.letters import LetterState
from ledger.store import AnyRow
from rights.clockwork import ClockEvent
from rights.deadlines import Clock, acting
from rights.decision import Decided, Word
from rights.metrics import Facts, answered_on, denied_on
from rights.reports import Case
from rights.request import Conclusion, Right

GROUNDS: Final = frozenset({"weighed", "accuracy", "proposed", "charged", "decided"})
"""The entries that may say why something is denied."""
KINDS: Final = ("opened", "clock", "closed", "reopened", "arrived", "letter", "letter_ruled", *sorted(GROUNDS))
_MOMENTS: Final = ("received_at", "internal_due", "legal_due")
_MOVED: Final = (*_MOMENTS, "clocks")
_DATES: Final = ("regime", "ruleset", "holidays", *_MOVED)
_OUT: Final = {LetterState.SENT, LetterState.POSTED}

_zone = cache(ZoneInfo)


class Folded:
    """What the entries so far say of one request."""

    __slots__ = ("_body", "_closed_at", "_conclusion", "_events", "_grounds", "_letters", "came_in", "right", "zone")

    def __init__(self) -> None:
        self.right, self.zone, self.came_in = Right.ACCESS, "UTC", ""
        self._body: Mapping[str, Any] = {}
        """Of the entries that say the request's dates."""
        self._conclusion: Conclusion | None = None
        self._closed_at: datetime | None = None
        # Most requests have none of these.
        self._events: list[Mapping[str, Any]] | None = None
        self._letters: dict[str, date | None] | None = None
        self._grounds: list[AnyRow] | None = None

    def take(self, entry: AnyRow) -> None:
        """Take in the next entry, of one of `KINDS`."""
        if entry.kind in GROUNDS:
            self._grounds = [*(self._grounds or ()), entry]
            return
        body = orjson.loads(entry.body)
        match entry.kind:
            case "opened":
                self.right, self.zone = Right(body["right"]), body["zone"]
                self._body = {name: body.get(name) for name in _DATES}
            case "clock":
                self._body = {**self._body, **{name: body.get(name) for name in _MOVED}}
                self._events = [*(self._events or ()), body["event"]]
            case "closed":
                self._conclusion, self._closed_at = Conclusion(body["conclusion"]), entry.at
            case "reopened":
                self._conclusion, self._closed_at = None, None
            case "arrived":
                self.came_in = "" if body["channel"] == "unknown" else body["channel"]
            case "letter" | "letter_ruled" if "letter" in body:
                self._letters = {} if self._letters is None else self._letters
                _take(self._letters, body, _day(entry.at, self.zone))

    @property
    def received_at(self) -> datetime:
        """When it came in."""
        return datetime.fromisoformat(self._body["received_at"])

    @property
    def received(self) -> date:
        """The local day."""
        return _day(self.received_at, self.zone)

    def clocks(self) -> tuple[Clock, ...]:
        """Its clocks as they stood."""
        dates = {name: datetime.fromisoformat(self._body[name]) for name in _MOMENTS}
        holidays = [date.fromisoformat(day) for day in self._body["holidays"] or ()]
        row: Any = SimpleNamespace(**{**self._body, **dates, "zone": self.zone, "holidays": holidays})
        return clocks_of(row)

    def facts(self, request_id: str, carried: Sequence[AnyRow]) -> Facts:
        """What is told of it by the law; `carried` are decisions that hold for it, too."""
        return Facts(
            request_id=request_id,
            right=self.right,
            conclusion=self._conclusion,
            closed_on=self._closed_on,
            came_in=self.came_in,
            grounds=tuple(self._denials(carried)),
            letters=_first_of_kind(self._letters or {}),
            events=tuple(map(ClockEvent.model_validate, self._events or ())),
        )

    def case(self, request_id: str, carried: Sequence[AnyRow]) -> Case:
        """The same as a small line, for all requests at once."""
        clocks = self._body["clocks"]
        due = datetime.fromisoformat(self._body["legal_due"])
        letters = _first_of_kind(self._letters) if self._letters else {}
        still = any(one.get("still_since") for one in clocks or ())
        return Case(
            id=request_id,
            right=self.right,
            regimes=tuple(one["regime"] for one in clocks) if clocks else (self._body["regime"],),
            zone=self.zone,
            received=self.received,
            due=due,
            due_on=_day(due, self.zone),
            still_since=acting(self.clocks()).still_since if still else None,
            conclusion=self._conclusion,
            answered=answered_on(self.right, self._conclusion, self._closed_on, letters),
            came_in=self.came_in,
            extended=tuple(one.get("ground", "") for one in self._events or () if one["turn"] == "extended"),
            grounds=denied_on(self._conclusion, self._denials(carried)),
        )

    @property
    def _closed_on(self) -> date | None:
        return _day(self._closed_at, self.zone) if self._closed_at else None

    def _denials(self, carried: Sequence[AnyRow]) -> list[str]:
        return _grounds_of([*carried, *(self._grounds or ())]) if carried or self._grounds else []


def fold(said: Iterable[AnyRow]) -> dict[str, Folded]:
    """All requests of whom entries, in their order, tell."""
    folded: dict[str, Folded] = {}
    for entry in said:
        one = folded.get(entry.request_id)
        if one is None:
            one = folded[entry.request_id] = Folded()
        one.take(entry)
    return folded


def _grounds_of(said: Iterable[AnyRow]) -> list[str]:
    """The coded grounds on which something was refused, from entries (kind, key, body) in their order: of the decision
    in force, of what was weighed, of corrections that were refused."""
    proposed: dict[str, Decided] = {}
    decided: Decided | None = None
    others: list[str] = []
    for entry in said:
        match entry.kind:
            case "proposed":
                body = orjson.loads(entry.body)
                proposed[entry.key] = Decided.model_validate(body["decided"])
                decided = proposed[entry.key] if body.get("in_force") else decided
            case "charged":
                decided = None
            case "decided" if entry.key in proposed:
                # A fee that was not paid makes a refusal of it.
                word = Word(orjson.loads(entry.body)["word"])
                decided = proposed[entry.key].model_copy(update={"word": word})
            case "weighed":
                body = orjson.loads(entry.body)
                others += [body["ground"]] if body["outcome"] == "overridden" else []
            case "accuracy":
                others += sorted(set(orjson.loads(entry.body)["decided"]["refused"].values()))
    # What it was granted on is no ground of a denial.
    return [*(decided.codes if decided and decided.word in {Word.IN_PART, Word.REFUSE} else ()), *others]


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


def _first_of_kind(letters: Mapping[str, date | None]) -> dict[str, date | None]:
    """The first of each kind that went out. A letter's id is `CASE.kind.number`."""
    found: dict[str, date | None] = {}
    for letter, day in letters.items():
        kind = letter.split(".")[1]
        found[kind] = min((one for one in (found.get(kind), day) if one), default=None)
    return found


def _day(moment: datetime, zone: str) -> date:
    return moment.astimezone(_zone(zone) if zone != "UTC" else UTC).date()
