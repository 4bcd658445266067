"""Requests of the same person in the ledger: answered together, in order, and never because of an unproven one."""

from datetime import timedelta

import pytest

from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from rights.appeals import AppealOutcome
from rights.codes import Code
from rights.deadlines import start_clock
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity
from tests.ledger.builders import ANNA, AT, close_one, enter, later, opened_id
from tests.ledger.conftest import Door

MORE = (*ANNA, Identity("phone", "+4930111"))


def proven(ledger: Ledger, *phases: Phase, **more: object) -> str:
    return opened_id(ledger, *phases, confirmed=True, **more)


def test_who_asks_the_same_again_is_answered_with_the_earlier_request(ledger: Ledger, door: Door) -> None:
    first = proven(ledger, Phase.LOCATING)
    second = proven(ledger, at=later(hours=1))

    gate = ledger.join(second, (), at=later(hours=1))

    assert (gate.lead, gate.lead_over) == (first, None)
    assert [one.request_id for one in ledger.answered_with(first)] == [second]
    assert ledger.request(second).lead == first
    before = door("SELECT count(*) FROM outbox WHERE kind = 'wake'")
    close_one(ledger, first)
    assert ledger.gate(second).lead_over is Conclusion.ANSWERED
    assert before == [(0,)]
    assert door("SELECT request_id FROM outbox WHERE kind = 'wake'") == [(second,)]
    assert ledger.verify().sound


def test_different_rights_are_never_merged(ledger: Ledger) -> None:
    proven(ledger, Phase.LOCATING, right=Right.ACCESS)
    erasure = proven(ledger, at=later(hours=1))

    assert not ledger.join(erasure, (), at=later(hours=1)).lead


@pytest.mark.parametrize("right", [Right.RECTIFICATION, Right.OBJECTION, Right.OPT_OUT, Right.PORTABILITY])
def test_who_asks_for_something_else_by_the_same_right_is_not_answered_with_the_earlier(
    ledger: Ledger, right: Right
) -> None:
    first = proven(ledger, Phase.LOCATING, right=right, details=b'{"of":["sale"]}')
    other = proven(ledger, right=right, details=b'{"of":["profiling"]}', at=later(hours=1))
    same = proven(ledger, right=right, details=b'{"of":["sale"]}', at=later(hours=2))

    assert not ledger.join(other, (), at=later(hours=1)).lead
    assert ledger.join(same, (), at=later(hours=2)).lead == first


def test_who_asks_under_other_laws_is_not_answered_with_the_earlier(ledger: Ledger) -> None:
    proven(ledger, Phase.LOCATING)
    california = start_clock(regime("us-ca-ccpa"), later(hours=1), "Europe/Berlin")
    second = proven(ledger, at=later(hours=1), further=[california])

    assert not ledger.join(second, (), at=later(hours=1)).lead


def test_what_nobody_has_proven_joins_delays_and_reveals_nothing(ledger: Ledger) -> None:
    opened_id(ledger, Phase.CONFIRMING)
    opened_id(ledger, Phase.CONFIRMING, right=Right.ACCESS)
    second = proven(ledger, at=later(hours=1))
    unproven = opened_id(ledger, Phase.CONFIRMING, at=later(hours=2))

    assert not ledger.join(second, (), at=later(hours=1)).lead
    assert not ledger.join(unproven, (), at=later(hours=2)).lead
    ledger.move(second, Phase.LOCATING, at=later(hours=2))
    assert enter(ledger, second)


def test_what_several_people_may_have_links_nobody(ledger: Ledger) -> None:
    proven(ledger, Phase.LOCATING)
    second = proven(ledger, at=later(hours=1))

    assert not ledger.join(second, {identity.kind for identity in ANNA}, at=later(hours=1)).lead


def test_whoever_names_more_than_an_earlier_look_knew_goes_their_own_way(ledger: Ledger) -> None:
    first = proven(ledger, Phase.LOCATING)
    second = proven(ledger, identities=MORE, at=later(hours=1))

    assert not ledger.join(second, (), at=later(hours=1)).lead
    assert set(ledger.identities(first)) == set(ANNA)


def test_an_earlier_request_that_has_not_looked_yet_learns_what_the_later_one_names(ledger: Ledger) -> None:
    first = proven(ledger, Phase.COOLING)
    second = proven(ledger, identities=MORE, at=later(hours=1))

    assert ledger.join(second, (), at=later(hours=1)).lead == first
    assert set(ledger.identities(first)) == set(MORE)
    assert ledger.verify().sound


