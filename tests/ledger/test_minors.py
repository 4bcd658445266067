"""Reports that data is a child's: nobody's word alone erases any."""

from datetime import timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from ledger.minors import PARENT, MinorReport
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.identity import Rung
from rights.letterkinds import LetterKind
from rights.mandates import Mandate
from rights.minors import Indication, Source, minors_law
from rights.request import Conclusion, Phase, Right
from rights.restriction import Ground
from rights.subject import Identity
from tests.ledger.builders import ANNA, AT, a_clock, close_one, enter, later, open_one, opened_id, release
from tests.ledger.conftest import Door

WITHIN = minors_law().lane.within
NOTICE = timedelta(days=7)


def reported(
    ledger: Ledger,
    restriction: str = "",
    *,
    by: str = "support desk",
    identities: tuple[Identity, ...] = ANNA,
    parent: Channel | None = None,
) -> str:
    """An erasure that somebody has reported, on its way; its id."""
    kept = restriction or open_one(ledger, right=Right.RESTRICTION, confirmed=True).request_id
    report = MinorReport(Source.STAFF, by, kept, parent)
    made = ledger.open_request(
        Right.ERASURE, "eu-gdpr", identities, a_clock().hurried(WITHIN), received_at=AT, minor=report
    ).request_id
    ledger.move(made, Phase.CONFIRMING, at=AT)
    return made


def confirmed(door: Door, request: str) -> bool:
    return door("SELECT confirmed_at IS NOT NULL FROM requests WHERE id = %s", request) == [(True,)]


def tasks(door: Door, request: str) -> list[str]:
    found = door("SELECT code FROM tasks WHERE request_id = %s AND settled_at IS NULL ORDER BY id", request)
    return [code for (code,) in found]


def test_CHI_02_nothing_is_erased_on_the_word_of_whoever_reports_it(ledger: Ledger, door: Door) -> None:
    request = reported(ledger)
    assert tasks(door, request) == [Code.MINOR], "somebody is asked at once"

    with pytest.raises(LedgerRefusal, match="a second person has to look"):
        ledger.rule_child(request, Indication.CONTENT, by="Support Desk ", at=later(hours=1))
    # Nor by any other door.
    for role in ("support desk", "somebody else"):
        with pytest.raises(LedgerRefusal, match="mandate"):
            ledger.confirm_identity(request, at=AT, note=role)
    assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is False
    assert not confirmed(door, request)
    assert tasks(door, request) == [Code.MINOR]
    assert door("SELECT word FROM minor_reports") == [(None,)]


def test_CHI_02_a_hundred_false_reports_erase_nothing(ledger: Ledger, door: Door) -> None:
    restriction = open_one(ledger, right=Right.RESTRICTION, confirmed=True).request_id
    for _ in range(100):
        reported(ledger, restriction)

    assert door("SELECT count(*) FROM requests WHERE \"right\" = 'erasure' AND confirmed_at IS NOT NULL") == [(0,)]
    assert door("SELECT count(*) FROM intents") == [(0,)]


def test_CHI_02_a_second_persons_ruling_begins_the_erasure_without_cooling_off(ledger: Ledger, door: Door) -> None:
    request = reported(ledger)

    assert ledger.rule_child(request, Indication.AGE_ON_FILE, by="privacy desk", at=later(hours=2)) is True

    assert confirmed(door, request)
    assert tasks(door, request) == []
    assert ledger.gate(request).cooling == "waived"
    assert door("SELECT word, indication FROM minor_reports") == [("child", "age_on_file")]
    assert ledger.rule_child(request, Indication.AGE_ON_FILE, by="privacy desk", at=later(hours=3)) is False
    with pytest.raises(LedgerRefusal, match="ruled on already"):
        ledger.rule_not_child(request, by="privacy desk", at=later(hours=3), notice=NOTICE)


def test_CHI_02_an_address_that_came_with_a_report_is_told_that_it_is_here_and_nothing_of_what_comes_of_it(
    ledger: Ledger, door: Door
) -> None:
    """Anybody may give their own, and call it a parent's."""
    stranger = Channel("email", "stranger@example.net")
    restriction = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RESTRICTION, confirmed=True)
    ledger.begin_restriction(restriction, Ground.MINOR, at=AT, review_on=later(days=30))
    ruled, cleared = (reported(ledger, restriction, parent=stranger) for _ in range(2))

    ledger.rule_child(ruled, Indication.CONTENT, by="privacy desk", at=later(hours=1))
    close_one(ledger, ruled, letter=LetterKind.ANSWER_ERASURE, at=later(hours=2))
    ledger.rule_not_child(cleared, by="privacy desk", at=later(hours=1), notice=NOTICE)
    close_one(ledger, cleared, Conclusion.WITHDRAWN, letter=LetterKind.WITHDRAWN, at=later(hours=2))

    assert Channel.unsealed(ledger.unseal(ruled, "working", PARENT) or b"") == stranger
    told = door("SELECT case_id, kind FROM letters WHERE channel = %s ORDER BY case_id", PARENT)
    assert told == [(one, LetterKind.ACKNOWLEDGEMENT.value) for one in sorted((ruled, cleared))]
    for request in (ruled, cleared, restriction):
        assert ledger.unseal(request, "working", REPLY) is None, "nobody is written to as the asker"


