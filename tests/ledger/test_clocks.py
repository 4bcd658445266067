"""What moves a clock is written down once, kept with its reasons, and refused where it cannot stand."""

from datetime import timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.clockwork import ClockEvent, Turn
from rights.deadlines import start_clock
from rights.reckoning import local_day
from rights.regimes import regime
from rights.request import Right
from tests.ledger.builders import ANNA, AT, close_one, later
from tests.ledger.conftest import Door

ZONE = "Europe/Berlin"
TODAY = local_day(AT, ZONE)


def opened(ledger: Ledger, *laws: str) -> str:
    clock, *further = (start_clock(regime(law), AT, ZONE) for law in laws or ("eu-gdpr",))
    one = ledger.open_request(Right.ERASURE, clock.regime, ANNA, clock, received_at=AT, further=further)
    return one.request_id


def asked(days: int = 1) -> ClockEvent:
    return ClockEvent(turn=Turn.IDENTITY_ASKED, day=TODAY + timedelta(days=days))


def test_a_moved_clock_is_in_the_row_in_the_journal_and_on_its_way(ledger: Ledger, door: Door) -> None:
    request_id = opened(ledger)
    before = ledger.request(request_id).clock
    due = ledger.turn_clock(
        request_id,
        ClockEvent(turn=Turn.EXTENDED, day=TODAY + timedelta(days=2), ground="complexity"),
        at=later(days=2),
        note="eleven systems, two of them abroad",
        by={"said": "support desk"},
    )

    assert due.legal_due > before.legal_due
    assert door("SELECT legal_due FROM requests WHERE id = %s", request_id) == [(due.legal_due,)]
    ((body,),) = door("SELECT body FROM entries WHERE request_id = %s AND kind = 'clock'", request_id)
    assert '"ground":"complexity"' in body
    assert "abroad" not in body
    assert door("SELECT kind FROM outbox WHERE request_id = %s ORDER BY id", request_id) == [("start",), ("clock",)]
    assert ledger.request(request_id).clock == due
    assert ledger.verify().sound


def test_what_the_law_does_not_allow_leaves_nothing(ledger: Ledger, door: Door) -> None:
    request_id = opened(ledger)
    before = door("SELECT count(*) FROM entries")
    with pytest.raises(LedgerRefusal, match="no ground on which the law extends a term"):
        ledger.turn_clock(
            request_id, ClockEvent(turn=Turn.EXTENDED, day=TODAY, ground="vendor_down"), at=AT, note="it is down"
        )

    assert door("SELECT count(*) FROM entries") == before
    assert door("SELECT count(*) FROM vault WHERE name LIKE 'note/%%'") == [(0,)]
    assert door("SELECT count(*) FROM outbox WHERE kind = 'clock'") == [(0,)]


def test_a_running_clock_goes_by_the_text_it_was_opened_under(ledger: Ledger, door: Door) -> None:
    request_id = opened(ledger)
    digest = regime("eu-gdpr").digest
    door(
        "UPDATE rulesets SET body = replace(body, 'identity: suspends', 'identity: neither') WHERE digest = %s", digest
    )

    ledger.turn_clock(request_id, asked(), at=later(days=1))

    assert ledger.request(request_id).clock.still_since is None, "the text that is kept counts, not today's"


def test_both_times_of_a_corrected_receipt_are_kept(ledger: Ledger, door: Door) -> None:
    request_id = opened(ledger)
    earlier = AT - timedelta(days=3)
    event = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=local_day(earlier, ZONE), received_at=earlier)

    ledger.turn_clock(request_id, event, at=AT, by={"said": "post room", "approved": "dpo"})

    row = ledger.request(request_id)
    assert row.clock.received_at == earlier
    ((body,),) = door("SELECT body FROM entries WHERE request_id = %s AND kind = 'clock'", request_id)
    assert "received_before" in body
    assert '"approved":"dpo"' in body
    assert ledger.verify().sound


def test_several_laws_are_kept_each_with_its_dates(ledger: Ledger) -> None:
    request_id = opened(ledger, "us-ca-ccpa", "eu-gdpr")
    row = ledger.request(request_id)

    assert row.regimes == ("us-ca-ccpa", "eu-gdpr")
    assert row.clock.regime == "eu-gdpr", "the earliest by law acts"
    assert row.regime == "us-ca-ccpa", "what was named first stands for it"
    ledger.turn_clock(request_id, asked(), at=later(days=1))
    assert [clock.still_since is None for clock in ledger.request(request_id).clocks] == [True, False]


def test_the_clock_of_a_closed_or_withdrawn_request_is_still(ledger: Ledger) -> None:
    closed, taken_back = opened(ledger), opened(ledger)
    close_one(ledger, closed)
    ledger.withdraw(taken_back, at=AT)
    for request_id, why in ((closed, "closed on"), (taken_back, "withdrawn on")):
        with pytest.raises(LedgerRefusal, match=why):
            ledger.turn_clock(request_id, asked(), at=later(days=1))
    with pytest.raises(LedgerRefusal, match="no request of this id"):
        ledger.turn_clock("0" * 26, asked(), at=later(days=1))
