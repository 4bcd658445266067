"""The record of requests, read from the journal and compared over a back door."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from rights.clockwork import ClockEvent, Turn
from rights.deadlines import start_clock
from rights.decision import Decided, Element, Exempt, Role, Word, check
from rights.metrics import Fate, Line
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from tests.ledger.builders import ANNA, AT, close_one, later, open_one, opened_id
from tests.ledger.conftest import Door

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def lines(ledger: Ledger) -> dict[str, Line]:
    return {line.request_id: line for line in ledger.request_lines(*YEAR)}


def decide(ledger: Ledger, request_id: str, decided: Decided) -> None:
    row = ledger.request(request_id)
    texts = {Element.REASON: "zqwhy"}
    needs = check(decided, row.right, row.regimes, texts)
    made = ledger.propose(request_id, decided, needs, texts, by="s-31", consult_until=later(days=3), at=AT)
    if needs.consult:
        ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    for number, role in enumerate(needs.approvers):
        ledger.speak(made.id, role, "approve", by=f"s-{17 + number}", substitute=False, at=AT)


def test_MET_01_a_line_says_when_what_how_answered_when_and_why_not(ledger: Ledger, door: Door) -> None:
    refused = opened_id(ledger, Phase.LOCATING)
    ledger.arrived(refused, "phone", by="front desk", at=AT)
    decide(ledger, refused, Decided(word=Word.REFUSE, ground="gdpr_17_1_none"))
    close_one(ledger, refused, Conclusion.REFUSED, at=later(days=3))
    part = opened_id(ledger, Phase.LOCATING)
    decide(ledger, part, Decided(word=Word.IN_PART, parts=(Exempt(category="orders", ground="gdpr_17_3_e"),)))
    close_one(ledger, part, Conclusion.IN_PART, at=later(days=5))
    waiting = opened_id(ledger, right=Right.ACCESS)

    record = lines(ledger)

    day = date(2026, 3, 2)
    shown = {one.request_id: (one.right, one.received, one.came_in, one.fate, one.grounds) for one in record.values()}
    assert shown == {
        refused: (Right.ERASURE, day, "phone", Fate.DENIED, ("gdpr_17_1_none",)),
        part: (Right.ERASURE, day, "", Fate.IN_PART, ("gdpr_17_3_e",)),
        waiting: (Right.ACCESS, day, "", Fate.OPEN, ()),
    }
    assert (record[part].answered, record[part].days) == (day + timedelta(days=5), 5)
    assert (record[waiting].answered, record[waiting].days) == (None, None)
    # The letter of the refusal lies on a desk: nobody was answered yet.
    assert door("SELECT state FROM letters WHERE request_id = %s", refused) == [("to_post",)]
    assert (record[refused].answered, record[refused].days) == (None, None)
    ((task,),) = door("SELECT id FROM tasks WHERE request_id = %s AND code = 'post_out'", refused)
    ledger.rule(refused, task, "done", at=later(days=9), on=date(2026, 3, 10))
    assert (lines(ledger)[refused].answered, lines(ledger)[refused].days) == (date(2026, 3, 10), 8)
    assert not [text for text in ("zqwhy", "front desk", *(one.value for one in ANNA)) if text in str(record)]


def test_the_record_outlives_every_file_that_is_shredded(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    ledger.arrived(request_id, "letter", by=None, at=AT)
    close_one(ledger, request_id, Conclusion.NOTHING_HELD, at=later(days=2), days=1)
    before = lines(ledger)
    ledger.shred_due(as_of=later(days=800))

    assert door("SELECT purpose FROM case_keys WHERE case_id = %s AND wrapped IS NOT NULL", request_id) == [
        ("history",)
    ]
    assert lines(ledger) == before
    assert before[request_id].fate is Fate.NOTHING_HELD


def test_a_request_under_two_laws_has_a_line_under_each_with_its_own_days(ledger: Ledger) -> None:
    clocks = [start_clock(regime(name), AT, "Europe/Berlin") for name in ("eu-gdpr", "nz")]
    opened = ledger.open_request(
        Right.ACCESS, "eu-gdpr", ANNA, clocks[0], received_at=AT, further=clocks[1:], confirmed=True
    )
    ledger.move(opened.request_id, Phase.LOCATING, at=AT)
    close_one(ledger, opened.request_id, at=later(days=7))

    found = ledger.request_lines(*YEAR)
    assert [(one.regime, one.days, one.working_days) for one in found] == [("eu-gdpr", 7, False), ("nz", 5, True)]
    assert ledger.regimes_asked() == {"eu-gdpr", "nz"}


def test_days_on_which_the_clock_stood_still_do_not_count(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, right=Right.ACCESS)
    for turn, days in ((Turn.IDENTITY_ASKED, 1), (Turn.IDENTITY_RECEIVED, 4)):
        ledger.turn_clock(request_id, ClockEvent(turn=turn, day=later(days=days).date()), at=later(days=days))
    close_one(ledger, request_id, at=later(days=10))

    assert lines(ledger)[request_id].days == 6, "ten days, four of which were the person's"


def test_a_letter_that_came_back_answered_nobody_until_another_went_out(ledger: Ledger, door: Door) -> None:
    reply = Channel("email", "zq@example.org")
    request_id = open_one(ledger, right=Right.ACCESS, reply=reply, confirmed=True).request_id
    ledger.move(request_id, Phase.LOCATING, at=AT)
    close_one(ledger, request_id, at=later(days=2), letter="answer_access")
    letter = ledger.letter(f"{request_id}.answer_access.0")
    assert letter.channel == REPLY
    assert ledger.begin_sending(letter, at=later(days=3))
    assert ledger.letter_sent(letter, at=later(days=3))
    assert lines(ledger)[request_id].days == 3
    assert ledger.letter_bounced(letter.message_id, "5.1.1", at=later(days=4))

    assert lines(ledger)[request_id].answered is None
    assert door("SELECT state FROM letters WHERE id = %s", letter.id) == [("bounced",)]


def test_MET_02_only_what_came_in_on_a_day_of_the_year_is_counted(ledger: Ledger, door: Door) -> None:
    """23:30 UTC on New Year's Eve is the next year in Berlin."""
    for moment in ("2025-12-31T22:30", "2025-12-31T23:30", "2026-12-31T22:30", "2026-12-31T23:30"):
        at = AT.fromisoformat(f"{moment}:00+00:00")
        open_one(ledger, at=at)

    ((there,),) = door("SELECT count(*) FROM requests WHERE received_at AT TIME ZONE zone "
                       "BETWEEN '2026-01-01' AND '2026-12-31 23:59:59'")  # fmt: skip
    assert Counter(line.received.year for line in ledger.request_lines(*YEAR)) == {2026: there} == {2026: 2}
