"""Values inside documents, on every kind of database: found by people, followed by links, told to other systems."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.derived import inside
from connectors.errors import NeedsHuman
from rights.codes import Code
from rights.subject import Identity
from tests.connectors.mariadb_server import needs_mariadb
from tests.connectors.sql_anywhere import Anywhere, Make
from tests.connectors.sql_place import counted, email

HANNAH = email("hannah@example.org")
JSON = {"postgresql": "jsonb", "mariadb": "json", "sqlite": "json"}

CHATS_MAP = """
  events:
    key: [id]
    fields: {id: {}, payload: {category: behaviour}}
    derived: {mail: {of: payload, path: $.user.mail, identity: email}}
  chats:
    key: [id]
    fields: {id: {}, data: {category: free_text}}
    derived: {mail: {of: data, path: "$.members[*].mail", identity: email}}
  boards:
    key: [id]
    fields: {id: {}, data: {category: free_text}}
    derived: {mail: {of: data, path: "$.rows[*][*]", identity: email}}
"""
EVENTS = [
    {"user": {"mail": "Hannah@Example.org"}, "n": 1},
    {"user": {"mail": "ida@example.org"}},
    {"user": {"mail": {"deep": "hannah@example.org"}}},
    {"user": "hannah@example.org"},
    ["hannah@example.org"],
    "hannah@example.org",
    {},
    None,
]
CHATS = [
    {"members": [{"mail": "ida@example.org"}, {"mail": "hannah@example.org"}]},
    {"members": [{"mail": "ida@example.org"}]},
    {"members": []},
    {"members": [["hannah@example.org"], "hannah@example.org"]},
]
BOARDS = [
    {"rows": [["x", "y"], ["z", "hannah@example.org"]]},
    {"rows": [[["hannah@example.org"]]]},
    {"rows": [[]]},
    {"rows": "ida@example.org"},
]


def chats(make: Make, text: str = CHATS_MAP, kind: str = "") -> Anywhere:
    create = "".join(
        f"CREATE TABLE {name} (id int PRIMARY KEY, {column} {kind or JSON[make.engine]});"
        for name, column in (("events", "payload"), ("chats", "data"), ("boards", "data"))
    )
    made = make(create, text)
    for table, documents in (("events", EVENTS), ("chats", CHATS), ("boards", BOARDS)):
        made.insert(table, *((number, json.dumps(document)) for number, document in enumerate(documents)))
        made.insert(table, (100, None))
    return made


def ids(made: Anywhere, table: str) -> set[int]:
    return {number for (number,) in made.rows(f"SELECT id FROM {table}")}


def test_a_value_a_list_and_a_list_in_a_list_find_their_rows(make: Make) -> None:
    made = chats(make)
    before = {table: ids(made, table) for table in ("events", "chats", "boards")}
    assert counted(made.locate(HANNAH).tally, "found") == {"events": 1, "chats": 1, "boards": 1}

    assert counted(made.erase(HANNAH), "erased") == {"events": 1, "chats": 1, "boards": 1}

    assert {table: rows - ids(made, table) for table, rows in before.items()} == {
        "events": {0},
        "chats": {0},
        "boards": {0},
    }
    assert made.locate(HANNAH).tally.found == 0


@pytest.mark.parametrize("engine", [pytest.param("mariadb", marks=[needs_mariadb, pytest.mark.soak]), "sqlite"])
def test_a_document_may_lie_in_a_column_of_texts(request: pytest.FixtureRequest, engine: str) -> None:
    """Where there is no type for documents, or hardly anybody uses it; and a text may then be none."""
    make: Make = request.getfixturevalue(f"on_{engine}")
    made = chats(make, kind="text")
    made.insert("events", (101, "{"), (102, "hannah@example.org"), (103, ""), (104, "[" * 50))

    assert counted(made.locate(HANNAH).tally, "found") == {"events": 1, "chats": 1, "boards": 1}
    assert made.erase(HANNAH).changed == 3


@pytest.mark.parametrize(
    ("engine", "kind"),
    [("postgresql", "text"), pytest.param("mariadb", "blob", marks=[needs_mariadb, pytest.mark.soak])],
)
def test_a_path_into_what_holds_no_documents_is_refused(request: pytest.FixtureRequest, engine: str, kind: str) -> None:
    make: Make = request.getfixturevalue(f"on_{engine}")
    made = chats(make, kind=kind)
    with pytest.raises(NeedsHuman) as caught:
        made.locate(HANNAH)
    assert (caught.value.code, caught.value.about) == (Code.SCHEMA, "events.payload (path)")
    assert any("path leads into events.payload" in finding for finding in made.connector.check())


def test_bytes_that_may_be_a_document_of_sqlites_own_are_not_passed_over(on_sqlite: Make) -> None:
    """In JSONB nothing would be found by its text."""
    made = chats(on_sqlite)
    made.insert("chats", (7, json.dumps(CHATS[0]).encode()))
    assert counted(made.locate(HANNAH).tally, "found")["chats"] == 2, "a text in bytes is one"

    made.insert("chats", (8, b"\x8c\xff\x00"))
    with pytest.raises(NeedsHuman):
        made.locate(HANNAH)


ORDERS_MAP = """
  people:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: anonymise}
      code: {strategy: retain, ground: books}
  orders:
    key: [id]
    fields: {id: {}, data: {category: purchases}}
    derived: {buyer: {of: data, path: $.buyer.id}}
    links: [{field: buyer, to: people.id}]
  parties:
    key: [id]
    erase: redact
    fields: {id: {}, data: {}, note: {category: free_text, strategy: "null"}}
    derived: {guests: {of: data, path: "$.guests[*].code"}}
    links: [{field: guests, to: people.code}]
