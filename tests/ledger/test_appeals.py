"""An appeal has a clock of its own, is decided once, and by somebody who has not decided before."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.appeals import AppealOutcome
from rights.deadlines import Risk, start_clock
from rights.decision import Decided, Element, Needs, Role, Word
from rights.reckoning import local_day
from rights.rectification import Accuracy, Approver, Refusal
from rights.regimes import regime
from rights.request import Right
from rights.weighing import Matter, Outcome
from starter.appeals import decide
from tests.ledger.builders import ANNA, AT, close_one, later
from tests.ledger.conftest import Door

ZONE = "Europe/Berlin"


def answered(ledger: Ledger, *laws: str, **more: Any) -> str:
    clock, *further = (start_clock(regime(law), AT, ZONE) for law in laws or ("us-va",))
    more |= {"further": further, "confirmed": True}
    one = ledger.open_request(Right.ERASURE, clock.regime, ANNA, clock, received_at=AT, **more)
    close_one(ledger, one.request_id, at=later(days=10))
    return one.request_id


def test_an_appeal_is_due_by_its_own_term_and_keeps_what_it_needs(ledger: Ledger, door: Door) -> None:
    request_id = answered(ledger)
    appeal = ledger.open_appeal(request_id, received_at=later(days=20), at=later(days=21), text="I object", by="desk")

    due = local_day(later(days=20), ZONE) + timedelta(days=60)
    assert local_day(appeal.clock.legal_due, ZONE) == due, "Va. Code 59.1-577: 60 days"
    ((until,),) = door("SELECT keep_until FROM case_keys WHERE case_id = %s AND purpose = 'working'", request_id)
    assert until > appeal.clock.legal_due
    assert [task.code for task in ledger.tasks(request_id=request_id)] == ["appeal"]
    assert ("appeal",) in door("SELECT kind FROM outbox WHERE request_id = %s", request_id)
    assert not any("object" in body for (body,) in door("SELECT body FROM entries"))


def test_of_several_laws_the_first_day_counts_and_a_law_without_appeal_says_so(ledger: Ledger) -> None:
    both = answered(ledger, "us-va", "us-co")
    assert ledger.open_appeal(both, received_at=later(days=20), at=later(days=20)).clock.regime == "us-co"
    with pytest.raises(LedgerRefusal, match="knows no appeal to the controller"):
        ledger.open_appeal(answered(ledger, "eu-gdpr"), received_at=later(days=20), at=later(days=20))


def test_an_appeal_is_extended_once_and_only_where_the_law_lets_you(ledger: Ledger) -> None:
    colorado = ledger.open_appeal(answered(ledger, "us-co"), received_at=later(days=20), at=later(days=20))
    longer = ledger.extend_appeal(colorado.id, at=later(days=30), reason="forty systems", by="desk")
    assert longer.clock.legal_due - colorado.clock.legal_due == timedelta(days=60)
    with pytest.raises(LedgerRefusal, match="extended before"):
        ledger.extend_appeal(colorado.id, at=later(days=31), reason="more", by="desk")
    virginia = ledger.open_appeal(answered(ledger), received_at=later(days=20), at=later(days=20))
    with pytest.raises(LedgerRefusal, match="no extension"):
        ledger.extend_appeal(virginia.id, at=later(days=30), reason="more", by="desk")


def test_nothing_is_appealed_against_before_it_is_answered_or_twice_at_once(ledger: Ledger) -> None:
    clock = start_clock(regime("us-va"), AT, ZONE)
    opened = ledger.open_request(Right.ERASURE, "us-va", ANNA, clock, received_at=AT)
    with pytest.raises(LedgerRefusal, match="not answered yet"):
        ledger.open_appeal(opened.request_id, received_at=AT, at=AT)
    request_id = answered(ledger)
    ledger.open_appeal(request_id, received_at=later(days=20), at=later(days=20))
    with pytest.raises(LedgerRefusal, match="under way"):
        ledger.open_appeal(request_id, received_at=later(days=22), at=later(days=22))


@pytest.mark.parametrize("who", ["s-31", "s-17", "s-04", "Counsel", "dpo"])
def test_who_has_proposed_approved_or_agreed_to_a_refusal_does_not_decide_on_the_appeal(
    ledger: Ledger, door: Door, who: str
) -> None:
    clock = start_clock(regime("us-va"), AT, ZONE)
    one = ledger.open_request(Right.ERASURE, "us-va", ANNA, clock, received_at=AT, confirmed=True).request_id
    refused = Decided(word=Word.REFUSE, ground="other_refusal")
    needs = Needs(approvers=(Role.COUNSEL,), consult=True)
    made = ledger.propose(one, refused, needs, {Element.REASON: "no"}, by="s-31", consult_until=later(days=3), at=AT)
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)
    close_one(ledger, one, at=later(days=10))
    appeal = ledger.open_appeal(one, received_at=later(days=20), at=later(days=20))

    with pytest.raises(LedgerRefusal, match="ask somebody else"):
        ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, at=later(days=25), reasons="x", by=who)
    assert ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, at=later(days=25), reasons="x", by="s-50")


@pytest.mark.parametrize("who", ["legal", "head of legal"])
def test_who_has_overridden_an_objection_does_not_decide_on_the_appeal(ledger: Ledger, who: str) -> None:
    clock = start_clock(regime("us-va"), AT, ZONE)
    one = ledger.open_request(Right.OBJECTION, "us-va", ANNA, clock, received_at=AT, confirmed=True).request_id
    ledger.open_weighing(one, Matter.OBJECTION, at=AT, due_at=later(days=10))
    ledger.weigh(one, Outcome.OVERRIDDEN, by="legal", approved_by="Head of legal", evidence="e", at=later(days=2))
    close_one(ledger, one, at=later(days=10))
    appeal = ledger.open_appeal(one, received_at=later(days=20), at=later(days=20))

    with pytest.raises(LedgerRefusal, match="ask somebody else"):
        ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, at=later(days=25), reasons="x", by=who)


@pytest.mark.parametrize(("who", "seats"), [("Desk", []), ("counsel ", []), ("s-17", ["counsel"])])
def test_who_has_refused_a_correction_does_not_decide_on_the_appeal(ledger: Ledger, who: str, seats: list[str]) -> None:
    clock = start_clock(regime("us-va"), AT, ZONE)
    one = ledger.open_request(Right.RECTIFICATION, "us-va", ANNA, clock, received_at=AT, confirmed=True).request_id
    checked = Accuracy(refused={1: Refusal.ACCURATE}, approved_by=Approver.COUNSEL)
    ledger.decide_accuracy(one, checked, systems=["shop"], at=later(days=2), reason="it is right", by="desk")
    close_one(ledger, one, at=later(days=10))
    appeal = ledger.open_appeal(one, received_at=later(days=20), at=later(days=20))
    said = {"at": later(days=25), "reasons": "x"}

    with pytest.raises(LedgerRefusal, match="ask somebody else"):
        ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, by=who, seats=seats, **said)  # type: ignore[arg-type]
    assert ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, by="s-50", seats=["delegate"], **said)  # type: ignore[arg-type]


def test_an_appeal_that_is_late_loses_nothing_that_it_needs(ledger: Ledger, door: Door) -> None:
    one = answered(ledger)
    appeal = ledger.open_appeal(one, received_at=later(days=20), at=later(days=20))
    late = appeal.clock.legal_due + timedelta(days=400)

    assert "working" not in {gone.purpose for gone in ledger.shred_due(late)}
    assert one not in ledger.histories_due(late)
    assert set(ledger.identities(one)) == set(ANNA)

    ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, at=late, reasons="the law keeps it", by="delegate")
    assert "working" not in {gone.purpose for gone in ledger.shred_due(late + timedelta(days=29))}
    after = late + timedelta(days=31)
    assert "working" in {gone.purpose for gone in ledger.shred_due(after)}
    assert ledger.histories_due(after) == [one]


def test_nobody_decides_otherwise_after(ledger: Ledger) -> None:
    appeal = ledger.open_appeal(answered(ledger), received_at=later(days=20), at=later(days=20))
    upheld = AppealOutcome.UPHELD
    with pytest.raises(LedgerRefusal, match="has its reasons"):
        ledger.decide_appeal(appeal.id, upheld, at=later(days=25), reasons=" ", by="dpo")
    assert ledger.decide_appeal(appeal.id, upheld, at=later(days=25), reasons="the law keeps it", by="delegate")
    assert not ledger.decide_appeal(appeal.id, upheld, at=later(days=26), reasons="the law keeps it", by="delegate")
    with pytest.raises(LedgerRefusal, match="was decided: upheld"):
        ledger.decide_appeal(appeal.id, AppealOutcome.REVERSED, at=later(days=26), reasons="no", by="delegate")
    assert ledger.tasks() == []


def test_a_reversed_answer_is_carried_out_anew_once(ledger: Ledger, door: Door) -> None:
    request_id = answered(ledger)
    appeal = ledger.open_appeal(request_id, received_at=later(days=20), at=later(days=20))
    reversed_ = AppealOutcome.REVERSED
    decide(ledger, appeal.id, reversed_, reasons="it has to go", by="delegate", at=later(days=25))
    after, fresh = decide(ledger, appeal.id, reversed_, reasons="it has to go", by="delegate", at=later(days=26))

    assert door("SELECT count(*) FROM requests") == [(2,)]
    assert after.redone_by
    assert not fresh
    anew = ledger.request(after.redone_by)
    assert (anew.right, anew.regime, anew.confirmed) == (Right.ERASURE, "us-va", True)
    assert ledger.identities(after.redone_by) == ledger.identities(request_id)
    assert ledger.verify().sound


@pytest.mark.parametrize("how", ["deferred", "replayed"])
def test_what_has_carried_out_the_rest_of_another_request_is_carried_out_anew_as_well(ledger: Ledger, how: str) -> None:
    request_id = answered(ledger, details=f"{how}/a-mark-of-the-engine".encode(), assurance=how)
    appeal = ledger.open_appeal(request_id, received_at=later(days=20), at=later(days=20))
    after, _ = decide(ledger, appeal.id, AppealOutcome.REVERSED, reasons="go", by="delegate", at=later(days=25))
    assert after.redone_by


def test_when_the_identities_are_gone_a_person_is_told_and_the_decision_stands(ledger: Ledger) -> None:
    request_id = answered(ledger)
    appeal = ledger.open_appeal(request_id, received_at=later(days=20), at=later(days=20))
    ledger.shred(request_id, ["working"], as_of=later(days=24))
    with pytest.raises(LedgerRefusal, match="open it anew by hand"):
        decide(ledger, appeal.id, AppealOutcome.REVERSED, reasons="go", by="delegate", at=later(days=25))
    assert ledger.appeal(appeal.id).outcome is AppealOutcome.REVERSED


def test_how_near_its_day_is_is_noted_once_of_each_day(ledger: Ledger) -> None:
    colorado = ledger.open_appeal(answered(ledger, "us-co"), received_at=later(days=20), at=later(days=60))
    request_id = colorado.request_id

    assert ledger.note_appeal(request_id, Risk.DUE_7D, at=later(days=60))
    assert not ledger.note_appeal(request_id, Risk.DUE_7D, at=later(days=61)), "a run that was lost says it again"
    ledger.extend_appeal(colorado.id, at=later(days=62), reason="forty systems", by="desk")
    assert ledger.note_appeal(request_id, Risk.DUE_7D, at=later(days=120)), "the day is another"
    ledger.decide_appeal(colorado.id, AppealOutcome.UPHELD, reasons="It stands.", by="dpo", at=later(days=121))

    assert not ledger.note_appeal(request_id, Risk.OVERDUE, at=later(days=300)), "it is decided"
    events = ledger.standing(request_id).events
    assert [e.body["risk"] for e in events if e.kind == "appeal_deadline"] == ["due_7d", "due_7d"]
