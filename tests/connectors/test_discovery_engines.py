"""Schemas that we did not design, on MariaDB and SQLite: discovered, checked, given out, erased and verified.

What has to go is said in SQL of our own, and the whole database is compared before and after.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest

from connectors.finding import Severity
from connectors.sql.discovery import discover, page
from rights.mapfile import read_map
from rights.receipt import Tally
from rights.subject import Identity
from tests.connectors.engine_place import EnginePlace, FilePlace, ServerPlace
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_place import Dump

SCHEMAS: Final = Path(__file__).parent.parent / "schemas"
Making = Callable[[str], EnginePlace]


@dataclass(frozen=True)
class Known:
    """A schema, the edits its draft needs, and what one person's erasure has to take."""

    file: str
    who: Identity
    goes: dict[str, str]
    """By table, the condition of the rows that have to go."""
    changes: dict[str, str] = field(default_factory=dict)
    """By table, the condition of the rows of which something has to go."""
    leaves_no: str = ""
    """What must not be found anywhere afterwards."""
    edits: tuple[tuple[str, str], ...] = ()
    """Texts of the draft, and what a person writes instead."""


CHINOOK: Final = Known(
    "chinook.sqlite.sql",
    Identity("email", "ADA3@example.org"),
    goes={
        "Customer": "CustomerId = 3",
        "Invoice": "CustomerId = 3",
        "InvoiceLine": "InvoiceId IN (SELECT InvoiceId FROM Invoice WHERE CustomerId = 3)",
    },
    leaves_no="ada3@",
)
CLERK: Final = Known(
    "chinook.sqlite.sql",
    Identity("email", "clerk2@media.example"),
    goes={},
    changes={"Employee": "EmployeeId = 2"},
    leaves_no="clerk2@",
)
ADDRESS: Final = """
  address:
    key: [address_id]
    erase: redact
    links: [{field: address_id, to: customer.address_id}]
    fields:
      address_id: {}
      address: {category: user.contact.address.street, strategy: constant, value: erased}
      address2: {category: user.contact.address.street, strategy: null}
      district: {category: user.contact.address.street, strategy: constant, value: erased}
      postal_code: {category: user.contact.address.postal_code, strategy: null}
      phone: {category: user.contact.phone_number, strategy: constant, value: erased}

  staff:"""
KNOWN: Final = {
    "chinook on SQLite": CHINOOK,
    "a clerk of chinook on SQLite": CLERK,
    "northwind on SQLite": Known(
        "northwind.sqlite.sql",
        Identity("customer_id", "ADA03"),
        goes={"CustomerCustomerDemo": "CustomerID = 'ADA03'"},
        # The lines of an order are in a table whose name a map cannot write, so orders stay, without a name or address.
        changes={"Orders": "CustomerID = 'ADA03'", "Customers": "CustomerID = 'ADA03'"},
        leaves_no="Ada Number 3",
    ),
    "chinook on MariaDB": replace(CHINOOK, file="chinook.mariadb.sql"),
    "a clerk of chinook on MariaDB": replace(CLERK, file="chinook.mariadb.sql"),
    "sakila on MariaDB": Known(
        "sakila.mariadb.sql",
        Identity("email", "ada3@example.org"),
        goes={"rental": "customer_id = 3", "payment": "customer_id = 3"},
        # The address stays, rewritten, since shops and staff may have one too; and so does the row that leads to it.
        changes={"address": "address_id = 7", "customer": "customer_id = 3"},
        leaves_no="47224427",
        # One edit: the draft asks whose addresses these are; here each belongs to one customer.
        edits=(("\n  staff:", ADDRESS),),
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture
def making(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Making]:
    made: list[EnginePlace] = []

    def make(file: str) -> EnginePlace:
        create = (SCHEMAS / file).read_text()
        if "sqlite" in file:
            made.append(FilePlace(tmp_path / "shop.db", create))
        else:
            made.append(ServerPlace(request.getfixturevalue("server"), create))
        return made[-1]

    yield make
    for place in made:
        place.close()


def rows_of(place: EnginePlace, wanted: dict[str, str]) -> Dump:
    """The rows that match, as `dump` writes them."""
    return {t: {repr(row) for row in place.rows(f"SELECT * FROM `{t}` WHERE {where}")} for t, where in wanted.items()}


def marked(names: dict[str, Known]) -> list[object]:
    slow = [needs_mariadb, pytest.mark.soak]
    return [pytest.param(known, id=name, marks=slow if "MariaDB" in name else []) for name, known in names.items()]


@pytest.mark.parametrize("known", marked(KNOWN))
def test_a_schema_of_others_is_discovered_checked_given_out_erased_and_verified(known: Known, making: Making) -> None:
    place = making(known.file)
    text = page(discover(place.url, system="shop", reader="env:SHOP"))
    for old, new in known.edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    doomed, changing = rows_of(place, known.goes), rows_of(place, known.changes)
    assert all((doomed | changing).values()), "there is something to erase"

    place.mapped(text.partition("\ncollections:\n")[2])
    findings = [*place.connector.check(), *place.connector.survey()]
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
    before = place.dump()

    trial = place.connector.attempt(place.call(known.who))
    assert (trial.refusal, trial.not_tried, trial.not_counted) == ("", "", ())
    assert not any(effect.surprise for effect in trial.effects)
    assert place.dump() == before
    tried = {e.table.rpartition(".")[2]: (e.deleted, e.updated) for e in trial.effects}
    assert tried == {name: (len(rows), 0) for name, rows in doomed.items()} | {
        name: (0, len(rows)) for name, rows in changing.items()
    }

    given = place.export(known.who)
    json_lines = b"".join(data for (_, kind), data in given.items() if kind == "application/x-ndjson").decode()
    assert known.leaves_no in json_lines
    assert json_lines.count("\n") == sum(len(rows) for rows in (doomed | changing).values())

    assert isinstance(place.erase(known.who), Tally)
    after = place.dump()

    lost = {name: rows - after[name] for name, rows in before.items() if rows - after[name]}
    assert lost == doomed | changing, "this person's, nobody else's"
    came = {name: rows - before[name] for name, rows in after.items() if rows - before[name]}
    assert {name: len(rows) for name, rows in came.items()} == {n: len(rows) for n, rows in changing.items()}
    assert not any(known.leaves_no in row for rows in after.values() for row in rows)

    left = place.verify(known.who)
    assert all(count.found == count.kept_rows for count in left.tally.counts)


@pytest.mark.parametrize(
    "file",
    [
        "chinook.sqlite.sql",
        "northwind.sqlite.sql",
        pytest.param("chinook.mariadb.sql", marks=[needs_mariadb, pytest.mark.soak]),
        pytest.param("sakila.mariadb.sql", marks=[needs_mariadb, pytest.mark.soak]),
    ],
)
def test_a_draft_is_the_same_from_run_to_run_and_stays_valid_when_its_questions_are_answered(
    file: str, making: Making
) -> None:
    place = making(file)

    first, second = (page(discover(place.url, system="shop", reader="env:SHOP", sampling=True)) for _ in range(2))

    assert first == second
    answered = first.replace("    # retention:", "    retention:").replace("    #   - {ground", "      - {ground")
    assert read_map({"shop.yaml": answered}).systems["shop"].mode == "observe"
