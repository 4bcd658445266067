"""The table of what recipients were told."""

from typing import Final

from sqlalchemy import Column, Date, DateTime, ForeignKeyConstraint, Table, Text

from ledger.models import metadata

notices: Final = Table(
    "notices",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("how", Text, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("answer", Text),
    Column("answered_on", Date),
    ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"]),
)
"""Who was told of what was done, how, and what they have answered (GDPR Art. 19)."""
