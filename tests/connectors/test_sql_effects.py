"""What a database does beside an erasure: cascades, triggers and rules that would change more than the plan says.

Whatever goes beyond it stops the erasure for a person to rule, and the whole database is as it was.
"""

from collections.abc import Iterator

import pytest

from connectors.conformance import Gate
from connectors.errors import NeedsHuman
from connectors.finding import Severity
from rights.codes import Code
from rights.receipt import Tally
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, gone, place

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE, name text, orders int NOT NULL DEFAULT 0);
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, note text);
CREATE INDEX ON orders (customer);
CREATE TABLE ledger (id bigint PRIMARY KEY, customer bigint, note text, total int);
CREATE INDEX ON ledger (customer);
CREATE TABLE products (id bigint PRIMARY KEY, sold int);
CREATE SCHEMA audit;
CREATE TABLE audit.log (id bigint GENERATED ALWAYS AS IDENTITY, was jsonb);
INSERT INTO customers SELECT n, 'person' || n || '@example.org', 'Person' FROM generate_series(1, 5) n;
INSERT INTO orders SELECT n, 1 + n % 5, 'a note' FROM generate_series(1, 20) n;
INSERT INTO ledger SELECT n, 1 + n % 5, 'a note', n FROM generate_series(1, 20) n;
INSERT INTO products VALUES (1, 20);
"""
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


def trigger(body: str, when: str = "AFTER DELETE ON orders", each: str = "ROW", kind: str = "") -> str:
    """A trigger of our own."""
    return (
        f"CREATE FUNCTION surprise() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$; "
        f"CREATE {kind} TRIGGER surprise {when} FOR EACH {each} EXECUTE FUNCTION surprise()"
    )


COPIES = trigger("INSERT INTO audit.log (was) VALUES (to_jsonb(OLD)); RETURN OLD;")
SURPRISES = {
    "a cascade from a table beside the map": (
        "CREATE TABLE baskets (id bigint PRIMARY KEY, customer bigint REFERENCES customers ON DELETE CASCADE);"
        "INSERT INTO baskets SELECT n, 1 + n % 5 FROM generate_series(1, 15) n",
        "public.baskets (3 rows deleted)",
    ),
    "a cascade from a cascade": (
        "CREATE TABLE baskets (id bigint PRIMARY KEY, customer bigint REFERENCES customers ON DELETE CASCADE);"
        "CREATE TABLE lines (id bigint PRIMARY KEY, basket bigint REFERENCES baskets ON DELETE CASCADE);"
        "INSERT INTO baskets SELECT n, 1 + n % 5 FROM generate_series(1, 15) n;"
        "INSERT INTO lines SELECT n, 1 FROM generate_series(1, 7) n",
        "public.lines (7 rows deleted)",
    ),
    "a column that is emptied": (
        "CREATE TABLE reviews (id bigint PRIMARY KEY, customer bigint REFERENCES customers ON DELETE SET NULL);"
        "INSERT INTO reviews SELECT n, 2 FROM generate_series(1, 4) n",
        "public.reviews (4 rows changed)",
    ),
    "a neighbour's row is deleted": (
        trigger("DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE customer <> 2); RETURN OLD;"),
        "public.orders (",
    ),
    "a copy is kept": (COPIES, "audit.log (4 rows added)"),
    "a copy is kept by a whole statement's trigger": (
        trigger("INSERT INTO audit.log (was) SELECT '1'; RETURN NULL;", each="STATEMENT"),
        "audit.log (1 row added)",
    ),
    "another mapped table is changed": (
        trigger("UPDATE customers SET orders = orders - 1 WHERE id = 3; RETURN OLD;"),
        "public.customers (4 rows changed, 1 row deleted)",
    ),
    "a table beside the map is changed": (
        trigger("UPDATE products SET sold = sold - 1; RETURN OLD;"),
        "public.products (4 rows changed)",
    ),
    "only at the commit": (
        trigger(
            "INSERT INTO audit.log (was) VALUES (to_jsonb(OLD)); RETURN NULL;",
            "AFTER DELETE ON orders DEFERRABLE INITIALLY DEFERRED",
            kind="CONSTRAINT",
        ),
        "audit.log (4 rows added)",
    ),
    "a rewritten row is changed again": (
        trigger("UPDATE ledger SET total = 0 WHERE id = 3; RETURN NULL;", "AFTER UPDATE OF note ON ledger"),
        "public.ledger (",
    ),
    "a table is emptied": (trigger("TRUNCATE products; RETURN NULL;"), "public.products (it is emptied"),
    "a rule keeps the rows": (
        "ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey;"
        "CREATE RULE keep AS ON DELETE TO orders DO INSTEAD UPDATE orders SET note = 'deleted' WHERE id = OLD.id "
        "RETURNING OLD.*",
        "public.orders (4 rows changed)",
    ),
}


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP) as made:
        yield made


@pytest.mark.parametrize(("create", "said"), SURPRISES.values(), ids=SURPRISES)
def test_what_goes_beyond_the_plan_stops_it_and_is_taken_back(shop: Place, create: str, said: str) -> None:
    shop.door.execute(create.encode())
    before, gate = shop.dump(), Gate()

    with pytest.raises(NeedsHuman) as refused:
        shop.erase(WHO, fence=gate)

    assert refused.value.code is Code.SIDE_EFFECTS
    assert said in refused.value.about
    assert "person2" not in refused.value.about
    assert shop.dump() == before
    assert [passage.tally for passage in gate.passages] == [Tally()], "the fence hears that nothing was done"


def test_in_batches_it_stops_at_the_first_that_goes_beyond_the_plan(database: Database) -> None:
    with place(database, SHOP, MAP, batch_rows=2) as made:
        made.door.execute(SURPRISES["a cascade from a table beside the map"][0])
        before, gate = made.dump(), Gate()

        with pytest.raises(NeedsHuman, match=r"side_effects: public.baskets \(3 rows deleted\)") as refused:
            made.erase(WHO, fence=gate)

        assert counted(refused.value.tally, "erased") == {"orders": 4}, "what was committed before is told"
        assert gate.passages[-1].planned == {"customers": 1}
        assert gate.passages[-1].tally == Tally()
        after = made.dump()
        assert {name: len(before[name] - after[name]) for name in before if before[name] - after[name]} == {
            "public.orders": 4,
            "public.ledger": 4,
        }
        assert after["public.baskets"] == before["public.baskets"]
        assert after["public.customers"] == before["public.customers"]


@pytest.mark.parametrize("name", ["audit.log", "log"], ids=["with its schema", "without"])
def test_what_the_map_accepts_is_let_through(database: Database, name: str) -> None:
    options: dict[str, object] = {"side_effects": [name, "products"]}
    with place(database, SHOP, MAP, **options) as made:
        made.door.execute(f"ALTER DATABASE {database.name} SET search_path = public, audit")
        made.door.execute(COPIES)
        before = made.dump()

        tally = made.erase(WHO)

        assert counted(tally, "erased") == {"customers": 1, "orders": 4}
        after = made.dump()
        assert len(after["audit.log"]) == 4
        assert gone(before, after | {"audit.log": set(), "public.ledger": before["public.ledger"]}) == {
            "public.customers": 1,
            "public.orders": 4,
        }


def test_what_is_accepted_in_one_table_is_not_in_another(database: Database) -> None:
    with place(database, SHOP, MAP, side_effects=["audit.log"]) as made:
        made.door.execute(COPIES.replace("RETURN OLD;", "UPDATE products SET sold = 0; RETURN OLD;"))

        with pytest.raises(NeedsHuman, match=r"side_effects: public.products \(4 rows changed\)$"):
            made.erase(WHO)


def test_nobody_can_accept_that_rows_stay(database: Database) -> None:
    """A rule that keeps rows makes the server say that they are deleted."""
    with place(database, SHOP, MAP, side_effects=["orders", "public.orders"]) as made:
        made.door.execute(SURPRISES["a rule keeps the rows"][0])

        with pytest.raises(NeedsHuman, match=r"side_effects: public\.orders"):
            made.erase(WHO)


def test_a_row_that_a_trigger_keeps_is_never_called_erased(shop: Place) -> None:
    shop.door.execute(trigger("IF OLD.id = 6 THEN RETURN NULL; END IF; RETURN OLD;", "BEFORE DELETE ON orders"))
    shop.door.execute("ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey")

    tally = shop.erase(WHO)

    assert counted(tally, "erased")["orders"] == 3
    assert shop.verify(WHO, anchors={"customers": {"id": ("2",)}}).tally.of("orders").found == 1


def test_what_earlier_transactions_of_a_connection_did_is_not_counted_again(shop: Place) -> None:
    """The server keeps counts of several transactions together."""
    for number in (1, 2, 3):
        tally = shop.erase(email(f"person{number}@example.org"))
        assert counted(tally, "erased") == {"customers": 1, "orders": 4}

    shop.door.execute(COPIES)
    with pytest.raises(NeedsHuman, match=r"audit.log \(4 rows added\)"):
        shop.erase(email("person4@example.org"))


QUIET = {
    "a trigger that only sets a field of the row itself": trigger(
        "NEW.total := 0; RETURN NEW;", "BEFORE UPDATE ON ledger"
    ),
    "a trigger that finds nothing to do": trigger(
        "DELETE FROM audit.log; UPDATE products SET sold = 1 WHERE id = 9; RETURN OLD;"
    ),
    "a cascade that finds nothing": (
        "CREATE TABLE baskets (id bigint PRIMARY KEY, customer bigint REFERENCES customers ON DELETE CASCADE);"
        "INSERT INTO baskets VALUES (1, 3)"
    ),
    "a cascade between tables of the map": (
        "ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey, "
        "ADD FOREIGN KEY (customer) REFERENCES customers ON DELETE CASCADE"
    ),
    "what a trigger takes back itself": trigger(
        "BEGIN INSERT INTO audit.log (was) VALUES ('1'); RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN "
        "NULL; END; RETURN OLD;"
    ),
    "a trigger that works in a table of its own session": trigger(
        "CREATE TEMP TABLE IF NOT EXISTS seen (id bigint) ON COMMIT DROP; INSERT INTO seen VALUES (OLD.id); RETURN OLD;"
    ),
}


@pytest.mark.parametrize("create", QUIET.values(), ids=QUIET)
@pytest.mark.parametrize("batch_rows", [10_000, pytest.param(3, marks=pytest.mark.soak)], ids=["at once", "in batches"])
def test_what_stays_within_the_plan_stops_nobody(database: Database, create: str, batch_rows: int) -> None:
    with place(database, SHOP, MAP, batch_rows=batch_rows) as made:
        made.door.execute(create)

        assert counted(made.erase(WHO), "erased") == {"customers": 1, "orders": 4}


INHERITED = """
CREATE TABLE people (id int PRIMARY KEY, email text);
CREATE TABLE notes (id int PRIMARY KEY, person int, body text);
CREATE TABLE long_notes (more text, PRIMARY KEY (id)) INHERITS (notes);
INSERT INTO people SELECT n, 'p' || n || '@example.org' FROM generate_series(1, 3) n;
INSERT INTO notes SELECT n, 1 + n % 3, 'body' FROM generate_series(1, 6) n;
INSERT INTO long_notes SELECT n, 1 + n % 3, 'body', 'more' FROM generate_series(11, 16) n;
"""
INHERITED_MAP = """
  people: {key: [id], fields: {id: {}, email: {identity: email, category: contact, strategy: null}}}
  notes:
    key: [id]
    links: [{field: person, to: people.id}]
    fields: {id: {}, person: {}, body: {category: notes}}
