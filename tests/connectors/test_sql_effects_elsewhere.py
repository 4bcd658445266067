"""What MariaDB and SQLite do beside an erasure: there, too, whatever goes beyond the plan stops it, undone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import Gate
from connectors.errors import NeedsHuman
from rights.codes import Code
from rights.receipt import Tally
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_place import counted, email
from tests.connectors.test_sql_mariadb import Shop as MariaDBShop
from tests.connectors.test_sql_sqlite import Shop as SQLiteShop

TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, email VARCHAR(200), name VARCHAR(200));
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, note VARCHAR(200),
  FOREIGN KEY (customer) REFERENCES customers (id));
CREATE TABLE ledger (id INTEGER PRIMARY KEY, customer INTEGER, note VARCHAR(200));
CREATE TABLE products (id INTEGER PRIMARY KEY, sold INTEGER);
CREATE TABLE log (was VARCHAR(200));
CREATE INDEX e ON customers (email);
CREATE INDEX o ON orders (customer);
CREATE INDEX l ON ledger (customer);
INSERT INTO customers VALUES (1, 'person1@example.org', 'One'), (2, 'person2@example.org', 'Two'), (3, NULL, 'Three');
INSERT INTO orders VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 2, 'c'), (4, 3, 'd');
INSERT INTO ledger VALUES (1, 1, 'a'), (2, 2, 'b');
INSERT INTO products VALUES (1, 20);
"""
MARK = "CREATE TABLE habeas_environment (environment TEXT); INSERT INTO habeas_environment VALUES ('test');"
MAP = """
  customers:
    key: [id]
    fields:
      id: {}
      email: {identity: email, category: contact, strategy: null}
      name: {category: contact, strategy: null}
  orders:
    key: [id]
    links: [{field: customer, to: customers.id}]
    fields: {id: {}, customer: {}, note: {category: notes}}
  ledger:
    key: [id]
    erase: redact
    links: [{field: customer, to: customers.id}]
    fields: {id: {}, customer: {strategy: null}, note: {category: notes, strategy: null}}
"""
WHO = email("person2@example.org")

