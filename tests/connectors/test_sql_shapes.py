"""Databases as they have grown: keys of several columns, rows that hang on one table or another, documents, circles."""

from collections.abc import Iterator

import pytest

from connectors.conformance import Gate
from connectors.errors import Held, NeedsHuman
from rights.codes import Code
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, gone, place

GROWN = """
CREATE TABLE customers (tenant text, no int, email text, PRIMARY KEY (tenant, no));
CREATE INDEX ON customers (lower(email));
-- A key of two columns, one of them of another type here.
CREATE TABLE orders (id serial PRIMARY KEY, tenant text, customer text, note text);
CREATE INDEX ON orders (tenant, customer);
-- Attachments hang on orders or on customers, or on things that are nobody's.
CREATE TABLE attachments (id serial PRIMARY KEY, owner_type text, owner_id int, file text);
CREATE INDEX ON attachments (owner_id);
-- Events name people inside a document; chats name several.
CREATE TABLE events (id serial PRIMARY KEY, payload jsonb);
CREATE TABLE chats (id serial PRIMARY KEY, data json);
INSERT INTO customers SELECT t, n, 'c' || n || '@' || t || '.example'
  FROM unnest(ARRAY['a','b']) t, generate_series(1,3) n;
INSERT INTO orders (tenant, customer, note) SELECT tenant, no::text, 'o' || k FROM customers, generate_series(1, 2) k;
INSERT INTO orders (tenant, customer, note) VALUES (NULL, '1', 'no tenant'), ('a', NULL, 'no customer'), ('a', 'x', '');
INSERT INTO attachments (owner_type, owner_id, file) SELECT t, n, t || n
  FROM unnest(ARRAY['order', 'invoice']) t, generate_series(1, 15) n;
INSERT INTO events (payload)
  SELECT jsonb_build_object('user', jsonb_build_object('mail', upper(email)), 'n', no) FROM customers;
INSERT INTO events (payload) VALUES
  (NULL), ('{}'), ('[]'), ('{"user": {"mail": {"deep": 1}}}'), ('{"user": "c1@a.example"}');
INSERT INTO chats (data) VALUES
  ('{"members": [{"mail": "c1@a.example"}, {"mail": "c9@z.example"}], "text": "hi"}'),
  ('{"members": [{"mail": "c2@a.example"}]}'), ('{"members": []}'), ('{"members": {"mail": "c1@a.example"}}'), (NULL);
"""
GROWN_MAP = """
  customers:
    key: [tenant, "no"]
    fields: {tenant: {}, "no": {}, email: {category: contact, identity: email}}
    derived: {account: {of: [tenant, "no"]}}
  orders:
    key: [id]
    fields: {id: {}, tenant: {}, customer: {}, note: {category: free_text}}
    derived: {account: {of: [tenant, customer]}}
    links: [{field: account, to: customers.account}]
  attachments:
    key: [id]
    fields: {id: {}, owner_type: {}, owner_id: {}, file: {category: free_text}}
    derived: {order_id: {of: owner_id, when: {owner_type: order}}}
    links: [{field: order_id, to: orders.id}]
  events:
    key: [id]
    fields: {id: {}, payload: {category: behaviour}}
    derived: {mail: {of: payload, path: $.user.mail, identity: email}}
  chats:
    key: [id]
    fields: {id: {}, data: {category: free_text}}
    derived: {mail: {of: data, path: "$.members[*].mail", identity: email}}
"""
A1 = email("c1@a.example")


@pytest.fixture
def grown(database: Database) -> Iterator[Place]:
    with place(database, GROWN, GROWN_MAP) as made:
        yield made


def mine(made: Place) -> tuple[set[int], set[int]]:
    """The order and attachment ids of customer 1 of tenant a, by the back door."""
    orders = {i for (i,) in made.rows("SELECT id FROM orders WHERE tenant = 'a' AND customer = '1'")}
    files = made.rows("SELECT id FROM attachments WHERE owner_type = 'order' AND owner_id = ANY(%s)", list(orders))
    return orders, {i for (i,) in files}