def test_the_earliest_receipt_governs_whichever_was_entered_first(ledger: Ledger) -> None:
    running = proven(ledger, Phase.LOCATING, at=later(days=5))
    due = ledger.request(running).clock.legal_due
    backdated = proven(ledger, at=AT)

    assert ledger.join(backdated, (), at=later(days=5)).lead == running
    clock = ledger.request(running).clock
    assert clock.received_at == AT
    assert clock.legal_due < due
    assert ledger.verify().sound


def test_a_refusal_is_never_inherited(ledger: Ledger, door: Door) -> None:
    first = proven(ledger, Phase.LOCATING)
    second = proven(ledger, at=later(hours=1))
    ledger.join(second, (), at=later(hours=1))
    door("UPDATE requests SET phase = 'closed', conclusion = 'refused', closed_at = now() WHERE id = %s", first)

    assert ledger.unlink(second, at=later(hours=2)).lead == first, "somebody has to decide first"
    assert [task.code for task in ledger.tasks(request_id=second)] == [Code.DECISION]


def test_one_that_was_taken_back_lets_the_other_go_its_own_way(ledger: Ledger) -> None:
    first = proven(ledger, Phase.LOCATING)
    second = proven(ledger, at=later(hours=1))
    ledger.join(second, (), at=later(hours=1))
    ledger.withdraw(first, at=later(hours=2))

    assert not ledger.unlink(second, at=later(hours=2)).lead
    assert ledger.request(second).lead is None


@pytest.mark.parametrize("right", [Right.ACCESS, Right.PORTABILITY])
def test_a_copy_is_made_before_anything_is_erased_whichever_came_first(ledger: Ledger, right: Right) -> None:
    erasure = proven(ledger, Phase.LOCATING)
    enter(ledger, erasure)
    copy = proven(ledger, Phase.LOCATING, right=right, at=later(hours=1))

    assert ledger.gate(erasure).copy_first
    with pytest.raises(FenceRefused) as late:
        enter(ledger, erasure, system="crm")
    ledger.keep_parcel(copy, "00" * 32, 1, 1, at=later(hours=2))

    assert late.value.code is Code.COPY_FIRST
    assert not ledger.gate(erasure).copy_first
    assert enter(ledger, erasure, system="crm")


@pytest.mark.parametrize("ended", ["withdrawn", "closed"])
def test_a_copy_that_will_not_be_made_holds_nothing_up(ledger: Ledger, ended: str) -> None:
    erasure = proven(ledger, Phase.LOCATING)
    copy = proven(ledger, Phase.LOCATING, right=Right.ACCESS)
    assert ledger.gate(erasure).copy_first
    if ended == "withdrawn":
        ledger.withdraw(copy, at=AT)
    else:
        close_one(ledger, copy)

    assert enter(ledger, erasure)


@pytest.mark.parametrize(("days", "free"), [(100, False), (187, True)])
def test_canadas_law_keeps_the_data_while_the_person_may_complain(
    ledger: Ledger, door: Door, days: int, free: bool
) -> None:
    """PIPEDA s. 8(8), 11(2): six months after a refusal."""
    erasure = proven(ledger, Phase.LOCATING)
    copy = proven(ledger, Phase.LOCATING, right=Right.ACCESS)
    close_one(ledger, copy)
    door("UPDATE requests SET regime = 'ca-pipeda', conclusion = 'refused' WHERE id = %s", copy)
    when = AT + timedelta(days=days)

    if free:
        assert enter(ledger, erasure, at=when)
        return
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, erasure, at=when)
    assert refused.value.code is Code.RECOURSE