"""


def test_a_foreign_table_that_a_trigger_writes_to_is_seen(shop: Place) -> None:
    host, port, name = shop.door.info.host, shop.door.info.port, shop.database.name
    shop.door.execute(
        f"CREATE EXTENSION postgres_fdw; CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
        f"(host '{host}', port '{port}', dbname '{name}'); CREATE USER MAPPING FOR CURRENT_USER SERVER there OPTIONS "
        f"(user '{shop.door.info.user}', password '{shop.door.info.password}'); "
        "CREATE FOREIGN TABLE elsewhere (was jsonb) SERVER there OPTIONS (schema_name 'audit', table_name 'log')"
    )
    shop.door.execute(COPIES.replace("audit.log", "elsewhere"))
    before = shop.dump()

    with pytest.raises(NeedsHuman, match=r"side_effects: public.elsewhere \(it is a foreign table"):
        shop.erase(WHO)
    assert shop.dump() == before


def test_rows_of_tables_that_inherit_are_those_of_the_table(database: Database) -> None:
    with place(database, INHERITED, INHERITED_MAP) as made:
        before = made.dump()

        assert counted(made.erase(email("p2@example.org")), "erased") == {"people": 1, "notes": 4}

        after = made.dump()
        assert len(before["public.long_notes"] - after["public.long_notes"]) == 2
        assert made.verify(email("p2@example.org")).tally.found == 0


def test_a_trigger_that_deletes_a_neighbour_in_a_table_that_inherits_is_seen(database: Database) -> None:
    with place(database, INHERITED, INHERITED_MAP) as made:
        made.door.execute(trigger("DELETE FROM long_notes WHERE id = 12; RETURN OLD;", "AFTER DELETE ON people"))
        before = made.dump()

        with pytest.raises(NeedsHuman, match=r"side_effects: public.notes \(5 rows deleted\)"):
            made.erase(email("p2@example.org"))
        assert made.dump() == before


UNCOUNTED = {
    "a table beside the map": (SURPRISES["a column that is emptied"][0], "public.reviews"),
    "a trigger": (COPIES, "surprise"),
    "a foreign key that no link follows": (
        "ALTER TABLE customers ADD first bigint REFERENCES orders ON DELETE SET NULL;"
        "UPDATE customers SET first = 1 WHERE id = 3",
        "customers_first_fkey",
    ),
}


@pytest.mark.soak
@pytest.mark.parametrize(("create", "said"), UNCOUNTED.values(), ids=UNCOUNTED)
def test_where_the_server_counts_nothing_the_catalogue_is_judged(shop: Place, create: str, said: str) -> None:
    shop.door.execute(f"ALTER DATABASE {shop.database.name} SET track_counts = off")
    assert counted(shop.erase(email("person1@example.org")), "erased")["customers"] == 1, "nothing could go beyond"
    shop.door.execute(create.encode())
    shop.connector.close()
    shop.connector = shop.connect()
    before = shop.dump()

    with pytest.raises(NeedsHuman, match="side_effects") as refused:
        shop.erase(WHO)

    assert said in refused.value.about
    assert "track_counts" in refused.value.about
    assert shop.dump() == before


def test_a_check_says_beforehand_what_would_stop_it_and_how_to_accept_it(database: Database) -> None:
    with place(database, SHOP, MAP) as made:
        made.door.execute(COPIES)
        made.door.execute(SURPRISES["a cascade from a table beside the map"][0])
        found = [*made.connector.check(), *made.connector.survey()]
        said = {finding.code: (finding.severity, str(finding)) for finding in found}
        assert said["reference_cascades"][0] is Severity.ERROR
        assert "name audit.log under options: side_effects" in said["trigger_copies"][1]
        assert "still holds the person's data" in said["trigger_copies"][1]

    with place(database, "SELECT 1", MAP, side_effects=["audit.log", "baskets"]) as made:
        found = [*made.connector.check(), *made.connector.survey()]
        said = {finding.code: (finding.severity, str(finding)) for finding in found}
        assert said["trigger_copies"][0] is said["reference_cascades"][0] is Severity.WARNING
        assert "lives on in audit.log" in said["trigger_copies"][1]
        assert counted(made.erase(WHO), "erased") == {"customers": 1, "orders": 4}


@pytest.mark.parametrize("wrong", ["log", [3]], ids=repr)
def test_tables_that_may_change_along_are_a_list_of_names(database: Database, wrong: object) -> None:
    with (
        pytest.raises(ValueError, match="side_effects is a list of texts"),
        place(database, "SELECT 1", MAP, side_effects=wrong),
    ):
        pass
