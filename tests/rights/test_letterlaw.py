"""What a letter must say under which law: the data is whole, a slip in it is refused, and each duty is in it."""

from __future__ import annotations

from importlib import resources

import pytest

from rights.audience import internal_ids
from rights.letterkinds import ANSWERS, LetterKind, Result, answer_kind
from rights.letterlaw import letter_law, read_letter_law, read_particulars, results_of, sayings
from rights.regimes import SHIPPED, regime
from rights.request import Conclusion, Right
from rights.yamlfile import FileErrors

TEXT = (resources.files("rights") / "law" / "letters.yaml").read_text()
REFUSALS = [LetterKind.REFUSAL, LetterKind.EXCESSIVE_REFUSAL]


def must(kind: LetterKind, law: str, right: Right | None = None, result: Result | None = None) -> set[str]:
    """What the letter cannot do without."""
    return {one.element for one in sayings(kind, law, right, result) if one.must}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("law", ["eu-gdpr", "uk-gdpr", "br-lgpd", "ch-fadp", "za-popia"])
def test_com_03_a_refusal_has_reason_complaint_and_remedy(kind: LetterKind, law: str) -> None:
    assert must(kind, law) >= {"reason", "complaint", "remedy"}


def test_com_04_abuse_is_refused_with_both_elements_under_every_law() -> None:
    for law in SHIPPED:
        assert must(LetterKind.EXCESSIVE_REFUSAL, law) >= {"abuse", "reason"}
    assert letter_law().elements["abuse"].needs == ("abuse_objective", "abuse_subjective")


@pytest.mark.parametrize("right", list(Right))
def test_whatever_is_answered_in_part_or_not_has_its_reason_and_a_way_to_complain(right: Right) -> None:
    kind = ANSWERS[right]
    for result in results_of(kind):
        if result in {Result.IN_PART, Result.REFUSED}:
            said = must(kind, "eu-gdpr", right, result)
            assert said & {"reason", "why", "why_in_part"}
            assert said >= {"complaint", "remedy"}


def test_appeals_are_explained_where_a_law_has_them_and_the_attorney_general_is_named_when_one_is_denied() -> None:
    """Virginia 59.1-577 and the like; the family in the file is the regimes that have an appeal."""
    having = {law for law in SHIPPED if regime(law).appeal}
    assert having == set(letter_law().families["us_appeal"])
    for law in having:
        assert "appeal_how" in must(LetterKind.REFUSAL, law, Right.ACCESS)
        assert "appeal_how" in must(LetterKind.ANSWER_ERASURE, law, Right.ERASURE, Result.IN_PART)
        assert "attorney_general" in must(LetterKind.APPEAL_OUTCOME, law, Right.ACCESS, Result.REFUSED)
        assert "attorney_general" not in must(LetterKind.APPEAL_OUTCOME, law, Right.ACCESS, Result.DONE)


def test_KNO_01_california_is_told_that_the_answer_is_of_all_times_before_and_after() -> None:
    """11 CCR 7020(e), 7024(h): so nobody has to choose a period. No other law has one, and a copy to take elsewhere
    leaves out what was not provided, so nothing of the kind is said of it."""
    for kind, result in (
        (LetterKind.ACKNOWLEDGEMENT, None),
        (LetterKind.ANSWER_ACCESS, Result.DONE),
        (LetterKind.ANSWER_ACCESS, Result.IN_PART),
        (LetterKind.ANSWER_CATEGORIES, None),
    ):
        assert "any_period" in must(kind, "us-ca-ccpa", Right.ACCESS, result)
        assert "any_period" not in must(kind, "us-va", Right.ACCESS, result)
        assert "any_period" not in must(kind, "eu-gdpr", Right.ACCESS, result)
    assert "any_period" not in must(LetterKind.ACKNOWLEDGEMENT, "us-ca-ccpa", Right.ERASURE)
    assert "any_period" not in must(LetterKind.ANSWER_ACCESS, "us-ca-ccpa", Right.ACCESS, Result.NOT_DONE)
    assert "any_period" not in must(LetterKind.ANSWER_PORTABILITY, "us-ca-ccpa", Right.PORTABILITY, Result.DONE)


def test_california_confirms_and_describes_the_process_and_offers_an_opt_out_when_deletion_is_denied() -> None:
    """11 CCR 7021(a), 7022(g)."""
    assert must(LetterKind.ACKNOWLEDGEMENT, "us-ca-ccpa") >= {"received", "process", "due"}
    assert "opt_out_offer" in must(LetterKind.REFUSAL, "us-ca-ccpa", Right.ERASURE)
    assert "opt_out_offer" in must(LetterKind.ANSWER_ERASURE, "us-ca-ccpa", Right.ERASURE, Result.IN_PART)
    assert "opt_out_offer" not in must(LetterKind.REFUSAL, "us-ca-ccpa", Right.ACCESS)
    assert "clock_runs" in must(LetterKind.IDENTITY_NEEDED, "us-ca-ccpa")


