"""A row that is more than one person's: what is somebody else's is neither given out nor taken."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import Gate
from connectors.errors import Held, NeedsHuman
from connectors.protocol import Correction, Rulings
from connectors.sql import build
from rights.codes import Code
from rights.receipt import Tally, keep_books
from rights.sharing import GROUND
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.shared_place import InMariaDB, InMemory, InPostgreSQL, InSQLite, Place, Rows, system_of
from tests.connectors.sql_place import counted

Make = Callable[..., Place]
_numbers = count(1)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture(
    params=[
        "memory",
        "postgresql",
        # Several times as many statements, which are compiled anew for each place.
        pytest.param("sqlite", marks=pytest.mark.soak),
        pytest.param("mariadb", marks=[needs_mariadb, pytest.mark.soak]),
    ]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes one system, in one kind of place."""
    with ExitStack() as stack:

        def made(text: str, create: str, rows: Rows, **options: int) -> Place:
            system = system_of(text, "memory" if request.param == "memory" else "sql", **options)
            place: Place
            if request.param == "memory":
                place = InMemory(system, rows)
            elif request.param == "sqlite":
                place = InSQLite(system, create, rows, tmp_path / "shop.db")
            elif request.param == "mariadb":
                server, name = request.getfixturevalue("mariadb"), f"shared_{next(_numbers)}"
                server.create_database(name)
                place = InMariaDB(system, create, rows, server, name)
            else:
                place = InPostgreSQL(system, create, rows, request.getfixturevalue("database"))
            stack.callback(place.close)
            return place

        yield made


USERS = """
  users:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: anonymise}
      name: {category: name, strategy: constant, value: erased}
"""
MESSAGES = """
  messages:
    key: [id]
    links:
      - {field: sender_id, to: users.id, kind: shared, shared: TREATMENT, fields: [sender_name, body, sent_at]}
      - {field: recipient_id, to: users.id, kind: shared, shared: TREATMENT, fields: [recipient_name, body, sent_at]}
    fields:
      id: {}
      sender_id: {strategy: null}
      recipient_id: {strategy: null}
      sender_name: {category: name, strategy: constant, value: erased}
      recipient_name: {category: name, strategy: constant, value: erased}
      body: {category: free_text, strategy: null}
      sent_at: {}
      moderator: {category: name}
  attachments:
    key: [id]
    links: [{field: message_id, to: messages.id, kind: shared, shared: TREATMENT}]
    fields: {id: {}, message_id: {}, file: {category: free_text}}
"""
TABLES = """
CREATE TABLE users (id integer PRIMARY KEY, email varchar(100), name varchar(100));
CREATE TABLE messages (id integer PRIMARY KEY, sender_id integer, recipient_id integer,
  sender_name varchar(100), recipient_name varchar(100), body varchar(100), sent_at varchar(100),
  moderator varchar(100),
  FOREIGN KEY (sender_id) REFERENCES users (id), FOREIGN KEY (recipient_id) REFERENCES users (id));
CREATE TABLE attachments (id integer PRIMARY KEY, message_id integer, file varchar(100),
  FOREIGN KEY (message_id) REFERENCES messages (id));
"""
WHO = {1: "anna", 2: "ben", 3: "cleo"}


