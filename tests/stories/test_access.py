"""A person asks what is held on them."""

import csv
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import bagit
import psycopg
import pytest

from activities.parcels import open_parcel
from activities.sealing import SealBroken
from activities.store import FileStore
from tests.world import World, dump


def delivered(world: World, request: str) -> Path:
    """The opened parcel, unpacked."""
    key = world.ledger.case_key(request, "parcel")
    assert key is not None
    out = world.home / "parcel.zip"
    open_parcel(FileStore(world.settings.parcels), request, key, out)
    with zipfile.ZipFile(out) as archive:
        archive.extractall(world.home / "unpacked")
    return world.home / "unpacked" / f"habeas-{request}"


def test_the_parcel_holds_this_persons_rows_and_is_a_valid_bag(world: World) -> None:
    before = dump(world.shop)
    world.start_worker()
    request = world.open("access", [("email", "c7@shop.example")])
    world.wait_closed(request)

    bag = delivered(world, request)
    bagit.Bag(str(bag)).validate()
    with psycopg.connect(world.shop) as connection:
        for table, where in {
            "customers": "id = 7",
            "addresses": "customer_id = 7",
            "orders": "customer_id = 7",
            "items": "order_id IN (SELECT id FROM orders WHERE customer_id = 7)",
            "messages": "customer_id = 7",
        }.items():
            held = {t for (t,) in connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t WHERE {where}")}
            lines = (bag / "data" / "shop" / f"{table}.jsonl").read_text().splitlines()
            assert [json.loads(line) for line in lines], table
            by_id = sorted((json.loads(text) for text in held), key=lambda row: row["id"])
            assert sorted((json.loads(line) for line in lines), key=lambda row: row["id"]) == by_id
            table_rows = list(csv.DictReader(io.StringIO((bag / "data" / "shop" / f"{table}.csv").read_text())))
            assert sorted(Decimal(row["id"]) for row in table_rows) == [row["id"] for row in by_id]
    assert dump(world.shop) == before
    assert "to run the customer account" in (bag / "data" / "index.html").read_text()
    assert world.conclusion(request) == "answered"


def test_nobody_by_that_name_is_answered_without_a_parcel(world: World) -> None:
    world.start_worker()
    request = world.open("access", [("email", "nobody@shop.example")])
    world.wait_closed(request)

    assert world.conclusion(request) == "nothing_held"
    assert not list(world.settings.parcels.rglob("*.sealed"))


def test_the_parcel_is_unreadable_without_its_key(world: World) -> None:
    world.start_worker()
    request = world.open("access", [("email", "c7@shop.example")])
    world.wait_closed(request)

    (sealed,) = world.settings.parcels.rglob("*.sealed")
    assert b"c7@shop" not in sealed.read_bytes()
    with pytest.raises(SealBroken):
        open_parcel(FileStore(world.settings.parcels), request, bytes(32), world.home / "no.zip")
    assert not (world.home / "no.zip").exists()
