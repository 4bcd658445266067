"""The table of what is looked at again after its time."""

from typing import Final

from sqlalchemy import Index, Table, text

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

follow_ups: Final = Table(
    "follow_ups",
    metadata,
    tenant(),
    key("request_id"),
    key("what"),
    moment("look_on"),
    moment("looked_at", nullable=True),
    moment("over_at", nullable=True),
    of_request(),
    Index("ix_follow_ups_due", "tenant", "look_on", postgresql_where=text("over_at IS NULL")),
)
"""One row per request and what is looked at: `restriction` for as long as it is in force, `rectification` until it was
seen to last."""
