"""Tables that lead back to themselves, on every kind of database: followed to their ends, and erased whole."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import reduce

import pytest

from connectors.anchors import merged
from connectors.conformance import Gate
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.protocol import Correction, Intent, Rulings
from connectors.sql import build
from rights.codes import Code
from rights.receipt import Tally
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_anywhere import Anywhere, Make, OnMariaDB
from tests.connectors.sql_place import counted, email, gone

HANNAH, IDA = email("hannah@example.org"), email("ida@example.org")

ACTIONS = ("RESTRICT", "CASCADE", "SET NULL")

REPLIES = """
CREATE TABLE people (id int PRIMARY KEY, email varchar(200));
CREATE TABLE posts (id int PRIMARY KEY, author int REFERENCES people (id), reply_to int {null} REFERENCES posts (id)
  {action}, body varchar(20));
CREATE INDEX p_email ON people (email);
CREATE INDEX p_author ON posts (author);
CREATE INDEX p_reply ON posts (reply_to)
"""
REPLIES_MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
  posts:
    key: [id]
    fields: {id: {}, author: {}, reply_to: {}, body: {category: free_text}}
    links: [{field: author, to: people.id}, {field: reply_to, to: posts.id}]
"""


def replies(
    make: Make, length: int, *, null: str = "", action: str = "", text: str = REPLIES_MAP, **options: int
) -> Anywhere:
    """Two people, each with a chain of posts of which only the first says whose it is. Where each post has to reply to
    one, the first ones reply to a notice that is nobody's."""
    made = make(REPLIES.format(null=null, action=action), text, **options)
    made.insert("people", (1, "hannah@example.org"), (2, "ida@example.org"))
    if null:
        made.insert("posts", (99_999, None, 99_999, "notice"))
    for who in (1, 2):
        first = who * 10_000
        made.insert("posts", (first, who, 99_999 if null else None, "hello"))
        made.insert("posts", *((first + n, None, first + n - 1, "hello") for n in range(1, length)))
    return made


@pytest.mark.parametrize("batch", [10_000, pytest.param(300, marks=pytest.mark.soak)])
def test_a_chain_of_a_thousand_rows_is_followed_to_its_end_and_erased_at_once(make: Make, batch: int) -> None:
    made = replies(make, 1000, batch_rows=batch)
    before = made.dump()
    look = made.locate(HANNAH)
    assert counted(look.tally, "found") == {"people": 1, "posts": 1000}

    tally = made.erase(HANNAH, anchors=look.anchors)

    assert counted(tally, "erased") == {"people": 1, "posts": 1000}
    assert sorted(gone(before, made.dump()).values()) == [1, 1000]
    assert made.verify(HANNAH, anchors=look.anchors).tally.left == 0
    assert made.locate(IDA).tally.found == 1001


@pytest.mark.parametrize(
    "action", ["", *(pytest.param(f"ON DELETE {does}", marks=pytest.mark.soak) for does in ACTIONS)]
)
@pytest.mark.parametrize("null", ["", "NOT NULL"])
def test_a_chain_goes_whatever_its_foreign_key_does(make: Make, null: str, action: str) -> None:
    if null and "NULL" in action:
        pytest.skip("what may not be empty is never emptied")
    made = replies(make, 20, null=null, action=action)

    tally = made.erase(HANNAH)

    assert counted(tally, "erased") == {"people": 1, "posts": 20}
    assert made.locate(HANNAH).tally.found == 0
    assert made.rows("SELECT count(*) FROM posts WHERE body = 'hello'") == [(20,)]


def test_rows_that_point_round_and_round_go_together(make: Make) -> None:
    made = replies(make, 5)
    made.run("UPDATE posts SET reply_to = 10004 WHERE id = 10000")

    assert counted(made.erase(HANNAH), "erased") == {"people": 1, "posts": 5}

    assert made.rows("SELECT count(*) FROM posts WHERE id < 20000") == [(0,)]