def test_a_parents_mandate_carries_it_as_it_does_everywhere(ledger: Ledger, door: Door) -> None:
    request = reported(ledger)
    body = {"kind": "parent", "scope": ["erasure"], "signed": "2026-02-01", "answer_to": "person", "age": 9}
    assert ledger.keep_mandate(request, Mandate.model_validate(body), by="support desk", at=AT) is False
    assert not confirmed(door, request)
    assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is True
    assert confirmed(door, request)


def test_what_a_parents_mandate_has_erased_is_not_said_to_have_stayed(ledger: Ledger, door: Door) -> None:
    restriction = open_one(ledger, right=Right.RESTRICTION, confirmed=True).request_id
    request = reported(ledger, restriction)
    body = {"kind": "parent", "scope": ["erasure"], "signed": "2026-02-01", "answer_to": "person", "age": 9}
    ledger.keep_mandate(request, Mandate.model_validate(body), by="support desk", at=AT)
    ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"])
    close_one(ledger, request, at=later(hours=1))

    with pytest.raises(LedgerRefusal, match="it is over"):
        ledger.rule_not_child(request, by="privacy desk", at=later(hours=2), notice=NOTICE)
    assert door("SELECT count(*) FROM letters WHERE kind = 'minor_cleared'") == [(0,)]
    assert door("SELECT withdrawn_at FROM requests WHERE id = %s", restriction) == [(None,)], "and stays out of use"


def test_what_is_no_childs_is_given_free_and_never_erased(ledger: Ledger, door: Door) -> None:
    restriction = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RESTRICTION, confirmed=True)
    ledger.begin_restriction(restriction, Ground.MINOR, at=AT, review_on=later(days=30))
    request = reported(ledger, restriction)

    assert ledger.rule_not_child(request, by="privacy desk", at=later(hours=1), notice=NOTICE) is True

    taken_back = door("SELECT id FROM requests WHERE withdrawn_at IS NOT NULL")
    assert {id for (id,) in taken_back} == {request, restriction}, "what is still being locked gives it free itself"
    assert ledger.rule_not_child(request, by="privacy desk", at=later(hours=1), notice=NOTICE) is False
    with pytest.raises(LedgerRefusal):
        ledger.rule_child(request, Indication.CONTENT, by="a third", at=later(hours=2))
    assert not confirmed(door, request)


def test_a_report_waits_for_no_other_erasure_of_the_person(ledger: Ledger) -> None:
    slow = opened_id(ledger, Phase.CONFIRMING, confirmed=True)
    request = reported(ledger)
    ledger.rule_child(request, Indication.CONTENT, by="privacy desk", at=AT)

    assert ledger.join(request, (), at=AT).lead == ""
    assert ledger.join(opened_id(ledger, Phase.CONFIRMING, confirmed=True), (), at=AT).lead in {slow, request}


def test_its_clock_is_short_and_stays_so_when_it_is_moved(ledger: Ledger) -> None:
    request = reported(ledger)
    clock = ledger.request(request).clock
    assert clock.internal_due == AT + WITHIN
    assert clock.legal_due == a_clock().legal_due, "what the law sets stays"

    moved = ClockEvent(turn=Turn.ACKNOWLEDGED, day=AT.date())
    ledger.turn_clock(request, moved, at=later(hours=1))
    assert ledger.request(request).clock.internal_due == AT + WITHIN


def test_the_ruling_is_no_ruling_on_a_step(ledger: Ledger, door: Door) -> None:
    request = reported(ledger)
    ((task,),) = door("SELECT id FROM tasks WHERE request_id = %s", request)
    with pytest.raises(LedgerRefusal, match="habeas minor rule"):
        ledger.rule(request, task, "done", at=AT)


def test_CHI_02_a_hold_stops_it_as_it_stops_every_erasure(ledger: Ledger) -> None:
    request = reported(ledger)
    ledger.rule_child(request, Indication.CONTENT, by="privacy desk", at=AT)
    hold = ledger.place_hold(ANNA[1:], "a case", at=AT, by="s-1")

    with pytest.raises(FenceRefused) as closed:
        enter(ledger, request)
    assert closed.value.code is Code.HOLD
    release(ledger, hold.id)
    enter(ledger, request)
