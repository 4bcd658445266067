"""What is MariaDB's own: collations that take two people for one, types, faults, and sessions that are left behind."""

import itertools
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conformance import Gate
from connectors.conformance.correcting import Kept
from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.protocol import Call, Correction, Intent, Look
from connectors.sql import SqlConnector, build
from rights.codes import Code
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.receipt import Tally
from rights.request import Right
from rights.subject import Identity
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_place import AS_OF, HEAD, SESSION, counted, email

pytestmark = needs_mariadb

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(200), code varchar(60), name varchar(200),
  KEY (email), KEY (code));
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers (id), note text,
  KEY (customer));
INSERT INTO customers SELECT seq, CONCAT('canary', seq, '@example.org'), CONCAT('C', seq), 'Name' FROM seq_1_to_3;
INSERT INTO orders SELECT c.seq * 10 + k.seq, c.seq, 'note' FROM seq_1_to_3 c, seq_1_to_3 k;
"""
MAP = """
  customers:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email}
      code: {category: reference, identity: code}
      name: {category: name}
  orders:
    key: [id]
    fields: {id: {}, customer: {}, note: {category: free_text}}
    links: [{field: customer, to: customers.id}]
"""
ONE = email("Canary1@example.org")
SHORT: dict[str, Any] = {"lock_timeout": 1, "statement_timeout": 2}
"""Limits for what is to run into them; whatever is to succeed has its time, however busy the machine is."""
_numbers = itertools.count(1)


class Shop:
    """One database under test, and a back door into it."""

    def __init__(self, server: MariaDBServer, create: str = SHOP, collections: str = MAP, **options: Any) -> None:
        self.server, self.name = server, f"shop_{next(_numbers)}"
        server.create_database(self.name)
        (system,) = read_map({"shop.yaml": f"{HEAD}collections:\n{collections}"}).systems.values()
        self.system: System = system.model_copy(update={"options": options})
        self.door = server.door(self.name)
        self.run(f"ALTER DATABASE `{self.name}` COMMENT = 'habeas.environment=test'")
        for statement in filter(str.strip, create.split(";")):
            self.run(statement)
        self.connector = self.connect("root:")

    def connect(self, account: str) -> SqlConnector:
        url = f"mariadb://{account}@127.0.0.1:{self.server.port}/{self.name}"
        return build(self.system, {"reader": url, "writer": url})

    def call(self, *identities: Identity, **differs: Any) -> Call:
        plan = make_plan(Right.ERASURE, DataMap.of({"shop": self.system}), AS_OF)
        given: dict[str, Any] = {"beat": lambda: None, "fence": Gate(), "environment": "test", **differs}
        works = plan.of("shop").works
        return Call("key", AS_OF, self.system, works, identities, session=SESSION, pseudonym_key=b"key", **given)

    def locate(self, *identities: Identity) -> Look:
        return self.connector.locate(self.call(*identities))

    def erase(self, *identities: Identity, **differs: Any) -> Tally:
        tally = self.connector.erase(self.call(*identities, **differs))
        assert isinstance(tally, Tally)
        return tally

    def refused(self, code: Code, **differs: Any) -> ConnectorError:
        """Try to erase, and see that nothing was done and that nobody is named."""
        before = self.rows("SELECT * FROM customers"), self.rows("SELECT * FROM orders")
        with pytest.raises(ConnectorError) as caught:
            self.erase(ONE, **differs)
        assert (self.rows("SELECT * FROM customers"), self.rows("SELECT * FROM orders")) == before
        assert caught.value.code is code
        assert "anary" not in repr(caught.value) + str(caught.value) + repr(vars(caught.value))
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        return caught.value

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.door.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())

    def run(self, statement: str, *values: object) -> None:
        self.rows(statement, *values)

    def close(self) -> None:
        self.connector.close()
        self.door.close()
        self.server.drop_database(self.name)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture
def shop(server: MariaDBServer) -> Iterator[Shop]:
    made = Shop(server)
    yield made
    made.close()


@pytest.fixture
def impatient(server: MariaDBServer) -> Iterator[Shop]:
    made = Shop(server, **SHORT)
    yield made
    made.close()


class Within(Gate):
    """A fence in which something happens before it lets anybody through."""

    def __init__(self, meanwhile: Any) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with super().__call__(planned, look) as intent:
            self._meanwhile()
            yield intent


LETTERS = st.text(alphabet="aAäÄàÀeEéÉiIıİßsSøØoOñÑnN cC", min_size=1, max_size=6).filter(str.strip)


def bare(text: str) -> str:
    """Without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


