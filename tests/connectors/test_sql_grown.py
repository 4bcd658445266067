"""Schemas as they have grown, on every kind of database: what can stand in one is found, exported and erased whole."""

import json

import pytest

from rights.subject import Identity
from tests.connectors.sql_anywhere import Anywhere, Make
from tests.connectors.sql_place import counted, email, gone

HANNAH, IDA = email("hannah@example.org"), email("ida@example.org")
PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, email varchar(200));"
PEOPLE_MAP = (
    "  people:\n    key: [id]\n    fields: {id: {}, email: {category: contact, identity: email, strategy: anonymise}}\n"
)
QUOTE = {"postgresql": '"', "mariadb": "`", "sqlite": '"'}


def peopled(make: Make, create: str, text: str, **options: int) -> Anywhere:
    made = make(PEOPLE + create, PEOPLE_MAP + text, **options)
    made.insert("people", (1, "hannah@example.org"), (2, "ida@example.org"))
    return made


def taken(made: Anywhere, *, erased: dict[str, int]) -> None:
    """Erase Hannah, and see by whole dumps that this went and nothing else."""
    before = made.dump()
    look = made.locate(HANNAH)
    assert counted(look.tally, "found") == erased
    assert counted(made.erase(HANNAH, anchors=look.anchors), "erased") == erased
    assert sorted(gone(before, made.dump()).values()) == sorted(erased.values())
    assert made.verify(HANNAH, anchors=look.anchors).tally.left == 0


@pytest.mark.parametrize("batch", [10_000, 1])
@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("varchar(20)", ["A'1", "a'1", "ä ", "ü\\"]),
        ("decimal(20,5)", ["1.50000", "15.00000", "12345678901234.56789", "-1.00000"]),
        ("date", ["2024-02-29", "2024-03-01", "1999-12-31", "2000-01-01"]),
        ("bigint", [2**63 - 1, -(2**63), 0, 7]),
    ],
)
def test_a_key_may_be_of_any_type_and_of_several_columns(make: Make, kind: str, keys: list[object], batch: int) -> None:
    exact = " COLLATE utf8mb4_nopad_bin" if make.engine == "mariadb" and "char" in kind else ""
    made = peopled(
        make,
        f"CREATE TABLE things (place {kind}{exact} NOT NULL, no int NOT NULL, person int, PRIMARY KEY (place, no));"
        f"CREATE TABLE parts (id {kind}{exact} PRIMARY KEY, place {kind}{exact}, no int)",
        '  things:\n    key: [place, "no"]\n    fields: {place: {}, "no": {}, person: {}}\n'
        '    derived: {whole: {of: [place, "no"]}}\n    links: [{field: person, to: people.id}]\n'
        '  parts:\n    key: [id]\n    fields: {id: {}, place: {}, "no": {}}\n'
        '    derived: {whole: {of: [place, "no"]}}\n    links: [{field: whole, to: things.whole}]\n',
        batch_rows=batch,
    )
    for number, key in enumerate(keys):
        made.insert("things", (key, 1, 1 + number % 2), (key, 2, 2))
        made.insert("parts", (key, key, 1))

    taken(made, erased={"people": 1, "things": 2, "parts": 2})


def test_a_diamond_is_one_row_however_many_ways_lead_to_it(make: Make) -> None:
    made = peopled(
        make,
        "CREATE TABLE orders (id int PRIMARY KEY, person int); CREATE TABLE addresses (id int PRIMARY KEY, person int);"
        "CREATE TABLE deliveries (id int PRIMARY KEY, order_id int, address_id int)",
        "  orders:\n    key: [id]\n    fields: {id: {}, person: {}}\n    links: [{field: person, to: people.id}]\n"
        "  addresses:\n    key: [id]\n    fields: {id: {}, person: {}}\n    links: [{field: person, to: people.id}]\n"
        "  deliveries:\n    key: [id]\n    fields: {id: {}, order_id: {}, address_id: {}}\n"
        "    links: [{field: order_id, to: orders.id}, {field: address_id, to: addresses.id}]\n",
    )
    made.insert("orders", (1, 1), (2, 2))
    made.insert("addresses", (1, 1), (2, 2))
    # Both ways, one of them each, and neither.
    made.insert("deliveries", (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 1, None), (5, None, 1), (6, 2, 2), (7, None, None))

    taken(made, erased={"people": 1, "orders": 1, "addresses": 1, "deliveries": 5})


def test_a_table_reached_by_two_paths_is_counted_once(make: Make) -> None:
    """A message lies in a thread of the person's, or is written by the person in another's, or both."""
    made = peopled(
        make,
        "CREATE TABLE threads (id int PRIMARY KEY, owner int);"
        "CREATE TABLE messages (id int PRIMARY KEY, thread int, sender int)",
        "  threads:\n    key: [id]\n    fields: {id: {}, owner: {}}\n    links: [{field: owner, to: people.id}]\n"
        "  messages:\n    key: [id]\n    fields: {id: {}, thread: {}, sender: {}}\n"
        "    links: [{field: thread, to: threads.id}, {field: sender, to: people.id}]\n",
    )
    made.insert("threads", (1, 1), (2, 2))
    made.insert("messages", (1, 1, 1), (2, 1, None), (3, 2, 1), (4, 2, 2))

    taken(made, erased={"people": 1, "threads": 1, "messages": 3})


