"""A list is held against ours before it is used: as a CSV of any size, and in the campaign's own database."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.request import Conclusion, Right
from rights.subject import Identity
from rights.suppression import Scope, Source
from starter.screening import NotRead, join_sql, screen_csv, screen_table
from tests.conftest import Database
from tests.ledger.builders import AT, later, open_one
from tests.ledger.conftest import checkpoints as checkpoints
from tests.ledger.conftest import keys as keys
from tests.ledger.conftest import make_ledger as make_ledger
from tests.ledger.conftest import tables as tables
from tests.ledger.conftest import template as template
from tests.starter.conftest import Deployment, one_sentence

STOPPED, ERASED = Identity("email", "stop@example.org"), Identity("email", "gone@example.org")


@pytest.fixture
def ledger(make_ledger: Callable[..., Ledger], tables: Database) -> Ledger:
    """Somebody has stopped marketing, and somebody was erased."""
    ledger = make_ledger(tables.url)
    ledger.suppress("r", [STOPPED], (Scope.MARKETING,), source=Source.PERSON, at=AT)
    request = open_one(ledger, (ERASED,)).request_id
    until = later(days=30)
    ledger.close(
        request,
        Conclusion.ANSWERED,
        books={},
        at=AT,
        working_until=until,
        file_until=until,
        parcel_until=until,
        disputed_until=until,
        ending=Ending(erased=(ERASED,)),
    )
    return ledger


CSV = ["id,mail\n", "1,free@example.org\n", '2," STOP@example.org"\n', "3,gone@EXAMPLE.org\n", "4,nonsense\n", "5\n"]


@pytest.mark.parametrize(
    ("use", "barred"),
    [
        ("marketing", {2: ("marketing",), 3: ("erased",), 4: ("unreadable",), 5: ("unreadable",)}),
        ("sale", {3: ("erased",), 4: ("unreadable",), 5: ("unreadable",)}),
        ("import", {3: ("erased",), 4: ("unreadable",), 5: ("unreadable",)}),
    ],
)
def test_rows_are_barred_by_what_they_are_for(ledger: Ledger, use: str, barred: dict[int, tuple[str, ...]]) -> None:
    found = list(screen_csv(ledger, CSV, "mail", "email", use, at=later(days=1)))

    assert [number for number, _, _ in found] == [0, 1, 2, 3, 4, 5]
    assert {number: verdict.why for number, _, verdict in found if verdict.barred} == barred


def test_memory_stays_flat(ledger: Ledger) -> None:
    def lines(rows: int) -> Iterator[str]:
        yield "mail\n"
        for number in range(rows):
            yield f"n{number}@example.org\n"

    def peak(rows: int) -> int:
        tracemalloc.start()
        assert not any(v.barred for _, _, v in screen_csv(ledger, lines(rows), "mail", "email", "sale", at=AT))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(2_000), peak(20_000)
    assert many < few * 1.5


def test_a_campaign_joins_against_a_table_of_its_own(ledger: Ledger, database: Database) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute("CREATE TABLE subscribers (id int, mail text)")
        people = [(1, "free@example.org"), (2, "Stop@Example.org"), (3, "gone@example.org"), (4, None)]
        door.cursor().executemany("INSERT INTO subscribers VALUES (%s, %s)", people)

        first, tallied = (
            screen_table(
                ledger, database.conninfo, "subscribers", "mail", "barred", "email", "marketing", at=later(days=1)
            )
            for _ in range(2)
        )

        assert first == tallied
        assert (tallied.rows, tallied.barred) == (3, 2)
        free = door.execute(join_sql("subscribers", "mail", "barred")).fetchall()
        assert [row[0] for row in free] == [1, 4]
        columns = door.execute("SELECT value, why FROM barred ORDER BY value").fetchall()
        assert columns == [("Stop@Example.org", "marketing"), ("gone@example.org", "erased")], "no token and no key"


def test_a_name_stays_a_name_in_the_statement_that_is_printed() -> None:
    printed = join_sql('crm.of "us"', "mail", "barred")

    assert printed.startswith('SELECT t.* FROM "crm"."of ""us""" AS t\n')