ALIKE = LETTERS.flatmap(
    lambda text: st.tuples(
        st.just(text),
        st.sampled_from([text, text.swapcase(), bare(text), bare(text).upper(), f"{text} ", text.strip()]),
    )
)
"""A text, and one that a collation may take for the same."""


def test_an_exact_identity_is_exact_whatever_the_collation_ignores(server: MariaDBServer) -> None:
    """The column's collation takes A for a, é for e, and a blank at the end for nothing; its index is used all the
    same."""
    made = Shop(server)

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(ALIKE)
    def looked(pair: tuple[str, str]) -> None:
        stored, asked = pair
        made.run("UPDATE customers SET code = %s WHERE id = 2", stored)

        found = made.locate(Identity("code", asked)).tally.of("customers").found

        assert found == (stored == asked)
        assert made.locate(Identity("code", stored)).tally.of("orders").found == 3

    looked()
    made.close()


def test_case_is_ignored_where_the_map_says_so_and_accents_are_not(server: MariaDBServer) -> None:
    made = Shop(server)

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(ALIKE)
    def looked(pair: tuple[str, str]) -> None:
        stored, asked = pair
        made.run("UPDATE customers SET email = %s WHERE id = 2", stored)

        found = made.locate(email(asked)).tally.of("customers").found

        same = stored.lower() == asked.lower()
        assert found == same or "İ" in stored + asked, "only the database knows the small letter of İ"

    looked()
    made.close()


@pytest.mark.parametrize(
    ("kind", "stored", "asked"),
    [
        ("bigint unsigned", 18446744073709551615, "018446744073709551615"),
        ("decimal(30,10)", "12345678901234567890.0123456789", "12345678901234567890.0123456789"),
        ("char(8)", "x y", "x y"),
        ("varchar(20) CHARACTER SET latin1", "Ännä", "Ännä"),
        ("uuid", "8f14e45f-ceea-467f-a8d4-0123456789ab", "{8F14E45FCEEA467FA8D40123456789AB}"),
        ("date", "2024-02-29", "2024-02-29"),
        ("datetime(6)", "2024-02-29 12:00:00.123456", "2024-02-29T14:00:00.123456+02:00"),
        ("varbinary(20)", b"\xff\x00", "\\xff00"),
        ("inet6", "2001:db8::1", "2001:db8::1"),
        ("enum('a','B')", "B", "B"),
        ("set('a','b')", "a,b", "a,b"),
        ("bit(8)", 5, "5"),
        ("double", 0.1, "0.1"),
        ("json", '{"a": 1}', '{"a": 1}'),
        ("time", "12:30:00", "12:30:00"),
    ],
)
def test_an_identity_may_be_of_any_type_and_comes_out_as_it_went_in(
    server: MariaDBServer, kind: str, stored: object, asked: str
) -> None:
    create = (
        f"CREATE TABLE customers (id int PRIMARY KEY, who {kind}); CREATE TABLE orders (id int PRIMARY KEY, who {kind})"
    )
    text = (
        "  customers:\n    key: [id]\n    fields: {id: {}, who: {identity: person, match: exact}}\n"
        "  orders:\n    key: [id]\n    fields: {id: {}, who: {}}\n    links: [{field: who, to: customers.who}]\n"
    )
    made = Shop(server, create, text)
    for table in ("customers", "orders"):
        made.run(f"INSERT INTO {table} VALUES (1, %s), (2, NULL)", stored)

    look = made.locate(Identity("person", asked))
    assert counted(look.tally, "found") == {"customers": 1, "orders": 1}
    for odd in ("", "x", "-1", "1.5", "9" * 400, "\0", "2023-02-31", "\\xgg", "{", "b", "A"):
        assert made.locate(Identity("person", odd)).tally.found == 0

    made.run("DELETE FROM customers")
    after = made.connector.verify(made.call(Identity("person", "x"), anchors=look.anchors))
    assert isinstance(after, Look)
    assert after.tally.found == 1, "by its anchor"
    made.close()


