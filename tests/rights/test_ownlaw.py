"""An operator's own grounds of law: read strictly, decided on like those that ship, and never after their last day."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from rights.decision import Decided, DecisionError, Element, Exempt, Role, Word, article, check, grounds_for, law
from rights.ownlaw import adopt, own_words, read_own_law, unsayable
from rights.request import Right
from rights.yamlfile import FileErrors
from tests.rights.ownlaw import CODE, DENIED, LAST, LAW

PART = Decided(word=Word.IN_PART, parts=(Exempt(category="notes", ground=CODE),))
WHOLE = Decided(word=Word.REFUSE, ground=DENIED)


@pytest.fixture(autouse=True)
def _as_shipped() -> Iterator[None]:
    yield
    adopt(None)


def test_COM_11_a_limit_of_a_law_that_does_not_ship_is_decided_on_until_its_last_day() -> None:
    shipped = dict(law().grounds)
    with pytest.raises(DecisionError, match="no such ground"):
        check(PART, Right.ACCESS, ["eu-gdpr"], {Element.REASON}, LAST)

    adopt(read_own_law("law.yaml", LAW))

    needs = check(PART, Right.ACCESS, ["eu-gdpr"], {Element.REASON}, LAST)
    assert needs.approvers == (Role.COUNSEL,)
    assert needs.consult
    assert article(CODE) == "Art. 99 of Law 1/2020 (Portugal)"
    with pytest.raises(DecisionError, match=f"nothing is decided on {CODE} after {LAST}"):
        check(PART, Right.ACCESS, ["eu-gdpr"], {Element.REASON}, LAST + timedelta(days=1))
    for right, laws, texts in (
        (Right.ERASURE, ["eu-gdpr"], {Element.REASON}),
        (Right.ACCESS, ["uk-gdpr"], {Element.REASON}),
        (Right.ACCESS, ["eu-gdpr", "us-tx"], {Element.REASON}),
        (Right.ACCESS, ["eu-gdpr"], set()),
    ):
        with pytest.raises(DecisionError):
            check(PART, right, laws, texts, LAST)
    adopt(None)
    assert dict(law().grounds) == shipped


def test_MET_05_a_refusal_under_a_law_that_does_not_ship_has_a_coded_ground_of_it() -> None:
    adopt(read_own_law("law.yaml", LAW))

    assert DENIED in grounds_for(Right.RECTIFICATION, ["us-tx"])
    assert DENIED not in grounds_for(Right.RECTIFICATION, ["us-co"])
    assert check(WHOLE, Right.RECTIFICATION, ["us-tx"], {Element.REASON}, date(2027, 1, 1)).approvers
    with pytest.raises(DecisionError, match="its law has ended"):
        check(WHOLE, Right.RECTIFICATION, ["us-tx"], {Element.REASON}, date(2031, 1, 1))


def test_nothing_is_decided_where_no_letter_could_say_it() -> None:
    adopt(read_own_law("law.yaml", LAW))

    assert own_words(CODE, "fr")
    assert own_words("gdpr_15_4", "fr") is None, "a code that ships has its words elsewhere"
    assert unsayable(PART.codes, "fr") is None
    assert f"{CODE} has no words in 'es'" in str(unsayable(PART.codes, "es"))


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        (f"{CODE}:", "pt_1_2020:", "grounds", "a code here begins with own_"),
        ("effect: exempt", "effect: grant", f"grounds.{CODE}.effect", "exempt"),
        ("regimes: [eu-gdpr]", "regimes: []", f"grounds.{CODE}.regimes", "at least 1"),
        ("regimes: [eu-gdpr]", "regimes: [eu-gdprx]", f"grounds.{CODE}.regimes", "'eu-gdprx' is no regime"),
        ("    approver: counsel\n", "", f"grounds.{CODE}", "needs an approver"),
        ("    words:\n", "    wards:\n", f"grounds.{CODE}", "'words' is missing"),
        ("      en: of business", "      pl: of business", f"grounds.{CODE}.words", "'en', 'de', 'fr' or 'es'"),
        ("until: 2027-12-31", "until: 2029-12-31", f"grounds.{CODE}", "confirmed again within 24 months"),
        ("until: 2027-12-31", "until: 2025-12-31", f"grounds.{CODE}", "before the day on which it was verified"),
        ("until: 2027-12-31, ", "", f"grounds.{CODE}.limit", "'until' is missing"),
        ('lifted_when: "nothing of it is secret any more"', 'lifted_when: ""', f"grounds.{CODE}", "write what ends it"),
        ("by: s-17", "by: Anna Example", f"grounds.{CODE}.verified.by", "pattern"),
        (", day: 2026-11-20", "", f"grounds.{CODE}.verified", "'day' is missing"),
        ('article: "Art. 99 of Law 1/2020 (Portugal)"', 'article: ""', f"grounds.{CODE}.article", "at least 3"),
    ],
)  # fmt: skip
def test_a_slip_is_refused_where_it_stands_and_says_what_to_write(old: str, new: str, path: str, said: str) -> None:
    assert old in LAW
    text = LAW.replace(old, new, 1)

    with pytest.raises(FileErrors) as wrong:
        read_own_law("law.yaml", text)

    told = [str(error) for error in wrong.value.errors]
    assert [one for one in told if one.startswith("law.yaml:") and f": {path}" in one and said in one], told
    assert not [one for one in told if "Anna" in one], "nothing that was typed is said again"


def test_its_digest_is_of_its_text() -> None:
    first, second = read_own_law("law.yaml", LAW), read_own_law("law.yaml", LAW + "# read again\n")
    assert len({first.digest, second.digest, read_own_law("another.yaml", LAW).digest}) == 2