@pytest.mark.parametrize(
    ("law", "conclusion", "days", "free"),
    [
        ("sg-pdpa", Conclusion.REFUSED, 30, False),
        ("sg-pdpa", Conclusion.IN_PART, 30, False),
        ("sg-pdpa", Conclusion.REFUSED, 32, True),
        ("sg-pdpa", Conclusion.ANSWERED, 1, True),
        ("eu-gdpr", Conclusion.REFUSED, 1, True),
        ("ca-pipeda", Conclusion.REFUSED, 32, False),
    ],
)
def test_ERA_13_singapore_keeps_what_was_refused_for_thirty_days_and_no_longer_than_its_own_law(
    ledger: Ledger, law: str, conclusion: Conclusion, days: int, free: bool
) -> None:
    """PDPA s. 22A, PDP Regulations 2021 reg. 8: to the 30th day after the refusal."""
    erasure = proven(ledger, Phase.LOCATING)
    clock = start_clock(regime(law), AT, "Asia/Singapore")
    copy = ledger.open_request(Right.ACCESS, law, ANNA, clock, received_at=AT, confirmed=True)
    close_one(ledger, copy.request_id, conclusion, working_days=0)

    ledger.shred_due(later(days=days))
    if free:
        assert enter(ledger, erasure, at=later(days=days))
        return
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, erasure, at=later(days=days))
    assert refused.value.code is Code.RECOURSE


@pytest.mark.parametrize("right", [Right.ACCESS, Right.PORTABILITY, Right.RECTIFICATION])
def test_ERA_13_an_erasure_stops_while_an_appeal_about_a_copy_is_open(ledger: Ledger, right: Right) -> None:
    """However the copy was answered: what it left out is what the person is after. Of no other right."""
    erasure = proven(ledger, Phase.LOCATING)
    clock = start_clock(regime("us-va"), AT, "America/New_York")
    copy = ledger.open_request(right, "us-va", ANNA, clock, received_at=AT, confirmed=True).request_id
    close_one(ledger, copy, at=later(days=10))
    appeal = ledger.open_appeal(copy, received_at=later(days=20), at=later(days=20))

    if right is Right.RECTIFICATION:
        assert enter(ledger, erasure, at=later(days=21))
        return
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, erasure, at=later(days=21))
    assert refused.value.code is Code.RECOURSE
    ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, at=later(days=22), reasons="it was all there", by="s-90")
    assert enter(ledger, erasure, at=later(days=23))


def test_canadas_law_keeps_the_data_also_when_everything_else_of_the_refusal_would_be_shredded(ledger: Ledger) -> None:
    erasure = proven(ledger, Phase.LOCATING)
    clock = start_clock(regime("ca-pipeda"), AT, "America/Toronto")
    asked = ledger.open_request(Right.ACCESS, "ca-pipeda", ANNA, clock, received_at=AT, confirmed=True)
    close_one(ledger, asked.request_id, Conclusion.REFUSED, days=30)

    ledger.shred_due(later(days=100))
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, erasure, at=later(days=100))
    assert refused.value.code is Code.RECOURSE
    gone = ledger.shred_due(later(days=187))
    assert (asked.request_id, "working") in {(one.case_id, one.purpose) for one in gone}


def test_an_opt_out_that_nobody_had_to_prove_joins_one_that_gives_exactly_the_same(ledger: Ledger) -> None:
    details = b'{"of":["sale"]}'
    first = proven(ledger, Phase.LOCATING, right=Right.OPT_OUT, details=details)
    # Somebody knows the customer number, and would hear at an address of theirs that there is an earlier one.
    stranger = (ANNA[1], Identity("email", "stranger@example.net"))
    other = proven(ledger, right=Right.OPT_OUT, details=details, identities=stranger, at=later(hours=1))
    same = proven(ledger, right=Right.OPT_OUT, details=details, at=later(hours=2))

    assert not ledger.join(other, (), at=later(hours=1)).lead
    assert ledger.join(same, (), at=later(hours=2)).lead == first


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_refused_copy_keeps_the_data_for_the_remedies_of_somebody_who_was_proven(
    ledger: Ledger, door: Door, confirmed: bool
) -> None:
    """PIPEDA s. 8(8); a refused request that nobody has proven delays no erasure."""
    canada = start_clock(regime("ca-pipeda"), AT, "Europe/Berlin")
    refused = ledger.open_request(
        Right.ACCESS, "ca-pipeda", ANNA, canada, received_at=AT, confirmed=confirmed
    ).request_id
    door(
        "UPDATE requests SET phase = 'closed', conclusion = 'refused', closed_at = %s WHERE id = %s",
        later(hours=1),
        refused,
    )
    erasure = proven(ledger, Phase.LOCATING, at=later(hours=2))
    if confirmed:
        with pytest.raises(FenceRefused) as stopped:
            enter(ledger, erasure, at=later(hours=3))
        assert stopped.value.code is Code.RECOURSE
    else:
        assert enter(ledger, erasure, at=later(hours=3))