def test_dates_of_zeroes_keep_their_rows_and_break_nothing(server: MariaDBServer) -> None:
    create = SHOP + "ALTER TABLE orders ADD placed date; UPDATE orders SET placed = '2025-05-05'"
    text = MAP.replace("note: {category: free_text}", "note: {category: free_text}, placed: {}").replace(
        "    links:", "    retention: [{ground: tax law, after: placed, period: P10Y}]\n    links:"
    )
    text = text.replace("identity: email}", "identity: email, strategy: anonymise}")
    text = text.replace("identity: code}", "identity: code, strategy: 'null'}").replace(
        "category: name}", "category: name, strategy: 'null'}"
    )
    made = Shop(server, create, text)
    made.run("SET sql_mode = ''")
    made.run("UPDATE orders SET placed = '0000-00-00' WHERE id = 11")
    made.run("UPDATE orders SET placed = '2024-00-00' WHERE id = 12")
    made.run("UPDATE orders SET placed = '2001-01-01' WHERE id = 13")

    tally = made.erase(ONE)

    assert counted(tally, "erased") == {"orders": 1}
    assert made.rows("SELECT id FROM orders WHERE customer = 1") == [(11,), (12,)]
    ((kept,),) = [made.rows("SELECT email FROM customers WHERE id = 1")]
    assert kept[0].startswith("anonymous-")
    assert kept[0].endswith("@invalid")
    made.close()


def test_a_lock_held_by_somebody_waits_and_a_look_does_not(impatient: Shop) -> None:
    user = impatient.server.door(impatient.name)
    with user.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM orders WHERE id = 12 FOR UPDATE")
        assert isinstance(impatient.refused(Code.BUSY), Retryable)
        assert impatient.locate(ONE).tally.found == 4
        cursor.execute("ROLLBACK")
    user.close()

    assert impatient.erase(ONE).changed == 4


def test_rows_of_others_that_are_locked_hold_nobody_up(shop: Shop) -> None:
    """In a table of a few dozen rows they might: it is read from end to end."""
    shop.run("INSERT INTO customers SELECT seq, CONCAT('x', seq, '@y'), seq, 'n' FROM seq_100_to_3000")
    shop.run("INSERT INTO orders SELECT seq, seq, 'n' FROM seq_100_to_3000")
    shop.run("ANALYZE TABLE customers, orders")
    user = shop.server.door(shop.name)
    with user.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM customers WHERE id = 2 FOR UPDATE")
        cursor.execute("SELECT * FROM orders WHERE customer = 2 FOR UPDATE")
        assert shop.erase(ONE).changed == 4
    user.close()


def test_a_statement_that_takes_too_long_waits(impatient: Shop) -> None:
    impatient.run("CREATE TRIGGER slow BEFORE DELETE ON orders FOR EACH ROW DO SLEEP(3)")
    gate = Gate()

    assert isinstance(impatient.refused(Code.BUSY, fence=gate), Retryable)

    assert gate.passages[0].tally == Tally(), "it is known that nothing was done"


def test_a_worker_frozen_between_fence_and_call_has_lost_its_transaction(server: MariaDBServer) -> None:
    shop = Shop(server, idle_timeout=2)
    gate = Within(lambda: time.sleep(3.2))

    assert isinstance(shop.refused(Code.UNREACHABLE, fence=gate), Retryable), "the server has hung up"

    assert gate.passages[0].tally == Tally()
    assert shop.erase(ONE).changed == 4
    shop.close()


def test_a_table_that_is_gone_is_named(shop: Shop) -> None:
    shop.locate(ONE)
    shop.run("RENAME TABLE orders TO rows_of_orders")

    with pytest.raises(NeedsHuman) as caught:
        shop.locate(ONE)

    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "orders")


def test_a_table_outside_the_map_that_points_here_is_named(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE other (id int PRIMARY KEY, customer bigint, FOREIGN KEY (customer) REFERENCES customers (id))"
    )
    shop.run("INSERT INTO other VALUES (1, 1)")

    assert shop.refused(Code.BLOCKED).about == "other"


