"""Who did it stands in the journal for ever: by a role or a staff number, by nothing that reaches somebody."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.approvers import gives_away

NUMBERS = (
    *("+49 30 1234567", "+493012345678", "0049 30 123456", "030/1234567", "(030) 123-4567", "0151.23456789"),
    *(
        "07700 900123",
        "555-0199-22",
        "491511234567",
        "tel:+4930123456",
        "desk (030) 1234567",
        "\uff10\uff13\uff10 1234567",
    ),
)
ADDRESSES = ("anna@example.org", "Anna Berg <anna@example.org>", "mailto:a@b", "anna\uff20example.org", "ä@ö.example")
OPAQUE = (
    *("s-17", "support desk", "legal", "12345678", "00012345", "desk 24/7", "team 3, floor 12", "HD-2026-001234"),
    *("p-0123456789ab0123456789ab", "system-web-shop", "shift 2026", "privacy @ Berlin", "1st line", "s-4711-2026"),
)


@pytest.mark.parametrize("who", [*NUMBERS, *ADDRESSES])
def test_an_address_or_a_telephone_number_is_known_for_one(who: str) -> None:
    assert gives_away(who)


@pytest.mark.parametrize("who", OPAQUE)
def test_a_role_or_a_staff_number_is_taken_for_neither(who: str) -> None:
    assert not gives_away(who)


@given(st.emails(), st.text(max_size=20), st.text(max_size=20))
def test_an_address_is_known_whatever_stands_around_it(address: str, before: str, after: str) -> None:
    assert gives_away(f"{before} {address} {after}")


@given(st.integers(10**8, 10**14 - 1), st.sampled_from(["{}", "+{}", "desk {}", "tel:{}", "({})", "{}, desk"]))
def test_digits_of_the_length_of_a_telephone_number_are_known_whatever_stands_around_them(
    number: int, around: str
) -> None:
    assert gives_away(around.format(number))


@given(st.uuids(version=4))
def test_a_random_id_of_a_directory_is_never_taken_for_a_number(one: uuid.UUID) -> None:
    assert not gives_away(str(one))
