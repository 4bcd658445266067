"""What stays after an erasure in PostgreSQL: kept rows, shells and rewritten fields; and that verify is not fooled."""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest

from connectors.conformance import Gate
from connectors.errors import NeedsHuman
from connectors.strategies import clean, rewrite
from rights.codes import Code
from rights.receipt import Kept
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, place

BOOKS = """
CREATE TABLE clients (id bigint PRIMARY KEY, email text NOT NULL, name text, seen timestamptz);
CREATE TABLE orders (id bigint PRIMARY KEY, client bigint REFERENCES clients ON DELETE RESTRICT, placed timestamptz,
  note text, buyer text, state text);
CREATE TABLE invoices (id bigint PRIMARY KEY, "order" bigint NOT NULL REFERENCES orders, due date, text text);
CREATE TABLE visits (id bigint PRIMARY KEY, client bigint, page text);
CREATE TABLE reviews (id bigint PRIMARY KEY, client bigint REFERENCES clients, author text, body text);
CREATE INDEX ON clients (lower(email));
CREATE INDEX ON orders (client);
CREATE INDEX ON invoices ("order");
CREATE INDEX ON visits (client);
CREATE INDEX ON reviews (client);
INSERT INTO clients SELECT n, 'c' || n || '@example.org', 'Client ' || n, '2024-05-06 07:08:09Z'
  FROM generate_series(1, 3) n;
-- Orders of 2008, 2015, 2016 and one without a date, for each client.
INSERT INTO orders SELECT c * 10 + k, c, ('{2008-03-01Z,2015-12-31 23:59:59.5Z,2016-01-01Z,null}'::timestamptz[])[k],
  'note ' || c, 'buyer ' || c, 'paid' FROM generate_series(1, 3) c, generate_series(1, 4) k;
INSERT INTO invoices SELECT id, id, CASE id % 10 WHEN 1 THEN date '2024-02-29' ELSE date '2010-01-01' END, 'text ' || id
  FROM orders;
INSERT INTO visits SELECT c * 10 + k, c, 'page' FROM generate_series(1, 3) c, generate_series(1, 2) k;
INSERT INTO reviews SELECT c, c, 'Client ' || c, 'says ' || c FROM generate_series(1, 3) c;
"""
MAP = """
  clients:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: anonymise}
      name: {category: name, strategy: constant, value: "it's gone"}
      seen: {category: behaviour, strategy: generalise, to: year}
  orders:
    key: [id]
    fields:
      id: {}
      client: {}
      placed: {}
      note: {category: free_text, strategy: "null"}
      buyer: {category: name, strategy: pseudonym}
      state: {}
    links: [{field: client, to: clients.id}]
    retention:
      - {ground: tax law, after: placed, period: P10Y, from: end_of_year, minimise: [note, buyer]}
      - {ground: warranty, after: placed, period: P2Y, minimise: [note]}
  invoices:
    key: [id]
    fields: {id: {}, order: {}, due: {}, text: {category: free_text, strategy: "null"}}
    links: [{field: order, to: orders.id}]
    retention: [{ground: invoices, after: due, period: P3Y1M}]
  visits:
    key: [id]
    fields: {id: {}, client: {}, page: {category: behaviour}}
    links: [{field: client, to: clients.id}]
  reviews:
    key: [id]
    fields:
      id: {}
      client: {strategy: "null"}
      author: {category: name, strategy: anonymise}
      body: {category: free_text, strategy: retain, ground: it was made public}
    links: [{field: client, to: clients.id}]
    erase: redact
"""
ONE = email("C1@example.org")


@pytest.fixture
def books(database: Database) -> Iterator[Place]:
    with place(database, BOOKS, MAP) as made:
        yield made


