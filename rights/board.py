"""The board's report: how many requests there were, how fast they were answered, what is late and why, what is kept
from being erased, and what is not known.

The one rule: what is late counts as late, whether it is open or its letter lies unsent; and whoever is not counsel
reads the same whether there is a hold that must stay secret or not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from statistics import median
from types import MappingProxyType
from typing import Final, NamedTuple

from pydantic import Field

from rights.deadlines import Risk, risk_at
from rights.metrics import RESPONDED, Fate, fate_of
from rights.recipients import Register
from rights.reckoning import local_day
from rights.reports import Case, Period, Stamp, nearest_rank
from rights.request import Phase
from rights.value import Value

NEEDS_NO_ANSWER: Final = frozenset({Fate.WITHDRAWN, Fate.PASSED_ON, Fate.JOINED})
UNSENT: Final = "answer_not_sent"
"""A cause: it is closed, and the letter that answers has not gone out, or has come back."""
WAITING_FOR: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.CONFIRMING: "identity",
        Phase.DECIDING: "decision",
        Phase.APPROVING: "approval",
        Phase.COOLING: "cooling_off",
    }
)
"""Causes, by phase, where a person is waited for."""
HOLD_AGES: Final = ((30, "up to 30 days"), (90, "31 to 90 days"), (180, "91 to 180 days"), (365, "181 to 365 days"))
OLDEST_HOLD: Final = "over 365 days"
AGES: Final = (
    (7, "0-7"), (14, "8-14"), (21, "15-21"), (30, "22-30"), (45, "31-45"), (60, "46-60"), (90, "61-90"),
)  # fmt: skip
OLDEST: Final = "over 90"


class Waits(NamedTuple):
    """Why an open request is not answered."""

    cause: str
    """What a person or an authority is waited for, the code of a step that is not done, or the phase."""
    system: str = ""
    """The step's; empty where it is none."""


class HoldFact(NamedTuple):
    """A hold in force."""

    placed_at: datetime
    secret: bool


class Unconfirmed(NamedTuple):
    """Something a recipient was told and has to confirm."""

    recipient: str
    operation: str
    told_on: date
    due_on: date


class Matched(Value):
    """The last comparison of the data map with its systems."""

    at: datetime
    data_map: str
    """The digest of the map that was compared."""
    systems: int
    unmapped: Mapping[str, Mapping[str, int]]
    """By system, what is there and not in the map: findings by code."""


class Facts(NamedTuple):
    """What the journal says, up to an entry."""

    cases: Sequence[Case]
    waits: Mapping[str, Waits]
    """Of overdue requests, by id."""
    passed_in: Mapping[str, str]
    """Of requests of the period that were answered late: the phase in which the due date passed, by id."""
    holds: Sequence[HoldFact]
    unconfirmed: Sequence[Unconfirmed]
    matched: Matched | None


class Pace(Value):
    """How requests of one right, or all, were answered."""

    right: str
    """Empty: of all."""
    received: int
    waiting: int
    """Not answered yet."""
    answered: int
    on_time: int
    late: int
    """Answered after the day, or past it and not answered."""
    share: float | None = Field(
        description="The part answered on time of those that are answered or late, to four places; what waits and is "
        "not due yet is left out. null: of none."
    )
    days_median: float | None = Field(
        description="Days of the calendar until the answer, of those answered: what is late and still waits is not in."
    )
    days_p90: int | None = Field(
        description="Nine of ten of those answered took no longer: what is late and waits still is not in it."
    )


class Overdue(Value):
    """A request past its legal due date."""

    request_id: str
    right: str
    regimes: tuple[str, ...]
    received: date
    due: date
    days_over: int
    cause: str
    system: str


class Missing(Value):
    """Confirmations that a recipient owes."""

    recipient: str
    missing: int
    overdue: int
    oldest: date
    """When the oldest was asked for."""


class Age(Value):
    """Requests that wait for their answer, of one age in days."""

    days: str
    risks: Mapping[Risk, int]
    """By nearness of the legal due date; all are named."""


class Board(Value):
    """The report. Numbers of requests are of those received in the period; `waiting`, `overdue`, `ages`, `holds` and
    what is missing are as of the entry, whenever it came in."""

    stamp: Stamp
    paces: tuple[Pace, ...]
    """All rights together first, then each that was asked for."""
    waiting: int
    overdue: tuple[Overdue, ...]
    """The longest overdue first."""
    causes: Mapping[str, int]
    """Of what is overdue."""
    late_in: Mapping[str, int]
    """In which phase the due date of what was answered late has passed."""
    extended: int
    extensions: Mapping[str, int]
    """By coded ground."""
    refused: int
    """In whole or in part."""
    refusals: Mapping[str, int]
    """By coded ground; a request with two counts under both."""
    holds: Mapping[str, int]
    """In force and not secret, by age."""
    secret_holds: Mapping[str, int] | None
    """Only for counsel; None: the report does not say whether there are any."""
    proofs: tuple[Missing, ...]
    matched: Matched | None
    """None: no comparison is on record."""
    unreached: tuple[str, ...]
    """Recipients that have data and no system of the data map: nothing is looked at there, they are written to."""
    ages: tuple[Age, ...]