def test_a_polymorphic_link_holds_in_its_rows_only_and_needs_no_foreign_key(make: Make) -> None:
    made = peopled(
        make,
        "CREATE TABLE files (id int PRIMARY KEY, owner_type varchar(20), owner_id varchar(20))",
        "  files:\n    key: [id]\n    fields: {id: {}, owner_type: {}, owner_id: {}}\n"
        "    derived: {person: {of: owner_id, when: {owner_type: Person}}}\n"
        "    links: [{field: person, to: people.id}]\n",
    )
    kinds = [("Person", "1"), ("person", "1"), ("Invoice", "1"), ("Person", "01"), ("Person", ""), ("Person", "2")]
    made.insert("files", *((number, *row) for number, row in enumerate(kinds)), (7, None, "1"))

    taken(made, erased={"people": 1, "files": 1})


def test_names_may_be_quoted_mixed_and_reserved(make: Make) -> None:
    q = QUOTE[make.engine]
    made = peopled(
        make,
        f"CREATE TABLE {q}Order{q} ({q}select{q} int PRIMARY KEY, {q}From{q} int, {q}user-data{q} varchar(20))",
        "  orders:\n    name: Order\n    key: [select]\n    fields: {select: {}, From: {}, user-data: {category: x}}\n"
        "    links: [{field: From, to: people.id}]\n",
    )
    made.insert(f"{q}Order{q}", (1, 1, "tea"), (2, 2, "milk"))

    assert json.loads(made.export(HANNAH)["orders", "application/x-ndjson"]) == {
        "select": 1,
        "From": 1,
        "user-data": "tea",
    }
    taken(made, erased={"people": 1, "orders": 1})


def test_rows_that_only_bear_a_mark_of_deletion_are_found_and_truly_erased(make: Make) -> None:
    made = peopled(
        make,
        "CREATE TABLE notes (id int PRIMARY KEY, person int, body varchar(20), deleted_at timestamp NULL)",
        "  notes:\n    key: [id]\n    fields: {id: {}, person: {}, body: {category: free_text}, deleted_at: {}}\n"
        "    links: [{field: person, to: people.id}]\n",
    )
    made.insert("notes", (1, 1, "x", "2024-01-01 00:00:00"), (2, 1, "y", None), (3, 2, "z", "2024-01-01 00:00:00"))

    taken(made, erased={"people": 1, "notes": 2})


VALUES = {
    "postgresql": {
        "amount": ("numeric(30,10)", "12345678901234567890.0123456789", "12345678901234567890.0123456789"),
        "at": ("timestamptz(6)", "2024-02-29 12:00:00.123456+00", "2024-02-29T12:00:00.123456+00:00"),
        "raw": ("bytea", b"\xff\x00\x0a", "\\xff000a"),
        "flag": ("bool", True, "true"),
        "day": ("date", "0999-12-31", "0999-12-31"),
    },
    "mariadb": {
        "amount": ("decimal(30,10)", "12345678901234567890.0123456789", "12345678901234567890.0123456789"),
        "at": ("datetime(6)", "2024-02-29 12:00:00.123456", "2024-02-29 12:00:00.123456"),
        "stamp": ("timestamp(3) NULL", "2024-02-29 12:00:00.123", "2024-02-29 12:00:00.123"),
        "raw": ("varbinary(20)", b"\xff\x00\x0a", "\\xff000a"),
        "picture": ("mediumblob", b"\x89PNG", "\\x89504e47"),
        "flag": ("bit(3)", 5, "5"),
        "year": ("year", 2024, "2024"),
        "colour": ("enum('red','Blue')", "Blue", "Blue"),
        "tags": ("set('a','b','c')", "a,c", "a,c"),
        "half": ("double", 0.1, "0.1"),
        "big": ("bigint unsigned", 18446744073709551615, "18446744073709551615"),
        "day": ("date", "0999-12-31", "0999-12-31"),
        "took": ("time(2)", "-12:30:00.25", "-12:30:00.25"),
        "doc": ("json", '{"b": [1, 1.10]}', '{"b": [1, 1.10]}'),
    },
    "sqlite": {
        "amount": ("TEXT", "12345678901234567890.0123456789", "12345678901234567890.0123456789"),
        "at": ("DATETIME", "2024-02-29 12:00:00.123456", "2024-02-29 12:00:00.123456"),
        "raw": ("BLOB", b"\xff\x00\x0a", "\\xff000a"),
        "half": ("REAL", 0.1, "0.1"),
        "big": ("INTEGER", 2**63 - 1, str(2**63 - 1)),
        "text_in_a_number": ("INTEGER", "seven", "seven"),
        "number_in_a_text": ("TEXT", 7, "7"),
        "doc": ("JSON", '{"b": [1, 1.10]}', '{"b": [1, 1.10]}'),
    },
}


def test_values_of_every_type_come_out_as_they_went_in(make: Make) -> None:
    """Numbers lose no digit, times no fraction, bytes no bit: in both files of an export, and as an identity."""
    values = VALUES[make.engine]
    fields = "".join(f", {name}: {{category: x, identity: {name}, match: exact}}" for name in values)
    made = peopled(
        make,
        "CREATE TABLE things (id int PRIMARY KEY, person int"
        + "".join(f", {name} {kind}" for name, (kind, *_) in values.items())
        + ")",
        f"  things:\n    key: [id]\n    fields: {{id: {{}}, person: {{}}{fields}}}\n"
        "    links: [{field: person, to: people.id}]\n",
    )
    made.insert("things", (1, 1, *(value for _, value, _ in values.values())), (2, 2, *([None] * len(values))))
    (line,) = made.export(HANNAH)["things", "application/x-ndjson"].splitlines()
    told = json.loads(line, parse_float=str)

    for name, (_, _, said) in values.items():
        got = told[name] if isinstance(told[name], str) else json.dumps(told[name])
        assert got == said, name
        assert made.locate(Identity(name, said)).tally.of("things").found == 1, name
    taken(made, erased={"people": 1, "things": 1})
