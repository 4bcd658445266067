"""Requests under several laws in the ledger: no law counts for less because it was named second."""

from itertools import permutations
from json import loads

import pytest

from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.letters import said_name
from rights.codes import Code
from rights.deadlines import start_clock
from rights.identity import Unreached
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from tests.ledger.builders import ANNA, AT, close_one, enter, later, opened_id
from tests.ledger.test_proofs import KNOWN, sent


def asked(ledger: Ledger, right: Right, *laws: str, hours: int = 0, confirmed: bool = True) -> str:
    """A request under these laws, in that order."""
    at = later(hours=hours)
    clock, *further = [start_clock(regime(law), at, "Europe/Berlin") for law in laws]
    opened = ledger.open_request(
        right, laws[0], ANNA, clock, further=further, received_at=at, confirmed=confirmed, idempotency_key=None
    )
    return opened.request_id


@pytest.mark.parametrize("laws", list(permutations(["eu-gdpr", "ca-pipeda"])))
def test_a_law_that_keeps_what_was_refused_does_so_whichever_was_named_first(
    ledger: Ledger, laws: tuple[str, ...]
) -> None:
    """PIPEDA s. 8(8): and what finds the refusal is not shredded before."""
    erasure = opened_id(ledger, Phase.LOCATING, confirmed=True)
    copy = asked(ledger, Right.ACCESS, *laws)
    close_one(ledger, copy, Conclusion.REFUSED, days=30)

    ledger.shred_due(later(days=100))
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, erasure, at=later(days=100))
    assert refused.value.code is Code.RECOURSE


def test_who_asks_under_the_same_laws_is_answered_together_in_whichever_order_they_were_named(ledger: Ledger) -> None:
    first = asked(ledger, Right.ACCESS, "eu-gdpr", "us-ca-ccpa")
    ledger.move(first, Phase.LOCATING, at=AT)
    same = asked(ledger, Right.ACCESS, "us-ca-ccpa", "eu-gdpr", hours=1)
    more = asked(ledger, Right.ACCESS, "us-ca-ccpa", "eu-gdpr", "uk-gdpr", hours=2)
    less = asked(ledger, Right.ACCESS, "us-ca-ccpa", hours=3)

    assert ledger.join(same, (), at=later(hours=1)).lead == first
    assert not ledger.join(more, (), at=later(hours=2)).lead
    assert not ledger.join(less, (), at=later(hours=3)).lead


@pytest.mark.parametrize("laws", list(permutations(["eu-gdpr", "us-ca-ccpa"])))
def test_a_reminder_and_a_lapse_name_the_days_that_leave_the_person_most(ledger: Ledger, laws: tuple[str, ...]) -> None:
    """Asked on day 20: Europe's thirty days end on day 50, California's word would come on day 38 and be the last."""
    request = asked(ledger, Right.ERASURE, *laws, confirmed=False)
    ledger.keep_reach(request, KNOWN, doubt=False, at=AT)
    ledger.move(request, Phase.CONFIRMING, at=AT)
    sent(ledger, request, "file", at=later(days=20))
    ledger.remind(request, at=later(days=27))
    ledger.lapse(request, Unreached.LAPSE, at=later(days=50))

    def said(kind: str, number: int) -> dict[str, object]:
        body = ledger.unseal(request, "file", said_name(kind, number))
        assert body is not None
        found: dict[str, object] = loads(body)
        return found

    assert said("reminder", 1)["respond_by"] == later(days=50).date().isoformat()
    assert said("lapse", 0)["respond_by"] == later(days=110).date().isoformat()
