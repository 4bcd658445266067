"""The vault: what is sealed opens in its place, under its key, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from ledger.errors import LedgerRefusal, VaultError
from ledger.keys import FileKeys
from ledger.ledger import Ledger
from ledger.vault import seal, unseal
from rights.codes import Code
from rights.request import Phase
from rights.subject import Identity
from tests.conftest import Database
from tests.ledger.builders import (
    AT,
    a_map,
    a_receipt,
    a_step,
    enter,
    erased,
    opened_id,
    release,
)
from tests.ledger.conftest import Door


@given(st.binary(max_size=10_000), st.text(max_size=50), st.binary(min_size=32, max_size=32))
def test_what_is_sealed_opens(data: bytes, label: str, key: bytes) -> None:
    sealed = seal(key, label, data)

    assert unseal(key, label, sealed) == data
    assert len(sealed) == len(data) + 29
    assert seal(key, label, data) != sealed


@given(st.binary(max_size=200), st.data())
def test_a_changed_byte_is_noticed(data: bytes, draw: st.DataObject) -> None:
    key = bytes(32)
    sealed = bytearray(seal(key, "here", data))
    sealed[draw.draw(st.integers(0, len(sealed) - 1))] ^= draw.draw(st.integers(1, 255))

    with pytest.raises(VaultError):
        unseal(key, "here", bytes(sealed))


def test_another_key_or_place_does_not_open() -> None:
    sealed = seal(bytes(32), "main/a/working/identities", b"Anna")

    with pytest.raises(VaultError, match="main/b/working/identities was changed, moved"):
        unseal(bytes(32), "main/b/working/identities", sealed)
    with pytest.raises(VaultError):
        unseal(b"\1" * 32, "main/a/working/identities", sealed)
    with pytest.raises(VaultError, match="a way this version does not know"):
        unseal(bytes(32), "x", b"")


@pytest.mark.parametrize(
    "move",
    [
        "UPDATE vault SET name = 'other' WHERE name = 'anchors/shop'",
        "UPDATE vault SET name = 'other', sealed = (SELECT sealed FROM vault WHERE name = 'anchors/crm') "
        "WHERE name = 'anchors/shop'",
    ],
)
def test_a_value_moved_inside_the_ledger_does_not_open(ledger: Ledger, door: Door, move: str) -> None:
    request_id = opened_id(ledger)
    for system in ("shop", "crm"):
        ledger.seal(request_id, "working", f"anchors/{system}", b"[1]", at=AT)

    door(move)

    with pytest.raises(VaultError, match="was changed, moved"):
        ledger.unseal(request_id, "working", "other")


def test_a_value_given_to_another_request_does_not_open(ledger: Ledger, door: Door) -> None:
    mine, other = opened_id(ledger), opened_id(ledger)
    # Key and value alike: only the place in the sealed value's own words tells.
    door(
        "UPDATE case_keys SET (kek, wrapped) = (SELECT kek, wrapped FROM case_keys WHERE case_id = %s AND purpose = "
        "'working') WHERE case_id = %s AND purpose = 'working'",
        mine,
        other,
    )
    door("UPDATE vault SET sealed = (SELECT sealed FROM vault WHERE case_id = %s) WHERE case_id = %s", mine, other)

    with pytest.raises(VaultError):
        ledger.identities(other)


def test_the_last_value_of_a_name_wins(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    assert ledger.unseal(request_id, "working", "anchors/shop") is None
    ledger.seal(request_id, "working", "anchors/shop", b"one", at=AT)
    ledger.seal(request_id, "working", "anchors/shop", b"two", at=AT)

    assert ledger.unseal(request_id, "working", "anchors/shop") == b"two"


def test_a_case_key_is_made_once_and_stays(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    assert ledger.case_key(request_id, "parcel") is None
    made = ledger.case_key(request_id, "parcel", create=True)
    assert len(made) == 32
    assert ledger.case_key(request_id, "parcel", create=True) == made
    assert ledger.case_key(request_id, "parcel") == made
    assert ledger.case_key(request_id, "pseudonym", create=True) != made
    with pytest.raises(LedgerRefusal, match="unknown or was shredded"):
        ledger.case_key("nonsense", "parcel", create=True)
    with pytest.raises(LedgerRefusal, match="unknown or was shredded"):
        ledger.seal("nonsense", "working", "x", b"", at=AT)


def test_a_history_has_a_key_from_the_start_and_so_has_upkeep(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    request_id = opened_id(ledger)
    key, house = ledger.history_key(request_id), ledger.history_key("main")

    assert key is not None
    assert house is not None
    assert key != house
    restarted = make_ledger(tables.url)
    assert restarted.history_key(request_id) == key
    assert restarted.history_key("main") == house
    assert ledger.history_key("nonsense") is None


def test_two_workers_agree_on_the_index_of_people(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    request_id = opened_id(ledger)

    make_ledger(tables.url).place_hold([Identity("email", "anna.berg@EXAMPLE.org")], "a case", at=AT)

    assert ledger.standing(request_id).held


def test_another_key_provider_opens_nothing(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database, tmp_path: Path
) -> None:
    request_id = opened_id(ledger)
    stranger = make_ledger(tables.url, keys=FileKeys(tmp_path / "empty"))

    with pytest.raises(VaultError, match="there is no key main-2026-03"):
        stranger.identities(request_id)
    with pytest.raises(VaultError, match="there is no key main-index"):
        opened_id(stranger)
    assert list((tmp_path / "empty").iterdir()) == []


CANARY = "zqxcanaryzqx"


def test_no_column_of_the_ledger_shows_what_a_person_said_or_is(ledger: Ledger, tables: Database) -> None:
    """Everything that can be typed, through every verb that takes it; then every byte of every table."""
    who = (Identity("email", f"{CANARY}@example.org"), Identity("customer_id", CANARY))
    request_id = opened_id(
        ledger, identities=who, free_text=f"I am {CANARY}", idempotency_key=f"key {CANARY}", confirmed=False
    )
    ledger.learn(request_id, [Identity("device", f"device {CANARY}")], at=AT)
    ledger.confirm_identity(request_id, at=AT, note=f"note {CANARY}")
    ledger.pin_map(request_id, a_map(), at=AT)
    for phase in (Phase.LOCATING, Phase.APPROVING):
        ledger.move(request_id, phase, at=AT)
    ledger.approve(request_id, at=AT, note=f"note {CANARY}")
    for purpose in ("working", "file", "history", "parcel", "pseudonym"):
        ledger.seal(request_id, purpose, "anchors/shop", f'["{CANARY}"]'.encode(), at=AT)
    task = ledger.open_task(request_id, a_step(request_id).key, Code.SEVERAL_PEOPLE, "shop", at=AT)
    ledger.rule(request_id, task, "choose", at=AT, note=f"note {CANARY}", chosen=CANARY.encode())
    ledger.exit_fence(enter(ledger, request_id), erased(customers=1), at=AT)
    ledger.keep_receipt(a_receipt(a_step(request_id), customers=1))
    hold = ledger.place_hold(who, f"reason {CANARY}", at=AT)
    release(ledger, hold.id, at=AT, file_until=AT)
    ledger.withdraw(request_id, at=AT, note=f"note {CANARY}")

    everything = _everything(tables)

    assert request_id in everything
    assert "anchors/shop" in everything
    for form in (CANARY, CANARY.encode().hex(), f"{CANARY}@example.org".encode().hex()):
        assert form not in everything.lower()


def test_the_search_for_canaries_finds_one_that_is_there(ledger: Ledger, tables: Database, door: Door) -> None:
    door("INSERT INTO maps VALUES ('main', 'x', %s)", f"a map with {CANARY}")
    assert CANARY in _everything(tables)
    door("INSERT INTO vault VALUES ('main', 'x', 'working', 'x', %s, now())", CANARY.encode())
    assert CANARY.encode().hex() in _everything(tables)


def _everything(tables: Database) -> str:
    """All rows of all tables as text, bytes in hex."""
    with psycopg.connect(tables.conninfo) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(names) > 15
        texts = [
            row[0]
            for (name,) in names
            for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
        ]
    return "\n".join(texts)