def test_rows_are_kept_rewritten_or_gone_as_the_map_says(books: Place) -> None:
    before = books.dump()

    tally = books.erase(ONE)

    # The order of 2008 is out of every term, but its invoice is not: it stays as a shell. That of 2015 is too old on
    # 1 June 2026, that of 2016 is kept to the end of 2026, and one without a date is kept, as nobody can show its age.
    assert books.rows("SELECT id, client, note, state FROM orders WHERE client = 1 ORDER BY id") == [
        (11, 1, None, "paid"),
        (13, 1, None, "paid"),
        (14, 1, None, "paid"),
    ]
    assert books.rows('SELECT id, text FROM invoices WHERE "order" / 10 = 1') == [(11, "text 11")]
    assert books.rows("SELECT * FROM visits WHERE client = 1") == []
    ((address, name, seen),) = books.rows("SELECT email, name, seen FROM clients WHERE id = 1")
    assert re.fullmatch(r"anonymous-[0-9a-f]{32}@invalid", address)
    assert (name, seen) == ("it's gone", datetime(2024, 1, 1, tzinfo=UTC))
    ((client, author, body),) = books.rows("SELECT client, author, body FROM reviews WHERE id = 1")
    assert re.fullmatch(r"anonymous-[0-9a-f]{32}", author)
    assert (client, body) == (None, "says 1")
    after = books.dump()
    for table, rows in before.items():
        theirs = {row for row in rows if not re.search(r'"(client|id|order)": 1\d?,', row)}
        assert theirs
        assert theirs <= after[table], f"somebody else's row of {table} changed"

    assert counted(tally, "erased") == {"orders": 1, "invoices": 3, "visits": 2}
    assert counted(tally, "anonymised") == {"clients": 1}
    assert counted(tally, "pseudonymised") == {"orders": 1}
    assert tally.of("orders").kept == (
        Kept(ground="tax law", until=date(2026, 12, 31), rows=1),
        Kept(ground="tax law", until=None, rows=1),
    )
    assert tally.of("invoices").kept == (Kept(ground="invoices", until=date(2027, 3, 29), rows=1),)
    assert tally.of("reviews").kept == (Kept(ground="it was made public", rows=1),)
    for count in tally.counts:
        assert count.found == count.changed + count.kept_rows


def test_a_field_goes_from_a_kept_row_only_if_every_duty_can_do_without_it(books: Place) -> None:
    """Only the order without a date is under both duties; the warranty needs the buyer."""
    books.erase(ONE)

    buyers = dict(books.rows("SELECT id, buyer FROM orders WHERE client = 1"))
    assert buyers[14] == "buyer 1"
    assert buyers[13] == buyers[11]
    digest = hmac.new(b"a key of a request", b"buyer 1", hashlib.sha256).hexdigest()
    assert buyers[13] == f"pseudonym-{digest[:32]}"


def test_erasing_again_changes_nothing(books: Place) -> None:
    anchors = books.locate(ONE).anchors
    books.erase(ONE, anchors=anchors)
    before, gate = books.dump(), Gate()

    tally = books.erase(ONE, anchors=anchors, fence=gate)

    assert books.dump() == before
    assert (tally.changed, gate.passages) == (0, [])


def test_verify_counts_what_stays_and_nothing_that_is_clean_without_a_ground(books: Place) -> None:
    anchors = books.locate(ONE).anchors
    books.erase(ONE, anchors=anchors)

    tally = books.verify(ONE, anchors=anchors).tally

    assert tally.left == 0
    assert counted(tally, "found") == {"orders": 2, "invoices": 1, "reviews": 1}


@pytest.mark.parametrize(
    ("spoil", "collection"),
    [
        ("UPDATE orders SET note = 'again' WHERE id = 13", "orders"),
        ("UPDATE orders SET buyer = 'again' WHERE id = 13", "orders"),
        ("UPDATE orders SET buyer = 'again' WHERE id = 11", "orders"),
        ("UPDATE clients SET email = 'c1@example.org' WHERE id = 1", "clients"),
        ("UPDATE clients SET email = 'anonymous-me@example.org' WHERE id = 1", "clients"),
        ("UPDATE clients SET name = 'Client 1' WHERE id = 1", "clients"),
        ("UPDATE clients SET seen = '2024-05-06Z' WHERE id = 1", "clients"),
        ("UPDATE reviews SET client = 1 WHERE id = 1", "reviews"),
        ("INSERT INTO visits VALUES (99, 1, 'again')", "visits"),
    ],
)
def test_verify_sees_every_field_that_is_filled_again(books: Place, spoil: str, collection: str) -> None:
    anchors = books.locate(ONE).anchors
    books.erase(ONE, anchors=anchors)
    books.door.execute(spoil.encode())

    tally = books.verify(ONE, anchors=anchors).tally

    assert counted(tally, "left") == {collection: 1}
    books.erase(ONE, anchors=anchors)
    assert books.verify(ONE, anchors=anchors).tally.left == 0


