"""The tables of what requests have had done in systems, remembered when all else of them is shredded.

The one rule: tokens, codes and names of the data map alone; nothing that was typed.
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

remembered_acts: Final = Table(
    "remembered_acts",
    metadata,
    tenant(),
    key("request_id"),
    moment("closed_at"),
    Column("details", Text, nullable=False),
    of_request(),
)
"""One row for each answered request that has stopped, restricted or corrected something. `details`: what it asked for,
as JSON, without the person (`rights.lasting`)."""

act_tokens: Final = Table(
    "act_tokens",
    metadata,
    tenant(),
    Column("token", LargeBinary, primary_key=True),
    key("request_id"),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    of_request(),
    Index("ix_act_tokens_request", "tenant", "request_id"),
)
"""Whom it was about: keyed tokens of what tells one person from all others (ledger/tokens.py)."""
