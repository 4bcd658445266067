"""The record of requests as a supervisory authority reads it: a line for each, and the numbers of a year.

The one rule: every number is counted from the lines, and every line from what the journal says. Nothing of a person is
in either.

Source: 11 CCR 7101(b) for what a line says, 11 CCR 7102(a) for what is counted.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cache
from statistics import median
from types import MappingProxyType
from typing import Final

from pydantic import Field

from rights.clockwork import ANSWERS as ANSWERING_TURNS
from rights.clockwork import ClockEvent, Turn, reckoned
from rights.deadlines import Clock
from rights.fees import fee_restarts
from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.letterkinds import ANSWERS, LetterKind, answer_kind
from rights.reckoning import Dates, local_day
from rights.regimes import Regime, RegimeName
from rights.request import Conclusion, Right
from rights.several import taken_last
from rights.terms import Calendar, keep_until
from rights.value import Value


class Fate(StrEnum):
    """What became of a request, in the words of the rule."""

    COMPLIED = "complied"
    IN_PART = "in_part"
    """Complied with in part, and so denied in part."""
    DENIED = "denied"
    NOTHING_HELD = "nothing_held"
    """Answered: there was nothing to comply with."""
    WITHDRAWN = "withdrawn"
    PASSED_ON = "passed_on"
    """Another controller answers it."""
    JOINED = "joined"
    """Answered together with an earlier one of the same person, which is counted for itself."""
    OPEN = "open"


_FATES: Final[Mapping[Conclusion, Fate]] = MappingProxyType(
    {
        Conclusion.ANSWERED: Fate.COMPLIED,
        Conclusion.IN_PART: Fate.IN_PART,
        Conclusion.CATEGORIES: Fate.IN_PART,
        Conclusion.NOTHING_HELD: Fate.NOTHING_HELD,
        Conclusion.REFUSED: Fate.DENIED,
        Conclusion.UNPROVEN: Fate.DENIED,
        Conclusion.NOT_DONE: Fate.DENIED,
        Conclusion.WITHDRAWN: Fate.WITHDRAWN,
        Conclusion.PASSED_ON: Fate.PASSED_ON,
        Conclusion.JOINED: Fate.JOINED,
    }
)
RESPONDED: Final = frozenset({Fate.COMPLIED, Fate.IN_PART, Fate.DENIED, Fate.NOTHING_HELD})
"""Fates that are a substantive response; only their days are counted."""
_UNSAID: Final[Mapping[Conclusion, str]] = MappingProxyType(
    {
        Conclusion.IN_PART: "kept_or_given_up",
        Conclusion.CATEGORIES: "unproven",
        Conclusion.UNPROVEN: "unproven",
        Conclusion.NOT_DONE: "not_done",
        Conclusion.REFUSED: "not_on_record",
    }
)
"""What is said of a denial that no decision gave a ground. `kept_or_given_up`: rows stay under a duty to keep them, or
a system was given up; which of them is in the request's receipts, and is not told here, since a hold may be secret."""


class Facts(Value):
    """What the journal says of a request."""

    request_id: str
    right: Right
    conclusion: Conclusion | None
    closed_on: date | None
    came_in: str = ""
    """The channel; empty where none was entered."""
    grounds: tuple[str, ...] = ()
    """Coded grounds of what was refused or left out."""
    letters: Mapping[str, date | None] = {}
    """Letters that were written, by kind, each with the day on which it went out; None: it has not."""
    events: tuple[ClockEvent, ...] = ()


class Line(Value):
    """A request under one law. Days are those of the controller's zone."""

    request_id: str
    regime: str
    right: Right
    received: date
    came_in: str
    """The channel; empty where none was entered."""
    answered: date | None
    """When the letter that answers went out; where none was to be written, when the request was closed."""
    fate: Fate
    grounds: tuple[str, ...]
    """Of what was denied, in whole or in part."""
    days: int | None
    """Until it was answered, as the law counts; None where no response is to be counted."""
    working_days: bool
    """Whether the law counts working days."""
    due: date
    """By this law."""
    extended: bool


class Numbers(Value):
    """What is counted of a right under one law."""

    regime: str
    right: Right
    received: int
    fates: Mapping[Fate, int]
    grounds: Mapping[str, int]
    """How many were denied, in whole or in part, on each; a request with two counts under both."""
    responses: int
    """Requests whose days are counted."""
    days: int
    """The sum of their days."""
    median: Fraction | None
    working_days: bool

    @property
    def mean(self) -> Fraction | None:
        """Exact; None where nothing was answered."""
        return Fraction(self.days, self.responses) if self.responses else None


Reckoning = Callable[[Clock, Regime, Sequence[ClockEvent], Right], Dates]


def remembering() -> Reckoning:
    """The arithmetic for many requests: those that came in on one day under one text of a law, and whose clocks nothing
    has moved, have the same dates, which are worked out once."""
    known: dict[tuple[object, ...], Dates] = {}

    def dates(clock: Clock, law: Regime, events: Sequence[ClockEvent], right: Right) -> Dates:
        if events:
            return reckoned(clock, law, events, right)
        its = (clock.ruleset, right, local_day(clock.received_at, clock.zone), clock.holidays)
        found = known.get(its)
        if found is None:
            found = known[its] = reckoned(clock, law, events, right)
        return found

    return dates


