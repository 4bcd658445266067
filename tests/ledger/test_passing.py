"""What belongs to another controller is passed on, and ends here with nothing done; what has begun is not passed on."""

from datetime import date
from pathlib import Path

import pytest

from activities.closing import ClosingActivities
from activities.opening import Ask
from activities.store import FileStore
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.notices import Answer
from rights.letters import Particulars
from rights.recipients import Recipient, Register
from rights.request import Phase, Right
from starter.exits import Failure
from starter.passing import pass_on
from tests.ledger.builders import ANNA, AT, a_map, enter, later, opened_id
from tests.ledger.conftest import Door


def controller(**changes: object) -> Register:
    """A register with one whose processor we are."""
    body = {
        "name": "Retail SE",
        "country": "DE",
        "role": "controller",
        "basis": {"kind": "contract", "document": "DPA 17", "since": date(2024, 1, 1)},
        "gets": ["shop"],
        "knows_by": ["email"],
        "told_by": {"email": "privacy@retail.example"},
        "answers_requests": True,
        "answers_within_days": 14,
    }
    return Register(recipients={"retail": Recipient.model_validate({**body, **changes})})


def passed(ledger: Ledger, request_id: str, register: Register) -> None:
    pass_on(ledger, register, request_id, "retail", at=later(hours=1), note="theirs", by="privacy desk")


def test_PRO_01_a_request_that_is_the_controllers_goes_there_unanswered(
    ledger: Ledger, door: Door, tmp_path: Path
) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)

    passed(ledger, request_id, controller())

    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/forwarded_request/0") or b"")
    assert said.about == (("email", ANNA[0].value),), "what it knows the person by, and no more"
    told = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/passed_on/0") or b"")
    assert told.controller == "Retail SE"
    assert door("SELECT kind, channel FROM letters ORDER BY kind") == [
        ("forwarded_request", "recipient/retail"),
        ("passed_on", None),
    ], "nobody knows how to write to the person by mail, so that letter is a person's to post"
    assert door("SELECT kind FROM outbox WHERE kind = 'withdraw'") == [("withdraw",)], "its run is told to end"
    with pytest.raises(FenceRefused, match="withdrawn"):
        enter(ledger, request_id, at=later(hours=2))
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test")
    closed = ClosingActivities(tools).close(Ask(request_id=request_id, as_of=later(hours=2)))
    assert (closed.conclusion, closed.rows_erased, closed.rows_exported) == ("passed_on", 0, 0)
    assert ledger.request(request_id).conclusion == "passed_on"
    assert ledger.verify().sound
    everything = door("SELECT body FROM entries")
    assert not any("retail.example" in body or "Berg" in body for (body,) in everything)


def test_what_the_controller_answers_is_waited_for_beyond_the_end(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    passed(ledger, request_id, controller())
    waiting = door("SELECT code, about, due_on FROM tasks WHERE settled_at IS NULL AND code = 'recipient'")
    assert waiting == [("recipient", "retail", date(2026, 3, 16))]

    on = date(2026, 3, 5)
    ledger.answered(request_id, "retail", Answer.CONFIRMED, on=on, at=later(days=3), note=None, by="desk")

    assert door("SELECT code FROM tasks WHERE settled_at IS NULL AND code = 'recipient'") == []


def test_COM_12_a_joint_controller_that_answers_by_the_arrangement_gets_it_with_the_day_it_came_in(
    ledger: Ledger,
) -> None:
    request_id = opened_id(ledger, right=Right.ACCESS)
    passed(ledger, request_id, controller(role="joint"))
    row = ledger.request(request_id)
    assert ledger.passed_on_to(request_id) == "retail"
    assert row.clock.received_at == AT, "which the letter to it names, since the term runs from that day"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"answers_requests": False}, "answers requests"),
        ({"basis": {"kind": "contract", "document": "x", "since": date(2026, 5, 1)}}, "has not begun"),
        ({"country": "IN"}, "does not let data go"),
        ({"knows_by": ["phone"]}, "find nobody"),
    ],
)
def test_nothing_goes_to_whom_the_register_does_not_let_it_and_nothing_is_done(
    ledger: Ledger, door: Door, changes: dict[str, object], why: str
) -> None:
    request_id = opened_id(ledger)
    before = door("SELECT count(*) FROM entries")
    with pytest.raises(Failure, match=why):
        passed(ledger, request_id, controller(**changes))
    assert door("SELECT count(*) FROM entries") == before
    assert not ledger.request(request_id).withdrawn


def test_what_has_begun_to_be_carried_out_is_not_passed_on(ledger: Ledger, door: Door) -> None:
    fulfilling = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING)
    # A run that was started anew looks again, and has let a call through before.
    called = opened_id(ledger, Phase.LOCATING)
    enter(ledger, called)
    for request_id in (fulfilling, called):
        before = door("SELECT count(*) FROM entries WHERE request_id = %s", request_id)
        with pytest.raises(LedgerRefusal, match="begun to be carried out"):
            passed(ledger, request_id, controller())
        assert door("SELECT count(*) FROM entries WHERE request_id = %s", request_id) == before


def test_it_is_passed_on_once(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    passed(ledger, request_id, controller())
    with pytest.raises(LedgerRefusal, match="or passed on then"):
        passed(ledger, request_id, controller())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"role": "processor"}, "only who is controller or joint answers people"),
        ({"told_by": {"system": "shop"}}, "goes by letter"),
        ({"knows_by": []}, "needs knows_by"),
    ],
)
def test_a_register_names_only_whom_a_request_can_be_passed_to(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        controller(**changes)
