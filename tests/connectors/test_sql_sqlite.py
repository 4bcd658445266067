"""What is SQLite's own: columns that hold what they please, deleted bytes, locks on a file, and no server to ask."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

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
from tests.connectors.sql_place import AS_OF, HEAD, SESSION, counted, email

SHOP = """
CREATE TABLE habeas_environment (environment TEXT);
INSERT INTO habeas_environment VALUES ('test');
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE, code, number INTEGER, name TEXT,
  shout TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL);
CREATE TABLE "order" (shop TEXT, no INTEGER, customer INTEGER NOT NULL REFERENCES customers, note TEXT,
  PRIMARY KEY (shop, no)) WITHOUT ROWID;
CREATE INDEX e ON customers (email);
CREATE INDEX n ON customers (number);
CREATE INDEX c ON customers (code);
CREATE INDEX o ON "order" (customer);
INSERT INTO customers VALUES (1, 'Canary1@example.org', 'C1', 7, 'Canary One'), (2, 'two@example.org', 'c1', 8, 'Two'),
  (3, 'three@example.org', 'C1 ', 'seven', 'Three');
INSERT INTO "order" VALUES ('a', 1, 1, 'canary note'), ('a', 2, 1, 'x'), ('b', 1, 2, 'y');
"""
MAP = """
  customers:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email}
      code: {category: reference, identity: code}
      number: {category: reference, identity: number}
      name: {category: name}
      shout: {category: name}
  orders:
    name: order
    key: [shop, "no"]
    fields: {shop: {}, "no": {}, customer: {}, note: {category: free_text}}
    links: [{field: customer, to: customers.id}]
