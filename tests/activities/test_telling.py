"""Whoever was given what was wrong hears what is right of it (GDPR Art. 19)."""

import json
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.lettering import recipients_told
from activities.opening import Ask
from activities.store import FileStore
from activities.telling import TellingActivities
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.notices import Answer
from rights.letters import Particulars
from rights.plan import Operation
from rights.receipt import Certainty, Count, Outcome, Receipt, Tally
from rights.recipients import Recipient, Register
from rights.rectification import Disputed
from rights.request import Phase, Right
from tests.ledger.builders import ANNA, AT, a_map, a_step, opened_id


def recipient(*gets: str, **more: object) -> Recipient:
    return Recipient.model_validate(
        {
            "name": "Acme GmbH",
            "country": "DE",
            "basis": {"kind": "contract", "document": "DPA 17", "since": date(2024, 1, 1)},
            "gets": list(gets),
            "knows_by": ["email"],
            "told_by": {"email": "privacy@acme.example"},
            **more,
        }
    )


def test_REC_04_whoever_has_what_was_corrected_is_told_and_nobody_else(ledger: Ledger, tmp_path: Path) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RECTIFICATION)
    counts = (Count(collection="customers", found=1, rectified=1), Count(collection="orders", found=3))
    step = a_step(request_id, Operation.RECTIFY)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, tally=Tally(counts=counts), at=AT))
    register = Register(recipients={"acme": recipient("shop.customers"), "other": recipient("shop.orders")})
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", register=register)

    for told in (1, 0):
        assert TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT)) == told

    assert [(one.recipient, one.operation, one.how) for one in ledger.notices(request_id)] == [
        ("acme", "rectified", "email")
    ]
    said = json.loads(ledger.unseal(request_id, "file", "letter/recipient_notice/0") or b"")
    assert said["about"] == [["email", ANNA[0].value]]


def test_REC_06_whoever_has_what_is_disputed_hears_that_with_what_was_corrected(ledger: Ledger, tmp_path: Path) -> None:
    """APP 13.4, 11 CCR 7023(f): of its own data alone, and with the person's own words."""
    earlier = opened_id(ledger, right=Right.RECTIFICATION)
    places = [("customers", "name"), ("orders", "note")]
    fields = [Disputed(number=1, at=0, system="shop", collection=c, field=f) for c, f in places]
    ledger.note_dispute(earlier, fields, ANNA, statement="It was never so.", at=AT)
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RECTIFICATION)
    counts = (Count(collection="customers", found=1, rectified=1),)
    ledger.keep_receipt(
        Receipt(step=a_step(request_id, Operation.RECTIFY), outcome=Outcome.DONE, tally=Tally(counts=counts), at=AT)
    )
    register = Register(recipients={"acme": recipient("shop.customers")})
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", register=register)

    assert TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT)) == 1

    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/recipient_notice/0") or b"")
    assert (said.disputed, said.disputed_statement) == (("name",), "It was never so.")
    assert erased_from_shop(ledger, tmp_path)
    (erasure,) = [one for one in ledger.requests() if one.right is Right.ERASURE]
    of_erasure = Particulars.model_validate_json(ledger.unseal(erasure.id, "file", "letter/recipient_notice/0") or b"")
    assert of_erasure.disputed == (), "what is to be erased is not told more of"


HOST = {"name": "Host Ltd", "country": "IE"}


