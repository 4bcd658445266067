"""What a replay cannot be sure of is counted, and keeps it from being called clean."""

from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.replaying import ReplayActivities, Replaying
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from ledger.replays import Replay
from ledger.requests import Ending
from rights.codes import Code
from rights.datamap import DataMap
from rights.mapfile import read_map
from rights.request import Conclusion, Phase
from tests.ledger.builders import ANNA, AT, later, opened_id

MAP = """
system: shop
owner: commerce
connector: sql
backups: none
collections:
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
"""


def answered(ledger: Ledger) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    ledger.close(
        request_id,
        Conclusion.ANSWERED,
        books={},
        at=later(days=1),
        working_until=later(days=30),
        file_until=later(days=1000),
        parcel_until=AT,
        disputed_until=AT,
        ending=Ending(erased=ANNA, relook_at=later(days=8)),
    )
    return request_id


def carried_out(ledger: Ledger, folder: Path) -> Replay:
    """A replay of the shop, which cannot say by itself whom it has, up to where it waits for its requests."""
    data_map = DataMap.of(read_map({"shop.yaml": MAP}).systems)
    work = ReplayActivities(Tools(ledger, {}, data_map, FileStore(folder), environment="test"))
    replay = ledger.begin_replay("shop", AT, dry=False, by="operations", at=later(days=9))
    while ledger.replay(replay).state in {"quarantining", "applying"}:
        ActivityEnvironment().run(work.advance, Replaying(replay_id=replay, as_of=later(days=9)))
    return ledger.replay(replay)


def test_an_answered_erasure_is_opened_again(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)

    replay = carried_out(ledger, tmp_path)

    assert ledger.reopenings(request_id) == {"shop": Code.RESTORED}
    assert (replay.report["opened_again"], replay.report["indeterminate"]) == (1, {})


def test_one_of_which_a_person_is_asked_already_is_not_passed_over(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)
    ledger.settle_relook(request_id, {"shop": Code.RETURNED}, clean=False, at=later(days=8))

    replay = carried_out(ledger, tmp_path)

    assert ledger.reopenings(request_id) == {"shop": Code.RETURNED}
    assert replay.report["indeterminate"] == {"open_already": 1}


def test_what_is_done_twice_is_opened_once(ledger: Ledger, tmp_path: Path) -> None:
    request_id = answered(ledger)
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=later(days=9))

    replay = carried_out(ledger, tmp_path)

    assert (replay.report["opened_again"], replay.report["indeterminate"]) == (1, {})
    assert [child.request_id for child in ledger.replay_children(replay.id)] == [request_id]
