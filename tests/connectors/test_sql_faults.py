"""When a PostgreSQL does not do as it is asked: what waits, what becomes a task, and that nothing is half done."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from connectors.conformance import Gate
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Intent
from rights.codes import Code
from rights.receipt import Tally
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.proxy import Proxy, Wire
from tests.connectors.sql_place import SESSION, Place, counted, email, place

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE, name text CHECK (name <> ''));
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, note text);
CREATE TABLE lines (id bigint PRIMARY KEY, "order" bigint NOT NULL REFERENCES orders, text text);
CREATE TABLE other (id bigint PRIMARY KEY, customer bigint);
CREATE INDEX ON customers (lower(email));
CREATE INDEX ON orders (customer);
CREATE INDEX ON lines ("order");
INSERT INTO customers SELECT n, 'canary' || n || '@example.org', 'Name ' || n FROM generate_series(1, 3) n;
INSERT INTO orders SELECT c * 10 + k, c, 'note ' || c FROM generate_series(1, 3) c, generate_series(1, 3) k;
INSERT INTO lines SELECT id, id, 'text' FROM orders;
"""
MAP = """
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, name: {category: name}}
  orders:
    key: [id]
    fields: {id: {}, customer: {}, note: {category: free_text}}
    links: [{field: customer, to: customers.id}]
  lines:
    key: [id]
    fields: {id: {}, order: {}, text: {category: free_text}}
    links: [{field: order, to: orders.id}]
"""
ONE = email("Canary1@example.org")
GRANT = "GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
SHORT = {"lock_timeout": 1, "statement_timeout": 2}
"""Limits for what is to run into them; whatever is to succeed has its time, however busy the machine is."""


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP) as made:
        yield made


@pytest.fixture
def impatient(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP, **SHORT) as made:
        yield made


