"""Decisions: what a refusal needs, and that the file of grounds is read strictly."""

from datetime import timedelta

import pytest

from rights.cooling import ROOM, cooling_until
from rights.decision import (
    Decided,
    DecisionError,
    Element,
    Exempt,
    Grounds,
    Limits,
    Role,
    Word,
    check,
    grounds_for,
    law,
    limits,
)
from rights.details import read_details
from rights.lawfile import read_law, shipped
from rights.request import Right
from rights.yamlfile import FileErrors
from tests.ledger.builders import AT, later

GDPR = ("eu-gdpr",)
ALL = set(Element)


def test_every_ground_that_takes_something_has_an_approver_and_a_reason() -> None:
    for code, ground in law().grounds.items():
        if ground.effect != "grant":
            assert ground.approver in {Role.COUNSEL, Role.DELEGATE}, code
            assert Element.REASON in ground.needs, code


@pytest.mark.parametrize("code", ["gdpr_12_5_unfounded", "gdpr_12_5_excessive"])
@pytest.mark.parametrize("missing", [Element.OBJECTIVE, Element.SUBJECTIVE])
def test_an_abuse_needs_both_elements_of_c_526_24(code: str, missing: Element) -> None:
    decided = Decided(word=Word.REFUSE, ground=code)

    with pytest.raises(DecisionError, match=f"the {missing} one is not on record"):
        check(decided, Right.ACCESS, GDPR, ALL - {missing})
    assert check(decided, Right.ACCESS, GDPR, ALL).approvers == (Role.COUNSEL,)


@pytest.mark.parametrize(
    ("decided", "right", "regimes"),
    [
        (Decided(word=Word.REFUSE), Right.ACCESS, GDPR),
        (Decided(word=Word.REFUSE, ground="gdpr_17_3_b"), Right.ERASURE, GDPR),
        (Decided(word=Word.REFUSE, ground="gdpr_17_1_none"), Right.ACCESS, GDPR),
        (Decided(word=Word.REFUSE, ground="gdpr_12_5_excessive"), Right.ACCESS, (*GDPR, "us-ca-ccpa")),
        (Decided(word=Word.IN_PART), Right.ERASURE, GDPR),
        (Decided(word=Word.IN_PART, parts=(Exempt(category="a", ground="ccpa_105_d_speech"),)), Right.ERASURE, GDPR),
        (Decided(word=Word.GRANT, parts=(Exempt(category="a", ground="gdpr_17_3_b"),)), Right.ERASURE, GDPR),
    ],
)
def test_nothing_is_decided_without_a_ground_of_the_law_it_is_asked_under(
    decided: Decided, right: Right, regimes: tuple[str, ...]
) -> None:
    with pytest.raises(DecisionError):
        check(decided, right, regimes, ALL)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("approver: delegate}", "approver: delegate, aprover: x}", "'aprover' is not a key here"),
        ("needs: [reason], approver: delegate}", "approver: delegate}", "needs an approver, and a reason to tell"),
        ("effect: refuse, confidence: high", "effect: refuse, confidence: low", "takes nothing: write enabled: false"),
        ("effect: refuse, confidence: high", "effect: refuse", "confidence"),
        ("ca-pipeda: {months: 6", "ca-pipeda: {months: 600", "no law gives more"),
    ],
)
def test_a_slip_in_the_grounds_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    text = shipped("grounds.yaml")
    line = text[: text.index(old)].count("\n") + 1

    with pytest.raises(FileErrors) as wrong:
        read_law(Grounds, "grounds.yaml", text.replace(old, new, 1))

    assert f"grounds.yaml:{line}:" in str(wrong.value)
    assert said in str(wrong.value)


def test_cooling_off_stays_inside_the_clock() -> None:
    assert cooling_until(AT, 72, later(days=30)) == later(hours=72)
    assert cooling_until(AT, 72, later(days=2)) == later(days=2) - ROOM
    assert cooling_until(AT, 72, later(hours=3)) == AT


@pytest.mark.parametrize("letter", "abcdef")
def test_ERA_01_an_erasure_is_granted_on_each_ground_of_article_17_and_no_other_right_is(letter: str) -> None:
    """CHI-03: (f) is whoever was a child when the data was collected, whatever age they are now."""
    decided = Decided(word=Word.GRANT, ground=f"gdpr_17_1_{letter}")

    assert check(decided, Right.ERASURE, GDPR, set()).approvers == (), "what is owed takes nobody's leave"
    with pytest.raises(DecisionError):
        check(decided, Right.RECTIFICATION, GDPR, ALL)
    with pytest.raises(DecisionError):
        check(decided, Right.ERASURE, ("us-ca-ccpa",), ALL)