@pytest.mark.parametrize("last", [10004, 10000])
def test_rows_that_point_round_and_may_not_be_empty_go_where_checks_can_wait(make: Make, last: int) -> None:
    """MariaDB checks each row at once, and has no way to wait: a person is told which foreign key it is."""
    made = replies(make, 5, null="NOT NULL")
    made.run(f"UPDATE posts SET reply_to = {last} WHERE id = 10000")
    before = made.dump()
    if made.engine == "mariadb":
        with pytest.raises(NeedsHuman) as caught:
            made.erase(HANNAH)
        assert (caught.value.code, caught.value.about) == (Code.BLOCKED, "posts (posts_ibfk_2)")
        assert made.dump() == before
        return

    made.erase(HANNAH)

    assert sorted(gone(before, made.dump()).values()) == [1, 5]


def test_a_reply_to_a_post_that_is_gone_is_found_by_its_anchor(make: Make) -> None:
    """No foreign key holds here what hangs on a deleted row."""
    made = make(
        "CREATE TABLE people (id int PRIMARY KEY, email varchar(200));"
        "CREATE TABLE posts (id int PRIMARY KEY, author int, reply_to int, body varchar(20))",
        REPLIES_MAP,
    )
    made.insert("people", (1, "hannah@example.org"))
    made.insert("posts", (1, 1, None, ""), (2, None, 1, ""), (3, None, 2, ""), (9, None, 8, ""))
    look = made.locate(HANNAH)
    made.erase(HANNAH, anchors=look.anchors)
    assert made.verify(HANNAH, anchors=look.anchors).tally.left == 0

    made.insert("posts", (4, None, 3, "late"), (5, None, 4, "later"))

    assert counted(made.verify(HANNAH, anchors=look.anchors).tally, "found") == {"posts": 2}
    made.erase(HANNAH, anchors=look.anchors)
    assert made.rows("SELECT id FROM posts") == [(9,)]


def test_a_refusal_half_way_leaves_a_path_to_what_is_left(make: Make) -> None:
    made = replies(make, 10, batch_rows=3)
    made.run("UPDATE posts SET author = 1 WHERE id = 10005")
    with pytest.raises(Held):
        made.erase(HANNAH, fence=Gate(refuse=Held(Code.HOLD), refuse_at=2))

    assert made.locate(HANNAH).tally.found in {1, 11}, "those of a chain go together"
    made.erase(HANNAH)
    assert made.rows("SELECT count(*) FROM posts WHERE id < 20000") == [(0,)]


def test_a_row_of_somebody_else_in_a_chain_stops_it_and_nothing_goes(make: Make) -> None:
    """Whose it is has been ruled; its foreign key does not know that. Where others write meanwhile it may have come
    just now, so the step comes again."""
    made = make(
        "CREATE TABLE people (id int PRIMARY KEY, email varchar(200), friend int REFERENCES people (id))",
        "  people:\n    key: [id]\n    fields: {id: {}, email: {category: contact, identity: email}, friend: {}}\n"
        "    links: [{field: friend, to: people.id}]\n",
    )
    made.insert("people", (1, "hannah@example.org", None), (2, "ida@example.org", 1), (3, None, 2))
    others = Rulings(others={"people": frozenset({("2",)})})
    assert made.locate(HANNAH, rulings=others).tally.found == 1

    with pytest.raises(ConnectorError) as caught:
        made.erase(HANNAH, rulings=others)
    assert caught.value.code is (Code.BLOCKED if made.engine == "sqlite" else Code.BUSY)
    assert caught.value.about == "people"
    assert made.rows("SELECT count(*) FROM people") == [(3,)]


def tied(make: Make, create: str, table: str, column: str, to: str) -> str:
    """A create script with a foreign key that closes a circle, which only some let stand before its target."""
    if make.engine == "sqlite":
        return create.replace(f"{column} int", f"{column} int REFERENCES {to} (id)")
    return f"{create}; ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {to} (id)"


