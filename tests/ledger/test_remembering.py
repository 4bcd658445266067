"""What a request has had done is remembered by token when it is shredded, and taken over by whoever does it again."""

import re
from typing import Any

import pytest

from ledger.ledger import Ledger
from ledger.remembering import Decided, Remembered
from ledger.requests import Ending
from rights.journal import REPLAYED
from rights.rectification import Accuracy
from rights.request import Phase, Right
from rights.subject import Identity, Sharing
from rights.weighing import Outcome
from tests.ledger.builders import ANNA, OTTO, close_one, later, open_one, opened_id
from tests.ledger.conftest import Door

SAID = '{"of": ["sale"], "source": "person"}'
FAMILY = Identity("phone", "+49301234567", Sharing.SHARED)


def answered(ledger: Ledger, people: tuple[Identity, ...] = ANNA) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, identities=people, right=Right.OPT_OUT)
    close_one(ledger, request_id, ending=Ending(act=Remembered(people=people, details=SAID)))
    ledger.shred(request_id, ["working", "file", "history"], as_of=later(days=40))
    return request_id


def test_whoever_is_seen_again_is_recognised_when_the_vault_is_gone(ledger: Ledger, door: Door) -> None:
    request_id = answered(ledger)

    written_otherwise = Identity("email", " ANNA.BERG@example.org")
    assert ledger.acts_of([OTTO[0], written_otherwise]) == [(), (request_id,)]
    assert ledger.remembered_details(request_id) == SAID
    rows = str(door("SELECT t::text, a::text FROM act_tokens t, remembered_acts a")).lower()
    assert not any(re.search(rf"(?<![0-9a-f]){re.escape(one.value.lower())}", rows) for one in ANNA)


def test_what_several_people_may_have_recognises_nobody(ledger: Ledger) -> None:
    request_id = answered(ledger, (FAMILY,))

    assert ledger.acts_of([FAMILY]) == [()]
    assert ledger.remembered_details(request_id) is None, "there is nobody to recognise by it"


def test_another_key_is_put_in_force_and_everybody_is_found_as_before(ledger: Ledger, door: Door) -> None:
    request_id = answered(ledger)
    before = set(door("SELECT token FROM act_tokens"))

    ledger.rotate_tokens(at=later(days=41))
    assert ledger.acts_of(ANNA) == [(request_id,)] * 2
    ledger.renew_tokens(at=later(days=41))

    assert ledger.acts_of(ANNA) == [(request_id,)] * 2
    assert before.isdisjoint(door("SELECT token FROM act_tokens"))


def test_a_correction_and_an_objection_are_not_decided_on_twice(ledger: Ledger, door: Door) -> None:
    accepted = Accuracy(accepted=(1,))
    again: dict[str, Any] = {"confirmed": True, "assurance": REPLAYED}
    objection = open_one(ledger, right=Right.OBJECTION, decided=Decided(upheld=True), **again).request_id
    correction = open_one(
        ledger, right=Right.RECTIFICATION, decided=Decided(accepted=accepted, systems=("shop",)), **again
    ).request_id

    weighed = ledger.weighing(objection)
    assert weighed is not None
    assert weighed.outcome is Outcome.UPHELD
    assert ledger.accuracy(correction) == accepted
    assert door("SELECT count(*) FROM tasks") == [(0,)]
    assert ledger.verify().sound


@pytest.mark.parametrize(("assurance", "joined"), [("", True), (REPLAYED, False)])
def test_nobodys_new_wish_is_answered_by_what_is_done_again(ledger: Ledger, assurance: str, joined: bool) -> None:
    """Else the answer to it would be about the one system that was restored."""
    same: dict[str, Any] = {"right": Right.OPT_OUT, "details": SAID.encode(), "confirmed": True}
    at_work = opened_id(ledger, Phase.LOCATING, assurance=assurance, **same)
    theirs = open_one(ledger, at=later(days=1), **same).request_id

    ledger.move(theirs, Phase.LOCATING, at=later(days=1))
    ledger.join(theirs, (), at=later(days=1))

    assert ledger.lead_of(theirs) == (at_work if joined else None)
