"""A database that was restored under a connector that knows its tables: they have the same names and other numbers.

What was counted under the old numbers says nothing: the call is made again, and no person is asked.
"""

from collections.abc import Iterator

import pytest

from connectors.errors import Retryable
from connectors.protocol import Correction
from rights.codes import Code
from tests.conftest import Database
from tests.connectors.sql_place import Place, email, place

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE);
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, note text);
CREATE INDEX ON orders (customer);
INSERT INTO customers SELECT n, 'person' || n || '@example.org' FROM generate_series(1, 2) n;
INSERT INTO orders SELECT 10 * c + n, c, 'a note' FROM generate_series(1, 2) c, generate_series(1, 3) n;
"""
MAP = """
  customers:
    key: [id]
    fields:
      id: {}
      email: {identity: email, category: contact}
  orders:
    key: [id]
    links: [{field: customer, to: customers.id}]
    fields: {id: {}, customer: {}, note: {category: notes}}
"""
RESTORED = """
CREATE TABLE restored (LIKE orders INCLUDING ALL);
INSERT INTO restored SELECT * FROM orders;
DROP TABLE orders;
ALTER TABLE restored RENAME TO orders;
"""
ONE, TWO = email("person1@example.org"), email("person2@example.org")


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, MAP, batch_rows=2) as made:
        made.locate(ONE)
        yield made


def test_what_was_counted_under_old_numbers_is_not_taken_for_a_surprise(shop: Place) -> None:
    shop.door.execute(RESTORED)
    before = shop.dump()

    with pytest.raises(Retryable) as raised:
        shop.erase(ONE)

    assert (raised.value.code, raised.value.about) == (Code.BUSY, "public.orders")
    assert shop.dump() == before
    shop.erase(ONE)
    assert shop.rows("SELECT id FROM orders ORDER BY id") == [(21,), (22,), (23,)]


def test_a_call_under_way_is_told_so_too_when_another_one_has_looked_them_up_first(shop: Place) -> None:
    noted = "SELECT count(*) FROM orders WHERE note = 'noted'"
    began: list[int] = []

    def beat() -> None:
        # Between two of its transactions: the first rows are written, and another call learns of the restore.
        if not began and shop.rows(noted) != [(0,)]:
            began.extend(shop.rows(noted)[0])
            shop.door.execute(RESTORED)
            with pytest.raises(Retryable):
                shop.erase(TWO)
            shop.erase(TWO)

    call = shop.call(ONE, beat=beat, corrections=(Correction("orders", {"note": "noted"}),))
    with pytest.raises(Retryable) as raised:
        shop.connector.rectify(call)

    assert raised.value.code is Code.BUSY
    assert began == [2]
    assert shop.rows(noted) == [(2,)], "what was counted under old numbers is undone"
    shop.connector.rectify(call)
    assert shop.rows("SELECT id, note FROM orders ORDER BY id") == [(11, "noted"), (12, "noted"), (13, "noted")]


def test_a_correction_that_is_the_first_to_find_it_out_has_the_tables_looked_up_again(shop: Place) -> None:
    """Nothing else may come by for days, as where corrections and opt-outs alone are done again after a restore."""
    shop.door.execute(RESTORED)
    correction = Correction("orders", {"note": "noted"})

    with pytest.raises(Retryable):
        shop.connector.rectify(shop.call(ONE, corrections=(correction,)))
    shop.connector.rectify(shop.call(ONE, corrections=(correction,)))

    assert shop.rows("SELECT count(*) FROM orders WHERE note = 'noted'") == [(3,)]
