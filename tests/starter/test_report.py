"""`habeas report`, as compliance types it: three forms, one entry, and a picture that can be read out."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from rights.request import Phase
from starter.desk import load_settings, open_ledger
from starter.reporting import REPORTS
from tests.ledger.builders import close_one
from tests.starter.conftest import PERSON, Deployment, one_sentence

NOW = datetime.now(UTC)
PERIOD = f"{NOW:%Y}"


def at_work(deployment: Deployment) -> tuple[str, str]:
    """One request that was answered, and one that waits."""
    done, waiting = deployment.open("--channel", "web"), deployment.open(right="access")
    ledger = open_ledger(load_settings())
    ledger.move(done, Phase.LOCATING, at=NOW)
    close_one(ledger, done, at=NOW + timedelta(days=2))
    ledger.close_connections()
    return done, waiting


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_has_three_forms_that_name_the_same_entry_and_nobody(deployment: Deployment, name: str) -> None:
    at_work(deployment)
    ((head, digest),) = deployment.rows("SELECT seq, encode(hash, 'hex') FROM chain_heads")
    asked = ("report", name, "--period", PERIOD)
    page, as_json, as_csv = deployment(*asked), deployment(*asked, "--json"), deployment(*asked, "--csv")

    assert (page.code, as_json.code, as_csv.code) == (0, 0, 0), page.err + as_json.err + as_csv.err
    assert (as_json.json["stamp"]["head"], as_json.json["stamp"]["digest"]) == (head, digest)
    again = ("report", "period", "head", "digest")
    assert {tuple(row[column] for column in again) for row in csv.DictReader(StringIO(as_csv.out))} == {
        (name, PERIOD, str(head), digest)
    }
    assert digest in page.out
    assert as_json.json["stamp"]["settings_digest"] in page.out
    assert f"habeas report {name} --period {PERIOD} --head {head}" in page.out
    assert PERSON not in page.out + as_json.out + as_csv.out

    deployment.open()
    assert deployment(*asked, "--head", str(head), "--json").out == as_json.out
    assert deployment(*asked, "--head", str(head), "--csv").out == as_csv.out
    assert deployment(*asked, "--json").json["stamp"]["head"] > head


def test_the_board_and_the_register_say_what_the_tables_have(deployment: Deployment) -> None:
    done, waiting = at_work(deployment)
    board = deployment("report", "board", "--period", PERIOD, "--json").json
    assert [(one["right"], one["received"], one["answered"], one["waiting"]) for one in board["paces"]] == [
        ("", 2, 1, 1), ("access", 1, 0, 1), ("erasure", 1, 1, 0),
    ]  # fmt: skip
    rows = {
        row["request"]: row
        for row in csv.DictReader(StringIO(deployment("report", "register", "--period", PERIOD, "--csv").out))
    }
    assert (rows[done]["fate"], rows[done]["came_in"], rows[waiting]["fate"]) == ("complied", "web", "open")
    told = deployment.rows("SELECT id, (legal_due AT TIME ZONE zone)::date::text FROM requests")
    assert {request: row["due"] for request, row in rows.items()} == dict(told)


def test_the_picture_says_in_words_what_it_shows(deployment: Deployment) -> None:
    at_work(deployment)
    file = deployment.home / "waiting.svg"
    asked = ("report", "board", "--period", PERIOD, "--svg", str(file))
    assert deployment(*asked).code == 0
    again = deployment(*asked)
    assert (again.code, one_sentence(again.err)) == (2, True)
    assert deployment(*asked, "--replace").code == 0

    name = "{http://www.w3.org/2000/svg}"
    root = ET.fromstring(file.read_text())  # noqa: S314 - our own
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title description")
    title, said = root.findtext(f"{name}title"), root.findtext(f"{name}desc")
    assert title == "Requests that wait, by age and deadline: 1, of which 0 overdue"
    assert said is not None
    assert "0-7 days old: 1 on track" in said
    width = float(root.get("width") or 0)
    for text in root.iter(f"{name}text"):
        assert 0 <= float(text.get("x") or 0) <= width
    assert {one.tag.removeprefix(name) for one in root.iter()} <= {"svg", "title", "desc", "g", "rect", "line", "text"}


def test_the_record_says_in_all_forms_whose_it_is(deployment: Deployment) -> None:
    file = deployment.home / "habeas.toml"
    file.write_text(file.read_text() + '\n[letters]\ncontroller = "Shop AG"\naddress = ["1 High Street", "Town"]\n')
    asked = ("report", "ropa", "--period", PERIOD)
    rows = list(csv.DictReader(StringIO(deployment(*asked, "--csv").out)))
    assert rows
    assert {(row["controller"], row["address"], row["dpo"]) for row in rows} == {("Shop AG", "1 High Street; Town", "")}
    assert deployment(*asked, "--json").json["controller"]["name"] == "Shop AG"
    assert "Shop AG" in deployment(*asked).out


def test_no_cell_of_a_table_starts_a_formula(deployment: Deployment) -> None:
    """The names of systems are tame; what a map says in words is not."""
    file = next((deployment.home / "maps").glob("*.yaml"))
    text = file.read_text()
    file.write_text(text.replace("\ncollections:", '\nmeasures: ["=HYPERLINK(0)"]\npeople: ["@sum"]\ncollections:', 1))
    table = deployment("report", "ropa", "--period", PERIOD, "--csv")
    assert table.code == 0, table.err
    rows = list(csv.DictReader(StringIO(table.out)))
    assert {(row["measures"], row["people"]) for row in rows} >= {("'=HYPERLINK(0)", "'@sum")}
    cells = [cell for row in csv.reader(StringIO(table.out)) for cell in row]
    assert [cell for cell in cells if cell[:1] in set("=+-@\t\r")] == []


@pytest.mark.parametrize("more", [("--period", "canary"), ("--period", PERIOD, "--json", "--csv")])
def test_what_cannot_be_reported_is_one_sentence(deployment: Deployment, more: tuple[str, ...]) -> None:
    done = deployment("report", "board", *more)
    assert (done.code, done.out, one_sentence(done.err), "canary" in done.err) == (2, "", True, False)


def test_an_entry_that_is_not_there_yet_is_one_sentence(deployment: Deployment) -> None:
    done = deployment("report", "board", "--period", PERIOD, "--head", "99999")
    assert (done.code, done.out, one_sentence(done.err)) == (5, "", True)
    assert json.loads(deployment("report", "board", "--period", PERIOD, "--json").out)["waiting"] == 0
