"""Several laws on one request: what is ours to do comes first, what is taken from the person comes last."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from activities.letters import LetterIncomplete, render
from activities.specimen import specimen
from rights.appeals import NoAppealError, appeal_clock, longer
from rights.clockwork import ClockEvent, NotAllowedError, Turn, extensions, turned
from rights.deadlines import start_clock
from rights.decision import grounds_for
from rights.identity import Move, Unreached, identity_law
from rights.lawfile import shipped
from rights.letterkinds import LetterKind, Result
from rights.letterlaw import sayings
from rights.letters import Authority, Office
from rights.reckoning import local_day
from rights.regimes import SHIPPED, regime
from rights.request import Right
from rights.unproven import KINDEST, coming, together
from rights.weighing import Matter, due, reviews
from rights.yamlfile import FileErrors

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
EU_CA = (("eu-gdpr", "us-ca-ccpa"), ("us-ca-ccpa", "eu-gdpr"))
"""Two laws that differ, each named first once."""
LAWS = st.lists(st.sampled_from(sorted(SHIPPED)), min_size=1, max_size=4, unique=True)


def moves(laws: Sequence[str], right: Right, *, asked: int, lapsed: int | None = None) -> list[tuple[int, Move]]:
    """What comes by itself, by the day after receipt."""
    found = coming(
        together(laws),
        right,
        received_at=AT,
        asked_at=AT + asked * DAY,
        reminded=0,
        lapsed_at=None if lapsed is None else AT + lapsed * DAY,
    )
    return [((at - AT).days, move) for at, move in found]


@pytest.mark.parametrize("laws", EU_CA)
def test_a_lapse_comes_under_the_last_law_and_denies_nothing_that_another_lets_rest(laws: Sequence[str]) -> None:
    """California alone denies on day 38 and is over with it; Europe's request waits thirty days and rests sixty."""
    assert moves(["us-ca-ccpa"], Right.ERASURE, asked=20)[-1] == (38, Move.LAPSE)
    assert moves(["us-ca-ccpa"], Right.ERASURE, asked=20, lapsed=38) == [(38, Move.END)]

    assert moves(laws, Right.ERASURE, asked=20)[-1] == (50, Move.LAPSE)
    assert together(laws).becomes(Right.ERASURE, [2, 2]) is Unreached.LAPSE
    assert moves(laws, Right.ERASURE, asked=20, lapsed=50) == [(110, Move.END)]


@pytest.mark.parametrize("laws", EU_CA)
def test_what_a_law_gives_instead_is_given_when_it_wants_that_and_the_request_rests_on(laws: Sequence[str]) -> None:
    """KNO-05 within California's term, and Europe's person may still prove who they are as long as ever."""
    assert moves(laws, Right.ACCESS, asked=20)[-1] == (38, Move.LAPSE)
    assert together(laws).becomes(Right.ACCESS, [2, 2]) is Unreached.CATEGORIES
    assert together(laws).becomes(Right.ACCESS, [1, 1]) is Unreached.LAPSE
    assert moves(laws, Right.ACCESS, asked=20, lapsed=38) == [(110, Move.END)]


def test_a_deletion_is_an_opt_out_where_any_of_the_laws_makes_it_one() -> None:
    for laws in permutations(["us-ca-ccpa", "us-ca-drop"]):
        assert together(laws).becomes(Right.ERASURE, [0, 0]) is Unreached.OPT_OUT
        assert together(laws).treated_as(Right.ERASURE, Unreached.OPT_OUT) == "opt_out"


def test_who_gets_no_categories_in_california_is_shown_where_they_stand_for_everybody() -> None:
    """11 CCR 7024(b)."""
    ccpa = together(["us-ca-ccpa"])
    assert ccpa.treated_as(Right.ACCESS, Unreached.CATEGORIES) == "categories"
    assert ccpa.treated_as(Right.ACCESS, Unreached.DENY) == "privacy_notice"
    assert ccpa.treated_as(Right.ERASURE, Unreached.DENY) is None
    assert together(["eu-gdpr"]).treated_as(Right.ACCESS, Unreached.LAPSE) is None