"""
ONE = email("CANARY1@example.org")


class Shop:
    """One file under test, and a back door into it."""

    def __init__(self, path: Path, create: str = SHOP, collections: str = MAP, **options: Any) -> None:
        self.path = path
        (system,) = read_map({"shop.yaml": f"{HEAD}collections:\n{collections}"}).systems.values()
        self.system: System = system.model_copy(update={"options": options})
        self.door = sqlite3.connect(path, isolation_level=None, timeout=0)
        self.door.executescript(create)
        url = f"sqlite:///{path}"
        self.connector: SqlConnector = build(self.system, {"reader": url, "writer": url})

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

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self.door.execute(query)) as cursor:
            return cursor.fetchall()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop.db")
    yield made
    made.door.close()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Shop]:
    """Limits for what is to run into them; whatever is to succeed has its time, however busy the machine is."""
    made = Shop(tmp_path / "shop.db", lock_timeout=1, statement_timeout=2)
    yield made
    made.door.close()


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


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("number", "7", 1),
        ("number", "007", 1),
        ("number", " 7", 0),
        ("number", "7.0", 0),
        ("number", "seven", 1),
        ("number", "SEVEN", 0),
        ("code", "C1", 1),
        ("code", "c1", 1),
        ("code", "C1 ", 1),
        ("code", "C", 0),
        ("email", "TWO@EXAMPLE.ORG", 1),
        ("email", "two@example.org ", 0),
    ],
)
def test_values_are_found_by_what_they_are_and_not_by_what_their_column_says(
    shop: Shop, kind: str, value: str, found: int
) -> None:
    assert shop.locate(Identity(kind, value)).tally.of("customers").found == found


def test_an_exact_identity_is_exact_in_a_column_that_ignores_case(tmp_path: Path) -> None:
    made = Shop(tmp_path / "shop.db", collections=MAP.replace("identity: email}", "identity: email, match: exact}"))

    assert made.locate(email("Canary1@example.org")).tally.of("customers").found == 1
    assert made.locate(email("canary1@example.org")).tally.found == 0
    made.door.close()


def test_erase_takes_exactly_these_rows_and_their_bytes(shop: Shop) -> None:
    assert counted(shop.erase(ONE), "erased") == {"customers": 1, "orders": 2}

    assert shop.rows('SELECT shop, no FROM "order"') == [("b", 1)]
    assert shop.rows("SELECT id FROM customers ORDER BY id") == [(2,), (3,)]
    assert b"anary" not in shop.path.read_bytes(), "what is deleted is written over"


def test_an_export_gives_every_value_as_it_is(shop: Shop) -> None:
    shop.rows("UPDATE customers SET code = x'00ff', number = 0.1 WHERE id = 1")
    shop.rows("UPDATE customers SET name = '=1+1' WHERE id = 1")

    files = shop.connector.export(shop.call(ONE))
    bodies = {(file.collection, file.media_type): b"".join(file.pages).decode() for file in files}

    assert bodies["customers", "application/x-ndjson"] == (
        '{"id": 1, "email": "Canary1@example.org", "code": "\\\\x00ff", "number": 0.1, '
        '"name": "=1+1", "shout": "=1+1"}\n'
    )
    assert bodies["customers", "text/csv"].splitlines()[1] == (
        '"1","Canary1@example.org","\\x00ff","0.1","\'=1+1","\'=1+1"'
    )


def test_a_writer_holds_us_up_and_loses_nothing(impatient: Shop) -> None:
    impatient.rows("BEGIN IMMEDIATE")
    with pytest.raises(Retryable) as caught:
        impatient.erase(ONE)
    assert caught.value.code is Code.BUSY
    assert impatient.locate(ONE).tally.found == 3
    impatient.rows("ROLLBACK")

    assert impatient.erase(ONE).changed == 3


def test_nobody_writes_while_an_erasure_is_between_look_and_end(shop: Shop) -> None:
    said: list[str] = []

    def late() -> None:
        try:
            shop.rows("INSERT INTO \"order\" VALUES ('z', 1, 1, 'late')")
        except sqlite3.OperationalError as error:
            said.append(error.sqlite_errorname)

    assert shop.erase(ONE, fence=Within(late)).changed == 3
    assert said == ["SQLITE_BUSY"]


def test_a_change_that_takes_too_long_is_rolled_back(impatient: Shop) -> None:
    impatient.rows("CREATE TRIGGER slow BEFORE DELETE ON customers BEGIN SELECT count(*) FROM slow; END")
    impatient.rows(
        "CREATE VIEW slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) "
        "SELECT x FROM n"
    )
    gate = Gate()

    with pytest.raises(Retryable) as caught:
        impatient.erase(ONE, fence=gate)

    assert (caught.value.code, caught.value.__context__) == (Code.BUSY, None)
    assert gate.passages[0].tally == Tally(), "it is known that nothing was done"
    assert len(impatient.rows("SELECT * FROM customers")) == 3


def test_a_file_that_is_gone_is_waited_for_and_one_that_is_none_is_said(shop: Shop, tmp_path: Path) -> None:
    away = shop.path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(Retryable) as caught:
        shop.locate(ONE)
    assert caught.value.code is Code.UNREACHABLE
    assert not shop.path.exists(), "nothing is made in its place"

    shop.path.write_text("not a database " * 100)
    with pytest.raises(ConnectorError):
        shop.locate(ONE)
    away.rename(shop.path)
    assert shop.locate(ONE).tally.found == 3


def test_a_table_or_column_that_is_gone_is_named(shop: Shop) -> None:
    shop.locate(ONE)
    shop.rows('ALTER TABLE "order" RENAME COLUMN note TO remark')
    with pytest.raises(NeedsHuman) as caught:
        {file.collection: b"".join(file.pages) for file in shop.connector.export(shop.call(ONE))}
    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "orders.note")


def test_a_table_outside_the_map_that_points_here_blocks(shop: Shop) -> None:
    shop.rows("CREATE TABLE other (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers)")
    shop.rows("INSERT INTO other VALUES (1, 1)")

    with pytest.raises(NeedsHuman) as caught:
        shop.erase(ONE)

    assert caught.value.code is Code.BLOCKED
    assert len(shop.rows("SELECT * FROM customers")) == 3
    assert any("main.other points to customers" in finding for finding in shop.connector.check())


def test_a_clean_shop_has_few_findings_and_a_bad_one_has_sentences(shop: Shop) -> None:
    shop.rows("PRAGMA journal_mode = WAL")
    assert shop.connector.check() == []

    shop.rows("DROP INDEX o")
    shop.rows("DELETE FROM habeas_environment")
    shop.rows("PRAGMA journal_mode = DELETE")
    said = " | ".join(shop.connector.check())
    for part in ("no index serves orders.customer", "no environment mark", "journal_mode = WAL"):
        assert part in said


TILL = """
CREATE TABLE habeas_environment (environment TEXT);
INSERT INTO habeas_environment VALUES ('test');
CREATE TABLE nations (code TEXT PRIMARY KEY);
INSERT INTO nations VALUES ('FR'), ('DE');
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name VARCHAR(9) COLLATE NOCASE DEFAULT 'canary', born DATE,
  card INTEGER DEFAULT 1111222233334444555, price NUMERIC DEFAULT 1.5, weight REAL DEFAULT 70.1,
  photo BLOB DEFAULT X'00ff',
  phone TEXT UNIQUE, age INTEGER CHECK (age > 0), note TEXT NOT NULL DEFAULT 'canary', free, shout AS (upper(note)),
  nation TEXT DEFAULT 'FR' REFERENCES nations);
CREATE TABLE strict (id INTEGER PRIMARY KEY, email TEXT, number INTEGER DEFAULT 7) STRICT;
CREATE INDEX e ON customers (lower(email));
INSERT INTO customers (id, email, phone) VALUES (1, 'canary1@example.org', 'P1'), (2, 'canary2@example.org', 'P2');
INSERT INTO strict (id, email) VALUES (1, 'canary1@example.org');
CREATE TRIGGER guarded BEFORE UPDATE OF note ON customers WHEN NEW.note LIKE 'bad%' BEGIN
  SELECT RAISE(ABORT, 'that is bad'); END;
