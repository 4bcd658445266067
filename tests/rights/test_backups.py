"""A map that erases says how long that lives on in backups; a map that the ledger keeps is not asked."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.advice import advice
from rights.backups import Backups
from rights.datamap import DataMap
from rights.mapfile import read_map
from rights.plan import out_of_backups
from tests.rights.builders import SHOP, wrong

SQL = SHOP.replace("connector: memory", "connector: sql")
BEYOND = "beyond_use: a restored copy is erased again"


@pytest.mark.parametrize("connector", ["sql", "s3", "mailbox", "http", "manual", "folder"])
@pytest.mark.parametrize("mode", ["observe", "auto"])
def test_a_map_that_erases_and_does_not_say_it_is_refused_with_what_to_write(connector: str, mode: str) -> None:
    (said,) = wrong(SHOP.replace("connector: memory", f"connector: {connector}\nmode: {mode}"))

    assert said.startswith("shop.yaml:1: backups: it is missing")
    for example in ("backups: {max_age: P35D, beyond_use: ", "backups: none", "backups: {max_age: unknown, "):
        assert example in said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{max_age: P35D}", "shop.yaml:4: backups: 'beyond_use' is missing"),
        ("{max_age: P35D, beyond_use: ' '}", "shop.yaml:4: backups: 'beyond_use' is missing"),
        ("{max_age: unknown}", "shop.yaml:4: backups: 'beyond_use' is missing"),
        ("{beyond_use: locked away}", "shop.yaml:4: backups: 'max_age' is missing"),
        ("{max_age: 35 days, beyond_use: x}", "shop.yaml:4: backups.max_age: write the longest age"),
        ("{max_age: P, beyond_use: x}", "shop.yaml:4: backups.max_age: write the longest age"),
        ("unknown", "shop.yaml:4: backups: write backups: {max_age: P35D"),
        ("", "shop.yaml:4: backups: it is missing"),
        ("[none]", "shop.yaml:4: backups: write settings below it"),
    ],
)
def test_what_cannot_stand_there_is_said_at_its_line(written: str, said: str) -> None:
    (line,) = wrong(SQL.replace("connector: sql", f"connector: sql\nbackups: {written}"))

    assert line.startswith(said), line


@pytest.mark.parametrize(
    ("written", "exist", "known"),
    [
        ("none", False, True),
        (f"{{max_age: unknown, {BEYOND}}}", True, False),
        (f"{{max_age: P35D, {BEYOND}}}", True, True),
    ],
)
def test_each_honest_answer_is_read_and_read_back(written: str, exist: bool, known: bool) -> None:
    data_map = read_map({"shop.yaml": f"{SQL}backups: {written}\n"})
    backups = data_map.systems["shop"].backups

    assert backups
    assert (backups.exist, backups.known) == (exist, known)
    assert DataMap.restore(data_map.canonical()) == data_map


def test_what_erases_nothing_or_ends_with_its_process_need_not_say_it() -> None:
    kept = SQL.replace("    key: [id]\n", "    key: [id]\n    erase: retain\n    ground: a law\n")

    assert wrong(SHOP) == []
    assert wrong(kept) == []


def test_a_request_goes_on_with_a_map_from_before_it_was_asked_for() -> None:
    stored = json.loads(read_map({"shop.yaml": f"{SQL}backups: none\n"}).canonical())
    del stored["shop"]["backups"]
    other = {"shop": {**stored["shop"], "backups": {"max_age": "P35D"}}}

    assert DataMap.restore(json.dumps(stored)).systems["shop"].backups is None
    assert DataMap.restore(json.dumps(other)).systems["shop"].backups == Backups(max_age="P35D")


def test_not_knowing_is_advised_against_once_something_is_erased() -> None:
    unknown = f"{SQL}backups: {{max_age: unknown, {BEYOND}}}\n"
    auto = unknown.replace("connector: sql", "connector: sql\nmode: auto")

    assert [a.code for a in advice(read_map({"shop.yaml": unknown}))] == []
    assert [a.code for a in advice(read_map({"shop.yaml": auto}))] == ["backups_unknown"]


def test_backups_end_as_the_calendar_says() -> None:
    assert out_of_backups(Backups(max_age="P35D"), date(2026, 1, 1)) == date(2026, 2, 5)
    assert out_of_backups(Backups(max_age="P1M"), date(2026, 1, 31)) == date(2026, 2, 28)


@given(st.dates())
def test_without_backups_it_is_gone_that_day_and_what_nobody_knows_has_no_day(day: date) -> None:
    assert out_of_backups(Backups(max_age="none"), day) == day
    assert out_of_backups(Backups(max_age="unknown", beyond_use="x"), day) is None
