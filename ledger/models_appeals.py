"""The tables of appeals."""

from typing import Final

from sqlalchemy import Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

appeals: Final = Table(
    "appeals",
    metadata,
    tenant(),
    key("id"),
    Column("request_id", Text, nullable=False),
    Column("clock", JSONB, nullable=False),
    moment("received_at"),
    moment("closed_at", nullable=True),
    Column("outcome", Text),
    Column("redone_by", Text),
    of_request(),
    # One at a time against one answer.
    Index("uq_appeals_open", "tenant", "request_id", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("ix_appeals_request", "tenant", "request_id"),
)
"""Appeals against answers. `redone_by` is the request that carries the first one out anew."""
