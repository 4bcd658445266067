"""A company's old database: many tables, keys between them, comments, checks. No rows: discovery reads none."""

from __future__ import annotations

import random
import time

import psycopg

from connectors.sql.discovery import discover, page
from starter.stack import Postgres

COLUMNS = (
    "email",
    "first_name",
    "last_name",
    "phone",
    "note",
    "street",
    "city",
    "amount_cents",
    "status",
    "created_at",
)
"""Ten of them in each table, beside its key and its references."""


def tables(count: int) -> str:
    """DDL of so many tables; every third hangs on customers, the others on one another. The same for each run."""
    chance = random.Random(7)  # noqa: S311 - the same schema each time, nothing secret
    made = ["CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE NOT NULL, full_name text NOT NULL)"]
    for number in range(1, count):
        columns = ", ".join(
            f"{name}{'' if chance.random() < 0.5 else f'_{number}'} {'timestamptz' if name == 'created_at' else 'text'}"
            for name in COLUMNS
        )
        to = "customers" if number % 3 == 0 or number < 4 else f"orders_{chance.randrange(1, number)}"
        own, column = f"orders_{number}", "customer_id" if to == "customers" else "order_id"
        made.append(
            f"CREATE TABLE {own} (id bigint PRIMARY KEY, {column} bigint REFERENCES {to}, {columns}, "
            f"CHECK (id > 0)); CREATE INDEX ON {own} ({column}); COMMENT ON TABLE {own} IS 'Made for a benchmark'"
        )
    return "; ".join(made)


def seconds(count: int) -> tuple[float, int]:
    """How long the discovery of so many tables takes, and how many of them the draft maps."""
    with Postgres(durable=False) as postgres:
        postgres.create_database("large")
        with psycopg.connect(postgres.conninfo("large"), autocommit=True) as door:
            for statement in tables(count).split("; CREATE TABLE "):
                text = statement if statement.startswith("CREATE") else f"CREATE TABLE {statement}"
                door.execute(text.encode())
        began = time.perf_counter()
        draft = discover(postgres.dsn("large"), system="shop", reader="env:SHOP")
        page(draft)
        return time.perf_counter() - began, len(draft.collections)