def test_a_key_of_several_columns_is_one_key(grown: Place) -> None:
    """Customer 1 of another tenant, and rows without one part of the key, are somebody else's."""
    found = counted(grown.locate(A1).tally, "found")

    assert found == {"customers": 1, "orders": 2, "attachments": 2, "events": 1, "chats": 2}


@pytest.mark.parametrize("batch", [10_000, 1])
def test_an_erasure_takes_these_rows_and_no_others(database: Database, batch: int) -> None:
    with place(database, GROWN, GROWN_MAP, batch_rows=batch) as made:
        before, (orders, files) = made.dump(), mine(made)
        assert len(orders) == len(files) == 2

        made.erase(email("c2@b.example"))

        assert gone(before, made.dump()) == {
            "public.customers": 1, "public.orders": 2, "public.attachments": 2, "public.events": 1,
        }  # fmt: skip
        assert mine(made) == (orders, files)


def test_rows_are_found_by_anchors_once_the_key_of_several_columns_is_gone(grown: Place) -> None:
    who = email("c3@a.example")
    anchors = grown.locate(who).anchors
    grown.door.execute("DELETE FROM customers WHERE email = 'c3@a.example'")

    look = grown.verify(who, anchors=anchors)

    assert counted(look.tally, "found") == {"orders": 2, "attachments": 2, "events": 1}
    grown.erase(who, anchors=anchors)
    assert grown.verify(who, anchors=anchors).tally.left == 0
    assert grown.rows("SELECT count(*) FROM orders WHERE tenant = 'a' AND customer = '3'") == [(0,)]


def test_a_value_inside_a_document_finds_its_row_whatever_its_case(grown: Place) -> None:
    assert counted(grown.locate(email("c3@b.example")).tally, "found")["events"] == 1


def test_each_element_of_a_list_is_looked_at(grown: Place) -> None:
    """Two chats hold the address; which are the person's is a question, as wherever several rows match."""
    look = grown.locate(A1)

    assert {c.key for c in look.candidates if c.collection == "chats"} == {("1",), ("4",)}
    assert counted(grown.locate(email("c2@a.example")).tally, "found")["chats"] == 1


THREADS = """
CREATE TABLE people (id int PRIMARY KEY, email text, best_post int, lead int REFERENCES people);
CREATE INDEX ON people (lower(email));
CREATE TABLE posts (id int PRIMARY KEY, author int REFERENCES people, reply_to int REFERENCES posts, body text);
ALTER TABLE people ADD FOREIGN KEY (best_post) REFERENCES posts;
CREATE INDEX ON posts (author); CREATE INDEX ON posts (reply_to);
CREATE TABLE likes (post int REFERENCES posts, n int, PRIMARY KEY (post, n));
INSERT INTO people SELECT n, 'p' || n || '@example.org' FROM generate_series(1, 4) n;
-- A drafts tree: each post hangs on the one before, and only the first says whose it is.
INSERT INTO posts SELECT p * 100 + n, CASE WHEN n = 1 THEN p END, NULL, 'body'
  FROM generate_series(1, 4) p, generate_series(1, 30) n;
UPDATE posts SET reply_to = id - 1 WHERE id % 100 > 1;
-- The first replies to the last: a circle of rows.
UPDATE posts SET reply_to = 230 WHERE id = 201;
INSERT INTO likes SELECT id, n FROM posts, generate_series(1, 2) n;
"""
THREADS_MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, best_post: {}}
  posts:
    key: [id]
    fields: {id: {}, author: {}, reply_to: {}, body: {category: free_text}}
    links: [{field: author, to: people.id}, {field: reply_to, to: posts.id}]
  likes:
    key: [post, "n"]
    fields: {post: {}, "n": {}}
    links: [{field: post, to: posts.id}]
