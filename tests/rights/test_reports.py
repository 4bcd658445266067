"""Reports: what is counted, what is never told, and what a board reads."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rights.board import UNSENT, Facts, HoldFact, Unconfirmed, Waits, board
from rights.datamap import DataMap, System
from rights.deadlines import Risk, end_of_day
from rights.metrics import Fate, Line
from rights.population import SMALL, population, told
from rights.recipients import Register
from rights.reports import Case, Period, PeriodError, Stamp, nearest_rank
from rights.request import Conclusion, Right
from rights.ropa import WANTED, Controller, ropa
from rights.yearly import KINDS, annual

YEAR = Period.read("2026")
AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)


def stamp(period: Period = YEAR) -> Stamp:
    return Stamp(report="board", period=period, head=9, digest="0" * 64, as_of=AS_OF, data_map="m", register_digest="r",
                 settings_digest="s", program="1.0.0")  # fmt: skip


def a_case(request_id: str = "r", received: date = date(2026, 5, 1), term: int = 30, **more: Any) -> Case:
    due_on = received + timedelta(days=term)
    its: dict[str, Any] = {
        "right": Right.ERASURE, "regimes": ("eu-gdpr",), "zone": "Europe/Berlin", "still_since": None,
        "conclusion": None, "answered": None, "came_in": "web", "extended": (), "grounds": (),
    }  # fmt: skip
    return Case(id=request_id, received=received, due=end_of_day(due_on, "Europe/Berlin"), due_on=due_on,
                **(its | more))  # fmt: skip


def answered(request_id: str, days: int, **more: Any) -> Case:
    case = a_case(request_id, conclusion=Conclusion.ANSWERED, **more)
    return case._replace(answered=case.received + timedelta(days=days))


def facts(*cases: Case, **more: Any) -> Facts:
    its: dict[str, Any] = {"waits": {}, "passed_in": {}, "holds": (), "unconfirmed": (), "matched": None}
    return Facts(cases=cases, **(its | more))


# Periods.


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
    ],
)
def test_a_period_is_a_year_a_quarter_or_a_month(text: str, first: date, last: date) -> None:
    assert (Period.read(text).first, Period.read(text).last) == (first, last)


@pytest.mark.parametrize("text", ["", "26", "2026-13", "2026-Q5", "2026-q1", "2026-1", "2026-01-01", "２０２６"])
def test_what_is_no_period_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(PeriodError) as refused:
        Period.read(text)
    assert str(refused.value) == "write a period as 2026, 2026-Q4 or 2026-11"


@given(st.integers(1900, 2099))
def test_the_months_of_a_year_are_its_quarters_and_leave_no_day_out(year: int) -> None:
    quarters = [Period.read(f"{year}-Q{n}") for n in range(1, 5)]
    months = [Period.read(name) for name in Period.read(str(year)).months]
    assert [name for one in quarters for name in one.months] == [one.name for one in months]
    ends = [one.last + timedelta(days=1) for one in months]
    assert ends[:-1] == [one.first for one in months[1:]]


# The board.


def test_on_time_is_by_the_day_and_what_is_past_its_day_unanswered_is_late() -> None:
    on_the_day, a_day_late = answered("a", 30), answered("b", 31)
    overdue, waiting = a_case("c"), a_case("d", date(2026, 6, 20))
    unsent = a_case("e", conclusion=Conclusion.ANSWERED)
    withdrawn = a_case("f", conclusion=Conclusion.WITHDRAWN)
    report = board(stamp(), facts(on_the_day, a_day_late, overdue, waiting, unsent, withdrawn,
                                  waits={"c": Waits("identity")}), Register(), for_counsel=False)  # fmt: skip

    pace = report.paces[0]
    assert (pace.received, pace.waiting, pace.answered, pace.on_time, pace.late) == (6, 3, 2, 1, 3)
    assert pace.share == 0.25
    assert {one.request_id: one.cause for one in report.overdue} == {"c": "identity", "e": UNSENT}
    assert report.overdue[0].days_over == 30


def test_a_clock_that_stands_still_makes_nothing_overdue() -> None:
    still = a_case("a", still_since=date(2026, 5, 20))
    report = board(stamp(), facts(still), Register(), for_counsel=False)
    assert (report.overdue, report.paces[0].late) == ((), 0)


def test_what_came_in_before_the_period_and_is_overdue_does_not_vanish() -> None:
    report = board(stamp(Period.read("2026-06")), facts(a_case("a")), Register(), for_counsel=False)
    assert (report.paces[0].received, report.waiting, len(report.overdue)) == (0, 1, 1)


@given(st.lists(st.integers(0, 400), min_size=1))
def test_nine_of_ten_took_no_longer_than_the_ninetieth_percentile(days: list[int]) -> None:
    p90 = nearest_rank(days, 90)
    assert p90 in days
    assert p90 is not None
    assert sum(one <= p90 for one in days) * 10 >= len(days) * 9
    assert sum(one < p90 for one in days) * 10 < len(days) * 9


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 90), st.booleans()), max_size=60))
def test_every_request_that_waits_stands_in_one_cell_of_ages(ones: list[tuple[int, int, bool]]) -> None:
    cases = [
        a_case(str(n), AS_OF.date() - timedelta(days=age), term, still_since=AS_OF.date() if still else None)
        for n, (age, term, still) in enumerate(ones)
    ]
    report = board(stamp(), facts(*cases), Register(), for_counsel=False)

    assert sum(sum(age.risks.values()) for age in report.ages) == report.waiting == len(cases)
    assert sum(age.risks[Risk.OVERDUE] for age in report.ages) == len(report.overdue)


@given(st.lists(st.builds(HoldFact, st.integers(0, 2000).map(lambda days: AS_OF - timedelta(days=days)),
                          st.just(True))))  # fmt: skip
def test_secret_holds_change_nothing_for_whoever_is_not_counsel(secret: list[HoldFact]) -> None:
    open_one = HoldFact(datetime(2026, 6, 1, tzinfo=UTC), secret=False)
    without = board(stamp(), facts(a_case(), holds=[open_one]), Register(), for_counsel=False)
    with_them = board(stamp(), facts(a_case(), holds=[open_one, *secret]), Register(), for_counsel=False)
    counsels = board(stamp(), facts(a_case(), holds=[open_one, *secret]), Register(), for_counsel=True)

    assert with_them.model_dump_json() == without.model_dump_json()
    assert counsels.secret_holds is not None
    assert sum(counsels.secret_holds.values()) == len(secret)
    assert counsels.model_copy(update={"secret_holds": None}) == without


def test_what_recipients_owe_is_by_recipient_and_past_its_day() -> None:
    asked = [Unconfirmed("mailer", "erased", date(2026, 5, day), date(2026, 6, day)) for day in (1, 30)]
    (one,) = board(stamp(), facts(unconfirmed=asked), Register(), for_counsel=False).proofs
    assert (one.recipient, one.missing, one.overdue, one.oldest) == ("mailer", 2, 1, date(2026, 5, 1))


# Statistics.


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), min_size=1))
@example({"a": 5, "b": 5, "c": 4})
def test_no_small_number_can_be_worked_out_from_what_is_published(counts: Mapping[str, int]) -> None:
    """Whoever knows the total, and the rule, still has two possible values for each number under 5 that is not 0 with
    all others: unless nobody is hidden at all."""
    total = sum(counts.values())
    published = told(counts)
    if published is None:
        return  # then nothing of the period is told
    hidden = [name for name, count in published.items() if count is None]

    assert all(counts[name] == count for name, count in published.items() if count is not None)
    assert {name for name, count in counts.items() if 0 < count < SMALL} <= set(hidden)
    left = total - sum(count or 0 for count in published.values())
    if left == 0:
        return  # what is hidden is nobody
    possible: dict[str, set[int]] = {name: set() for name in hidden}
    for values in itertools.product(range(left + 1), repeat=len(hidden)):
        if sum(values) == left:
            guess = {**counts, **dict(zip(hidden, values, strict=True))}
            if told(guess) == published:
                for name, value in zip(hidden, values, strict=True):
                    possible[name].add(value)
    assert {name: values for name, values in possible.items() if len(values) < 2} == {}


def test_statistics_count_what_came_in_in_the_period_by_right_law_channel_and_month() -> None:
    cases = [a_case(str(n), date(2026, 4 + n % 2, 1)) for n in range(20)]
    cases += [a_case(f"x{n}", date(2026, 5, 1), regimes=("eu-gdpr", "nz"), came_in="") for n in range(7)]
    cases.append(a_case("out", date(2025, 12, 31)))
    report = population(stamp(Period.read("2026-Q2")), cases)
    tables = {table.by: table.counts for table in report.tables}

    assert report.total == 27
    assert tables["right"] == {str(right): 27 if right is Right.ERASURE else None for right in Right}
    assert tables["law"] == {"eu-gdpr": 27, "nz": 7}
    assert tables["channel"] == {"web": 20, "not entered": 7}
    assert tables["month"] == {"2026-04": 10, "2026-05": 17, "2026-06": None}


def test_nothing_is_told_where_one_table_could_not_be_told_without_giving_small_numbers_away() -> None:
    cases = [a_case(str(n), date(2026, 4 + n % 3, 1)) for n in range(12)]
    report = population(stamp(Period.read("2026-Q2")), cases)
    assert report.total is None, "four in each month, as the total of twelve would say"
    assert {count for table in report.tables for count in table.counts.values()} == {None}


def test_so_few_requests_that_each_may_be_known_are_not_counted_at_all() -> None:
    report = population(stamp(), [a_case(str(n)) for n in range(SMALL - 1)])
    assert report.total is None
    assert {count for table in report.tables for count in table.counts.values()} == {None}


# California.


def a_line(request_id: str, right: Right, regime: str = "us-ca-ccpa", **more: Any) -> Line:
    its: dict[str, Any] = {
        "received": date(2026, 1, 1), "came_in": "", "answered": date(2026, 1, 9), "fate": Fate.COMPLIED, "grounds": (),
        "days": 8, "working_days": False, "due": date(2026, 2, 15), "extended": False,
    }  # fmt: skip
    return Line(request_id=request_id, regime=regime, right=right, **(its | more))


def test_MET_02_each_kind_of_california_is_named_and_each_request_counts_once() -> None:
    report = annual(
        stamp(),
        [
            a_line("a", Right.ERASURE),
            a_line("a", Right.ERASURE, "us-ca-drop"),
            a_line("a", Right.ERASURE, "eu-gdpr"),
            a_line("b", Right.ACCESS, days=4),
            a_line("c", Right.PORTABILITY, fate=Fate.DENIED, grounds=("unproven",), days=5),
            a_line("d", Right.ACCESS, "eu-gdpr"),
            a_line("e", Right.OPT_OUT, "us-ca-optout", days=3, working_days=True),
        ],
    )
    kinds = {one.kind: one for one in report.kinds}
    assert {name: one.received for name, one in kinds.items()} == {
        "delete": 1, "correct": 0, "know": 2, "opt_out_or_limit": 1,
    }  # fmt: skip
    assert list(kinds) == list(KINDS)
    know = kinds["know"]
    assert (know.complied, know.denied, know.grounds, know.days_mean, know.days_median) == (
        1, 1, {"unproven": 1}, 4.5, 4.5,
    )  # fmt: skip
    assert (kinds["opt_out_or_limit"].days_are, kinds["correct"].days_mean) == ("working days", None)


# The record of processing activities.

SHOP = {
    "system": "shop",
    "owner": "shop team",
    "connector": "memory",
    "people": ["customers"],
    "measures": ["encrypted at rest"],
    "collections": {
        "customers": {
            "key": ["id"],
            "fields": {"id": {"identity": "customer_id"}, "email": {"identity": "email", "category": "contact"},
                       "since": {}},
            "purpose": "running the shop",
            "lawful_basis": "Art. 6(1)(b)",
            "storage": "while the account lives",
            "retention": [{"ground": "tax", "after": "since", "period": "P10Y", "from": "end_of_year"}],
        },
        "notes": {"key": ["id"], "fields": {"id": {"identity": "customer_id"}}},
    },
}  # fmt: skip
REGISTER = {
    "recipients": {
        "mailer": {
            "name": "Mailer Ltd", "country": "US", "gets": ["shop.customers"], "knows_by": ["email"],
            "basis": {"kind": "contract", "document": "DPA 3", "since": "2024-01-01"},
            "transfer": {"mechanism": "scc", "module": 2, "document": "SCC 7", "review_on": "2027-01-01"},
            "told_by": {"email": "privacy@mailer.example"},
        }
    }
}  # fmt: skip


def test_the_record_of_processing_says_what_the_map_says_and_names_what_it_leaves_open() -> None:
    data_map = DataMap.of({"shop": System.model_validate(SHOP)})
    report = ropa(stamp(), data_map, Register.model_validate(REGISTER), Controller(name="Shop AG"), ())
    customers, notes = report.activities

    assert (customers.purpose, customers.people, customers.measures) == (
        "running the shop", ("customers",), ("encrypted at rest",),
    )  # fmt: skip
    assert customers.categories == ("contact", "identity: customer_id", "identity: email")
    assert customers.retention == (
        "while the account lives", "P10Y after since, from the end of the year: tax",
    )  # fmt: skip
    (given_to,) = customers.recipients
    assert (given_to.name, given_to.country, given_to.mechanism, given_to.document) == (
        "Mailer Ltd", "US", "scc", "SCC 7",
    )  # fmt: skip
    assert customers.missing == ()
    assert set(notes.missing) == {"purpose", "lawful_basis", "storage"}
    assert report.missing == {name: int(name in notes.missing) for name in WANTED}
