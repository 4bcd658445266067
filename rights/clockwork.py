"""What moves a request's clock after it has started: questions asked and answered, an extension, a corrected day of
receipt.

The one rule: a clock is moved by an event that is written down with its day, never set; the same events give the same
dates, and an event that the law does not allow is refused.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Final, Self

from pydantic import AwareDatetime, Field, model_validator

from rights.deadlines import Clock, end_of_day, resolve
from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.reckoning import Dates, Events, Question, local_day, reckon
from rights.regimes import Regime, RegimeName, titles
from rights.request import Right
from rights.value import Value


class Turn(StrEnum):
    """What happened."""

    IDENTITY_ASKED = "identity_asked"
    IDENTITY_RECEIVED = "identity_received"
    CLARIFICATION_ASKED = "clarification_asked"
    CLARIFICATION_RECEIVED = "clarification_received"
    FEE_ASKED = "fee_asked"
    FEE_PAID = "fee_paid"
    ACKNOWLEDGED = "acknowledged"
    EXTENDED = "extended"
    RECEIPT_CORRECTED = "receipt_corrected"


ANSWERS: Final = {
    Turn.IDENTITY_RECEIVED: Turn.IDENTITY_ASKED,
    Turn.CLARIFICATION_RECEIVED: Turn.CLARIFICATION_ASKED,
    Turn.FEE_PAID: Turn.FEE_ASKED,
}
"""Which turn each answer answers."""


class ClockEvent(Value):
    """One thing that happened, on a local day."""

    turn: Turn
    day: date
    """extended: the day on which the person was sent the notice."""
    ground: str = ""
    """extended: the law's coded ground."""
    until: date | None = None
    """extended, where the law lets the controller name the day: that day."""
    received_at: AwareDatetime | None = None
    """receipt_corrected: when it really came in."""


class NotAllowedError(ValueError):
    """The law, or the order of things, does not allow an event. One sentence."""


class _Grounds(Strict):
    source: str
    confidence: Confidence
    grounds: dict[str, str]

    @model_validator(mode="after")
    def _sure(self) -> Self:
        if self.confidence == "low" and self.grounds:
            raise ValueError("a reading of low confidence delays nobody: write grounds: {}, or look it up")
        return self


class _Extensions(Strict):
    version: str
    default: _Grounds
    regimes: dict[RegimeName, _Grounds] = Field(default_factory=dict)


@cache
def extensions() -> _Extensions:
    """The grounds for a later answer that ship with the engine."""
    return read_law(_Extensions, "extensions.yaml", shipped("extensions.yaml"))


def extension_grounds(regime: str) -> dict[str, str]:
    """The grounds on which a law lets an answer come later, by code."""
    law = extensions()
    return law.regimes.get(regime, law.default).grounds


def turned(
    clocks: Sequence[Clock],
    laws: Sequence[Regime],
    events: Sequence[ClockEvent],
    new: ClockEvent,
    right: Right,
    now: datetime,
) -> tuple[Clock, ...]:
    """The clocks of a request after a new event; `laws` are theirs, in their order, `events` what happened before.

    While a clock stands still its dates stay as they were.

    Raises:
        NotAllowedError: the event cannot have happened, or the law does not let it move the clock.
    """
    _check(clocks, laws, events, new, now)
    received = new.received_at or clocks[0].received_at
    return tuple(_moved(clock, law, [*events, new], right, received) for clock, law in zip(clocks, laws, strict=True))


def _check(
    clocks: Sequence[Clock], laws: Sequence[Regime], events: Sequence[ClockEvent], new: ClockEvent, now: datetime
) -> None:
    today = local_day(now, clocks[0].zone)
    if new.day > today:
        raise NotAllowedError(f"{new.day} lies in the future: enter what has happened")
    days = {event.turn: event.day for event in events}
    received = local_day(clocks[0].received_at, clocks[0].zone)
    match new.turn:
        case Turn.EXTENDED:
            _check_extension(clocks, laws, [*days], new, today)
        case Turn.RECEIPT_CORRECTED:
            _check_receipt(events, new, now)
        case Turn.ACKNOWLEDGED if new.turn in days:
            raise NotAllowedError("the receipt was acknowledged before")
        case Turn.IDENTITY_ASKED | Turn.CLARIFICATION_ASKED | Turn.FEE_ASKED if new.turn in days:
            raise NotAllowedError("it was asked for before: what stops the clock is asked for once, and at once")
        case Turn.IDENTITY_RECEIVED | Turn.CLARIFICATION_RECEIVED | Turn.FEE_PAID:
            _check_answer(days, new)
    if new.turn is not Turn.RECEIPT_CORRECTED and new.day < received:
        raise NotAllowedError(f"the request came in on {received}: this cannot have been before")


def _check_answer(days: Mapping[Turn, date], new: ClockEvent) -> None:
    asked = days.get(ANSWERS[new.turn])
    if asked is None or new.turn in days:
        raise NotAllowedError("nothing was asked that this could answer: enter first what was asked, and when")
    if new.day < asked:
        raise NotAllowedError(f"it was asked for on {asked}, so it cannot have come before")


