"""A fee in the ledger: nothing is done while it is open, and what becomes of it is an agent's word."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from ledger.proposals import Decision
from rights.codes import Code
from rights.decision import Decided, Element, Role, Word, check
from rights.fees import Fee
from rights.letters import Particulars
from rights.metrics import Fate
from rights.request import Conclusion, Phase
from tests.ledger.builders import AT, close_one, enter, later, opened_id
from tests.ledger.conftest import Door

FEE = Decided(word=Word.FEE, ground="gdpr_12_5_excessive", fee=Fee(currency="EUR", minor=1250))
TEXTS = {Element.REASON: "zqwhy", Element.OBJECTIVE: "zqobjective", Element.SUBJECTIVE: "zqsubjective"}


def charged(ledger: Ledger, request_id: str) -> Decision:
    row = ledger.request(request_id)
    needs = check(FEE, row.right, row.regimes, TEXTS)
    made = ledger.propose(request_id, FEE, needs, TEXTS, by="s-31", consult_until=later(days=3), at=AT)
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    return ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)


def a_request(ledger: Ledger) -> str:
    request_id = opened_id(ledger, Phase.LOCATING)
    ledger.seal(request_id, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    return request_id


def test_COM_04_the_amount_is_told_before_and_nothing_is_done_until_it_is_paid(ledger: Ledger, door: Door) -> None:
    request_id = a_request(ledger)
    decision = charged(ledger, request_id)

    assert decision.state == "charged"
    assert door("SELECT kind, state FROM letters") == [("fee_asked", "queued")]
    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/fee_asked/0") or b"")
    assert (said.fee, said.provision, said.reason) == ("EUR 12.50", "GDPR Art. 12(5)(a)", "zqwhy")
    assert (said.abuse_objective, said.abuse_subjective) == ("zqobjective", "zqsubjective")
    assert door("SELECT code FROM tasks WHERE settled_at IS NULL") == [("fee",)]
    gate = ledger.gate(request_id)
    assert (gate.weighing, gate.fee, gate.refused, gate.decision) == (True, True, False, "")
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, request_id)
    assert refused.value.code is Code.DECISION
    with pytest.raises(LedgerRefusal, match="asks for a fee"):
        ledger.propose(request_id, FEE, check(FEE, ledger.request(request_id).right, ["eu-gdpr"], TEXTS), TEXTS,
                       by="s-31", consult_until=None, at=AT)  # fmt: skip

    with pytest.raises(LedgerRefusal):
        ledger.settle_fee(decision.id, "paid", by="s-31", at=later(days=5), on=AT.date() - timedelta(days=1))
    assert door("SELECT state FROM decisions") == [("charged",)], "a day before it was asked for is none"
    ledger.settle_fee(decision.id, "paid", by="s-31", at=later(days=5), on=date(2026, 3, 6))

    assert door("SELECT state, body->>'word' FROM decisions") == [("in_force", "fee")]
    assert door("SELECT ruling FROM tasks WHERE code = 'fee'") == [("paid",)]
    assert not ledger.gate(request_id).closed
    assert enter(ledger, request_id)
    with pytest.raises(LedgerRefusal, match="no fee of this decision is open"):
        ledger.settle_fee(decision.id, "unpaid", by="s-31", at=later(days=6))
    close_one(ledger, request_id, Conclusion.IN_PART, at=later(days=9))
    (line,) = ledger.request_lines(date(2026, 1, 1), date(2026, 12, 31))
    assert (line.fate, line.grounds) == (Fate.IN_PART, ("kept_or_given_up",)), "it was not denied on what it cost"
    assert ledger.verify().sound


def test_COM_04_a_fee_that_is_not_paid_is_a_refusal_on_the_ground_that_was_approved(ledger: Ledger, door: Door) -> None:
    request_id = a_request(ledger)
    decision = charged(ledger, request_id)
    ledger.settle_fee(decision.id, "unpaid", by="s-31", at=later(days=20))

    assert door("SELECT state, body->>'word', body->>'ground' FROM decisions") == [
        ("in_force", "refuse", "gdpr_12_5_excessive")
    ]
    assert ledger.gate(request_id).refused
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, request_id)
    assert refused.value.code is Code.NOT_GRANTED
    assert door("SELECT kind FROM letters ORDER BY queued_at") == [("fee_asked",), ("excessive_refusal",)]
    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/excessive_refusal/0") or b"")
    assert (said.fee, said.provision, said.abuse_objective) == (None, "GDPR Art. 12(5)(b)", "zqobjective")
    close_one(ledger, request_id, Conclusion.REFUSED, at=later(days=21))
    (line,) = ledger.request_lines(date(2026, 1, 1), date(2026, 12, 31))
    assert (line.fate, line.grounds) == (Fate.DENIED, ("gdpr_12_5_excessive",))
    assert not [text for text in TEXTS.values() if text in str(door("SELECT body FROM entries"))]
    assert ledger.verify().sound


@pytest.mark.parametrize("word", ["paid", "unpaid"])
@pytest.mark.parametrize(("days", "said"), [(6, "lies in the future"), (-1, "was asked for on 2026-03-0")])
def test_a_fee_is_settled_on_no_day_before_it_was_asked_for_and_on_none_to_come(
    ledger: Ledger, door: Door, word: Literal["paid", "unpaid"], days: int, said: str
) -> None:
    decision = charged(ledger, a_request(ledger))
    before = door("SELECT count(*) FROM entries")

    with pytest.raises(LedgerRefusal, match=said):
        ledger.settle_fee(decision.id, word, by="s-31", at=later(days=5), on=AT.date() + timedelta(days=days))

    assert door("SELECT state FROM decisions") == [("charged",)]
    assert door("SELECT count(*) FROM entries") == before
    ledger.settle_fee(decision.id, word, by="s-31", at=later(days=5), on=later(days=5).date())
    assert door("SELECT state FROM decisions") == [("in_force",)]


def test_COM_04_a_request_that_waits_for_a_fee_can_be_taken_back(ledger: Ledger, door: Door) -> None:
    request_id = a_request(ledger)
    decision = charged(ledger, request_id)
    ledger.withdraw(request_id, at=later(days=2))

    assert ledger.request(request_id).withdrawn
    with pytest.raises(LedgerRefusal, match="withdrawn"):
        ledger.settle_fee(decision.id, "paid", by="s-31", at=later(days=3))
    close_one(ledger, request_id, Conclusion.WITHDRAWN, at=later(days=3))
    assert door("SELECT count(*) FROM tasks WHERE code = 'fee' AND settled_at IS NULL") == [(0,)]