@pytest.mark.parametrize("ground", [f"gdpr_17_3_{letter}" for letter in "abcde"])
def test_ERA_02_an_exception_keeps_a_category_and_never_refuses_the_whole(ground: str) -> None:
    kept = Decided(word=Word.IN_PART, parts=(Exempt(category="contact", ground=ground),))

    assert check(kept, Right.ERASURE, GDPR, ALL).approvers
    with pytest.raises(DecisionError):
        check(Decided(word=Word.REFUSE, ground=ground), Right.ERASURE, GDPR, ALL)
    with pytest.raises(DecisionError):
        check(Decided(word=Word.IN_PART), Right.ERASURE, GDPR, ALL)


def test_COM_09_nobody_is_asked_what_they_want_a_copy_for() -> None:
    with pytest.raises(FileErrors, match="takes no details"):
        read_details(Right.ACCESS, "details.yaml", "purpose: a case against you")


NEW_ZEALAND = [
    *(f"s. 49(1)({part})" for part in ("a)(i", "a)(ii", "a)(iii", "b", "c", "d")),
    *("s. 50", "s. 51", "s. 52"),
    *(f"s. 53({letter})" for letter in "abcdefgh"),
]
OF_THE_LAW = {
    "nz": [f"Privacy Act 2020 {section}" for section in NEW_ZEALAND],
    "au-app": [f"APP 12.3({letter})" for letter in "abcdefghij"],
}
OF_THE_WHOLE = {"nz_53_a", "nz_53_h", "app_12_3_c"}
"""What is said of a request, or of everything that it asks for, and so of no category alone."""


@pytest.mark.parametrize("regime", OF_THE_LAW)
def test_MET_05_access_is_refused_in_new_zealand_and_australia_on_a_ground_of_their_own(regime: str) -> None:
    own = {code: one for code, one in grounds_for(Right.ACCESS, [regime]).items() if one.regimes == (regime,)}
    assert [ground.article for ground in own.values()] == OF_THE_LAW[regime], "each provision once, and no other"

    for code in own:
        whole = Decided(word=Word.REFUSE, ground=code)
        part = Decided(word=Word.IN_PART, parts=(Exempt(category="notes", ground=code),))
        assert check(whole, Right.ACCESS, [regime], {Element.REASON}).approvers == (Role.COUNSEL,)
        with pytest.raises(DecisionError, match="reason"):
            check(whole, Right.ACCESS, [regime], set())
        for right, laws in ((Right.RECTIFICATION, [regime]), (Right.ACCESS, [regime, *GDPR]), (Right.ACCESS, GDPR)):
            with pytest.raises(DecisionError):
                check(whole, right, laws, ALL)
        if code in OF_THE_WHOLE:
            with pytest.raises(DecisionError):
                check(part, Right.ACCESS, [regime], ALL)
        else:
            assert check(part, Right.ACCESS, [regime], {Element.REASON}).consult


CORRECTION = {
    "eu-gdpr": {"GDPR Art. 16"},
    "us-ca-ccpa": {"11 CCR 7023(b)"},
    "ca-pipeda": {"PIPEDA Sch. 1 cl. 4.9.5, 4.9.6"},
    "nz": {"Privacy Act 2020 s. 22, IPP 7(2)", "Privacy Act 2020 s. 22, IPP 7(2), (3)"},
    "au-app": {"APP 13.1"},
    "ch-fadp": {"FADP Art. 32(1)(a)", "FADP Art. 32(1)(b)"},
    "sg-pdpa": {"PDPA s. 22(2)", "PDPA Sixth Sch. para. 1(a)"},
}


@pytest.mark.parametrize("regime", CORRECTION)
def test_MET_05_a_correction_is_refused_on_a_ground_of_its_own_law(regime: str) -> None:
    """And on none of those on which access is refused."""
    own = {
        code: ground
        for code, ground in grounds_for(Right.RECTIFICATION, [regime]).items()
        if ground.rights == (Right.RECTIFICATION,)
    }
    assert {ground.article for ground in own.values()} == CORRECTION[regime]

    for code in own:
        decided = Decided(word=Word.REFUSE, ground=code)
        assert check(decided, Right.RECTIFICATION, [regime], {Element.REASON}).approvers
        with pytest.raises(DecisionError, match="reason"):
            check(decided, Right.RECTIFICATION, [regime], set())
        with pytest.raises(DecisionError):
            check(decided, Right.ACCESS, [regime], ALL)


