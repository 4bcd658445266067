"""What staff are shown of people is on record before it is shown: what kind, to whom, why; and never what."""

from collections.abc import Callable

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.reveals import Revealed, Why
from tests.conftest import Database
from tests.ledger.builders import AT, later, opened_id
from tests.ledger.conftest import Door


def test_a_reveal_is_an_entry_of_the_journal_with_kind_staff_and_reason(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    ledger.reveal(request_id, Revealed.LETTER, Why.CONTACT, by="s-17", at=AT)
    ledger.reveal(request_id, Revealed.LETTER, Why.CONTACT, by="s-17", at=later(hours=1))
    assert (
        door("SELECT request_id, body::json FROM entries WHERE kind = 'revealed' ORDER BY seq")
        == [(request_id, {"what": "letter", "why": "contact", "by": "s-17"})] * 2
    )
    assert [one.at for one in ledger.reveals(request_id)] == [AT, later(hours=1)]
    assert ledger.verify().sound


def test_nothing_is_revealed_of_a_request_that_is_not_there(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    request_id = opened_id(ledger)
    other = make_ledger(tables.url, tenant="other")
    for of, named in ((ledger, "01kap2v7q4m8w3x9yd5tgh6jzr"), (other, request_id)):
        with pytest.raises(LedgerRefusal, match="no request of this id"):
            of.reveal(named, Revealed.PARCEL, Why.AUDIT, by="s-17", at=AT)
    assert other.reveals(request_id) == []
