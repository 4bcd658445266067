"""How sure the engine has to be of who asks: what is needed, what proofs are worth, what becomes of it without."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.identity import (
    Circumstance,
    Move,
    Proof,
    Rung,
    Unreached,
    Waiting,
    identity_law,
    read_identity_law,
)
from rights.lawfile import shipped
from rights.regimes import SHIPPED
from rights.request import Right
from rights.unproven import coming, together
from rights.yamlfile import FileErrors

LAW = identity_law()
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def proof(rung: Rung, way: str = "", **more: object) -> Proof:
    return Proof.model_validate({"rung": rung, "at": AT, "way": way, **more})


@pytest.mark.parametrize("regime", sorted(SHIPPED))
def test_a_copy_and_an_erasure_need_the_third_level_everywhere(regime: str) -> None:
    for right in (Right.ACCESS, Right.PORTABILITY, Right.ERASURE):
        assert LAW.needed(right, regime) == 3


@pytest.mark.parametrize("regime", sorted(SHIPPED))
def test_OPT_01_an_opt_out_needs_no_proof_under_any_law(regime: str) -> None:
    assert LAW.needed(Right.OPT_OUT, regime) == 0
    assert LAW.needed(Right.OPT_OUT, regime, [Circumstance.SIGNAL]) == 0


def test_OBJ_02_only_an_objection_to_marketing_needs_no_proof() -> None:
    assert LAW.needed(Right.OBJECTION, "eu-gdpr", [Circumstance.MARKETING]) == 0
    assert LAW.needed(Right.OBJECTION, "eu-gdpr") == 2


def test_CHI_02_only_a_minors_restriction_needs_no_proof() -> None:
    assert LAW.needed(Right.RESTRICTION, "eu-gdpr", [Circumstance.MINOR]) == 0
    assert LAW.needed(Right.RESTRICTION, "eu-gdpr") == 2
    assert LAW.needed(Right.ERASURE, "eu-gdpr", [Circumstance.MINOR, Circumstance.MARKETING]) == 3


def test_COM_05_a_login_with_a_second_factor_is_enough_for_everything_but_a_special_case() -> None:
    reached = LAW.reached([proof(Rung.SECOND_FACTOR)], "eu-gdpr")
    assert all(reached >= LAW.needed(right, "eu-gdpr") for right in Right)


def test_a_code_to_an_address_in_the_request_proves_one_channel_and_no_more() -> None:
    assert LAW.reached([proof(Rung.ADDRESS_GIVEN, "a")], "eu-gdpr") == 1
    assert LAW.reached([proof(Rung.ADDRESS_GIVEN, "a"), proof(Rung.ADDRESS_GIVEN, "b")], "eu-gdpr") == 1


def test_two_ways_on_file_are_one_level_more_than_one_and_one_way_counts_once() -> None:
    mail, phone = proof(Rung.CHANNEL_ON_FILE, "mail"), proof(Rung.CHANNEL_ON_FILE, "phone")
    assert LAW.reached([mail], "eu-gdpr") == 2
    assert LAW.reached([mail, mail], "eu-gdpr") == 2
    assert LAW.reached([mail, phone], "eu-gdpr") == 3
    assert LAW.reached([mail, proof(Rung.POST, "street")], "eu-gdpr") == 3
    assert LAW.reached([mail, proof(Rung.SIGNED_IN)], "eu-gdpr") == 3
    assert LAW.reached([proof(Rung.SIGNED_IN), proof(Rung.SECOND_FACTOR)], "eu-gdpr") == 3


def test_a_contact_changed_in_the_last_seven_days_asks_for_one_step_more() -> None:
    fresh, old = proof(Rung.CHANNEL_ON_FILE, "new mail", fresh=True), proof(Rung.CHANNEL_ON_FILE, "phone")
    assert LAW.fresh_days == 7
    assert LAW.reached([fresh], "eu-gdpr") == 1
    assert LAW.reached([fresh, old], "eu-gdpr") == 2
    assert LAW.reached([fresh, old, proof(Rung.POST, "street")], "eu-gdpr") == 3


POINTS = st.builds(
    Proof,
    rung=st.just(Rung.DATA_POINTS),
    at=st.just(AT),
    matched=st.integers(0, 50),
    declared=st.booleans(),
)


@given(st.lists(POINTS, max_size=5), st.sampled_from(sorted(SHIPPED - {"us-ca-ccpa"})))
def test_data_points_alone_never_release_a_copy(points: list[Proof], regime: str) -> None:
    reached = LAW.reached(points, regime)
    assert reached < min(LAW.needed(right, regime) for right in (Right.ACCESS, Right.PORTABILITY, Right.ERASURE))


def test_KNO_04_in_california_two_points_are_categories_and_three_with_a_declaration_pieces() -> None:
    def points(matched: int, *, declared: bool = False) -> int:
        return LAW.reached([proof(Rung.DATA_POINTS, matched=matched, declared=declared)], "us-ca-ccpa")

    assert [points(n) for n in range(5)] == [0, 1, 2, 2, 2]
    assert points(3, declared=True) == 3
    assert points(2, declared=True) == 2


def test_a_person_or_a_document_counts_only_with_a_second_agent() -> None:
    for rung in (Rung.IN_PERSON, Rung.DOCUMENT):
        assert LAW.reached([proof(rung)], "eu-gdpr") == 0
        assert LAW.reached([proof(rung, second=True)], "eu-gdpr") == 4


RUNGS = st.builds(
    Proof,
    rung=st.sampled_from(Rung),
    at=st.just(AT),
    way=st.sampled_from(["a", "b", "c"]),
    fresh=st.booleans(),
    second=st.booleans(),
    matched=st.integers(0, 5),
    level=st.integers(0, 4),
)


@given(st.lists(RUNGS, max_size=6), RUNGS, st.sampled_from(sorted(SHIPPED)))
def test_more_proof_is_never_worth_less_and_steps_never_reach_the_fourth_level(
    proofs: list[Proof], one: Proof, regime: str
) -> None:
    before, after = LAW.reached(proofs, regime), LAW.reached([*proofs, one], regime)
    assert before <= after <= 4
    people = [p for p in proofs if p.second or p.rung is Rung.ATTESTED]
    assert people or before <= 3


def test_KNO_05_what_is_not_verified_in_california_is_answered_by_categories_or_denied() -> None:
    ccpa = LAW.under("us-ca-ccpa")
    assert ccpa.becomes(Right.ACCESS, 2) is Unreached.CATEGORIES
    assert ccpa.becomes(Right.ACCESS, 1) is Unreached.DENY
    assert ccpa.becomes(Right.ERASURE, 2) is Unreached.DENY
    assert LAW.under("us-ca-drop").becomes(Right.ERASURE, 0) is Unreached.OPT_OUT
    assert LAW.under("us-va").becomes(Right.ACCESS, 0) is Unreached.LAPSE, "what may be declined is not by itself"
    assert LAW.under("eu-gdpr").becomes(Right.ACCESS, 2) is Unreached.LAPSE


def test_reminders_come_before_the_lapse_and_nothing_lapses_unasked() -> None:
    eu = together(["eu-gdpr"])
    known = {"received_at": AT, "reminded": 0, "lapsed_at": None}
    assert coming(eu, Right.ACCESS, asked_at=None, **known) == ()  # type: ignore[arg-type]
    moves = coming(eu, Right.ACCESS, asked_at=AT, **known)  # type: ignore[arg-type]
    assert [move for _, move in moves] == [Move.REMIND, Move.REMIND, Move.LAPSE]
    assert moves[-1][0] == AT + 30 * DAY


def test_a_clock_that_does_not_wait_has_its_answer_within_the_45_days() -> None:
    ccpa = together(["us-ca-ccpa"])
    late = AT + 30 * DAY
    moves = coming(ccpa, Right.ERASURE, received_at=AT, asked_at=late, reminded=0, lapsed_at=None)
    assert moves[-1] == (AT + 38 * DAY, Move.LAPSE)
    ended = coming(ccpa, Right.ERASURE, received_at=AT, asked_at=late, reminded=1, lapsed_at=AT + 38 * DAY)
    assert ended == ((AT + 38 * DAY, Move.END),), "what is denied does not rest"


def test_a_lapsed_request_rests_and_can_be_taken_up_again() -> None:
    lapsed = AT + 30 * DAY
    (end,) = coming(together(["eu-gdpr"]), Right.ACCESS, received_at=AT, asked_at=AT, reminded=2, lapsed_at=lapsed)
    assert end == (lapsed + 60 * DAY, Move.END)


def test_the_directory_is_read_before_a_code_is_sent() -> None:
    waiting = Waiting(needed=3, directory="crm", unsent=1, due=((AT, Move.REMIND),))
    assert waiting.move(AT) is Move.READ
    assert waiting.model_copy(update={"read": True}).move(AT) is Move.SEND
    assert waiting.model_copy(update={"read": True, "unsent": 0}).move(AT) is Move.REMIND
    assert waiting.model_copy(update={"read": True, "unsent": 0}).move(AT - DAY) is None


TEXT = shipped("identity.yaml")


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (("lapse_days: 30", "lapse_day: 30"), r"identity.yaml:\d+: default.*'lapse_day' is not a key here"),
        (("    erasure: 3\n    rect", "    erasure: 9\n    rect"), r"identity.yaml:\d+: default.needs.erasure: "),
        (("us-va,", "us-vv,"), "'us-vv' is no regime"),
        (("  post: {level: 2, steps: true}\n", ""), "rungs: 'post' is missing"),
        (("  remind_days: [7, 21]", '  point_levels: {"3": 3}\n  remind_days: [7, 21]'), "never release a copy"),
        (("    opt-out: 0\n", ""), "default.needs: 'opt-out' is missing"),
    ],
)
def test_a_slip_in_the_law_is_refused_with_its_place(slip: tuple[str, str], said: str) -> None:
    assert TEXT.count(slip[0]) >= 1
    with pytest.raises(FileErrors, match=said):
        read_identity_law("identity.yaml", TEXT.replace(*slip))


def test_every_reading_says_where_it_is_from() -> None:
    assert all(LAW.under(regime).source for regime in SHIPPED)
    assert all(free.source for free in LAW.without_proof)