def _check_receipt(events: Sequence[ClockEvent], new: ClockEvent, now: datetime) -> None:
    if new.received_at is None or new.received_at > now:
        raise NotAllowedError("a receipt lies in the past: give the day on which the request came in")
    if any(event.turn is not Turn.RECEIPT_CORRECTED and event.day < new.day for event in events):
        raise NotAllowedError("something was entered for a day before that: the receipt cannot be later than it")


def _check_extension(
    clocks: Sequence[Clock], laws: Sequence[Regime], turns: Sequence[Turn], new: ClockEvent, today: date
) -> None:
    """An extension counts only on a ground of the law, and by a notice that was sent within the first term."""
    if Turn.EXTENDED in turns:
        raise NotAllowedError("the term was extended before, and a law extends it once")
    able = [clock for clock, law in zip(clocks, laws, strict=True) if _may_extend(clock, law, new)]
    if not able:
        if not any(law.extension for law in laws):
            raise NotAllowedError(f"{titles(laws)} knows no extension")
        known = sorted({code for law in laws if law.extension for code in extension_grounds(law.regime)})
        if not known:
            raise NotAllowedError(f"no ground is on record on which {titles(laws)} extends a term")
        if new.ground not in known:
            raise NotAllowedError(f"this is no ground on which the law extends a term: write one of {', '.join(known)}")
        if all(clock.still_since for clock in clocks):
            raise NotAllowedError("the clock stands still: enter first when the answer came")
        last = max((clock.notice_day for clock in clocks if clock.notice_day), default=None)
        if last is None:
            raise NotAllowedError("the clock that could be extended stands still: enter first when the answer came")
        raise NotAllowedError(f"the notice had to be sent by {last}: the term can no longer be extended")
    announced = [law for clock, law in zip(clocks, laws, strict=True) if clock in able and law.extension == "announced"]
    if announced and (new.until is None or new.until <= today):
        raise NotAllowedError(f"{announced[0].title} asks for the day on which the answer will come: name one to come")
    if not announced and new.until is not None:
        raise NotAllowedError("the law itself sets how long the extension is: leave the day out")


def _may_extend(clock: Clock, law: Regime, new: ClockEvent) -> bool:
    in_time = clock.notice_day is not None and new.day <= clock.notice_day and clock.still_since is None
    return law.extension is not None and in_time and new.ground in extension_grounds(law.regime)


def replayed(
    clock: Clock, law: Regime, events: Sequence[ClockEvent], right: Right, *, extended: bool | None = None
) -> tuple[Clock, Dates]:
    """A clock reckoned again from what has happened, and the arithmetic; `extended` where that is about to change.

    Raises:
        NotAllowedError: the events cannot have happened in this order.
    """
    dates = reckoned(clock, law, events, right)
    until = next((event.until for event in events if event.turn is Turn.EXTENDED), None)
    after = resolve(
        clock,
        dates,
        acknowledged=any(event.turn is Turn.ACKNOWLEDGED for event in events),
        extended=clock.extended if extended is None else extended,
        until=end_of_day(until, clock.zone) if until and law.extension == "announced" else None,
        asked=_asked(events),
    )
    return after, dates


def reckoned(clock: Clock, law: Regime, events: Sequence[ClockEvent], right: Right) -> Dates:
    """The arithmetic alone. Raises as `replayed` does."""
    facts = Events(
        local_day(clock.received_at, clock.zone),
        identity=_question(events, Turn.IDENTITY_ASKED, Turn.IDENTITY_RECEIVED),
        clarification=_question(events, Turn.CLARIFICATION_ASKED, Turn.CLARIFICATION_RECEIVED),
        fee=_question(events, Turn.FEE_ASKED, Turn.FEE_PAID),
    )
    try:
        return reckon(law, facts, clock.holidays, right)
    except ValueError as error:
        raise NotAllowedError(str(error)) from None


def _moved(clock: Clock, law: Regime, events: Sequence[ClockEvent], right: Right, received_at: datetime) -> Clock:
    last = events[-1]
    at = clock.model_copy(update={"received_at": received_at})
    if last.turn is Turn.RECEIPT_CORRECTED:
        extended = _extended_in_time(at, law, events, right)
    else:
        extended = clock.extended or (last.turn is Turn.EXTENDED and _may_extend(clock, law, last))
    return replayed(at, law, events, right, extended=extended)[0]


def _extended_in_time(clock: Clock, law: Regime, events: Sequence[ClockEvent], right: Right) -> bool:
    """Whether a notice of extension was sent within the first term, counted from a receipt that was corrected since:
    one that came after it extends nothing (GDPR Art. 12(3)), whatever the term was taken to be on that day."""
    number = next((number for number, event in enumerate(events) if event.turn is Turn.EXTENDED), None)
    if number is None:
        return False
    before, _ = replayed(clock, law, events[:number], right, extended=False)
    return _may_extend(before, law, events[number])


def _question(events: Sequence[ClockEvent], asked: Turn, received: Turn) -> Question | None:
    days = {event.turn: event.day for event in events}
    return Question(days[asked], days.get(received)) if asked in days else None


def _asked(events: Sequence[ClockEvent]) -> date | None:
    """The day from which a clock that stands still does."""
    open_ = [
        event.day
        for event in events
        if event.turn in ANSWERS.values() and not any(ANSWERS.get(other.turn) is event.turn for other in events)
    ]
    return min(open_, default=None)