def lines_of(
    facts: Facts, clocks: Sequence[Clock], laws: Sequence[Regime], received: date, reckoning: Reckoning = reckoned
) -> tuple[Line, ...]:
    """A request's line under each law that it is asked under; `laws` are those of `clocks`, in their order."""
    fate = fate_of(facts.conclusion)
    answered = answered_on(facts.right, facts.conclusion, facts.closed_on, facts.letters)
    grounds = denied_on(facts.conclusion, facts.grounds)
    counts = answered is not None and fate in RESPONDED
    return tuple(
        Line(
            request_id=facts.request_id,
            regime=clock.regime,
            right=facts.right,
            received=received,
            came_in=facts.came_in,
            answered=answered,
            fate=fate,
            grounds=grounds,
            days=days_taken(clock, law, facts.events, facts.right, answered, reckoning)
            if counts and answered
            else None,
            working_days=bool(law.answers(facts.right).working_days),
            due=local_day(clock.legal_due, clock.zone),
            extended=clock.extended,
        )
        for clock, law in zip(clocks, laws, strict=True)
    )


def fate_of(conclusion: Conclusion | None) -> Fate:
    """What became of a request; None: it is open."""
    return _FATES[conclusion] if conclusion else Fate.OPEN


def denied_on(conclusion: Conclusion | None, grounds: Sequence[str]) -> tuple[str, ...]:
    """The coded grounds of what was denied, in whole or in part, of those that decisions gave; nothing where nothing
    was."""
    if conclusion is None or fate_of(conclusion) not in {Fate.DENIED, Fate.IN_PART}:
        return ()
    own = _UNSAID[conclusion]
    # The decision is not why, where the asker was not proven.
    said = () if own == "unproven" else tuple(dict.fromkeys(grounds))
    return said or (own,)


@cache
def answering(right: Right, conclusion: Conclusion) -> frozenset[str]:
    """The kinds of letter by which a request that ended so was answered."""
    kinds: set[LetterKind | None] = {answer_kind(right, conclusion)}
    if conclusion is Conclusion.REFUSED:
        kinds |= {LetterKind.REFUSAL, LetterKind.EXCESSIVE_REFUSAL, ANSWERS[right]}
    return frozenset(str(kind) for kind in kinds if kind)


def answered_on(
    right: Right, conclusion: Conclusion | None, closed_on: date | None, letters: Mapping[str, date | None]
) -> date | None:
    """When the person was answered; None: they were not yet. `letters` are those written, as in `Facts`."""
    if conclusion is None:
        return None
    written = [letters[kind] for kind in answering(right, conclusion) if kind in letters]
    if not written:
        return closed_on
    return min((day for day in written if day), default=None)


def days_taken(
    clock: Clock,
    law: Regime,
    events: Sequence[ClockEvent],
    right: Right,
    answered: date,
    reckoning: Reckoning = reckoned,
) -> int | None:
    """How many days a law counts until an answer: working days where its term is in those, from the day on which the
    term begins to run, without days that do not count. None where the term has not begun.

    A question that is open on the day of the answer ends on it. So an answer is in time exactly where this is no more
    than what the law gives.
    """
    before = [event for event in events if event.day <= answered]
    turns = {event.turn for event in before}
    for answer, asked in ANSWERING_TURNS.items():
        if asked in turns and answer not in turns:
            if asked is Turn.IDENTITY_ASKED and law.identity == "restarts":
                return None
            if asked is Turn.FEE_ASKED and fee_restarts(law.regime):
                return None
            before.append(ClockEvent(turn=answer, day=answered))
    dates = reckoning(clock, law, before, right)
    until = date.fromordinal(max(answered.toordinal() - dates.paused, dates.starts.toordinal()))
    if law.answers(right).working_days:
        return Calendar(frozenset(clock.holidays), law.closed).between(dates.starts, until)
    return (until - dates.starts).days


def counted(lines: Iterable[Line]) -> tuple[Numbers, ...]:
    """The numbers of lines, by law and right, in the order of their names; working days are not added to others."""
    groups: dict[tuple[str, Right, bool], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.regime, line.right, line.working_days), []).append(line)
    return tuple(_numbers(*key, of) for key, of in sorted(groups.items()))


def _numbers(regime: str, right: Right, working_days: bool, lines: Sequence[Line]) -> Numbers:
    fates = Counter(line.fate for line in lines)
    grounds = Counter(ground for line in lines for ground in line.grounds)
    days = [Fraction(line.days) for line in lines if line.days is not None]
    return Numbers(
        regime=regime,
        right=right,
        received=len(lines),
        fates={fate: fates[fate] for fate in Fate},
        grounds=dict(sorted(grounds.items())),
        responses=len(days),
        days=int(sum(days)),
        median=median(days) if days else None,
        working_days=working_days,
    )


class Keeping(Strict):
    """How long records of requests are to be kept."""

    months: int = Field(gt=0)
    source: str
    confidence: Confidence

    @property
    def days(self) -> int:
        """The most days that so many months can have."""
        starts = [date(year, month, 1) for year in range(2024, 2028) for month in range(1, 13)]
        return taken_last((keep_until(day, self.months, 0, end_of_year=False) - day).days for day in starts)


class Records(Strict):
    """The file."""

    version: str
    source: str
    regimes: dict[RegimeName, Keeping]


@cache
def record_law() -> Records:
    """How long each law wants records of requests kept."""
    return read_law(Records, "records.yaml", shipped("records.yaml"))


def too_short(file_days: int, regimes: Collection[str]) -> dict[str, Keeping]:
    """The laws, of those given, that want records kept for longer than so many days."""
    kept = record_law().regimes
    return {name: kept[name] for name in sorted(regimes) if name in kept and kept[name].days > file_days}