"""


def orders(make: Make) -> Anywhere:
    kind = JSON[make.engine]
    made = make(
        f"CREATE TABLE people (id int PRIMARY KEY, email varchar(200), code varchar(20));"
        f"CREATE TABLE orders (id int PRIMARY KEY, data {kind});"
        f"CREATE TABLE parties (id int PRIMARY KEY, data {kind}, note varchar(20))",
        ORDERS_MAP,
    )
    made.insert("people", (1, "hannah@example.org", "h-1"), (2, "ida@example.org", "i-1"))
    documents = [{"buyer": {"id": 1}}, {"buyer": {"id": "1"}}, {"buyer": {"id": 2}}, {"buyer": {"id": "01"}}, {}]
    made.insert("orders", *((number, json.dumps(document)) for number, document in enumerate(documents)))
    guests = [
        {"guests": [{"code": "i-1"}, {"code": "h-1"}]},
        {"guests": [{"code": "i-1"}]},
        {"guests": {"code": "H-1"}},
    ]
    made.insert("parties", *((number, json.dumps(one), "cake") for number, one in enumerate(guests)))
    return made


def test_links_lead_from_a_document_and_from_each_of_a_list(make: Make) -> None:
    """A number and its text are one; 01 is another. The party stays, and with it the person it names, as a shell."""
    made = orders(make)
    look = made.locate(HANNAH)
    assert counted(look.tally, "found") == {"people": 1, "orders": 2, "parties": 1}

    made.erase(HANNAH, anchors=look.anchors)

    assert ids(made, "orders") == {2, 3, 4}
    assert made.rows("SELECT id, note FROM parties ORDER BY id") == [(0, None), (1, "cake"), (2, "cake")]
    ((address,),) = made.rows("SELECT email FROM people WHERE id = 1")
    assert address.startswith("anonymous-")
    assert made.rows("SELECT email FROM people WHERE id = 2") == [("ida@example.org",)]
    assert made.verify(HANNAH, anchors=look.anchors).tally.left == 0


def test_a_document_leads_to_rows_whose_parent_is_gone(make: Make) -> None:
    made = orders(make)
    anchors = made.locate(HANNAH).anchors
    made.run("DELETE FROM people WHERE id = 1")

    assert counted(made.verify(HANNAH, anchors=anchors).tally, "found") == {"orders": 2, "parties": 1}


YIELDING = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, files: {category: documents, yields: object_key}}
"""


