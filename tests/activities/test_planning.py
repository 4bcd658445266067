"""Rulings carried into the ledger."""

from pathlib import Path

from activities.opening import Ask
from activities.planning import PlanningActivities, Ruled
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.plan import Operation, Step
from rights.request import Phase
from tests.ledger.builders import AT, a_map, opened_id


def test_a_ruling_on_the_directory_after_a_change_of_the_map_leaves_an_unproven_request_waiting_for_proof(
    ledger: Ledger, tmp_path: Path
) -> None:
    request_id = opened_id(ledger, Phase.CONFIRMING)
    changed = a_map(owner="somebody else")
    planning = PlanningActivities(Tools(ledger, {}, changed, FileStore(tmp_path), environment="test"))
    step = Step(request_id=request_id, system="shop", operation=Operation.CHANNELS)

    anew = planning.rule(Ruled(ask=Ask(request_id=request_id, as_of=AT), step=step, word="retry"))

    assert not anew, "nothing was looked at, so nothing is looked at anew"
    row = ledger.request(request_id)
    assert (row.phase, row.map_digest) == (Phase.CONFIRMING, changed.digest)
    assert ledger.confirm_identity(request_id, at=AT), "the question of who asks can still be answered"
