"""What the SQL connector finds and destroys, in databases as people really build them."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conformance import Gate
from connectors.errors import NeedsHuman
from connectors.protocol import Rulings
from connectors.sql.session import Database as PostgreSQL
from rights.codes import Code
from rights.subject import Identity, Sharing
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, gone, place

# Names that have to be quoted, two schemas, a diamond, keys of several kinds, a link without a foreign key.
SHOP = """
CREATE EXTENSION citext;
CREATE SCHEMA "Sales";
CREATE TABLE "Customer" (id uuid PRIMARY KEY, "e-mail" citext, "number" int UNIQUE, "given" text, "order" text);
CREATE TABLE "Sales"."address" (id bigint PRIMARY KEY, customer uuid NOT NULL REFERENCES "Customer", line$1 text);
CREATE TABLE "Sales"."order" (shop int, no int, customer uuid NOT NULL REFERENCES "Customer",
  ship_to bigint REFERENCES "Sales"."address", record text, uid bigint UNIQUE, PRIMARY KEY (shop, no));
CREATE TABLE "Sales".line (id text PRIMARY KEY, order_uid int, engraving text);
CREATE TABLE note (id numeric PRIMARY KEY, customer_no text, email text, body text);
CREATE INDEX ON "Sales"."address" (customer);
CREATE INDEX ON "Sales"."order" (customer);
CREATE INDEX ON "Sales"."order" (ship_to);
CREATE INDEX ON "Customer" ("e-mail");
INSERT INTO "Customer" SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'Person' || n || '@Example.org', n,
  'Given ' || n, 'value ' || n FROM generate_series(1, 3) n;
INSERT INTO "Sales"."address" SELECT c * 10 + k, ('00000000-0000-0000-0000-00000000000' || c)::uuid, 'street ' || c
  FROM generate_series(1, 3) c, generate_series(1, 2) k;
INSERT INTO "Sales"."order" SELECT 1, c * 10 + k, ('00000000-0000-0000-0000-00000000000' || c)::uuid, c * 10 + 1,
  'r', c * 100 + k FROM generate_series(1, 3) c, generate_series(1, 3) k;
-- A gift of person 1 to the address of person 2: it belongs to both.
INSERT INTO "Sales"."order" VALUES (1, 99, '00000000-0000-0000-0000-000000000001', 21, 'gift', 999);
INSERT INTO "Sales".line SELECT 'line ' || uid || '/' || k, uid, 'To you ' || uid
  FROM "Sales"."order", generate_series(1, 2) k;
INSERT INTO note SELECT c + 0.5, c::text, NULL, 'hung on ' || c FROM generate_series(1, 3) c;
INSERT INTO note SELECT c + 0.7, NULL, 'PERSON' || c || '@example.ORG', 'mailed by ' || c FROM generate_series(1, 3) c;
"""

MAP = """
  Customer:
    key: [id]
    fields:
      id: {}
      e-mail: {category: contact, identity: email}
      number: {category: reference, identity: customer_number}
      given: {category: name}
      order: {category: free_text}
  addresses:
    name: Sales.address
    key: [id]
    fields: {id: {}, customer: {}, line$1: {category: contact}}
    links: [{field: customer, to: Customer.id}]
  orders:
    name: Sales.order
    key: [shop, "no"]
    fields: {shop: {}, "no": {}, customer: {}, ship_to: {}, record: {category: free_text}, uid: {}}
    links: [{field: customer, to: Customer.id}, {field: ship_to, to: addresses.id}]
  Sales.line:
    key: [id]
    fields: {id: {}, order_uid: {}, engraving: {category: free_text}}
    links: [{field: order_uid, to: orders.uid}]
  note:
    key: [id]
    fields: {id: {}, customer_no: {}, email: {identity: email}, body: {category: free_text}}
    links: [{field: customer_no, to: Customer.number}]
