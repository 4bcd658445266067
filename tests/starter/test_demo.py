"""`habeas demo`: it succeeds, and its own check would notice if it should not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest

from starter.demo import ASKS_ERASURE, check
from starter.local import command, environment
from starter.shop import fill_shop
from starter.stack import Postgres

ELSEWHERE = ("analytics", "files", "newsletter", "support")
TODAY = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_the_demo_succeeds_and_leaves_only_the_parcel() -> None:
    done = subprocess.run([*command(), "demo"], capture_output=True, text=True, check=False, env=environment())

    assert done.returncode == 0, done.stdout + done.stderr
    assert "All is as it should be" in done.stdout
    assert "✗" not in done.stdout
    for system, certainty in (("shop", "retained"), *((name, "done") for name in ELSEWHERE)):
        assert f"{system}: {certainty}, verified\n" in done.stdout
    assert "erasure  erase analytics      accepted" in done.stdout
    assert "their clock was moved by 31 days" in done.stdout
    for system in ("analytics", "files"):
        assert re.search(rf"^  erasure  {system} +0 +[1-9]", done.stdout, re.MULTILINE), "found by a key alone"
    parcel = Path(next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith("  parcel")))
    page = next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith("  look at it"))
    assert zipfile.is_zipfile(parcel)
    assert "Rücksendung" in Path(page.removeprefix("file://")).read_text()
    (unpacked,) = [path for path in parcel.parent.iterdir() if path != parcel]
    assert unpacked.name.startswith("habeas-")
    shutil.rmtree(parcel.parent)


@pytest.fixture(scope="module")
def shop() -> Iterator[check.Connection]:
    """The demo's shop, on a server of its own: its database has a fixed name."""
    with Postgres(durable=False) as server:
        with closing(check.connect(server.conninfo())) as connection:
            connection.execute("CREATE ROLE shop_reader")
            connection.execute("CREATE ROLE shop_writer")
        assert fill_shop(server, environment="test")
        assert not fill_shop(server, environment="test")  # a second time changes nothing
        with closing(check.connect(server.conninfo("shop"))) as connection:
            yield connection


@pytest.fixture(scope="module")
def who(shop: check.Connection) -> check.Person:
    return check.person(shop, ASKS_ERASURE)


@pytest.fixture(scope="module")
def before(shop: check.Connection) -> check.Dump:
    return check.dump(shop)


@pytest.fixture
def after(before: check.Dump) -> check.Dump:
    """The shop as a flawless erasure leaves it, written out by hand."""
    rows = deepcopy(before)
    for order in ("4076",):  # of 2013: past its ten years
        del rows["orders"][order], rows["payments"][order]
        for item in ("40761", "40762", "40763"):
            del rows["order_items"][item]
    for number in range(4071, 4076):
        rows["orders"][str(number)]["note"] = None
        rows["payments"][str(number)] |= {"card_last4": None, "billing_name": "erased"}
    for key, row in rows["order_items"].items():
        if 40700 < int(key) < 40800:
            row["gift_message"] = None
    for address in ("4071", "4072"):
        rows["addresses"][address] |= {"street": None, "city": None, "postal_code": "22"}
    rows["customers"]["407"] |= {
        "email": "anonymous-0123456789abcdef0123456789abcdef", "full_name": "erased", "phone": None, "birth_date": None,
        "password_hash": "", "marketing_opt_in": False, "created_at": "2013-01-01T00:00:00+00:00",
    }  # fmt: skip
    for table in ("support_messages", "sessions"):
        for number in range(4071, 4074):
            del rows[table][str(number)]
    del rows["newsletter"]["Hugo.Ivanov@Example.Org"]
    return rows


def failures(before: check.Dump, after: check.Dump, who: check.Person) -> list[str]:
    return [finding.said for finding in check.check_erasure(before, after, who, TODAY) if not finding.ok]


def test_a_flawless_erasure_is_called_flawless(before: check.Dump, after: check.Dump, who: check.Person) -> None:
    assert failures(before, after, who) == []


def test_an_erasure_that_did_nothing_is_noticed(before: check.Dump, who: check.Person) -> None:
    assert len(failures(before, before, who)) >= 8


