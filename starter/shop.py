"""The shop that demo, `habeas dev` and tests work on: a database like many, of 9 tables and some 43,000 rows.

The one rule: its engine's roles have what the data map needs and nothing more.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Final

import psycopg
from psycopg import sql

from starter.stack import Postgres

ROLES: Final = {"habeas_ledger": "ledger", "shop_reader": "shop", "shop_writer": "shop"}
"""Each role, and the database it is for."""

MAPPED: Final = (
    "customers", "addresses", "orders", "order_items", "payments", "support_messages", "sessions", "newsletter",
)  # fmt: skip
"""The tables that hold something of people; `products` does not, and nobody is given a right on it."""

REWRITTEN: Final[Mapping[str, tuple[str, ...]]] = {
    "customers": (
        "email", "full_name", "phone", "birth_date", "password_hash", "marketing_opt_in", "created_at",
    ),
    "addresses": ("street", "city", "postal_code"),
    "orders": ("note",),
    "order_items": ("gift_message",),
    "payments": ("card_last4", "billing_name"),
    "support_messages": ("id",),
    "sessions": ("id",),
    "newsletter": ("email",),
}  # fmt: skip
"""The columns that the data map rewrites in rows that stay; and one of each other table, since PostgreSQL lets a role
lock rows, as is done before they are deleted, only where it may update something."""


def map_text(mode: str) -> str:
    """The shop's data map, in the mode that the operator of the moment wants."""
    text = (resources.files("starter.demo") / "shop.yaml").read_text()
    return text.replace("mode: auto ", f"mode: {mode} ", 1)


def make_roles(server: Postgres, passwords: Mapping[str, str]) -> None:
    """Make the roles, and the ledger's database for the one that owns it."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for role, password in passwords.items():
            _role(connection, role, password)
    server.create_database("ledger")
    with psycopg.connect(server.conninfo("ledger"), autocommit=True) as connection:
        connection.execute("ALTER DATABASE ledger OWNER TO habeas_ledger")
        connection.execute("ALTER SCHEMA public OWNER TO habeas_ledger")


def fill_shop(server: Postgres, *, environment: str) -> bool:
    """Make the shop, fill it and mark it; False if it was there."""
    server.create_database("shop")
    # In one transaction: a start that is cut short leaves an empty shop, which the next one fills.
    with psycopg.connect(server.conninfo("shop")) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(1)")
        if _filled(connection):
            return False
        connection.execute(_script())
        _grant(connection)
        # The mark of the environment: an erasure refuses a database that bears another, or none.
        connection.execute(sql.SQL("ALTER DATABASE shop SET habeas.environment = {}").format(sql.Literal(environment)))
    return True


def _filled(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    found = connection.execute("SELECT to_regclass('public.newsletter') IS NOT NULL").fetchone()
    return bool(found and found[0])


def _script() -> bytes:
    return (resources.files("starter.demo") / "shop.sql").read_bytes()


def _role(connection: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    name, word = sql.Identifier(role), sql.Literal(password)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, word))


def _grant(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """What docs/postgresql.md tells every operator to grant."""
    tables = sql.SQL(", ").join(map(sql.Identifier, MAPPED))
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    connection.execute("GRANT USAGE ON SCHEMA public TO shop_reader, shop_writer")
    connection.execute(sql.SQL("GRANT SELECT ON {} TO shop_reader, shop_writer").format(tables))
    connection.execute(sql.SQL("GRANT DELETE ON {} TO shop_writer").format(tables))
    for table, columns in REWRITTEN.items():
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        connection.execute(sql.SQL("GRANT UPDATE ({}) ON {} TO shop_writer").format(names, sql.Identifier(table)))
