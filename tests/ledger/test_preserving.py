"""Whom a controller's own jobs may not delete for now: said of many at once, and of nobody by name."""

from __future__ import annotations

import pytest

from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.preserving import Kept
from rights.appeals import AppealOutcome
from rights.codes import Code
from rights.deadlines import start_clock
from rights.decision import Decided, Element, Role, Word, check
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity
from tests.ledger.builders import AT, OTTO, close_one, enter, later, opened_id

WHO = Identity("email", "waits@example.org")
NOBODY = Identity("email", "free@example.org")


def kept(ledger: Ledger, *identities: Identity, days: float = 1) -> list[tuple[Kept, ...]]:
    return [one.why for one in ledger.preserved(identities, at=later(days=days))]


@pytest.mark.parametrize("right", [Right.ACCESS, Right.PORTABILITY])
def test_ACC_12_from_receipt_to_answer_whoever_asks_for_a_copy_is_not_to_be_deleted(
    ledger: Ledger, right: Right
) -> None:
    """Before anybody is proven: what a job deletes meanwhile cannot be brought back once they are."""
    request = opened_id(ledger, identities=(WHO,), right=right)

    same = (WHO, NOBODY, Identity("email", " WAITS@Example.org"), Identity("customer_id", "waits@example.org"))
    assert kept(ledger, *same) == [(Kept.COPY_ASKED,), (), (Kept.COPY_ASKED,), ()]
    (one,) = ledger.preserved([WHO], at=later(days=1))
    assert one.since == AT
    ledger.confirm_identity(request, at=AT)
    ledger.move(request, Phase.LOCATING, at=AT)
    ledger.learn(request, (Identity("customer_id", "4711"),), at=AT)
    assert kept(ledger, Identity("customer_id", "4711")) == [(Kept.COPY_ASKED,)], "what a look has found as well"
    close_one(ledger, request, Conclusion.ANSWERED)
    assert kept(ledger, WHO, Identity("customer_id", "4711")) == [(), ()]


@pytest.mark.parametrize("right", [right for right in Right if not right.copies])
def test_what_asks_for_no_copy_keeps_nothing(ledger: Ledger, right: Right) -> None:
    opened_id(ledger, identities=(WHO,), right=right)
    assert kept(ledger, WHO) == [()]


def test_ACC_12_a_copy_that_is_taken_back_or_refused_keeps_nothing(ledger: Ledger) -> None:
    taken = opened_id(ledger, identities=(WHO,), right=Right.ACCESS)
    ledger.withdraw(taken, at=AT)
    assert kept(ledger, WHO) == [()]

    refused = opened_id(ledger, identities=OTTO, right=Right.ACCESS, confirmed=True)
    texts = {Element.REASON: "why", Element.OBJECTIVE: "o", Element.SUBJECTIVE: "s"}
    decided = Decided(word=Word.REFUSE, ground="gdpr_12_5_excessive")
    needs = check(decided, Right.ACCESS, ["eu-gdpr"], texts)
    made = ledger.propose(refused, decided, needs, texts, by="s-31", consult_until=later(days=3), at=AT)
    assert kept(ledger, *OTTO) == [(Kept.COPY_ASKED,)], "a refusal that is weighed is none yet"
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)
    assert kept(ledger, *OTTO) == [()]


def test_ACC_12_while_somebody_may_complain_of_a_copy_it_is_kept_as_from_our_own_erasures(ledger: Ledger) -> None:
    """PIPEDA s. 8(8): six months after a copy was given in part; the fence of an erasure says the same."""
    clock = start_clock(regime("ca-pipeda"), AT, "America/Toronto")
    asked = ledger.open_request(Right.ACCESS, "ca-pipeda", (WHO,), clock, received_at=AT, confirmed=True)
    close_one(ledger, asked.request_id, Conclusion.IN_PART)

    assert kept(ledger, WHO) == [(Kept.REMEDIES,)]
    erasure = opened_id(ledger, Phase.LOCATING, identities=(WHO,), confirmed=True)
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, erasure, at=later(days=1))
    assert refused.value.code is Code.RECOURSE
    assert kept(ledger, WHO, days=200) == [()]


def test_ACC_12_while_an_appeal_about_a_copy_is_open_it_is_kept(ledger: Ledger) -> None:
    clock = start_clock(regime("us-va"), AT, "America/New_York")
    asked = ledger.open_request(Right.ACCESS, "us-va", (WHO,), clock, received_at=AT, confirmed=True).request_id
    close_one(ledger, asked, at=later(days=10))
    assert kept(ledger, WHO, days=11) == [()]
    appeal = ledger.open_appeal(asked, received_at=later(days=20), at=later(days=20))
    assert kept(ledger, WHO, days=21) == [(Kept.REMEDIES,)]
    ledger.decide_appeal(appeal.id, AppealOutcome.UPHELD, at=later(days=22), reasons="it was all there", by="s-90")
    assert kept(ledger, WHO, days=23) == [()]


def test_it_is_asked_in_one_statement_and_of_nobody_else_s_tenant(ledger: Ledger) -> None:
    many = [Identity("email", f"n{number}@example.org") for number in range(1_000)]
    opened_id(ledger, identities=tuple(many[10:12]), right=Right.ACCESS)
    found = ledger.preserved(many, at=later(days=1))
    assert [number for number, one in enumerate(found) if one.why] == [10, 11]
    assert ledger.preserved([], at=AT) == []
