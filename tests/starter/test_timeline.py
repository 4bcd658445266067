"""An audit pack's timeline: plain words for whatever the journal can say of a request, and no more than it says."""

import re
from pathlib import Path

from rights.deadlines import Risk
from rights.journal import JournalEntry
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
from starter.timeline import _PLAIN, _WORDS, sentence
from tests.ledger.builders import AT, a_step

ROOT = Path(__file__).parent.parent.parent
_OF_NO_REQUEST = re.compile(
    r"hold_|campaign_|kek_|stamped|suppression_|tokens_|systems_known|replay_|contract_|demand_|deferr|incident_due|collection_|map_checked|access_"
)


def test_every_kind_of_entry_about_a_request_has_words() -> None:
    source = "".join(path.read_text() for path in (ROOT / "ledger").glob("*.py"))
    kinds = set(re.findall(r'self\._journal\(\s*connection,\s*"(\w+)"', source))
    kinds |= set(re.findall(r'self\._decide\(\s*connection,\s*row,\s*"(\w+)"', source))
    kinds |= set(re.findall(r'(?:_journal|note_restriction)\(\s*\w+,\s*connection,\s*[\w.]+,\s*"(\w+)"', source))

    assert len(kinds) > 50
    assert {kind for kind in kinds - _PLAIN.keys() - _WORDS.keys() if not _OF_NO_REQUEST.match(kind)} == set()


def said(operation: Operation, outcome: Outcome, certainty: Certainty | None) -> str:
    receipt = Receipt(step=a_step("r", operation), outcome=outcome, certainty=certainty, at=AT)
    return sentence(JournalEntry(seq=1, kind="receipt", key=None, at=AT, body=receipt.model_dump(mode="json")))


def test_only_what_was_done_is_said_to_be_done() -> None:
    for outcome in Outcome:
        text = said(Operation.ERASE, outcome, Certainty.COMPLETED if outcome.settled else None)
        assert text.startswith("Erased in shop") is outcome.settled
    by_hand = said(Operation.ERASE, Outcome.DONE, Certainty.ATTESTED)
    assert by_hand.startswith("A person says that it was done by hand (erase) in shop")
    accepted = said(Operation.ERASE, Outcome.PENDING, Certainty.ACCEPTED)
    assert accepted.startswith("Not done yet (erase) in shop")
    assert "has accepted it and has not said that it is done" in accepted


def test_a_late_look_says_clean_only_of_what_was_seen_to_be_clean() -> None:
    def line(kind: str, **body: object) -> str:
        return sentence(JournalEntry(seq=1, kind=kind, key=None, at=AT, body=body))

    assert "nothing has come back" in line("relook", found="clean", systems=[])
    assert "something is there in shop" in line("relook", found="residue", systems=["shop"])
    assert "cannot be told" in line("relook", found="unsure", systems=[])
    assert line("reopened", systems={"shop": "returned"}).startswith("Opened again, for shop (returned)")


def test_a_date_that_comes_near_says_how_near_it_is() -> None:
    def line(kind: str, risk: Risk) -> str:
        return sentence(JournalEntry(seq=1, kind=kind, key=None, at=AT, body={"risk": risk}))

    assert line("deadline", Risk.DUE_14D) == "The due date came near: 14 days or less to go."
    assert line("deadline", Risk.DUE_1D) == "The due date came near: 1 day or less to go."
    assert line("deadline", Risk.OVERDUE) == "The due date has passed."
    assert line("appeal_deadline", Risk.OVERDUE) == "The due date of the appeal has passed."


def test_no_line_says_that_there_was_no_hold_where_one_was_passed_by() -> None:
    def line(**body: object) -> str:
        return sentence(
            JournalEntry(seq=1, kind="intent", key=None, at=AT, body={"intent": "i", "planned": {}, **body})
        )

    assert "a hold was in force" in line(held=True)
    assert line().endswith("none stood in its way."), "one that spares the rows of the call may well be in force"


def test_a_kind_without_words_is_named() -> None:
    entry = JournalEntry(seq=1, kind="something_new", key=None, at=AT, body={})

    assert sentence(entry) == "The journal notes: something new."
