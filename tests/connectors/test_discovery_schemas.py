"""Three schemas that we did not design: discovered, checked, given out, erased and verified.

What has to go is said in SQL of our own, and the whole database is compared before and after.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest

from connectors.finding import Severity
from connectors.sql.discovery import discover, page
from rights.mapfile import read_map
from rights.receipt import Tally
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import Dump, place

SCHEMAS: Final = Path(__file__).parent.parent / "schemas"


@dataclass(frozen=True)
class Known:
    """A schema, the edits its draft needs, and what one person's erasure has to take."""

    file: str
    who: Identity
    edits: tuple[tuple[str, str], ...]
    """Texts of the draft, and what a person writes instead."""
    goes: dict[str, str]
    """By table, the condition of the rows that have to go."""
    changes: dict[str, str]
    """By table, the condition of the rows of which something has to go."""
    leaves_no: str
    """What must not be found anywhere afterwards."""


CHINOOK: Final = Known(
    file="chinook.sql",
    who=Identity("email", "ADA3@example.org"),
    edits=(),
    goes={
        '"Customer"': '"CustomerId" = 3',
        '"Invoice"': '"CustomerId" = 3',
        '"InvoiceLine"': '"InvoiceId" IN (SELECT "InvoiceId" FROM "Invoice" WHERE "CustomerId" = 3)',
    },
    changes={},
    leaves_no="ada3@",
)
CLERK: Final = Known(
    file="chinook.sql",
    who=Identity("email", "clerk2@media.example"),
    edits=(),
    goes={},
    changes={'"Employee"': '"EmployeeId" = 2'},
    leaves_no="clerk2@",
)
PAGILA: Final = Known(
    file="pagila.sql",
    who=Identity("email", "ada3@example.org"),
    # One edit: the draft asks whose addresses these are; here each belongs to one customer.
    edits=(
        (
            "\n  staff:",
            "\n  address:\n    key: [address_id]\n    erase: redact\n"
            "    links: [{field: address_id, to: customer.address_id}]\n    fields:\n      address_id: {}\n"
            "      address: {category: user.contact.address.street, strategy: constant, value: erased}\n"
            "      address2: {category: user.contact.address.street, strategy: null}\n"
            "      district: {category: user.contact.address.street, strategy: constant, value: erased}\n"
            "      postal_code: {category: user.contact.address.postal_code, strategy: null}\n"
            "      phone: {category: user.contact.phone_number, strategy: constant, value: erased}\n\n  staff:",
        ),
    ),
    goes={
        "rental": "customer_id = 3",
        "payment_p2022_01": "customer_id = 3",
        "payment_p2022_02": "customer_id = 3",
        "payment": "customer_id = 3",
    },
    # The address stays, rewritten, since shops and staff may have one too; and so does the row that leads to it.
    changes={"address": "address_id = 7", "customer": "customer_id = 3"},
    leaves_no="47224427",
)
NORTHWIND: Final = Known(
    file="northwind.sql",
    who=Identity("customer_id", "ADA03"),
    edits=(),
    goes={
        "customers": "customer_id = 'ADA03'",
        "customer_customer_demo": "customer_id = 'ADA03'",
        "orders": "customer_id = 'ADA03'",
        "order_details": "order_id IN (SELECT order_id FROM orders WHERE customer_id = 'ADA03')",
    },
    changes={},
    leaves_no="ADA03",
)


def draft_for(database: Database, known: Known) -> str:
    """The draft's text, edited."""
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute((SCHEMAS / known.file).read_text().encode())
    text = page(discover(database.url, system="shop", reader="env:SHOP"))
    for old, new in known.edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def rows_of(database: Database, wanted: dict[str, str]) -> Dump:
    """The rows that match, as `Place.dump` writes them."""
    with psycopg.connect(database.conninfo) as door:
        return {
            f"public.{table.strip(chr(34))}": {
                text for (text,) in door.execute(f"SELECT to_jsonb(t)::text FROM {table} t WHERE {where}".encode())
            }
            for table, where in wanted.items()
        }


@pytest.mark.parametrize("known", [CHINOOK, CLERK, PAGILA, NORTHWIND], ids=["chinook", "clerk", "pagila", "northwind"])
def test_a_schema_of_others_is_discovered_checked_given_out_erased_and_verified(
    database: Database, known: Known
) -> None:
    text = draft_for(database, known)
    doomed, changing = rows_of(database, known.goes), rows_of(database, known.changes)
    assert all((doomed | changing).values()), "there is something to erase"

    with place(database, "SELECT 1", text.partition("\ncollections:\n")[2]) as made:
        errors = [finding for finding in made.connector.check() if finding.severity is Severity.ERROR]
        assert errors == []
        before = made.dump()

        given = made.export(known.who)
        json_lines = b"".join(data for (_, kind), data in given.items() if kind == "application/x-ndjson").decode()
        assert known.leaves_no in json_lines
        assert json_lines.count("\n") == sum(
            len(rows) for name, rows in (doomed | changing).items() if "payment_p" not in name
        )

        assert isinstance(made.erase(known.who), Tally)
        after = made.dump()

        lost = {name: rows - after[name] for name, rows in before.items() if rows - after[name]}
        assert lost == {name: rows for name, rows in (doomed | changing).items() if rows}, (
            "this person's, nobody else's"
        )
        came = {name: rows - before[name] for name, rows in after.items() if rows - before[name]}
        assert {name: len(rows) for name, rows in came.items()} == {n: len(rows) for n, rows in changing.items()}
        assert not any(known.leaves_no in row for rows in after.values() for row in rows)

        left = made.verify(known.who)
        assert all(count.found == count.kept_rows for count in left.tally.counts)


@pytest.mark.parametrize("file", ["chinook.sql", "pagila.sql", "northwind.sql"])
def test_a_draft_is_the_same_from_run_to_run_and_stays_valid_when_its_questions_are_answered(
    database: Database, file: str
) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute((SCHEMAS / file).read_text().encode())

    first, second = (page(discover(database.url, system="shop", reader="env:SHOP")) for _ in range(2))

    assert first == second
    answered = first.replace("    # retention:", "    retention:").replace("    #   - {ground", "      - {ground")
    assert answered != first, "something was asked"
    assert read_map({"shop.yaml": answered}).systems["shop"].mode == "observe"
