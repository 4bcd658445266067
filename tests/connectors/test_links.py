"""What a person's rows say that other systems know the person by: exact, complete, and of this person alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.conformance import Trial
from connectors.errors import NeedsHuman
from connectors.links import MOST, Links
from connectors.protocol import Look
from rights.codes import Code
from rights.datamap import Field
from rights.subject import Identity, Sharing
from tests.conftest import Database
from tests.connectors.memory_bench import MemoryBench
from tests.connectors.sql_place import Place, email, place
from tests.connectors.test_http_steps import MAP as SMALL
from tests.connectors.test_http_steps import Server, Small, server

__all__ = ["server"]

KEYS = st.text(alphabet="aAäÄßé/.-_ 1", min_size=1, max_size=4)
ANNA = email("anna@example.org")
TABLES = """
CREATE EXTENSION citext;
CREATE TABLE customers (id bigint PRIMARY KEY, email text, login text, device text, phone text, referrer text,
  vendor bigint, keys text[], files jsonb, cover citext);
CREATE TABLE documents (id bigint PRIMARY KEY, customer bigint, object_key citext);
CREATE INDEX ON documents (customer);
"""
MAP = """
  customers:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email}
      login: {category: contact, identity: login, match: casefold}
      device: {category: contact, identity: device}
      phone: {category: contact, identity: phone, sharing: shared}
      referrer: {category: contact, identity: referrer, sharing: hint}
      vendor: {yields: vendor_customer}
      keys: {yields: object_key}
      files: {yields: object_key}
      cover: {yields: object_key}
  documents:
    key: [id]
    fields: {id: {}, customer: {}, object_key: {yields: object_key}}
    links: [{field: customer, to: customers.id}]
"""


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, TABLES, MAP) as made:
        made.door.execute(
            "INSERT INTO customers VALUES"
            " (1, 'anna@example.org', 'Anna', 'D-1', '+49 30 1', 'ref', 4711, '{a/A.pdf,a/a.pdf,NULL,\"\"}',"
            '  \'["b/1.pdf", ["b/2.pdf"], 7, null, {"size": 12}]\', \'Cover.png\'),'
            " (2, 'ben@example.org', 'ben', 'd-1', '+49 30 2', 'ref', 4712, '{c/1.pdf}', '\"c/2.pdf\"', 'cover.png')"
        )
        yield made


def told(look: Look, kind: str) -> set[str]:
    return {link.value for link in look.links if link.kind == kind}


def test_a_column_that_lists_keys_tells_each_of_them(shop: Place) -> None:
    look = shop.locate(ANNA)

    assert told(look, "object_key") == {"a/A.pdf", "a/a.pdf", "b/1.pdf", "b/2.pdf", "7", "Cover.png"}
    assert told(look, "vendor_customer") == {"4711"}
    assert told(shop.locate(email("ben@example.org")), "object_key") == {"c/1.pdf", "c/2.pdf", "cover.png"}


def test_shared_identities_and_hints_are_told_to_nobody(shop: Place) -> None:
    assert {link.kind for link in shop.locate(ANNA).links} == {"login", "device", "vendor_customer", "object_key"}


def test_twenty_thousand_keys_of_one_person_are_told_to_the_letter(shop: Place) -> None:
    shop.door.execute(
        "INSERT INTO documents SELECT n, 1, CASE n % 2 WHEN 0 THEN 'docs/Q' ELSE 'docs/q' END || n / 2 || '.pdf'"
        " FROM generate_series(1, 20000) n"
    )
    shop.door.execute("INSERT INTO documents VALUES (0, 2, 'docs/ben.pdf')")
    expected = {key for (key,) in shop.rows("SELECT object_key FROM documents WHERE customer = 1")}
    assert len(expected) == 20_000

    look = shop.locate(ANNA)

    assert {value for value in told(look, "object_key") if value.startswith("docs/")} == expected
    again = shop.locate(ANNA, *look.links)
    assert (again.links, again.tally) == ((), look.tally)


def test_more_than_can_be_followed_are_a_task_and_not_left_out(shop: Place) -> None:
    shop.door.execute("INSERT INTO documents SELECT n, 1, 'k' || n FROM generate_series(1, %s) n", [MOST + 1])

    with pytest.raises(NeedsHuman) as caught:
        shop.locate(ANNA)

    assert (caught.value.code, caught.value.about) == (Code.TOO_MANY_LINKS, "shop")


def test_whether_case_makes_a_difference_is_said_by_the_field(shop: Place) -> None:
    # The login ignores case, as the map says; the device does not, as nothing is said.
    look = shop.locate(ANNA, Identity("login", "ANNA", Sharing.SHARED), Identity("device", "d-2"))

    assert (told(look, "login"), told(look, "device")) == (set(), {"D-1"})


def test_an_identity_that_was_given_as_shared_is_not_made_unique_by_a_row(shop: Place) -> None:
    look = shop.locate(ANNA, Identity("device", "D-1", Sharing.SHARED))

    assert told(look, "device") == set()


def test_a_key_that_an_erasure_emptied_is_told_no_more(database: Database) -> None:
    text = MAP.replace("key: [id]", "key: [id]\n    erase: redact", 1)
    for name in ("email", "login", "device", "phone", "referrer"):
        text = text.replace(
            f"      {name}: {{category: contact", f'      {name}: {{category: contact, strategy: "null"'
        )
    text = text.replace("keys: {yields: object_key}", 'keys: {yields: object_key, strategy: "null"}')
    with place(database, TABLES, text) as made:
        made.door.execute("INSERT INTO customers (id, email, keys) VALUES (1, 'anna@example.org', '{a,b}')")
        look = made.locate(ANNA)
        assert told(look, "object_key") == {"a", "b"}
        made.erase(ANNA, anchors=look.anchors)

        assert made.rows("SELECT email, keys FROM customers") == [(None, None)]
        assert made.verify(ANNA, anchors=look.anchors).links == ()


def test_a_vendors_answer_is_told_to_the_letter(server: Server, tmp_path: Path) -> None:
    rows = [{"id": key, "email": ANNA.value} for key in ("Cus_A", "cus_a", "cus_B")]
    server.answer = lambda *asked: (200, {"people": rows})
    yielding = SMALL.replace("{id: {},", "{id: {yields: vendor_customer},")
    small = Small(server, tmp_path, "- {call: GET /people, rows: people}", map_text=yielding)

    look = small.connector.locate(small.call())

    assert told(look, "vendor_customer") == {"Cus_A", "cus_a", "cus_B"}
    small.connector.close()


def test_a_list_in_memory_tells_each_of_its_values() -> None:
    bench = MemoryBench()
    bench.store.rows["customers"] = [{"id": 1, "number": "1", "email": ANNA.value}]
    bench.store.rows["orders"] = [{"id": 7, "customer": 1, "scan": ["A", "a", ["b", None], {"c": "d"}, ""]}]
    look = bench.connector.locate(Trial(bench).call((ANNA,)))

    assert told(look, "object_key") == {"A", "a", "b"}


@given(st.lists(KEYS), st.lists(KEYS))
def test_all_that_is_not_known_is_told_once_and_as_it_is(known: list[str], values: list[str]) -> None:
    links = Links(Trial(MemoryBench()).call([Identity("object_key", value) for value in known]))
    about = Field(yields="object_key")
    for value in values:
        links.add(about, value)

    assert [link.value for link in links.found] == list(dict.fromkeys(v for v in values if v not in known))
