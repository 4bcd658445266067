"""Every date of a request, under every law that ships: worked examples, and what holds for all."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.reckoning import Events, Question, local_day, reckon
from rights.regimes import SHIPPED, read_regime, regime
from rights.request import Right
from rights.terms import Calendar, Term
from rights.yamlfile import FileErrors

DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
LAWS = st.sampled_from(sorted(SHIPPED)).map(regime)
EXAMPLES: dict[str, tuple[str, dict[str, Any], dict[str, str | None]]] = {
    "no 31 February: the month's last day": ("eu-gdpr", {"received": "2025-01-31"}, {"legal_due": "2025-02-28"}),
    "a Saturday moves on, and the engine works towards the Friday": (
        "eu-gdpr",
        {"received": "2025-03-05"},
        {"legal_due_unrolled": "2025-04-05", "legal_due": "2025-04-07", "internal_due": "2025-04-04"},
    ),
    "holidays that meet a weekend": (
        "eu-gdpr",
        {"received": "2026-11-25", "holidays": ["2026-12-25", "2026-12-26"]},
        {"legal_due": "2026-12-28", "internal_due": "2026-12-24"},
    ),
    "an extension counts from receipt": (
        "eu-gdpr",
        {"received": "2025-11-30"},
        {
            "extension_notice_by": "2025-12-30",
            "extended_legal_due": "2026-03-02",
            "extended_internal_due": "2026-02-27",
        },
    ),
    "two readings of three months": (
        "eu-gdpr",
        {"received": "2025-01-31"},
        {"extended_legal_due": "2025-04-30", "extended_internal_due": "2025-04-28"},
    ),
    "proof of identity that was asked for at once suspends, and the engine does not count on it": (
        "eu-gdpr",
        {"received": "2026-03-02", "identity": ("2026-03-03", "2026-03-12")},
        {"legal_due_unrolled": "2026-04-12", "legal_due": "2026-04-13", "internal_due": "2026-04-02"},
    ),
    "asked for too late it suspends nothing": (
        "eu-gdpr",
        {"received": "2026-03-02", "identity": ("2026-03-16", "2026-03-20")},
        {"legal_due": "2026-04-02", "internal_due": "2026-04-02"},
    ),
    "a clarification in the United Kingdom does not count, both days included": (
        "uk-gdpr",
        {"received": "2026-09-03", "clarification": ("2026-09-10", "2026-09-17")},
        {"legal_due_unrolled": "2026-10-11", "legal_due": "2026-10-12"},
    ),
    "identity in the United Kingdom begins the month anew": (
        "uk-gdpr",
        {"received": "2026-09-03", "identity": ("2026-09-04", "2026-09-14")},
        {"receipt_day": "2026-09-03", "legal_due": "2026-10-14", "extended_legal_due": "2026-12-14"},
    ),
    "California counts calendar days, and acknowledges in business days": (
        "us-ca-ccpa",
        {"received": "2026-01-15", "holidays": ["2026-01-19", "2026-02-16"]},
        {
            "acknowledge_by": "2026-01-30",
            "legal_due": "2026-03-01",
            "internal_due": "2026-02-27",
            "extended_legal_due": "2026-04-15",
        },
    ),
    "no proof of identity stops California's clock": (
        "us-ca-ccpa",
        {"received": "2026-01-15", "identity": ("2026-01-16", "2026-02-16")},
        {"legal_due": "2026-03-01"},
    ),
    "an opt-out in California is heeded in business days": (
        "us-ca-optout",
        {"received": "2026-01-15", "holidays": ["2026-01-19"]},
        {"legal_due": "2026-02-06", "extended_legal_due": None, "extension_notice_by": None},
    ),
    "an appeal in Virginia has 60 days": (
        "us-va",
        {"received": "2026-03-01", "appealed": "2026-04-20"},
        {
            "legal_due": "2026-04-15",
            "extended_legal_due": "2026-05-30",
            "appeal_due": "2026-06-19",
            "appeal_max_due": None,
        },
    ),
    "an appeal in Colorado may take 60 days more": (
        "us-co",
        {"received": "2026-03-01", "appealed": "2026-04-20"},
        {"appeal_due": "2026-06-04", "appeal_max_due": "2026-08-03"},
    ),
    "Brazil gives 15 days": ("br-lgpd", {"received": "2026-02-10"}, {"legal_due": "2026-02-25"}),
    "holidays inside the term extend nothing in Korea": (
        "kr-pipa",
        {"received": "2026-02-14", "holidays": ["2026-02-16", "2026-02-17", "2026-02-18"]},
        {"legal_due": "2026-02-24"},
    ),
    "New Zealand's working days are closed around the new year": (
        "nz",
        {"received": "2026-12-11"},
        {"legal_due": "2027-02-01"},
    ),
    "a right may have a term of its own": (
        "ke-dpa",
        {"received": "2026-03-02", "right": "erasure"},
        {"legal_due": "2026-03-16"},
    ),
}


def _question(pair: tuple[str, str] | None) -> Question | None:
    return Question(*map(date.fromisoformat, pair)) if pair else None


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_worked_example(name: str) -> None:
    law, given_, expected = EXAMPLES[name]
    events = Events(
        date.fromisoformat(given_["received"]),
        identity=_question(given_.get("identity")),
        clarification=_question(given_.get("clarification")),
        appealed=date.fromisoformat(given_["appealed"]) if "appealed" in given_ else None,
    )
    right = Right(given_["right"]) if "right" in given_ else None

    dates = reckon(regime(law), events, set(map(date.fromisoformat, given_.get("holidays", ()))), right)

    found = {field: getattr(dates, field) for field in expected}
    assert {field: day and day.isoformat() for field, day in found.items()} == expected


def test_the_day_of_receipt_is_a_local_one() -> None:
    from datetime import datetime

    late = datetime.fromisoformat("2026-03-31T23:30:00+00:00")
    assert local_day(late, "Europe/Berlin") == date(2026, 4, 1)
    dates = reckon(regime("eu-gdpr"), Events(local_day(late, "Europe/Berlin")), {date(2026, 5, 1)})
    assert dates.legal_due == date(2026, 5, 4)


@given(LAWS, DAYS, st.sets(DAYS, max_size=30))
def test_dates_stand_in_their_order(law: Any, received: date, holidays: set[date]) -> None:
    dates = reckon(law, Events(received), holidays)
    calendar = Calendar(holidays, law.closed)

    assert dates.legal_due is not None
    assert dates.internal_due is not None
    assert dates.legal_due_unrolled is not None
    assert dates.internal_due <= dates.legal_due_unrolled <= dates.legal_due
    assert calendar.works(dates.internal_due)
    assert not law.rolls or calendar.works(dates.legal_due)
    assert dates.legal_due > received
    if dates.extended_legal_due:
        assert dates.extended_internal_due is not None
        assert dates.extended_internal_due <= dates.extended_legal_due
        assert dates.extended_legal_due > dates.legal_due
    if dates.acknowledge_by:
        assert received < dates.acknowledge_by < dates.legal_due


@given(LAWS, DAYS, st.integers(0, 40), st.integers(0, 60))
def test_a_question_never_makes_the_engine_later_than_the_law(law: Any, received: date, asked: int, took: int) -> None:
    question = Question(received + timedelta(days=asked), received + timedelta(days=asked + took))
    plain = reckon(law, Events(received))
    for events in (Events(received, identity=question), Events(received, clarification=question)):
        dates = reckon(law, events)
        assert dates.legal_due is not None
        assert dates.internal_due is not None
        assert plain.legal_due is not None
        assert dates.legal_due >= plain.legal_due
        assert dates.internal_due <= dates.legal_due
        if law.identity != "restarts" and law.clarification != "pauses":
            assert dates.internal_due == plain.internal_due


@given(DAYS, st.sampled_from(["eu-gdpr", "uk-gdpr"]))
def test_a_later_receipt_is_never_due_earlier(received: date, law: str) -> None:
    today, tomorrow = (reckon(regime(law), Events(received + timedelta(days=n))) for n in (0, 1))
    assert today.legal_due is not None
    assert tomorrow.legal_due is not None
    assert today.legal_due <= tomorrow.legal_due


def test_while_an_answer_is_awaited_nothing_is_due() -> None:
    dates = reckon(regime("uk-gdpr"), Events(date(2026, 9, 3), identity=Question(date(2026, 9, 4))))
    assert (dates.legal_due, dates.internal_due, dates.extension_notice_by) == (None, None, None)


@pytest.mark.parametrize(
    "events",
    [
        Events(date(2026, 3, 2), identity=Question(date(2026, 3, 1))),
        Events(date(2026, 3, 2), clarification=Question(date(2026, 3, 5), date(2026, 3, 4))),
        Events(date(2026, 3, 2), appealed=date(2026, 3, 1)),
    ],
)
def test_what_cannot_have_happened_is_refused(events: Events) -> None:
    with pytest.raises(ValueError, match=r"cannot"):
        reckon(regime("eu-gdpr"), events)


def test_every_law_ships_and_those_we_are_unsure_of_are_off() -> None:
    laws = [regime(name) for name in SHIPPED]
    assert len(laws) == 45
    assert all(law.regime in SHIPPED and law.source and law.rights for law in laws)
    assert all(law.enabled == (law.confidence != "low") for law in laws)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("answer: {months: 1}\nextenson: {months: 2}", "eu.yaml:7: extenson: 'extenson' is not a key here"),
        ("answer: {months: 99}", "eu.yaml:6: answer: no law gives more than 24 months: correct the number"),
        ("answer: {months: 1, days: 3}", "eu.yaml:6: answer: write one of: months, days"),
        ('answer: {days: 3}\nclosed: ["13-01/14-01"]', "eu.yaml:7: closed: '13-01/14-01' is no span of a year"),
        ("", "eu.yaml:1: the file: 'answer' is missing"),
    ],
)
def test_a_regime_file_that_cannot_stand_is_refused_with_its_line(wrong: str, said: str) -> None:
    head = 'regime: eu\ntitle: t\nversion: "1"\nsource: s\nconfidence: high\n'
    with pytest.raises(FileErrors) as refused:
        read_regime("eu.yaml", f"{head}{wrong}\nrights: [access]\n")
    assert said in str(refused.value)


def test_a_term_says_what_it_is() -> None:
    assert [str(Term(months=1)), str(Term(working_days=15)), str(Term(hours=72))] == [
        "1 month",
        "15 working days",
        "72 hours",
    ]