def test_a_column_that_holds_a_list_yields_each_of_its_values(make: Make) -> None:
    made = make(f"CREATE TABLE people (id int PRIMARY KEY, email varchar(200), files {JSON[make.engine]})", YIELDING)
    files = ["a.pdf", "A.pdf", 7, None, "", {"no": "key"}, ["b.pdf"], "größe.pdf"]
    made.insert("people", (1, "hannah@example.org", json.dumps(files)), (2, "ida@example.org", '["i.pdf"]'))

    links = made.locate(HANNAH).links

    told = {"a.pdf", "A.pdf", "7", "b.pdf", "größe.pdf"}
    assert {(one.kind, one.value) for one in links} == {("object_key", value) for value in told}
    made.run("UPDATE people SET files = '\"one.pdf\"' WHERE id = 1")
    assert made.locate(HANNAH).links == (Identity("object_key", "one.pdf"),)


def test_what_is_no_document_in_a_column_for_documents_is_one_value(on_sqlite: Make) -> None:
    """Nobody checks there what a column holds, and nothing that leads on is passed over."""
    made = on_sqlite("CREATE TABLE people (id int PRIMARY KEY, email text, files json)", YIELDING)
    made.insert("people", (1, "hannah@example.org", "a.pdf"))

    assert made.locate(HANNAH).links == (Identity("object_key", "a.pdf"),)


def test_a_checked_column_of_texts_yields_each_of_its_values(on_sqlite: Make) -> None:
    """A strict table knows no type for documents."""
    made = on_sqlite(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, files TEXT CHECK (json_valid(files))) STRICT",
        YIELDING,
    )
    made.insert("people", (1, "hannah@example.org", '["a.pdf", "b.pdf"]'))

    assert {one.value for one in made.locate(HANNAH).links} == {"a.pdf", "b.pdf"}


VALUES = ("0", "1", "2", "true", "false", "x y")
leaf = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["", *VALUES]))


def above(below: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(leaf, st.lists(below, max_size=3), st.dictionaries(st.sampled_from(["a", "b"]), below, max_size=2))


trees = above(above(above(above(leaf))))
paths = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4).map(tuple)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees, steps=paths)
def test_a_path_reads_what_the_reference_reads(make: Make, tree: object, steps: tuple[str, ...]) -> None:
    """Lists are looked into, and one value is a list of one, however deep and whatever lies beside it."""
    path = "$" + "".join("[*]" if step == "*" else f".{step}" for step in steps)
    made = make(
        f"DROP TABLE IF EXISTS docs; CREATE TABLE docs (id int PRIMARY KEY, doc {JSON[make.engine]})",
        "  docs:\n    key: [id]\n    fields: {id: {}, doc: {}}\n"
        f"    derived: {{who: {{of: doc, path: '{path}', identity: person}}}}\n",
    )
    made.insert("docs", (1, json.dumps(tree)))

    found = {value for value in VALUES if made.locate(Identity("person", value)).tally.found}

    expected = inside(json.dumps(tree), steps)
    assert found == set(expected if "*" in steps else expected[:1])
    made.close()


def test_an_array_is_read_as_the_list_it_is(on_postgresql: Make) -> None:
    made = on_postgresql(
        "CREATE TABLE people (id int PRIMARY KEY, mails text[])",
        "  people:\n    key: [id]\n    fields: {id: {}, mails: {category: contact}}\n"
        '    derived: {mail: {of: mails, path: "$[*]", identity: email}}\n',
    )
    made.insert("people", (1, ["x@example.org", "Hannah@example.org"]), (2, ["ida@example.org"]), (3, None), (4, []))

    assert made.locate(HANNAH).tally.found == 1
