"""What was refused to be corrected stays noted as disputed, for as long as the person says so."""

from datetime import timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.rectification import Disputed
from rights.request import Conclusion, Right
from rights.subject import Identity
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, OTTO, close_one, later, opened_id
from tests.ledger.conftest import Door
from tests.world import dump

STATEMENT = "I never lived in Quarry Lane"
NAME = Disputed(number=1, at=0, system="shop", collection="customers", field="full_name")


def noted(ledger: Ledger, *, statement: str = STATEMENT) -> str:
    """A correction of Anna's name that was refused."""
    request_id = opened_id(ledger, right=Right.RECTIFICATION)
    assert ledger.note_dispute(request_id, [NAME], ANNA, statement=statement, at=AT) == 1
    return request_id


def test_REC_06_a_later_request_of_the_person_finds_it_by_whatever_they_are_known_by(ledger: Ledger) -> None:
    refused = noted(ledger)
    # By one of her addresses alone, written otherwise.
    written = (Identity("email", ANNA[0].value.upper()),)
    (found,) = ledger.disputes_of(opened_id(ledger, identities=written, right=Right.ACCESS), ())

    assert (found.request_id, found.statement) == (refused, STATEMENT)
    assert [(one.system, one.collection, one.field) for one in found.fields] == [("shop", "customers", "full_name")]


def test_nobody_else_finds_it_and_nothing_that_several_people_have_leads_to_it(ledger: Ledger) -> None:
    noted(ledger)
    family = opened_id(ledger, identities=(ANNA[0],), right=Right.ACCESS)

    assert ledger.disputes_of(opened_id(ledger, identities=OTTO, right=Right.ACCESS), ()) == ()
    assert ledger.disputes_of(family, {"email"}) == ()
    assert len(ledger.disputes_of(family, ())) == 1


def test_REC_06_it_outlives_the_request_and_all_that_was_sealed_with_it(
    ledger: Ledger, door: Door, tables: Database
) -> None:
    refused = noted(ledger)
    close_one(ledger, refused, Conclusion.REFUSED, days=1)
    ledger.shred_due(as_of=later(days=4000))

    (found,) = ledger.disputes_of(opened_id(ledger, right=Right.ACCESS), ())

    assert found.statement == STATEMENT
    assert ("working",) not in door("SELECT purpose FROM case_keys WHERE case_id = %s AND wrapped IS NOT NULL", refused)
    assert "Quarry" not in str(dump(tables.conninfo))


def test_REC_06_it_ends_with_the_persons_own_word_and_the_statement_is_destroyed(ledger: Ledger, door: Door) -> None:
    refused = noted(ledger)
    close_one(ledger, refused, Conclusion.REFUSED)

    ledger.withdraw_dispute(refused, by="s-17", at=later(days=1))

    assert ledger.disputes_of(opened_id(ledger, right=Right.ACCESS), ()) == ()
    assert ledger.dispute(refused) is None
    ledger.shred_due(as_of=later(days=1) + timedelta(hours=1))
    key = "SELECT wrapped, shredded_at IS NULL FROM case_keys WHERE case_id = %s AND purpose = 'dispute'"
    assert door(key, refused) == [(None, False)]
    assert door("SELECT * FROM vault WHERE purpose = 'dispute'") == []
    with pytest.raises(LedgerRefusal, match="nothing of this request"):
        ledger.withdraw_dispute(refused, by="s-17", at=later(days=2))


def test_a_statement_can_come_later_and_takes_the_place_of_the_one_before(ledger: Ledger) -> None:
    refused = noted(ledger, statement="")
    close_one(ledger, refused, Conclusion.REFUSED, days=1)
    ledger.shred_due(as_of=later(days=4000))
    for text in ("first", STATEMENT):
        ledger.say_of_dispute(refused, text, by="s-17", at=later(days=4001))

    (found,) = ledger.disputes_of(opened_id(ledger, right=Right.ACCESS), ())
    assert found.statement == STATEMENT


def test_it_is_noted_once(ledger: Ledger, door: Door) -> None:
    refused = noted(ledger)

    assert ledger.note_dispute(refused, [NAME], ANNA, statement="otherwise", at=later(days=1)) == 0
    assert door("SELECT count(*) FROM entries WHERE kind = 'dispute_noted'") == [(1,)]
    found = ledger.dispute(refused)
    assert found is not None
    assert found.statement == STATEMENT


def test_what_was_taken_back_while_the_request_is_open_is_not_noted_again_at_its_end(ledger: Ledger) -> None:
    refused = noted(ledger)
    ledger.withdraw_dispute(refused, by="s-17", at=AT)
    ledger.shred_due(as_of=later(days=1))

    assert ledger.note_dispute(refused, [NAME], ANNA, statement=STATEMENT, at=later(days=1)) == 0
    assert ledger.dispute(refused) is None


def test_it_goes_with_the_data(ledger: Ledger) -> None:
    noted(ledger)
    erasure = opened_id(ledger, identities=(ANNA[1],))

    assert ledger.end_disputes(erasure, (), {"shop"}, at=later(days=1)) == 1
    assert ledger.disputes_of(erasure, ()) == ()
    assert ledger.end_disputes(erasure, (), {"shop"}, at=later(days=1)) == 0


def test_it_stays_for_what_another_system_has(ledger: Ledger, door: Door) -> None:
    refused = opened_id(ledger, right=Right.RECTIFICATION)
    elsewhere = NAME.model_copy(update={"system": "crm"})
    ledger.note_dispute(refused, [NAME, elsewhere], ANNA, statement=STATEMENT, at=AT)
    erasure = opened_id(ledger)

    assert ledger.end_disputes(erasure, (), {"mail"}, at=later(days=1)) == 0
    assert door("SELECT count(*) FROM entries WHERE kind = 'dispute_ended'") == [(0,)]
    for _ in range(2):
        assert ledger.end_disputes(erasure, (), {"shop"}, at=later(days=1)) == 0
        (left,) = ledger.disputes_of(erasure, ())
        assert ([one.system for one in left.fields], left.statement) == (["crm"], STATEMENT)
    assert door("SELECT count(*) FROM entries WHERE kind = 'dispute_ended'") == [(1,)]

    assert ledger.end_disputes(erasure, (), {"crm"}, at=later(days=2)) == 1
    assert ledger.disputes_of(erasure, ()) == ()


def test_it_is_found_after_the_keys_of_tokens_were_turned(ledger: Ledger) -> None:
    noted(ledger)
    ledger.rotate_tokens(at=later(days=1))
    assert ledger.renew_tokens(at=later(days=1)) >= len(ANNA)

    assert len(ledger.disputes_of(opened_id(ledger, right=Right.ACCESS), ())) == 1
