"""Whatever is wrong with a map file is said with file, line and path, and what to write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.mapfile import MapErrors, read_map
from tests.rights.builders import SHOP, wrong


def test_a_good_map_is_read() -> None:
    system = read_map({"shop.yaml": SHOP}).systems["shop"]

    assert system.parents_first == ("customers", "orders")
    assert system.collections["customers"].fields["email"].casefold


def test_no_file_is_said() -> None:
    with pytest.raises(MapErrors, match="no file is given"):
        read_map({})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("owner:", "ownr:", "shop.yaml:2: ownr: 'ownr' is not a key here; did you mean 'owner'?"),
        ("owner: commerce\n", "", "shop.yaml:1: the file: 'owner' is missing: add owner: ..."),
        (
            "note: {category: free_text}",
            "retention: {categry: free_text}",
            "shop.yaml:16: collections.orders.fields.retention.categry: "
            "'categry' is not a key here; did you mean 'category'?",
        ),
        (
            "{field: customer_id, to: customers.id}",
            "{field: customer_id, to: customers.id, kinde: unique}",
            "shop.yaml:18: collections.orders.links[0].kinde: 'kinde' is not a key here; did you mean 'kind'?",
        ),
        (
            "{category: free_text}",
            "{category: free_text, colour: red}",
            "shop.yaml:16: collections.orders.fields.note.colour: 'colour' is not a key here; write one of: "
            "identity, match, sharing, category, yields, strategy, value, to, ground, search, channel, changed, export",
        ),
        ("connector: memory", "connector: memory\nmode: dry", "mode: write one of: 'observe', 'approve' or 'auto'"),
        ("owner: commerce", "owner: yes", "owner: write a text; put it in quotes"),
        ("      note:", "      yes:", "shop.yaml:16: collections.orders.fields: this key is not read as a text"),
        ("      note:", "      7:", "put it in quotes"),
        ("{category: free_text}", "", "collections.orders.fields.note: write settings below it, or {}"),
        (
            "{category: free_text}",
            "{strategy: constant, value: [1]}",
            "collections.orders.fields.note.value: write a text, a number, true or false",
        ),
        ("    links:\n      - {", "    links:\n      {", "collections.orders.links: write a list"),
        ("customers.id}", "customers.number}", "collections.orders: the link to 'customers.number' leads nowhere"),
        ("customers.id}", "customers}", "leads nowhere: write collection.field"),
        ("customers.id}", "orders.id}", "collections.orders: no identity leads here"),
        (
            "connector: memory",
            "connector: memory\nconnection: {reader: 'postgres://u:hunter2@h'}",
            "connection.reader: a secret is named, never written here: env:NAME or file:/path",
        ),
        ("connector: memory", "connector: memory\nowner: x", "this key stands here twice (first on line 2)"),
        ("system: shop", "system: The Shop", "system: name the system in lower case"),
        (
            "      id: {}\n      email",
            "      email",
            "collections.customers: key names 'id', which is not under fields",
        ),
        ("key: [id]", "key: []", "key is empty: name the fields"),
        ("identity: email", "identity: E-Mail", "lower-case word such as email"),
        (", identity: email", "", "no field holds an identity that is followed, so nobody can be found"),
        ("identity: email", "identity: email, sharing: hint", "no field holds an identity that is followed"),
        ("    links:", "    connections:", "'connections' is not a key here"),
        ("      note:", "      'no`te':", "collections.orders: 'no`te' is not a usable name"),
        ("  orders:", "  my orders:", "collections.my orders: 'my orders' is not a usable name"),
        ("connector: memory", "connector: memory\nmax_people_per_hour: 0", "greater than or equal to 1"),
        ("connector: memory", "connector: memory\nfeeds: [crm]", "no file describes the system 'crm'"),
        ("connector: memory", "connector: memory\nfeeds: [shop]", "feed each other in a circle, shop -> shop"),
    ],
)
def test_a_fault_is_said_where_it_stands_with_what_to_write(old: str, new: str, said: str) -> None:
    assert old in SHOP

    lines = wrong(SHOP.replace(old, new, 1))

    assert any(said in line for line in lines), lines
    assert all(line.startswith("shop.yaml:") for line in lines)


def test_a_secret_written_into_the_map_is_not_repeated() -> None:
    lines = wrong(SHOP.replace("connector: memory", "connector: memory\nconnection: {reader: 'pg://u:hunter2@h'}"))

    assert lines
    assert "hunter2" not in "".join(lines)


def test_one_place_has_one_fault() -> None:
    assert len(wrong(SHOP + "options: {a: {b: c}}\n")) == 1


def test_every_fault_of_a_file_is_said_at_once() -> None:
    assert len(wrong(SHOP.replace("owner:", "ownr:").replace("{category: free_text}", "{categry: x}"))) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "just a text",
        "a: b: c",
        "a: 1\n---\nb: 2",
        "\0",
        "\t",
        "{[1, 2]: 3}",
        "? {a: b}\n: c",
        "a: !!python/object/apply:os.system [echo]",
        "a: &a [*a]",
        "a: &a {b: 1}\n<<: *a",
        "[" * 1000,
        "max_people_per_hour: " + "9" * 5000,
        SHOP + "max_people_per_hour: " + "9" * 5000,
        "x" * 1_000_000,
    ],
)
def test_what_is_no_map_at_all_is_one_clear_sentence(text: str) -> None:
    (line,) = wrong(text)

    assert line.startswith("shop.yaml:")
    assert len(line) < 200


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail_in_any_other_way(text: str) -> None:
    assert wrong(text)


@given(st.data())
def test_a_map_cut_or_changed_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SHOP)))
    text = SHOP[:at] + data.draw(st.text(max_size=5)) + SHOP[at + data.draw(st.integers(0, 30)) :]

    for line in wrong(text):
        assert line.startswith("shop.yaml:")


def test_a_key_with_a_line_s_end_in_it_is_named_in_one_line() -> None:
    (line,) = wrong(SHOP.replace("{category: free_text}", '{category: free_text, "c\\n\\u2028": 1}'))

    assert line.startswith("shop.yaml:")
    assert "'c\\n\\u2028' is not a key here" in line


def test_a_date_in_a_map_is_a_text() -> None:
    text = SHOP.replace("{category: free_text}", "{category: free_text, strategy: constant, value: 1900-01-01}")

    note = read_map({"shop.yaml": text}).systems["shop"].collections["orders"].fields["note"]

    assert note.value == "1900-01-01"


def test_a_bare_null_is_the_strategy() -> None:
    text = SHOP.replace("{category: free_text}", "{category: free_text, strategy: null}")

    note = read_map({"shop.yaml": text}).systems["shop"].collections["orders"].fields["note"]

    assert note.strategy == "null"


def test_one_file_describes_one_system() -> None:
    with pytest.raises(MapErrors, match=r"copy\.yaml:1: system: 'shop' is already described in shop\.yaml"):
        read_map({"shop.yaml": SHOP, "copy.yaml": SHOP})


def test_systems_that_feed_each_other_are_refused() -> None:
    crm = SHOP.replace("system: shop", "system: crm\nfeeds: [shop]")
    shop = SHOP.replace("system: shop", "system: shop\nfeeds: [crm]")

    with pytest.raises(MapErrors, match="feed each other in a circle"):
        read_map({"shop.yaml": shop, "crm.yaml": crm})
