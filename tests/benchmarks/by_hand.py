"""The yardstick: a script with psycopg that reads or deletes one person's rows, with no evidence and no second look."""

import json
import time

import psycopg

READS = (
    "SELECT * FROM customers WHERE email = %(who)s",
    "SELECT * FROM addresses WHERE customer_id = %(id)s",
    "SELECT * FROM orders WHERE customer_id = %(id)s",
    "SELECT i.* FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = %(id)s",
    "SELECT p.* FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.customer_id = %(id)s",
    "SELECT * FROM support_messages WHERE customer_id = %(id)s",
    "SELECT * FROM sessions WHERE customer_id = %(id)s",
)
DELETES = (
    "DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE customer_id = %(id)s)",
    "DELETE FROM payments WHERE order_id IN (SELECT id FROM orders WHERE customer_id = %(id)s)",
    "DELETE FROM sessions WHERE customer_id = %(id)s",
    "DELETE FROM support_messages WHERE customer_id = %(id)s",
    "DELETE FROM orders WHERE customer_id = %(id)s",
    "DELETE FROM addresses WHERE customer_id = %(id)s",
    "DELETE FROM customers WHERE id = %(id)s",
)


def read(connection: psycopg.Connection[tuple[object, ...]], customer: int) -> int:
    """Read everything and make JSON of it; how many rows."""
    rows = 0
    for query in READS:
        cursor = connection.execute(query, {"who": f"c{customer}@shop.example", "id": customer})
        found = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
        json.dumps([dict(zip(names, row, strict=True)) for row in found], default=str)
        rows += len(found)
    connection.commit()
    return rows


def delete(connection: psycopg.Connection[tuple[object, ...]], customer: int) -> int:
    """Delete everything in one transaction; how many rows."""
    rows = sum(connection.execute(query, {"id": customer}).rowcount for query in DELETES)
    connection.commit()
    return rows


def timed(conninfo: str, first: int, count: int, *, erase: bool) -> float:
    """CPU seconds of this process for `count` people."""
    with psycopg.connect(conninfo) as connection:
        start = time.process_time()
        for customer in range(first, first + count):
            assert (delete if erase else read)(connection, customer) == 61
        return time.process_time() - start
