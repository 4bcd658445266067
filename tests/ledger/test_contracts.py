"""At the end of a contract all is asked for, and awaited until it is confirmed as a whole."""

from datetime import date, timedelta

import pytest

from activities.letters import render
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.notices import Answer
from rights.letters import Authority, Office
from rights.recipients import Recipient, Register
from rights.reckoning import local_day
from starter.contracts import ask_for_all, letter_of
from starter.exits import Failure
from starter.recipients import Looked, look_over
from tests.ledger.builders import AT, later
from tests.ledger.conftest import Door

DAY = local_day(AT, "Europe/Berlin")
OFFICE = Office(controller="Shop Ltd", dpo="dpo", authorities={"eu-gdpr": Authority(name="A", contact="a.example")})


def register(until: date | None = DAY - timedelta(days=1), **changes: object) -> Register:
    body = {
        "name": "Acme Mail GmbH",
        "country": "DE",
        "basis": {"kind": "contract", "document": "DPA 17", "since": date(2024, 1, 1), "until": until},
        "gets": ["shop"],
        "told_by": {"email": "privacy@acme.example"},
        "processors": [{"name": "Host Ltd", "country": "IE"}],
        "proof": "certificate",
        "answers_within_days": 14,
    }
    return Register(recipients={"acme": Recipient.model_validate({**body, **changes})})


def looked(ledger: Ledger, of: Register, day: date = DAY) -> list[Looked]:
    return look_over(of, day, ["eu-gdpr"], 30, ledger.contract_ends())


def ask(ledger: Ledger, of: Register, choice: str = "erase") -> None:
    ask_for_all(ledger, of, "acme", "erase" if choice == "erase" else "return", day=DAY, at=AT, by="desk")


def test_PRO_03_a_contract_that_is_over_is_settled_by_a_whole_confirmation_alone(ledger: Ledger, door: Door) -> None:
    ask(ledger, register())
    ask(ledger, register())
    assert door("SELECT count(*) FROM entries WHERE kind = 'contract_ended'") == [(1,)], "asked once"
    with pytest.raises(LedgerRefusal, match="asked to erase"):
        ask(ledger, register(), "return")

    def answer(word: Answer, **given: bool) -> None:
        ledger.contract_answered("acme", word, on=DAY + timedelta(days=1), at=later(days=1), by="desk", **given)

    with pytest.raises(LedgerRefusal, match="certificate, processors"):
        answer(Answer.CONFIRMED)
    with pytest.raises(LedgerRefusal, match="certificate"):
        answer(Answer.CONFIRMED, of_processors=True)
    answer(Answer.CONFIRMED_ALONE)
    assert "is awaited until 2026-03-16" in looked(ledger, register())[0].contract
    answer(Answer.CONFIRMED, of_processors=True, with_proof=True)

    assert looked(ledger, register())[0].contract == ""
    assert ledger.verify().sound


def test_whose_contract_is_over_is_said_until_it_has_confirmed(ledger: Ledger) -> None:
    of = register()
    assert looked(ledger, register(until=DAY))[0].owed is False, "on its last day it is in force"
    assert looked(ledger, of)[0].owed
    assert "nobody has asked" in looked(ledger, of)[0].contract
    ask(ledger, of)
    assert looked(ledger, of)[0].owed is False
    assert looked(ledger, of, DAY + timedelta(days=15))[0].owed, "its day is past"
    (left,) = looked(ledger, Register())
    assert (left.recipient, bool(left.contract)) == ("acme", True), "out of the register, and still awaited"
    ledger.contract_answered("acme", Answer.REFUSED, on=DAY, at=AT, by="desk")
    assert looked(ledger, of)[0].owed, "a refusal is an answer, and settles nothing"
    assert looked(ledger, register(until=None))[0].contract == "", "unless the contract goes on after all"


def test_what_was_asked_last_stands_for_what_was_asked_before(ledger: Ledger) -> None:
    ask(ledger, register(until=DAY - timedelta(days=60)))
    ledger.contract_answered("acme", Answer.REFUSED, on=DAY, at=AT, by="desk")
    of = register()
    assert "nobody has asked" in looked(ledger, of)[0].contract, "it went on after all, and is over now"
    ask(ledger, of)
    assert looked(ledger, of)[0].owed is False

    ledger.contract_answered("acme", Answer.CONFIRMED, on=DAY, at=AT, by="desk", of_processors=True, with_proof=True)

    assert looked(ledger, of)[0].contract == ""
    assert looked(ledger, Register()) == []


@pytest.mark.parametrize(("choice", "told"), [("erase", "Please erase then all"), ("return", "give us back then")])
def test_the_letter_asks_for_everything_and_has_nobodys_data_in_it(ledger: Ledger, choice: str, told: str) -> None:
    of = register()
    ask(ledger, of, choice)
    (end,) = ledger.contract_ends()
    letter = render(letter_of(end, of.recipients["acme"], "eu-gdpr", written_on=DAY, language="en"), OFFICE)
    text = " ".join(letter.text.split())
    for said in (told, "DPA 17", "Host Ltd", "a certificate of the erasure", "16 March 2026"):
        assert said in text


@pytest.mark.parametrize(
    "of", [Register(), register(until=None), register(role="controller", processors=[], proof="word")]
)
def test_only_a_processor_whose_contract_ends_is_asked(ledger: Ledger, of: Register) -> None:
    with pytest.raises(Failure, match="whose contract ends"):
        ask(ledger, of)
    with pytest.raises(LedgerRefusal, match="asked nothing"):
        ledger.contract_answered("acme", Answer.CONFIRMED, on=DAY, at=AT, by="desk")
