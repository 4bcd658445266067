"""Whoever is in a system under an address that is written another way is found, and not told that nothing is held."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.calls import Doing
from activities.fulfil import FulfilActivities
from activities.store import FileStore
from activities.tools import Tools
from connectors.memory import Memory
from ledger.ledger import Ledger
from rights.mapfile import read_map
from rights.plan import Operation
from rights.request import Phase
from rights.subject import Identity
from tests.activities.test_resting import SHOP
from tests.connectors.memory_bench import FrailStore
from tests.ledger.builders import AT, a_step, opened_id


@pytest.mark.parametrize(
    ("kind", "given", "there"),
    [
        ("email", "anna@b\u00fccher.example", "anna@xn--bcher-kva.example"),
        ("email", "anna@xn--bcher-kva.example", "anna@b\u00fccher.example"),
        ("phone", "+49301234567", "+49 30 1234567"),
        ("phone", "030 / 1234567", "0049301234567"),
    ],
)
def test_whoever_is_there_under_another_spelling_is_found(
    ledger: Ledger, tmp_path: Path, kind: str, given: str, there: str
) -> None:
    ledger.calling_code = "+49"
    shop = read_map({"shop.yaml": SHOP.replace("identity: email", f"identity: {kind}")})
    system = shop.systems["shop"]
    store = FrailStore(system)
    store.environment = "test"
    store.rows["customers"] += [{"id": "anna", "email": there}, {"id": "otto", "email": "+49301234568"}]
    tools = Tools(ledger, {"shop": Memory(system, store)}, shop, FileStore(tmp_path), environment="test")
    request = opened_id(ledger, Phase.LOCATING, identities=(Identity(kind, given),), confirmed=True)
    ledger.pin_map(request, shop, at=AT)

    look = ActivityEnvironment().run(
        FulfilActivities(tools).locate, Doing(step=a_step(request, Operation.LOCATE), as_of=AT)
    )

    assert look.tally.found == 1