"""
_OTHERS = ("name", "born", "card", "price", "weight", "photo", "phone", "age", "note", "free", "shout", "nation")
TILL_MAP = f"""
  customers:
    key: [id]
    fields:
      id: {{}}
      email: {{category: contact, identity: email}}
{"".join(f"      {field}: {{category: other}}" + chr(10) for field in _OTHERS)}
  strict:
    key: [id]
    fields: {{id: {{}}, email: {{category: contact, identity: email}}, number: {{category: other}}}}
"""
ANNA = email("canary1@example.org")


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "till.db", TILL, TILL_MAP)
    yield made
    made.door.close()


def _rectified(till: Shop, correction: Correction) -> tuple[Tally, Kept]:
    kept = Kept()
    return till.connector.rectify(till.call(ANNA, corrections=(correction,), keep=kept)), kept


def test_a_field_of_any_kind_is_rectified_and_nothing_else(till: Shop) -> None:
    for field, new, there, old in [
        ("name", "Canary", "Canary", "canary"),
        ("born", "1985-01-31", "1985-01-31", None),
        ("card", "1111222233334444556", 1111222233334444556, "1111222233334444555"),
        ("price", "2.50", 2.5, "1.5"),
        ("weight", "70.25", 70.25, "70.1"),
        ("photo", "\\x01", b"\x01", "\\x00ff"),
        ("age", "7", 7, None),
        ("phone", None, None, "P1"),
        ("free", "0042", "0042", None),
        ("note", 'it\'s "this"', 'it\'s "this"', "canary"),
        ("nation", "DE", "DE", "FR"),
    ]:
        before = list(till.door.iterdump())

        tally, kept = _rectified(till, Correction("customers", {field: new}))

        assert till.rows(f"SELECT {field} FROM customers WHERE id = 1") == [(there,)], field
        assert (tally.found, tally.rectified, kept.first) == (1, 1, {("customers", ("1",)): {field: old}})
        assert _rectified(till, Correction("customers", {field: new}))[0].rectified == 0, "it is seen to be so"
        lines = zip(before, till.door.iterdump(), strict=True)
        assert sum(was != now for was, now in lines) == 1, "one row has changed, and nothing else"


def test_what_cannot_be_held_is_a_task(till: Shop) -> None:
    for collection, field, new, code, about in [
        ("customers", "name", "x" * 10, Code.VALUE, "customers.name (longer than 9)"),
        ("customers", "note", None, Code.VALUE, "customers.note (something must stand there)"),
        ("customers", "card", "many", Code.VALUE, "customers.card (not of type integer)"),
        ("customers", "age", "-1", Code.VALUE, "customers.age"),
        ("customers", "phone", "P2", Code.VALUE, "customers.phone"),
        ("customers", "nation", "XX", Code.VALUE, "customers.nation"),
        ("customers", "note", "bad word", Code.VALUE, "customers.note"),
        ("customers", "shout", "LOUD", Code.NOT_RECTIFIABLE, "customers.shout (generated)"),
        ("strict", "number", "7.5", Code.VALUE, "strict.number"),
    ]:
        before, gate = list(till.door.iterdump()), Gate()

        with pytest.raises(NeedsHuman) as caught:
            till.connector.rectify(till.call(ANNA, corrections=(Correction(collection, {field: new}),), fence=gate))

        assert (caught.value.code, caught.value.about) == (code, about)
        assert caught.value.__context__ is None
        assert list(till.door.iterdump()) == before
        assert [passage.tally for passage in gate.passages] in ([], [Tally()]), "it is known that nothing was done"


def test_rows_that_are_reached_in_a_circle_are_rectified(tmp_path: Path) -> None:
    create = """
    CREATE TABLE habeas_environment (environment TEXT);
    INSERT INTO habeas_environment VALUES ('test');
    CREATE TABLE posts (id INTEGER PRIMARY KEY, email TEXT, reply_to INTEGER REFERENCES posts, body TEXT);
    CREATE INDEX p ON posts (reply_to);
    INSERT INTO posts VALUES (1, 'canary1@example.org', 3, 'a'), (2, NULL, 1, 'b'), (3, NULL, 2, 'c'),
      (4, 'canary2@example.org', NULL, 'd'), (5, NULL, 4, 'e');
    """
    posts = """
  posts:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, reply_to: {}, body: {category: free_text}}
    links: [{field: reply_to, to: posts.id}]
"""
    forum = Shop(tmp_path / "forum.db", create, posts, batch_rows=2)

    tally, kept = _rectified(forum, Correction("posts", {"body": "corrected"}))
    moved, _ = _rectified(forum, Correction("posts", {"email": "anna@example.org"}, ("1",)))

    assert (tally.found, tally.rectified, moved.rectified) == (3, 3, 1)
    assert [row["body"] for row in kept.first.values()] == ["a", "b", "c"]
    assert forum.rows("SELECT email, body FROM posts ORDER BY id") == [
        ("anna@example.org", "corrected"), (None, "corrected"), (None, "corrected"),
        ("canary2@example.org", "d"), (None, "e"),
    ]  # fmt: skip
    forum.door.close()