LINES = """
CREATE TABLE people (id int PRIMARY KEY, email varchar(200));
CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people (id), first_line int);
CREATE TABLE order_lines (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders (id), item varchar(20))
"""
LINES_MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
  orders:
    key: [id]
    fields: {id: {}, person: {}, first_line: {}}
    links: [{field: person, to: people.id}, {field: first_line, to: order_lines.id}]
  order_lines:
    key: [id]
    fields: {id: {}, order_id: {}, item: {category: purchases}}
    links: [{field: order_id, to: orders.id}]
"""


@pytest.mark.parametrize("batch", [pytest.param(10_000, marks=pytest.mark.soak), 2])
def test_two_tables_that_point_to_one_another_go_together(make: Make, batch: int) -> None:
    """Each order names its first line, and no line may be without its order."""
    made = make(tied(make, LINES, "orders", "first_line", "order_lines"), LINES_MAP, batch_rows=batch)
    made.insert("people", (1, "hannah@example.org"), (2, "ida@example.org"))
    for order in range(1, 9):
        made.insert("orders", (order, 1 + order % 2, None))
        made.insert("order_lines", *((order * 10 + n, order, "tea") for n in range(3)))
    made.run("UPDATE orders SET first_line = id * 10")
    before = made.dump()

    tally = made.erase(HANNAH)

    assert counted(tally, "erased") == {"people": 1, "orders": 4, "order_lines": 12}
    assert sorted(gone(before, made.dump()).values()) == [1, 4, 12]
    assert made.locate(HANNAH).tally.found == 0
    assert made.locate(IDA).tally.found == 17


THREE = """
CREATE TABLE people (id int PRIMARY KEY, email varchar(200), home int);
CREATE TABLE letters (id int PRIMARY KEY, writer int NOT NULL REFERENCES people (id), body varchar(20));
CREATE TABLE homes (id int PRIMARY KEY, letter int NOT NULL REFERENCES letters (id), street varchar(20))
"""
THREE_MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, home: {}}
    links: [{field: home, to: homes.id}]
  letters:
    key: [id]
    fields: {id: {}, writer: {}, body: {category: free_text}}
    links: [{field: writer, to: people.id}]
  homes:
    key: [id]
    fields: {id: {}, letter: {}, street: {category: contact}}
    links: [{field: letter, to: letters.id}]
"""


def test_three_tables_in_a_circle_are_followed_round_and_round(make: Make) -> None:
    """A home leads to all who live there: here the map says that they are one person."""
    made = make(tied(make, THREE, "people", "home", "homes"), THREE_MAP)
    made.insert(
        "people", (1, "hannah@example.org", None), (2, None, None), (3, None, None), (4, "ida@example.org", None)
    )
    made.insert("letters", *((n, n, "dear") for n in range(1, 5)))
    made.insert("homes", *((n, n, "Elm Street") for n in range(1, 5)))
    made.run("UPDATE people SET home = id - 1 WHERE id IN (2, 3)")
    assert counted(made.locate(HANNAH).tally, "found") == {"people": 3, "letters": 3, "homes": 3}

    assert counted(made.erase(HANNAH), "erased") == {"people": 3, "letters": 3, "homes": 3}

    for table in ("people", "letters", "homes"):
        assert made.rows(f"SELECT id FROM {table}") == [(4,)]


REDACTED = (
    REPLIES_MAP.replace("posts:\n    key: [id]", "posts:\n    key: [id]\n    erase: redact")
    .replace("body: {category: free_text}", 'body: {category: free_text, strategy: "null"}')
    .replace("contact, identity: email}", "contact, identity: email, strategy: anonymise}")
)


