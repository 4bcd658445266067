"""Rows that come in between two transactions of a large erasure: they may go, but not with what they alone tell."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce

import pytest

from connectors.anchors import merged
from connectors.conformance import Gate
from connectors.errors import Held, Retryable
from connectors.protocol import Intent
from rights.codes import Code
from rights.receipt import Tally
from rights.subject import Identity
from tests.connectors.mariadb_server import needs_mariadb
from tests.connectors.sql_anywhere import Make
from tests.connectors.sql_place import email

HANNAH = email("hannah@example.org")
TABLES = (
    "CREATE TABLE people (id int PRIMARY KEY, email varchar(200));"
    "CREATE TABLE orders (id int PRIMARY KEY, person int, pay varchar(20));"
    "CREATE TABLE items (id int PRIMARY KEY, ord int, what varchar(20))"
)
MAP = """
  people:
    key: [id]
    fields: {{id: {{}}, email: {{category: contact, identity: email, strategy: "null"}}}}
  orders:
    key: [id]
{orders}
    links: [{{field: person, to: people.id}}]
  items:
    key: [id]
    fields: {{id: {{}}, ord: {{}}, what: {{category: contact}}}}
    links: [{{field: ord, to: orders.id}}]
"""
DELETED = "    fields: {id: {}, person: {}, pay: {category: payment}}"
# It cannot be listed by its keys beforehand: the row has to be read for what it yields.
TELLING = "    fields: {id: {}, person: {}, pay: {category: payment, yields: stripe}}"
REDACTED = """    erase: redact
    fields: {id: {}, person: {strategy: "null"}, pay: {category: payment, strategy: "null"}}"""


class After(Gate):
    """A fence after which somebody adds something, once, when the first change of a collection has been committed."""

    def __init__(self, collection: str, add: Callable[[], None]) -> None:
        super().__init__()
        self._collection, self._add = collection, [add]

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with super().__call__(planned, look) as intent:
            yield intent
        while self._collection in planned and self._add:
            self._add.pop()()


@pytest.mark.parametrize(
    ("orders", "after"),
    [(REDACTED, "items"), (DELETED, "items"), (DELETED, "orders"), (TELLING, "orders")],
    ids=["rewritten", "deleted", "between-two-batches", "between-two-batches-that-tell"],
)
def test_what_hangs_on_a_late_row_is_found_though_the_row_loses_its_path(make: Make, orders: str, after: str) -> None:
    made = make(TABLES, MAP.format(orders=orders), batch_rows=2)
    made.insert("people", (1, "hannah@example.org"))
    made.insert("orders", *((number, 1, "") for number in (1, 2, 3)), (9, 2, ""))
    made.insert("items", *((number, number, "") for number in (1, 2, 3, 9)))
    anchors = made.locate(HANNAH).anchors
    remembered = [anchors]

    def late() -> None:
        made.insert("orders", (4, 1, ""))
        made.insert("items", (4, 4, ""))

    made.erase(HANNAH, anchors=anchors, fence=After(after, late), remember=remembered.append)
    left = made.verify(HANNAH, anchors=reduce(merged, remembered))
    assert left.tally.left > 0, "it is not called erased"

    made.erase(HANNAH, anchors=left.anchors)
    assert made.verify(HANNAH, anchors=left.anchors).tally.left == 0
    assert [row[0] for row in made.rows("SELECT id FROM items")] == [9]


def test_what_a_late_row_says_of_other_systems_is_told_before_it_goes(make: Make) -> None:
    made = make(TABLES, MAP.format(orders=TELLING), batch_rows=2)
    made.insert("people", (1, "hannah@example.org"))
    made.insert("orders", *((number, 1, f"cus_{number}") for number in (1, 2, 3)))
    anchors = made.locate(HANNAH).anchors
    learnt: list[Identity] = []

    def late() -> None:
        made.insert("orders", (4, 1, "cus_4"))

    made.erase(HANNAH, anchors=anchors, fence=After("orders", late), learn=learnt.extend)

    gone = {f"cus_{number}" for number in (1, 2, 3, 4)} - {row[0] for row in made.rows("SELECT pay FROM orders")}
    assert gone <= {link.value for link in learnt if link.kind == "stripe"}


class During(Gate):
    """A fence within which somebody adds something, once, as a change of a collection is let through: after the last
    look at its rows, and before the statement that changes them. With `held`, it lets nothing through any more once
    that says so."""

    def __init__(
        self, collection: str, at: int, add: Callable[[], None], held: Callable[[], bool] = lambda: False
    ) -> None:
        super().__init__()
        self._collection, self._at, self._add, self._held = collection, at, add, held

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        if self._held():
            raise Held(Code.HOLD)
        with super().__call__(planned, look) as intent:
            self._at -= self._collection in planned
            if self._collection in planned and self._at == 0:
                self._add()
            yield intent


# SQLite lets nobody else write while a transaction that writes is open.
SHARED = pytest.mark.parametrize(
    "engine", ["postgresql", pytest.param("mariadb", marks=[needs_mariadb, pytest.mark.soak])]
)


@SHARED
def test_a_row_that_comes_in_as_the_batch_is_let_through_keeps_the_path_to_what_hangs_on_it(
    request: pytest.FixtureRequest, engine: str
) -> None:
    make: Make = request.getfixturevalue(f"on_{engine}")
    made = make(TABLES, MAP.format(orders=REDACTED), batch_rows=2)
    made.insert("people", (1, "hannah@example.org"))
    made.insert("orders", *((number, 1, "") for number in (1, 2, 3)))
    made.insert("items", *((number, number, "") for number in (1, 2, 3)))
    anchors = made.locate(HANNAH).anchors
    remembered = [anchors]

    def late() -> None:
        made.insert("orders", (4, 1, ""))
        made.insert("items", (4, 4, ""))

    made.erase(HANNAH, anchors=anchors, fence=During("orders", 2, late), remember=remembered.append)
    assert made.rows("SELECT person FROM orders WHERE id = 4") == [(None,)], "it lost its path"
    left = made.verify(HANNAH, anchors=reduce(merged, remembered))
    assert left.tally.left > 0, "it is not called erased"

    made.erase(HANNAH, anchors=left.anchors)
    assert made.rows("SELECT id FROM items") == []


@SHARED
@pytest.mark.parametrize("batch", [2, 10_000])
def test_what_such_a_row_says_is_known_before_it_goes_and_a_hold_on_it_binds(
    request: pytest.FixtureRequest, engine: str, batch: int
) -> None:
    make: Make = request.getfixturevalue(f"on_{engine}")
    made = make(TABLES, MAP.format(orders=TELLING), batch_rows=batch)
    made.insert("people", (1, "hannah@example.org"))
    made.insert("orders", *((number, 1, f"cus_{number}") for number in (1, 2, 3)))
    anchors = made.locate(HANNAH).anchors
    learnt: list[Identity] = []

    def late() -> None:
        made.insert("orders", (4, 1, "cus_4"))

    fence = During("orders", 2 if batch == 2 else 1, late, lambda: "cus_4" in {link.value for link in learnt})
    with pytest.raises((Held, Retryable)):
        made.erase(HANNAH, anchors=anchors, fence=fence, learn=learnt.extend)

    assert batch > 2 or "cus_4" in {link.value for link in learnt}
    assert (4, "cus_4") in made.rows("SELECT id, pay FROM orders"), "it is undone, and the hold is asked again"
    made.erase(HANNAH, anchors=anchors)
    assert made.rows("SELECT id FROM orders") == []


def test_each_value_of_a_late_rows_list_is_told(make: Make) -> None:
    made = make(TABLES.replace("pay varchar(20)", "pay json"), MAP.format(orders=TELLING), batch_rows=2)
    made.insert("people", (1, "hannah@example.org"))
    made.insert("orders", *((number, 1, f'["cus_{number}"]') for number in (1, 2, 3)))
    anchors = made.locate(HANNAH).anchors
    learnt: list[Identity] = []

    def late() -> None:
        made.insert("orders", (4, 1, '["cus_4", ["cus_5", 6], {"a": "cus_7"}]'))

    made.erase(HANNAH, anchors=anchors, fence=After("orders", late), learn=learnt.extend)

    assert made.rows("SELECT id FROM orders") == [], "what came in went with the rest"
    assert {link.value for link in learnt if link.kind == "stripe"} == {
        *(f"cus_{number}" for number in (1, 2, 3, 4, 5)),
        "6",
    }