def test_a_kept_row_may_be_filled_again_where_its_duty_needs_it(books: Place) -> None:
    anchors = books.locate(ONE).anchors
    books.erase(ONE, anchors=anchors)
    books.door.execute("UPDATE orders SET buyer = 'a name' WHERE id = 14")

    assert books.verify(ONE, anchors=anchors).tally.left == 0


def test_batches_come_to_the_same(books: Place) -> None:
    small = books.connector
    books.system = books.system.model_copy(update={"options": {"batch_rows": 2}})
    books.connector = books.connect()
    small.close()
    gate, before = Gate(), books.dump()

    tally = books.erase(ONE, fence=gate)

    assert counted(tally, "erased") == {"orders": 1, "invoices": 3, "visits": 2}
    assert counted(tally, "anonymised") == {"clients": 1}
    assert counted(tally, "pseudonymised") == {"orders": 1}
    planned = [passage.planned for passage in gate.passages]
    sizes = Counter((name, number) for passage in planned for name, number in passage.items())
    assert sizes == Counter(
        {("reviews", 1): 1, ("visits", 2): 1, ("invoices", 2): 1, ("invoices", 1): 1}
        | {("orders", 1): 2, ("orders", 2): 1, ("clients", 1): 1}
    ), "never more than two at a time"
    order = [name for passage in planned for name in passage]
    assert order.index("invoices") < order.index("orders") < order.index("clients"), "children before parents"
    assert order[-1] == "clients"
    after = books.dump()
    for table, rows in {"public.visits": 2, "public.invoices": 3, "public.orders": 4, "public.clients": 1}.items():
        assert len(before[table] - after[table]) == rows


COLUMNS = [
    ("text", "'null'", "Anna", None),
    ("text", "constant, value: gone", "Anna", "gone"),
    ("char(10)", "constant, value: gone", "Anna", "gone      "),
    ("int", "constant, value: 0", 42, 0),
    ("numeric(8,2)", "constant, value: 1.5", 42, 1.5),
    ("boolean", "constant, value: false", True, False),
    ("date", "constant, value: '1900-01-01'", date(1984, 7, 15), date(1900, 1, 1)),
    ("date", "generalise, to: year", date(1984, 7, 15), date(1984, 1, 1)),
    ("date", "generalise, to: month", date(1984, 7, 15), date(1984, 7, 1)),
    ("date", "generalise, to: decade", date(1984, 7, 15), date(1980, 1, 1)),
    ("timestamptz", "generalise, to: month", datetime(1984, 7, 15, 3, tzinfo=UTC), datetime(1984, 7, 1, tzinfo=UTC)),
    ("text", "generalise, to: decade", "1984-07-15", "1980-01-01"),
    ("text", "generalise, to: month", "1984-07-15T12:00", "1984-07-01"),
    ("text", "generalise, to: year", "unknown", None),
    ("text", "generalise, to: network", "192.0.2.77", "192.0.2.0/24"),
    ("text", "generalise, to: network", "2001:db8:1:2::3", "2001:db8:1::/48"),
    ("text", "generalise, to: network", "nowhere", None),
    ("text NOT NULL", "generalise, to: network", "nowhere", ""),
    ("text", "generalise, to: 'prefix:3'", "Ännchen", "Änn"),
]


@pytest.mark.parametrize(("kind", "strategy", "value", "expected"), COLUMNS)
def test_a_field_becomes_what_its_strategy_says(
    database: Database, kind: str, strategy: str, value: object, expected: object
) -> None:
    with people(database, f"field {kind}", f"field: {{category: x, strategy: {strategy}}}", "erase: redact") as made:
        made.door.execute("INSERT INTO people VALUES (1, 1, %s), (2, 2, %s)", [value, value])

        anchors = made.locate(NUMBER).anchors

        made.erase(NUMBER, anchors=anchors)

        ((left,), (other,)) = made.rows("SELECT field FROM people ORDER BY id")
        assert left == expected
        assert str(other).rstrip().removesuffix(".00") == str(value)
        assert made.verify(NUMBER, anchors=anchors).tally.left == 0
        if kind == "text":
            _, write = made.call().work[0].writes
            assert rewrite(write, value, b"") == expected, "the same as every other connector"