def test_the_command_tells_by_its_exit(deployment: Deployment, tmp_path: Path) -> None:
    clean = tmp_path / "clean.csv"

    done = deployment("suppress", "check", "-", "--column", "mail", "--out", str(clean), given="".join(CSV))
    assert (done.code, done.out) == (1, "4 unreadable\n5 unreadable\n")
    assert clean.read_text().splitlines() == [
        "id,mail",
        "1,free@example.org",
        "2, STOP@example.org",
        "3,gone@EXAMPLE.org",
    ]

    assert clean.stat().st_mode & 0o777 == 0o600, "there are addresses in it"
    clean.chmod(0o644)
    clean.write_text("longer than what is written now\n" * 100)

    told = deployment("suppress", "check", "-", "--column", "mail", "--out", str(clean), given="".join(CSV[:2]))
    assert (told.code, clean.read_text()) == (0, "id,mail\n1,free@example.org\n")
    assert clean.stat().st_mode & 0o777 == 0o600, "nor do others read it where a file of theirs was"

    told = deployment("suppress", "check", "-", "--column", "mail", "--json", given="".join(CSV[:2]))
    assert (told.code, told.json) == (0, {"rows": 1, "barred": 0, "why": {}})
    marked = tmp_path / "of-a-spreadsheet.csv"
    marked.write_text('"mail"\nfree@example.org\n', encoding="utf-8-sig")
    told = deployment("suppress", "check", str(marked), "--column", "mail", "--json")
    assert (told.code, told.json["rows"]) == (0, 1), "the mark before the first column is no part of its name"
    assert deployment("suppress", "check", "-", "--column", "post", given="".join(CSV)).code == 2
    assert deployment("suppress", "rotate-key", "--json").json == {"key": 2, "renewed": 0}


def test_a_list_is_not_lost_by_writing_over_it(deployment: Deployment, tmp_path: Path) -> None:
    there = tmp_path / "list.csv"
    there.write_text("".join(CSV))

    for out in (there, tmp_path / "nowhere" / "list.csv"):
        refused = deployment("suppress", "check", str(there), "--column", "mail", "--out", str(out))
        assert (refused.code, one_sentence(refused.err)) == (2, True)
    assert there.read_text() == "".join(CSV)


def test_ACC_12_a_job_that_deletes_joins_against_who_waits_for_a_copy(ledger: Ledger, database: Database) -> None:
    """The statement that is printed reads what may be deleted; values and reasons alone go to that database."""
    open_one(ledger, (Identity("email", "waits@example.org"),), right=Right.ACCESS)
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute("CREATE TABLE customers (id int, mail text)")
        people = [(1, "free@example.org"), (2, "Waits@Example.org"), (3, "stop@example.org"), (4, "gone@example.org")]
        door.cursor().executemany("INSERT INTO customers VALUES (%s, %s)", people)

        tallied = screen_table(
            ledger, database.conninfo, "customers", "mail", "kept", "email", "deletion", at=later(days=1)
        )

        assert (tallied.rows, tallied.barred, dict(tallied.why)) == (4, 1, {"copy_asked": 1})
        deleted = door.execute(
            "DELETE FROM customers USING ("
            + join_sql("customers", "mail", "kept").rstrip(";")
            + ") AS free WHERE customers.id = free.id RETURNING customers.id"
        ).fetchall()
        assert sorted(row[0] for row in deleted) == [1, 3, 4]
        assert door.execute("SELECT value, why FROM kept").fetchall() == [("Waits@Example.org", "copy_asked")]


def test_ACC_12_a_list_for_a_deletion_names_the_rows_that_stay_by_number(deployment: Deployment) -> None:
    deployment.open(right="access", email="waits@example.org")
    told = deployment("suppress", "check", "-", "--column", "mail", "--scope", "deletion",
                      given="id,mail\n1,free@example.org\n2,WAITS@example.org\n")  # fmt: skip
    assert (told.code, told.out) == (1, "2 copy_asked\n")


def endless(rows: int) -> Iterator[str]:
    """A list whose first row never ends: each of its fields goes over the end of a line."""
    yield "mail\n"
    yield '"a\n'
    for _ in range(rows):
        yield '","a\n'


def test_a_row_without_end_is_refused_before_it_fills_the_memory(ledger: Ledger, deployment: Deployment) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NotRead):
            for _ in screen_csv(ledger, endless(5_000_000), "mail", "email", "import", at=later(days=1)):
                pass
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 60_000_000
    refused = deployment("suppress", "check", "-", "--column", "mail", given="".join(endless(300_000)))
    assert (refused.code, one_sentence(refused.err)) == (2, True)


def test_many_long_rows_are_not_in_memory_at_once(ledger: Ledger) -> None:
    def long() -> Iterator[str]:
        yield "mail\n"
        for number in range(60):
            yield f"p{number}@example.org,{',' * 900_000}\n"

    tracemalloc.start()
    try:
        rows = sum(1 for _ in screen_csv(ledger, long(), "mail", "email", "import", at=later(days=1)))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert rows == 61
    assert most < 60_000_000
