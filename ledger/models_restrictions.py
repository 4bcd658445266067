"""The table of restrictions."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Integer, Table, Text, text

from ledger.models import metadata

restrictions: Final = Table(
    "restrictions",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("ground", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("review_on", DateTime(timezone=True), nullable=False),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("lift_reason", Text),
    Column("lift_asked_at", DateTime(timezone=True)),
    Column("notice_days", Integer),
    Column("letter", Text),
    Column("told_at", DateTime(timezone=True)),
    Column("lift_on", DateTime(timezone=True)),
    Column("lifting_at", DateTime(timezone=True)),
    Column("lifted_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"]),
    Index("ix_restrictions_review", "tenant", "review_on", postgresql_where=text("lifted_at IS NULL")),
)
"""One row per request that restricts: why, since when, when it is reviewed, and how far its lifting is. Where the data
is locked away is sealed with the request's working identities, which live until it is lifted."""
