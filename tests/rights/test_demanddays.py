"""Only rows of the days that were decided on go to an authority, and none of which nobody knows the day."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rights.authorities import AuthorityError, Scope, check_word
from rights.authoritylaw import Word
from rights.demanddays import Days, dated_by, falls_in
from rights.mapfile import read_map
from tests.rights.test_authorities import WANTED, a_demand, answered
from tests.world import shop_map

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = Days(since=date(2026, 3, 1), until=date(2026, 3, 31))
DAYS = st.dates(date(2025, 12, 1), date(2026, 6, 30))


@given(DAYS, st.times(), st.integers(-12, 14))
def test_trf_04_a_moment_with_a_zone_counts_by_the_day_of_ours(day: date, hour: Any, offset: int) -> None:
    moment = datetime.combine(day, hour, timezone(timedelta(hours=offset)))
    inside = date(2026, 3, 1) <= moment.astimezone(BERLIN).date() <= date(2026, 3, 31)
    assert falls_in(MARCH, moment.isoformat(), BERLIN) is inside
    assert falls_in(MARCH, moment.astimezone(UTC).isoformat().replace("+00:00", "Z"), BERLIN) is inside


@given(DAYS, st.times())
def test_trf_04_a_moment_without_a_zone_goes_only_if_it_would_by_any(day: date, hour: Any) -> None:
    naive = datetime.combine(day, hour)
    if falls_in(MARCH, naive.isoformat(), BERLIN):
        for zone in (BERLIN, ZoneInfo("UTC")):
            assert MARCH.has(naive.replace(tzinfo=zone).astimezone(BERLIN).date())
    assert falls_in(MARCH, day.isoformat(), BERLIN) is MARCH.has(day)


@pytest.mark.parametrize("value", [None, 1772323200, "", "infinity", "0044-03-15 BC", "soon", "2026-03-32", [], True])
def test_trf_04_what_names_no_day_is_of_no_day(value: object) -> None:
    assert falls_in(MARCH, value, BERLIN) is None


def test_trf_04_a_row_has_its_day_only_by_a_field_that_goes_with_it() -> None:
    shop = read_map({"shop": shop_map(retention=True)}).systems["shop"]
    orders = shop.collections["orders"]
    assert dated_by(orders, orders.fields) == "created_at"
    assert dated_by(orders, [name for name in orders.fields if name != "created_at"]) is None
    assert dated_by(shop.collections["customers"], shop.collections["customers"].fields) is None


def test_trf_04_a_row_whose_day_is_known_and_stays_here_is_none_without_a_day() -> None:
    said = "created_at: {category: timing}"
    world = read_map({"shop": shop_map(retention=True).replace("created_at: {}", said)})
    scope = Scope(collections=("shop.orders",), days=MARCH)
    none = Scope(collections=("shop.customers",), days=MARCH)

    assert scope.undatable(world) == ()
    for undated in (False, True):
        hidden = scope.model_copy(update={"undated": undated, "without": ("timing",)})
        assert hidden.undatable(world) == ("shop.orders",), "else rows of other days would go"
    assert none.undatable(world) == ("shop.customers",)
    assert none.model_copy(update={"undated": True}).undatable(world) == ()
    assert none.model_copy(update={"days": None}).undatable(world) == ()
    for gone in ("shop.gone", "gone.orders"):
        assert Scope(collections=(gone,), days=MARCH).undatable(world) == (gone,)


@pytest.mark.parametrize(
    ("word", "more"),
    [
        (Word.DISCLOSE, {"days": None}),
        (Word.DISCLOSE, {"days": Days(since=date(2026, 3, 2), until=date(2026, 3, 31))}),
        (Word.IN_PART, {"days": Days(since=date(2026, 2, 28), until=date(2026, 3, 31))}),
        (Word.IN_PART, {"days": Days(since=date(2026, 3, 1))}),
        (Word.IN_PART, {"days": MARCH}),
    ],
)
def test_trf_04_no_more_days_than_are_demanded_and_in_full_only_all_of_them(word: Word, more: Any) -> None:
    demand = answered(a_demand(dates=MARCH))
    with pytest.raises(AuthorityError):
        check_word(demand, word, "legal_obligation", Scope(collections=WANTED, **more))
    check_word(demand, Word.DISCLOSE, "legal_obligation", Scope(collections=WANTED, days=MARCH))
    fewer = Days(since=date(2026, 3, 5), until=date(2026, 3, 5))
    check_word(demand, Word.IN_PART, "legal_obligation", Scope(collections=WANTED, days=fewer))


def test_a_range_without_days_or_turned_round_is_a_slip() -> None:
    for slip in ({}, {"from": "2026-03-02", "until": "2026-03-01"}, {"form": "2026-03-01"}):
        with pytest.raises(ValidationError):
            Days.model_validate(slip)
