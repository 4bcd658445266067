"""What moves a clock is written down once, kept with its reasons, and refused where it cannot stand."""

from datetime import date, datetime, timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, Letter
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.deadlines import start_clock
from rights.letters import Particulars
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


# Letters that move it.


def written(ledger: Ledger, law: str = "eu-gdpr", *, at: datetime = AT) -> tuple[str, Letter, date]:
    """A request whose extension was asked for by a letter."""
    request_id = opened(ledger, law)
    ledger.seal(request_id, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    event = ClockEvent(turn=Turn.EXTENDED, day=local_day(at, ZONE), ground="complexity")
    letter, due = ledger.send_extension(request_id, event, at=at, note="zqreasons", by={"said": "support desk"})
    return request_id, ledger.letter(letter), due


def deliver(ledger: Ledger, letter: Letter, at: datetime) -> None:
    assert ledger.begin_sending(letter, at=at)
    assert ledger.letter_sent(letter, at=at)


def test_an_extension_by_letter_moves_the_clock_when_the_letter_is_sent(ledger: Ledger, door: Door) -> None:
    request_id, letter, due = written(ledger)
    before = ledger.request(request_id).clock

    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/extension_notice/0") or b"")
    assert (said.ground, said.reason, said.extended_due) == ("complexity", "zqreasons", due)
    assert due > local_day(before.legal_due, ZONE)
    assert "zqreasons" not in str(door("SELECT body FROM entries"))
    event = ClockEvent(turn=Turn.EXTENDED, day=TODAY, ground="complexity")
    with pytest.raises(LedgerRefusal, match="a notice is on its way"):
        ledger.send_extension(request_id, event, at=AT, note=None, by={})
    assert door("SELECT legal_due FROM requests") == [(before.legal_due,)], "to write it extends nothing"

    deliver(ledger, letter, later(days=3))

    ((moved,),) = door("SELECT legal_due FROM requests")
    assert local_day(moved, ZONE) == due
    assert [(e.turn, e.day) for e in ledger.clock_events(request_id)] == [(Turn.EXTENDED, TODAY + timedelta(days=3))]
    assert not ledger.tasks()


def test_a_notice_that_is_sent_too_late_extends_nothing_and_is_a_task(ledger: Ledger, door: Door) -> None:
    request_id, letter, _ = written(ledger)
    before = ledger.request(request_id).clock

    deliver(ledger, letter, later(days=40))

    assert door("SELECT legal_due FROM requests") == [(before.legal_due,)]
    assert ledger.clock_events(request_id) == []
    assert door("SELECT code, about FROM tasks") == [(Code.NOT_EXTENDED.value, "extension_notice")]
    assert door("SELECT state FROM letters") == [("sent",)]
    ledger.rule(request_id, ledger.tasks()[0].id, "done", at=later(days=41))
    assert door("SELECT count(*) FROM tasks WHERE settled_at IS NULL") == [(0,)]


def test_a_notice_that_a_person_brings_over_counts_on_that_day(ledger: Ledger) -> None:
    request_id, letter, _ = written(ledger)
    assert ledger.letter_to_post(letter, "", at=later(days=1))

    (task,) = ledger.tasks()
    ledger.rule(request_id, task.id, "done", at=later(days=5), on=TODAY + timedelta(days=2))

    assert [(e.turn, e.day) for e in ledger.clock_events(request_id)] == [(Turn.EXTENDED, TODAY + timedelta(days=2))]
    assert not [task for task in ledger.tasks() if task.settled_at is None]


def test_what_the_law_does_not_allow_is_written_to_nobody(ledger: Ledger, door: Door) -> None:
    with pytest.raises(LedgerRefusal, match="had to be sent by"):
        written(ledger, at=later(days=40))
    assert door("SELECT count(*) FROM letters") == [(0,)]


@pytest.mark.parametrize(("law", "entered"), [("us-ca-ccpa", True), ("eu-gdpr", False)])
def test_an_acknowledgement_that_is_sent_is_entered_where_the_law_has_a_day_for_it(
    ledger: Ledger, law: str, entered: bool
) -> None:
    clock = start_clock(regime(law), AT, ZONE)
    reply = Channel("email", "anna@example.org")
    request_id = ledger.open_request(Right.ERASURE, law, ANNA, clock, received_at=AT, reply=reply).request_id
    (letter,) = ledger.letters(request_id)

    deliver(ledger, letter, AT)

    assert (clock.acknowledge_by is not None) is entered
    assert [e.turn for e in ledger.clock_events(request_id)] == ([Turn.ACKNOWLEDGED] if entered else [])
    assert ledger.request(request_id).clock.acknowledge_by is None


def test_an_acknowledgement_that_was_entered_before_or_comes_after_the_end_moves_nothing(ledger: Ledger) -> None:
    clock = start_clock(regime("us-ca-ccpa"), AT, ZONE)
    reply = Channel("email", "anna@example.org")
    two = [
        ledger.open_request(Right.ERASURE, "us-ca-ccpa", ANNA, clock, received_at=AT, reply=reply).request_id
        for _ in range(2)
    ]
    ledger.turn_clock(two[0], ClockEvent(turn=Turn.ACKNOWLEDGED, day=TODAY), at=AT)
    close_one(ledger, two[1])

    for request_id in two:
        deliver(ledger, ledger.letters(request_id)[0], AT)

    assert [len(ledger.clock_events(request_id)) for request_id in two] == [1, 0]
