"""What a letter of a real request says, as the worker writes it when it is sent."""

from pathlib import Path

import pytest

from activities.letters import LetterIncomplete
from activities.store import FileStore
from activities.tools import Tools
from activities.writing import Writer
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, Letter, said_name
from rights.decision import Decided, Element, Exempt, Role, Word, check
from rights.letters import Authority, Office, Particulars
from rights.mapfile import read_map
from rights.plan import Operation
from rights.receipt import Count, Outcome, Tally
from rights.rectification import Accuracy, Approver, Refusal
from rights.request import Conclusion, Phase, Right
from rights.restriction import Ground, Locked
from tests.ledger.builders import AT, a_receipt, a_step, later, opened_id
from tests.ledger.conftest import Door
from tests.world import shop_map

OFFICE = Office(
    controller="Example Ltd",
    dpo="dpo@example.com",
    automated_decisions="We make none.",
    authorities={"eu-gdpr": Authority(name="The authority", contact="authority@example.org")},
)
MAP = read_map({"shop": shop_map()})


def written(ledger: Ledger, tmp_path: Path, letter: Letter) -> str:
    """The letter's text, its lines joined."""
    tools = Tools(
        ledger=ledger,
        connectors={},
        data_map=MAP,
        store=FileStore(tmp_path),
        environment="test",
        office=OFFICE,
    )
    return " ".join(Writer(tools).render(letter, later(days=1)).text.split())


