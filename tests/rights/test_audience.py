"""A masked value helps to tell two people apart, and tells nobody who they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.audience import excerpt, mask
from rights.codes import ADVICE, Code


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("Anna Berg", "A··· B···"),
        ("anna@example.org", "a···@e···"),
        ("1984-02-01", "19······"),
        ("+49 30 1234567", "+4······"),
        (None, "(empty)"),
        ("  ", "(empty)"),
        ("F", "···"),
        (42, "······"),
        (True, "···"),
        ("2024", "······"),
    ],
)
def test_a_value_is_masked(value: object, masked: str) -> None:
    assert mask(value) == masked


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.dates(), st.floats()))
def test_no_value_shows_whole(value: object) -> None:
    masked = mask(value)

    assert masked == "(empty)" or str(value).strip() not in masked.replace("·", "")
    assert len(masked.replace("·", "")) <= 7


@given(st.sampled_from(Code))
def test_every_code_says_what_to_do(code: Code) -> None:
    assert ADVICE[code].endswith(".")


def test_what_stands_around_a_place_is_shown_masked_and_the_place_not_at_all() -> None:
    text = "one " * 20 + "Berta wrote to anna@example.org, 4711 Bob" + " two" * 20
    start = text.index("anna")

    shown = excerpt(text, start, start + len("anna@example.org"))

    assert shown == "o··· " * 5 + "B··· w··· t··· ⟨mention⟩ ··· ······ B··· t··· t··· t··· t··· t···"
    assert excerpt("a@b.de", 0, 6) == "⟨mention⟩"
