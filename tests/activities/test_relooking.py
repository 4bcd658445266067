"""The look days after the answer: at all that was said to be gone at the closing, whatever was seen since."""

from pathlib import Path

import pytest

from activities.deferring import DeferringActivities
from activities.opening import Ask
from activities.relooking import RelookActivities, Relooked
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.codes import Code
from rights.datamap import DataMap
from rights.deferred import Deferral
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
from rights.request import Conclusion, Phase
from tests.ledger.builders import ANNA, AT, a_map, a_step, close_one, later, opened_id, release

SYSTEMS = ("crm", "shop")


@pytest.fixture
def relooking(ledger: Ledger, tmp_path: Path) -> RelookActivities:
    return RelookActivities(Tools(ledger, {}, DataMap.of({}), FileStore(tmp_path), environment="test"))


def looked(ledger: Ledger, request_id: str, system: str, days: float, *, gone: bool, number: int = 0) -> None:
    outcome, certainty = (Outcome.NOTHING_HELD, Certainty.VERIFIED) if gone else (Outcome.PENDING, None)
    step = a_step(request_id, Operation.VERIFY, system=system, round=number)
    ledger.keep_receipt(Receipt(step=step, outcome=outcome, certainty=certainty, at=later(days=days)))


def answered(ledger: Ledger, request_id: str, days: float, *, planned: bool = True, again: bool = False) -> None:
    ledger.close(
        request_id,
        Conclusion.ANSWERED if planned else Conclusion.IN_PART,
        books={},
        at=later(days=days),
        working_until=later(days=30),
        file_until=later(days=1000),
        parcel_until=AT,
        disputed_until=AT,
        ending=Ending(erased=ANNA, relook_at=later(days=days + 7) if planned else None, again=again),
    )


@pytest.fixture
def request_id(ledger: Ledger) -> str:
    """An erasure in two systems, answered on the second day."""
    made = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    for system in SYSTEMS:
        looked(ledger, made, system, 1, gone=True)
    answered(ledger, made, 1)
    return made


def test_what_a_lost_run_has_found_is_looked_at_again_and_not_left_out(
    ledger: Ledger, relooking: RelookActivities, request_id: str
) -> None:
    first = relooking.due(Ask(request_id=request_id, as_of=later(days=8)))
    assert [step.system for step in first.steps] == list(SYSTEMS)
    looked(ledger, request_id, "shop", 8, gone=False, number=first.steps[0].round)
    looked(ledger, request_id, "crm", 8, gone=True, number=first.steps[0].round)

    # The run is lost before it can say so. Another one is asked for.
    second = relooking.due(Ask(request_id=request_id, as_of=later(days=9)))

    assert [step.system for step in second.steps] == list(SYSTEMS), "else the rest would be called clean"


def test_where_nothing_is_left_to_look_at_it_is_over_and_not_clean(
    ledger: Ledger, relooking: RelookActivities, request_id: str
) -> None:
    ledger.reopen(request_id, dict.fromkeys(SYSTEMS, Code.RESTORED), at=later(days=2))
    for system in SYSTEMS:
        looked(ledger, request_id, system, 3, gone=False, number=1)
    answered(ledger, request_id, 3, planned=False, again=True)

    assert relooking.due(Ask(request_id=request_id, as_of=later(days=8))).steps == ()

    planned = ledger.relook(request_id)
    assert planned
    assert planned.found == "unsure"
    assert ledger.call_relooks(at=later(days=9)) == 0, "nobody is asked for ever"
    assert "working" in {one.purpose for one in ledger.shred_due(later(days=31))}, "and nothing is kept for ever"


def left_over(ledger: Ledger) -> tuple[str, str]:
    """An erasure that was answered on the first day with something left in the shop under a hold; and the hold."""
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    made = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    for system in SYSTEMS:
        looked(ledger, made, system, 1, gone=True)
    rest = Deferral(left={"shop": {"orders": 3}}, not_before=None)
    ending = Ending(erased=ANNA, relook_at=later(days=8), deferred=rest)
    close_one(ledger, made, Conclusion.IN_PART, at=later(days=1), ending=ending)
    return made, hold.id


def found(relooking: RelookActivities, request_id: str, days: float, *systems: str) -> None:
    """A late look finds the person again in some systems."""
    ask = Ask(request_id=request_id, as_of=later(days=days))
    relooking.settle(Relooked(ask=ask, found=dict.fromkeys(systems, Code.RETURNED)))


def test_what_was_left_under_a_hold_that_has_ended_has_not_returned(
    ledger: Ledger, tmp_path: Path, relooking: RelookActivities
) -> None:
    """It is carried out by a request of its own; the first one is not opened again, and it is looked again after."""
    request_id, hold = left_over(ledger)
    release(ledger, hold)

    found(relooking, request_id, 8, "shop")

    assert (ledger.reopenings(request_id), ledger.request(request_id).phase) == ({}, Phase.CLOSED)
    planned = ledger.relook(request_id)
    assert planned is not None
    assert (planned.due_at, planned.looked_at) == (later(days=9), None)

    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test")
    assert DeferringActivities(tools).review(Ask(request_id=request_id, as_of=later(days=8.5))).over
    found(relooking, request_id, 9, "shop")
    assert ledger.reopenings(request_id) == {}, "the rest is still on its way"

    left = ledger.deferral(request_id)
    assert left is not None
    assert left.by_request
    ledger.move(left.by_request, Phase.LOCATING, at=later(days=9))
    close_one(ledger, left.by_request, Conclusion.NOTHING_HELD, at=later(days=9.5))
    found(relooking, request_id, 10, "shop")
    assert ledger.reopenings(request_id) == {"shop": Code.RETURNED}, "what is there now has come by itself"


def test_what_has_returned_elsewhere_or_beside_what_is_held_opens_it_again(
    ledger: Ledger, relooking: RelookActivities
) -> None:
    held, _ = left_over(ledger)
    found(relooking, held, 8, "shop")
    assert ledger.reopenings(held) == {"shop": Code.RETURNED}, (
        "the look leaves out what is held: this is something else"
    )


def test_only_the_system_in_which_something_was_left_is_waited_for(ledger: Ledger, relooking: RelookActivities) -> None:
    request_id, hold = left_over(ledger)
    release(ledger, hold)

    found(relooking, request_id, 8, "crm", "shop")

    assert ledger.reopenings(request_id) == {"crm": Code.RETURNED}