@pytest.mark.parametrize("batch", [pytest.param(10_000, marks=pytest.mark.soak), 7])
def test_rows_of_a_circle_that_stay_are_emptied(make: Make, batch: int) -> None:
    made = replies(make, 30, text=REDACTED, batch_rows=batch)
    anchors = made.locate(HANNAH).anchors

    tally = made.erase(HANNAH, anchors=anchors)

    assert counted(tally, "anonymised") == {"people": 1, "posts": 30}
    assert made.rows("SELECT count(*) FROM posts WHERE body IS NULL AND id < 20000") == [(30,)]
    assert made.rows("SELECT count(*) FROM posts WHERE body = 'hello' AND id >= 20000") == [(30,)]
    assert made.rows("SELECT count(*) FROM posts WHERE reply_to IS NOT NULL") == [(58,)]
    assert made.verify(HANNAH, anchors=anchors).tally.left == 0


def test_an_export_follows_a_circle_and_tells_of_doubt_in_one(make: Make) -> None:
    made = replies(make, 4)
    lines = made.export(HANNAH)["posts", "application/x-ndjson"].splitlines()
    assert len(lines) == 4

    made.insert("people", (3, "hannah@example.org"))
    with pytest.raises(NeedsHuman) as caught:
        made.export(HANNAH)
    assert caught.value.code is Code.SEVERAL_PEOPLE


FRIENDS = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, friend: {}}
    links: [{field: friend, to: people.id}]
"""


def test_a_row_that_a_circle_leads_to_is_in_doubt_no_more(make: Make) -> None:
    """Two rows bear the address; one of them hangs on a row that is the person's."""
    made = make("CREATE TABLE people (id int PRIMARY KEY, email varchar(200), friend int)", FRIENDS)
    made.insert("people", (1, "hannah@example.org", None), (2, "hannah@example.org", 1), (3, "ida@example.org", None))
    assert {c.key for c in made.locate(HANNAH).candidates} == {("1",), ("2",)}

    mine = Rulings(mine={"people": frozenset({("1",)})})
    look = made.locate(HANNAH, rulings=mine)

    assert (look.candidates, look.tally.found) == ((), 2)
    made.erase(HANNAH, rulings=mine)
    assert made.rows("SELECT id FROM people") == [(3,)]


KEYED_MAP = """
  people:
    key: [tenant, "no"]
    fields: {tenant: {}, "no": {}, email: {category: contact, identity: email}, boss: {}}
    derived: {own: {of: [tenant, "no"]}, above: {of: [tenant, boss]}}
    links: [{field: above, to: people.own}]
"""


def test_a_circle_by_a_key_of_two_columns_stays_with_its_tenant(make: Make) -> None:
    quote = "`" if make.engine == "mariadb" else '"'
    no = f"{quote}no{quote}"
    made = make(
        f"CREATE TABLE people (tenant varchar(20), {no} int, email varchar(200), boss int, PRIMARY KEY (tenant, {no}),"
        f" FOREIGN KEY (tenant, boss) REFERENCES people (tenant, {no}))",
        KEYED_MAP,
    )
    for tenant in ("a", "b"):
        made.insert("people", (tenant, 1, f"hannah@{tenant}.example", None))
        made.insert("people", *((tenant, n, None, n - 1) for n in range(2, 8)))

    assert made.erase(email("hannah@a.example")).changed == 7

    assert made.rows("SELECT tenant, count(*) FROM people GROUP BY tenant") == [("b", 7)]


@needs_mariadb
@pytest.mark.soak
def test_the_right_to_empty_what_closes_a_circle_is_asked_for(on_mariadb: Make, mariadb_server: MariaDBServer) -> None:
    """It is needed where checks cannot wait, and said before anybody is erased."""
    made = replies(on_mariadb, 5)
    assert isinstance(made, OnMariaDB)
    made.run(f"CREATE USER 'clerk_{made.name}'@'%' IDENTIFIED BY 'secret'")
    for table in ("people", "posts"):
        made.run(f"GRANT SELECT, DELETE ON {table} TO 'clerk_{made.name}'@'%'")
    url = f"mariadb://clerk_{made.name}:secret@127.0.0.1:{mariadb_server.port}/{made.name}"
    clerk = build(made.system, {"reader": url, "writer": url})

    with pytest.raises(NeedsHuman) as caught:
        clerk.erase(made.call(HANNAH))

    assert (caught.value.code, caught.value.about) == (Code.RIGHTS, "posts")
    assert any("may not UPDATE in posts" in finding for finding in clerk.check())
    made.run(f"GRANT UPDATE (reply_to) ON posts TO 'clerk_{made.name}'@'%'")
    assert not any("may not" in finding for finding in clerk.check())
    tally = clerk.erase(made.call(HANNAH))
    assert isinstance(tally, Tally)
    assert tally.changed == 6
    clerk.close()
    made.run(f"DROP USER 'clerk_{made.name}'@'%'")


