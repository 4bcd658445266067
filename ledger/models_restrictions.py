"""The table of restrictions."""

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, Text, text

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

restrictions: Final = Table(
    "restrictions",
    metadata,
    tenant(),
    key("request_id"),
    Column("ground", Text, nullable=False),
    moment("since"),
    moment("review_on"),
    moment("reviewed_at", nullable=True),
    Column("lift_reason", Text),
    moment("lift_asked_at", nullable=True),
    Column("notice_days", Integer),
    Column("letter", Text),
    moment("told_at", nullable=True),
    moment("lift_on", nullable=True),
    moment("lifting_at", nullable=True),
    moment("lifted_at", nullable=True),
    of_request(),
    Index("ix_restrictions_review", "tenant", "review_on", postgresql_where=text("lifted_at IS NULL")),
)
"""One row per request that restricts: why, since when, when it is reviewed, and how far its lifting is. Where the data
is locked away is sealed with the request's working identities, which live until it is lifted."""
