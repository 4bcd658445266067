"""Rows that come in between two transactions of a large erasure: they may go, but not with what they alone tell."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce

import pytest

from connectors.anchors import merged
from connectors.conformance import Gate
from connectors.protocol import Intent
from rights.receipt import Tally
from rights.subject import Identity
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
