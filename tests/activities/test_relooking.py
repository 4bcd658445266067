"""The look days after the answer: at all that was said to be gone at the closing, whatever was seen since."""

from pathlib import Path

import pytest

from activities.opening import Ask
from activities.relooking import RelookActivities
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.codes import Code
from rights.datamap import DataMap
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
from rights.request import Conclusion, Phase
from tests.ledger.builders import ANNA, AT, a_step, later, opened_id

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
