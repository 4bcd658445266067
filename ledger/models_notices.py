"""The table of what recipients were told."""

from typing import Final

from sqlalchemy import Column, Date, Table, Text

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

notices: Final = Table(
    "notices",
    metadata,
    tenant(),
    key("request_id"),
    key("recipient"),
    key("operation"),
    Column("how", Text, nullable=False),
    moment("told_at"),
    Column("due_on", Date, nullable=False),
    Column("answer", Text),
    Column("answered_on", Date),
    of_request(),
)
"""Who was told of what was done, how, and what they have answered (GDPR Art. 19)."""
