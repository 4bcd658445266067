"""Rows of a hold's days stay, on every engine: those of its ranges, those without a day, and no others."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rights.holds import Span, of_days
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.engine_place import FilePlace, ServerPlace
from tests.connectors.mariadb_server import MariaDBServer
from tests.connectors.sql_place import Place, place

DAYS = ("2018-06-01", "2018-12-31", "2019-01-01", "2019-01-02", "2021-06-01", "2023-12-31", "2024-03-01")
MAP = """
  people:
    key: [id]
    fields: {id: {identity: number, strategy: retain, ground: its orders need it}}
  orders:
    key: [id]
    fields: {id: {}, person: {}, placed: {}}
    links: [{field: person, to: people.id}]
    retention: [{ground: tax law, after: placed, period: P1Y}]
"""
CREATE = f"""
CREATE TABLE people (id int PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY, person int, placed date);
CREATE INDEX orders_person ON orders (person);
INSERT INTO people VALUES (1);
INSERT INTO orders VALUES (0, 1, NULL), {", ".join(f"({n}, 1, '{day}')" for n, day in enumerate(DAYS, 1))};
"""
RANGES = (Span(date(2018, 12, 31), date(2018, 12, 31)), Span(date(2023, 12, 31), None))
CASES = [
    (RANGES, {"2018-12-31", "2019-01-01", "2023-12-31", "2024-03-01"}),
    ((Span(None, date(2018, 12, 31)),), {"2018-06-01", "2018-12-31", "2019-01-01"}),
]


def stay(made: Place, spans: tuple[Span, ...]) -> set[str]:
    """The days of the orders that an erasure leaves."""
    call = made.call(Identity("number", "1"))
    held = replace(call, work=of_days(call.work, made.system, {"orders": spans}))
    tally = made.connector.erase(held)
    assert not isinstance(tally, Exception)
    (kept,) = {count.kept_rows for count in made.connector.verify(held).tally.counts if count.collection == "orders"}
    rows = made.rows("SELECT placed FROM orders")
    assert kept == len(rows), "and the look says so"
    return {str(day) for (day,) in rows}


@pytest.mark.parametrize(("spans", "days"), CASES)
def test_HLD_01_on_postgresql(database: Database, spans: tuple[Span, ...], days: set[str]) -> None:
    with place(database, CREATE, MAP) as made:
        assert stay(made, spans) == {*days, "None"}


@pytest.mark.parametrize(("spans", "days"), CASES)
def test_HLD_01_on_sqlite(tmp_path: Path, spans: tuple[Span, ...], days: set[str]) -> None:
    made = FilePlace(tmp_path / "shop.db", CREATE).mapped(MAP)
    assert stay(made, spans) == {*days, "None"}
    made.close()


@pytest.mark.soak
def test_HLD_01_on_mariadb() -> None:
    with MariaDBServer() as server:
        for spans, days in CASES:
            made = ServerPlace(server, CREATE).mapped(MAP)
            assert stay(made, spans) == {*days, "None"}
            made.close()
