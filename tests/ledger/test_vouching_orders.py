"""Whatever the order of events: what was refused, has expired or is of something else never counts."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.papers import PAPER_KEPT
from rights.identity import Rung, Unreached
from rights.request import Right
from tests.ledger.builders import AT
from tests.ledger.test_proofs import asking

ROLES = ("desk", "lead")
WORDS = (Rung.DOCUMENT, Rung.IN_PERSON, Rung.ATTESTED)
OF = (("email",), ("customer_id",), ("all",))

attests = st.tuples(st.just("attest"), st.sampled_from(WORDS), st.sampled_from(ROLES), st.sampled_from(OF))
others = st.sampled_from([("refuse",), ("refuse all",), ("lapse",), ("wait",)])


@dataclass
class Model:
    """What counts, by what the page of who asks says; nothing of it is read from the ledger."""

    paper: bytes | None
    now: datetime = AT
    waiting: dict[Rung, tuple[str, frozenset[str], datetime]] = field(default_factory=dict)
    seconded: list[frozenset[str]] = field(default_factory=list)
    lapsed: bool = False

    @property
    def proven(self) -> bool:
        # Level 4 of one role counts as level 3 until the second look: enough for a copy.
        waiting = [of for rung, (_, of, _) in self.waiting.items() if rung is Rung.ATTESTED]
        return {"email", "customer_id"} <= frozenset().union(*self.seconded, *waiting)

    def attest(self, rung: Rung, role: str, of: tuple[str, ...]) -> None:
        named = frozenset({"email", "customer_id"} if of == ("all",) else of)
        first = self.waiting.get(rung)
        if first is None or first[2] <= self.now - PAPER_KEPT:
            self.waiting[rung] = (role, named, self.now)
        elif first[0] != role and first[1] & named:
            del self.waiting[rung]
            self.seconded.append(first[1] & named)

    def refuse(self, *, every: bool) -> None:
        self.waiting.clear()
        if every:
            self.seconded.clear()

    def lapse(self) -> None:
        # It is told of once; a copy that comes afterwards goes by its own term.
        if self.paper and not self.lapsed:
            self.waiting.pop(Rung.DOCUMENT, None)
        self.lapsed = True


def happen(ledger: Ledger, request: str, model: Model, event: tuple[Any, ...]) -> None:
    """One event, in the ledger and in the model; what the ledger refuses leaves nothing."""
    what, *said = event
    if what == "attest":
        rung, role, of = said
        paper = model.paper if rung is Rung.DOCUMENT else None
        with suppress(LedgerRefusal):
            ledger.attest(request, rung, by=role, at=model.now, level=4, vouches=of, paper=paper)
        model.attest(rung, role, of)
    elif what == "lapse":
        ledger.lapse(request, Unreached.LAPSE, at=model.now)
        model.lapse()
    elif what.startswith("refuse"):
        with suppress(LedgerRefusal):
            ledger.refuse_proof(request, by="counsel", at=model.now, every=what == "refuse all")
        model.refuse(every=what == "refuse all")


FIRST_SEEN = [
    # A second look at one proof has served that one: the copy that another one rests on stays, and lapses with it.
    ("attest", Rung.DOCUMENT, "desk", ("email",)),
    ("attest", Rung.IN_PERSON, "desk", ("customer_id",)),
    ("attest", Rung.IN_PERSON, "lead", ("customer_id",)),
    ("lapse",),
    ("attest", Rung.DOCUMENT, "lead", ("email",)),
]


@pytest.mark.parametrize("paper", [None, b"a scan"])
@example(events=FIRST_SEEN)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(st.one_of(attests, attests, others), min_size=2, max_size=8))
def test_in_any_order_a_request_is_proven_by_what_stands_and_by_nothing_else(
    ledger: Ledger, paper: bytes | None, events: list[tuple[Any, ...]]
) -> None:
    request, model = asking(ledger, right=Right.ACCESS, points=[]), Model(paper)
    for event in events:
        model.now += timedelta(days=8) if event[0] == "wait" else timedelta(minutes=1)
        happen(ledger, request, model, event)
        assert ledger.request(request).confirmed is model.proven, event
        if model.proven:
            return
    assert len(ledger.identity_state(request).proofs) == len(model.waiting) + len(model.seconded)


def test_nothing_counts_for_a_request_that_was_taken_back(ledger: Ledger) -> None:
    request = asking(ledger, right=Right.ACCESS, points=[])
    ledger.attest(request, Rung.DOCUMENT, by="desk", at=AT, paper=b"a scan", vouches=["all"])
    ledger.withdraw(request, at=AT)
    with pytest.raises(LedgerRefusal, match="withdrawn"):
        ledger.attest(request, Rung.DOCUMENT, by="lead", at=AT, vouches=["all"])
    with pytest.raises(LedgerRefusal, match="withdrawn"):
        ledger.confirm_identity(request, at=AT)
    with pytest.raises(LedgerRefusal, match="withdrawn"):
        ledger.leave_out(request, ["email"], by="desk", reason="x", at=AT)
    assert not ledger.request(request).confirmed
    assert ledger.paper(request) is None
