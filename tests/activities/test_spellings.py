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
from rights.plan import Operation
from rights.request import Phase
from rights.subject import Identity
from tests.activities.test_resting import MAP
from tests.connectors.memory_bench import FrailStore
from tests.ledger.builders import AT, a_step, opened_id


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("anna@b\u00fccher.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "anna@b\u00fccher.example"),
    ],
)
def test_an_international_domain_is_looked_for_in_letters_and_in_ascii(
    ledger: Ledger, tmp_path: Path, given: str, there: str
) -> None:
    system = MAP.systems["shop"]
    store = FrailStore(system)
    store.environment = "test"
    store.rows["customers"] += [{"id": "anna", "email": there}, {"id": "otto", "email": "otto@b\u00fccher.example"}]
    tools = Tools(ledger, {"shop": Memory(system, store)}, MAP, FileStore(tmp_path), environment="test")
    request = opened_id(ledger, Phase.LOCATING, identities=(Identity("email", given),), confirmed=True)
    ledger.pin_map(request, MAP, at=AT)

    look = ActivityEnvironment().run(
        FulfilActivities(tools).locate, Doing(step=a_step(request, Operation.LOCATE), as_of=AT)
    )

    assert look.tally.found == 1