def is_waiting(case: Case) -> bool:
    """Whether the person is owed an answer still."""
    return case.answered is None and fate_of(case.conclusion) not in NEEDS_NO_ANSWER


def overdue_ones(cases: Iterable[Case], as_of: datetime) -> list[Case]:
    """Those whose legal due date is past and that are not answered."""
    return [
        case
        for case in cases
        if is_waiting(case) and risk_at(case.due, case.still_since, case.zone, as_of) is Risk.OVERDUE
    ]


def late_ones(cases: Iterable[Case], period: Period) -> list[Case]:
    """Those received in a period that were answered after their due date."""
    return [case for case in cases if case.received in period and _answered(case) and not _on_time(case)]


def board(stamp: Stamp, facts: Facts, register: Register, *, for_counsel: bool) -> Board:
    """Count."""
    mine = [case for case in facts.cases if case.received in stamp.period]
    waiting = [case for case in facts.cases if is_waiting(case)]
    as_of = stamp.as_of
    late = overdue_ones(waiting, as_of) if as_of else []
    late_ids = {case.id for case in late}
    overdue = sorted(
        (_overdue(case, facts.waits.get(case.id), as_of) for case in late if as_of),
        key=lambda one: (one.due, one.request_id),
    )
    rights = sorted({str(case.right) for case in mine})
    refused = [case for case in mine if case.grounds]
    return Board(
        stamp=stamp,
        paces=(
            _pace("", mine, late_ids),
            *(_pace(right, [case for case in mine if case.right == right], late_ids) for right in rights),
        ),
        waiting=len(waiting),
        overdue=tuple(overdue),
        causes=_counted(one.cause for one in overdue),
        late_in=_counted(facts.passed_in.values()),
        extended=sum(bool(case.extended) for case in mine),
        extensions=_counted(ground for case in mine for ground in case.extended),
        refused=len(refused),
        refusals=_counted(ground for case in refused for ground in case.grounds),
        holds=_hold_ages((one for one in facts.holds if not one.secret), as_of),
        secret_holds=_hold_ages((one for one in facts.holds if one.secret), as_of) if for_counsel else None,
        proofs=_proofs(facts.unconfirmed, as_of),
        matched=facts.matched,
        unreached=tuple(
            sorted(name for name, one in register.recipients.items() if one.gets and not one.told_by.system)
        ),
        ages=_ages(waiting, as_of),
    )


def _answered(case: Case) -> bool:
    return case.answered is not None and fate_of(case.conclusion) in RESPONDED


def _on_time(case: Case) -> bool:
    return case.answered is not None and case.answered <= case.due_on


def _pace(right: str, cases: Sequence[Case], overdue: set[str]) -> Pace:
    answered = [case for case in cases if _answered(case)]
    on_time = sum(map(_on_time, answered))
    late = len(answered) - on_time + sum(case.id in overdue for case in cases)
    days = [(case.answered - case.received).days for case in answered if case.answered]
    return Pace(
        right=right,
        received=len(cases),
        waiting=sum(map(is_waiting, cases)),
        answered=len(answered),
        on_time=on_time,
        late=late,
        share=round(on_time / (on_time + late), 4) if on_time + late else None,
        days_median=float(median(days)) if days else None,
        days_p90=nearest_rank(days, 90),
    )


def _overdue(case: Case, waits: Waits | None, as_of: datetime) -> Overdue:
    cause = waits or Waits(UNSENT if case.conclusion else "unknown")
    return Overdue(
        request_id=case.id,
        right=case.right,
        regimes=case.regimes,
        received=case.received,
        due=case.due_on,
        days_over=(local_day(as_of, case.zone) - case.due_on).days,
        cause=cause.cause,
        system=cause.system,
    )


def _hold_ages(holds: Iterable[HoldFact], as_of: datetime | None) -> dict[str, int]:
    found = dict.fromkeys((*(name for _, name in HOLD_AGES), OLDEST_HOLD), 0)
    for one in holds:
        if as_of:
            days = (as_of - one.placed_at).days
            found[next((name for most, name in HOLD_AGES if days <= most), OLDEST_HOLD)] += 1
    return found


def _proofs(told: Iterable[Unconfirmed], as_of: datetime | None) -> tuple[Missing, ...]:
    by: dict[str, list[Unconfirmed]] = {}
    for one in told:
        by.setdefault(one.recipient, []).append(one)
    today = as_of.date() if as_of else date.min
    return tuple(
        Missing(
            recipient=name,
            missing=len(of),
            overdue=sum(one.due_on < today for one in of),
            oldest=min(one.told_on for one in of),
        )
        for name, of in sorted(by.items())
    )


def _ages(waiting: Iterable[Case], as_of: datetime | None) -> tuple[Age, ...]:
    found = {name: dict.fromkeys(Risk, 0) for name in (*(name for _, name in AGES), OLDEST)}
    if as_of:
        today = cache(lambda zone: local_day(as_of, zone))
        for case in waiting:
            days = (today(case.zone) - case.received).days
            name = next((name for most, name in AGES if days <= most), OLDEST)
            found[name][risk_at(case.due, case.still_since, case.zone, as_of)] += 1
    return tuple(Age(days=name, risks=risks) for name, risks in found.items())


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(map(str, names)).items()))
