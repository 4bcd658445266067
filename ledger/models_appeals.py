"""The tables of appeals."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.models import metadata

appeals: Final = Table(
    "appeals",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("clock", JSONB, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("outcome", Text),
    Column("redone_by", Text),
    ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"]),
    # One at a time against one answer.
    Index("uq_appeals_open", "tenant", "request_id", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("ix_appeals_request", "tenant", "request_id"),
)
"""Appeals against answers. `redone_by` is the request that carries the first one out anew."""
