"""The note that data is disputed goes with the data, and no sooner."""

from pathlib import Path

import pytest

from activities.closing import ClosingActivities
from activities.opening import Ask
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.datamap import DataMap
from rights.plan import Operation
from rights.receipt import Certainty, Count, Kept, Outcome, Receipt, Tally
from rights.rectification import Disputed
from rights.request import Conclusion, Phase, Right
from tests.ledger.builders import ANNA, AT, a_map, a_receipt, a_step, later, opened_id
from tests.ledger.test_proofs_alike import statements

SHOP = a_map().systems["shop"]
TWO = DataMap.of({"shop": SHOP, "crm": SHOP.model_copy(update={"system": "crm"})})


def disputed(ledger: Ledger, *systems: str) -> None:
    request_id = opened_id(ledger, right=Right.RECTIFICATION)
    fields = [Disputed(number=1, at=0, system=one, collection="customers", field="name") for one in systems]
    ledger.note_dispute(request_id, fields, ANNA, statement="It was never so.", at=AT)


def left(ledger: Ledger) -> list[str]:
    """The systems in which something is noted as disputed."""
    noted = ledger.disputes_of(opened_id(ledger, right=Right.ACCESS), ())
    return sorted(one.system for found in noted for one in found.fields)


def erased(ledger: Ledger, of: DataMap, **kept: int) -> str:
    """An erasure that was carried out and looked at in each system, and has kept some rows."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    ledger.pin_map(request_id, of, at=AT)
    for name in of.systems:
        ledger.keep_receipt(a_receipt(a_step(request_id, Operation.LOCATE, system=name), at=AT, customers=2))
        rows = kept.get(name, 0)
        stay = (Kept(ground="tax law", rows=rows),) if rows else ()
        how = Outcome.RETAINED if rows else Outcome.DONE
        done = Tally(counts=(Count(collection="customers", found=2, erased=2 - rows, kept=stay),))
        seen = Tally(counts=(Count(collection="customers", found=rows, kept=stay),))
        act, look = (a_step(request_id, operation, system=name) for operation in (Operation.ERASE, Operation.VERIFY))
        ledger.keep_receipt(Receipt(step=act, outcome=how, tally=done, at=later(hours=1)))
        sure = Certainty.VERIFIED
        ledger.keep_receipt(Receipt(step=look, outcome=how, tally=seen, certainty=sure, at=later(hours=2)))
    return request_id


def close(ledger: Ledger, folder: Path, request_id: str) -> Conclusion:
    tools = Tools(ledger, {}, TWO, FileStore(folder), environment="test")
    return ClosingActivities(tools).close(Ask(request_id=request_id, as_of=later(hours=3))).conclusion


def test_it_goes_of_the_systems_that_an_erasure_has_emptied_and_of_no_other(ledger: Ledger, tmp_path: Path) -> None:
    disputed(ledger, "shop", "crm")
    assert close(ledger, tmp_path, erased(ledger, TWO, crm=1)) is Conclusion.IN_PART
    assert left(ledger) == ["crm"]


def test_an_erasure_that_was_opened_for_one_system_says_nothing_of_another(ledger: Ledger, tmp_path: Path) -> None:
    disputed(ledger, "crm")
    assert close(ledger, tmp_path, erased(ledger, DataMap.of({"shop": SHOP}))) is Conclusion.ANSWERED
    assert left(ledger) == ["crm"]
    assert close(ledger, tmp_path, erased(ledger, TWO)) is Conclusion.ANSWERED
    assert left(ledger) == []


def test_it_goes_though_the_worker_died_as_the_request_was_closed(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disputed(ledger, "shop")
    request_id = erased(ledger, TWO)

    def die(**_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as once:
        once.setattr(ledger, "checkpoint", die)
        with pytest.raises(OSError, match="killed"):
            close(ledger, tmp_path, request_id)
    assert close(ledger, tmp_path, request_id) is Conclusion.ANSWERED
    assert left(ledger) == []


def test_where_nobody_disputes_anything_an_erasure_asks_one_statement_more(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased(ledger, TWO)
    with statements(ledger) as asked:
        close(ledger, tmp_path, request_id)
    assert len([one for one in asked if "disputes" in one]) == 1
