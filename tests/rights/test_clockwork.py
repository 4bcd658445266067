"""A clock moves by what has happened, and by nothing else: what stops it, what extends it, and whose date is kept."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.clockwork import ClockEvent, NotAllowedError, Turn, extension_grounds, extensions, turned
from rights.deadlines import Clock, Risk, acting, start_clock
from rights.reckoning import local_day
from rights.regimes import SHIPPED, regime
from rights.request import Right

ZONE = "Europe/Berlin"
RECEIVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATE = datetime(2027, 1, 1, tzinfo=UTC)


def clock(law: str = "eu-gdpr", received: datetime = RECEIVED) -> Clock:
    return start_clock(regime(law), received, ZONE)


def turn(*events: ClockEvent, law: str = "eu-gdpr", now: datetime = LATE) -> Clock:
    """The clock after these events."""
    clocks: tuple[Clock, ...] = (clock(law),)
    for number, event in enumerate(events):
        clocks = turned(clocks, [regime(law)], events[:number], event, Right.ERASURE, now)
    return clocks[0]


def asked(day: int, what: str = "identity") -> ClockEvent:
    return ClockEvent(turn=Turn(f"{what}_asked"), day=date(2026, 3, day))


def came(day: int, what: str = "identity") -> ClockEvent:
    return ClockEvent(turn=Turn(f"{what}_received"), day=date(2026, 3, day))


def extended(day: date, ground: str = "complexity", until: date | None = None) -> ClockEvent:
    return ClockEvent(turn=Turn.EXTENDED, day=day, ground=ground, until=until)


def legal(clock: Clock) -> date:
    return local_day(clock.legal_due, ZONE)


def internal(clock: Clock) -> date:
    return local_day(clock.internal_due, ZONE)


def test_a_question_asked_at_once_stops_the_clock_and_its_answer_lets_it_go_on() -> None:
    stopped = turn(asked(3))
    assert (stopped.still_since, legal(stopped)) == (date(2026, 3, 3), date(2026, 4, 2))
    assert stopped.risk(LATE) is Risk.ON_TRACK, "nobody is late while they wait for an answer"
    assert stopped.next_change(RECEIVED) is None

    going = turn(asked(3), came(12))
    assert going.still_since is None
    assert legal(going) == date(2026, 4, 13), "ten days do not count, and 12 April is a Sunday"
    assert internal(going) == date(2026, 4, 2), "the engine works on as if they did"


def test_a_question_asked_late_stops_nothing() -> None:
    assert turn(asked(20)).still_since is None
    assert legal(turn(asked(20), came(30))) == legal(clock())


def test_proof_of_identity_restarts_the_british_clock() -> None:
    assert legal(turn(asked(3), came(20), law="uk-gdpr")) == date(2026, 4, 20)


def test_verification_never_pauses_in_california() -> None:
    going = turn(asked(3), came(20), law="us-ca-ccpa")
    assert (going.still_since, legal(going)) == (None, legal(clock("us-ca-ccpa")))


def test_a_notice_in_time_extends_the_term_once() -> None:
    longer = turn(extended(date(2026, 4, 2)))
    assert longer.extended
    assert legal(longer) == date(2026, 6, 2)
    assert longer.notice_by is None
    with pytest.raises(NotAllowedError, match="extended before"):
        turn(extended(date(2026, 4, 1)), extended(date(2026, 4, 2)))


def test_a_notice_sent_too_late_extends_nothing() -> None:
    with pytest.raises(NotAllowedError, match="had to be sent by 2026-04-02"):
        turn(extended(date(2026, 4, 3)))


@pytest.mark.parametrize("ground", ["vendor_down", "", "holidays"])
def test_only_the_grounds_of_the_law_extend_a_term(ground: str) -> None:
    with pytest.raises(NotAllowedError, match="no ground on which the law extends a term: write one of complexity"):
        turn(extended(date(2026, 3, 20), ground))


def test_a_law_without_an_extension_has_none() -> None:
    with pytest.raises(NotAllowedError, match="knows no extension"):
        turn(extended(date(2026, 3, 4)), law="us-ca-optout")


def test_where_the_controller_names_the_day_the_notice_has_to() -> None:
    now = datetime(2026, 3, 20, tzinfo=UTC)
    with pytest.raises(NotAllowedError, match="name one to come"):
        turn(extended(date(2026, 3, 20), "not_in_time"), law="ch-fadp", now=now)
    named = turn(extended(date(2026, 3, 20), "not_in_time", date(2026, 5, 4)), law="ch-fadp", now=now)
    assert legal(named) == date(2026, 5, 4)
    with pytest.raises(NotAllowedError, match="leave the day out"):
        turn(extended(date(2026, 3, 20), until=date(2026, 5, 4)), now=now)


def test_an_acknowledged_receipt_is_not_asked_for_again() -> None:
    before = clock("us-ca-ccpa")
    assert before.acknowledge_by is not None
    assert before.acknowledge_due is not None
    assert local_day(before.acknowledge_by, ZONE) == date(2026, 3, 16), "ten business days"
    assert local_day(before.acknowledge_due, ZONE) == date(2026, 3, 12)
    assert turn(ClockEvent(turn=Turn.ACKNOWLEDGED, day=date(2026, 3, 4)), law="us-ca-ccpa").acknowledge_by is None


def test_a_corrected_receipt_moves_every_date() -> None:
    earlier = datetime(2026, 2, 27, 9, tzinfo=UTC)
    moved = turn(ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=date(2026, 2, 27), received_at=earlier))
    assert (moved.received_at, legal(moved)) == (earlier, date(2026, 3, 27))
    later = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=date(2026, 3, 11), received_at=RECEIVED + timedelta(days=9))
    with pytest.raises(NotAllowedError, match="cannot be later than it"):
        turn(asked(3), later)


def test_an_extension_does_not_outlive_a_correction_that_shows_its_notice_was_late() -> None:
    def corrected(day: date) -> ClockEvent:
        moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        return ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=day, received_at=moment)

    still_in_time = turn(extended(date(2026, 3, 20)), corrected(date(2026, 2, 23)))
    assert (still_in_time.extended, legal(still_in_time)) == (True, date(2026, 5, 25)), "the 23rd is a Saturday"
    notice = extended(date(2026, 3, 30))
    too_late = turn(notice, corrected(date(2026, 2, 9)))
    assert (too_late.extended, legal(too_late)) == (False, date(2026, 3, 9)), "the first term was over by then"
    assert too_late.risk(datetime(2026, 3, 31, tzinfo=UTC)) is Risk.OVERDUE
    right_after_all = turn(notice, corrected(date(2026, 2, 9)), corrected(date(2026, 3, 2)))
    assert (right_after_all.extended, legal(right_after_all)) == (True, date(2026, 6, 2))


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (came(5), "nothing was asked"),
        (asked(1), "cannot have been before"),
        (ClockEvent(turn=Turn.IDENTITY_ASKED, day=date(2027, 3, 1)), "in the future"),
    ],
)
def test_what_cannot_have_happened_is_refused(event: ClockEvent, why: str) -> None:
    with pytest.raises(NotAllowedError, match=why):
        turn(event)


def test_an_answer_cannot_come_before_the_question_nor_twice() -> None:
    with pytest.raises(NotAllowedError, match="cannot have come before"):
        turn(asked(4), came(3))
    with pytest.raises(NotAllowedError, match="nothing was asked"):
        turn(asked(4), came(5), came(6))
    with pytest.raises(NotAllowedError, match="asked for once"):
        turn(asked(4), asked(5))


def test_of_several_laws_the_earliest_date_acts_and_each_clock_has_its_own_rules() -> None:
    laws = [regime("eu-gdpr"), regime("us-ca-ccpa")]
    clocks = tuple(start_clock(law, RECEIVED, ZONE) for law in laws)
    assert acting(clocks).legal_due == min(one.legal_due for one in clocks)
    assert acting(clocks).acknowledge_by == clocks[1].acknowledge_by, "what only one asks for is asked for"

    stopped = turned(clocks, laws, [], asked(3), Right.ACCESS, LATE)
    assert [one.still_since for one in stopped] == [date(2026, 3, 3), None]
    assert acting(stopped).still_since is None, "one that runs on is kept"
    assert acting(stopped).legal_due == clocks[1].legal_due


ENABLED = sorted(name for name in SHIPPED if regime(name).enabled)
DAYS = st.integers(0, 40).map(lambda number: date(2026, 3, 2) + timedelta(days=number))
EVENTS = st.lists(
    st.builds(
        ClockEvent,
        turn=st.sampled_from([turn for turn in Turn if turn is not Turn.RECEIPT_CORRECTED]),
        day=DAYS,
        ground=st.sampled_from(["complexity", "unreasonable_interference", "many_records", "x"]),
        until=st.none(),
    ),
    max_size=6,
)


@given(st.sampled_from(ENABLED), EVENTS)
def test_whatever_happens_no_law_gets_a_date_before_the_first_or_one_after_its_longest(
    law: str, events: list[ClockEvent]
) -> None:
    first = clock(law)
    clocks: tuple[Clock, ...] = (first,)
    kept: list[ClockEvent] = []
    for event in sorted(events, key=lambda event: event.day):
        try:
            clocks = turned(clocks, [regime(law)], kept, event, Right.ERASURE, LATE)
        except NotAllowedError:
            continue
        kept.append(event)
    (last,) = clocks
    assert first.legal_due <= last.legal_due
    assert first.internal_due <= last.internal_due <= last.legal_due
    assert last.legal_due - first.legal_due < timedelta(days=140)
    again: tuple[Clock, ...] = (first,)
    for number, event in enumerate(kept):
        again = turned(again, [regime(law)], kept[:number], event, Right.ERASURE, LATE)
    assert again == clocks, "the same events give the same dates"


@pytest.mark.parametrize("law", sorted(SHIPPED))
def test_every_law_that_extends_names_its_grounds(law: str) -> None:
    assert all(code.isidentifier() and words for code, words in extension_grounds(law).items())
    assert extension_grounds(law) or extensions().regimes[law].confidence == "low", "what is not sure delays nobody"
    assert "vendor_down" not in extension_grounds(law)


def test_where_the_clock_that_could_be_extended_stands_still_the_other_is_not_extended_instead() -> None:
    laws = [regime("eu-gdpr"), regime("us-ca-optout")]
    clocks = tuple(clock(law.regime) for law in laws)
    stopped = turned(clocks, laws, (), asked(3), Right.ERASURE, LATE)

    with pytest.raises(NotAllowedError, match="stands still"):
        turned(stopped, laws, (asked(3),), extended(date(2026, 3, 5)), Right.ERASURE, LATE)