def test_quebec_names_the_provision_the_review_within_thirty_days_and_help() -> None:
    """P-39.1 s. 34, 42, 43."""
    for kind in REFUSALS:
        assert must(kind, "ca-qc") >= {"provision", "reason", "complaint", "review_quebec", "help_quebec"}
    assert must(LetterKind.ANSWER_ERASURE, "ca-qc", None, Result.IN_PART) >= {"provision", "review_quebec"}


def test_access_confirms_names_the_rights_the_authority_and_automated_decisions() -> None:
    """ACC-01, 07, 08, 10: GDPR Art. 15(1), (e), (f), (h)."""
    said = must(LetterKind.ANSWER_ACCESS, "eu-gdpr", Right.ACCESS, Result.DONE)
    assert said >= {"access_given", "statement_enclosed", "your_rights", "complaint", "automated"}


def test_the_smaller_duties_have_their_place() -> None:
    """GDPR Art. 18(3), 19, 21(4); Art. 12(3) for an extension; C-526/24 apart."""
    assert {"to_be_lifted", "why", "complaint"} <= must(LetterKind.RESTRICTION_TO_BE_LIFTED, "eu-gdpr")
    assert "told_before" in must(LetterKind.ANSWER_RESTRICTION, "eu-gdpr", None, Result.DONE)
    assert "ask_recipients" in must(LetterKind.ANSWER_ERASURE, "eu-gdpr", None, Result.DONE)
    assert {"right_to_object", "policy_changes"} <= must(LetterKind.POLICY_CHANGE, "eu-gdpr")
    assert {"extended", "why"} <= must(LetterKind.EXTENSION_NOTICE, "eu-gdpr")
    assert {"stop_link"} <= must(LetterKind.COOLING_OFF_NOTICE, "eu-gdpr")


def test_every_letter_under_every_law_names_the_data_protection_officer() -> None:
    for kind in LetterKind:
        for law in SHIPPED:
            for result in results_of(kind):
                assert sayings(kind, law, None, result)[-1].element == "dpo"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("  refusal: {says: [refused,", "  refusal: {says: [refusd,", "refusd is no element", id="element"),
        pytest.param("  withdrawn: {says:", "  gone: {says:", "kinds", id="kind"),
        pytest.param("needs: [office.dpo]", "needs: [office.dop]", "office.dop", id="need"),
        pytest.param("regimes: [uk-gdpr]", "regimes: [uk-gdrp]", "uk-gdrp is neither", id="regime"),
        pytest.param("source: \"11 CCR 7021(b)\"}", "sourse: x}", "sourse", id="key"),
    ],
)  # fmt: skip
def test_a_slip_in_the_file_is_refused_with_its_line(old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(FileErrors) as refused:
        read_letter_law("letters.yaml", TEXT.replace(old, new))
    assert told in str(refused.value)
    assert str(refused.value).startswith("letters.yaml:")


def test_what_a_decision_says_is_read_strictly_and_never_echoed() -> None:
    said = read_particulars("said.yaml", 'reason: "because"\nlift_on: 2026-12-01\n')
    assert (said.reason, str(said.lift_on)) == ("because", "2026-12-01")
    assert "because" not in repr(said)
    with pytest.raises(FileErrors) as refused:
        read_particulars("said.yaml", "reason: ok\nlift_on: canary quill\n")
    assert "said.yaml:2" in str(refused.value)
    assert "quill" not in str(refused.value)


def test_an_end_has_its_letter() -> None:
    assert answer_kind(Right.ERASURE, Conclusion.IN_PART) is LetterKind.ANSWER_ERASURE
    assert answer_kind(Right.OPT_OUT, Conclusion.ANSWERED) is LetterKind.ANSWER_OPT_OUT
    assert answer_kind(Right.ACCESS, Conclusion.NOTHING_HELD) is LetterKind.NOTHING_HELD
    assert answer_kind(Right.ACCESS, Conclusion.WITHDRAWN) is LetterKind.WITHDRAWN


def test_ids_of_holds_and_matters_are_seen_in_a_text_whatever_stands_around_them() -> None:
    mine, hold = "01kb000000000000000000anna", "01kb0000000000000000000h0d"
    assert internal_ids(f"see {mine}", mine) == []
    assert internal_ids(f"kept under {hold.upper()}.", mine) == [hold]
    assert internal_ids("a word, abcdefghjkmnpqrstvwxyz0123", mine) == []