@given(LAWS, st.sampled_from(list(Right)), st.integers(0, 60), st.integers(0, 4))
def test_more_laws_never_leave_a_person_less(laws: list[str], right: Right, asked: int, level: int) -> None:
    """Whatever one of the laws leaves them alone, they have under all together, and for as long."""
    all_of, at = together(laws), AT + asked * DAY
    became = all_of.becomes(right, [level] * len(laws))
    lapse = all_of.lapses_at(right, AT, at)
    for law in laws:
        alone = together([law])
        assert KINDEST.index(became) <= KINDEST.index(alone.becomes(right, [level]))
        own = alone.lapses_at(right, AT, at)
        assert all_of.ends_at(right, AT, at, lapse) >= alone.ends_at(right, AT, at, own)


def test_whoever_reviews_a_decision_has_the_shortest_of_the_terms() -> None:
    for laws in permutations(["uk-gdpr", "br-lgpd"]):
        assert due(Matter.DECISION, laws, AT, None) == AT + 10 * DAY
    assert due(Matter.DECISION, ["uk-gdpr"], AT, None) == AT + 21 * DAY


def test_an_appeal_is_extended_no_further_than_each_of_its_laws_lets_it() -> None:
    """Colorado: 45 days, and 60 more by notice. Virginia: 60 days, and no more."""
    for names in permutations(["us-co", "us-va"]):
        laws = [regime(name) for name in names]
        clocks = [start_clock(law, AT, "America/Denver") for law in laws]
        clock = appeal_clock(clocks, laws, AT)
        assert local_day(clock.legal_due, clock.zone) == date(2026, 4, 16)
        assert local_day(longer(clock, laws).legal_due, clock.zone) == date(2026, 5, 1), "Virginia's day stands"


def test_an_appeal_that_no_notice_makes_longer_cannot_be_extended() -> None:
    """Oregon: 45 days, like Colorado, and no more."""
    laws = [regime("us-co"), regime("us-or")]
    clocks = [start_clock(law, AT, "America/Denver") for law in laws]
    assert appeal_clock(clocks, laws, AT).notice_by is None
    assert appeal_clock(clocks[:1], laws[:1], AT).notice_by is not None


def test_what_none_of_the_laws_knows_is_said_of_all_of_them() -> None:
    laws = [regime("nz"), regime("ca-qc")]
    clocks = tuple(start_clock(law, AT, "America/Toronto") for law in laws)
    with pytest.raises(NoAppealError, match=r"New Zealand.* and .*Quebec"):
        appeal_clock(clocks, laws, AT)
    law = [one for one in laws if one.extension is None]
    assert law, "one without an extension"
    event = ClockEvent(turn=Turn.EXTENDED, day=AT.date(), ground="complexity")
    two = [regime("ca-qc"), regime("jp-appi")]
    with pytest.raises(NotAllowedError, match=r"Quebec.* and .*Japan"):
        turned(tuple(start_clock(one, AT, "UTC") for one in two), two, [], event, Right.ACCESS, AT)


@pytest.mark.parametrize("laws", EU_CA)
def test_a_ground_that_grants_counts_under_any_law_and_one_that_refuses_only_under_all(laws: Sequence[str]) -> None:
    found = grounds_for(Right.ERASURE, laws)
    assert "gdpr_17_1_a" in found
    assert not {"gdpr_17_3_b", "gdpr_12_5_excessive", "ccpa_105_d_security", "ccpa_145_h_3"} & found.keys()
    assert "other_refusal" in found


@pytest.mark.parametrize("laws", EU_CA)
@pytest.mark.parametrize("kind", [LetterKind.REFUSAL, LetterKind.EXCESSIVE_REFUSAL, LetterKind.LAPSE])
def test_com_03_a_refusal_has_complaint_and_remedy_if_any_of_its_laws_wants_them(
    laws: Sequence[str], kind: LetterKind
) -> None:
    said = {one.element for one in sayings(kind, laws, Right.ERASURE) if one.must}
    assert said >= {"complaint", "remedy", "opt_out_offer"}


@given(LAWS, st.sampled_from(list(LetterKind)), st.sampled_from(list(Right)), st.sampled_from(list(Result)))
def test_a_letter_under_several_laws_says_all_that_each_of_them_wants(
    laws: list[str], kind: LetterKind, right: Right, result: Result
) -> None:
    try:
        together_said = {one.element for one in sayings(kind, laws, right, result) if one.must}
    except ValueError:
        return  # this kind knows no such result
    for law in laws:
        mine = {one.element for one in sayings(kind, law, right, result) if one.must}
        assert mine - {"clock_identity", "clock_question"} <= together_said
    assert sayings(kind, laws, right, result)[-1].element == "dpo"


