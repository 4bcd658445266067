"""Every date of a request under one law, with the arithmetic that led there.

The one rule: two dates stand beside one another. The *legal* one is the latest that can be defended, and past it the
request is overdue; the *internal* one is the last working day on or before the earliest that can be defended, and the
engine works towards that.
"""

from collections.abc import Collection as AnyOf
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rights.fees import fee_restarts
from rights.regimes import Regime
from rights.request import Right
from rights.terms import Calendar, Term

PROMPT: Final = 3
"""Working days within which a question that stops the clock has to be asked; a later one was not asked without undue
delay (GDPR Art. 12(3), EDPB Guidelines 01/2022 section 5.3), and stops nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that was asked of the person before their request could be answered."""

    asked: date
    received: date | None = None
    """When the answer came; None: not yet."""

    @property
    def days(self) -> int:
        """The days from asking to having the answer, both counted (UK GDPR Art. 12A)."""
        return (self.received - self.asked).days + 1 if self.received else 0


@dataclass(frozen=True, slots=True)
class Events:
    """What has happened to a request, in days of the controller's zone."""

    received: date
    identity: Question | None = None
    clarification: Question | None = None
    fee: Question | None = None
    """When a fee was asked for, and paid."""
    appealed: date | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the arithmetic."""

    about: str
    result: str
    because: str


@dataclass(slots=True)
class Dates:
    """The dates; None where the law has none, or while the clock stands still."""

    receipt_day: date
    starts: date
    """From which day the term counts: the day of receipt, unless something restarted it."""
    paused: int = 0
    """Days within the term that do not count."""
    legal_due_unrolled: date | None = None
    legal_due: date | None = None
    internal_due: date | None = None
    acknowledge_by: date | None = None
    extension_notice_by: date | None = None
    extended_legal_due: date | None = None
    extended_internal_due: date | None = None
    appeal_due: date | None = None
    appeal_max_due: date | None = None
    steps: list[Step] = field(default_factory=list)

    def say(self, about: str, result: object, because: str) -> None:
        self.steps.append(Step(about, str(result), because))


def local_day(received: date | datetime, zone: str) -> date:
    """The day of receipt is a local one: an instant falls on different days in different places."""
    if isinstance(received, datetime):
        return received.astimezone(ZoneInfo(zone)).date()
    return received


def reckon(regime: Regime, events: Events, holidays: AnyOf[date] = (), right: Right | None = None) -> Dates:
    """Compute every date of a request.

    Source: docs/deadlines.md names the article of each rule; each step says its own.

    Raises:
        ValueError: the events cannot have happened in this order; the text says which.
    """
    _in_order(events)
    calendar = Calendar(frozenset(holidays), regime.closed)
    dates = Dates(events.received, events.received)
    dates.say("day of receipt", dates.receipt_day, "the local day; it is not counted itself")
    if regime.acknowledge:
        dates.acknowledge_by = regime.acknowledge.after(dates.receipt_day, calendar)
        dates.say("acknowledge by", dates.acknowledge_by, f"{regime.acknowledge} after receipt ({regime.source})")
    _appeal(regime, events, dates)
    stopped = _starts(regime, events, dates)
    doubtful, certain = _pauses(regime, events, calendar, dates)
    if stopped or doubtful is None or certain is None:
        dates.say("due", "not yet counted", "the clock stands still until the answer has come")
        return dates
    term = regime.answers(right)
    plain = term.after(dates.starts, calendar)
    dates.paused = doubtful + certain
    dates.legal_due_unrolled = plain + timedelta(days=dates.paused)
    dates.say("plain end", dates.legal_due_unrolled, _plainly(term, dates.starts, dates.paused))
    dates.legal_due = _rolled(regime, calendar, dates.legal_due_unrolled, dates, "legal due")
    dates.internal_due = _internal(regime, calendar, dates, plain, certain, "internal due")
    _extension(regime, calendar, dates, term, certain, doubtful)
    return dates


def _in_order(events: Events) -> None:
    for what, question in (
        ("identity", events.identity),
        ("the clarification", events.clarification),
        ("the fee", events.fee),
    ):
        if question and question.asked < events.received:
            raise ValueError(f"{what} cannot have been asked for before the request was received")
        if question and question.received and question.received < question.asked:
            raise ValueError(f"{what} cannot have been received before it was asked for")
    if events.appealed and events.appealed < events.received:
        raise ValueError("an appeal cannot come before the request was received")


def _starts(regime: Regime, events: Events, dates: Dates) -> bool:
    """From which day the term counts; True while it has not begun."""
    waited = []
    if regime.identity == "restarts" and events.identity:
        waited.append(("what proves identity came", events.identity))
    if events.fee and fee_restarts(regime.regime):
        waited.append(("the fee was paid", events.fee))
    for what, question in waited:
        if question.received is None:
            return True
        dates.starts = max(dates.starts, question.received)
        dates.say("term starts", dates.starts, f"{what} on {question.received} ({regime.source})")
    return False


def _pauses(regime: Regime, events: Events, calendar: Calendar, dates: Dates) -> tuple[int | None, int | None]:
    """Days that do not count: those about which one can differ, and those that a statute names; None while one
    lasts."""
    doubtful: int | None = 0
    certain: int | None = 0
    for what, rule, question in (
        ("identity", regime.identity, events.identity),
        ("clarification", regime.clarification, events.clarification),
    ):
        if question is None or rule not in {"suspends", "pauses"}:
            continue
        late = calendar.between(events.received, question.asked)
        if rule == "suspends" and late > PROMPT:
            dates.say(f"{what} asked for late", "counts on", f"{late} working days after receipt is not at once")
            continue
        days = question.days if question.received else None
        if rule == "suspends":
            doubtful = None if doubtful is None or days is None else doubtful + days
        else:
            certain = None if certain is None or days is None else certain + days
        dates.say(
            f"{what} asked for", f"{days} days" if days else "still open", f"{question.asked} to {question.received}"
        )
    return doubtful, certain


def _plainly(term: Term, starts: date, paused: int) -> str:
    return f"{term} after {starts}" + (f", and {paused} days that do not count" if paused else "")


def _rolled(regime: Regime, calendar: Calendar, day: date, dates: Dates, about: str) -> date:
    if not regime.rolls:
        dates.say(about, day, "this law moves no date for a weekend or holiday")
        return day
    rolled = calendar.forward(day)
    why = "a working day" if rolled == day else f"{day} is a {day:%A} or a holiday: the next working day"
    dates.say(about, rolled, why)
    return rolled


def _internal(regime: Regime, calendar: Calendar, dates: Dates, plain: date, certain: int, about: str) -> date:
    """The last working day on or before the earliest reading that can be defended: no suspension that one can differ
    about, and whatever else the law's text may mean."""
    earliest = plain + timedelta(days=certain - regime.earliest.days_before)
    if regime.earliest.at_most_days is not None and about == "internal due":
        earliest = min(earliest, dates.starts + timedelta(days=regime.earliest.at_most_days + certain))
    day = calendar.back(earliest)
    dates.say(about, day, f"the last working day on or before {earliest}, the earliest reading")
    return day