def test_an_engine_that_cannot_undo_is_refused(shop: Shop) -> None:
    shop.run("ALTER TABLE orders DROP FOREIGN KEY orders_ibfk_1")
    shop.run("ALTER TABLE orders ENGINE = MyISAM")

    assert shop.refused(Code.SCHEMA).about == "orders (an engine without transactions)"
    assert shop.locate(ONE).tally.found == 4, "looking is no matter"


@pytest.mark.parametrize("right", ["DELETE", "SELECT"])
def test_a_missing_right_is_named(shop: Shop, right: str) -> None:
    shop.run(f"CREATE USER 'clerk_{shop.name}'@'%' IDENTIFIED BY 'secret'")
    for table in ("customers", "orders"):
        rights = {"SELECT", "UPDATE", "DELETE"} - ({right} if table == "orders" else set())
        shop.run(f"GRANT {', '.join(sorted(rights))} ON {table} TO 'clerk_{shop.name}'@'%'")
    shop.connector.close()
    shop.connector = shop.connect(f"clerk_{shop.name}:secret")

    assert shop.refused(Code.RIGHTS).about == "orders"
    assert any("orders" in finding for finding in shop.connector.check())
    shop.run(f"DROP USER 'clerk_{shop.name}'@'%'")


def test_the_session_of_an_attempt_that_was_cut_short_is_ended_first(shop: Shop) -> None:
    """The frozen attempt holds locks on every row; the second would wait for it in vain."""
    frozen = shop.server.door(shop.name)
    with frozen.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [SESSION])
        cursor.execute("BEGIN")
        cursor.execute("DELETE FROM orders")

        assert shop.erase(ONE, cut_short=True).changed == 4

        with pytest.raises(pymysql.Error):
            cursor.execute("SELECT 1")
    assert len(shop.rows("SELECT * FROM orders")) == 6


def test_two_attempts_of_one_step_are_never_at_work_together(impatient: Shop) -> None:
    other = impatient.server.door(impatient.name)
    with other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", [SESSION])
        assert isinstance(impatient.refused(Code.BUSY), Retryable)
    other.close()


def test_beside_a_writer_nobody_can_add_a_child_to_what_goes(shop: Shop) -> None:
    """An order that comes in within the fence waits for the end, and finds its customer gone; or the two wait for each
    other, and one of them has to try again."""
    outcome: list[int] = []

    def late() -> None:
        def insert() -> None:
            door = shop.server.door(shop.name)
            with door.cursor() as cursor:
                try:
                    cursor.execute("INSERT INTO orders VALUES (99, 1, 'late')")
                except pymysql.Error as error:
                    outcome.append(error.args[0])
            door.close()

        thread = threading.Thread(target=insert)
        thread.start()
        threads.append(thread)
        time.sleep(0.3)

    threads: list[threading.Thread] = []
    with suppress(Retryable):
        shop.erase(ONE, fence=Within(late))
    threads[0].join()
    shop.erase(ONE)

    assert outcome in ([1452], [1213], [])
    assert shop.rows("SELECT * FROM orders WHERE customer = 1") == []


def test_a_large_list_goes_in_pieces_and_one_that_is_too_large_is_no_empty_one(server: MariaDBServer) -> None:
    made = Shop(server)
    made.run("INSERT INTO orders SELECT 1000 + seq, 1, 'more' FROM seq_1_to_3000")
    anchors = {"customers": {"id": tuple(str(n) for n in range(1, 300_000))}}

    look = made.connector.locate(made.call(ONE, anchors=anchors))
    assert look.tally.of("orders").found == 3009

    with pytest.raises(NeedsHuman) as caught:
        made.connector.locate(made.call(ONE, anchors={"customers": {"id": ("1" * 18,) * 900_000}}))
    assert caught.value.code is Code.TOO_LARGE
    made.close()


