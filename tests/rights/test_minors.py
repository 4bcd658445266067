"""Up to what age a parent speaks for a child."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.lawfile import shipped
from rights.mandates import Mandate, MandateRefusal
from rights.minors import minors_law, needs_guardian, parent_may_ask, read_minors
from rights.request import Right
from rights.yamlfile import FileErrors

TODAY = date(2026, 6, 1)
MEMBER_STATES = sorted(
    {*("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU")}
    | {*("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK")}
)
SHIPPED = shipped("minors.yaml")


def parent(age: int, country: str) -> Mandate:
    body = {"kind": "parent", "scope": ["erasure"], "signed": "2026-05-01", "answer_to": "person", "age": age}
    return Mandate.model_validate({**body, "country": country})


def test_CHI_01_every_member_state_has_an_age_that_article_8_allows() -> None:
    for state in MEMBER_STATES:
        assert 13 <= minors_law().parent_until(state) <= 16, state
        assert minors_law().countries[state].source


@pytest.mark.parametrize(
    ("country", "age"),
    [
        ("AT", 14),
        ("DE", 16),
        ("fr", 15),
        ("ES", 14),
        ("IE", 16),
        ("GB", 13),
        ("US", 13),
        ("IN", 18),
        ("", 13),
        ("XX", 13),
    ],
)
def test_CHI_01_a_parent_may_ask_up_to_the_age_of_consent_of_the_country(country: str, age: int) -> None:
    parent(age - 1, country).carry(Right.ERASURE, TODAY)
    with pytest.raises(MandateRefusal, match="in their own name"):
        parent(age, country).carry(Right.ERASURE, TODAY)


@pytest.mark.parametrize(
    "right", [Right.ACCESS, Right.ERASURE, Right.OBJECTION, Right.OPT_OUT, Right.CONSENT_WITHDRAWAL]
)
def test_CHI_04_a_parent_of_a_child_under_13_reviews_deletes_and_refuses_more(right: Right) -> None:
    """16 CFR 312.6(a): review, refuse further use or collection, have deleted."""
    mine = parent(12, "US").model_copy(update={"scope": (right,)})
    mine.carry(right, TODAY)
    assert not mine.to_confirm, "the child confirms nothing"
    with pytest.raises(MandateRefusal, match="in their own name"):
        mine.model_copy(update={"age": 13}).carry(right, TODAY)


def test_a_teenager_asks_alone_unless_a_law_says_who_exercises_the_rights() -> None:
    assert not needs_guardian(13, "DE"), "that a parent may ask takes nothing from a child"
    assert [needs_guardian(age, "BR") for age in (11, 12)] == [True, False]
    assert [needs_guardian(age, "NL") for age in (15, 16)] == [True, False]


@given(age=st.integers(0, 18), country=st.sampled_from(["", "XX", *minors_law().countries]))
def test_for_every_child_somebody_may_ask(age: int, country: str) -> None:
    assert parent_may_ask(age, country) or not needs_guardian(age, country)


@pytest.mark.parametrize(
    ("was", "written", "says"),
    [
        (
            "NL:\n    consent_from: 16",
            "NL:\n    consent_from: 15",
            r"minors.yaml:\d+: countries.NL: own_name_from is above",
        ),
        ('consent_from: 14, source: "DSG', 'consent: 14, source: "DSG', r"minors.yaml:\d+: countries.AT"),
        ('  "NO":', "  NOR:", r"countries.NOR"),
        ('chapter III"\n    confidence: medium', 'chapter III"\n    confidence: low', r"shuts no child out"),
    ],
)
def test_a_slip_in_the_table_is_refused_with_its_line(was: str, written: str, says: str) -> None:
    assert was in SHIPPED
    with pytest.raises(FileErrors, match=says):
        read_minors("minors.yaml", SHIPPED.replace(was, written, 1))