def users(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": number, "email": f"{WHO[number]}@example.org", "name": WHO[number]} for number in numbers]


def message(number: int, sender: int | None, recipient: int | None) -> dict[str, Any]:
    return {
        "id": number,
        "sender_id": sender,
        "recipient_id": recipient,
        "sender_name": f"{sender} says",
        "recipient_name": f"{recipient} hears",
        "body": f"body {number}",
        "sent_at": "2026-01-01",
        "moderator": f"moderator {number}",
    }


def letters() -> Rows:
    """Anna to Ben, Ben to Anna, Anna to herself, Anna to nobody, Ben to Cleo; each with an attachment."""
    pairs = [(1, 2), (2, 1), (1, 1), (1, None), (2, 3)]
    messages = [message(number, *pair) for number, pair in enumerate(pairs, start=1)]
    files = [{"id": 10 + m["id"], "message_id": m["id"], "file": f"file {m['id']}"} for m in messages]
    return {"users": users(1, 2, 3), "messages": messages, "attachments": files}


def talk(make: Make, treatment: str, rows: Rows | None = None, **options: int) -> Place:
    return make(USERS + MESSAGES.replace("TREATMENT", treatment), TABLES, rows or letters(), **options)


def kept(tally: Tally) -> dict[str, dict[str, int]]:
    return {c.collection: {k.ground: k.rows for k in c.kept} for c in tally.counts if c.kept}


def test_a_message_of_two_is_found_for_each(make: Make) -> None:
    place = talk(make, "redact")

    assert counted(place.locate("anna").tally, "found") == {"users": 1, "messages": 4, "attachments": 4}
    assert counted(place.locate("cleo").tally, "found") == {"users": 1, "messages": 1, "attachments": 1}


@pytest.mark.parametrize("treatment", ["keep", "redact"])
def test_an_export_holds_nothing_of_the_other(make: Make, treatment: str) -> None:
    given = talk(make, treatment).export("anna")

    to_ben, from_ben, to_herself, to_nobody = given["messages"]
    mine = {"sender_id": 1, "sender_name": "1 says", "body": "body 1", "sent_at": "2026-01-01"}
    blank = {"recipient_id": None, "recipient_name": None, "moderator": None}
    assert to_ben == {"id": 1, **mine, **blank}
    assert from_ben == {
        "id": 2, "recipient_id": 1, "recipient_name": "1 hears", "body": "body 2", "sent_at": "2026-01-01",
        "sender_id": None, "sender_name": None, "moderator": None,
    }  # fmt: skip
    assert to_herself == message(3, 1, 1)
    # What names somebody who is not in the system is still not Anna's.
    assert to_nobody == {**message(4, 1, None), "recipient_name": None}
    assert given["attachments"] == [
        {"id": 11, "message_id": 1, "file": None},
        {"id": 12, "message_id": 2, "file": None},
        {"id": 13, "message_id": 3, "file": "file 3"},
        {"id": 14, "message_id": 4, "file": "file 4"},
    ]


@pytest.mark.parametrize("batch", [10_000, 1])
def test_keep_leaves_the_row_and_says_so(make: Make, batch: int) -> None:
    place = talk(make, "keep", batch_rows=batch)
    before = place.dump()

    look = place.erased("anna")

    after = place.dump()
    assert set(before["messages"]) - set(after["messages"]) == {(3,), (4,)}, "those that were hers alone"
    assert set(before["attachments"]) - set(after["attachments"]) == {(13,), (14,)}
    for name in ("messages", "attachments"):
        assert all(after[name][key] == before[name][key] for key in after[name])
    assert after["users"].keys() == before["users"].keys(), "what they point to stays as a shell"
    assert after["users"][1,]["name"] == "erased"
    assert "anna" not in str(after["users"])
    assert {key: after["users"][key] for key in ((2,), (3,))} == {key: before["users"][key] for key in ((2,), (3,))}
    assert kept(look.tally) == {"messages": {GROUND: 2}, "attachments": {GROUND: 2}}
    assert look.tally.left == 0


@pytest.mark.parametrize("batch", [10_000, 1])
def test_redact_takes_this_persons_part_and_leaves_the_other_his(make: Make, batch: int) -> None:
    place = talk(make, "redact", batch_rows=batch)
    before = place.dump()

    look = place.erased("anna")

    after = place.dump()
    assert set(before["messages"]) - set(after["messages"]) == {(3,), (4,)}
    assert set(before["attachments"]) - set(after["attachments"]) == {(13,), (14,)}
    assert set(before["users"]) - set(after["users"]) == {(1,)}, "nothing points to her any more"
    assert after["messages"][1,] == {**before["messages"][1,], "sender_id": None, "sender_name": "erased"}
    assert after["messages"][2,] == {**before["messages"][2,], "recipient_id": None, "recipient_name": "erased"}
    assert after["messages"][5,] == before["messages"][5,]
    # The body is Ben's as well, so it stays; that it is kept is said.
    assert kept(look.tally) == {"messages": {GROUND: 2}, "attachments": {GROUND: 2}}
    assert look.tally.left == 0


@pytest.mark.parametrize("treatment", ["keep", "redact"])
@pytest.mark.parametrize("batch", [10_000, 1])
def test_the_last_of_them_takes_the_rest(make: Make, treatment: str, batch: int) -> None:
    place = talk(make, treatment, batch_rows=batch)
    first = place.locate("anna").anchors
    place.erase("anna", first)

    look = place.erased("ben")

    after = place.dump()
    assert set(after["messages"]) == {(5,)}
    assert set(after["attachments"]) == {(15,)}
    assert kept(look.tally) == {"messages": {GROUND: 1}, "attachments": {GROUND: 1}}
    assert look.tally.left == 0
    assert "anna" not in str(after)
    # Where the row was kept, what was left of her for its sake is not needed any more.
    assert counted(place.verify("anna", first).tally, "left") == ({} if treatment == "redact" else {"users": 1})
    place.erase("anna", first)
    assert set(place.dump()["users"]) == {(2,), (3,)} if treatment == "keep" else {(3,)}

    place.erased("cleo")
    assert place.dump()["messages"] == {}


def test_nothing_is_left_when_all_have_gone(make: Make) -> None:
    place = talk(make, "redact")

    for who in ("ben", "cleo", "anna"):
        assert place.erased(who).tally.left == 0

    assert place.dump() == {"users": {}, "messages": {}, "attachments": {}}


def test_a_row_that_is_somebody_elses_by_now_is_left_alone(make: Make) -> None:
    """The row is known by its key, and who wrote themselves into it since is not this person."""
    place = talk(make, "redact")
    anchors = place.locate("anna").anchors
    place.erase("anna", anchors)
    place.change("messages", {"id": 1}, {"sender_id": 3, "sender_name": "cleo writes"})
    before = place.dump()

    assert place.verify("anna", anchors).tally.left == 0
    place.erase("anna", anchors)

    assert place.dump() == before


def test_what_was_not_rewritten_is_seen(make: Make) -> None:
    """The link is cut, so the row is known by its key alone; a name that came back is found all the same."""
    place = talk(make, "redact")
    anchors = place.locate("anna").anchors
    place.erase("anna", anchors)
    place.change("messages", {"id": 1}, {"sender_name": "1 says"})

    assert place.verify("anna", anchors).tally.left == 1

    place.erase("anna", anchors)
    assert place.dump()["messages"][1,]["sender_name"] == "erased"


def test_an_erasure_that_is_cut_short_is_gone_on_with(make: Make) -> None:
    place = talk(make, "redact", batch_rows=1)
    anchors = place.locate("anna").anchors
    with pytest.raises(Held):
        place.erase("anna", anchors, fence=Gate(refuse=Held(Code.HOLD), refuse_at=4))

    place.erase("anna", anchors)

    assert place.verify("anna", anchors).tally.left == 0
    assert set(place.dump()["messages"]) == {(1,), (2,), (5,)}


def test_ask_waits_for_a_ruling(make: Make) -> None:
    place = talk(make, "ask")
    before = place.dump()

    look = place.locate("anna")
    assert sorted(c.key for c in look.candidates if c.collection == "messages") == [("1",), ("2",)]
    with pytest.raises(NeedsHuman, match=Code.SEVERAL_PEOPLE):
        place.erase("anna", look.anchors)
    with pytest.raises(NeedsHuman, match=Code.SEVERAL_PEOPLE):
        place.export("anna")

    assert place.dump() == before


def test_what_is_ruled_goes_or_stays(make: Make) -> None:
    place = talk(make, "ask")
    before = place.dump()
    rulings = Rulings(mine={"messages": frozenset({("1",)})}, others={"messages": frozenset({("2",)})})
    asked = place.locate("anna", rulings=rulings)
    assert [(c.collection, c.key) for c in asked.candidates] == [("attachments", ("12",))]
    rulings = Rulings(
        mine={"messages": frozenset({("1",)})},
        others={"messages": frozenset({("2",)}), "attachments": frozenset({("12",)})},
    )

    given = place.export("anna", rulings=rulings)
    look = place.erased("anna", rulings=rulings)

    assert [row["id"] for row in given["messages"]] == [1, 3, 4]
    assert given["messages"][0]["moderator"] == "moderator 1", "she was ruled to be whose it is"
    after = place.dump()
    assert set(before["messages"]) - set(after["messages"]) == {(1,), (3,), (4,)}
    assert after["messages"][2,] == before["messages"][2,]
    assert kept(look.tally) == {"messages": {GROUND: 1}, "attachments": {GROUND: 1}}
    assert look.tally.left == 0


CHATS = """
  chats:
    key: [id]
    links:
      - {field: a, to: users.id, kind: shared, shared: redact, fields: [a_says]}
      - {field: b, to: users.id, kind: shared, shared: redact, fields: [b_says]}
      - {field: c, to: users.id, kind: shared, shared: redact, fields: [c_says]}
    fields:
      id: {}
      a: {strategy: null}
      b: {strategy: null}
      c: {strategy: null}
      a_says: {category: free_text, strategy: null}
      b_says: {category: free_text, strategy: null}
      c_says: {category: free_text, strategy: null}
"""
CHATS_TABLE = """
CREATE TABLE users (id integer PRIMARY KEY, email varchar(100), name varchar(100));
CREATE TABLE chats (id integer PRIMARY KEY, a integer REFERENCES users (id), b integer REFERENCES users (id),
  c integer REFERENCES users (id), a_says varchar(100), b_says varchar(100), c_says varchar(100));
"""


def test_three_in_one_row_leave_it_one_by_one(make: Make) -> None:
    chat = {"id": 1, "a": 1, "b": 2, "c": 3, "a_says": "a", "b_says": "b", "c_says": "c"}
    place = make(USERS + CHATS, CHATS_TABLE, {"users": users(1, 2, 3), "chats": [chat]})

    assert place.export("ben")["chats"] == [
        {"id": 1, "a": None, "b": 2, "c": None, "a_says": None, "b_says": "b", "c_says": None}
    ]
    look = place.erased("ben")
    assert (counted(look.tally, "found"), look.tally.left) == ({}, 0)
    assert place.dump()["chats"] == {(1,): {**chat, "b": None, "b_says": None}}
    look = place.erased("anna")
    assert (counted(look.tally, "found"), look.tally.left) == ({}, 0)
    assert place.dump()["chats"] == {(1,): {**chat, "a": None, "a_says": None, "b": None, "b_says": None}}
    place.erased("cleo")
    assert place.dump()["chats"] == {}


ACCOUNTS = """
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email, strategy: anonymise}}
  holders:
    key: [account_id, customer_id]
    links: [{field: customer_id, to: customers.id}]
    fields: {account_id: {}, customer_id: {}, card: {category: payment}}
  accounts:
    key: [id]
    links: [{field: id, to: holders.account_id, kind: shared, shared: TREATMENT, fields: [iban]}]
    fields: {id: {}, iban: {category: payment, strategy: null}, branch: {category: place}}
  bookings:
    key: [id]
    links: [{field: account_id, to: accounts.id, kind: shared, shared: TREATMENT, fields: [text]}]
    fields: {id: {}, account_id: {}, text: {category: purchases, strategy: null}}
"""
ACCOUNT_TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, email varchar(100));
CREATE TABLE accounts (id integer PRIMARY KEY, iban varchar(100), branch varchar(100));
CREATE TABLE holders (account_id integer, customer_id integer, card varchar(100),
  PRIMARY KEY (account_id, customer_id), FOREIGN KEY (account_id) REFERENCES accounts (id),
  FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE bookings (id integer PRIMARY KEY, account_id integer, text varchar(100),
  FOREIGN KEY (account_id) REFERENCES accounts (id));
"""


def bank(make: Make, treatment: str, **options: int) -> Place:
    """Account 1 is Anna's and Ben's, 2 Anna's, 3 Ben's."""
    held = [(1, 1), (1, 2), (2, 1), (3, 2)]
    rows: Rows = {
        "customers": [{"id": n, "email": f"{WHO[n]}@example.org"} for n in (1, 2)],
        "accounts": [{"id": n, "iban": f"iban {n}", "branch": f"branch {n}"} for n in (1, 2, 3)],
        "holders": [{"account_id": a, "customer_id": c, "card": f"card {c}"} for a, c in held],
        "bookings": [{"id": 10 * n + k, "account_id": n, "text": f"{n}.{k}"} for n in (1, 2, 3) for k in (1, 2)],
    }
    return make(ACCOUNTS.replace("TREATMENT", treatment), ACCOUNT_TABLES, rows, **options)


def test_of_a_joint_account_each_is_given_what_is_named_and_no_card_of_the_other(make: Make) -> None:
    given = bank(make, "keep").export("anna")

    assert given["accounts"] == [
        {"id": 1, "iban": "iban 1", "branch": None},
        {"id": 2, "iban": "iban 2", "branch": "branch 2"},
    ]
    assert {row["card"] for row in given["holders"]} == {"card 1"}
    assert [row["text"] for row in given["bookings"]] == ["1.1", "1.2", "2.1", "2.2"]


@pytest.mark.parametrize("treatment", ["keep", "redact"])
@pytest.mark.parametrize("batch", [10_000, 1])
def test_a_joint_account_stays_for_whoever_is_left(make: Make, treatment: str, batch: int) -> None:
    """What is named is both holders', so nothing of it is rewritten; that it stays is said."""
    place = bank(make, treatment, batch_rows=batch)
    before = place.dump()
    first = place.locate("anna").anchors

    place.erase("anna", first)

    look, after = place.verify("anna", first), place.dump()
    assert set(after["customers"]) == {(2,)}
    assert set(after["holders"]) == {(1, 2), (3, 2)}
    assert after["accounts"] == {key: before["accounts"][key] for key in ((1,), (3,))}
    assert after["bookings"] == {key: row for key, row in before["bookings"].items() if row["account_id"] != 2}
    assert kept(look.tally) == {"accounts": {GROUND: 1}, "bookings": {GROUND: 2}}
    assert look.tally.left == 0

    assert place.erased("ben").tally.left == 0

    assert place.dump() == {"customers": {}, "holders": {}, "accounts": {}, "bookings": {}}
    assert counted(place.verify("anna", first).tally, "found") == {}


def test_two_who_erase_at_once_leave_nothing_unseen(make: Make) -> None:
    """Each saw the other and left the account to them: whoever looks last finds it."""
    place = bank(make, "redact")
    anna, ben = place.locate("anna").anchors, place.locate("ben").anchors
    place.erase("anna", anna)
    place.change("holders", {"customer_id": 2}, None)
    place.change("customers", {"id": 2}, None)

    assert counted(place.verify("anna", anna).tally, "left") == {"accounts": 1, "bookings": 2}
    assert counted(place.verify("ben", ben).tally, "left") == {"accounts": 2, "bookings": 4}

    place.erase("ben", ben)
    assert place.dump()["accounts"] == place.dump()["bookings"] == {}


ADDRESSES = """
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email, strategy: anonymise}, address_id: {}}
  addresses:
    key: [id]
    links: [{field: id, to: customers.address_id, kind: shared, shared: keep, fields: [street]}]
    fields: {id: {}, street: {category: contact}}
"""
ADDRESS_TABLES = """
CREATE TABLE addresses (id integer PRIMARY KEY, street varchar(100));
CREATE TABLE customers (id integer PRIMARY KEY, email varchar(100), address_id integer REFERENCES addresses (id));
"""


@pytest.mark.parametrize("batch", [10_000, 1])
def test_an_address_of_two_goes_with_the_second(make: Make, batch: int) -> None:
    rows: Rows = {
        "addresses": [{"id": 1, "street": "Lane 1"}, {"id": 2, "street": "Lane 2"}],
        "customers": [{"id": n, "email": f"{WHO[n]}@example.org", "address_id": 1 + n // 3} for n in (1, 2, 3)],
    }
    place = make(ADDRESSES, ADDRESS_TABLES, rows, batch_rows=batch)

    look = place.erased("anna")
    assert kept(look.tally) == {"addresses": {GROUND: 1}}
    assert set(place.dump()["addresses"]) == {(1,), (2,)}
    assert set(place.dump()["customers"]) == {(2,), (3,)}
    assert place.erased("ben").tally.left == 0
    assert set(place.dump()["addresses"]) == {(2,)}


GROWN = """
  customers:
    key: [tenant, number]
    fields: {tenant: {}, number: {}, email: {category: contact, identity: email, strategy: anonymise}}
    derived: {account: {of: [tenant, number]}}
  threads:
    key: [tenant, id]
    links:
      - {field: opener, to: customers.account, kind: shared, shared: redact, fields: [question]}
      - {field: helper, to: customers.account, kind: shared, shared: redact, fields: [answer]}
    fields:
      tenant: {}
      id: {}
      opener_no: {strategy: null}
      helper_no: {strategy: null}
      question: {category: free_text, strategy: null}
      answer: {category: free_text, strategy: null}
    derived:
      whole: {of: [tenant, id]}
      opener: {of: [tenant, opener_no]}
      helper: {of: [tenant, helper_no]}
  files:
    key: [id]
    links:
      - {field: thread, to: threads.whole, kind: shared, shared: keep}
      - {field: customer, to: customers.account, kind: shared, shared: keep, fields: [name]}
    fields: {id: {}, tenant: {}, owner_type: {}, owner_id: {}, name: {category: free_text, strategy: null}}
    derived:
      thread: {of: [tenant, owner_id], when: {owner_type: thread}}
      customer: {of: [tenant, owner_id], when: {owner_type: customer}}
"""
GROWN_TABLES = """
CREATE TABLE customers (tenant varchar(20), number integer, email varchar(100), PRIMARY KEY (tenant, number));
CREATE TABLE threads (tenant varchar(20), id integer, opener_no integer, helper_no integer, question varchar(100),
  answer varchar(100), PRIMARY KEY (tenant, id));
CREATE TABLE files (id integer PRIMARY KEY, tenant varchar(20), owner_type varchar(20), owner_id integer,
  name varchar(100));
"""


@pytest.mark.parametrize("batch", [10_000, 1])
def test_keys_of_several_columns_and_rows_of_one_thing_or_another(make: Make, batch: int) -> None:
    """Numbers are the same in both tenants, and of customers and threads; whose they are is told apart."""
    threads = [("a", 1, 1, 2), ("a", 2, 1, None), ("b", 1, 1, 2)]
    owned = [("a", "thread", 1), ("a", "thread", 2), ("a", "customer", 1), ("a", "customer", 2), ("b", "thread", 1)]
    rows: Rows = {
        "customers": [
            {"tenant": t, "number": n, "email": f"{who}@example.org"}
            for t, n, who in [("a", 1, "anna"), ("a", 2, "ben"), ("b", 1, "cleo"), ("b", 2, "dora")]
        ],
        "threads": [
            {"tenant": t, "id": i, "opener_no": o, "helper_no": h, "question": f"q{t}{i}", "answer": f"a{t}{i}"}
            for t, i, o, h in threads
        ],
        "files": [
            {"id": n, "tenant": t, "owner_type": kind, "owner_id": i, "name": f"file {n}"}
            for n, (t, kind, i) in enumerate(owned, start=1)
        ],
    }
    place = make(GROWN, GROWN_TABLES, rows, batch_rows=batch)
    before = place.dump()
    first = place.locate("anna").anchors

    assert {(row["id"], row["question"], row["answer"]) for row in place.export("anna")["threads"]} == {
        (1, "qa1", None),
        (2, "qa2", None),
    }
    place.erase("anna", first)

    after = place.dump()
    assert after["customers"].keys() == before["customers"].keys() - {("a", 1)}
    assert after["threads"].keys() == before["threads"].keys() - {("a", 2)}
    assert after["threads"]["a", 1] == {**before["threads"]["a", 1], "opener_no": None, "question": None}
    assert after["files"].keys() == {(1,), (4,), (5,)}
    assert kept(place.verify("anna", first).tally) == {"files": {GROUND: 1}}
    assert place.verify("anna", first).tally.left == 0

    assert place.erased("ben").tally.left == 0

    assert place.dump()["threads"].keys() == {("b", 1)}
    assert place.dump()["files"].keys() == {(5,)}
    assert {n: row for n, row in place.dump().items() if n == "customers"}["customers"].keys() == {("b", 1), ("b", 2)}


ROOMS = """
  rooms:
    key: [id]
    links: [{field: member, to: users.id, kind: shared, shared: redact}]
    fields: {id: {}, data: {category: free_text, strategy: null}}
    derived: {member: {of: data, path: "$.members[*].id"}}
"""


@pytest.mark.parametrize("make", ["memory", "postgresql"], indirect=True)
def test_a_document_that_names_several_stays_until_the_last(make: Make) -> None:
    """What they have in common cannot be taken apart: it is kept for the others, and given to each of them."""
    data = '{"members": [{"id": 1}, {"id": "2"}], "text": "hello"}'
    create = TABLES + "CREATE TABLE rooms (id integer PRIMARY KEY, data json);"
    place = make(USERS + ROOMS, create, {"users": users(1, 2), "rooms": [{"id": 1, "data": data}]})
    before = place.dump()["rooms"]

    assert kept(place.erased("anna").tally) == {"rooms": {GROUND: 1}}
    assert place.dump()["rooms"] == before

    assert place.erased("ben").tally.left == 0
    assert place.dump() == {"users": {}, "rooms": {}}


def test_a_duty_keeps_what_is_shared_and_takes_no_more_than_this_persons_part(make: Make) -> None:
    duty = "retention: [{ground: tax law, after: day, period: P10Y, minimise: [a_says, b_says]}]"
    text = USERS + CHATS.replace("    key: [id]\n", f"    key: [id]\n    {duty}\n").replace(
        "      id: {}\n      a:", "      id: {}\n      day: {}\n      a:"
    )
    create = CHATS_TABLE.replace("a_says varchar", "day varchar(20), a_says varchar")
    says = {"a_says": "a", "b_says": "b", "c_says": "c"}
    chat = {"id": 1, "day": "2025-01-01", "a": 1, "b": 2, "c": None, **says}
    place = make(text, create, {"users": users(1, 2, 3), "chats": [chat]})

    look = place.erased("anna")

    assert kept(look.tally)["chats"] == {"tax law": 1}
    assert look.tally.left == 0
    assert place.dump()["chats"][1,] == {**chat, "a_says": None}
    assert set(place.dump()["users"]) == {(1,), (2,), (3,)}, "the duty keeps whom it concerns, as a shell"


@pytest.mark.parametrize(
    ("treatment", "erased", "left"), [("keep", {"messages": 2}, 2), ("redact", {"users": 1, "messages": 2}, 2)]
)
def test_the_books_say_erased_of_what_is_gone_alone(
    make: Make, treatment: str, erased: dict[str, int], left: int
) -> None:
    place = talk(make, treatment)
    before = place.locate("anna")
    done = place.erase("anna", before.anchors)
    after = place.verify("anna", before.anchors)

    books = {
        b.collection: b for b in keep_books(before.tally, {c.collection: c.changed for c in done.counts}, after.tally)
    }

    assert all(book.closed for book in books.values())
    assert books["messages"].erased == erased["messages"]
    assert books["messages"].kept == left
    assert counted(done, "erased") == {**erased, "attachments": 2}


@pytest.mark.parametrize("make", ["memory", "postgresql"], indirect=True)
def test_one_who_goes_while_the_other_is_going_leaves_nothing_unseen(make: Make) -> None:
    """Ben goes between the look and the change of Anna's erasure; what each left for the other is found."""
    rows: Rows = {
        "addresses": [{"id": 1, "street": "Lane 1"}],
        "customers": [{"id": n, "email": f"{WHO[n]}@example.org", "address_id": 1} for n in (1, 2)],
    }
    place = make(ADDRESSES, ADDRESS_TABLES, rows)
    anna, ben = place.locate("anna").anchors, place.locate("ben").anchors
    went: list[Tally] = []

    def meanwhile() -> dict[str, Any]:
        if not went:
            went.append(place.erase("ben", ben))
        return {}

    place.erase("anna", anna, fence=Gate(meanwhile))

    assert place.dump()["customers"] == {}
    left = [place.verify(who, anchors).tally.left for who, anchors in (("anna", anna), ("ben", ben))]
    assert left == [len(place.dump()["addresses"])] * 2
    place.erase("anna", anna)
    assert place.dump()["addresses"] == {}


@pytest.mark.parametrize("make", ["postgresql"], indirect=True)
def test_the_check_knows_who_points_to_whom(make: Make) -> None:
    """A list of people points to what they share: its rows go first. Who else is in it is asked by an index."""
    place = bank(make, "keep")
    assert isinstance(place, InPostgreSQL)
    assert not [said for said in place.connector.check() if "foreign key" in said]
    assert any("no index serves bookings.account_id" in said for said in place.connector.check())
    assert not any("no index serves holders.account_id" in said for said in place.connector.check())
    place.door.execute("ALTER TABLE holders DROP CONSTRAINT holders_pkey, ADD PRIMARY KEY (customer_id, account_id)")

    assert any("no index serves holders.account_id" in said for said in place.connector.check())


def test_rows_of_several_are_not_restricted_for_one() -> None:
    system = system_of(ACCOUNTS.replace("TREATMENT", "keep")).model_copy(
        update={"options": {"restrict": "row_security"}}
    )

    with pytest.raises(ValueError, match="restrict denies whole rows, and those of 'accounts' are somebody else's too"):
        build(system, dict.fromkeys(("reader", "writer"), "postgresql://role@127.0.0.1/shop"))


def test_a_row_that_was_made_over_to_nobody_is_nobodys(make: Make) -> None:
    """Whom the map writes in place of those who are gone is there, and is not somebody else."""
    text = USERS + CHATS.replace("a: {strategy: null}", "a: {strategy: constant, value: 3}")
    says = {"a_says": None, "b_says": "b", "c_says": None}
    rows: Rows = {"users": users(1, 2, 3), "chats": [{"id": 1, "a": 3, "b": 1, "c": None, **says}]}
    place = make(text, CHATS_TABLE, rows)

    assert place.erased("anna").tally.left == 0

    assert place.dump()["chats"] == {}
    assert set(place.dump()["users"]) == {(2,), (3,)}


POSTS = """
  users:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email, strategy: anonymise}}
  posts:
    key: [id]
    links: [{field: author, to: users.id}, {field: reply_to, to: posts.id}]
    fields: {id: {}, author: {}, reply_to: {}}
  quotes:
    key: [id]
    links:
      - {field: one, to: posts.id, kind: shared, shared: redact}
      - {field: two, to: posts.id, kind: shared, shared: redact}
    fields: {id: {}, one: {strategy: null}, two: {strategy: null}}
"""
POST_TABLES = """
CREATE TABLE users (id integer PRIMARY KEY, email varchar(100));
CREATE TABLE posts (id integer PRIMARY KEY, author integer, reply_to integer);
CREATE TABLE quotes (id integer PRIMARY KEY, one integer, two integer);
"""


def test_what_is_shared_may_hang_on_rows_that_are_followed_round(make: Make) -> None:
    rows: Rows = {
        "users": [{"id": n, "email": f"{WHO[n]}@example.org"} for n in (1, 2)],
        "posts": [{"id": n, "author": a, "reply_to": r} for n, a, r in [(1, 1, None), (2, None, 1), (3, 2, None)]],
        "quotes": [{"id": n, "one": one, "two": two} for n, one, two in [(1, 1, 2), (2, 2, 3), (3, 3, None)]],
    }
    place = make(POSTS, POST_TABLES, rows)

    assert place.erased("anna").tally.left == 0

    assert set(place.dump()["posts"]) == {(3,)}
    assert place.dump()["quotes"] == {(2,): {"id": 2, "one": None, "two": 3}, (3,): {"id": 3, "one": 3, "two": None}}


def test_what_is_somebody_elses_too_is_not_corrected_for_one(make: Make) -> None:
    place = talk(make, "keep")
    before = place.dump()
    call = place.call("anna", corrections=(Correction("messages", {"body": "other words"}),))

    with pytest.raises(NeedsHuman, match=r"messages.body \(somebody else's too\)"):
        place.connector.rectify(call)

    assert place.dump() == before