"""


@pytest.mark.parametrize("batch", [10_000, 7])
@pytest.mark.parametrize("who", [1, 2])
def test_a_tree_of_rows_is_found_and_erased_to_its_ends(database: Database, who: int, batch: int) -> None:
    with place(database, THREADS, THREADS_MAP, batch_rows=batch) as made:
        before, person = made.dump(), email(f"p{who}@example.org")
        look = made.locate(person)
        assert counted(look.tally, "found") == {"people": 1, "posts": 30, "likes": 60}

        tally = made.erase(person, anchors=look.anchors)

        assert counted(tally, "erased") == {"people": 1, "posts": 30, "likes": 60}
        assert gone(before, made.dump()) == {"public.people": 1, "public.posts": 30, "public.likes": 60}
        assert made.verify(person, anchors=look.anchors).tally.left == 0


def test_a_refusal_half_way_leaves_a_path_to_what_is_left(database: Database) -> None:
    with place(database, THREADS, THREADS_MAP, batch_rows=7) as made:
        person = email("p1@example.org")
        with pytest.raises(Held):
            made.erase(person, fence=Gate(refuse=Held(Code.HOLD), refuse_at=4))

        left = counted(made.locate(person).tally, "found")

        assert left["posts"] == 30, "those of a tree go together"
        made.erase(person)
        assert made.rows("SELECT count(*) FROM posts WHERE id / 100 = 1") == [(0,)]


BOTH_WAYS = THREADS_MAP.replace(
    "fields: {id: {}, email: {category: contact, identity: email}, best_post: {}}",
    "fields: {id: {}, email: {category: contact, identity: email}, best_post: {}}\n"
    "    links: [{field: best_post, to: posts.id}]",
)


def test_what_the_map_does_not_say_blocks_an_erasure_in_parts(database: Database) -> None:
    with place(database, THREADS, THREADS_MAP, batch_rows=7) as made:
        made.door.execute("UPDATE people SET best_post = id * 100 + 5")
        with pytest.raises(NeedsHuman, match="blocked: people"):
            made.erase(email("p1@example.org"))


@pytest.mark.parametrize("batch", [10_000, 7])
def test_tables_that_link_to_one_another_are_followed_round(database: Database, batch: int) -> None:
    """Whose best post it is, is the person's: the map says so; a post found first leads to its author's row."""
    with place(database, THREADS, BOTH_WAYS, batch_rows=batch) as made:
        made.door.execute("UPDATE people SET best_post = id * 100 + 5")
        before, person = made.dump(), email("p3@example.org")

        made.erase(person)

        assert gone(before, made.dump()) == {"public.people": 1, "public.posts": 30, "public.likes": 60}
        found = counted(made.locate(Identity("email", "p4@example.org")).tally, "found")
        assert found == {"people": 1, "posts": 30, "likes": 60}


def test_a_circle_of_which_rows_may_stay_is_refused(database: Database) -> None:
    kept = (
        THREADS_MAP.replace(
            "posts:\n    key: [id]", "posts:\n    key: [id]\n    retention: [{ground: law, after: body, period: P1Y}]"
        )
        .replace("contact, identity: email}", "contact, identity: email, strategy: anonymise}")
        .replace("body: {category: free_text}", 'body: {category: free_text, strategy: "null"}')
    )
    with pytest.raises(ValueError, match="posts: links lead back to it and some of its rows may stay"):
        Place(database, "", kept)


REDACTED = (
    THREADS_MAP.replace("posts:\n    key: [id]", "posts:\n    key: [id]\n    erase: redact")
    .replace("body: {category: free_text}", 'body: {category: free_text, strategy: "null"}')
    .replace("contact, identity: email}", "contact, identity: email, strategy: anonymise}")
)


def test_rows_of_a_circle_that_stay_are_emptied(database: Database) -> None:
    with place(database, THREADS, REDACTED, batch_rows=7) as made:
        anchors = made.locate(email("p2@example.org")).anchors

        made.erase(email("p2@example.org"), anchors=anchors)

        assert made.rows("SELECT count(*) FILTER (WHERE body IS NULL), count(*) FROM posts") == [(30, 120)]
        assert made.rows("SELECT count(*) FILTER (WHERE body IS NULL) FROM posts WHERE id / 100 = 2") == [(30,)]
        assert made.verify(email("p2@example.org"), anchors=anchors).tally.left == 0