COPIES = "CREATE TRIGGER surprise AFTER DELETE ON orders FOR EACH ROW BEGIN INSERT INTO log VALUES (OLD.note); END"
BASKETS = (
    "CREATE TABLE baskets (id INTEGER PRIMARY KEY, customer INTEGER, "
    "FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE {action});"
    "INSERT INTO baskets VALUES (1, 1), (2, 2), (3, 2)"
)
SURPRISES = {
    "a cascade from a table beside the map": (BASKETS.format(action="CASCADE"), "baskets"),
    "a column that is emptied": (BASKETS.format(action="SET NULL"), "baskets"),
    "a cascade from a cascade": (
        BASKETS.format(action="CASCADE") + "; CREATE TABLE parts (id INTEGER PRIMARY KEY, basket INTEGER, "
        "FOREIGN KEY (basket) REFERENCES baskets (id) ON DELETE CASCADE); INSERT INTO parts VALUES (1, 2)",
        "baskets",
    ),
    "a copy is kept": (COPIES, "log"),
    "a table beside the map is changed": (
        COPIES.replace("INSERT INTO log VALUES (OLD.note)", "UPDATE products SET sold = sold - 1"),
        "products",
    ),
    "a neighbour's row is deleted": (
        COPIES.replace("INSERT INTO log VALUES (OLD.note)", "DELETE FROM ledger WHERE id = 1"),
        "ledger",
    ),
    "another mapped table is changed": (
        COPIES.replace("INSERT INTO log VALUES (OLD.note)", "UPDATE ledger SET note = 'x' WHERE id = 1"),
        "ledger",
    ),
    "a copy is kept of what is rewritten": (
        COPIES.replace("AFTER DELETE ON orders", "AFTER UPDATE ON ledger"),
        "log",
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


Make = Callable[..., Any]


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=needs_mariadb)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes a shop; `create` is run statement by statement after the tables, a trigger's body and all."""
    shops: list[Any] = []

    def made(**options: Any) -> Any:
        if request.param == "sqlite":
            shop: Any = SQLiteShop(tmp_path / "shop.db", TABLES + MARK, MAP, **options)
        else:
            shop = MariaDBShop(request.getfixturevalue("server"), TABLES, MAP, **options)
        shops.append(shop)
        return shop

    yield made
    for shop in shops:
        shop.door.close()
        shop.connector.close()


def change(shop: Any, create: str) -> None:
    for statement in [create] if "BEGIN" in create else create.split(";"):
        shop.rows(statement.strip() + (";" if "BEGIN" in statement else ""))


def dump(shop: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    sqlite = isinstance(shop, SQLiteShop)
    names = shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table'" if sqlite else "SHOW TABLES")
    return {name: sorted(shop.rows(f"SELECT * FROM {name}"), key=repr) for (name,) in names}


@pytest.mark.parametrize(("create", "said"), SURPRISES.values(), ids=SURPRISES)
def test_what_goes_beyond_the_plan_stops_it_and_is_taken_back(make: Make, create: str, said: str) -> None:
    shop, gate = make(), Gate()
    change(shop, create)
    before = dump(shop)

    with pytest.raises(NeedsHuman) as refused:
        shop.erase(WHO, fence=gate)

    assert refused.value.code is Code.SIDE_EFFECTS
    assert said in refused.value.about
    assert "person2" not in refused.value.about
    assert dump(shop) == before
    assert all(passage.tally == Tally() for passage in gate.passages), "the fence hears that nothing was done"


def test_what_comes_after_the_first_look_is_seen_as_well(make: Make) -> None:
    """A catalogue that was read once would not know of it."""
    shop = make()
    shop.locate(WHO)
    change(shop, BASKETS.format(action="CASCADE"))
    before = dump(shop)

    with pytest.raises(NeedsHuman, match=r"side_effects: .*baskets"):
        shop.erase(WHO)
    assert dump(shop) == before


@pytest.mark.parametrize(
    ("create", "accepted"),
    [(COPIES, "log"), (BASKETS.format(action="CASCADE"), "baskets"), (BASKETS.format(action="SET NULL"), "baskets")],
    ids=["a copy", "a cascade", "a column"],
)
@pytest.mark.parametrize("batch_rows", [10_000, pytest.param(1, marks=pytest.mark.soak)], ids=["at once", "in batches"])
def test_what_the_map_accepts_is_let_through(make: Make, create: str, accepted: str, batch_rows: int) -> None:
    shop = make(side_effects=["products", accepted], batch_rows=batch_rows)
    change(shop, create)

    tally = shop.erase(WHO)

    assert counted(tally, "erased") == {"customers": 1, "orders": 2}
    assert [row[0] for row in dump(shop)["customers"]] == [1, 3]


def test_what_is_accepted_in_one_table_is_not_in_another(make: Make) -> None:
    shop = make(side_effects=["log"])
    change(shop, COPIES.replace("END", "UPDATE products SET sold = 0; END"))

    with pytest.raises(NeedsHuman, match=r"side_effects: .*products"):
        shop.erase(WHO)


def test_cascades_that_find_nothing_stop_nobody(make: Make) -> None:
    shop = make()
    change(shop, BASKETS.format(action="CASCADE") + "; DELETE FROM baskets WHERE customer = 2")

    assert counted(shop.erase(WHO), "erased") == {"customers": 1, "orders": 2}


@needs_mariadb
def test_a_trigger_that_the_role_may_not_read_stops_it_too(server: MariaDBServer) -> None:
    shop = MariaDBShop(server, TABLES, MAP, side_effects=["log"])
    change(shop, COPIES)
    shop.run(f"CREATE OR REPLACE USER w_{shop.name} IDENTIFIED BY ''")
    shop.run(f"GRANT SELECT, UPDATE, DELETE ON `{shop.name}`.* TO w_{shop.name}")
    shop.connector.close()
    shop.connector = shop.connect(f"w_{shop.name}:")
    before = dump(shop)

    with pytest.raises(NeedsHuman, match="the right TRIGGER"):
        shop.erase(WHO)
    assert dump(shop) == before

    shop.run(f"GRANT TRIGGER ON `{shop.name}`.* TO w_{shop.name}")
    assert counted(shop.erase(WHO), "erased") == {"customers": 1, "orders": 2}
    shop.close()


def test_a_row_that_a_trigger_keeps_is_never_called_erased(tmp_path: Path) -> None:
    shop = SQLiteShop(tmp_path / "shop.db", TABLES + MARK, MAP)
    change(shop, "CREATE TRIGGER keep BEFORE DELETE ON orders BEGIN SELECT RAISE(IGNORE); END")
    before, gate = dump(shop), Gate()

    with pytest.raises(NeedsHuman, match=r"side_effects: orders \(2 rows stayed"):
        shop.erase(WHO, fence=gate)
    assert dump(shop) == before
    assert gate.passages[-1].tally == Tally()


@needs_mariadb
def test_in_batches_a_row_that_would_go_along_is_seen_whenever_it_comes(server: MariaDBServer) -> None:
    shop = MariaDBShop(server, TABLES, MAP, batch_rows=1)
    change(shop, BASKETS.format(action="CASCADE") + "; DELETE FROM baskets WHERE customer = 2")

    class Meanwhile(Gate):
        def __call__(self, planned, look):  # type: ignore[no-untyped-def]
            if "customers" in planned:
                shop.rows("INSERT INTO baskets VALUES (9, 2)")
            return super().__call__(planned, look)

    with pytest.raises(NeedsHuman, match=r"side_effects: .*baskets \(1 row deleted by a foreign key\)") as refused:
        shop.erase(WHO, fence=Meanwhile())

    assert counted(refused.value.tally, "erased") == {"orders": 2}
    assert shop.rows("SELECT id FROM baskets") == [(1,), (9,)]
    assert [row[0] for row in dump(shop)["customers"]] == [1, 2, 3]
    shop.close()


@needs_mariadb
def test_rows_of_a_table_with_partitions_are_not_counted_twice(server: MariaDBServer) -> None:
    tables = TABLES.replace(
        "CREATE TABLE ledger (id INTEGER PRIMARY KEY, customer INTEGER, note VARCHAR(200));",
        "CREATE TABLE ledger (id INTEGER PRIMARY KEY, customer INTEGER, note VARCHAR(200)) PARTITION BY HASH (id) "
        "PARTITIONS 3;",
    )
    shop = MariaDBShop(server, tables, MAP)

    assert counted(shop.erase(email("person1@example.org")), "anonymised") == {"ledger": 1}

    change(shop, COPIES.replace("AFTER DELETE ON orders", "AFTER UPDATE ON ledger"))
    before = dump(shop)
    with pytest.raises(NeedsHuman, match=r"side_effects: log \(1 rows added by a trigger\)"):
        shop.erase(WHO)
    assert dump(shop) == before
    shop.close()