def test_a_look_goes_by_indexes(shop: Shop) -> None:
    """Nobody reads tables from end to end: with 20,000 rows of others the server touches a few hundred."""
    shop.run("INSERT INTO customers SELECT seq, CONCAT('x', seq, '@y'), seq, 'n' FROM seq_100_to_20000")
    shop.run("INSERT INTO orders SELECT seq, seq, 'n' FROM seq_100_to_20000")
    shop.run("ANALYZE TABLE customers, orders")
    shop.locate(ONE)

    def read() -> int:
        return sum(int(number) for _, number in shop.rows("SHOW GLOBAL STATUS LIKE 'Handler_read%'"))

    before = read()
    shop.locate(ONE)

    assert read() - before < 1000


def test_a_server_killed_in_the_middle_has_kept_nothing_and_comes_back() -> None:
    with MariaDBServer(durable=True) as own:
        made = Shop(own)
        gate = Within(own.kill)
        made.locate(ONE)

        with pytest.raises(Retryable) as caught:
            made.erase(ONE, fence=gate)
        assert caught.value.code is Code.UNREACHABLE
        with pytest.raises(Retryable):
            made.locate(ONE)

        own.start()
        made.door = own.door(made.name)
        assert made.locate(ONE).tally.found == 4
        assert made.erase(ONE, cut_short=True).changed == 4
        made.close()


def test_a_clean_shop_has_no_findings_and_a_bad_one_has_sentences(shop: Shop) -> None:
    assert [finding for finding in shop.connector.check() if "innodb_flush_log" not in finding] == []

    shop.run("ALTER TABLE orders DROP FOREIGN KEY orders_ibfk_1")
    shop.run("ALTER TABLE orders DROP KEY customer, DROP COLUMN note, ENGINE = MyISAM")
    shop.run("ALTER TABLE customers MODIFY code varchar(60) COLLATE utf8mb4_bin, DROP KEY code")
    shop.run(f"ALTER DATABASE `{shop.name}` COMMENT = ''")

    said = " | ".join(shop.connect("root:").check())
    for part in ("orders.note", "no environment mark", "ENGINE = InnoDB", "no index serves orders.customer"):
        assert part in said


TILL = """
CREATE TABLE nations (code varchar(2) PRIMARY KEY);
INSERT INTO nations VALUES ('FR'), ('DE');
CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(200), name varchar(9) DEFAULT 'canary',
  latin varchar(20) CHARACTER SET latin1 DEFAULT 'a', born date, card decimal(20) DEFAULT 1111222233334444555,
  price decimal(10,2) DEFAULT 1.5, weight float DEFAULT 70.1, height double DEFAULT 1.7, photo blob DEFAULT X'00ff',
  phone varchar(20) UNIQUE, age tinyint CHECK (age > 0), note text NOT NULL DEFAULT 'canary',
  mood enum('calm','glad') DEFAULT 'calm', seen datetime DEFAULT '2020-01-01', alarm time DEFAULT '10:00',
  year year DEFAULT 1984, bits bit(4) DEFAULT b'101', ref uuid, address inet6, profile json,
  shout varchar(20) AS (upper(name)) STORED, nation varchar(2) DEFAULT 'FR', KEY (email),
  FOREIGN KEY (nation) REFERENCES nations (code));
INSERT INTO customers (id, email, phone) VALUES (1, 'canary1@example.org', 'P1'), (2, 'canary2@example.org', 'P2');
CREATE TRIGGER guarded BEFORE UPDATE ON customers FOR EACH ROW
  IF NEW.note LIKE 'bad%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'that is bad'
"""
_OTHERS = (
    "name", "latin", "born", "card", "price", "weight", "height", "photo", "phone", "age", "note", "mood", "seen",
    "alarm", "year", "bits", "ref", "address", "profile", "shout", "nation",
)  # fmt: skip
TILL_MAP = f"""
  customers:
    key: [id]
    fields:
      id: {{}}
      email: {{category: contact, identity: email}}
{"".join(f"      {field}: {{category: other}}" + chr(10) for field in _OTHERS)}
"""
ANNA = email("canary1@example.org")


@pytest.fixture
def till(server: MariaDBServer) -> Iterator[Shop]:
    create, _, trigger = TILL.partition("CREATE TRIGGER")
    made = Shop(server, create, TILL_MAP)
    made.run(f"CREATE TRIGGER {trigger}; END IF")
    yield made
    made.close()