LIKES_MAP = REPLIES_MAP + (
    "  likes:\n    key: [id]\n    fields: {id: {}, post: {}}\n    links: [{field: post, to: posts.id}]\n"
)


ORDERS_MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
  orders:
    key: [id]
    fields: {id: {}, person: {}, note: {}}
    links: [{field: person, to: people.id}]
  items:
    key: [id]
    fields: {id: {}, ord: {}}
    links: [{field: ord, to: orders.id}]
"""


class Late(Gate):
    """A fence in which somebody adds something, once, before it lets anybody through."""

    def __init__(self, add: Callable[[], None]) -> None:
        super().__init__()
        self._add = [add]

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with super().__call__(planned, look) as intent:
            while self._add:
                self._add.pop()()
            yield intent


@pytest.mark.parametrize("batch", [10_000, 2])
def test_what_comes_to_hang_on_a_chain_meanwhile_is_found_with_all_that_hangs_on_it(make: Make, batch: int) -> None:
    """No foreign key holds it back, and its parent goes."""
    made = make(
        "CREATE TABLE people (id int PRIMARY KEY, email varchar(200));"
        "CREATE TABLE posts (id int PRIMARY KEY, author int, reply_to int, body varchar(20));"
        "CREATE TABLE likes (id int PRIMARY KEY, post int)",
        LIKES_MAP,
        batch_rows=batch,
    )
    made.insert("people", (1, "hannah@example.org"))
    made.insert("posts", (1, 1, None, ""), (2, None, 1, ""), (3, None, 2, ""), (9, None, None, ""))
    made.insert("likes", (1, 1), (2, 3), (9, 9))
    anchors = made.locate(HANNAH).anchors

    def late() -> None:
        with suppress(sqlite3.OperationalError):  # nobody else writes while it is erased
            made.insert("posts", (4, None, 3, "late"), (5, None, 4, "later"))
            made.insert("likes", (4, 4), (5, 5))

    remembered = [anchors]
    made.erase(HANNAH, anchors=anchors, fence=Late(late), remember=remembered.append)
    left = made.verify(HANNAH, anchors=reduce(merged, remembered))
    made.erase(HANNAH, anchors=left.anchors)

    assert made.verify(HANNAH, anchors=left.anchors).tally.left == 0
    assert made.rows("SELECT id FROM posts") == [(9,)]
    assert made.rows("SELECT id FROM likes") == [(9,)]


@pytest.mark.parametrize(
    "action", ["", *(pytest.param(f"ON DELETE {does}", marks=pytest.mark.soak) for does in ACTIONS[1:])]
)
def test_a_trial_of_a_chain_does_what_an_erasure_does_and_has_no_surprises(make: Make, action: str) -> None:
    """Fields that are emptied on the way to a deletion are no change that anybody has to know of."""
    made = replies(make, 6, action=action)
    before = made.dump()

    trial = made.connector.attempt(made.call(HANNAH))

    assert (trial.not_tried, trial.refusal, trial.not_counted) == ("", "", ())
    told = {effect.collection: (effect.inserted, effect.updated, effect.deleted) for effect in trial.effects}
    assert told == {"people": (0, 0, 1), "posts": (0, 0, 6)}
    assert [effect.surprise for effect in trial.effects if effect.surprise] == []
    assert made.dump() == before


@pytest.mark.parametrize("batch", [pytest.param(10_000, marks=pytest.mark.soak), 4])
def test_a_correction_reaches_every_row_of_a_chain(make: Make, batch: int) -> None:
    made = replies(make, 10, batch_rows=batch)

    tally = made.connector.rectify(made.call(HANNAH, corrections=(Correction("posts", {"body": "hi"}),)))

    assert tally.of("posts").rectified == 10
    assert made.rows("SELECT count(*) FROM posts WHERE body = 'hi' AND id < 20000") == [(10,)]
    assert made.rows("SELECT count(*) FROM posts WHERE body = 'hello'") == [(10,)]


@pytest.mark.parametrize("engine", ["postgresql", pytest.param("mariadb", marks=[needs_mariadb, pytest.mark.soak])])
def test_what_is_somebody_elses_by_its_turn_stays(request: pytest.FixtureRequest, engine: str) -> None:
    """A look and a deletion are two transactions where there are many rows, and others write in between."""
    make: Make = request.getfixturevalue(f"on_{engine}")
    made = make(
        "CREATE TABLE people (id int PRIMARY KEY, email varchar(200));"
        "CREATE TABLE posts (id int PRIMARY KEY, author int, reply_to int, body varchar(20));"
        "CREATE TABLE likes (id int PRIMARY KEY, post int)",
        LIKES_MAP,
        batch_rows=2,
    )
    made.insert("people", (1, "hannah@example.org"), (2, "ida@example.org"))
    made.insert("posts", (1, 1, None, ""), (2, None, 1, ""), (3, None, 2, ""), (4, None, 1, ""))
    made.insert("likes", (1, 1))

    made.erase(HANNAH, fence=Late(lambda: made.run("UPDATE posts SET author = 2, reply_to = NULL WHERE id = 2")))

    assert made.rows("SELECT id FROM posts ORDER BY id") == [(2,), (3,)]
    assert made.rows("SELECT id FROM people") == [(2,)]


@pytest.mark.parametrize("batch", [10_000, 2])
@pytest.mark.parametrize("key", ["id int PRIMARY KEY", "id varchar(20) PRIMARY KEY"])
def test_what_hangs_on_a_row_that_came_in_meanwhile_is_found_though_that_row_goes(
    make: Make, batch: int, key: str
) -> None:
    """No foreign key holds it back, and no circle tells of it: an order comes in with its items while older ones go."""
    made = make(
        "CREATE TABLE people (id int PRIMARY KEY, email varchar(200));"
        f"CREATE TABLE orders ({key}, person int, note varchar(20));"
        "CREATE TABLE items (id int PRIMARY KEY, ord varchar(20))",
        ORDERS_MAP,
        batch_rows=batch,
    )
    made.insert("people", (1, "hannah@example.org"))
    made.insert("orders", (1, 1, ""), (2, 1, ""), (3, 1, ""), (9, 2, ""))
    made.insert("items", (1, "1"), (2, "2"), (3, "3"), (9, "9"))
    anchors = made.locate(HANNAH).anchors
    remembered = [anchors]

    def late() -> None:
        with suppress(sqlite3.OperationalError):  # nobody else writes while it is erased
            made.insert("orders", (4, 1, "late"))
            made.insert("items", (4, "4"))

    with suppress(Retryable):  # then nothing has changed, and the second attempt takes it
        made.erase(HANNAH, anchors=anchors, fence=Late(late), remember=remembered.append)
    left = made.verify(HANNAH, anchors=reduce(merged, remembered))
    made.erase(HANNAH, anchors=left.anchors)

    assert made.verify(HANNAH, anchors=left.anchors).tally.left == 0
    assert [row[0] for row in made.rows("SELECT id FROM items")] == [9]
    assert [str(row[0]) for row in made.rows("SELECT id FROM orders")] == ["9"]
