"""What holds make of a step whose map has changed since the hold, or since the request."""

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from activities.calls import Doing, make_ready, read
from activities.opening import Ask
from activities.outcomes import receipt_for
from activities.restricting import end_restriction
from activities.store import FileStore
from activities.tools import Tools
from connectors.protocol import Erases
from connectors.sql import build
from ledger.ledger import Ledger
from rights.codes import Code
from rights.datamap import DataMap, System
from rights.holdlaw import ground_of
from rights.holds import NOTHING, Reason, Scope, Terms, as_held
from rights.mapfile import read_map
from rights.plan import Operation, Step
from rights.receipt import Outcome, Receipt, Tally
from rights.request import Phase
from rights.subject import Identity
from tests.activities.rectifier import AS_OF
from tests.activities.rectifier import MAP as OBSERVED
from tests.ledger.builders import AT, later, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_heldback import place, restricted

MAP = OBSERVED.replace("owner:", "mode: auto\nowner:")
WHO = (Identity("email", "qwartz@example.org"),)
SHOP = """
CREATE TABLE habeas_environment (environment TEXT);
INSERT INTO habeas_environment VALUES ('test');
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name TEXT);
INSERT INTO customers VALUES (1, 'qwartz@example.org', 'Anna Qwartz'), (2, 'otto@example.org', 'Otto');
"""
OLD = read_map({"shop.yaml": MAP})
NEW = read_map({"shop.yaml": MAP.replace("  customers:\n", "  clients:\n    name: customers\n")})
"""The same table by another name."""
SICK = read_map({"shop.yaml": MAP.replace("name: {category: name}", "name: {category: health}")})


def erase(ledger: Ledger, file: Path, request_id: str, today: DataMap) -> Receipt:
    """One attempt, as a worker with today's map makes it."""

    def made(system: System) -> Erases:
        url = f"sqlite:///{file}"
        connector = build(system, {"reader": url, "writer": url})
        assert isinstance(connector, Erases)
        return connector

    store = FileStore(file.parent / "parcels")
    tools = Tools(ledger, {"shop": made(today.systems["shop"])}, today, store, environment="test", build=made)
    step = Step(request_id=request_id, system="shop", operation=Operation.ERASE)

    holding = NOTHING

    def work() -> Tally:
        nonlocal holding
        ready = make_ready(tools, Doing(step=step, as_of=AS_OF), read(tools, step), lambda: None)
        holding = ready.holding
        assert isinstance(ready.connector, Erases)
        tally = ready.connector.erase(ready.call)
        assert isinstance(tally, Tally)
        return tally

    receipt = receipt_for(step, work, AS_OF)
    return as_held(receipt, holding, partial(ground_of, regimes=("eu-gdpr",)), due=True)


@pytest.mark.parametrize(
    ("pinned", "today", "scope"),
    [
        # Placed under the old name, and the map was changed before the request.
        (NEW, NEW, Scope(collections=("shop.customers",))),
        # The map was changed before the hold, while the request keeps to the old one.
        (OLD, NEW, Scope(collections=("shop.clients",))),
        (OLD, SICK, Scope(categories=("health",))),
    ],
    ids=["renamed-since-the-hold", "renamed-since-the-request", "categorised-since-the-request"],
)
def test_what_is_held_stays_whatever_the_map_calls_it(
    ledger: Ledger, tmp_path: Path, pinned: DataMap, today: DataMap, scope: Scope
) -> None:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as door:
        door.executescript(SHOP)
        request_id = opened_id(ledger, Phase.LOCATING, identities=WHO, confirmed=True)
        ledger.pin_map(request_id, pinned, at=AT)
        ledger.place_hold(WHO, "a case", at=AT, by="s-1", terms=Terms(scope=scope, reason=Reason.REGULATOR))

        receipt = erase(ledger, file, request_id, today)

        assert door.execute("SELECT name FROM customers ORDER BY id").fetchall() == [("Anna Qwartz",), ("Otto",)]
    if receipt.outcome is Outcome.HELD:
        assert receipt.code == Code.HOLD
    else:
        assert receipt.outcome is Outcome.RETAINED
        assert {kept.ground for count in receipt.tally.counts for kept in count.kept} == {
            "legal hold (GDPR Art. 17(3)(b))"
        }


def test_what_was_restricted_for_a_request_that_ends_stays_so_under_a_hold_and_nobody_is_told(
    ledger: Ledger, tmp_path: Path, door: Door
) -> None:
    request_id = restricted(ledger)
    place(ledger)
    tools = Tools(ledger, {}, OLD, FileStore(tmp_path), environment="test")

    end_restriction(tools, Ask(request_id=request_id, as_of=later(hours=2)))

    assert door("SELECT code FROM tasks WHERE settled_at IS NULL") == [("restriction_review",)]
    assert door("SELECT count(*) FROM letters") == [(0,)]
    found = ledger.restriction(request_id)
    assert found is not None
    assert found.lift_asked_at is None