@pytest.mark.parametrize("laws", EU_CA)
def test_the_time_is_said_to_stand_still_only_where_it_does_under_every_law(laws: Sequence[str]) -> None:
    said = {one.element for one in sayings(LetterKind.IDENTITY_NEEDED, laws)}
    assert "clock_runs" in said
    assert "clock_identity" not in said
    both = {one.element for one in sayings(LetterKind.IDENTITY_NEEDED, ("eu-gdpr", "uk-gdpr"))}
    assert "clock_identity" in both


def test_a_refusal_names_the_authority_of_each_law_that_has_one() -> None:
    office = Office(
        controller="Example Ltd",
        dpo="dpo@example.com",
        authorities={
            "eu-gdpr": Authority(name="The European one", contact="eu@example.org"),
            "br-lgpd": Authority(name="The Brazilian one", contact="br@example.org"),
        },
    )
    facts = specimen(LetterKind.REFUSAL, "eu-gdpr").model_copy(update={"further": ("br-lgpd",)})
    text = render(facts, office).text
    assert "The European one" in text
    assert "The Brazilian one" in text
    assert text.count("go to court") == 1
    with pytest.raises(LetterIncomplete):
        render(facts, office.model_copy(update={"authorities": {"eu-gdpr": office.authorities["eu-gdpr"]}}))


# Readings of low confidence.


def test_a_reading_of_low_confidence_neither_denies_nor_delays_anybody() -> None:
    law = identity_law()
    for name, section in law.regimes.items():
        assert section.confidence != "low" or Unreached.DENY not in section.unreached.values(), name
    for name, grounds in extensions().regimes.items():
        assert grounds.confidence != "low" or not grounds.grounds, name
    for name, term in reviews().regimes.items():
        assert term.confidence != "low" or term.days <= reviews().default.days, name


def test_singapores_notice_moves_no_clock_while_its_text_is_not_read() -> None:
    law = regime("sg-pdpa")
    clock = start_clock(law, AT, "Asia/Singapore")
    assert clock.notice_by is not None, "the day by which the person is told stands"
    event = ClockEvent(turn=Turn.EXTENDED, day=AT.date(), ground="not_in_time", until=date(2026, 6, 1))
    with pytest.raises(NotAllowedError, match="no ground is on record"):
        turned((clock,), [law], [], event, Right.ACCESS, AT)


def test_what_cannot_be_authenticated_in_a_state_is_told_of_within_its_term_and_rests() -> None:
    assert moves(["us-va"], Right.ERASURE, asked=20)[-1] == (38, Move.LAPSE)
    assert moves(["us-ia"], Right.ERASURE, asked=20)[-1] == (50, Move.LAPSE), "ninety days in Iowa"
    assert moves(["us-va"], Right.ERASURE, asked=20, lapsed=38) == [(98, Move.END)]
    assert "appeal_how" in {one.element for one in sayings(LetterKind.LAPSE, "us-va") if one.must}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("identity.yaml", "    confidence: medium\n    answer_by_days: 83",
         "    confidence: low\n    unreached: {access: deny}\n    answer_by_days: 83", "denies nobody"),
        ("extensions.yaml", "    grounds: {}", "    grounds: {not_in_time: later}", "delays nobody"),
        ("review.yaml", "    days: 21\n    source: \"11 CCR", "    days: 22\n    source: \"11 CCR", "longer than"),
    ],
)  # fmt: skip
def test_a_file_that_would_is_refused(file: str, old: str, new: str, said: str) -> None:
    from rights.clockwork import _Extensions
    from rights.identity import IdentityLaw
    from rights.lawfile import read_law
    from rights.weighing import _Reviews

    models: dict[str, type[BaseModel]] = {
        "identity.yaml": IdentityLaw,
        "extensions.yaml": _Extensions,
        "review.yaml": _Reviews,
    }
    text = shipped(file)
    assert text.count(old) == 1
    with pytest.raises(FileErrors, match=said):
        read_law(models[file], file, text.replace(old, new))
