"""The tables of what people dispute and was not corrected.

The one rule: names of the map and tokens alone; what the person has to say of it is sealed in the vault of the request,
under a key of its own that no day ends.
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, Table

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

disputes: Final = Table(
    "disputes",
    metadata,
    tenant(),
    key("request_id"),
    key("system"),
    key("collection"),
    key("field"),
    moment("since"),
    of_request(),
)
"""One row for each field that stays as it is though the person disputes it; it goes when they take that back, or when
nothing of them is left in that system."""

dispute_tokens: Final = Table(
    "dispute_tokens",
    metadata,
    tenant(),
    Column("token", LargeBinary, primary_key=True),
    key("request_id"),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    of_request(),
    Index("ix_dispute_tokens_request", "tenant", "request_id"),
)
"""Whose data it is: keyed tokens of what tells one person from all others (ledger/tokens.py)."""
