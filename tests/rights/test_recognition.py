"""Rights recognised from words: proposed, never decided."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.letters import LANGUAGES
from rights.recognition import recognise, recognition_law
from rights.request import Right

SAYS = [
    ("What do you have on me?", Right.ACCESS),
    ("Please send me a copy of all the data you keep.", Right.ACCESS),
    ("WAS WISSEN SIE ÜBER MICH", Right.ACCESS),
    ("Bitte um Auskunft, welche Daten von mir gespeichert sind", Right.ACCESS),
    ("Quelles données avez-vous sur moi ?", Right.ACCESS),
    ("¿Qué datos tienen sobre mí?", Right.ACCESS),
    ("delete everything, all of my data", Right.ERASURE),
    ("Close my account and get rid of it", Right.ERASURE),
    ("Löschen Sie bitte meine Daten", Right.ERASURE),
    ("Veuillez effacer toutes mes données", Right.ERASURE),
    ("Quiero que borren mis datos", Right.ERASURE),
    ("My address in your records is wrong", Right.RECTIFICATION),
    ("Meine Angaben sind falsch, bitte berichtigen", Right.RECTIFICATION),
    ("Mes informations sont inexactes", Right.RECTIFICATION),
    ("Mis datos son incorrectos", Right.RECTIFICATION),
    ("do not sell my stuff", Right.OPT_OUT),
    ("Hiermit widerrufe ich meine Einwilligung", Right.CONSENT_WITHDRAWAL),
    ("Je retire mon consentement", Right.CONSENT_WITHDRAWAL),
    ("Retiro mi consentimiento", Right.CONSENT_WITHDRAWAL),
    ("Ich will keine Werbung mehr", Right.OBJECTION),
    ("Me opongo al tratamiento", Right.OBJECTION),
    ("I want to take my data with me, machine readable", Right.PORTABILITY),
    ("freeze my account details until this is settled", Right.RESTRICTION),
    ("A computer said no, I want a human review", Right.DECISION_REVIEW),
]


@pytest.mark.parametrize(("text", "right"), SAYS)
def test_COM_02_a_right_is_recognised_without_its_legal_name(text: str, right: Right) -> None:
    assert right in {one.right for one in recognise(text).proposed}


AMBIGUOUS = [
    "I have a question about my data.",
    "It is about the information you hold, please call me back.",
    "Es geht um meine Daten.",
    "Ich habe eine Frage zu den Angaben in meinem Konto.",
    "J'ai une question concernant mes données.",
    "Tengo una duda sobre mis datos.",
    "Send me a copy of my data and then delete my data.",
    "Bitte eine Kopie meiner Daten, danach löschen Sie meine Daten.",
    "Une copie de mes données, puis effacez mes données.",
    "Una copia de mis datos, y después borren mis datos.",
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_COM_02_an_ambiguous_text_has_access_proposed_and_is_asked_back_and_never_closed(text: str) -> None:
    """The data is named, and what is wanted of it is not clear: the copy, which takes nothing away, and a question."""
    found = recognise(text)
    assert Right.ACCESS in {one.right for one in found.proposed}
    assert found.ask_back
    for right in Right:
        # Whichever is opened, every other right that has words in it goes on a desk.
        assert {right, *found.beyond(right)} >= {one.right for one in found.proposed} - (
            {Right.ACCESS} if found.vague else set()
        )


@pytest.mark.parametrize(("text", "right"), SAYS)
def test_COM_02_a_clear_text_of_the_corpus_leaves_nothing_beyond_its_right(text: str, right: Right) -> None:
    assert recognise(text).beyond(right) == ()
    assert not recognise(text).ask_back
    other = next(one for one in Right if one is not right)
    assert recognise(text).beyond(other) == (right,), "opened as another right, it is put on a desk"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "When does my parcel arrive?",
        "Please delete this message.",
        "Was kostet der Versand nach Wien?",
        "Quels sont vos horaires ?",
        "¿Cuánto cuesta el envío?",
    ],
)
def test_what_is_about_something_else_is_no_right_and_the_person_is_asked(text: str) -> None:
    found = recognise(text)
    assert (found.proposed, found.ask_back) == ((), True)


def test_COM_02_what_may_mean_several_rights_has_them_all_and_the_person_is_asked() -> None:
    both = recognise("Send me a copy of my data and then delete my data.")
    assert {one.right for one in both.proposed} >= {Right.ACCESS, Right.ERASURE}
    assert both.ask_back
    one = recognise("I want to be told: what do you have on me")
    assert [(found.right, found.plainly) for found in one.proposed] == [(Right.ACCESS, True)]
    assert not one.ask_back


def test_every_right_has_words_in_every_language_of_letters() -> None:
    law = recognition_law()
    assert set(law.rights) == set(Right)
    for right, languages in law.rights.items():
        assert set(languages) == set(LANGUAGES), right
        for said in languages.values():
            assert said.asks or said.about, right
    words = [word for by in law.rights.values() for said in by.values() for word in (*said.asks, *said.about)]
    words += [word for names in law.data.values() for word in names]
    for word in words:
        plain = unicodedata.normalize("NFKD", word.casefold())
        assert word == plain, f"{word} is written without case and accents"
        assert all(part.rstrip("*").isalnum() for part in word.split()), word


@given(st.sampled_from(SAYS), st.text(max_size=40))
def test_case_and_accents_make_no_difference_and_no_text_is_too_odd(said: tuple[str, Right], odd: str) -> None:
    text, right = said
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.upper()) if not unicodedata.combining(one))
    assert right in {one.right for one in recognise(f"{plain}\n\n{odd}").proposed}