class Within:
    """A fence in which something happens before it lets anybody through."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._gate, self._meanwhile = Gate(), meanwhile

    @property
    def told(self) -> list[Tally | None]:
        """What the connector said it did, call by call."""
        return [passage.tally for passage in self._gate.passages]

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with self._gate(planned, look) as intent:
            self._meanwhile()
            yield intent


def refused(shop: Place, code: Code, about: str | None = None, **differs: Any) -> ConnectorError:
    """Try to erase, and see that nothing was done and that nobody is named."""
    before = shop.dump()
    with pytest.raises(ConnectorError) as caught:
        shop.erase(ONE, **differs)
    assert shop.dump() == before
    error = caught.value
    assert (error.code, error.about) == (code, error.about if about is None else about)
    assert "anary" not in repr(error) + str(error) + repr(vars(error))
    assert (error.__cause__, error.__context__) == (None, None)
    return error


def test_a_lock_held_by_somebody_waits(impatient: Place) -> None:
    with psycopg.connect(impatient.database.conninfo) as user:
        user.execute("SELECT * FROM orders WHERE id = 12 FOR UPDATE")
        assert isinstance(refused(impatient, Code.BUSY), Retryable)
        assert impatient.locate(ONE).tally.found == 7, "a look waits for no lock"
        user.rollback()

    assert impatient.erase(ONE).changed == 7


def test_a_statement_that_takes_too_long_waits(impatient: Place) -> None:
    impatient.door.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(9); RETURN OLD; END';"
        "CREATE TRIGGER slow BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    gate = Gate()

    assert isinstance(refused(impatient, Code.BUSY, fence=gate), Retryable)

    assert gate.passages[0].tally == Tally(), "it is known that nothing was done"


def test_row_security_is_never_taken_for_nothing_held(shop: Place) -> None:
    url = shop.role("clerk", GRANT)
    shop.door.execute("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    shop.connector.close()
    shop.connector = shop.connect(url)

    for act in (shop.locate, shop.export, shop.verify, shop.erase):
        with pytest.raises(NeedsHuman) as caught:
            act(ONE)
        assert (caught.value.code, caught.value.about) == (Code.ROW_SECURITY, "orders")

    shop.door.execute(f"ALTER ROLE clerk_{shop.database.name} BYPASSRLS")
    assert shop.erase(ONE).changed == 7
    shop.connector.close()
    shop.drop_role("clerk")


@pytest.mark.parametrize(
    ("revoke", "table"),
    [
        ("REVOKE SELECT ON lines FROM {role}", "lines"),
        ("REVOKE SELECT ON lines FROM {role}; GRANT SELECT (id, text) ON lines TO {role}", "lines"),
        ("REVOKE UPDATE ON orders FROM {role}", "orders"),
        ("REVOKE DELETE ON customers FROM {role}", "customers"),
    ],
)
def test_a_missing_right_is_named(shop: Place, revoke: str, table: str) -> None:
    url = shop.role("clerk", GRANT, revoke)
    shop.connector.close()
    shop.connector = shop.connect(url)

    assert isinstance(refused(shop, Code.RIGHTS, table), NeedsHuman)

    shop.connector.close()
    shop.drop_role("clerk")


def test_rights_on_the_mapped_columns_are_enough_to_read(shop: Place) -> None:
    shop.door.execute("ALTER TABLE orders ADD secret text")
    url = shop.role(
        "clerk",
        "GRANT SELECT ON customers, lines TO {role}",
        "GRANT SELECT (id, customer, note) ON orders TO {role}",
    )
    connector = shop.connect(url, shop.database.url)

    assert connector.check() == []
    assert connector.locate(shop.call(ONE)).tally.found == 7
    assert sum(len(b"".join(file.pages)) > 0 for file in connector.export(shop.call(ONE))) == 6
    connector.close()
    shop.drop_role("clerk")


def test_connections_that_died_in_the_pool_are_nobodys_trouble(shop: Place) -> None:
    shop.locate(ONE)
    shop.rows("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name = 'habeas'")

    assert shop.erase(ONE).changed == 7


def test_a_table_that_is_gone_is_named(shop: Place) -> None:
    shop.locate(ONE)
    shop.door.execute("ALTER TABLE lines RENAME TO rows")

    for act in (shop.locate, shop.erase, shop.export):
        with pytest.raises(NeedsHuman) as caught:
            act(ONE)
        assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "lines")
        assert caught.value.__context__ is None, "the server's own words do not hang on"

    shop.door.execute("ALTER TABLE rows RENAME TO lines")
    assert shop.erase(ONE).changed == 7


def test_a_column_that_is_gone_is_named(shop: Place) -> None:
    shop.erase(email("canary2@example.org"))
    shop.door.execute("ALTER TABLE orders RENAME note TO remark")

    with pytest.raises(NeedsHuman) as caught:
        shop.export(ONE)

    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "orders.note")


def test_a_table_that_was_made_anew_is_looked_up_anew(shop: Place) -> None:
    shop.locate(ONE)
    shop.door.execute(
        'ALTER TABLE lines RENAME TO old; CREATE TABLE lines (id text PRIMARY KEY, "order" text, text text);'
        'INSERT INTO lines SELECT * FROM old; DROP TABLE old; CREATE INDEX ON lines ("order")'
    )

    found = 0
    for _ in range(2):
        try:
            found = shop.locate(ONE).tally.found
        except Retryable:
            continue
    assert found == 7
    assert shop.erase(ONE).changed == 7


@pytest.mark.parametrize(
    "spoil",
    [
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE",
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE; CREATE UNIQUE INDEX ON orders (id, customer)",
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE; CREATE UNIQUE INDEX ON orders (id) WHERE id > 0",
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE; ALTER TABLE orders ALTER id DROP NOT NULL;"
        "CREATE UNIQUE INDEX ON orders (id)",
    ],
)
def test_a_key_that_is_none_is_refused(shop: Place, spoil: str) -> None:
    """Deleting by a key that several rows have would take somebody else's along."""
    shop.door.execute(spoil.encode())

    assert isinstance(refused(shop, Code.SCHEMA, "orders.id"), NeedsHuman)


def test_a_refused_password_needs_a_human(shop: Place) -> None:
    url = shop.role("clerk", GRANT)
    shop.connector.close()
    for wrong in (url.replace(":secret@", ":guess@"), url.replace("clerk_", "nobody_"), url + "x"):
        shop.connector = shop.connect(wrong)
        assert isinstance(refused(shop, Code.CREDENTIALS), NeedsHuman)
        shop.connector.close()
    shop.drop_role("clerk")


class Translated(Wire):
    """A server that speaks German: its words are changed on the way, its protocol is not."""

    def to_client(self) -> None:
        with self._server, suppress(OSError):
            while data := self._server.recv(65536):
                if data[:1] == b"E":
                    said = re.sub(rb"M[^\0]+\0", b"MFATALER FEHLER: Passwort-Authentifizierung schlug fehl\0", data[5:])
                    data = b"E" + (len(said) + 4).to_bytes(4, "big") + said
                self._client.sendall(data)


class Abroad(Proxy):
    def wire(self, client: socket.socket, server: socket.socket) -> Wire:
        return Translated(self, client, server)


class CutAfterPassword(Wire):
    """A server that goes away while it thinks about the password."""

    def to_client(self) -> None:
        asked = 0
        with self._server, suppress(OSError):
            while data := self._server.recv(65536):
                asked += data[:1] == b"R"
                if asked > 1:
                    break
                self._client.sendall(data)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)


class Leaving(Proxy):
    def wire(self, client: socket.socket, server: socket.socket) -> Wire:
        return CutAfterPassword(self, client, server)


