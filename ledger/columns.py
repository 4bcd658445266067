"""Columns that many of the ledger's tables have.

The one rule: every table has a tenant, every key begins with it, and every moment knows its zone.
"""

from sqlalchemy import Boolean, Column, DateTime, ForeignKeyConstraint, Integer, Text


def tenant() -> Column[str]:
    """What every key begins with."""
    return Column("tenant", Text, primary_key=True)


def key(name: str) -> Column[str]:
    """Another part of the key."""
    return Column(name, Text, primary_key=True)


def moment(name: str, *, nullable: bool = False) -> Column[object]:
    """A moment with its zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def count(name: str) -> Column[int]:
    """A number that begins at 0."""
    return Column(name, Integer, nullable=False, server_default="0")


def flag(name: str) -> Column[bool]:
    """What is not so until it is said."""
    return Column(name, Boolean, nullable=False, server_default="false")


def of_request() -> ForeignKeyConstraint:
    """A row of a request (`request_id`) stands and falls with it."""
    return ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"])


def of_hold() -> ForeignKeyConstraint:
    """A row of a hold (`hold_id`) stands and falls with it."""
    return ForeignKeyConstraint(["tenant", "hold_id"], ["holds.tenant", "holds.id"])
