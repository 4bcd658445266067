"""Fees: exact money, a fee only where a refusal could stand, and the clock by each law."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.clockwork import ClockEvent, NotAllowedError, Turn, turned
from rights.deadlines import Clock, end_of_day, start_clock
from rights.decision import Decided, DecisionError, Element, Exempt, Role, Word, check, law
from rights.fees import Fee, read_fee
from rights.metrics import days_taken
from rights.regimes import regime
from rights.request import Right

FEE = Fee(currency="EUR", minor=1250)
BOTH = {Element.REASON, Element.OBJECTIVE, Element.SUBJECTIVE}


@given(st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)]), st.integers(1, 10**9 - 1))
def test_an_amount_is_exact_and_reads_as_it_is_written(currency: tuple[str, int], minor: int) -> None:
    name, digits = currency
    fee = Fee(currency=name, minor=minor)
    assert Decimal(str(fee).removeprefix(f"{name} ")) * 10**digits == minor
    assert read_fee(str(fee)) == fee


@pytest.mark.parametrize(
    "text",
    ["", "12.50", "EUR", "EUR 0", "EUR 0.00", "EUR -1", "EUR 1,50", "EUR 1.505", "JPY 1.5", "eur 1", "EUR 1.5\n"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|fee of nothing"):
        read_fee(text)


@pytest.mark.parametrize("ground", ["gdpr_12_5_unfounded", "gdpr_12_5_excessive"])
def test_COM_04_a_fee_needs_ground_amount_both_elements_and_an_approver(ground: str) -> None:
    decided = Decided(word=Word.FEE, ground=ground, fee=FEE)

    needs = check(decided, Right.ACCESS, ["eu-gdpr"], BOTH)
    assert (needs.approvers, needs.consult) == ((Role.COUNSEL,), True)
    for missing in BOTH:
        with pytest.raises(DecisionError):
            check(decided, Right.ACCESS, ["eu-gdpr"], BOTH - {missing})
    for wrong in (
        decided.model_copy(update={"fee": None}),
        decided.model_copy(update={"ground": ""}),
        decided.model_copy(update={"parts": (Exempt(category="a", ground=ground),)}),
        decided.model_copy(update={"word": Word.REFUSE}),
        decided.model_copy(update={"word": Word.GRANT, "ground": ""}),
    ):
        with pytest.raises(DecisionError):
            check(wrong, Right.ACCESS, ["eu-gdpr"], BOTH)


def test_COM_04_no_fee_is_asked_for_on_any_other_ground() -> None:
    charged = {code for code, ground in law().grounds.items() if ground.fee}
    assert charged == {"gdpr_12_5_unfounded", "gdpr_12_5_excessive", "ccpa_145_h_3", "va_577_b_3", "ct_518_c_3"}
    for code, ground in law().grounds.items():
        if code not in charged and ground.effect == "refuse":
            with pytest.raises(DecisionError, match="no fee"):
                check(
                    Decided(word=Word.FEE, ground=code, fee=FEE),
                    ground.rights[0],
                    ground.regimes or ["eu-gdpr"],
                    set(Element),
                )


RECEIVED = date(2026, 3, 2)


def _after(law_: str, *events: tuple[Turn, int]) -> Clock:
    clocks: tuple[Clock, ...] = (
        start_clock(regime(law_), datetime(2026, 3, 2, 9, tzinfo=UTC), "Europe/London", (), Right.ACCESS),
    )
    done: list[ClockEvent] = []
    for turn, days in events:
        event = ClockEvent(turn=turn, day=RECEIVED + timedelta(days=days))
        now = end_of_day(event.day, "Europe/London")
        clocks = turned(clocks, [regime(law_)], done, event, Right.ACCESS, now)
        done.append(event)
    return clocks[0]


def test_COM_04_waiting_for_a_fee_stops_no_clock_but_that_of_the_united_kingdom() -> None:
    asked, paid = (Turn.FEE_ASKED, 3), (Turn.FEE_PAID, 20)
    for name in ("eu-gdpr", "us-ca-ccpa"):
        plain = _after(name)
        assert _after(name, asked) == plain
        assert _after(name, asked, paid) == plain
    assert _after("uk-gdpr", asked).still_since == RECEIVED + timedelta(days=3)
    moved = _after("uk-gdpr", asked, paid)
    # A month from the day of payment, 22 March.
    assert (moved.still_since, moved.legal_due) == (None, end_of_day(date(2026, 4, 22), "Europe/London"))
    with pytest.raises(NotAllowedError):
        _after("eu-gdpr", paid)
    with pytest.raises(NotAllowedError):
        _after("eu-gdpr", asked, (Turn.FEE_PAID, 2))


def test_days_before_a_fee_is_paid_count_but_in_the_united_kingdom() -> None:
    events = [
        ClockEvent(turn=Turn.FEE_ASKED, day=date(2026, 3, 5)),
        ClockEvent(turn=Turn.FEE_PAID, day=date(2026, 3, 22)),
    ]
    answered = date(2026, 3, 30)
    days = {
        name: days_taken(_after(name), regime(name), events, Right.ACCESS, answered) for name in ("eu-gdpr", "uk-gdpr")
    }
    assert days == {"eu-gdpr": 28, "uk-gdpr": 8}