@pytest.mark.parametrize("table", ["support_messages", "sessions", "newsletter", "orders", "order_items", "payments"])
def test_a_row_that_was_left_is_noticed(before: check.Dump, after: check.Dump, who: check.Person, table: str) -> None:
    left = next(key for key in who.own[table] if key not in after[table])
    after[table][left] = before[table][left]

    assert failures(before, after, who) == [f"{table}: a row of the person is left (1)"]


@pytest.mark.parametrize(
    ("table", "key", "field"),
    [
        ("orders", "4071", "note"),
        ("payments", "4073", "billing_name"),
        ("payments", "4073", "card_last4"),
        ("customers", "407", "phone"),
        ("customers", "407", "email"),
        ("addresses", "4072", "street"),
    ],
)
def test_a_field_that_was_left_is_noticed(
    before: check.Dump, after: check.Dump, who: check.Person, table: str, key: str, field: str
) -> None:
    after[table][key][field] = before[table][key][field]

    assert failures(before, after, who) == [f"{table}: a kept row is not as it should be (1)"]


def test_a_kept_row_that_is_gone_or_altered_is_noticed(
    before: check.Dump, after: check.Dump, who: check.Person
) -> None:
    del after["orders"]["4071"]
    after["payments"]["4072"]["amount_cents"] += 1

    found = failures(before, after, who)

    assert "orders: a row that tax law keeps is gone (1)" in found
    assert "payments: a kept row is not as it should be (1)" in found


@pytest.mark.parametrize("table", ["customers", "products", "newsletter", "order_items"])
def test_a_change_to_anybody_else_is_noticed(
    before: check.Dump, after: check.Dump, who: check.Person, table: str
) -> None:
    other, another = [key for key in before[table] if key not in who.own.get(table, ())][:2]
    after[table][other][next(iter(after[table][other]))] = "changed"
    del after[table][another]

    assert failures(before, after, who) == [f"{table}: a row of somebody else changed (2)"]


def test_a_row_that_has_appeared_is_noticed(before: check.Dump, after: check.Dump, who: check.Person) -> None:
    after["sessions"]["999999"] = {"id": 999999}

    assert failures(before, after, who) == ["sessions: a row has appeared (1)"]


def test_traces_are_found_in_any_text(shop: check.Connection, who: check.Person) -> None:
    assert not check.check_traces(shop, who, "the shop").ok
    stranger = check.Person("x@example.org", ("somebody who is nowhere",), {})
    assert check.check_traces(shop, stranger, "the shop").ok


def parcel_of(path: Path, rows: dict[str, list[check.Row]]) -> Path:
    with zipfile.ZipFile(path, "w") as bag:
        for table, of in rows.items():
            bag.writestr(f"habeas-x/data/shop/{table}.jsonl", "".join(json.dumps(row) + "\n" for row in of))
        bag.writestr("habeas-x/bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    return path


def test_a_parcel_that_lacks_or_adds_a_row_is_noticed(before: check.Dump, who: check.Person, tmp_path: Path) -> None:
    own = {
        table: [{k: v for k, v in before[table][key].items() if k != "password_hash"} for key in keys]
        for table, keys in who.own.items()
    }
    whole = parcel_of(tmp_path / "whole.zip", own)
    lacking = parcel_of(tmp_path / "lacking.zip", {**own, "sessions": own["sessions"][1:]})
    adding = parcel_of(tmp_path / "adding.zip", {**own, "sessions": [*own["sessions"], before["sessions"]["11"]]})
    telling = parcel_of(tmp_path / "telling.zip", {**own, "customers": [before["customers"]["407"]]})

    def said(parcel: Path) -> list[bool]:
        return [finding.ok for finding in check.check_access(before, before, who, parcel)]

    assert said(whole) == [True, False]  # the rows are right; it is no valid bag, having no manifest
    assert said(lacking)[0] is False
    assert said(adding)[0] is False
    assert said(telling)[0] is False  # nobody is given a password's hash


def test_an_access_that_changed_a_row_is_noticed(
    before: check.Dump, after: check.Dump, who: check.Person, tmp_path: Path
) -> None:
    found = [f.said for f in check.check_access(before, after, who, parcel_of(tmp_path / "p.zip", {})) if not f.ok]

    assert found[0].startswith("the access request changed rows of ")
