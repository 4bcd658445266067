"""The deployment that is measured: the shop of `shop.sql`, a ledger, Temporal, one worker, and who used how much CPU.

The rule kept: everything is counted, the servers and their children too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from starter.stack import Postgres
from tests.world import World

MAP = """
system: shop
owner: shop team
connector: sql
backups: none
mode: auto
max_people_per_hour: 100000
connection: {reader: "env:TEST_SHOP", writer: "env:TEST_SHOP"}
collections:
  customers:
    key: [id]
    fields:
      id: {identity: customer_id}
      # The shop stores addresses in lower case, so an exact match is right and uses the index.
      email: {category: contact, identity: email, match: exact}
      full_name: {category: contact}
      phone: {category: contact}
      birth_date: {category: contact}
      marketing_opt_in: {category: preference}
      created_at: {}
  addresses:
    key: [id]
    fields:
      {id: {}, customer_id: {}, street: {category: contact}, city: {category: contact},
       postal_code: {category: contact}, country: {category: contact}}
    links: [{field: customer_id, to: customers.id}]
  orders:
    key: [id]
    fields:
      {id: {}, customer_id: {}, shipping_address_id: {}, status: {category: order}, total_cents: {category: order},
       note: {category: free_text}, created_at: {}}
    links: [{field: customer_id, to: customers.id}]
  order_items:
    key: [id]
    fields:
      {id: {}, order_id: {}, sku: {category: order}, quantity: {category: order}, price_cents: {category: order},
       gift_message: {category: free_text}}
    links: [{field: order_id, to: orders.id}]
  payments:
    key: [id]
    fields:
      {id: {}, order_id: {}, card_last4: {category: payment}, billing_name: {category: contact},
       amount_cents: {category: payment}, created_at: {}}
    links: [{field: order_id, to: orders.id}]
  support_messages:
    key: [id]
    fields:
      {id: {}, customer_id: {}, subject: {category: free_text}, body: {category: free_text}, created_at: {}}
    links: [{field: customer_id, to: customers.id}]
  sessions:
    key: [id]
    fields: {id: {}, customer_id: {}, ip_address: {category: online}, user_agent: {category: online}, created_at: {}}
    links: [{field: customer_id, to: customers.id}]
"""

TABLES = ("order_items", "payments", "sessions", "support_messages", "orders", "addresses", "customers")
"""Children before parents."""


def seed(postgres: Postgres, database: str, customers: int) -> None:
    """Fill a shop with `customers` people of 61 rows each; mark it as belonging to the tests."""
    text = (Path(__file__).parent / "shop.sql").read_text()
    text = re.sub(r"^\\set.*$", "", text, flags=re.MULTILINE).replace(":customers", str(customers))
    with psycopg.connect(postgres.conninfo(database), autocommit=True) as connection:
        for table in ("items", "messages", "orders", "addresses", "customers"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(text)
        connection.execute("CREATE INDEX IF NOT EXISTS orders_shipping ON orders(shipping_address_id)")


def fatten(postgres: Postgres, database: str, customer: int, rows: int) -> None:
    """Give one customer about `rows` rows more, spread over four tables."""
    each = rows // 4
    with psycopg.connect(postgres.conninfo(database), autocommit=True) as connection:
        first = connection.execute("SELECT max(id) + 1 FROM orders").fetchone()
        assert first is not None
        start = first[0]
        connection.execute(
            "INSERT INTO orders SELECT %s + k, %s, NULL, 'paid', k, 'note ' || md5(k::text), now() "
            "FROM generate_series(0, %s - 1) k", (start, customer, each))  # fmt: skip
        connection.execute(
            "INSERT INTO order_items SELECT (SELECT max(id) FROM order_items) + k + 1, %s + k, 'SKU', 1, 100, "
            "md5(k::text) FROM generate_series(0, %s - 1) k", (start, each))  # fmt: skip
        connection.execute(
            "INSERT INTO payments SELECT (SELECT max(id) FROM payments) + k + 1, %s + k, '1234', 'Name', 100, now() "
            "FROM generate_series(0, %s - 1) k", (start, each))  # fmt: skip
        connection.execute(
            "INSERT INTO support_messages SELECT (SELECT max(id) FROM support_messages) + k + 1, %s, 'Subject', "
            "repeat(md5(k::text), 4), now() FROM generate_series(0, %s - 1) k", (customer, each))  # fmt: skip
        connection.execute("ANALYZE")


@dataclass
class Used:
    """CPU seconds by part, and the wall clock."""

    parts: dict[str, float]
    wall: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def of_family(pid: int) -> float:
    """CPU seconds of a process and of all its children, dead ones that it has waited for included."""
    total = 0.0
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + (times.children_user + times.children_system if each is process else 0.0)
    return total


def _own() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system


@contextmanager
def counting(world: World) -> Iterator[Used]:
    """Count the CPU of everything while a block runs."""

    def snapshot() -> dict[str, float]:
        return {
            "worker": sum(of_family(w.pid) for w in world.workers if w.poll() is None),
            "temporal": of_family(world.temporal.pid),
            "postgres": of_family(world.postgres.pid),
            "client": _own(),
        }

    used = Used({})
    before, start = snapshot(), time.monotonic()
    yield used
    used.wall = time.monotonic() - start
    after = snapshot()
    used.parts = {name: after[name] - before[name] for name in before}


def memory(world: World) -> float:
    """Resident memory of the worker, in MB."""
    return sum(psutil.Process(w.pid).memory_info().rss for w in world.workers if w.poll() is None) / 1e6