OF_OTHERS = {
    "ch-fadp": "FADP Art. 26(1)(b)",
    "sg-pdpa": "PDPA s. 21(3)(c)",
    "jp-appi": "APPI Art. 33(2)(i)",
    "kr-pipa": "PIPA Art. 35(4) no. 2",
    "ca-qc": "CQLR c. P-39.1, s. 40",
    "za-popia": "PAIA s. 63",
    "ca-pipeda": "PIPEDA s. 9(1)",
    "eu-gdpr": "GDPR Art. 15(4)",
}


@pytest.mark.parametrize("regime", OF_OTHERS)
def test_MET_05_what_would_harm_another_is_left_out_of_a_copy_on_the_provision_of_each_law(regime: str) -> None:
    """Others' rights are what a copy is most often cut for: nobody has to type in the provision."""
    [code] = [c for c, g in grounds_for(Right.ACCESS, [regime]).items() if g.article == OF_OTHERS[regime]]

    part = Decided(word=Word.IN_PART, parts=(Exempt(category="notes", ground=code),))
    assert check(part, Right.ACCESS, [regime], {Element.REASON}).approvers == (Role.COUNSEL,)
    with pytest.raises(DecisionError):
        check(part, Right.ACCESS, [regime, "us-ca-ccpa"], ALL)


@pytest.mark.parametrize("regime", ["us-va", "us-co", "us-ct"])
def test_MET_05_an_opt_out_is_never_refused_since_nobody_is_proven(regime: str) -> None:
    """11 CCR 7060(b) has its like in these laws: what cannot be authenticated is declined, but for an opt-out."""
    declined = [c for c, g in grounds_for(Right.ACCESS, [regime]).items() if "authenticated" in g.says]
    assert len(declined) == 1
    assert not set(declined) & set(grounds_for(Right.OPT_OUT, [regime]))


def test_a_ground_that_is_off_decides_nothing() -> None:
    """What we are not sure of takes nothing from anybody (`confidence: low` has to be off)."""
    ground = law().grounds["nz_53_d"]
    assert ground.applies(Right.ACCESS, ["nz"])
    assert not ground.model_copy(update={"confidence": "low", "enabled": False}).applies(Right.ACCESS, ["nz"])


STATES = {"AT", "DE", "DK", "GB", "IE", "IT", "MT", "NL", "SE"}


def test_COM_11_each_state_whose_limits_were_looked_up_has_coded_ones() -> None:
    found = {ground.limit.state for ground in limits().grounds.values() if ground.limit}
    assert found == STATES
    for code, ground in limits().grounds.items():
        assert ground.limit, code
        assert (ground.limit.state == "GB") is (ground.regimes == ("uk-gdpr",)), code


def test_only_what_exempts_can_be_said_to_refuse_the_whole_as_well() -> None:
    text = shipped("grounds.yaml").replace("nz_53_a: {effect: refuse,", "nz_53_a: {effect: refuse, whole: true,")
    with pytest.raises(FileErrors, match="whole: true is said of what exempts"):
        read_law(Grounds, "grounds.yaml", text)


@pytest.mark.parametrize("code", sorted(limits().grounds))
def test_COM_11_a_limit_of_a_state_is_no_ground_after_its_last_day(code: str) -> None:
    ground = law().grounds[code]
    limit = ground.limit
    assert limit is not None
    assert (bool(ground.article), bool(limit.lifted_when), ground.approver) == (True, True, Role.COUNSEL)
    decided = Decided(word=Word.IN_PART, parts=(Exempt(category="notes", ground=code),))
    right, laws = ground.rights[0], ground.regimes

    assert check(decided, right, laws, ALL, limit.until).consult
    with pytest.raises(DecisionError, match=f"after {limit.until}"):
        check(decided, right, laws, ALL, limit.until + timedelta(days=1))
    with pytest.raises(DecisionError):
        check(decided, right, laws, ALL)
    with pytest.raises(DecisionError, match="no such ground"):
        check(decided, right, ("us-ca-ccpa",), ALL, limit.until)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (", limit: {state: DE, until: 2027-12-31,", ", limit: {state: DE,", "until"),
        ("state: DE,", "state: Germany,", "state"),
        ("confidence: high, regimes: [eu-gdpr],", "confidence: high,", "under a law that it names"),
    ],
)
def test_a_limit_without_its_state_or_its_last_day_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(FileErrors, match=said) as wrong:
        read_law(Limits, "limits.yaml", shipped("limits.yaml").replace(old, new, 1))
    assert "limits.yaml:" in str(wrong.value)
