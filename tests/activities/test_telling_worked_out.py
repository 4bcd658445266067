"""What is worked out from corrected data is a person's matter until it is made anew (GDPR Art. 5(1)(d), 16)."""

from pathlib import Path

import pytest

from activities.opening import Ask, OpeningActivities
from activities.store import FileStore
from activities.telling import TellingActivities
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.datamap import DataMap
from rights.mapdiff import diff
from rights.mapfile import MapErrors, read_map
from rights.plan import Operation
from rights.receipt import Count, Outcome, Receipt, Tally
from rights.request import Phase, Right
from tests.ledger.builders import AT, a_step, close_one, opened_id
from tests.rights import builders

CRM = """system: crm
owner: sales
connector: manual
backups: none
collections:
  segments: {key: [id], fields: {id: {identity: customer_id}, segment: {category: profile}}, worked_out_from: [SOURCE]}
"""


def a_map(*of: str) -> DataMap:
    """Scores are worked out from customers, segments of another system from scores; orders from nothing."""
    return DataMap.of(
        {
            "shop": builders.a_system(
                collections={
                    "customers": builders.a_collection(),
                    "orders": builders.a_collection(),
                    "scores": builders.a_collection(worked_out_from=of),
                }
            ),
            "crm": builders.a_system(
                system="crm", collections={"segments": builders.a_collection(worked_out_from=["shop.scores"])}
            ),
        }
    )


def tools_of(ledger: Ledger, folder: Path) -> Tools:
    return Tools(ledger, {}, a_map("customers"), FileStore(folder), environment="test")


def corrected(ledger: Ledger, folder: Path, collection: str) -> str:
    """A correction that has changed a row of a collection, and was told of, twice; its id."""
    tools = tools_of(ledger, folder)
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RECTIFICATION)
    ledger.pin_map(request_id, tools.data_map, at=AT)
    tally = Tally(counts=(Count(collection=collection, found=1, rectified=1),))
    step = a_step(request_id, Operation.RECTIFY)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, tally=tally, at=AT))
    for _ in (1, 2):
        TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT))
    return request_id


def waiting(ledger: Ledger, request_id: str) -> list[tuple[str, str]]:
    return [(task.code, task.about) for task in ledger.tasks(request_id=request_id)]


def test_REC_05_what_was_worked_out_from_what_was_corrected_is_a_persons_until_it_is_made_anew(
    ledger: Ledger, tmp_path: Path
) -> None:
    request_id = corrected(ledger, tmp_path, "customers")
    close_one(ledger, request_id)
    assert waiting(ledger, request_id) == [("worked_out", "crm.segments, shop.scores")], "once, and beyond the end"
    (task,) = ledger.tasks(request_id=request_id)
    with pytest.raises(LedgerRefusal):
        ledger.rule(request_id, task.id, "done", at=AT)

    ledger.remade(request_id, by="credit desk", note="run 17 of the scoring job", at=AT)

    assert waiting(ledger, request_id) == []
    note = next(e.body["note"] for e in ledger.standing(request_id).events if e.kind == "remade")
    assert b"run 17" in (ledger.unseal(request_id, "file", note) or b"")


def test_where_nothing_rests_on_it_nobody_is_asked(ledger: Ledger, tmp_path: Path) -> None:
    request_id = corrected(ledger, tmp_path, "orders")

    assert waiting(ledger, request_id) == []
    with pytest.raises(LedgerRefusal, match="nothing of the data map is worked out"):
        ledger.remade(request_id, by="credit desk", at=AT)


def test_a_correction_goes_that_way_only_where_the_map_says_so(ledger: Ledger, tmp_path: Path) -> None:
    tools = tools_of(ledger, tmp_path)
    for right, tells in ((Right.RECTIFICATION, True), (Right.RESTRICTION, False)):
        request_id = opened_id(ledger, right=right)
        ledger.pin_map(request_id, tools.data_map, at=AT)
        assert OpeningActivities(tools)._facts(Ask(request_id=request_id, as_of=AT)).tells is tells


def test_a_map_that_works_something_out_from_nothing_is_refused_with_its_line() -> None:
    assert read_map({"crm.yaml": CRM.replace("SOURCE", "segments")})
    with pytest.raises(MapErrors) as raised:
        read_map({"crm.yaml": CRM.replace("SOURCE", "shop.scores")})
    assert "crm.yaml:6: collections.segments.worked_out_from: no file describes 'shop.scores'" in str(raised.value)


def test_a_change_of_what_rests_on_what_is_said_in_words() -> None:
    (change,) = diff(a_map(), a_map("customers"))
    assert "worked out from customers" in change.text
    (change,) = diff(a_map("customers"), a_map())
    assert "worked out from nothing" in change.text


def test_a_circle_of_what_rests_on_what_ends() -> None:
    shop = builders.a_system(
        collections={
            "a": builders.a_collection(worked_out_from=["b"]),
            "b": builders.a_collection(worked_out_from=["a"]),
        }
    )
    assert DataMap.of({"shop": shop}).worked_out_from({"shop": {"a"}}) == ["shop.b"]