def _extension(regime: Regime, calendar: Calendar, dates: Dates, term: Term, certain: int, doubtful: int) -> None:
    if regime.extension is None:
        return
    dates.extension_notice_by = dates.legal_due
    dates.say(
        "notice of an extension by", dates.legal_due, "it counts only if the person has it, with reasons, in time"
    )
    if regime.extension == "announced":
        dates.say("extended to", "the day that the notice names", "this law sets none")
        return
    more = regime.extension
    if term.months and more.months:
        # As one term from receipt, and as one after the other: 31 January gives 30 or 28 April.
        readings = [
            Term(months=term.months + more.months).after(dates.starts, calendar),
            more.after(term.after(dates.starts, calendar), calendar),
        ]
    else:
        readings = [more.after(term.after(dates.starts, calendar), calendar)]
    plain = readings[0] + timedelta(days=certain + doubtful)
    dates.extended_legal_due = _rolled(regime, calendar, plain, dates, "extended legal due")
    dates.extended_internal_due = _internal(regime, calendar, dates, min(readings), certain, "extended internal due")


def _appeal(regime: Regime, events: Events, dates: Dates) -> None:
    if regime.appeal is None or events.appealed is None:
        return
    dates.appeal_due = events.appealed + timedelta(days=regime.appeal.days)
    dates.say("appeal due", dates.appeal_due, f"{regime.appeal.days} days after {events.appealed} ({regime.source})")
    if regime.appeal.extension_days:
        dates.appeal_max_due = dates.appeal_due + timedelta(days=regime.appeal.extension_days)
        dates.say("appeal at the latest", dates.appeal_max_due, f"{regime.appeal.extension_days} days more, by notice")
