"""The table of what is looked at again after its time."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Table, Text, text

from ledger.models import metadata

follow_ups: Final = Table(
    "follow_ups",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("look_on", DateTime(timezone=True), nullable=False),
    Column("looked_at", DateTime(timezone=True)),
    Column("over_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"]),
    Index("ix_follow_ups_due", "tenant", "look_on", postgresql_where=text("over_at IS NULL")),
)
"""One row per request and what is looked at: `restriction` for as long as it is in force, `rectification` until it was
seen to last."""
