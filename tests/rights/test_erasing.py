"""Why an erasure is owed is on record as it was stated, and nothing that nobody has stated is."""

import pytest

from rights.details import needs_details, read_details
from rights.erasing import NONE_STATED, ErasureDetails, Why, provision_of, stated_ground
from rights.request import Right
from rights.yamlfile import FileErrors


@pytest.mark.parametrize(("word", "letter"), list(zip(Why, "abcdef", strict=True)))
def test_ERA_01_each_ground_of_article_17_is_one_that_a_request_can_name(word: Why, letter: str) -> None:
    details = read_details(Right.ERASURE, "details.yaml", f"ground: {word}\nnote: in my own words")

    assert isinstance(details, ErasureDetails)
    assert stated_ground(Right.ERASURE, details) == word
    assert provision_of(word, ["eu-gdpr"]) == f"GDPR Art. 17(1)({letter})"


def test_ERA_01_nobody_has_to_name_one_and_none_is_made_up() -> None:
    assert not needs_details(Right.ERASURE)
    assert stated_ground(Right.ERASURE, None) == NONE_STATED
    assert provision_of(NONE_STATED, ["eu-gdpr"]) is None


def test_a_law_without_such_grounds_is_given_no_provision_of_another_one() -> None:
    assert provision_of(Why.UNLAWFUL, ["us-ca-ccpa"]) is None
    assert provision_of(Why.UNLAWFUL, ["us-ca-ccpa", "uk-gdpr"]) == "GDPR Art. 17(1)(d)"


def test_other_rights_have_none() -> None:
    assert stated_ground(Right.ACCESS, None) == ""


@pytest.mark.parametrize("text", ["ground: because", "note: please"])
def test_a_slip_is_refused_and_does_not_pass_for_no_ground(text: str) -> None:
    with pytest.raises(FileErrors, match="ground"):
        read_details(Right.ERASURE, "details.yaml", text)
