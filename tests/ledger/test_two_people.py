"""Four eyes are two people's: nobody speaks twice where two are asked, and nobody has two seats."""

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.approvers import Approvers, same_person
from rights.clockwork import ClockEvent, Turn
from rights.decision import Decided, Element, Needs, Role, Word
from rights.rectification import Accuracy, Approver, Refusal
from rights.request import Right
from rights.weighing import Matter, Outcome
from tests.ledger.builders import AT, later, open_one
from tests.ledger.conftest import Door


@pytest.mark.parametrize(
    ("seats", "where"),
    [
        ({"counsel": {"holder": "s-1", "substitute": "s-1"}}, "counsel is its own substitute"),
        ({"counsel": {"holder": "s-1"}, "delegate": {"holder": "s-1"}}, "counsel and delegate are the same person"),
        (
            {"counsel": {"holder": "s-1"}, "delegate": {"holder": "s-2", "substitute": "s-1"}},
            "counsel and delegate are the same person",
        ),
        ({"delegate": {"holder": "s-2"}, "dpo": {"holder": "s-2"}}, "delegate and dpo are the same person"),
    ],
)
def test_nobody_has_two_seats(seats: dict[str, dict[str, str]], where: str) -> None:
    with pytest.raises(ValueError, match=where):
        Approvers.model_validate(seats)


def test_seats_of_different_people_stand() -> None:
    named = {"counsel": {"holder": "s-1", "substitute": "s-2"}, "dpo": {"holder": "s-3"}}
    assert Approvers.model_validate(named).acts_as("s-2", Role.COUNSEL) is True


@pytest.mark.parametrize("other", [" Front  desk", "FRONT DESK", "front desk "])
def test_capitals_and_spaces_make_no_second_person(other: str) -> None:
    assert same_person("front desk") == same_person(other)
    assert same_person("front desk") != same_person("team lead")


def test_one_person_speaks_in_one_role_of_a_decision(ledger: Ledger, door: Door) -> None:
    request = open_one(ledger, right=Right.ACCESS).request_id
    decided = Decided(word=Word.REFUSE, ground="excessive")
    needs = Needs(approvers=(Role.COUNSEL, Role.DELEGATE), consult=True)
    texts = {Element.REASON: "why"}
    made = ledger.propose(request, decided, needs, texts, by="s-9", consult_until=later(days=3), at=AT).id
    ledger.speak(made, Role.DPO, "dissent", by="s-1", substitute=False, at=AT)
    before = door("SELECT count(*) FROM entries")
    for role, who in ((Role.COUNSEL, "s-1"), (Role.COUNSEL, "s-9")):
        with pytest.raises(LedgerRefusal, match="somebody else"):
            ledger.speak(made, role, "approve", by=who, substitute=False, at=AT)
    assert door("SELECT count(*) FROM entries") == before

    ledger.speak(made, Role.COUNSEL, "approve", by="s-2", substitute=False, at=AT)
    with pytest.raises(LedgerRefusal, match="somebody else"):
        ledger.speak(made, Role.DELEGATE, "approve", by="s-2", substitute=True, at=AT)
    assert ledger.decision(made).state == "proposed"
    assert ledger.speak(made, Role.DELEGATE, "approve", by="s-3", substitute=False, at=AT).state == "in_force"


def test_a_day_of_receipt_is_corrected_by_two(ledger: Ledger, door: Door) -> None:
    request = open_one(ledger).request_id
    moment = later(days=-3)
    event = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=moment.date(), received_at=moment)
    for approver in ("desk", " Desk", "DESK"):
        with pytest.raises(LedgerRefusal, match="two people"):
            ledger.turn_clock(request, event, at=AT, by={"said": "desk", "approved": approver})
    assert ledger.request(request).clock.received_at == AT
    ledger.turn_clock(request, event, at=AT, by={"said": "desk", "approved": "lead"})
    assert ledger.request(request).clock.received_at == moment


def test_an_objection_is_overridden_by_two(ledger: Ledger) -> None:
    request = open_one(ledger, right=Right.OBJECTION).request_id
    ledger.open_weighing(request, Matter.OBJECTION, due_at=later(days=20), at=AT)
    said = {"evidence": "x", "at": AT, "ground": "legal_claims"}
    with pytest.raises(LedgerRefusal, match="two people"):
        ledger.weigh(request, Outcome.OVERRIDDEN, by="privacy", approved_by=" Privacy", **said)  # type: ignore[arg-type]
    assert ledger.weigh(request, Outcome.OVERRIDDEN, by="privacy", approved_by="counsel", **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", [None, "", "Counsel "])
def test_a_correction_is_refused_by_two(ledger: Ledger, by: str | None) -> None:
    request = open_one(ledger, right=Right.RECTIFICATION).request_id
    refusal = next(iter(Refusal))
    decided = Accuracy(refused={1: refusal}, approved_by=Approver.COUNSEL)
    with pytest.raises(LedgerRefusal, match="two people"):
        ledger.decide_accuracy(request, decided, systems=["shop"], at=AT, reason="why", by=by)
    assert ledger.decide_accuracy(request, decided, systems=["shop"], at=AT, reason="why", by="desk")
