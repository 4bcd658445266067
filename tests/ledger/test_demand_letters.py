"""Letters about a demand: queued when there is something to tell, kept back under a gag, and in no list of requests."""

from datetime import date, timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import Channel, LetterState
from rights.authorities import Demand, Waits
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demandfile import Gag, Reach
from rights.demandletters import Whom
from tests.conftest import Database
from tests.ledger.builders import AT, later
from tests.ledger.conftest import Door
from tests.ledger.test_authorities import answer, approve, decide, received
from tests.world import dump

REACHED = Reach(name="Anna Canary", email="anna@canary.example")
EXPORTER = Channel("email", "privacy@exporter.example", "Exporter")
LETTERS = "SELECT kind, number, state, request_id FROM letters ORDER BY queued_at, kind, number"


def refused(ledger: Ledger, **more: Any) -> Demand:
    """A demand under the clauses that two people have refused."""
    demand = received(ledger, clauses=True, **{"person": REACHED} | more)
    answer(ledger, demand, lawful=False)
    decide(ledger, demand, Word.REFUSE, "no_legal_basis")
    return approve(ledger, demand)


def queue(ledger: Ledger, demand: Demand, whom: Whom = Whom.PERSON, **at: Any) -> str | None:
    channel = EXPORTER if whom is Whom.EXPORTER else None
    return ledger.queue_demand_letter(demand.id, whom, at=later(**at) if at else AT, channel=channel)


def test_trf_04_the_person_is_written_to_once_there_is_an_answer_and_once(ledger: Ledger, door: Door) -> None:
    demand = received(ledger, clauses=True, person=REACHED)
    assert queue(ledger, demand) is None, "there is nothing to tell yet"
    answer(ledger, demand, lawful=False)
    decide(ledger, demand, Word.REFUSE, "no_legal_basis")
    assert queue(ledger, demand) is None, "one word is no answer"
    approve(ledger, demand)

    assert queue(ledger, demand, hours=1) == f"{demand.id}.demand_notice.0"
    assert queue(ledger, demand, hours=2) is None
    assert door(LETTERS) == [("demand_notice", 0, "queued", None)]
    assert ledger.demand(demand.id).waits_for(later(hours=2)) == (Waits.LETTER,)

    (letter,) = ledger.letters_to_send(9)
    assert ledger.letter_channels([letter])[letter.id].address == REACHED.email
    assert ledger.begin_sending(letter, b"canary", at=later(hours=3))
    assert ledger.letter_sent(letter, at=later(hours=3))
    told = ledger.demand(demand.id)
    assert (told.told_at, told.told_by, told.waits_for(later(hours=3))) == (later(hours=3), "letter", ())
    assert queue(ledger, demand, hours=4) is None


def test_trf_04_a_letter_that_came_back_has_told_nobody(ledger: Ledger) -> None:
    demand = refused(ledger)
    queue(ledger, demand, hours=1)
    (letter,) = ledger.letters_to_send(9)
    ledger.begin_sending(letter, at=AT)
    ledger.letter_sent(letter, at=later(hours=2))

    assert ledger.letter_bounced(letter.message_id, "5.1.1", at=later(hours=9))

    after = ledger.demand(demand.id)
    assert (after.told_at, after.waits_for(later(hours=9))) == (None, (Waits.POST,))
    with pytest.raises(LedgerRefusal, match="authority letter"):
        ledger.resend_letter(letter.id, at=later(hours=9))
    ledger.posted_demand_letter(demand.id, Whom.PERSON, by="s-17", at=later(hours=10))
    assert ledger.demand(demand.id).told_at == later(hours=10)
    assert ledger.demand(demand.id).waits_for(later(hours=10)) == ()


def test_trf_04_a_gag_that_comes_while_letters_wait_keeps_them_back_and_they_are_written_anew(
    ledger: Ledger, door: Door
) -> None:
    demand = refused(ledger, exporter="exporter")
    for whom in Whom:
        assert queue(ledger, demand, whom, hours=1)
    waiting = ledger.letters_to_send(9)
    assert len(waiting) == 2

    ledger.change_gag(demand.id, Gag.UNTIL, date(2026, 6, 1), by="s-17", note=None, at=later(hours=2))

    assert {row[2] for row in door(LETTERS)} == {"left"}
    assert not any(ledger.begin_sending(letter, at=later(hours=3)) for letter in waiting)
    assert not any(ledger.letter_sent(letter, at=later(hours=3)) for letter in waiting)
    assert [queue(ledger, demand, whom, days=60) for whom in Whom] == [None, None]
    assert ledger.demand(demand.id).waits_for(later(days=60)) == (Waits.GAG,)
    with pytest.raises(LedgerRefusal, match="gag is in force"):
        ledger.posted_demand_letter(demand.id, Whom.PERSON, by="s-17", at=later(days=60))

    assert queue(ledger, demand, Whom.PERSON, days=95) == f"{demand.id}.demand_notice.1"
    assert queue(ledger, demand, Whom.EXPORTER, days=95) == f"{demand.id}.demand_to_exporter.1"


