"""A rectification as the engine makes it: what it writes over is in the vault before, whoever is killed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from activities.corrections import disputed, read_corrections, seal_corrections
from connectors.protocol import Correction
from ledger.ledger import Ledger
from rights.codes import Code
from rights.datamap import Mode
from rights.receipt import Outcome
from rights.request import Phase, Right
from rights.subject import Identity
from tests.activities.rectifier import attempt
from tests.conftest import Database
from tests.ledger.builders import AT, opened_id
from tests.ledger.conftest import Door

SHOP = """
CREATE TABLE habeas_environment (environment TEXT);
INSERT INTO habeas_environment VALUES ('test');
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name TEXT);
INSERT INTO customers VALUES (1, 'qwartz@example.org', 'Anna Qwartz'), (2, 'otto@example.org', 'Otto');
"""
NEW = Correction("customers", {"name": "Anna Quartz"})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as door:
        door.executescript(SHOP)
        yield door


@pytest.fixture
def request_id(ledger: Ledger) -> str:
    who = (Identity("email", "qwartz@example.org"),)
    opened = opened_id(ledger, Phase.LOCATING, identities=who, right=Right.RECTIFICATION, confirmed=True)
    seal_corrections(ledger, opened, "shop", [NEW], at=AT)
    return opened


def names(shop: sqlite3.Connection) -> list[str]:
    return [name for (name,) in shop.execute("SELECT name FROM customers ORDER BY id")]


@pytest.mark.parametrize(("dies", "left"), [("kept", "Anna Qwartz"), ("written", "Anna Quartz")])
def test_a_killed_worker_loses_no_old_value_and_the_next_attempt_overwrites_none(
    ledger: Ledger, tables: Database, shop: sqlite3.Connection, request_id: str, tmp_path: Path, dies: str, left: str
) -> None:
    command = [sys.executable, "-m", "tests.activities.rectifier", tables.url, str(tmp_path / "keys")]
    killed = subprocess.run([*command, str(tmp_path / "shop.db"), request_id, dies], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert names(shop) == [left, "Otto"]
    assert len(ledger.open_intents(request_id, "shop")) == (dies == "written")

    receipt = attempt(ledger, tmp_path / "shop.db", request_id)

    assert names(shop) == ["Anna Quartz", "Otto"]
    assert (receipt.outcome, receipt.tally.found, receipt.tally.rectified) == (Outcome.DONE, 1, int(dies == "kept"))
    assert disputed(ledger, request_id, "shop") == {"customers": {("1",): {"name": ("Anna Qwartz",)}}}
    assert ledger.open_intents(request_id, "shop") == (), "what the killed one had left is settled by looking"


def test_what_somebody_wrote_between_two_attempts_comes_second(
    ledger: Ledger, tables: Database, shop: sqlite3.Connection, request_id: str, tmp_path: Path
) -> None:
    attempt(ledger, tmp_path / "shop.db", request_id)
    shop.execute("UPDATE customers SET name = 'Anna Qwarz' WHERE id = 1")

    attempt(ledger, tmp_path / "shop.db", request_id)

    assert disputed(ledger, request_id, "shop") == {"customers": {("1",): {"name": ("Anna Qwartz", "Anna Qwarz")}}}


def test_nothing_of_a_rectification_lies_open_in_the_ledger(
    ledger: Ledger, door: Door, shop: sqlite3.Connection, request_id: str, tmp_path: Path
) -> None:
    attempt(ledger, tmp_path / "shop.db", request_id)

    tables = door("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    text = "".join(str(door(f"SELECT to_jsonb(t)::text FROM {table} t")) for (table,) in tables)
    assert request_id in text
    assert not any(word in text for word in ("Qwartz", "Quartz", "qwartz"))


def test_a_hold_stops_a_rectification(
    ledger: Ledger, shop: sqlite3.Connection, request_id: str, tmp_path: Path
) -> None:
    ledger.place_hold([Identity("email", "qwartz@example.org")], "a court case", at=AT)

    receipt = attempt(ledger, tmp_path / "shop.db", request_id)

    assert (receipt.outcome, receipt.code) == (Outcome.HELD, Code.HOLD)
    assert names(shop) == ["Anna Qwartz", "Otto"]


@pytest.mark.parametrize(("mode", "code"), [(Mode.OBSERVE, Code.OBSERVE), (Mode.APPROVE, Code.APPROVAL)])
def test_a_system_is_rectified_only_where_the_operator_lets_the_engine(
    ledger: Ledger, shop: sqlite3.Connection, request_id: str, tmp_path: Path, mode: Mode, code: Code
) -> None:
    receipt = attempt(ledger, tmp_path / "shop.db", request_id, mode=mode)

    assert (receipt.outcome, receipt.code) == (Outcome.NEEDS_HUMAN, code)
    assert names(shop) == ["Anna Qwartz", "Otto"]


def test_a_stranger_is_nothing_held_and_not_done(ledger: Ledger, shop: sqlite3.Connection, tmp_path: Path) -> None:
    stranger = opened_id(ledger, Phase.LOCATING, right=Right.RECTIFICATION, confirmed=True)
    seal_corrections(ledger, stranger, "shop", [NEW], at=AT)

    receipt = attempt(ledger, tmp_path / "shop.db", stranger)

    assert (receipt.outcome, receipt.tally.rectified) == (Outcome.NOTHING_HELD, 0)


def test_corrections_are_read_back_as_they_were_sealed(ledger: Ledger, request_id: str) -> None:
    corrections = (NEW, Correction("customers", {"name": None, "email": "a@example.org"}, ("1",)))

    seal_corrections(ledger, request_id, "shop", corrections, at=AT)

    assert read_corrections(ledger.unseal(request_id, "working", "corrections/shop")) == corrections
    assert read_corrections(None) == ()