def reachable(ledger: Ledger, right: Right) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, right=right, confirmed=True)
    ledger.seal(request_id, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    return request_id


def closed(ledger: Ledger, request_id: str, kind: str) -> Letter:
    """The letter that tells how a request has ended."""
    until = dict.fromkeys(("working_until", "file_until", "parcel_until", "disputed_until"), later(days=100))
    ledger.close(request_id, Conclusion.IN_PART, books={}, at=AT, letter=kind, ending=None, **until)
    return next(letter for letter in ledger.letters(request_id) if letter.kind == kind)


def test_a_refused_rectification_prints_its_reason(ledger: Ledger, door: Door, tmp_path: Path) -> None:
    request_id = reachable(ledger, Right.RECTIFICATION)
    decided = Accuracy(refused={1: next(iter(Refusal))})
    ledger.decide_accuracy(request_id, decided, systems=["shop"], at=AT, reason="It is so in the register.", by="desk")

    text = written(ledger, tmp_path, closed(ledger, request_id, "answer_rectification"))

    assert "It is so in the register." in text
    assert "in the register" not in str(door("SELECT body FROM entries"))


def test_what_has_changed_back_is_not_said_to_be_corrected(ledger: Ledger, tmp_path: Path) -> None:
    request_id = reachable(ledger, Right.RECTIFICATION)
    decided = Accuracy(accepted=(1, 2), refused={3: Refusal.ACCURATE}, approved_by=Approver.COUNSEL)
    ledger.decide_accuracy(request_id, decided, systems=["shop"], at=AT, reason="It is so in the register.", by="desk")
    both = Tally(counts=tuple(Count(collection=name, rectified=1) for name in ("customers", "orders")))
    for number in (0, 1):
        step = a_step(request_id, Operation.RECTIFY, round=number)
        ledger.keep_receipt(a_receipt(step).model_copy(update={"tally": both}))
        seen = a_receipt(a_step(request_id, Operation.VERIFY, round=number), Outcome.PENDING, customers=1)
        ledger.keep_receipt(seen)

    text = written(ledger, tmp_path, closed(ledger, request_id, "answer_rectification"))

    assert "- shop, orders" in text
    assert text.count("- shop, orders") == 1, "once, however often it was tried"
    assert "- shop, customers" not in text


def test_what_could_not_be_restricted_is_not_said_to_be(ledger: Ledger, tmp_path: Path) -> None:
    request_id = reachable(ledger, Right.RESTRICTION)
    about = [Locked(system=name, collections=(f"{name}_people",)) for name in ("shop", "crm", "mail", "paper")]
    review, told = (
        later(days=90),
        Particulars(reason="They have no way to.").model_dump_json(exclude_none=True, exclude_defaults=True).encode(),
    )
    ledger.begin_restriction(request_id, Ground.CLAIMS, at=AT, review_on=review, locked=about)
    receipts = [
        a_receipt(a_step(request_id, Operation.LOCATE, system="shop"), people=1),
        a_receipt(a_step(request_id, Operation.RESTRICT, system="shop"), people=1),
        a_receipt(a_step(request_id, Operation.LOCATE, system="crm"), people=1),
        a_receipt(a_step(request_id, Operation.RESTRICT, system="crm"), Outcome.UNSUPPORTED, people=1),
        a_receipt(a_step(request_id, Operation.LOCATE, system="mail"), Outcome.NOTHING_HELD),
        a_receipt(a_step(request_id, Operation.LOCATE, system="paper"), Outcome.NEEDS_HUMAN),
    ]
    for receipt in receipts:
        ledger.keep_receipt(receipt)
    ledger.seal(request_id, "file", said_name("answer_restriction", 0), told, at=AT)

    text = written(ledger, tmp_path, closed(ledger, request_id, "answer_restriction"))

    assert [name for name in ("shop", "crm", "mail", "paper") if f"{name}_people" in text] == ["shop", "mail"]


def test_no_letter_says_by_itself_that_what_was_restricted_nowhere_is(ledger: Ledger, tmp_path: Path) -> None:
    request_id = reachable(ledger, Right.RESTRICTION)
    ledger.begin_restriction(request_id, Ground.CLAIMS, at=AT, review_on=later(days=90))
    ledger.keep_receipt(a_receipt(a_step(request_id, Operation.LOCATE), people=1))
    ledger.keep_receipt(a_receipt(a_step(request_id, Operation.RESTRICT), Outcome.UNSUPPORTED, people=1))
    told = Particulars(reason="It has no way to.").model_dump_json(exclude_none=True, exclude_defaults=True).encode()
    ledger.seal(request_id, "file", said_name("answer_restriction", 0), told, at=AT)

    with pytest.raises(LetterIncomplete, match="ground"):
        written(ledger, tmp_path, closed(ledger, request_id, "answer_restriction"))


def test_a_grant_in_part_prints_the_reason_and_the_provision(ledger: Ledger, tmp_path: Path) -> None:
    """GDPR Art. 12(4): of what is not done the person is told why."""
    request_id = reachable(ledger, Right.ACCESS)
    decided = Decided(word=Word.IN_PART, parts=(Exempt(category="contact", ground="other_law"),))
    texts = {Element.REASON: "It names a child.", Element.LAW: "A law s. 3"}
    needs = check(decided, Right.ACCESS, ["eu-gdpr"], texts)
    made = ledger.propose(request_id, decided, needs, texts, by="s-31", consult_until=later(days=3), at=AT)
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)

    assert "It names a child." in written(ledger, tmp_path, closed(ledger, request_id, "answer_access"))


def test_the_notice_of_cooling_off_is_written_with_the_code_that_stops_it(ledger: Ledger, tmp_path: Path) -> None:
    request_id = reachable(ledger, Right.ERASURE)
    ledger.cool(request_id, later(hours=72), at=AT)

    (letter, *_) = ledger.letters(request_id)
    assert str(ledger.stop_token(request_id)) in written(ledger, tmp_path, letter)


def test_a_refusal_is_written_from_what_was_approved(ledger: Ledger, tmp_path: Path) -> None:
    request_id = reachable(ledger, Right.ERASURE)
    texts = {Element.REASON: "We owe it to the court.", Element.LAW: "A law s. 3"}
    decided = Decided(word=Word.REFUSE, ground="other_refusal")
    made = ledger.propose(
        request_id,
        decided,
        check(decided, Right.ERASURE, ["eu-gdpr"], texts),
        texts,
        by="s-31",
        consult_until=later(days=3),
        at=AT,
    )
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)

    (letter,) = ledger.letters(request_id)
    text = written(ledger, tmp_path, letter)
    assert "We owe it to the court." in text
    assert "A law s. 3" in text