def test_a_refused_password_is_told_from_an_outage_in_any_language(shop: Place) -> None:
    wrong = shop.role("clerk", GRANT).replace(":secret@", ":guess@")
    for proxy, kind, code in ((Abroad, NeedsHuman, Code.CREDENTIALS), (Leaving, Retryable, Code.UNREACHABLE)):
        with proxy(int(str(conninfo_to_dict(shop.database.conninfo)["port"]))) as wire:
            shop.connector.close()
            shop.connector = shop.connect(re.sub(r":\d+/", f":{wire.port}/", wrong))
            assert isinstance(refused(shop, code), kind)
    shop.connector.close()
    shop.drop_role("clerk")


def test_a_table_outside_the_map_that_points_here_is_named(shop: Place) -> None:
    shop.door.execute(
        "ALTER TABLE other ADD FOREIGN KEY (customer) REFERENCES customers; INSERT INTO other VALUES (1, 1)"
    )
    gate = Gate()

    assert isinstance(refused(shop, Code.BLOCKED, "other", fence=gate), NeedsHuman)

    assert [passage.tally for passage in gate.passages] == [Tally()]


def test_a_row_that_comes_in_meanwhile_is_waited_for_or_tried_again(shop: Place) -> None:
    """A writer holds a new line open when the look begins, and commits while it waits: nobody has to try twice."""
    writer = psycopg.connect(shop.database.conninfo)
    writer.execute("INSERT INTO orders VALUES (19, 1, 'late')")
    writer.execute("INSERT INTO lines VALUES (19, 19, 'late')")
    threading.Timer(0.4, writer.commit).start()

    tally = shop.erase(ONE)

    assert counted(tally, "erased") == {"customers": 1, "orders": 4, "lines": 4}
    writer.close()


def test_a_row_that_comes_in_while_we_delete_is_tried_again(shop: Place) -> None:
    """A writer whom no lock holds back, as its insert checks no reference, and who commits within our statement."""
    shop.door.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN OLD; END';"
        "CREATE TRIGGER slow BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    with psycopg.connect(shop.database.conninfo) as writer:
        writer.execute("SET session_replication_role = replica")
        writer.execute("INSERT INTO lines VALUES (19, 11, 'late')")
        gate = Within(threading.Timer(0.9, writer.commit).start)

        with pytest.raises(Retryable) as caught:
            shop.erase(ONE, fence=gate)

        assert (caught.value.code, caught.value.about) == (Code.BUSY, "lines")
        assert gate.told == [Tally()]
    assert counted(shop.locate(ONE).tally, "found") == {"customers": 1, "orders": 3, "lines": 4}
    assert shop.erase(ONE).changed == 8


def test_beside_a_writer_that_goes_on_nothing_is_lost_sight_of(shop: Place) -> None:
    """Orders with their lines, each in a transaction of its own, for as long as the database lets them in."""
    written = 0

    def write() -> None:
        nonlocal written
        with psycopg.connect(shop.database.conninfo) as writer:
            for number in range(1000, 9000):
                try:
                    writer.execute("INSERT INTO orders VALUES (%s, 1, 'new')", [number])
                    writer.execute("INSERT INTO lines VALUES (%s, %s, 'new')", [number, number])
                    writer.commit()
                except psycopg.errors.ForeignKeyViolation:
                    return
                written += 1

    anchors = shop.locate(ONE).anchors
    others = shop.rows('SELECT count(*) FROM lines JOIN orders ON orders.id = lines."order" WHERE customer <> 1')
    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.1)
    changed, errors = 0, list[Code]()
    while not changed and len(errors) < 200:
        try:
            changed = shop.erase(ONE, anchors=anchors).changed
        except Retryable as busy:
            errors.append(busy.code)
    writer.join()

    assert set(errors) <= {Code.BUSY}
    assert changed == 7 + 2 * written
    assert written
    assert shop.verify(ONE, anchors=anchors).tally.left == 0
    assert shop.rows("SELECT count(*) FROM lines") == others


def test_an_error_half_way_carries_the_counts_so_far(database: Database) -> None:
    with place(database, SHOP, MAP, batch_rows=2) as made:
        with pytest.raises(Held) as caught:
            made.erase(ONE, fence=Gate(refuse=Held(Code.HOLD), refuse_at=3))

        assert counted(caught.value.tally, "erased") == {"lines": 3}
        assert counted(caught.value.tally, "found") == {"customers": 1, "orders": 3, "lines": 3}
        assert made.rows("SELECT count(*) FROM lines") == [(6,)]
        assert counted(made.erase(ONE), "erased") == {"customers": 1, "orders": 3}


