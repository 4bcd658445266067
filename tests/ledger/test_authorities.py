"""A demand of an authority is decided by two, stays apart from requests, and its people are sealed."""

from datetime import date
from typing import Any

import pytest

from ledger.authorities import Authorities
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.authorities import AuthorityError, Demand, Scope, Waits
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demandfile import Gag, Kind, Said
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, later, opened_id
from tests.world import dump

WANTED = ("shop.customers", "shop.orders")
ALL = Scope(collections=WANTED)


def received(ledger: Authorities, **more: Any) -> Demand:
    said: dict[str, Any] = {
        "authority": "police-berlin",
        "country": "DE",
        "kind": Kind.PRODUCTION_ORDER,
        "basis": "canary section 95",
        "demanded": WANTED,
        "due_on": date(2026, 3, 20),
    }
    return ledger.receive_demand(Said(**said | more), ANNA, regime="eu-gdpr", zone="Europe/Berlin", by="s-17", at=AT)


def answer(ledger: Ledger, demand: Demand, **other: bool) -> None:
    for question in demand.asked:
        met = other.get(question, True)
        ledger.answer_question(demand.id, question, met=met, known_contact=True, by="s-17", note=None, at=AT)


def decide(ledger: Ledger, demand: Demand, word: Word = Word.DISCLOSE, ground: str = "legal_obligation") -> Demand:
    scope = ALL if word.gives else Scope()
    return ledger.decide_demand(demand.id, word, ground, scope, reason="canary", by="s-17", seat=Role.COUNSEL, at=AT)


def approve(ledger: Ledger, demand: Demand, by: str = "s-21", seat: Role = Role.DELEGATE) -> Demand:
    return ledger.approve_demand(demand.id, by=by, seat=seat, note=None, at=AT)


def test_trf_04_it_takes_two_people_in_two_seats(ledger: Ledger) -> None:
    demand = received(ledger)
    answer(ledger, demand)
    once = decide(ledger, demand)
    assert once.waits_for(AT) == (Waits.APPROVE,)

    for by, seat in (("s-17", Role.DELEGATE), (" S-17", Role.DELEGATE), ("s-18", Role.COUNSEL)):
        with pytest.raises(LedgerRefusal, match="two people"):
            approve(ledger, demand, by, seat)
    with pytest.raises(LedgerRefusal, match="no decision in force"):
        ledger.keep_disclosure(demand.id, "d" * 64, 1, {}, decided_at=AT, at=AT)
    assert approve(ledger, demand).waits_for(AT) == (Waits.SEAL, Waits.TELL)
    with pytest.raises(LedgerRefusal, match="decided on"):
        decide(ledger, demand)


def test_trf_04_who_is_not_known_beforehand_is_not_authenticated(ledger: Ledger) -> None:
    demand = received(ledger)
    with pytest.raises(AuthorityError, match="known beforehand"):
        ledger.answer_question(demand.id, "authenticated", met=True, known_contact=False, by="s-17", note=None, at=AT)
    with pytest.raises(AuthorityError, match="not asked"):
        ledger.answer_question(demand.id, "treaty", met=True, known_contact=True, by="s-17", note=None, at=AT)
    assert ledger.demand(demand.id).answers == {}


def test_an_answer_that_is_changed_takes_back_a_word_that_nobody_has_approved(ledger: Ledger) -> None:
    demand = received(ledger)
    answer(ledger, demand)
    decide(ledger, demand)

    ledger.answer_question(demand.id, "lawful", met=False, known_contact=True, by="s-17", note=None, at=AT)

    with pytest.raises(LedgerRefusal, match="second word"):
        approve(ledger, demand)
    decide(ledger, demand, Word.CHALLENGE, "no_legal_basis")
    assert approve(ledger, demand).waits_for(AT) == (Waits.RESOLVE,)
    ledger.answer_question(demand.id, "lawful", met=True, known_contact=True, by="s-17", note=None, at=AT)
    assert decide(ledger, demand).waits_for(AT) == (Waits.APPROVE,), "what comes of a challenge is decided anew"
    assert approve(ledger, demand).gives


def test_what_was_sealed_under_another_decision_is_not_kept(ledger: Ledger) -> None:
    demand = received(ledger)
    answer(ledger, demand)
    decide(ledger, demand)
    approve(ledger, demand)

    with pytest.raises(LedgerRefusal, match="no decision in force"):
        ledger.keep_disclosure(demand.id, "d" * 64, 1, {}, decided_at=later(hours=-1), at=AT)
    with pytest.raises(LedgerRefusal, match="nothing is sealed"):
        ledger.hand_over(demand.id, by="s-17", at=AT)
    ledger.keep_disclosure(demand.id, "d" * 64, 1, {}, decided_at=AT, at=AT)
    assert ledger.hand_over(demand.id, by="s-17", at=AT).handed_at == AT


def test_trf_04_nobody_is_told_while_a_gag_is_in_force(ledger: Ledger) -> None:
    demand = received(ledger, clauses=True, gag=Gag.UNTIL, gag_until=date(2026, 4, 1), gag_basis="canary 95a")

    with pytest.raises(LedgerRefusal, match="gag is in force"):
        ledger.told_of_demand(demand.id, by="s-17", text="canary", at=later(days=30))
    moved = ledger.change_gag(demand.id, Gag.UNTIL, date(2026, 5, 1), by="s-17", note=None, at=later(days=30))
    assert not moved.may_tell(later(days=31))
    assert ledger.told_of_demand(demand.id, by="s-17", text="canary", at=later(days=61)).told_at == later(days=61)


def test_of_a_demand_no_request_of_the_person_says_anything(ledger: Ledger, tables: Database) -> None:
    request_id = opened_id(ledger)
    before = ledger.standing(request_id)

    demand = received(ledger)
    answer(ledger, demand)

    assert ledger.standing(request_id) == before
    assert ledger.tasks() == []
    assert set(ledger.demand_people(demand.id)) == set(ANNA)
    seen = str(dump(tables.conninfo))
    assert demand.id in seen
    assert "canary" not in seen
    # Of the address: four digits stand in one of many digests by chance.
    assert ANNA[0].value.lower() not in seen.lower()


def test_an_end_gives_everything_its_day(ledger: Ledger) -> None:
    demand = received(ledger)
    until = {"working_until": later(days=1), "file_until": later(days=9), "parcel_until": later(days=1)}
    assert not ledger.close_demand(demand.id, **until, at=AT), "it waits for people"
    answer(ledger, demand, lawful=False)
    decide(ledger, demand, Word.REFUSE, "no_legal_basis")
    approve(ledger, demand)

    assert ledger.close_demand(demand.id, **until, at=AT)
    assert not ledger.close_demand(demand.id, **until, at=AT)

    assert [one.purpose for one in ledger.shred_due(later(days=2))] == ["working"]
    assert ledger.demand_people(demand.id) == ()
    assert ledger.verify().sound
