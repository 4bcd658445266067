"""What `habeas map check` says of a database that does not fit its map, and what a wrong option or secret is told."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.protocol import capabilities
from connectors.sql import build
from connectors.traits import Bounded
from rights.datamap import Mode
from rights.plan import Operation
from tests.conftest import Database
from tests.connectors.sql_place import Place, place
from tests.connectors.test_sql_faults import GRANT, MAP, SHOP

URL = "postgresql://user:Secret@127.0.0.1/shop"


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP) as made:
        yield made


def test_a_database_that_fits_is_fine(shop: Place) -> None:
    assert shop.connector.check() == []


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        ("DROP TABLE lines", "there is no table lines in the database"),
        ("ALTER TABLE orders DROP note", "there is no column orders.note in the database"),
        (
            "ALTER TABLE lines DROP CONSTRAINT lines_pkey",
            "the database does not see to it that the key (id) of lines is unique and never null",
        ),
        (
            "ALTER TABLE other ADD FOREIGN KEY (customer) REFERENCES customers ON DELETE CASCADE",
            "public.other points to customers (customer) and is not in the map, so an erasure that would take such "
            "rows along is stopped",
        ),
        (
            "ALTER TABLE orders ADD payer bigint REFERENCES customers ON DELETE SET NULL",
            "the foreign key orders_payer_fkey from orders (payer) to customers is no unique link of the map, "
            "so an erasure that would empty the column of such rows is stopped",
        ),
        ("DROP INDEX customers_lower_idx", "CREATE INDEX ON public.customers (lower(email))"),
        ("DROP INDEX orders_customer_idx", "no index serves orders.customer"),
        ("DROP INDEX lines_order_idx", 'CREATE INDEX ON public.lines ("order")'),
    ],
)
def test_what_does_not_fit_is_said_with_what_to_do(shop: Place, spoil: str, finding: str) -> None:
    shop.door.execute(spoil.encode())

    (said, *_) = [said for said in shop.connector.check() if finding in said]
    matter, _, advice = said.partition(": ")
    assert matter
    assert advice


def test_names_are_written_as_a_statement_needs_them(database: Database) -> None:
    create = 'CREATE SCHEMA "Sales"; CREATE TABLE "Sales"."Order" (id int PRIMARY KEY, "e-mail" text)'
    fields = "{id: {}, e-mail: {identity: email}}"
    with place(database, create, f"  orders:\n    name: Sales.Order\n    key: [id]\n    fields: {fields}\n") as made:
        (finding,) = made.connector.check()
        assert finding.endswith('CREATE INDEX ON "Sales"."Order" (lower("e-mail"))')
        made.door.execute(finding.rpartition(": ")[2].encode())

        assert made.connector.check() == [], "the advice works"


def test_a_missing_environment_mark_is_said(shop: Place) -> None:
    shop.door.execute(f"ALTER DATABASE {shop.database.name} RESET habeas.environment")
    shop.connector.close()

    (finding,) = shop.connector.check()

    assert "bears no environment mark" in finding
    assert f"ALTER DATABASE {shop.database.name} SET habeas.environment" in finding


def test_missing_rights_are_said_as_grants(shop: Place) -> None:
    url = shop.role(
        "clerk", "GRANT SELECT (id, email, name) ON customers TO {role}", "GRANT SELECT ON orders TO {role}"
    )
    connector = shop.connect(url)

    findings = connector.check()

    role = f"clerk_{shop.database.name}"
    assert f"the role {role} may not SELECT in lines: GRANT SELECT ON public.lines TO {role}" in findings
    grant = f"GRANT UPDATE, DELETE ON public.customers TO {role}"
    assert f"the role {role} may not UPDATE and DELETE in customers: {grant}" in findings
    connector.close()
    shop.drop_role("clerk")


def test_row_security_is_said(shop: Place) -> None:
    url = shop.role("clerk", GRANT)
    shop.door.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    connector = shop.connect(url)

    findings = connector.check()

    assert f"row security hides rows of orders from the role clerk_{shop.database.name}" in findings[0]
    connector.close()
    shop.drop_role("clerk")


def test_without_a_writer_it_is_said_that_nothing_can_be_erased_where_that_is_wanted(shop: Place) -> None:
    for mode, said in ((Mode.OBSERVE, 0), (Mode.AUTO, 1)):
        connector = build(shop.system.model_copy(update={"mode": mode}), {"reader": shop.database.url})

        findings = connector.check()

        assert [finding.startswith("there is no connection.writer") for finding in findings] == [True] * said
        connector.close()


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"statement_timout": 3}, "'statement_timout' is unknown: write one of: prepare, pool_size"),
        ({"batch_rows": 0}, "batch_rows is a whole number from 1 to 1,000,000"),
        ({"batch_rows": True}, "batch_rows is a whole number"),
        ({"idle_timeout": 1.5}, "idle_timeout is a whole number from 1 to 120"),
        ({"statement_timeout": 3600}, "statement_timeout is a whole number from 1 to 600"),
        ({"prepare": "no"}, "prepare is true or false"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write(shop: Place, options: dict[str, Any], advice: str) -> None:
    system = shop.system.model_copy(update={"options": options})

    with pytest.raises(ValueError, match=advice):
        build(system, {"reader": URL})


@pytest.mark.parametrize(
    ("secrets", "advice"),
    [
        ({}, "reader is missing"),
        ({"writer": URL}, "reader is missing"),
        ({"reader": URL, "admin": URL}, "'admin' is unknown: write reader, writer and replica"),
        ({"reader": "Secret"}, "connection.reader: write the secret as postgresql://"),
        ({"reader": URL.replace("postgresql", "oracle")}, "connection.reader: write the secret as postgresql://"),
        ({"reader": URL, "writer": URL.replace("postgresql", "mariadb")}, "have to lead to servers of one kind"),
        ({"reader": URL.replace("127.0.0.1", "127.0.0.1:Secret")}, "connection.reader: write the secret"),
        ({"reader": URL, "writer": "postgresql://user:Secret@127.0.0.1"}, "connection.writer: write the secret"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_repeated(shop: Place, secrets: dict[str, str], advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as caught:
        build(shop.system, secrets)

    assert "Secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_an_address_is_taken_in_all_its_spellings(shop: Place, scheme: str) -> None:
    _, _, rest = shop.database.url.partition("://")
    connector = build(shop.system, {"reader": f"{scheme}://{rest}?sslmode=prefer&keepalives_idle=9\n"})

    assert connector.locate(shop.call()).tally.found == 0
    can = {Operation.CHANNELS, Operation.LOCATE, Operation.EXPORT, Operation.ERASE, Operation.RECTIFY, Operation.VERIFY}
    assert capabilities(connector) == can
    connector.close()


def test_it_says_how_long_a_call_can_take_effect(shop: Place) -> None:
    """A transaction may idle until the fence has answered, run a statement, and idle again before it commits."""
    assert isinstance(shop.connector, Bounded)
    assert shop.connector.longest == timedelta(seconds=30 + 60 + 30)


def test_building_does_not_connect(shop: Place) -> None:
    build(shop.system, {"reader": "postgresql://nobody:x@127.0.0.1:1/nothing"})
