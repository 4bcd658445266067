"""The record of requests: days as each law counts them, and numbers that are the sum of their lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.clockwork import ClockEvent, Turn, replayed
from rights.deadlines import Clock, start_clock
from rights.metrics import RESPONDED, Facts, Fate, Line, counted, days_taken, lines_of, too_short
from rights.reckoning import local_day
from rights.regimes import SHIPPED, regime
from rights.request import Conclusion, Right

LAWS = sorted(name for name in SHIPPED if regime(name).enabled)
ZONE = "Pacific/Auckland"


def a_clock(law: str, received: date, right: Right, holidays: Collection[date] = ()) -> Clock:
    moment = datetime(received.year, received.month, received.day, 1, tzinfo=UTC)
    return start_clock(regime(law), moment, ZONE, holidays, right)


@given(
    law=st.sampled_from(LAWS),
    received=st.dates(date(2025, 1, 1), date(2027, 1, 1)),
    took=st.integers(0, 120),
    asked=st.none() | st.integers(0, 20),
    waited=st.integers(0, 40),
    holidays=st.sets(st.dates(date(2025, 1, 1), date(2027, 6, 1)), max_size=6),
)
def test_MET_02_an_answer_is_within_the_days_of_its_law_exactly_if_it_is_in_time(
    law: str, received: date, took: int, asked: int | None, waited: int, holidays: set[date]
) -> None:
    right = regime(law).rights[0]
    clock = a_clock(law, received, right, holidays)
    day = local_day(clock.received_at, ZONE)
    answered = day + timedelta(days=took)
    events = []
    if asked is not None:
        questions = {Turn.IDENTITY_ASKED: asked, Turn.IDENTITY_RECEIVED: asked + waited}
        events = [ClockEvent(turn=turn, day=day + timedelta(days=n)) for turn, n in questions.items()]
    if not all(event.day <= answered for event in events):
        events = []

    taken = days_taken(clock, regime(law), events, right, answered)

    _, dates = replayed(clock, regime(law), events, right)
    last = dates.legal_due_unrolled
    assert last is not None
    allowed = days_taken(clock, regime(law), events, right, last)
    assert taken is not None
    assert allowed is not None
    term = regime(law).answers(right)
    # No working day may lie between the last day and the answer.
    assert (taken <= allowed) is (answered <= last or (taken == allowed and term.working_days > 0))
    if unit := term.working_days or term.days:
        assert allowed == unit


@pytest.mark.parametrize(
    ("law", "right", "received", "answered", "days"),
    [
        # 31 January to 28 February: 28 days by the calendar.
        ("eu-gdpr", Right.ACCESS, date(2025, 1, 31), date(2025, 2, 28), 28),
        # Friday to Monday week: six working days.
        ("us-ca-optout", Right.OPT_OUT, date(2026, 3, 6), date(2026, 3, 16), 6),
        # New Zealand closes from 25 December to 15 January: Thursday the 24th counts, then Friday 16 January.
        ("nz", Right.ACCESS, date(2025, 12, 23), date(2026, 1, 16), 2),
        ("us-ca-ccpa", Right.ERASURE, date(2026, 3, 6), date(2026, 4, 20), 45),
        ("us-ca-ccpa", Right.ERASURE, date(2026, 3, 6), date(2026, 3, 6), 0),
    ],
)
def test_days_are_counted_as_each_law_counts_them(
    law: str, right: Right, received: date, answered: date, days: int
) -> None:
    assert days_taken(a_clock(law, received, right), regime(law), (), right, answered) == days


def test_days_that_a_law_does_not_count_are_not_counted_and_in_california_all_are() -> None:
    events = (
        ClockEvent(turn=Turn.IDENTITY_ASKED, day=date(2026, 3, 3)),
        ClockEvent(turn=Turn.IDENTITY_RECEIVED, day=date(2026, 3, 12)),
    )
    received, answered = date(2026, 3, 2), date(2026, 3, 22)

    def days(law: str) -> int | None:
        return days_taken(a_clock(law, received, Right.ACCESS), regime(law), events, Right.ACCESS, answered)

    assert days("us-ca-ccpa") == 20
    assert days("eu-gdpr") == 10, "the ten days from the 3rd to the 12th do not count"


def a_line(right: Right, fate: Fate, days: int | None, grounds: tuple[str, ...]) -> Line:
    return Line(
        request_id="r", regime="us-ca-ccpa", right=right, received=date(2026, 1, 1), came_in="", answered=None,
        fate=fate, grounds=grounds, days=days if fate in RESPONDED else None, working_days=False,
        due=date(2026, 2, 15), extended=False,
    )  # fmt: skip


@given(
    st.lists(
        st.builds(
            a_line,
            st.sampled_from([Right.ACCESS, Right.ERASURE]),
            st.sampled_from(Fate),
            st.integers(0, 90),
            st.sampled_from([(), ("a",), ("b",), ("a", "b")]),
        ),
        max_size=40,
    )
)
def test_MET_02_numbers_are_those_of_their_lines(lines: list[Line]) -> None:
    numbers = counted(lines)

    assert sum(one.received for one in numbers) == len(lines)
    for one in numbers:
        mine = [line for line in lines if line.right is one.right]
        assert one.received == sum(one.fates.values()) == len(mine)
        assert one.grounds == Counter(ground for line in mine for ground in line.grounds)
        days = [line.days for line in mine if line.days is not None]
        assert one.responses == len(days)
        assert one.mean == (Fraction(sum(days), len(days)) if days else None)
        assert one.median == (median(days) if days else None)


@pytest.mark.parametrize("conclusion", Conclusion)
def test_every_end_has_its_place_and_every_denial_a_ground(conclusion: Conclusion) -> None:
    clock = a_clock("us-ca-ccpa", date(2026, 3, 2), Right.ACCESS)
    facts = Facts(request_id="r", right=Right.ACCESS, conclusion=conclusion, closed_on=date(2026, 3, 9))
    (line,) = lines_of(facts, [clock], [regime("us-ca-ccpa")], date(2026, 3, 2))

    assert line.answered == date(2026, 3, 9)
    assert bool(line.grounds) is (line.fate in {Fate.DENIED, Fate.IN_PART})
    assert line.days == (7 if line.fate in RESPONDED else None)


def test_a_letter_that_has_not_gone_out_answers_nobody() -> None:
    clock = a_clock("us-ca-ccpa", date(2026, 3, 2), Right.ACCESS)
    facts = Facts(
        request_id="r", right=Right.ACCESS, conclusion=Conclusion.ANSWERED, closed_on=date(2026, 3, 9),
        letters={"answer_access": None, "acknowledgement": date(2026, 3, 3)},
    )  # fmt: skip
    (line,) = lines_of(facts, [clock], [regime("us-ca-ccpa")], date(2026, 3, 2))
    assert (line.answered, line.days) == (None, None)

    sent = facts.model_copy(update={"letters": {"answer_access": date(2026, 3, 12)}})
    (line,) = lines_of(sent, [clock], [regime("us-ca-ccpa")], date(2026, 3, 2))
    assert (line.answered, line.days) == (date(2026, 3, 12), 10)


def test_MET_01_a_file_that_is_kept_for_less_than_a_law_asks_is_known() -> None:
    assert set(too_short(730, ["us-ca-ccpa", "us-co", "eu-gdpr"])) == {"us-ca-ccpa", "us-co"}
    assert too_short(731, ["us-ca-ccpa", "us-co", "eu-gdpr"]) == {}, "24 months with a leap day in them"
