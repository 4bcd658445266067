"""The letter before a lifting can be written from what the lifting gives it, in every language (GDPR Art. 18(3))."""

from datetime import date

import pytest

from activities.letters import render
from activities.specimen import specimen
from rights.letterkinds import LetterKind, Result
from rights.letters import LANGUAGES, Language
from rights.restriction import Ended, Ground
from tests.activities.test_letters import OFFICE


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("ended", Ended)
def test_res04_the_notice_says_why_and_from_when(ended: Ended, language: Language) -> None:
    given = {"ground": ended.value, "reason": None, "lift_on": date(2027, 1, 5), "language": language}
    facts = specimen(LetterKind.RESTRICTION_TO_BE_LIFTED, "eu-gdpr").model_copy(update=given)

    text = render(facts, OFFICE).text

    assert "2027" in text
    assert "_" not in text, "a code is no word"


@pytest.mark.parametrize("ground", Ground)
def test_each_ground_of_a_restriction_has_words(ground: Ground) -> None:
    facts = specimen(LetterKind.ANSWER_RESTRICTION, "eu-gdpr", result=Result.DONE).model_copy(
        update={"ground": ground.value}
    )

    assert ground.article.removeprefix("GDPR ") in render(facts, OFFICE).text