def test_a_commit_that_the_server_refuses_is_known_to_have_done_nothing(shop: Place) -> None:
    shop.door.execute(
        "ALTER TABLE other ADD FOREIGN KEY (customer) REFERENCES customers DEFERRABLE INITIALLY DEFERRED;"
        "INSERT INTO other VALUES (1, 1)"
    )
    gate = Gate()

    refused(shop, Code.BLOCKED, "other", fence=gate)

    assert [passage.tally for passage in gate.passages] == [Tally()]


def test_a_value_that_a_constraint_refuses_names_the_constraint_and_not_the_value(database: Database) -> None:
    fields = "{id: {}, email: {category: contact, identity: email, strategy: 'null'}, name: {category: name, %s}}"
    text = f"  customers:\n    key: [id]\n    fields: {fields % 'strategy: constant, value: 0'}\n    erase: redact\n"
    with place(database, SHOP.replace("name <> ''", "name LIKE 'Name%'"), text) as made:
        error = refused(made, Code.SCHEMA, "customers.customers_name_check")
        assert isinstance(error, NeedsHuman)


def test_what_nobody_foresaw_says_its_code_and_no_more(shop: Place) -> None:
    shop.door.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''not %'', OLD.email; END';"
        "CREATE TRIGGER no BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION no()"
    )

    assert isinstance(refused(shop, Code.INTERNAL, "P0001"), NeedsHuman)


def test_a_worker_frozen_between_fence_and_call_has_lost_its_transaction(database: Database) -> None:
    with place(database, SHOP, MAP, idle_timeout=2) as made:
        made.locate(ONE)
        gate = Within(lambda: time.sleep(2.6))

        assert isinstance(refused(made, Code.BUSY, fence=gate), Retryable)

        assert gate.told == [Tally()]
        assert made.erase(ONE).changed == 7


def test_a_hold_leaves_no_lock_behind(shop: Place) -> None:
    refused(shop, Code.HOLD, fence=Gate(refuse=Held(Code.HOLD)))

    shop.door.execute("SET lock_timeout = 500")
    shop.door.execute("UPDATE orders SET note = 'free' WHERE customer = 1")


def test_the_session_of_an_attempt_that_was_cut_short_is_ended_first(shop: Place) -> None:
    """The frozen attempt holds locks on every row; the second would wait for it in vain."""
    frozen = psycopg.connect(shop.database.conninfo)
    frozen.execute("SELECT set_config('application_name', %s, true)", [SESSION])
    frozen.execute("DELETE FROM lines")
    other = psycopg.connect(shop.database.conninfo, application_name="another request")
    other.execute("SELECT 1")
    idle = psycopg.connect(shop.database.conninfo, application_name=SESSION, autocommit=True)

    tally = shop.erase(ONE, cut_short=True)

    assert tally.changed == 7
    with pytest.raises(psycopg.OperationalError):
        frozen.execute("SELECT 1")
    for connection in (other, idle):
        connection.execute("SELECT 1")
        connection.close()
    frozen.close()


def test_more_steps_than_connections_wait(database: Database) -> None:
    with place(database, SHOP, MAP, pool_size=1) as made:
        made.locate(ONE)
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(made.locate(ONE).tally.found)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [7] * 8
        ((open_connections,),) = made.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert open_connections <= 2


def test_a_transaction_pooler_is_supported_without_prepared_statements(database: Database) -> None:
    with place(database, SHOP, MAP, prepare=False) as made:
        assert made.locate(ONE).tally.found == 7
        assert made.export(ONE)["orders", "application/x-ndjson"].count(b"\n") == 3
        assert made.rows("SELECT count(*) FROM pg_prepared_statements") == [(0,)]
        assert made.erase(ONE).changed == 7


def test_a_server_that_is_away_comes_back() -> None:
    with Postgres() as server:  # a durable one: the others forget their last moments in a crash
        server.create_database("away")
        database = Database("away", server.dsn("away"), server.conninfo("away"))
        with place(database, SHOP, MAP) as made:
            looks = [made.locate(ONE).tally.found for _ in range(2)]
            files = made.connector.export(made.call(ONE))
            next(files)
            made.door.close()

            server.kill()
            for act in (made.locate, made.verify, made.erase, made.export):
                with pytest.raises(Retryable) as caught:
                    act(ONE)
                assert caught.value.code is Code.UNREACHABLE
            with pytest.raises(Retryable):
                list(files)

            server.start()
            assert looks == [7, 7]
            assert made.locate(ONE).tally.found == 7, "the dead connections of the pool are nobody's trouble"
            assert made.erase(ONE).changed == 7


def test_a_server_that_ends_our_session_in_the_middle_is_tried_again(shop: Place) -> None:
    shop.locate(ONE)
    end = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name = %s"
    gate = Within(lambda: shop.rows(end, SESSION))

    assert isinstance(refused(shop, Code.UNREACHABLE, fence=gate), Retryable)

    assert gate.told == [Tally()]