@contextmanager
def people(database: Database, column: str, field: str, more: str) -> Iterator[Place]:
    """A table of one column beside its key and a number by which people are known."""
    create = f"CREATE EXTENSION citext; CREATE TABLE people (id int PRIMARY KEY, no int, {column})"
    number = '"no": {identity: number, strategy: "null"}'
    fields = f"  people:\n    key: [id]\n    fields:\n      id: {{}}\n      {number}\n      {field}\n"
    with place(database, create, f"{fields}    {more}\n") as made:
        yield made


NUMBER = Identity("number", "1")


@pytest.mark.parametrize("kind", ["text", "varchar(60)", "varchar(26)", "char(50)", "citext", "uuid"])
def test_an_anonymous_value_fits_and_is_recognised(database: Database, kind: str) -> None:
    value = "8f14e45f-ceea-467f-a8d4-000000000000" if kind == "uuid" else "a@example.org"
    field = "field: {category: x, strategy: anonymise}"
    with people(database, f"field {kind} UNIQUE", field, "erase: redact") as made:
        made.door.execute("INSERT INTO people VALUES (1, 1, %s), (2, 2, NULL)", [value])

        anchors = made.locate(NUMBER).anchors

        tally = made.erase(NUMBER, anchors=anchors)

        ((left,), (nothing,)) = made.rows("SELECT field::text FROM people ORDER BY id")
        assert left != value
        assert nothing is None
        assert tally.of("people").anonymised == 1
        assert made.verify(NUMBER, anchors=anchors).tally.left == 0
        assert made.erase(NUMBER, anchors=anchors).changed == 0
        if kind == "text":
            made.door.execute("UPDATE people SET field = 'Anna' WHERE id = 1")
            made.erase(NUMBER, anchors=anchors)
            ((left,),) = made.rows("SELECT field FROM people WHERE id = 1")
            _, write = made.call().work[0].writes
            assert clean(write, left), "other connectors know it too"


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [
        ("int", "anonymise"),
        ("varchar(10)", "anonymise"),
        ("uuid", "pseudonym"),
        ("date", "pseudonym"),
        ("int", "generalise, to: year"),
        ("int", "generalise, to: 'prefix:2'"),
        ("date", "generalise, to: network"),
        ("text GENERATED ALWAYS AS ('x') STORED", "'null'"),
    ],
)
def test_a_strategy_that_a_column_has_no_room_for_is_refused(database: Database, kind: str, strategy: str) -> None:
    field = f"field: {{category: x, strategy: {strategy}}}"
    with people(database, f"field {kind}", field, "erase: redact") as made:
        with pytest.raises(NeedsHuman) as caught:
            made.locate(NUMBER)

        assert caught.value.code is Code.SCHEMA
        assert caught.value.about.startswith("people.field")
        assert any("does not go with people.field" in finding for finding in made.connector.check())


TERM = "retention: [{ground: law, after: made, period: P5Y}]"


@pytest.mark.parametrize(("value", "kept"), [("2024-01-01", 1), ("1999-01-01", 0), ("long ago", 1), ("", 1), (None, 1)])
def test_a_term_counts_from_dates_written_as_texts(database: Database, value: str | None, kept: int) -> None:
    with people(database, "made text", "made: {}", TERM) as made:
        made.door.execute("INSERT INTO people VALUES (1, 1, %s)", [value])

        made.erase(NUMBER)

        assert made.rows("SELECT count(*) FROM people") == [(kept,)]


def test_a_term_that_counts_from_no_date_is_refused(database: Database) -> None:
    with people(database, "made int", "made: {}", TERM) as made:
        with pytest.raises(NeedsHuman) as caught:
            made.locate(NUMBER)

        assert caught.value.code is Code.SCHEMA
        assert any("retention counts from people.made" in finding for finding in made.connector.check())


@pytest.mark.parametrize("day", ["infinity", "99999-01-01", "-infinity"])
def test_dates_that_no_calendar_has_are_survived(database: Database, day: str) -> None:
    with people(database, "made timestamptz", "made: {}", TERM) as made:
        made.door.execute("INSERT INTO people VALUES (1, 1, %s)", [day])

        tally = made.erase(NUMBER)

        kept = () if day == "-infinity" else (Kept(ground="law", rows=1),)
        assert tally.of("people").kept == kept