def erased_from_shop(ledger: Ledger, folder: Path, **of_acme: object) -> str:
    """An erasure that has erased, and told of it; its id."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING)
    tally = Tally(counts=(Count(collection="customers", found=1, erased=1),))
    ledger.keep_receipt(Receipt(step=a_step(request_id), outcome=Outcome.DONE, tally=tally, at=AT))
    register = Register(recipients={"acme": recipient("shop.customers", **of_acme)})
    tools = Tools(ledger, {}, a_map(), FileStore(folder), environment="test", register=register)
    TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT))
    return request_id


def waiting(ledger: Ledger, request_id: str) -> list[tuple[str, str]]:
    return [(task.code, task.about) for task in ledger.tasks(request_id=request_id) if task.code != "post_out"]


def answer(ledger: Ledger, request_id: str, word: Answer, note: str | None = None, **more: bool) -> None:
    ledger.answered(request_id, "acme", word, on=AT.date(), at=AT, note=note, by="desk", **more)


def test_ERA_06_a_processor_has_not_confirmed_before_it_confirms_for_its_own_processors(
    ledger: Ledger, tmp_path: Path
) -> None:
    request_id = erased_from_shop(ledger, tmp_path, processors=[HOST], proof="certificate")
    said = json.loads(ledger.unseal(request_id, "file", "letter/recipient_notice/0") or b"")
    assert (said["processors"], said["proof"]) == (["Host Ltd"], "certificate")

    with pytest.raises(LedgerRefusal, match="processors of its own"):
        answer(ledger, request_id, Answer.CONFIRMED, "certificate 4")
    answer(ledger, request_id, Answer.CONFIRMED_ALONE)
    assert waiting(ledger, request_id) == [("recipient", "acme")], "told, and not confirmed: it is still waited for"
    with pytest.raises(LedgerRefusal, match="owes a proof"):
        answer(ledger, request_id, Answer.CONFIRMED, of_processors=True)
    answer(ledger, request_id, Answer.CONFIRMED, "certificate 4", of_processors=True)

    assert waiting(ledger, request_id) == []
    assert [one.answer for one in ledger.notices(request_id)] == [Answer.CONFIRMED]
    assert ledger.verify().sound


def test_what_its_own_connector_has_erased_says_nothing_of_its_own_processors(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased_from_shop(ledger, tmp_path, processors=[HOST], told_by={"system": "shop"})
    assert [one.answer for one in ledger.notices(request_id)] == [Answer.CONFIRMED_ALONE]
    assert waiting(ledger, request_id) == [("recipient", "acme")]
    told = recipients_told(ledger.notices(request_id), Register(), ZoneInfo("Europe/Berlin"))
    assert [one.answer for one in told or ()] == ["confirmed_alone"], "and so the answer to the person says it"

    alone = erased_from_shop(ledger, tmp_path, told_by={"system": "shop"})
    assert [one.answer for one in ledger.notices(alone)] == [Answer.CONFIRMED], "who has none has erased it all"
    assert waiting(ledger, alone) == []


def test_whoever_was_told_and_has_not_answered_is_not_said_to_have_confirmed(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased_from_shop(ledger, tmp_path)
    told = recipients_told(ledger.notices(request_id), Register(), ZoneInfo("Europe/Berlin"))
    assert [one.answer for one in told or ()] == ["awaited"]


def test_a_correction_that_found_no_row_is_not_said_to_be_confirmed(ledger: Ledger, tmp_path: Path) -> None:
    """The recipient's own system, which our connector reaches: it may have the data under another name."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RECTIFICATION)
    tally = Tally(counts=(Count(collection="customers", found=1, rectified=1),))
    for system, outcome, counted in (("shop", Outcome.DONE, tally), ("crm", Outcome.NOTHING_HELD, Tally())):
        step = a_step(request_id, Operation.RECTIFY, system=system)
        ledger.keep_receipt(Receipt(step=step, outcome=outcome, tally=counted, at=AT))
    register = Register(recipients={"acme": recipient("shop.customers", told_by={"system": "crm"})})
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", register=register)

    assert TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT)) == 1

    assert [one.answer for one in ledger.notices(request_id)] == [None]


@pytest.mark.parametrize("looked", [True, False])
def test_ERA_04_whoever_has_what_was_erased_by_hand_is_told(ledger: Ledger, tmp_path: Path, looked: bool) -> None:
    """Nobody has counted what a person says to be done: all that was found is gone, or all that the system has."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING)
    if looked:
        tally = Tally(counts=(Count(collection="customers", found=1), Count(collection="orders")))
        step = a_step(request_id, Operation.LOCATE)
        ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, tally=tally, at=AT))
    done = Receipt(step=a_step(request_id), outcome=Outcome.DONE, certainty=Certainty.ATTESTED, at=AT)
    ledger.keep_receipt(done)
    register = Register(recipients={"acme": recipient("shop.customers"), "other": recipient("shop.orders")})
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", register=register)

    TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT))

    assert [one.recipient for one in ledger.notices(request_id)] == ["acme"]
