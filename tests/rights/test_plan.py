"""A plan keeps what a duty keeps, to the day, and sends an erasure to the source before its copies."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rights.plan import Operation, Plan, Step, applies, keep_cutoff, make_plan
from rights.request import Right
from rights.terms import keep_until
from tests.rights.builders import AS_OF, a_collection, a_map, a_system

DAYS = st.dates(date(1950, 1, 1), date(2200, 12, 31))


@given(DAYS, st.integers(0, 1200), st.integers(0, 4000), st.booleans(), st.integers(-800, 800))
@example(date(2028, 2, 29), 12, 0, False, 0)
@example(date(2027, 3, 31), 1, 0, False, -31)
@example(date(2026, 12, 31), 120, 0, True, 0)
def test_a_row_is_kept_if_and_only_if_its_last_day_is_not_over(
    today: date, months: int, days: int, end_of_year: bool, around: int
) -> None:
    as_of = datetime(today.year, today.month, today.day, 23, 59, tzinfo=UTC)
    cutoff = keep_cutoff(as_of, months, days, end_of_year=end_of_year).date()
    start = cutoff + timedelta(days=around)

    kept = keep_until(start, months, days, end_of_year=end_of_year) >= today

    assert kept == (start >= cutoff)


@pytest.mark.parametrize(
    ("start", "months", "days", "end_of_year", "until"),
    [
        (date(2026, 1, 31), 1, 0, False, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, 0, False, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, 0, False, date(2029, 2, 28)),
        (date(2026, 5, 12), 120, 0, True, date(2036, 12, 31)),
        (date(2026, 5, 12), 0, 90, False, date(2026, 8, 10)),
        (date(2026, 5, 12), 0, 0, False, date(2026, 5, 12)),
        (date(2026, 12, 1), 1, 0, False, date(2027, 1, 1)),
        (date(9999, 12, 31), 120, 0, False, date.max),
        (date(9999, 12, 31), 0, 1, False, date.max),
        (date(9999, 6, 1), 6, 0, True, date.max),
    ],
)
def test_a_term_ends_on_its_day(start: date, months: int, days: int, end_of_year: bool, until: date) -> None:
    assert keep_until(start, months, days, end_of_year=end_of_year) == until


@given(DAYS, st.integers(0, 1200), st.integers(0, 4000), st.booleans())
def test_a_later_start_never_ends_earlier(start: date, months: int, days: int, end_of_year: bool) -> None:
    later = start + timedelta(days=1)

    assert keep_until(start, months, days, end_of_year=end_of_year) <= keep_until(
        later, months, days, end_of_year=end_of_year
    )


def test_the_day_of_a_plan_is_the_utc_day() -> None:
    tokyo = timezone(timedelta(hours=9))

    assert keep_cutoff(datetime(2026, 6, 2, 8, tzinfo=tokyo), 0, 0, end_of_year=False).date() == date(2026, 6, 1)


def test_the_longest_period_a_map_may_name_can_be_planned() -> None:
    rule = {"ground": "archive", "after": "born", "period": "P200Y"}
    system = a_system(collections={"people": a_collection(fields={"born": {}}, retention=[rule])})

    (work,) = make_plan(Right.ERASURE, a_map(system), AS_OF).of("shop").works

    assert work.keeps[0].cutoff.date() == date(1826, 6, 1)


def test_what_fields_become_is_written_as_the_map_says() -> None:
    fields: dict[str, Any] = {
        "vip": {"strategy": "constant", "value": False},
        "score": {"strategy": "constant", "value": 0},
        "name": {"strategy": "constant", "value": ""},
        "born": {"strategy": "generalise", "to": "year"},
        "email": {"identity": "email", "strategy": "pseudonym"},
        "tax": {"strategy": "retain", "ground": "tax law"},
        "plain": {},
        "goes": {"strategy": "delete"},
    }
    system = a_system(collections={"people": a_collection(fields=fields)})

    (work,) = make_plan(Right.ERASURE, a_map(system), AS_OF).of("shop").works

    assert {write.field: write.value for write in work.writes} == {
        "vip": False,
        "score": 0,
        "name": "",
        "born": "year",
        "email": None,
    }


def test_a_duty_writes_only_what_it_can_do_without() -> None:
    fields = {"at": {}, "note": {"strategy": "null"}, "name": {"strategy": "null"}}
    rule = {"ground": "tax law", "after": "at", "period": "P10Y", "from": "end_of_year", "minimise": ["note"]}
    system = a_system(collections={"people": a_collection(fields=fields, retention=[rule])})

    (work,) = make_plan(Right.ERASURE, a_map(system), AS_OF).of("shop").works
    (keep,) = work.keeps

    assert [write.field for write in keep.writes] == ["note"]
    assert keep.cutoff == datetime(2016, 1, 1, tzinfo=UTC)
    assert keep.until(date(2016, 1, 1)) == date(2026, 12, 31)


def test_fields_that_are_not_for_export_are_left_out() -> None:
    system = a_system(collections={"people": a_collection(fields={"password": {"export": False}})})

    (work,) = make_plan(Right.ACCESS, a_map(system), AS_OF).of("shop").works

    assert work.export == ("id", "email")


def test_an_erasure_goes_to_the_source_before_its_copies() -> None:
    systems = [
        a_system(system="lake"),
        a_system(system="shop", feeds=["crm", "lake"]),
        a_system(system="crm", feeds=["lake"]),
        a_system(system="desk"),
    ]

    erasure = make_plan(Right.ERASURE, a_map(*systems), AS_OF)
    access = make_plan(Right.ACCESS, a_map(*systems), AS_OF)

    assert [[part.system for part in wave] for wave in erasure.waves] == [["desk", "shop"], ["crm"], ["lake"]]
    assert [[part.system for part in wave] for wave in access.waves] == [["crm", "desk", "lake", "shop"]]


@given(st.sampled_from(Right), DAYS.map(lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)))
def test_every_system_and_collection_is_worked_on_once(right: Right, as_of: datetime) -> None:
    data_map = a_map(a_system(feeds=["crm"]), a_system(system="crm"))

    plan = make_plan(right, data_map, as_of)

    assert sorted(part.system for part in plan.systems) == ["crm", "shop"]
    for part in plan.systems:
        assert [work.collection for work in part.works] == list(data_map.systems[part.system].collections)
    assert plan == make_plan(right, data_map, as_of)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_plan_does_not_know_other_systems() -> None:
    with pytest.raises(KeyError):
        make_plan(Right.ACCESS, a_map(), AS_OF).of("crm")


@given(st.lists(st.tuples(st.sampled_from(["shop", "crm"]), st.sampled_from(Operation), st.integers(0, 3))))
def test_different_work_has_different_keys(steps: list[tuple[str, Operation, int]]) -> None:
    keys = {Step(request_id="01", system=s, operation=o, round=r).key for s, o, r in steps}

    assert len(keys) == len(set(steps))


def test_looks_are_told_from_acts() -> None:
    assert {operation for operation in Operation if operation.look} == {
        Operation.LOCATE,
        Operation.VERIFY,
        Operation.CHANNELS,
    }


KNOWN = {"eu-gdpr", "ccpa", "lgpd"}
NAMES = st.sampled_from(sorted(KNOWN))


@given(st.sets(NAMES), NAMES)
def test_a_duty_binds_in_the_regimes_it_names_or_in_all(named: set[str], asked: str) -> None:
    assert applies(named, asked, KNOWN) == (not named or asked in named)


@given(st.sets(NAMES), NAMES, st.text(max_size=5).filter(lambda name: name not in KNOWN))
def test_where_a_regime_is_unknown_the_rows_are_kept(named: set[str], asked: str, unknown: str) -> None:
    assert applies({*named, unknown}, asked, KNOWN)
    assert applies(named, unknown, KNOWN)


def test_a_plan_keeps_for_the_duties_of_its_regime() -> None:
    rules = [
        {"ground": ground, "regimes": regimes, "after": "at", "period": "P10Y"}
        for ground, regimes in (("ours", ["eu-gdpr"]), ("everybody's", []), ("a slip", ["gpdr"]))
    ]
    system = a_system(collections={"people": a_collection(fields={"at": {}}, retention=rules)})

    (work,) = make_plan(Right.ERASURE, a_map(system), AS_OF, "eu-gdpr").of("shop").works

    assert [keep.ground for keep in work.keeps] == ["ours", "everybody's", "a slip"]


def test_a_duty_of_another_regime_keeps_nothing() -> None:
    rule = {"ground": "theirs", "regimes": ["eu-gdpr"], "after": "at", "period": "P10Y"}
    system = a_system(collections={"people": a_collection(fields={"at": {}}, retention=[rule])})

    (work,) = make_plan(Right.ERASURE, a_map(system), AS_OF, "ccpa", KNOWN).of("shop").works

    assert work.keeps == ()