def test_a_field_of_any_type_is_rectified_and_nothing_else(till: Shop) -> None:
    for field, new, old in [
        ("name", "Canary", "canary"),
        ("latin", "\u00e9", "a"),
        ("born", "1985-01-31", None),
        ("card", "1111222233334444556", "1111222233334444555"),
        ("price", "2.50", "1.50"),
        ("weight", "70.2", "70.0999984741211"),
        ("height", "1.75", "1.7"),
        ("photo", "\\x01", "\\x00ff"),
        ("age", "7", None),
        ("phone", None, "P1"),
        ("note", 'it\'s "this" \\ \U0001f600', "canary"),
        ("mood", "glad", "calm"),
        ("seen", "2021-02-03T04:05:06+02:00", "2020-01-01 00:00:00"),
        ("alarm", "23:59:59", "10:00:00"),
        ("year", "1985", "1984"),
        ("bits", "6", "5"),
        ("ref", "0190a000-0000-7000-8000-000000000001", None),
        ("address", "2001:db8::1", None),
        ("profile", '{"a": [1]}', None),
        ("nation", "DE", "FR"),
    ]:
        kept, one = Kept(), Correction("customers", {field: new})
        others = ", ".join(f"`{column}`" for column in ("id", "email", *_OTHERS) if column not in {field, "shout"})
        before = till.rows(f"SELECT {others} FROM customers"), till.rows("SELECT * FROM nations")

        tally = till.connector.rectify(till.call(ANNA, corrections=(one,), keep=kept))

        assert (tally.found, tally.rectified) == (1, 1), field
        assert kept.first == {("customers", ("1",)): {field: old}}
        assert (till.rows(f"SELECT {others} FROM customers"), till.rows("SELECT * FROM nations")) == before
        assert till.connector.rectify(till.call(ANNA, corrections=(one,))).rectified == 0, (
            f"{field}: it is seen to be so"
        )
    stands = till.rows(
        "SELECT name, latin, card, price, weight = CAST(70.2 AS FLOAT), photo, note, seen, bits + 0, shout "
        "FROM customers WHERE id = 1"
    )
    assert [str(value) for value in stands[0]] == [
        "Canary", "\u00e9", "1111222233334444556", "2.50", "1", "b'\\x01'", "it's \"this\" \\ \U0001f600",
        "2021-02-03 02:05:06", "6", "CANARY",
    ]  # fmt: skip


def test_what_cannot_be_held_is_a_task(till: Shop) -> None:
    for field, new, code, about in [
        ("name", "x" * 10, Code.VALUE, "customers.name (longer than 9)"),
        ("note", None, Code.VALUE, "customers.note (something must stand there)"),
        ("latin", "\U0001f600", Code.VALUE, "customers.latin"),
        ("born", "2024-02-30", Code.VALUE, "customers.born (not of type date)"),
        ("age", "many", Code.VALUE, "customers.age (not of type integer)"),
        ("age", "300", Code.VALUE, "customers.age"),
        ("age", "-1", Code.VALUE, "customers.age"),
        ("mood", "sad", Code.VALUE, "customers.mood"),
        ("alarm", "noon", Code.VALUE, "customers.alarm"),
        ("height", "tall", Code.VALUE, "customers.height"),
        ("seen", "2021-02-03 04:05:06.5", Code.VALUE, "customers.seen (the table makes something else of it)"),
        ("phone", "P2", Code.VALUE, "customers.phone"),
        ("profile", "{", Code.VALUE, "customers.profile"),
        ("nation", "XX", Code.VALUE, "customers.nation"),
        ("note", "bad word", Code.VALUE, "customers.note"),
        ("shout", "LOUD", Code.NOT_RECTIFIABLE, "customers.shout (generated)"),
    ]:
        before, gate = till.rows("SELECT * FROM customers"), Gate()

        with pytest.raises(ConnectorError) as caught:
            till.connector.rectify(till.call(ANNA, corrections=(Correction("customers", {field: new}),), fence=gate))

        assert (caught.value.code, caught.value.about) == (code, about)
        assert caught.value.__context__ is None
        assert till.rows("SELECT * FROM customers") == before
        assert [passage.tally for passage in gate.passages] in ([], [Tally()]), "it is known that nothing was done"