def test_trf_04_a_letter_that_is_put_off_is_not_tried_again_under_a_gag_that_came_meanwhile(
    ledger: Ledger, door: Door
) -> None:
    demand = refused(ledger)
    assert queue(ledger, demand, hours=1)
    (letter,) = ledger.letters_to_send(9)
    assert ledger.begin_sending(letter, at=later(hours=2))
    ledger.change_gag(demand.id, Gag.UNTIL, date(2026, 6, 1), by="s-17", note=None, at=later(hours=2))
    assert door(LETTERS) == [("demand_notice", 0, "sending", None)], "the mail server has it"

    ledger.letter_put_off(letter, "451", timedelta(0), at=later(hours=2))

    assert ledger.letters_to_send(9) == []
    assert not ledger.begin_sending(letter, at=later(hours=3))
    assert door(LETTERS) == [("demand_notice", 0, "left", None)]
    assert ledger.demand(demand.id).waits_for(later(hours=3)) == (Waits.GAG,)
    assert queue(ledger, demand, days=95) == f"{demand.id}.demand_notice.1"
    (letter,) = ledger.letters_to_send(9)
    ledger.begin_sending(letter, at=later(days=95))
    ledger.letter_put_off(letter, "451", timedelta(0), at=later(days=95))
    assert [one.id for one in ledger.letters_to_send(9)] == [letter.id], "what may be told is tried again"


def test_trf_04_the_exporter_hears_promptly_and_again_of_the_answer(ledger: Ledger, door: Door) -> None:
    demand = received(ledger, clauses=True, exporter="exporter")
    assert queue(ledger, demand, Whom.EXPORTER) is None, "nobody knows yet whether an authority asks"
    ledger.answer_question(demand.id, "authenticated", met=True, known_contact=True, by="s-17", note=None, at=AT)

    assert queue(ledger, demand, Whom.EXPORTER)
    assert queue(ledger, demand, Whom.EXPORTER, hours=1) is None
    answer(ledger, demand, lawful=False)
    decide(ledger, demand, Word.REFUSE, "no_legal_basis")
    ledger.approve_demand(demand.id, by="s-21", seat=Role.DELEGATE, note=None, at=later(hours=2))
    assert queue(ledger, demand, Whom.EXPORTER, hours=3)
    assert queue(ledger, demand, Whom.EXPORTER, hours=4) is None
    assert [(kind, number) for kind, number, *_ in door(LETTERS)] == [
        ("demand_to_exporter", 0),
        ("demand_to_exporter", 1),
    ]


def test_trf_04_what_is_handed_over_after_the_person_heard_of_a_challenge_is_told_as_well(ledger: Ledger) -> None:
    demand = received(ledger, clauses=True)
    answer(ledger, demand, lawful=False)
    decide(ledger, demand, Word.CHALLENGE, "no_legal_basis")
    approve(ledger, demand)
    assert queue(ledger, demand, hours=1)
    ledger.posted_demand_letter(demand.id, Whom.PERSON, by="s-17", at=later(hours=2))

    ledger.answer_question(demand.id, "lawful", met=True, known_contact=True, by="s-17", note=None, at=AT)
    decide(ledger, demand)
    approve(ledger, demand)
    ledger.keep_disclosure(demand.id, "d" * 64, 1, {"shop.orders": 4}, decided_at=AT, at=AT)
    assert queue(ledger, demand, hours=3) is None, "nothing is handed over yet"
    ledger.hand_over(demand.id, by="s-17", at=later(hours=4))

    assert Waits.TELL in ledger.demand(demand.id).waits_for(later(hours=4))
    assert queue(ledger, demand, hours=5) == f"{demand.id}.demand_notice.1"


def test_trf_04_no_list_of_letters_has_those_of_demands_and_no_table_an_address(
    ledger: Ledger, tables: Database
) -> None:
    demand = refused(ledger, exporter="exporter")
    for whom in Whom:
        assert queue(ledger, demand, whom, hours=1)

    assert ledger.letters() == []
    assert ledger.letters(states=[LetterState.QUEUED]) == []
    seen = str(dump(tables.conninfo))
    assert demand.id in seen
    assert "canary" not in seen.lower()
    assert EXPORTER.address not in seen
    assert ledger.verify().sound