"""
ONE = email("person1@example.org")
HELD = {"Customer": 1, "addresses": 2, "orders": 4, "Sales.line": 8, "note": 2}


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP) as made:
        yield made


def test_a_row_is_counted_once_however_many_ways_lead_to_it(shop: Place) -> None:
    assert counted(shop.locate(ONE).tally, "found") == HELD
    assert counted(shop.locate(ONE, Identity("customer_number", "1"), ONE).tally, "found") == HELD


def test_erase_takes_exactly_these_rows(shop: Place) -> None:
    before = shop.dump()
    gate = Gate()

    tally = shop.erase(ONE, fence=gate)

    assert counted(tally, "erased") == HELD
    assert gone(before, shop.dump()) == {
        "public.Customer": 1,
        "Sales.address": 2,
        "Sales.order": 4,
        "Sales.line": 8,
        "public.note": 2,
    }
    (passage,) = gate.passages
    assert passage.planned == HELD
    assert shop.rows('SELECT count(*) FROM "Sales"."order" WHERE record = \'gift\'') == [(0,)]


def test_rows_are_found_when_every_parent_is_gone(shop: Place) -> None:
    """The whole path is cut by hand, as an erasure would that deletes parents and forgets their children."""
    anchors = shop.locate(ONE).anchors
    for cut in (
        'DELETE FROM "Sales"."order" WHERE customer = \'00000000-0000-0000-0000-000000000001\'',
        'DELETE FROM "Sales"."address" WHERE customer = \'00000000-0000-0000-0000-000000000001\'',
        'DELETE FROM "Customer" WHERE "number" = 1',
    ):
        shop.door.execute(cut)

    look = shop.verify(ONE, anchors=anchors)

    assert counted(look.tally, "found") == {"Sales.line": 8, "note": 2}
    assert look.tally.left == 10
    assert counted(shop.verify(ONE).tally, "found") == {"note": 1}, "without anchors nobody would see them"
    shop.erase(ONE, anchors=anchors)
    assert shop.verify(ONE, anchors=anchors).tally.left == 0
    assert shop.rows('SELECT count(*) FROM "Sales".line') == [(12,)]


def test_anchors_name_what_links_point_to_and_keys(shop: Place) -> None:
    anchors = shop.locate(ONE).anchors

    assert set(anchors["Customer"]) == {"id", "number"}
    assert set(anchors["orders"]["uid"]) == {"101", "102", "103", "999"}
    assert set(anchors["orders"]["shop,no"]) == {'["1", "11"]', '["1", "12"]', '["1", "13"]', '["1", "99"]'}
    assert "note" not in anchors, "nothing hangs on it and nothing of it stays"


def test_further_identities_are_told(shop: Place) -> None:
    assert set(shop.locate(ONE).links) == {Identity("customer_number", "1")}
    assert {link.value for link in shop.locate(Identity("customer_number", "2")).links} == {"Person2@Example.org"}


def test_two_people_with_one_address_are_told_apart_by_a_ruling(shop: Place) -> None:
    shop.door.execute('UPDATE "Customer" SET "e-mail" = \'PERSON1@example.org\' WHERE "number" = 2')
    before = shop.dump()

    look = shop.locate(ONE)

    people = {candidate.key: candidate.traits for candidate in look.candidates if candidate.collection == "Customer"}
    assert {UUID(key).int for (key,) in people} == {1, 2}
    assert people["00000000-0000-0000-0000-000000000001",]["given"] == "Given 1"
    assert look.tally.of("orders").found == 0, "nothing is followed from a row of which it is open whose it is"
    for act in (shop.erase, shop.export):
        with pytest.raises(NeedsHuman) as caught:
            act(ONE)
        assert (caught.value.code, caught.value.about) == (Code.SEVERAL_PEOPLE, "Customer")
    assert shop.dump() == before

    mine, other = ({"Customer": frozenset({(f"00000000-0000-0000-0000-00000000000{n}",)})} for n in (1, 2))
    shop.erase(ONE, rulings=Rulings(mine=mine, others=other))
    assert shop.rows('SELECT "number" FROM "Customer" ORDER BY 1') == [(2,), (3,)]
    # The address is the other's now; the order that went to both people's went with the one who had placed it.
    assert shop.rows('SELECT count(*) FROM "Sales"."order"') == [(6,)]


def test_two_accounts_of_one_person_are_one_request(shop: Place) -> None:
    both = (ONE, email("person3@example.org"))
    assert len(shop.locate(*both).candidates) > 1
    people = [(f"00000000-0000-0000-0000-00000000000{n}",) for n in (1, 3)]
    notes = [("1.7",), ("3.7",)]

    shop.erase(*both, rulings=Rulings(mine={"Customer": frozenset(people), "note": frozenset(notes)}))

    assert shop.rows('SELECT "number" FROM "Customer"') == [(2,)]
    assert shop.rows("SELECT customer_no, email FROM note ORDER BY id") == [
        ("2", None),
        (None, "PERSON2@example.ORG"),
    ]


def test_a_shared_identity_finds_nobody_by_itself(shop: Place) -> None:
    look = shop.locate(Identity("email", "person1@example.org", Sharing.SHARED))

    assert {candidate.collection for candidate in look.candidates} == {"Customer", "note"}
    assert counted(look.tally, "found") == {"Customer": 1, "note": 1}
    assert (look.anchors, look.links) == ({}, ())


def test_a_hint_finds_nobody_at_all(shop: Place) -> None:
    look = shop.locate(Identity("email", "person1@example.org", Sharing.HINT))

    assert (look.tally.found, look.candidates) == (0, ())


@pytest.mark.parametrize(
    ("value", "found"),
    [("1", 1), ("01", 1), ("+1", 1), (" 1", 0), ("1.0", 0), ("one", 0), ("", 0), ("9" * 30, 0), ("١", 0), ("1e0", 0)],
)
def test_a_number_is_compared_as_a_number_and_anything_else_matches_nothing(
    shop: Place, value: str, found: int
) -> None:
    assert shop.locate(Identity("customer_number", value)).tally.of("Customer").found == found


def test_an_empty_text_is_nobody_and_links_to_nobody(shop: Place) -> None:
    shop.door.execute('UPDATE "Customer" SET "e-mail" = \'\'')
    shop.door.execute("UPDATE note SET email = ''")

    assert shop.locate(email("")).tally.found == 0


def test_odd_values_never_break_a_look_and_never_match_another(shop: Place) -> None:
    texts = st.one_of(
        st.text(max_size=60),
        st.from_regex(r"\A[-+]?[0-9]{1,25}(\.[0-9]{0,3})?\Z"),
        st.sampled_from(["\0", "\ud800", "%", "_", "person_@example.org", "{}", "NaN", "infinity", "'; --", "$1", '"']),
    )

    @settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(texts, texts)
    def looked(address: str, number: str) -> None:
        identities = (email(address), Identity("customer_number", number))
        anchors = {"Customer": {"id": (address, number), "number": (address, number)}, "orders": {"uid": (address,)}}
        others = {"Customer": frozenset({(address,)})}

        look = shop.locate(*identities, anchors=anchors, rulings=Rulings(others=others))

        known = {"1", "2", "3"}
        matches = number.lstrip("+").lstrip("0") in known or address.lstrip("+").lstrip("0") in known
        assert matches or look.tally.of("Customer").found == 0

    looked()


KINDS = {
    "text": ("Ännä", "Ännä"),
    "varchar(20)": ("x y", "x y"),
    "char(8)": ("x y", "x y"),
    "smallint": ("7", "007"),
    "numeric(20,4)": ("12.5", "+12.50"),
    "uuid": ("8f14e45f-ceea-467f-a8d4-0123456789ab", "{8F14E45FCEEA467FA8D40123456789AB}"),
    "date": ("2024-02-29", "2024-02-29"),
    "timestamptz": ("2024-02-29 12:00:00+00", "2024-02-29T14:00+02:00"),
    "timestamp": ("infinity", "infinity"),
    "bytea": ("\\xff00", "\\xff00"),
    "inet": ("192.0.2.1", "192.0.2.1/32"),
    "cidr": ("192.0.2.0/24", "192.0.2.0/24"),
    "boolean": ("true", "true"),
    "float8": ("0.1", "0.1"),
    "jsonb": ('{"a": 1}', '{"a": 1}'),
    "text[]": ("{a,b}", "{a,b}"),
    "interval": ("1 day", "1 day"),
    "point": ("(1,2)", "(1,2)"),
}
ODD = (
    *("", " ", "x", "0", "-1", "1.5", "1e5", "NaN", "infinity", "9" * 400, "true", "null", "%", "_", "\0", "\ud800"),
    *("2023-02-31", "0000-01-01", "99999-12-31", "299999-01-01", "2024-02-29 25:00", "2024-01-01T00:00+23:00"),
    *("12345-02-31", "0000-01-01 BC", "0044-03-15 BC", "now", "2024-1-1", "20240101", "24:00"),
    *("\\x0", "\\xgg", "192.0.2.1/33", "192.0.2", "fe80::1%eth0", "10.0.0.1/255.0.0.0", "::ffff:1.2.3.4", "{", "[1"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_an_identity_may_be_of_any_type_and_of_any_value(database: Database, kind: str) -> None:
    stored, asked = KINDS[kind]
    create = (
        f"CREATE TABLE people (id int PRIMARY KEY, who {kind}); CREATE TABLE visits (id int PRIMARY KEY, who {kind})"
    )
    visits = "  visits:\n    key: [id]\n    fields: {id: {}, who: {}}\n    links: [{field: who, to: people.who}]\n"
    text = "  people:\n    key: [id]\n    fields: {id: {}, who: {identity: person, match: exact}}\n" + visits
    with place(database, create, text) as made:
        made.door.execute("INSERT INTO people VALUES (1, %s), (2, NULL)", [stored])
        made.door.execute("INSERT INTO visits VALUES (1, %s), (2, NULL)", [stored])

        look = made.locate(Identity("person", asked))
        assert counted(look.tally, "found") == {"people": 1, "visits": 1}
        for odd in ODD:
            found = made.locate(Identity("person", odd), anchors={"people": {"who": (odd,), "id": (odd,)}}).tally
            assert found.found <= (odd == stored) * 2

        made.door.execute("DELETE FROM people WHERE id = 1")
        assert made.verify(Identity("person", "x"), anchors=look.anchors).tally.found == 1, "by its anchor"


def test_what_comes_in_between_look_and_deletion_is_not_lost_sight_of(shop: Place) -> None:
    """A link without a foreign key: nothing holds the writer back, and nothing would tell us but a second look."""
    anchors = shop.locate(ONE).anchors

    class Late(Gate):
        def __call__(self, planned, look):  # type: ignore[no-untyped-def]
            shop.door.execute("INSERT INTO \"Sales\".line VALUES ('late', 101, 'late')")
            return super().__call__(planned, look)

    shop.erase(ONE, anchors=anchors, fence=Late())
    shop.door.execute("INSERT INTO \"Sales\".line VALUES ('later', 101, 'later')")

    assert shop.verify(ONE, anchors=anchors).tally.left == 1, "the late one went along, the later one is found"


def test_a_view_is_looked_at_and_never_written(shop: Place) -> None:
    """It may leave rows out, such as those that only bear a mark of having been deleted."""
    shop.door.execute("ALTER TABLE note RENAME TO notes; CREATE VIEW note AS SELECT * FROM notes WHERE id < 1000")
    before = shop.dump()

    assert counted(shop.locate(ONE).tally, "found") == HELD
    with pytest.raises(NeedsHuman, match=r"schema: note \(a view\)"):
        shop.erase(ONE)

    assert shop.dump() == before
    assert "note is a view, which is never written to" in " ".join(shop.connector.check())


def test_one_statement_serves_everybody(shop: Place) -> None:
    prepared = []
    for number in (1, 2, 3):
        who = email(f"person{number}@example.org")
        anchors = shop.locate(who).anchors
        shop.export(who, anchors=anchors)
        shop.verify(who, anchors=anchors)
        assert isinstance(shop.connector.reader, PostgreSQL)
        with shop.connector.reader.plain() as connection:
            prepared.append(connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone())

    assert prepared[1] == prepared[2]


def test_a_map_of_another_digest_is_refused(shop: Place) -> None:
    other = shop.system.model_copy(
        update={"collections": {name: c for name, c in shop.system.collections.items() if name != "note"}}
    )
    call = shop.call(ONE)

    for changed in ({"system": other}, {"work": call.work[1:]}):
        with pytest.raises(NeedsHuman) as caught:
            shop.connector.locate(type(call)(**{f: getattr(call, f) for f in call.__slots__} | changed))
        assert caught.value.code is Code.MAP_CHANGED


def test_without_a_writer_nothing_is_erased(shop: Place) -> None:
    from connectors.sql import build

    connector = build(shop.system, {"reader": shop.database.url})

    with pytest.raises(NeedsHuman) as caught:
        connector.erase(shop.call(ONE))

    assert caught.value.code is Code.NO_WRITER
    assert connector.locate(shop.call(ONE)).tally.found
    connector.close()
