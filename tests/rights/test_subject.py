"""Identities are taken as people type them, and never shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.subject import (
    MAX_IDENTITIES,
    MAX_VALUE,
    Identity,
    IdentityError,
    comparable,
    ignores_case,
    parse_identities,
    parse_identity,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=50).filter(
    str.strip
)


@given(TEXTS)
def test_a_value_keeps_what_it_says(value: str) -> None:
    assert parse_identity("customer_id", value).value == unicodedata.normalize("NFC", value).strip()


@given(TEXTS)
def test_parsing_twice_changes_nothing_more(value: str) -> None:
    once = parse_identity("customer_id", value)

    assert parse_identity("customer_id", once.value) == once


@given(TEXTS.filter(lambda text: len(text) > 12), st.sampled_from(["customer_id", "email", "Bad Kind", ""]))
def test_neither_a_repr_nor_an_error_shows_the_value(value: str, kind: str) -> None:
    try:
        said = repr(parse_identity(kind, value))
    except IdentityError as error:
        said = f"{error!r} {error}"

    assert value.strip() not in said


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.org",
        "o'brien@example.org",
        "Anna.Berg+shop@sub.example.org",
        "a@localhost",
        "renée@example.org",
        "anna@bücher.example",
        "anna@xn--bcher-kva.example",
        "_%$|~^`{}/?=*&!#@example.org",
    ],
)
def test_an_address_of_any_real_form_is_taken(address: str) -> None:
    assert parse_identity("email", address).value == address


@pytest.mark.parametrize("unseen", ["\ufeff", "\u200b", "\u00ad", "\u202e", "\u2060"])
@pytest.mark.parametrize("around", ["{}anna@example.org", "an{}na@example.org", "anna@example.org{}"])
def test_an_address_with_a_character_that_nobody_sees_is_refused(around: str, unseen: str) -> None:
    """By it nobody would be found, and a hold would hold nobody."""
    with pytest.raises(IdentityError, match="invisible character"):
        parse_identity("email", around.format(unseen))


def test_only_the_domain_of_an_address_is_lower_cased() -> None:
    assert parse_identity("email", " Anna@Example.ORG ").value == "Anna@example.org"


def test_case_and_zeros_of_other_identities_stay() -> None:
    assert parse_identity("customer_id", "00aB").value == "00aB"


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "anna@",
        "@example.org",
        "anna@@example.org",
        "anna@example..org",
        "an..na@example.org",
        "anna@-example.org",
        "anna@example.org-",
        "an na@example.org",
        "<anna@example.org>",
        '"anna"@example.org',
        "anna@example.org, ben@example.org",
        "anna@example.org; DROP TABLE customers",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(IdentityError, match="name@domain"):
        parse_identity("email", address)


@pytest.mark.parametrize(
    ("kind", "value", "advice"),
    [
        ("Email", "a@example.org", "lower-case word"),
        ("", "a", "lower-case word"),
        ("customer id", "a", "lower-case word"),
        ("k" * 41, "a", "lower-case word"),
        ("email\n", "a@example.org", "lower-case word"),
        ("customer_id", " \t ", "give customer_id=VALUE"),
        ("customer_id", "x" * (MAX_VALUE + 1), f"longer than {MAX_VALUE}"),
        ("customer_id", "x" * 1_000_000, f"longer than {MAX_VALUE}"),
        ("customer_id", "a\0b", "control character"),
        ("customer_id", "a\nb", "control character"),
        ("customer_id", "a\ud800b", "control character"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_write(kind: str, value: str, advice: str) -> None:
    with pytest.raises(IdentityError, match=advice):
        parse_identity(kind, value)


@given(st.lists(st.tuples(st.just("customer_id"), TEXTS), min_size=1, max_size=10))
def test_the_same_identity_given_twice_counts_once(pairs: list[tuple[str, str]]) -> None:
    assert parse_identities(pairs * 2) == parse_identities(pairs)


def test_no_identity_is_refused() -> None:
    with pytest.raises(IdentityError, match="at least one"):
        parse_identities([])


def test_too_many_identities_are_refused() -> None:
    with pytest.raises(IdentityError, match="one person"):
        parse_identities([("customer_id", str(number)) for number in range(MAX_IDENTITIES + 1)])


def test_an_identity_is_known_by_kind_and_value() -> None:
    assert Identity("email", "a@example.org") != Identity("customer_id", "a@example.org")


@pytest.mark.parametrize(
    ("kind", "ignored"), [("email", True), ("object_key", False), ("customer_number", False), ("device", False)]
)
def test_case_makes_a_difference_to_all_but_addresses(kind: str, ignored: bool) -> None:
    assert ignores_case(kind) is ignored


@given(TEXTS)
def test_both_forms_of_unicode_are_compared_as_one(value: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, value) for form in ("NFC", "NFD"))

    for casefold in (True, False):
        assert comparable(composed, casefold=casefold) == comparable(decomposed, casefold=casefold)
    assert comparable("A", casefold=True) == comparable("a", casefold=True)
    assert comparable("A", casefold=False) != comparable("a", casefold=False)
