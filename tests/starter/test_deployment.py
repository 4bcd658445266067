"""A whole deployment on real servers, worked through the public commands alone: as an agent sees it."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from starter.cli import app
from starter.demo import check
from starter.local import ATTRIBUTES, Local
from starter.stack import Postgres, Temporal
from tests.starter.conftest import Answer

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Servers of its own, a shop in mode approve, and a worker as a process."""
    home = tmp_path_factory.mktemp("local") / "deployment"
    temporal = Temporal(ui=True, search_attributes=ATTRIBUTES)
    with Local(home, Postgres(durable=False), temporal, environment="test", mode="approve") as local:
        yield local


@pytest.fixture(autouse=True)
def here(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are given in the deployment's directory."""
    for name in os.environ:
        if name.startswith("HABEAS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(local.home)


@pytest.fixture
def shop(local: Local) -> Iterator[check.Connection]:
    with check.connect(local.postgres.conninfo("shop")) as connection:
        yield connection


def email_of(shop: check.Connection, customer: int) -> str:
    found = shop.execute("SELECT email FROM customers WHERE id = %s", [customer]).fetchone()
    assert found is not None
    return str(found[0])


def habeas(local: Local, *arguments: str, given: str | None = None) -> Answer:
    """Give a command as it is typed; in this process, since loading it takes longer than most of them."""
    done = CliRunner().invoke(app, list(arguments), input=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Answer(done.exit_code, done.stdout, done.stderr)


def told(local: Local, *arguments: str, given: str | None = None, code: int = 0) -> Any:
    """What a reading command prints as JSON."""
    done = habeas(local, *arguments, "--json", given=given)
    assert done.code == code, done.err
    return json.loads(done.out)


def open_(local: Local, right: str, email: str, *more: str) -> str:
    opened: str = told(local, "request", "open", right, "--identities", "-", *more, given=f"email={email}")["id"]
    return opened


def test_an_erasure_waits_for_identity_and_approval_and_then_is_done(local: Local, shop: check.Connection) -> None:
    who = check.person(shop, email_of(shop, 203))
    before = check.dump(shop)
    request = open_(local, "erasure", who.email)

    first = habeas(local, "request", "watch", request)
    habeas(local, "request", "confirm-identity", request, "--by", "support desk")
    second = habeas(local, "request", "watch", request)
    preview = told(local, "request", "preview", request)
    tried = told(local, "request", "preview", request, "--try")
    untouched = check.dump(shop) == before
    habeas(local, "request", "approve", request, "--by", "privacy officer")
    third = habeas(local, "request", "watch", request)
    shown = told(local, "request", "show", request)

    assert (first.code, second.code, third.code) == (6, 6, 0)
    assert "identity" in first.out.splitlines()[-1]
    assert "approval" in second.out.splitlines()[-1]
    assert untouched
    (system,) = preview["systems"]
    assert {c["collection"]: c["found"] for c in system["collections"]} == {t: len(keys) for t, keys in who.own.items()}
    trial = tried["systems"][0]["trial"]
    assert (trial["tried"], trial["refusal"]) == (True, None)
    assert not any(table["surprise"] for table in trial["tables"])
    goes = {c["collection"]: c["goes"] for c in system["collections"] if c["how"] == "deleted" and c["goes"]}
    assert {t["collection"]: t["deleted"] for t in trial["tables"] if t["collection"] in goes} == goes
    assert who.email not in str(tried)
    assert shown["request"]["conclusion"] == "in_part"
    assert all(book["closed"] for book in shown["systems"][0]["books"])
    found = list(check.check_erasure(before, check.dump(shop), who, datetime.now(UTC)))
    assert all(finding.ok for finding in found), found
    assert check.check_traces(shop, who, "shop").ok


def test_explain_agrees_with_the_books(local: Local, shop: check.Connection) -> None:
    request = open_(local, "erasure", email_of(shop, 215), "--confirmed-by", "desk")
    habeas(local, "request", "watch", request)
    habeas(local, "request", "approve", request)
    habeas(local, "request", "watch", request)

    lines = {line["about"]: line for line in told(local, "explain", request)["lines"]}
    books = told(local, "request", "show", request)["systems"][0]["books"]

    for book in (b for b in books if b["before"]):
        line = lines[f"Books of shop.{book['collection']}"]["result"]
        assert line.startswith(f"{book['before']} + {book['arrived']} - {book['after']} = {book['erased']} erased")
    assert "10 years after placed_at, from the end of that year" in lines["Kept in shop.orders"]["rule"]
    assert lines["Conclusion"]["result"] == "in_part"


def test_a_parcel_is_opened_once_it_is_packed(local: Local, shop: check.Connection, tmp_path: Path) -> None:
    who = check.person(shop, email_of(shop, 227))
    before = check.dump(shop)
    request = open_(local, "access", who.email, "--confirmed-by", "desk")
    assert habeas(local, "request", "watch", request).code == 0

    opened = told(local, "parcel", "open", request, "--out", str(tmp_path / "parcel.zip"))
    again = habeas(local, "parcel", "open", request, "--out", str(tmp_path / "parcel.zip"))
    forced = habeas(local, "parcel", "open", request, "--out", str(tmp_path / "parcel.zip"), "--replace")

    assert list(opened) == ["file", "size", "sha256"]
    assert (tmp_path / "parcel.zip").stat().st_mode & 0o777 == 0o600
    assert again.code == 2
    assert forced.code == 0
    findings = list(check.check_access(before, check.dump(shop), who, tmp_path / "parcel.zip"))
    assert all(finding.ok for finding in findings), findings
    with zipfile.ZipFile(tmp_path / "parcel.zip") as bag:
        assert any(name.endswith("data/index.html") for name in bag.namelist())


def test_a_broken_parcel_does_not_open(local: Local, shop: check.Connection, tmp_path: Path) -> None:
    request = open_(local, "access", email_of(shop, 239), "--confirmed-by", "desk")
    habeas(local, "request", "watch", request)
    (sealed,) = (local.home / "parcels" / request).glob("*.sealed")
    body = bytearray(sealed.read_bytes())
    body[-20] ^= 1
    sealed.write_bytes(body)

    answer = habeas(local, "parcel", "open", request, "--out", str(tmp_path / "parcel.zip"))

    assert answer.code == 1
    assert "seal" in answer.err
    assert not (tmp_path / "parcel.zip").exists()


def test_somebody_no_system_knows_is_answered(local: Local) -> None:
    request = open_(local, "erasure", "nobody.at.all@example.org", "--confirmed-by", "desk")

    assert habeas(local, "request", "watch", request).code == 0
    assert told(local, "request", "show", request)["request"]["conclusion"] == "nothing_held"


@pytest.mark.soak
def test_a_hold_stops_an_erasure_until_it_is_released(local: Local, shop: check.Connection) -> None:
    email = email_of(shop, 251)
    before = check.dump(shop)
    whom = ("--by", "s-1", "--identity", f"email={email}", "--reason-file", "-")
    held = told(local, "hold", "place", *whom, given="a court case")
    request = open_(local, "erasure", email, "--confirmed-by", "desk")
    habeas(local, "request", "watch", request)
    habeas(local, "request", "approve", request)

    stopped = habeas(local, "request", "watch", request)
    untouched = check.dump(shop) == before
    (task,) = told(local, "task", "list", "--request", request)["tasks"]
    for agent in ("s-1", "s-2"):
        habeas(local, "hold", "release", held["id"], "--by", agent)
    done = habeas(local, "request", "watch", request)

    assert stopped.code == 6
    assert untouched
    assert task["code"] == "hold"
    assert done.code == 0, done.out
    assert not shop.execute("SELECT 1 FROM newsletter WHERE lower(email) = lower(%s)", [email]).fetchone()


@pytest.mark.soak
def test_an_outbox_written_while_no_worker_runs_is_worked_off(local: Local, shop: check.Connection) -> None:
    local.stop_worker()
    request = open_(local, "access", email_of(shop, 263), "--confirmed-by", "desk")
    waiting = told(local, "request", "show", request)["request"]["phase"]
    local.start_worker()

    assert waiting == "received"
    assert habeas(local, "request", "watch", request).code == 0


def test_a_worker_that_is_told_to_end_drains_and_ends_well(local: Local) -> None:
    (pid,) = processes_in(local.home, "worker")
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + 120
    while local.worker_alive and time.monotonic() < until:
        time.sleep(0.1)

    assert not local.worker_alive
    assert "worker_stopped" in local.worker_log.read_text()
    local.stop_worker()
    local.start_worker()


def processes_in(directory: Path, word: str = "") -> list[int]:
    """The processes that work in or below a directory and were started with a word, by the kernel's say."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if word in words and (entry / "cwd").resolve().is_relative_to(directory.resolve()):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_no_log_and_no_file_name_tells_of_anybody(local: Local, shop: check.Connection) -> None:
    """Last in the module: over everything that the tests above have done."""
    who = [check.person(shop, email_of(shop, customer)) for customer in (227, 239, 263)]

    assert check.check_log(local.worker_log, who).ok
    names = " ".join(str(path) for path in local.home.rglob("*")).lower()
    assert not [trait for one in who for trait in one.traits if trait.lower() in names]
    with psycopg.connect(local.postgres.conninfo("ledger"), autocommit=True) as ledger:
        for one in who:
            assert check.check_traces(ledger, one, "ledger").ok
