"""How an identity may be written: every way names the same mailbox or number."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.spellings import spellings
from rights.subject import Identity


def test_an_address_with_an_international_domain_is_known_by_both_ways_to_write_it() -> None:
    both = {"Anna@straße.example", "Anna@xn--strae-oqa.example"}
    for written in both:
        assert {one.value for one in spellings([Identity("email", written)])} == both
    plain = (Identity("email", "anna@example.org"), Identity("customer_id", "xn--bcher-kva"))
    assert spellings(plain) == plain


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", max_size=8))
def test_what_only_looks_like_an_international_domain_hands_no_system_an_odd_character(label: str) -> None:
    for one in spellings([Identity("email", f"a@xn--{label}.example")]):
        assert one.value.isprintable()
        assert one.value.count("@") == 1
        assert one.value.count(".") == 1


@pytest.mark.parametrize(
    "given_as", ["+49301234567", "0049301234567", "+49 30 1234567", "+49 (0)30 / 123-4567", "030 1234567"]
)
def test_a_phone_number_is_known_by_the_ways_that_name_its_country(given_as: str) -> None:
    found = [one.value for one in spellings([Identity("phone", given_as)], "+49")]

    assert found[0] == given_as
    assert {*found} == {given_as, "+49301234567", "0049301234567", "+49 30 1234567"}


@pytest.mark.parametrize("given_as", ["030 1234567", "+999 12", "desk 4", "+", ""])
def test_what_names_no_country_is_looked_for_as_it_is(given_as: str) -> None:
    assert spellings([Identity("mobile", given_as)]) == (Identity("mobile", given_as),)


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.sampled_from(["+1", "+33", "+49", ""]))
def test_no_spelling_is_another_number_wherever_it_is_read(region: str, calling_code: str) -> None:
    """A national one would be: 06 12345678 is a mobile in France and a landline in Germany."""
    example = phonenumbers.example_number(region)
    assert example is not None
    given_as = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for one in spellings([Identity("phone", given_as)], calling_code):
        assert one.value.startswith(("+", "00"))
        digits = one.value.removeprefix("+").removeprefix("00")
        assert phonenumbers.parse(f"+{digits}") == example
